import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { checkInput } from "./check-input.js";
import { decodeInput } from "./decode.js";
import { faultsToldMax } from "./faults.js";
import { loadModel, modelOf } from "./model.js";
import type { ServiceTable, ShapeRow } from "./table.js";
import { readTables } from "./tables.test.support.js";
import { depthMax, elementsMax, faultsFoundMax, type ActedMembers } from "./validate.js";

/** A model of one operation `Try` whose input has these members. */
function modelWith(members: Record<string, string>, shapes: Record<string, ShapeRow> = {}, required: string[] = []) {
  const table: ServiceTable = {
    ...{ api: "iotdeviceadvisor", version: "2026-01-01", protocol: "rest-json", signingName: "try" },
    operations: { Try: { method: "POST", path: "/try", input: "TryRequest", errors: [] } },
    shapes: { ...shapes, TryRequest: { type: "structure", members, required } },
  };
  return modelOf([table]).operation("iotdeviceadvisor", "Try");
}

function told(operation: ReturnType<typeof modelWith>, input: unknown, acted?: ActedMembers): string {
  try {
    checkInput(operation, input, acted);
    return "";
  } catch (error) {
    assert.ok(isThinglineError(error, "REQUEST_INVALID"), String(error));
    return error.message;
  }
}

const name: ShapeRow = { type: "string", min: 2, max: 4, pattern: "[a-z]+" };
const one = (value: string, path: string, constraint: string) =>
  `1 validation error detected: Value ${value} at '${path}' failed to satisfy constraint: ${constraint}`;

test("each violation is told in the words of AWS", () => {
  const shapes: Record<string, ShapeRow> = {
    Name: name,
    Count: { type: "integer", min: 1, max: 250 },
    Colour: { type: "string", enum: ["RED", "BLUE"] },
    Names: { type: "list", of: "Name", min: 1, max: 2 },
    Key: { type: "string", max: 3 },
    Attributes: { type: "map", key: "Key", of: "Name", max: 2 },
    Tag: { type: "structure", required: ["Key"], members: { Key: "Key", Value: "Name" } },
    Tags: { type: "list", of: "Tag" },
    Bytes: { type: "blob", max: 2 },
  };
  const members = {
    ...{ name: "Name", count: "Count", colour: "Colour", names: "Names", attributes: "Attributes", tags: "Tags" },
    ...{ bytes: "Bytes", flag: "boolean", ratio: "double", at: "timestamp", long: "long", tag: "Tag" },
  };
  const operation = modelWith(members, shapes, ["name"]);
  const all =
    "Member must have length less than or equal to 4, Member must have length greater than or equal to 2, Member must satisfy regular expression pattern: [a-z]+";
  const cases: [input: Record<string, unknown>, message: string][] = [
    [{ name: undefined }, one("null", "name", "Member must not be null")],
    [{ name: null }, one("null", "name", "Member must not be null")],
    [{ name: "abcde" }, one("'abcde'", "name", "Member must have length less than or equal to 4")],
    [{ name: "a" }, one("'a'", "name", "Member must have length greater than or equal to 2")],
    [{ name: "a b" }, one("'a b'", "name", "Member must satisfy regular expression pattern: [a-z]+")],
    [{ name: 7 }, one("'7'", "name", "Member must be a string")],
    [{ name: ["ab"] }, one("'[ab]'", "name", "Member must be a string")],
    [{ count: 0 }, one("'0'", "count", "Member must have value greater than or equal to 1")],
    [{ count: 251 }, one("'251'", "count", "Member must have value less than or equal to 250")],
    [{ count: "many" }, one("'many'", "count", "Member must be an integer")],
    [{ count: 1.5 }, one("'1.5'", "count", "Member must be an integer")],
    [{ count: 2 ** 31 }, one("'2147483648'", "count", "Member must be an integer")],
    [{ long: 2 ** 53 }, one("'9007199254740992'", "long", "Member must be an integer")],
    [{ colour: "GREEN" }, one("'GREEN'", "colour", "Member must satisfy enum value set: [RED, BLUE]")],
    [{ flag: "yes" }, one("'yes'", "flag", "Member must be a boolean")],
    [{ ratio: "1" }, one("'1'", "ratio", "Member must be a number")],
    [{ at: "noon" }, one("'noon'", "at", "Member must be a timestamp")],
    [{ at: 8.64e12 + 1 }, one("'8640000000001'", "at", "Member must be a timestamp")],
    [{ at: 1e300 }, one("'1e+300'", "at", "Member must be a timestamp")],
    [{ bytes: "!" }, one("'!'", "bytes", "Member must be base64")],
    [{ bytes: new Uint8Array(3) }, one("'3 bytes'", "bytes", "Member must have length less than or equal to 2")],
    [{ names: "ab" }, one("'ab'", "names", "Member must be a list")],
    [{ names: [] }, one("'[]'", "names", "Member must have length greater than or equal to 1")],
    [{ names: ["ab", "cd", "ef"] }, one("'[ab, cd, ef]'", "names", "Member must have length less than or equal to 2")],
    [{ names: ["ab", "C"] }, one("'[ab, C]'", "names", `Member must satisfy constraint: [${all}]`)],
    [{ names: [null] }, one("null", "names.1.member", "Member must not be null")],
    [
      { attributes: { abcd: "ab" } },
      one(
        "'{abcd=ab}'",
        "attributes",
        "Map keys must satisfy constraint: [Member must have length less than or equal to 3]",
      ),
    ],
    [{ attributes: { a: "B" } }, one("'{a=B}'", "attributes", `Map value must satisfy constraint: [${all}]`)],
    [{ attributes: { a: 1 } }, one("'1'", "attributes.a.member", "Member must be a string")],
    [{ attributes: ["ab"] }, one("'[ab]'", "attributes", "Member must be a map")],
    [{ tags: [{ Key: "a" }, {}] }, one("null", "tags.2.member.Key", "Member must not be null")],
    [
      { tags: [{ Key: "a", Value: "b" }] },
      one("'b'", "tags.1.member.Value", "Member must have length greater than or equal to 2"),
    ],
    [{ tags: ["a"] }, one("'a'", "tags.1.member", "Member must be a structure")],
    [{ tag: "a" }, one("'a'", "tag", "Member must be a structure")],
    [{ name: "\ud800a" }, one("'\ufffda'", "name", "Member must be well-formed Unicode text")],
  ];
  for (const [given, message] of cases) assert.equal(told(operation, { name: "ab", ...given }), message);
  for (const at of [0, -8.64e12, 8.64e12, 0.5]) assert.equal(told(operation, { name: "ab", at }), "");
  assert.equal(
    told(operation, { name: "", count: 0 }),
    "3 validation errors detected: Value '' at 'name' failed to satisfy constraint: Member must have length greater than or equal to 2; " +
      "Value '' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-z]+; " +
      "Value '0' at 'count' failed to satisfy constraint: Member must have value greater than or equal to 1",
  );
  assert.equal(told(operation, []), "The request must be a JSON object");
});

