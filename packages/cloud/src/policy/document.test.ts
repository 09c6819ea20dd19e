import assert from "node:assert/strict";
import { test } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import { parsePolicyDocument, policyCharactersMax } from "./document.js";

const allow = { Effect: "Allow", Action: "iot:Publish", Resource: "arn:aws:iot:*:*:topic/a" };

function parse(value: unknown) {
  return parsePolicyDocument(JSON.stringify(value));
}

test("one statement object and an array of one are the same", () => {
  const one = parse({ Version: "2012-10-17", Statement: allow });
  assert.deepEqual(one, parse({ Version: "2012-10-17", Statement: [allow] }));
  assert.deepEqual(one.statements[0], {
    sid: undefined,
    effect: "Allow",
    isNotAction: false,
    actions: ["iot:Publish"],
    isNotResource: false,
    resources: ["arn:aws:iot:*:*:topic/a"],
    conditions: [],
  });
});

test("NotAction, NotResource, Sid, Id and all forms of condition values are read", () => {
  const { statements } = parse({
    Version: "2012-10-17",
    Id: "x",
    Statement: [
      {
        Sid: "S1",
        Effect: "Deny",
        NotAction: ["iot:Connect", "iot:Re*"],
        NotResource: "*",
        Condition: {
          Bool: { "iot:Connection.Thing.IsAttached": [true] },
          "ForAnyValue:StringLikeIfExists": { "iot:ConnectAttributes": ["Last*", "x"] },
          NumericLessThan: { "iot:Connection.Thing.Attributes[n]": 5 },
          IpAddress: { "aws:SourceIp": ["10.0.0.0/8", "2001:db8::/32"] },
          DateGreaterThan: { "aws:CurrentTime": "2026-01-01T00:00:00Z" },
          Null: { "iot:ClientId": "false" },
          ArnLike: { "iot:LastWillTopic": "arn:aws:iot:*:*:topic/${iot:ClientId}/*" },
        },
      },
    ],
  });
  assert.equal(statements[0]?.isNotAction, true);
  assert.equal(statements[0]?.isNotResource, true);
  assert.deepEqual(statements[0]?.conditions[0], {
    operator: "Bool",
    key: "iot:Connection.Thing.IsAttached",
    values: ["true"],
  });
  assert.equal(statements[0]?.conditions.length, 7);
});

const malformed: [name: string, value: unknown, path: string][] = [
  ["text that is no JSON", "{", ""],
  ["an array", [], ""],
  ["an unknown member", { Statement: allow, Foo: 1 }, "Foo"],
  ["another version", { Version: "2020-01-01", Statement: allow }, "Version"],
  ["no statement", { Version: "2012-10-17" }, "Statement"],
  ["an empty list of statements", { Statement: [] }, "Statement"],
  ["a statement that is a string", { Statement: ["x"] }, "Statement[0]"],
  ["a missing effect", { Statement: { ...allow, Effect: undefined } }, "Statement.Effect"],
  ["an effect in lower case", { Statement: [allow, { ...allow, Effect: "allow" }] }, "Statement[1].Effect"],
  ["a principal", { Statement: { ...allow, Principal: "*" } }, "Statement.Principal"],
  ["an unknown statement member", { Statement: { ...allow, Foo: "*" } }, "Statement.Foo"],
  ["Action and NotAction", { Statement: { ...allow, NotAction: "iot:Connect" } }, "Statement"],
  ["no action", { Statement: { Effect: "Allow", Resource: "*" } }, "Statement.Action"],
  ["an action without service", { Statement: { ...allow, Action: "Publish" } }, "Statement.Action"],
  ["an empty list of actions", { Statement: { ...allow, Action: [] } }, "Statement.Action"],
  ["no resource", { Statement: { Effect: "Allow", Action: "*" } }, "Statement.Resource"],
  ["a resource that is no ARN", { Statement: { ...allow, Resource: "topic/a" } }, "Statement.Resource"],
  ["a number as resource", { Statement: { ...allow, Resource: 5 } }, "Statement.Resource"],
  [
    "an open variable",
    { Statement: { ...allow, Resource: "arn:aws:iot:*:*:topic/${x" }, Version: "2012-10-17" },
    "Statement.Resource",
  ],
  ["an unknown operator", { Statement: { ...allow, Condition: { Foo: { a: "b" } } } }, "Statement.Condition.Foo"],
  [
    "NullIfExists",
    { Statement: { ...allow, Condition: { NullIfExists: { a: "true" } } } },
    "Statement.Condition.NullIfExists",
  ],
  [
    "a condition value that is an object",
    { Statement: { ...allow, Condition: { Bool: { a: {} } } } },
    'Statement.Condition.Bool["a"]',
  ],
  [
    "a Bool that is neither",
    { Statement: { ...allow, Condition: { Bool: { a: "yes" } } } },
    'Statement.Condition.Bool["a"]',
  ],
  [
    "a number that is none",
    { Statement: { ...allow, Condition: { NumericEquals: { a: "x" } } } },
    'Statement.Condition.NumericEquals["a"]',
  ],
  [
    "an address range that is none",
    { Statement: { ...allow, Condition: { IpAddress: { a: "10.0.0.0/33" } } } },
    'Statement.Condition.IpAddress["a"]',
  ],
  [
    "a date that is none",
    { Statement: { ...allow, Condition: { DateEquals: { a: "tomorrow" } } } },
    'Statement.Condition.DateEquals["a"]',
  ],
];
for (const [name, value, path] of malformed) {
  test(`${name} is malformed, and the error says where`, () => {
    assert.throws(
      () => (value === "{" ? parsePolicyDocument("{") : parse(value)),
      (error) => error instanceof ThinglineError && error.code === "POLICY_MALFORMED" && error.details["path"] === path,
    );
  });
}

test("a document without Version is of 2008-10-17", () => {
  assert.equal(parse({ Statement: allow }).version, "2008-10-17");
});

test("a policy may have 2048 characters without white space, and not one more", () => {
  const make = (length: number) => {
    const empty = JSON.stringify({ Version: "2012-10-17", Statement: { ...allow, Sid: "" } }).length;
    return JSON.stringify({ Version: "2012-10-17", Statement: { ...allow, Sid: "s".repeat(length - empty) } }, null, 8);
  };
  assert.ok(parsePolicyDocument(make(policyCharactersMax)));
  assert.throws(() => parsePolicyDocument(make(policyCharactersMax + 1)), /at most 2048/);
});
