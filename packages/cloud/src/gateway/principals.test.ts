import assert from "node:assert/strict";
import { test } from "node:test";
import { arnOf, registryKeys } from "../services/registry/model.js";
import { createMemoryStore } from "../store/memory.js";
import type { StoreValue } from "../store/store.js";
import type { ConnectionOrigin } from "./gateway.js";
import { createPrincipals } from "./principals.js";

const scope = { account: "123456789012", region: "us-east-1" };
const certificateId = "ab".repeat(32);
const target = arnOf.certificate(scope, certificateId);
const origin: ConnectionOrigin = {
  certificateId,
  facts: {
    isCa: false,
    serialNumber: "1",
    notBeforeMs: 0,
    notAfterMs: 1_000,
    subject: new Map(),
    issuer: new Map(),
    subjectAlternativeNames: new Map(),
    issuerAlternativeNames: new Map(),
  },
  sourceIp: "127.0.0.1",
  serverName: "localhost",
};
const request = { clientId: "dev-1", wantsPersistentSession: false, will: undefined };
const connectIfAttached = JSON.stringify({
  Version: "2012-10-17",
  Statement: {
    Effect: "Allow",
    Action: "iot:Connect",
    Resource: "*",
    Condition: { Bool: { "iot:Connection.Thing.IsAttached": true } },
  },
});

async function registry({
  status = "ACTIVE",
  policyDocument = connectIfAttached,
  thingName = "dev-1",
  exclusive = false,
}) {
  const store = createMemoryStore();
  const put = (key: readonly (string | number)[], value: StoreValue) => store.commit([{ key, value }]);
  await put(registryKeys.certificate(scope, certificateId), { certificateId, status });
  await put(registryKeys.policy(scope, "P"), { policyName: "P", defaultVersionId: "2", nextVersion: 3 });
  await put(registryKeys.policyVersion(scope, "P", "2"), { versionId: "2", policyDocument });
  await put(registryKeys.policyOfTarget(scope, target, "P"), {});
  await put(registryKeys.thing(scope, thingName), { thingName, attributes: { site: "north" } });
  const thingPrincipalType = exclusive ? "EXCLUSIVE_THING" : "NON_EXCLUSIVE_THING";
  await put(registryKeys.thingOfPrincipal(scope, target, thingName), { thingPrincipalType });
  return { store, principals: createPrincipals({ store, scope, unixMs: () => 500 }) };
}

test("a certificate connects as the thing that it is attached to", async () => {
  const { principals } = await registry({});
  const { decision, authorizer } = await principals.authorizeConnect(origin, request);
  assert.equal(decision.isAllowed, true, decision.explanation);
  assert.match(decision.explanation, /^statement 1 of policy P version 2 allows iot:Connect/);
  assert.equal(authorizer.thingName, "dev-1");
});

test("one in mode SNI_ONLY connects only where the server's name was sent, each time", async () => {
  const { principals, store } = await registry({});
  const { serverName: _, ...rest } = origin;
  const nameless = { ...rest, serverName: undefined };
  const decide = async (from: ConnectionOrigin) => (await principals.authorizeConnect(from, request)).decision;
  assert.equal((await decide(nameless)).isAllowed, true, "another one may leave it out");
  const record = { certificateId, status: "ACTIVE", certificateMode: "SNI_ONLY" };
  await store.commit([{ key: registryKeys.certificate(scope, certificateId), value: record }]);
  assert.equal((await decide(origin)).isAllowed, true);
  const { isAllowed, explanation } = await decide(nameless);
  assert.equal(isAllowed, false);
  assert.match(explanation, /mode SNI_ONLY, .*\(SNI\).* by a host name, not by an IP address$/);
});

test("under another client id it is attached to nothing, and the explanation names the thing", async () => {
  const { principals } = await registry({ thingName: "other" });
  const { decision } = await principals.authorizeConnect(origin, request);
  assert.equal(decision.isAllowed, false);
  assert.match(
    decision.explanation,
    /attached to no thing named like the client id dev-1; .*other things only \(other\)/,
  );
});

test("an exclusive thing is associated under any client id", async () => {
  const { principals } = await registry({ thingName: "other", exclusive: true });
  const { decision, authorizer } = await principals.authorizeConnect(origin, request);
  assert.equal(decision.isAllowed, true, decision.explanation);
  assert.deepEqual([authorizer.thingName, authorizer.isExclusiveThing], ["other", true]);
});