test("what AWS does not have is ignored, null is not there, and the rest is kept", () => {
  const shapes: Record<string, ShapeRow> = {
    Inner: { type: "structure", members: { a: "string", b: "integer" } },
    Inners: { type: "map", key: "string", of: "Inner" },
  };
  const operation = modelWith({ inner: "Inner", inners: "Inners", list: "string" }, shapes);
  const inner = { a: "x", b: null, c: "unknown to AWS", __proto__: { polluted: 1 } };
  assert.deepEqual(checkInput(operation, { inner, inners: { k: inner, __proto__: null }, list: null, other: 1 }), {
    inner: { a: "x" },
    inners: { k: { a: "x" } },
  });
  const keyed = JSON.parse('{"inners":{"__proto__":{"a":"x"}}}') as object;
  const checked = checkInput(operation, keyed) as { inners: object };
  assert.deepEqual(Object.keys(checked.inners), ["__proto__"]);
});

test("a member that is not acted on is refused by name when it has a value that matters, inside of others too", () => {
  const shapes: Record<string, ShapeRow> = {
    Inner: { type: "structure", members: { a: "string", b: "integer" } },
    Inners: { type: "list", of: "Inner", max: 3 },
    Names: { type: "list", of: "string" },
  };
  const operation = modelWith({ inner: "Inner", inners: "Inners", names: "Names", flag: "boolean" }, shapes);
  const acted: ActedMembers = { inner: { a: true }, inners: { b: true } };
  const refused = (value: string, path: string) => one(value, path, "Member is not supported by the local cloud");
  assert.equal(told(operation, { inner: { a: "x" }, inners: [{ b: 1 }] }, acted), "");
  assert.equal(told(operation, { names: [], flag: null }, acted), "");
  assert.equal(told(operation, { names: ["x"] }, acted), refused("'[x]'", "names"));
  assert.equal(told(operation, { flag: true }, acted), refused("'true'", "flag"));
  assert.equal(told(operation, { inner: { b: 1 } }, acted), refused("'1'", "inner.b"));
  assert.equal(told(operation, { inners: [{ b: 1 }, { a: "x" }] }, acted), refused("'x'", "inners.2.member.a"));
  assert.match(told(operation, { inners: [{}, {}, {}, {}] }, acted), /'inners' .*less than or equal to 3$/);
  // What is wrong with it is told first.
  assert.equal(told(operation, { flag: "x" }, acted), one("'x'", "flag", "Member must be a boolean"));
});

test("ten faults are told and all are counted; what is shown of a value is short", () => {
  const members = Object.fromEntries(Array.from({ length: 12 }, (_, at) => [`m${at}`, "boolean"]));
  const operation = modelWith({ ...members, name: "Name" }, { Name: name });
  const message = told(operation, Object.fromEntries(Object.keys(members).map((member) => [member, 1])));
  assert.match(message, /^12 validation errors detected: /);
  assert.equal(message.split("; ").length, faultsToldMax);
  assert.ok(told(operation, { name: "x".repeat(1_000_000) }).length < 1_000);
  const large = Array.from({ length: 100_000 }, () => ({ k: ["x".repeat(10)] }));
  assert.ok(told(operation, { name: large }).length < 1_000);
  const lists = modelWith({ names: "Names" }, { Names: { type: "list", of: "string" } });
  const nothing = new Array(elementsMax).fill(null);
  assert.match(told(lists, { names: nothing }), new RegExp(`^${faultsFoundMax} validation errors detected: `));
  const deep = JSON.parse(`${"[".repeat(400_000)}${"]".repeat(400_000)}`) as unknown;
  assert.equal(told(operation, { name: deep }), one("'[[[[[[[[...]]]]]]]]'", "name", "Member must be a string"));
});

