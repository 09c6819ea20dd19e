import assert from "node:assert/strict";
import { test } from "node:test";
import type { BrokerAction } from "./authorizer.js";
import { parsePolicyDocument } from "./document.js";
import { compilePolicy } from "./evaluate.js";
import { decisionCacheEntriesMax, PrincipalAuthorizer } from "./principal-authorizer.js";
import type { ConnectionFacts } from "./policy-context.js";

const facts: ConnectionFacts = {
  clientId: "dev-1",
  certificateId: "ab".repeat(32),
  certificate: undefined,
  thing: { thingName: "dev-1", thingTypeName: undefined, attributes: {} },
  attachedThingNames: ["dev-1"],
  sourceIp: "127.0.0.1",
  serverName: undefined,
  isSecure: true,
};

function policies(...statements: unknown[]) {
  const document = parsePolicyDocument(JSON.stringify({ Version: "2012-10-17", Statement: statements }));
  return [compilePolicy({ policyName: "P", versionId: "1", document })];
}

function authorizer(statements: unknown[], unixMs = () => 0) {
  return new PrincipalAuthorizer({
    account: "123456789012",
    region: "us-east-1",
    unixMs,
    policies: policies(...statements),
    facts,
  });
}

const on = (action: BrokerAction, resource: string, more: object = {}) => ({
  Effect: "Allow",
  Action: action,
  Resource: `arn:aws:iot:*:*:${resource}`,
  ...more,
});
const connect = on("iot:Connect", "client/*");
const plainConnect = { clientId: "dev-1", wantsPersistentSession: false, will: undefined };
const will = { topic: "will/dev-1", isRetained: false };

test("an Allow on iot:Connect without condition permits persistent sessions and wills", () => {
  const subject = authorizer([connect, on("iot:Publish", "topic/will/*")]);
  assert.equal(subject.authorizeConnect({ ...plainConnect, wantsPersistentSession: true, will }).isAllowed, true);
});

test("a last will needs iot:Publish on its topic", () => {
  const decision = authorizer([connect]).authorizeConnect({ ...plainConnect, will });
  assert.equal(decision.isAllowed, false);
  assert.match(
    decision.explanation,
    /^the last will is refused: no statement allows iot:Publish on .*topic\/will\/dev-1/,
  );
});

test("a retained last will needs iot:RetainPublish as well", () => {
  const statements = [connect, on("iot:Publish", "topic/will/*")];
  const request = { ...plainConnect, will: { ...will, isRetained: true } };
  assert.equal(authorizer(statements).authorizeConnect(request).isAllowed, false);
  const both = [...statements, on("iot:RetainPublish", "topic/will/*")];
  assert.equal(authorizer(both).authorizeConnect(request).isAllowed, true);
});

test("iot:ConnectAttributes limits what a CONNECT may ask for", () => {
  const Condition = { "ForAllValues:StringEquals": { "iot:ConnectAttributes": ["PersistentConnect"] } };
  const subject = authorizer([on("iot:Connect", "client/*", { Condition }), on("iot:Publish", "topic/*")]);
  assert.equal(subject.authorizeConnect(plainConnect).isAllowed, true);
  assert.equal(subject.authorizeConnect({ ...plainConnect, wantsPersistentSession: true }).isAllowed, true);
  const refused = subject.authorizeConnect({ ...plainConnect, will });
  assert.equal(refused.isAllowed, false);
  assert.match(refused.explanation, /it is LastWill/);
});

test("a decision is taken once for each topic, and again after an update", () => {
  const subject = authorizer([on("iot:Publish", "topic/a")]);
  const first = subject.authorize("iot:Publish", "topic/a");
  assert.equal(subject.authorize("iot:Publish", "topic/a"), first);
  assert.equal(subject.generation, 0);
  subject.update({ policies: policies(on("iot:Publish", "topic/b")), facts });
  assert.equal(subject.generation, 1);
  assert.equal(subject.authorize("iot:Publish", "topic/a").isAllowed, false);
});

test("the cache is bounded, and gives up one decision for a new one", () => {
  const subject = authorizer([on("iot:Publish", "topic/*")]);
  const [first, second] = [0, 1].map((index) => subject.authorize("iot:Publish", `topic/${index}`));
  for (let index = 2; index < decisionCacheEntriesMax; index++) subject.authorize("iot:Publish", `topic/${index}`);
  assert.equal(subject.authorize("iot:Publish", "topic/0"), first);
  subject.authorize("iot:Publish", "topic/one-more");
  const again = subject.authorize("iot:Publish", "topic/1");
  assert.notEqual(again, second);
  assert.equal(again.isAllowed, true);
  assert.equal(subject.authorize("iot:Publish", "topic/0"), first, "what is asked for again stays");
});

test("Receive on * is one decision for every topic, unless a Deny can apply", () => {
  const subject = authorizer([{ Effect: "Allow", Action: "iot:Receive", Resource: "*" }]);
  assert.equal(subject.authorize("iot:Receive", "topic/a"), subject.authorize("iot:Receive", "topic/b"));
  const denying = authorizer([
    { Effect: "Allow", Action: "iot:*", Resource: "*" },
    on("iot:Receive", "topic/secret", { Effect: "Deny" }),
  ]);
  assert.equal(denying.authorize("iot:Receive", "topic/a").isAllowed, true);
  assert.equal(denying.authorize("iot:Receive", "topic/secret").isAllowed, false);
});

test("a decision that depends on the time is not kept", () => {
  let nowMs = Date.UTC(2026, 0, 1);
  const Condition = { DateLessThan: { "aws:CurrentTime": "2026-06-01T00:00:00Z" } };
  const subject = authorizer([on("iot:Publish", "topic/a", { Condition })], () => nowMs);
  assert.equal(subject.authorize("iot:Publish", "topic/a").isAllowed, true);
  const { generation } = subject;
  nowMs = Date.UTC(2026, 7, 1);
  assert.ok(subject.generation > generation, "others must not keep it either");
  assert.equal(subject.authorize("iot:Publish", "topic/a").isAllowed, false);
});
