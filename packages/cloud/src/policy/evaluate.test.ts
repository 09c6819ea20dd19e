import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePolicyDocument } from "./document.js";
import { compilePolicy, evaluate } from "./evaluate.js";
import type { CompiledPolicy, DecisionOutcome } from "./evaluate.js";
import type { CertificateFacts } from "./certificate-facts.js";
import { connectionContext } from "./policy-context.js";
import type { ConnectFacts, ConnectionFacts } from "./policy-context.js";

const arn = (resource: string) => `arn:aws:iot:us-east-1:123456789012:${resource}`;

function policy(statement: unknown, { name = "P", version = "2012-10-17" } = {}): CompiledPolicy {
  const document = parsePolicyDocument(JSON.stringify({ Version: version, Statement: statement }));
  return compilePolicy({ policyName: name, versionId: "1", document });
}

const certificate: CertificateFacts = {
  isCa: false,
  serialNumber: "42",
  notBeforeMs: 0,
  notAfterMs: 1,
  subject: new Map([
    ["CommonName", ["LightBulb"]],
    ["Country", ["US", "DE"]],
  ]),
  issuer: new Map([["Organization", ["IoT Devices"]]]),
  subjectAlternativeNames: new Map([["DNSName", ["example.com"]]]),
  issuerAlternativeNames: new Map(),
};

const plain: ConnectionFacts = {
  clientId: "dev-1",
  certificateId: "ab".repeat(32),
  certificate,
  thing: undefined,
  attachedThingNames: [],
  sourceIp: "10.1.2.3",
  serverName: "localhost",
  isSecure: true,
};
const attached: ConnectionFacts = {
  ...plain,
  thing: { thingName: "dev-1", thingTypeName: "lamp", attributes: { site: "north", Site: "SOUTH" } },
  attachedThingNames: ["dev-1"],
};
const nowMs = Date.UTC(2026, 5, 1);

interface Question {
  action?: string;
  resource: string;
  facts?: ConnectionFacts;
  connect?: ConnectFacts;
}

function decide(
  policies: CompiledPolicy | CompiledPolicy[],
  { action = "iot:Publish", resource, facts = plain, connect }: Question,
) {
  const context = connectionContext(facts, () => nowMs, connect);
  return evaluate([policies].flat(), { action, resource: arn(resource), context });
}

const claimPolicy = policy(
  [
    { Effect: "Allow", Action: "iot:Connect", Resource: "arn:aws:iot:*:*:client/${iot:ClientId}" },
    { Effect: "Allow", Action: "iot:Receive", Resource: "*" },
    {
      Effect: "Allow",
      Action: "iot:Subscribe",
      Resource: "arn:aws:iot:*:*:topicfilter/certificate/${iot:ClientId}/create/*",
    },
    { Effect: "Allow", Action: "iot:Publish", Resource: "arn:aws:iot:*:*:topic/certificate/${iot:ClientId}/create" },
  ],
  { name: "claim" },
);
const provisionedPolicy = policy(
  [
    {
      Effect: "Allow",
      Action: "iot:Connect",
      Resource: "arn:aws:iot:*:*:client/${iot:ClientId}",
      Condition: { Bool: { "iot:Connection.Thing.IsAttached": [true] } },
    },
    { Effect: "Allow", Action: "iot:Receive", Resource: "*" },
    { Effect: "Allow", Action: "iot:Subscribe", Resource: "arn:aws:iot:*:*:topicfilter/$aws/things/${iot:ClientId}/*" },
    { Effect: "Allow", Action: "iot:Publish", Resource: "arn:aws:iot:*:*:topic/$aws/things/${iot:ClientId}/*" },
  ],
  { name: "provisioned" },
);