test("a policy of a group of the thing speaks for it, and the explanation names the group", async () => {
  const { principals, store } = await registry({});
  const deny = JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Action: "iot:Publish", Resource: "*:topic/up" },
      { Sid: "Quiet", Effect: "Deny", Action: "iot:Publish", Resource: "*:topic/down" },
    ],
  });
  const put = (key: readonly (string | number)[], value: StoreValue) => store.commit([{ key, value }]);
  const group = arnOf.thingGroup(scope, "fleet");
  await put(registryKeys.policy(scope, "G"), { policyName: "G", defaultVersionId: "1", nextVersion: 2 });
  await put(registryKeys.policyVersion(scope, "G", "1"), { versionId: "1", policyDocument: deny });
  await put(registryKeys.policyOfTarget(scope, group, "G"), {});
  await put(registryKeys.policyOfTarget(scope, group, "P"), {});
  const above = { thingGroupName: "fleet", thingGroupId: "1" };
  const north = { thingGroupName: "north", thingGroupId: "2", ancestors: [above], attributes: {} };
  await put(registryKeys.thingGroup(scope, "north"), north);
  const before = (await principals.authorizeConnect(origin, request)).authorizer;
  assert.match(before.authorize("iot:Publish", "topic/up").explanation, /no statement allows iot:Publish/);
  const groups = [{ thingGroupName: "north", thingGroupId: "2", membershipId: "3" }];
  await put(registryKeys.thing(scope, "dev-1"), { thingName: "dev-1", attributes: {}, groups });
  const { authorizer } = await principals.authorizeConnect(origin, request);
  const up = authorizer.authorize("iot:Publish", "topic/up");
  assert.equal(up.isAllowed, true);
  assert.match(up.explanation, /^statement 1 of policy G version 1 of thing group fleet allows iot:Publish/);
  const down = authorizer.authorize("iot:Publish", "topic/down");
  assert.match(down.explanation, /^statement 2 \("Quiet"\) of policy G version 1 of thing group fleet denies/);
  const other = authorizer.authorize("iot:Subscribe", "topicfilter/x");
  assert.match(other.explanation, /the attached policies \(P version 2, G version 1 of thing group fleet\) allow/);

  // Another group of its name is another group.
  await put(registryKeys.thingGroup(scope, "north"), { ...north, thingGroupId: "4" });
  const after = (await principals.authorizeConnect(origin, request)).authorizer;
  assert.equal(after.authorize("iot:Publish", "topic/up").isAllowed, false);
});

test("a thing without groups costs a connection no read more", async () => {
  const { principals, store } = await registry({});
  let reads = 0;
  const get = store.get.bind(store);
  const list = store.list.bind(store);
  store.get = (key) => {
    reads++;
    return get(key);
  };
  store.list = (prefix, options) => {
    reads++;
    return list(prefix, options);
  };
  await principals.authorizeConnect(origin, request);
  // Certificate, its policies, the policy and its version, the attachment, the thing.
  assert.equal(reads, 6);
});

test("the type of the thing speaks in policies, and says what its messages get", async () => {
  const policyDocument = JSON.stringify({
    Version: "2012-10-17",
    Statement: { Effect: "Allow", Action: "iot:Publish", Resource: "*:topic/${iot:Connection.Thing.ThingTypeName}" },
  });
  const { principals, store } = await registry({ policyDocument, thingName: "other", exclusive: true });
  const untyped = (await principals.authorizeConnect(origin, request)).authorizer;
  assert.equal(untyped.enrichment, undefined);
  assert.equal(untyped.authorize("iot:Publish", "topic/pump").isAllowed, false);
  const propagatingAttributes = [
    { userPropertyKey: "where", thingAttribute: "site" },
    { userPropertyKey: "who", connectionAttribute: "iot:Thing.ThingName" },
    { userPropertyKey: "as", connectionAttribute: "iot:ClientId" },
  ];
  const thing = { thingName: "other", attributes: { site: "north" }, thingTypeName: "pump" };
  await store.commit([
    { key: registryKeys.thing(scope, "other"), value: thing },
    { key: registryKeys.thingType(scope, "pump"), value: { thingTypeName: "pump", propagatingAttributes } },
  ]);
  const { authorizer } = await principals.authorizeConnect(origin, request);
  assert.equal(authorizer.authorize("iot:Publish", "topic/pump").isAllowed, true);
  assert.deepEqual(authorizer.enrichment, [
    ["where", "north"],
    ["who", "other"],
    ["as", "dev-1"],
  ]);
});

test("a certificate that was deactivated between its handshake and its CONNECT is refused", async () => {
  const { principals } = await registry({ status: "INACTIVE" });
  const { decision } = await principals.authorizeConnect(origin, request);
  assert.deepEqual(decision, { isAllowed: false, explanation: `certificate ${certificateId} is INACTIVE` });
});

test("a certificate that was deleted, or has expired meanwhile, is refused", async () => {
  const { principals, store } = await registry({});
  const late = createPrincipals({ store, scope, unixMs: () => 1_001 });
  assert.match((await late.authorizeConnect(origin, request)).decision.explanation, /has expired/);
  await store.commit([{ key: registryKeys.certificate(scope, certificateId), delete: true }]);
  assert.match((await principals.authorizeConnect(origin, request)).decision.explanation, /no longer registered/);
  assert.equal(await principals.findStatus(certificateId), undefined);
});

test("a policy version that cannot be read denies everything", async () => {
  const { principals } = await registry({ policyDocument: "{" });
  const { decision } = await principals.authorizeConnect(origin, request);
  assert.match(decision.explanation, /^statement 1 \("Malformed"\) of policy P version 2 denies/);
});

test("a certificate that is registered in another region is found there", async () => {
  const { principals, store } = await registry({});
  const other = "cd".repeat(32);
  for (const region of ["eu-central-1", "eu-west-1"])
    await store.commit([{ key: registryKeys.thing({ ...scope, region }, "x"), value: {} }]);
  await store.commit([
    { key: registryKeys.certificate({ ...scope, region: "eu-west-1" }, other), value: { status: "ACTIVE" } },
  ]);
  assert.equal(await principals.findStatus(other), undefined);
  assert.equal(await principals.findElsewhere(other), "account 123456789012, region eu-west-1");
  assert.equal(await principals.findElsewhere("ef".repeat(32)), undefined);
});
