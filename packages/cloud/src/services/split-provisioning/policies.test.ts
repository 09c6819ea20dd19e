import assert from "node:assert/strict";
import { test } from "node:test";
import { thingPolicyDocument } from "../../issue.js";
import type { BrokerAction, ConnectRequest } from "../../policy/authorizer.js";
import { parsePolicyDocument } from "../../policy/document.js";
import { compilePolicy } from "../../policy/evaluate.js";
import { assertLegalOnAws, lintPolicy } from "../../policy/policy-lint.test.support.js";
import { PrincipalAuthorizer } from "../../policy/principal-authorizer.js";
import {
  claimPolicyDocument,
  fleetClaimPolicyDocument,
  originalClaimPolicyDocument,
  originalProvisionedPolicyDocument,
  provisionedPolicyDocument,
} from "./policies.js";

function holder(document: string, clientId: string, thingName?: string) {
  const authorizer = new PrincipalAuthorizer({
    ...{ account: "123456789012", region: "us-east-1", unixMs: () => 0 },
    policies: [compilePolicy({ policyName: "P", versionId: "1", document: parsePolicyDocument(document) })],
    facts: {
      clientId,
      certificateId: "ab".repeat(32),
      certificate: undefined,
      thing: thingName === undefined ? undefined : { thingName, thingTypeName: undefined, attributes: {} },
      attachedThingNames: thingName === undefined ? [] : [thingName],
      sourceIp: "127.0.0.1",
      serverName: undefined,
      isSecure: true,
    },
  });
  const asked: ConnectRequest = { clientId, wantsPersistentSession: false, will: undefined };
  return {
    connects: (more: Partial<ConnectRequest> = {}) => authorizer.authorizeConnect({ ...asked, ...more }).isAllowed,
    may: (action: BrokerAction, resource: string) => authorizer.authorize(action, resource).isAllowed,
  };
}

test("every policy that is generated is one that AWS takes", () => {
  const generated = {
    claimPolicyDocument,
    provisionedPolicyDocument,
    originalClaimPolicyDocument,
    originalProvisionedPolicyDocument,
    thingPolicyDocument,
    fleetClaimPolicyDocument: fleetClaimPolicyDocument("t".repeat(36)),
  };
  for (const [name, document] of Object.entries(generated)) assertLegalOnAws(name, document);
});

test("what AWS does not take is found", () => {
  const statement = { Effect: "Allow", Action: "iot:Publish", Resource: "arn:aws:iot:*:*:topic/a" };
  const faulty: [string, object][] = [
    ["too long", { ...statement, Resource: `arn:aws:iot:*:*:topic/${"x".repeat(2_048)}` }],
    ["an unknown action", { ...statement, Action: "iot:Fly" }],
    ["a resource of another kind", { ...statement, Resource: "arn:aws:iot:*:*:topicfilter/a" }],
    ["a variable that there is not", { ...statement, Resource: "arn:aws:iot:*:*:topic/${iot:DeviceId}" }],
    ["a wildcard of MQTT", { ...statement, Resource: "arn:aws:iot:*:*:topic/a/#" }],
    ["a Sid with a hyphen", { ...statement, Sid: "a-b" }],
  ];
  for (const [name, each] of faulty) {
    assert.notDeepEqual(lintPolicy(JSON.stringify({ Version: "2012-10-17", Statement: [each] })), [], name);
  }
  assert.notDeepEqual(lintPolicy(JSON.stringify({ Version: "2008-10-17", Statement: [statement] })), []);
});

test("a claim connects as a claim, leaves nothing behind, and asks and hears for itself alone", () => {
  const { connects, may } = holder(claimPolicyDocument, "claim-pump-7");
  assert.ok(connects());
  assert.ok(!connects({ wantsPersistentSession: true }));
  assert.ok(!connects({ will: { topic: "certificate/claim-pump-7/create", isRetained: false } }));
  for (const other of ["pump-7", "+", "#", "", "claim", "Claim-pump-7", "x-claim-pump-7"]) {
    assert.ok(!holder(claimPolicyDocument, other).connects(), other);
  }
  const create = "certificate/claim-pump-7/create";
  for (const allowed of [create, "certificate/claim-pump-7/create-from-csr"]) {
    assert.ok(may("iot:Publish", `topic/${allowed}`));
  }
  for (const answer of ["accepted/key", "accepted/cert", "rejected"]) {
    assert.ok(may("iot:Subscribe", `topicfilter/${create}/${answer}`), answer);
    assert.ok(may("iot:Receive", `topic/${create}/${answer}`), answer);
    assert.ok(!may("iot:Publish", `topic/${create}/${answer}`), "no answer of one's own making");
  }
  assert.ok(may("iot:Subscribe", `topicfilter/${create}/accepted/+`));
  const others = [
    "certificate/claim-pump-8/create/accepted/key",
    "certificate/pump-7/create/accepted/key",
    "a",
    "$aws/x",
  ];
  for (const topic of [...others, "certificate/+/create/accepted/+", "#", "$share/g/#"]) {
    assert.ok(!may("iot:Subscribe", `topicfilter/${topic}`), topic);
    assert.ok(!may("iot:Receive", `topic/${topic}`), topic);
    assert.ok(!may("iot:Publish", `topic/${topic}`), topic);
  }
  assert.ok(!may("iot:RetainPublish", `topic/${create}`));
});