const sample: [name: string, policies: CompiledPolicy, question: Question, outcome: DecisionOutcome][] = [
  [
    "the claim connects under any client id",
    claimPolicy,
    { action: "iot:Connect", resource: "client/dev-1" },
    "allowed",
  ],
  ["the claim asks for its own certificate", claimPolicy, { resource: "topic/certificate/dev-1/create" }, "allowed"],
  ["the claim may not ask for another's", claimPolicy, { resource: "topic/certificate/dev-2/create" }, "implicitDeny"],
  [
    "the claim listens to its answers",
    claimPolicy,
    { action: "iot:Subscribe", resource: "topicfilter/certificate/dev-1/create/accepted/+" },
    "allowed",
  ],
  [
    "the claim may not listen to another's answers",
    claimPolicy,
    { action: "iot:Subscribe", resource: "topicfilter/certificate/dev-2/create/accepted/+" },
    "implicitDeny",
  ],
  [
    "the claim may not listen to everything",
    claimPolicy,
    { action: "iot:Subscribe", resource: "topicfilter/#" },
    "implicitDeny",
  ],
  ["the claim receives", claimPolicy, { action: "iot:Receive", resource: "topic/anything" }, "allowed"],
  ["the claim may not publish elsewhere", claimPolicy, { resource: "topic/errors" }, "implicitDeny"],
  [
    "a provisioned device connects as its thing",
    provisionedPolicy,
    { action: "iot:Connect", resource: "client/dev-1", facts: attached },
    "allowed",
  ],
  [
    "it does not connect without its thing",
    provisionedPolicy,
    { action: "iot:Connect", resource: "client/dev-1" },
    "implicitDeny",
  ],
  [
    "it uses its shadow",
    provisionedPolicy,
    { resource: "topic/$aws/things/dev-1/shadow/update", facts: attached },
    "allowed",
  ],
  [
    "it may not use another's shadow",
    provisionedPolicy,
    { resource: "topic/$aws/things/dev-2/shadow/update", facts: attached },
    "implicitDeny",
  ],
];
for (const [name, policies, question, outcome] of sample) {
  test(`sample policies: ${name}`, () => assert.equal(decide(policies, question).outcome, outcome));
}

const allow = (resource: string | string[], more: object = {}) => ({
  Effect: "Allow",
  Action: "iot:Publish",
  Resource: [resource].flat().map((one) => (one === "*" ? one : `arn:aws:iot:*:*:${one}`)),
  ...more,
});