test("what is shown has no half of a character", () => {
  const operation = modelWith(
    { name: "Name", names: "Names" },
    { Name: name, Names: { type: "map", key: "string", of: "integer" } },
  );
  const halved = told(operation, { name: `${"a".repeat(99)}\u{1f600}` });
  assert.match(halved, /a{99}\ufffd'/);
  for (const message of [halved, told(operation, { names: { "\ud800": "x", "\udc00a": 1 } })])
    assert.doesNotMatch(message, /\p{Surrogate}/u);
});

test("elements of a list or map with too many are neither looked at nor copied", async () => {
  const shapes: Record<string, ShapeRow> = {
    Tag: { type: "structure", required: ["Key"], members: { Key: "string" } },
    Tags: { type: "list", of: "Tag" },
    Names: { type: "list", of: "string", max: 3 },
    Numbers: { type: "map", key: "string", of: "integer" },
    Tagged: { type: "map", key: "string", of: "Tag" },
  };
  const operation = modelWith({ tags: "Tags", names: "Names", numbers: "Numbers", tagged: "Tagged" }, shapes);
  const items = (count: number) => Array.from({ length: count }, () => "x");
  const many = items(elementsMax + 1);
  for (const member of ["tags", "names", "numbers", "tagged"]) {
    const value = /^(tags|names)$/.test(member) ? many : { ...many };
    const most = `'${member}' failed to satisfy constraint: Member must have length less than or equal to ${member === "names" ? 3 : elementsMax}`;
    for (const acted of [{}, { tags: { Key: true } }] as ActedMembers[]) {
      const message = told(operation, { [member]: value }, acted);
      assert.ok(message.startsWith("1 validation error detected: ") && message.endsWith(most), message.slice(-200));
    }
    const { input } = decodeInput(operation, {
      ...{ labels: {}, rawQuery: "", headers: {} },
      body: new TextEncoder().encode(JSON.stringify({ [member]: value })),
    }) as { input: Record<string, unknown> };
    assert.equal(Object.keys(input[member] as object).length, many.length);
  }
  assert.match(told(operation, { names: items(elementsMax) }), /^1 validation error .* than or equal to 3$/);
  const numbers = Object.fromEntries(Array.from({ length: elementsMax }, (_, at) => [`k${at}`, at]));
  assert.equal(told(operation, { numbers }), "");
  for (const table of await readTables()) {
    const larger = Object.entries(table.shapes).filter(([, { type, ...shape }]) => {
      return (type === "list" || type === "map") && ((shape as { max?: number }).max ?? 0) >= elementsMax;
    });
    assert.deepEqual(larger, [], "a list of AWS may have more");
  }
});

test("a secret is not shown", () => {
  const shapes: Record<string, ShapeRow> = { Password: { type: "string", max: 3, sensitive: true } };
  const operation = modelWith({ password: "Password" }, shapes);
  assert.equal(
    told(operation, { password: "secret" }),
    one("'***'", "password", "Member must have length less than or equal to 3"),
  );
});

test("a shape that contains itself is checked as deep as is allowed", () => {
  const shapes: Record<string, ShapeRow> = {
    Node: { type: "structure", members: { next: "Node", list: "Nodes", value: "integer" } },
    Nodes: { type: "list", of: "Node" },
  };
  const operation = modelWith({ node: "Node" }, shapes);
  const nest = (levels: number, inner: unknown): unknown => (levels === 0 ? inner : { next: nest(levels - 1, inner) });
  assert.match(
    told(operation, { node: nest(3, { value: "x" }) }),
    /'node\.next\.next\.next\.value' .*Member must be an integer$/,
  );
  assert.equal(told(operation, { node: nest(depthMax - 3, { value: 1 }) }), "");
  const deep = JSON.parse(`${'{"next":'.repeat(5_000)}{}${"}".repeat(5_000)}`) as unknown;
  assert.match(told(operation, { node: deep }), /Member must not be nested deeper than 32 levels$/);
});

test("no input of AWS is as deep as the bound", async () => {
  const { operations } = await loadModel();
  const depthOf = (shape: (typeof operations)[number]["input"] | { type: string }): number => {
    if ("members" in shape)
      return 1 + Math.max(0, ...[...shape.members.values()].map((member) => depthOf(member.shape)));
    return "of" in shape ? 1 + depthOf(shape.of as { type: string }) : 1;
  };
  const deepest = Math.max(...operations.map(({ input }) => depthOf(input)));
  assert.ok(deepest > 4 && deepest < depthMax / 2, String(deepest));
});