test("a client id with wildcards in it opens nothing under the claim's policy, and everything under the original's", () => {
  const all = "topicfilter/certificate/+/create/accepted/+";
  assert.ok(holder(originalClaimPolicyDocument, "+").connects());
  assert.ok(holder(originalClaimPolicyDocument, "+").may("iot:Subscribe", all));
  assert.ok(
    holder(originalClaimPolicyDocument, "+").may("iot:Receive", "topic/certificate/pump-7/create/accepted/key"),
  );
  for (const clientId of ["claim-+", "claim-#", "claim-*", "claim-?", "claim-a/+/b"]) {
    const { may } = holder(claimPolicyDocument, clientId);
    assert.ok(!may("iot:Subscribe", all), clientId);
    assert.ok(!may("iot:Receive", "topic/certificate/claim-pump-7/create/accepted/key"), clientId);
  }
});

test("a provisioned device is its thing, hears its own topics, and may ask for its next certificate", () => {
  const { connects, may } = holder(provisionedPolicyDocument, "pump-7", "pump-7");
  assert.ok(connects({ wantsPersistentSession: true }));
  assert.ok(!holder(provisionedPolicyDocument, "pump-8", "pump-7").connects(), "under another name");
  assert.ok(!holder(provisionedPolicyDocument, "pump-7").connects(), "without its thing");
  for (const topic of ["$aws/things/pump-7/shadow/update", "certificate/pump-7/create"]) {
    assert.ok(may("iot:Publish", `topic/${topic}`), topic);
  }
  for (const topic of ["$aws/things/pump-7/jobs/notify", "certificate/pump-7/create/accepted/cert"]) {
    assert.ok(may("iot:Subscribe", `topicfilter/${topic}`), topic);
    assert.ok(may("iot:Receive", `topic/${topic}`), topic);
  }
  for (const topic of ["$aws/things/pump-8/shadow/update", "certificate/pump-8/create", "a", "#", "$aws/events/#"]) {
    assert.ok(!may("iot:Publish", `topic/${topic}`), topic);
    assert.ok(!may("iot:Subscribe", `topicfilter/${topic}`), topic);
    assert.ok(!may("iot:Receive", `topic/${topic}`), topic);
  }
});

test("a thing that is made connects as itself and as tools beside it, and never under the name of another thing", () => {
  for (const clientId of ["pump", "pump.sub"])
    assert.ok(holder(thingPolicyDocument, clientId, "pump").connects(), clientId);
  for (const clientId of ["pump-7", "pumps", "claim-pump", "pump:1"]) {
    assert.ok(!holder(thingPolicyDocument, clientId, "pump").connects(), clientId);
  }
  assert.ok(!holder(thingPolicyDocument, "claim-7", "claim").connects());
  const { may } = holder(thingPolicyDocument, "pump", "pump");
  assert.ok(may("iot:Receive", "topic/pump/hello") && may("iot:Subscribe", "topicfilter/$aws/things/pump/#"));
  assert.ok(!may("iot:Receive", "topic/pump-7/hello") && !may("iot:Subscribe", "topicfilter/#"));
});

test("a claim of fleet provisioning asks by its one template, and cannot answer others", () => {
  const { connects, may } = holder(fleetClaimPolicyDocument("line"), "claim-7");
  assert.ok(connects({ wantsPersistentSession: true }), "device SDKs connect so");
  assert.ok(!holder(fleetClaimPolicyDocument("line"), "pump-7").connects());
  const topics = ["$aws/certificates/create", "$aws/certificates/create-from-csr"];
  for (const topic of [...topics, "$aws/provisioning-templates/line/provision"]) {
    for (const format of ["json", "cbor"]) {
      assert.ok(may("iot:Publish", `topic/${topic}/${format}`));
      assert.ok(may("iot:Subscribe", `topicfilter/${topic}/${format}/accepted`));
      assert.ok(may("iot:Receive", `topic/${topic}/${format}/rejected`));
      assert.ok(!may("iot:Publish", `topic/${topic}/${format}/accepted`));
    }
  }
  assert.ok(!may("iot:Publish", "topic/$aws/provisioning-templates/other/provision/json"));
  assert.ok(!may("iot:Receive", "topic/$aws/things/pump-7/shadow/update/delta"));
});