const traps: [name: string, statement: unknown, question: Question, outcome: DecisionOutcome][] = [
  [
    "a topicfilter with # is literal",
    { ...allow("topicfilter/a/#"), Action: "iot:Subscribe" },
    { action: "iot:Subscribe", resource: "topicfilter/a/b" },
    "implicitDeny",
  ],
  [
    "a topicfilter with * allows any filter below",
    { ...allow("topicfilter/a/*"), Action: "iot:Subscribe" },
    { action: "iot:Subscribe", resource: "topicfilter/a/#" },
    "allowed",
  ],
  [
    "Subscribe on a/# is no Receive on a/b",
    { ...allow("topicfilter/a/#"), Action: "iot:Subscribe" },
    { action: "iot:Receive", resource: "topic/a/b" },
    "implicitDeny",
  ],
  [
    "a client id + gives the literal filter",
    { ...allow("topicfilter/my/${iot:ClientId}/topic"), Action: "iot:Subscribe" },
    { action: "iot:Subscribe", resource: "topicfilter/my/+/topic", facts: { ...plain, clientId: "+" } },
    "allowed",
  ],
  [
    "a client id * is no wildcard",
    allow("topic/${iot:ClientId}"),
    { resource: "topic/x", facts: { ...plain, clientId: "*" } },
    "implicitDeny",
  ],
  ["actions have no case", { ...allow("*"), Action: "IOT:publish" }, { resource: "topic/a" }, "allowed"],
  ["actions have wildcards", { ...allow("*"), Action: "iot:P?bl*" }, { resource: "topic/a" }, "allowed"],
  [
    "NotAction allows the others",
    { Effect: "Allow", NotAction: "iot:Connect", Resource: "*" },
    { resource: "topic/a" },
    "allowed",
  ],
  [
    "NotAction does not allow the named",
    { Effect: "Allow", NotAction: "iot:Pub*", Resource: "*" },
    { resource: "topic/a" },
    "implicitDeny",
  ],
  [
    "NotResource allows the others",
    { Effect: "Allow", Action: "*", NotResource: arn("topic/secret/*") },
    { resource: "topic/a" },
    "allowed",
  ],
  [
    "NotResource does not allow the named",
    { Effect: "Allow", Action: "*", NotResource: arn("topic/secret/*") },
    { resource: "topic/secret/a" },
    "implicitDeny",
  ],
  [
    "another region does not match",
    { ...allow("*"), Resource: "arn:aws:iot:eu-west-1:*:topic/a" },
    { resource: "topic/a" },
    "implicitDeny",
  ],
  [
    "a Deny wins over an Allow before it",
    [allow("*"), { ...allow("topic/a"), Effect: "Deny" }],
    { resource: "topic/a" },
    "explicitDeny",
  ],
  [
    "a Deny wins over an Allow after it",
    [{ ...allow("topic/a"), Effect: "Deny" }, allow("*")],
    { resource: "topic/a" },
    "explicitDeny",
  ],
  [
    "a Deny elsewhere does not matter",
    [{ ...allow("topic/b"), Effect: "Deny" }, allow("*")],
    { resource: "topic/a" },
    "allowed",
  ],
  [
    "a Deny with an unresolved variable does not match",
    [{ ...allow("topic/${iot:Connection.Thing.ThingName}"), Effect: "Deny" }, allow("*")],
    { resource: "topic/dev-1" },
    "allowed",
  ],
  [
    "an unresolved variable takes the whole statement out",
    allow(["topic/${iot:Connection.Thing.ThingName}", "topic/a"]),
    { resource: "topic/a" },
    "implicitDeny",
  ],
  [
    "the thing name resolves with an association",
    allow("topic/${iot:Connection.Thing.ThingName}"),
    { resource: "topic/dev-1", facts: attached },
    "allowed",
  ],
  [
    "the thing type resolves",
    allow("topic/${iot:Connection.Thing.ThingTypeName}"),
    { resource: "topic/lamp", facts: attached },
    "allowed",
  ],
  [
    "thing attribute names have case",
    allow("topic/${iot:Connection.Thing.Attributes[Site]}"),
    { resource: "topic/SOUTH", facts: attached },
    "allowed",
  ],
  ["variables have no case", allow("topic/${IOT:clientid}"), { resource: "topic/dev-1" }, "allowed"],
  [
    "IsAttached is a variable too",
    allow("topic/${iot:Connection.Thing.IsAttached}"),
    { resource: "topic/false" },
    "allowed",
  ],
  ["the certificate id", allow("topic/${iot:CertificateId}"), { resource: `topic/${"ab".repeat(32)}` }, "allowed"],
  [
    "the certificate's subject",
    allow("topic/${iot:Certificate.Subject.CommonName}"),
    { resource: "topic/LightBulb" },
    "allowed",
  ],
  ["X.1 is the second value", allow("topic/${iot:Certificate.Subject.Country.1}"), { resource: "topic/DE" }, "allowed"],
  [
    "X.2 of two does not resolve",
    allow("topic/${iot:Certificate.Subject.Country.2}"),
    { resource: "topic/DE" },
    "implicitDeny",
  ],
  ["the issuer", allow("topic/${iot:Certificate.Issuer.Organization}"), { resource: "topic/IoT Devices" }, "allowed"],
  ["the serial number", allow("topic/${iot:Certificate.SerialNumber}"), { resource: "topic/42" }, "allowed"],
  [
    "a list key is no variable",
    allow("topic/${iot:Certificate.Subject.Country.List}"),
    { resource: "topic/US" },
    "implicitDeny",
  ],
  [
    "an alternative name",
    allow("topic/${iot:Certificate.Subject.AlternativeName.DNSName}"),
    { resource: "topic/example.com" },
    "allowed",
  ],
];
for (const [name, statement, question, outcome] of traps) {
  test(`trap: ${name}`, () => assert.equal(decide(policy(statement), question).outcome, outcome));
}

test("in a document of Version 2008-10-17 a variable is plain text", () => {
  const old = policy(allow("topic/${iot:ClientId}"), { version: "2008-10-17" });
  assert.equal(decide(old, { resource: "topic/dev-1" }).outcome, "implicitDeny");
});

const connectWith = (...attributes: ConnectFacts["attributes"]): ConnectFacts => ({
  attributes,
  lastWillTopicArn: attributes.includes("LastWill") ? arn("topic/will/dev-1") : undefined,
});
const conditions: [condition: object, question: Partial<Question>, isMet: boolean][] = [
  [{ Bool: { "iot:Connection.Thing.IsAttached": ["true"] } }, { facts: attached }, true],
  [{ Bool: { "iot:Connection.Thing.IsAttached": true } }, {}, false],
  [{ Bool: { "iot:Connection.Thing.IsAttached": "FALSE" } }, {}, true],
  [{ StringEquals: { "iot:ClientId": ["x", "dev-1"] } }, {}, true],
  [{ StringEquals: { "iot:ClientId": "DEV-1" } }, {}, false],
  [{ StringEquals: { "iot:ClientId": "dev-*" } }, {}, false],
  [{ StringEqualsIgnoreCase: { "iot:ClientId": "DEV-1" } }, {}, true],
  [{ StringNotEquals: { "iot:ClientId": ["x", "dev-1"] } }, {}, false],
  [{ StringNotEquals: { "iot:ClientId": ["x", "y"] } }, {}, true],
  [{ StringNotEqualsIgnoreCase: { "iot:ClientId": "DEV-1" } }, {}, false],
  [{ StringLike: { "iot:ClientId": "dev-?" } }, {}, true],
  [{ StringNotLike: { "iot:ClientId": "dev-*" } }, {}, false],
  [{ StringLike: { "iot:ClientId": "${iot:Certificate.Subject.CommonName}*" } }, {}, false],
  [{ StringEquals: { "iot:ClientId": "${iot:Connection.Thing.ThingName}" } }, { facts: attached }, true],
  [{ StringEquals: { "iot:ClientId": "${iot:Connection.Thing.ThingName}" } }, {}, false],
  [{ StringNotEquals: { "iot:ClientId": "${iot:Connection.Thing.ThingName}" } }, {}, false],
  [{ StringEquals: { "iot:Connection.Thing.ThingTypeName": "lamp" } }, {}, false],
  [{ StringEqualsIfExists: { "iot:Connection.Thing.ThingTypeName": "lamp" } }, {}, true],
  [{ StringNotEquals: { "iot:Connection.Thing.ThingTypeName": "lamp" } }, {}, true],
  [{ Null: { "iot:Connection.Thing.ThingName": "true" } }, {}, true],
  [{ Null: { "iot:Connection.Thing.ThingName": true } }, { facts: attached }, false],
  [{ Null: { "iot:Connection.Thing.ThingName": "false" } }, { facts: attached }, true],
  [{ IpAddress: { "aws:SourceIp": ["192.168.0.0/16", "10.0.0.0/8"] } }, {}, true],
  [{ NotIpAddress: { "aws:SourceIp": "10.0.0.0/8" } }, {}, false],
  [{ IpAddress: { "aws:SourceIp": "10.1.2.0/23" } }, { facts: { ...plain, sourceIp: "::ffff:10.1.3.9" } }, true],
  [{ IpAddress: { "aws:SourceIp": "2001:db8::/32" } }, { facts: { ...plain, sourceIp: "2001:db8:1::9" } }, true],
  [{ IpAddress: { "aws:SourceIp": "::1" } }, { facts: { ...plain, sourceIp: "127.0.0.1" } }, false],
  [{ DateGreaterThan: { "aws:CurrentTime": "2026-01-01T00:00:00Z" } }, {}, true],
  [{ DateLessThan: { "aws:CurrentTime": "2026-01-01" } }, {}, false],
  [{ NumericGreaterThanEquals: { "aws:EpochTime": 1_767_225_600 } }, {}, true],
  [{ NumericEquals: { "iot:Certificate.SerialNumber": "42.0" } }, {}, true],
  [{ NumericLessThan: { "iot:ClientId": "5" } }, {}, false],
  [{ BinaryEquals: { "iot:Connection.Thing.Attributes[site]": "nort" } }, { facts: attached }, false],
  [
    { "ForAllValues:StringEquals": { "iot:ConnectAttributes": ["PersistentConnect"] } },
    { connect: connectWith() },
    true,
  ],
  [
    { "ForAllValues:StringEquals": { "iot:ConnectAttributes": ["PersistentConnect"] } },
    { connect: connectWith("PersistentConnect", "LastWill") },
    false,
  ],
  [
    { "ForAnyValue:StringEquals": { "iot:ConnectAttributes": ["LastWill"] } },
    { connect: connectWith("PersistentConnect", "LastWill") },
    true,
  ],
  [{ "ForAnyValue:StringEquals": { "iot:ConnectAttributes": ["LastWill"] } }, { connect: connectWith() }, false],
  [
    { ArnEquals: { "iot:LastWillTopic": "arn:aws:iot:*:*:topic/will/${iot:ClientId}" } },
    { connect: connectWith("LastWill") },
    true,
  ],
  [{ ArnLike: { "iot:LastWillTopic": "arn:aws:*:topic/will/*" } }, { connect: connectWith("LastWill") }, false],
  [{ ArnNotLike: { "iot:LastWillTopic": "arn:aws:iot:*:*:topic/*" } }, { connect: connectWith("LastWill") }, false],
  [{ "ForAnyValue:StringEquals": { "iot:Certificate.Subject.Country.List": "DE" } }, {}, true],
  [{ "ForAllValues:StringEquals": { "iot:Certificate.Subject.Country.List": "DE" } }, {}, false],
  [{ "ForAnyValue:StringEquals": { "iot:Certificate.AvailableKeys": "iot:Certificate.Subject.CommonName" } }, {}, true],
  [{ StringEquals: { "iot:ClientId": "dev-1" }, Bool: { "aws:SecureTransport": "false" } }, {}, false],
  [{ StringEquals: { "iot:ClientId": "dev-1", "iot:DomainName": "localhost" } }, {}, true],
  [{ StringEquals: { "iot:DomainName": "localhost" } }, { facts: { ...plain, serverName: "LocalHost" } }, true],
];
for (const [condition, question, isMet] of conditions) {
  test(`condition ${JSON.stringify(condition)} is ${isMet ? "" : "not "}met`, () => {
    const decision = decide(policy(allow("*", { Condition: condition })), { resource: "topic/a", ...question });
    assert.equal(decision.isAllowed, isMet, decision.explanation);
  });
}

const explanations: [name: string, policies: CompiledPolicy[], question: Question, text: string][] = [
  [
    "an allow",
    [claimPolicy],
    { resource: "topic/certificate/dev-1/create" },
    "statement 4 of policy claim version 1 allows iot:Publish on arn:aws:iot:*:*:topic/certificate/${iot:ClientId}/create (here arn:aws:iot:*:*:topic/certificate/dev-1/create)",
  ],
  [
    "a deny with its Sid",
    [policy({ ...allow("topic/a"), Effect: "Deny", Sid: "NoA" })],
    { resource: "topic/a" },
    'statement 1 ("NoA") of policy P version 1 denies iot:Publish on arn:aws:iot:*:*:topic/a',
  ],
  [
    "the nearest resource",
    [claimPolicy],
    { resource: "topic/certificate/dev-2/create" },
    `no statement allows iot:Publish on ${arn("topic/certificate/dev-2/create")}: statement 4 of policy claim version 1 allows iot:Publish on arn:aws:iot:*:*:topic/certificate/\${iot:ClientId}/create (here arn:aws:iot:*:*:topic/certificate/dev-1/create), which does not match ${arn("topic/certificate/dev-2/create")}`,
  ],
  [
    "a condition",
    [provisionedPolicy],
    { action: "iot:Connect", resource: "client/dev-1" },
    `no statement allows iot:Connect on ${arn("client/dev-1")}: statement 1 of policy provisioned version 1 allows it, but its condition Bool iot:Connection.Thing.IsAttached true was not met: it is false (the certificate is attached to no thing named like the client id dev-1; it is attached to no thing)`,
  ],
  [
    "a variable",
    [policy(allow("topic/${iot:Connection.Thing.ThingName}"))],
    { resource: "topic/a", facts: { ...plain, attachedThingNames: ["t-9"] } },
    `no statement allows iot:Publish on ${arn("topic/a")}: statement 1 of policy P version 1 allows iot:Publish on arn:aws:iot:*:*:topic/\${iot:Connection.Thing.ThingName}, but \${iot:Connection.Thing.ThingName} has no value: the certificate is attached to no thing named like the client id dev-1; it is attached to other things only (t-9)`,
  ],
  [
    "no policy",
    [],
    { resource: "topic/a" },
    `no statement allows iot:Publish on ${arn("topic/a")}: no policy is attached to the principal`,
  ],
  [
    "another action only",
    [policy({ ...allow("*"), Action: ["iot:Connect", "iot:Receive"] })],
    { resource: "topic/a" },
    `no statement allows iot:Publish on ${arn("topic/a")}: the attached policy (P version 1) allows iot:Connect, iot:Receive only`,
  ],
];
for (const [name, policies, question, text] of explanations) {
  test(`the explanation names ${name}`, () => assert.equal(decide(policies, question).explanation, text));
}
