import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, type ErrorCode } from "@thingline/protocol";
import type { Store } from "../../store/store.js";
import { openOperationRunner, type EffectRunner } from "../runner.js";
import { openServiceWorld, scope, type ServiceWorld } from "../world.test.support.js";
import { findCertificate } from "./model.js";
import { loadPrincipal } from "./principal.js";

const policyDocument = JSON.stringify({
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Action: "iot:Connect", Resource: "*" }],
});

const fails = (code: ErrorCode, message?: RegExp) => (error: unknown) =>
  isThinglineError(error, code) && (message === undefined || message.test(error.message));

const createCertificate = ({ run, registry }: ServiceWorld, setAsActive = true) =>
  run(registry.createKeysAndCertificate, { setAsActive });

test("a thing is created once, again with the same attributes, and not with others", async () => {
  const { run, registry } = await openServiceWorld();
  const attributePayload = { attributes: { site: "north", empty: "" } };
  const first = await run(registry.createThing, { thingName: "pump-7", attributePayload });
  assert.equal(first.thingArn, "arn:aws:iot:us-east-1:123456789012:thing/pump-7");
  const again = await run(registry.createThing, {
    thingName: "pump-7",
    attributePayload: { attributes: { site: "north" } },
  });
  assert.deepEqual(again, first);
  await assert.rejects(run(registry.createThing, { thingName: "pump-7" }), (error) => {
    assert.ok(isThinglineError(error, "RESOURCE_EXISTS"));
    assert.deepEqual(error.details, { resourceId: first.thingId, resourceArn: first.thingArn });
    return true;
  });
  const described = await run(registry.describeThing, { thingName: "pump-7" });
  assert.deepEqual(described, {
    defaultClientId: "pump-7",
    ...first,
    attributes: { site: "north" },
    version: 1,
  });
});

test("wrong members are all reported, in the words of AWS", async () => {
  const { run, registry } = await openServiceWorld();
  await assert.rejects(
    run(registry.createThing, { thingName: "pump 7" }),
    fails(
      "REQUEST_INVALID",
      /^1 validation error detected: Value 'pump 7' at 'thingName' failed to satisfy constraint: Member must satisfy regular expression pattern: \[a-zA-Z0-9:_-\]\+$/,
    ),
  );
  const attributePayload = { attributes: { "bad name": "bad value" } };
  await assert.rejects(
    run(registry.createThing, { thingName: "x".repeat(129), attributePayload }),
    fails(
      "REQUEST_INVALID",
      /^3 validation errors detected: .*less than or equal to 128; .*'attributePayload\.attributes/,
    ),
  );
  const untyped = { thingName: undefined, attributePayload: [] } as unknown as { thingName: string };
  await assert.rejects(
    run(registry.createThing, untyped),
    fails("REQUEST_INVALID", /Value null at 'thingName'.*Member must be a structure/),
  );
  const attributes = Object.fromEntries(["a", "b", "c", "d"].map((name) => [name, "1"]));
  await assert.rejects(
    run(registry.createThing, { thingName: "t", attributePayload: { attributes } }),
    fails("REQUEST_INVALID", /3 attributes, got 4/),
  );
  await assert.rejects(
    run(registry.createThing, { thingName: "t", thingTypeName: "pump" }),
    fails("RESOURCE_NOT_FOUND"),
  );
});

test("an update merges or replaces attributes, counts versions and honours the expected one", async () => {
  const { run, registry } = await openServiceWorld();
  const thingName = "t";
  await run(registry.createThing, { thingName, attributePayload: { attributes: { a: "1", b: "2" } } });
  const update = (attributes: Record<string, string>, merge: boolean, expectedVersion?: number) =>
    run(registry.updateThing, {
      thingName,
      attributePayload: { attributes, merge },
      ...(expectedVersion !== undefined && { expectedVersion }),
    });
  const attributesNow = async () => (await run(registry.describeThing, { thingName })).attributes;
  await update({ b: "", c: "3" }, true, 1);
  assert.deepEqual(await attributesNow(), { a: "1", c: "3" });
  await update({ d: "4" }, false);
  assert.deepEqual(await attributesNow(), { d: "4" });
  await assert.rejects(
    update({}, true, 1),
    fails("VERSION_CONFLICT", /^The version for thing t does not match the expected version\.$/),
  );
  assert.equal((await run(registry.describeThing, { thingName })).version, 3);
  await assert.rejects(
    run(registry.updateThing, { thingName, thingTypeName: "x", removeThingType: true }),
    fails("REQUEST_INVALID", /cannot be given together/),
  );
  await assert.rejects(run(registry.updateThing, { thingName: "none" }), fails("RESOURCE_NOT_FOUND"));
});

test("a thing is deleted when nothing is attached; an unknown one counts as deleted", async () => {
  const world = await openServiceWorld();
  const { run, registry } = world;
  const { certificateArn: principal } = await createCertificate(world);
  await run(registry.createThing, { thingName: "t" });
  await run(registry.attachThingPrincipal, { thingName: "t", principal });
  await assert.rejects(
    run(registry.deleteThing, { thingName: "t" }),
    fails("REQUEST_INVALID", /^Cannot delete\. Thing t is still attached to one or more principals$/),
  );
  await run(registry.detachThingPrincipal, { thingName: "t", principal });
  await assert.rejects(run(registry.deleteThing, { thingName: "t", expectedVersion: 9 }), fails("VERSION_CONFLICT"));
  await run(registry.deleteThing, { thingName: "t", expectedVersion: 1 });
  await run(registry.deleteThing, { thingName: "t" });
  await assert.rejects(run(registry.describeThing, { thingName: "t" }), fails("RESOURCE_NOT_FOUND"));
});

test("a page token is one of its own list, spelled as it was given", async () => {
  const { run, registry } = await openServiceWorld();
  for (const name of ["a", "b", "c"]) {
    await run(registry.createThing, { thingName: name });
    await run(registry.createPolicy, { policyName: name, policyDocument });
  }
  const { nextToken: things = "" } = await run(registry.listThings, { maxResults: 1 });
  const { nextMarker: policies = "" } = await run(registry.listPolicies, { pageSize: 1 });
  assert.equal((await run(registry.listThings, { nextToken: things })).things.length, 2);
  assert.equal((await run(registry.listPolicies, { marker: policies })).policies.length, 2);
  await assert.rejects(run(registry.listPolicies, { marker: things }), fails("REQUEST_INVALID"));
  const spelled = [` ${things}`, `${things}\n`, things.slice(0, -4), things + things, things.slice(0, -1)];
  for (const nextToken of [policies, ...spelled]) {
    await assert.rejects(run(registry.listThings, { nextToken }), fails("REQUEST_INVALID"), nextToken);
  }
});

test("things are listed page by page, filtered by attribute", async () => {
  const { run, registry } = await openServiceWorld();
  for (let index = 0; index < 30; index++) {
    const attributes = { site: index % 3 === 0 ? "north-1" : "south" };
    await run(registry.createThing, {
      thingName: `t${String(index).padStart(2, "0")}`,
      attributePayload: { attributes },
    });
  }
  const first = await run(registry.listThings, {});
  assert.equal(first.things.length, 25);
  assert.match(first.nextToken ?? "", /^[A-Za-z0-9+/]+={0,2}$/);
  const second = await run(registry.listThings, { nextToken: first.nextToken ?? "" });
  assert.deepEqual(
    second.things.map(({ thingName }) => thingName),
    ["t25", "t26", "t27", "t28", "t29"],
  );
  assert.equal(second.nextToken, undefined);
  const north = await run(registry.listThings, { attributeName: "site", attributeValue: "north-1", maxResults: 10 });
  assert.equal(north.things.length, 10);
  assert.equal(north.nextToken, undefined, "exactly one page is the last page");
  const filter = { attributeName: "site", attributeValue: "north", usePrefixAttributeValue: true, maxResults: 4 };
  const page = await run(registry.listThings, filter);
  const rest = await run(registry.listThings, { ...filter, maxResults: 9, nextToken: page.nextToken ?? "" });
  assert.deepEqual([page.things.length, rest.things.length], [4, 6]);
  assert.equal((await run(registry.listThings, { attributeName: "site", attributeValue: "north" })).things.length, 0);
  const forged = ["[]x", "{}", '[{"a":1}]', "[1e999]", '["\\ud800"]', JSON.stringify(["x".repeat(2_500)])];
  for (const nextToken of ["x", ...forged.map((text) => btoa(text))]) {
    await assert.rejects(run(registry.listThings, { nextToken }), fails("REQUEST_INVALID"));
  }
  await assert.rejects(
    run(registry.listThings, { maxResults: 251 }),
    fails("REQUEST_INVALID", /less than or equal to 250/),
  );
});

test("keys and certificate come together; the certificate can be found, described, and says where it came from", async () => {
  const world = await openServiceWorld();
  const { run, registry, store, clock } = world;
  const made = await createCertificate(world, false);
  assert.match(made.keyPair.PrivateKey, /^-----BEGIN RSA PRIVATE KEY-----/);
  const { certificateDescription } = await run(registry.describeCertificate, made);
  assert.equal(certificateDescription.status, "INACTIVE");
  assert.equal(certificateDescription.certificatePem, made.certificatePem);
  assert.equal(certificateDescription.creationDate, clock.unixMs() / 1000);
  assert.equal(certificateDescription.validity.notAfter, Date.UTC(2049, 11, 31, 23, 59, 59) / 1000);
  const record = await findCertificate(store, scope, made.certificateId);
  assert.deepEqual(record?.origin, { source: "CreateKeysAndCertificate", atMs: clock.unixMs() });
  assert.equal(await findCertificate(store, scope, "0".repeat(64)), undefined);
});

test("a certificate changes its status, and its connections are looked at again", async () => {
  const world = await openServiceWorld();
  const { run, registry, takeEffects } = world;
  const { certificateId } = await createCertificate(world);
  assert.deepEqual(await takeEffects(), []);
  await run(registry.updateCertificate, { certificateId, newStatus: "INACTIVE" });
  assert.deepEqual(await takeEffects(), [{ type: "recheckPrincipal", certificateId }]);
  await run(registry.updateCertificate, { certificateId, newStatus: "INACTIVE" });
  assert.deepEqual(await takeEffects(), []);
  await assert.rejects(
    run(registry.updateCertificate, { certificateId, newStatus: "PENDING_ACTIVATION" }),
    fails("CERTIFICATE_STATE_INVALID"),
  );
  await assert.rejects(
    run(registry.updateCertificate, { certificateId: "a".repeat(64), newStatus: "ACTIVE" }),
    fails("RESOURCE_NOT_FOUND"),
  );
});

test("a certificate is deleted when it is inactive and free, or by force when only policies are attached", async () => {
  const world = await openServiceWorld();
  const { run, registry, takeEffects, store } = world;
  const { certificateId, certificateArn } = await createCertificate(world);
  await run(registry.createThing, { thingName: "t" });
  await run(registry.createPolicy, { policyName: "p", policyDocument });
  await run(registry.attachThingPrincipal, { thingName: "t", principal: certificateArn });
  await run(registry.attachPolicy, { policyName: "p", target: certificateArn });
  const remove = (forceDelete = false) => run(registry.deleteCertificate, { certificateId, forceDelete });
  await assert.rejects(remove(true), fails("CERTIFICATE_STATE_INVALID"));
  await run(registry.updateCertificate, { certificateId, newStatus: "INACTIVE" });
  await assert.rejects(remove(true), fails("DELETE_CONFLICT", /Things must be detached/));
  await run(registry.detachThingPrincipal, { thingName: "t", principal: certificateArn });
  await assert.rejects(remove(), fails("DELETE_CONFLICT", /policies must be detached/));
  await takeEffects();
  await remove(true);
  assert.deepEqual(await takeEffects(), [{ type: "recheckPrincipal", certificateId }]);
  await run(registry.deletePolicy, { policyName: "p" });
  await run(registry.deleteThing, { thingName: "t" });
  assert.deepEqual(
    (await store.list([], { limit: 99 })).map(({ key }) => key),
    [],
    "nothing is left in the store",
  );
});

test("a certificate is registered without a CA once, and what is none is refused", async () => {
  const world = await openServiceWorld();
  const other = await openServiceWorld();
  const { certificatePem, certificateId } = await createCertificate(other);
  const { run, registry } = world;
  const register = (pem: string, status: "ACTIVE" | "PENDING_ACTIVATION" = "ACTIVE") =>
    run(registry.registerCertificateWithoutCa, { certificatePem: pem, status });
  await assert.rejects(
    register(certificatePem, "PENDING_ACTIVATION"),
    fails("CERTIFICATE_STATE_INVALID", /^Not allowed to register certificate with PENDING_ACTIVATION status$/),
  );
  assert.equal((await register(certificatePem)).certificateId, certificateId);
  const { certificateDescription } = await run(registry.describeCertificate, { certificateId });
  assert.equal(certificateDescription.status, "ACTIVE");
  assert.equal(certificateDescription.certificateMode, "SNI_ONLY");
  await assert.rejects(register(certificatePem), fails("RESOURCE_EXISTS"));
  await assert.rejects(register("no certificate"), fails("CERTIFICATE_INVALID"));
});

test("certificates and policies are listed newest first, or oldest first when asked", async () => {
  const world = await openServiceWorld();
  const { run, registry, clock } = world;
  const ids: string[] = [];
  for (const name of ["c", "a", "b"]) {
    ids.push((await createCertificate(world)).certificateId);
    await run(registry.createPolicy, { policyName: name, policyDocument });
    await clock.advance(1_000);
  }
  const listed = async (ascendingOrder: boolean, marker?: string) =>
    run(registry.listCertificates, { ascendingOrder, pageSize: 2, ...(marker !== undefined && { marker }) });
  const newest = await listed(false);
  assert.deepEqual(
    newest.certificates.map(({ certificateId }) => certificateId),
    [ids[2], ids[1]],
  );
  const last = await listed(false, newest.nextMarker);
  assert.deepEqual(
    last.certificates.map(({ certificateId }) => certificateId),
    [ids[0]],
  );
  assert.equal(last.nextMarker, undefined);
  assert.deepEqual(
    (await listed(true)).certificates.map(({ certificateId }) => certificateId),
    [ids[0], ids[1]],
  );
  const names = async (ascendingOrder: boolean) =>
    (await run(registry.listPolicies, { ascendingOrder })).policies.map(({ policyName }) => policyName);
  assert.deepEqual(await names(true), ["c", "a", "b"]);
  assert.deepEqual(await names(false), ["b", "a", "c"]);
});

test("a policy has at most five versions, whose numbers never come back", async () => {
  const { run, registry } = await openServiceWorld();
  const policyName = "p";
  const created = await run(registry.createPolicy, { policyName, policyDocument });
  assert.equal(created.policyVersionId, "1");
  await assert.rejects(
    run(registry.createPolicy, { policyName, policyDocument }),
    fails("RESOURCE_EXISTS", /^Policy cannot be created - name already exists \(name=p\)$/),
  );
  await assert.rejects(
    run(registry.createPolicy, { policyName: "q", policyDocument: "{}" }),
    fails("POLICY_MALFORMED"),
  );
  for (const expected of ["2", "3", "4", "5"]) {
    const version = await run(registry.createPolicyVersion, { policyName, policyDocument });
    assert.deepEqual([version.policyVersionId, version.isDefaultVersion], [expected, false]);
  }
  await assert.rejects(
    run(registry.createPolicyVersion, { policyName, policyDocument }),
    fails("VERSIONS_LIMIT_EXCEEDED", /^The policy p already has the maximum number of versions \(5\)$/),
  );
  assert.equal((await run(registry.getPolicy, { policyName })).defaultVersionId, "1");
  await assert.rejects(
    run(registry.deletePolicyVersion, { policyName, policyVersionId: "1" }),
    fails("REQUEST_INVALID", /Cannot delete the default version of a policy/),
  );
  await run(registry.deletePolicyVersion, { policyName, policyVersionId: "5" });
  const sixth = await run(registry.createPolicyVersion, { policyName, policyDocument, setAsDefault: true });
  assert.deepEqual([sixth.policyVersionId, sixth.isDefaultVersion], ["6", true]);
  await assert.rejects(
    run(registry.deletePolicy, { policyName }),
    fails("DELETE_CONFLICT", /policy versions attached/),
  );
  const { policyVersions } = await run(registry.listPolicyVersions, { policyName });
  assert.deepEqual(
    policyVersions.map(({ versionId, isDefaultVersion }) => [versionId, isDefaultVersion]),
    [
      ["1", false],
      ["2", false],
      ["3", false],
      ["4", false],
      ["6", true],
    ],
  );
  await run(registry.setDefaultPolicyVersion, { policyName, policyVersionId: "2" });
  assert.equal((await run(registry.getPolicyVersion, { policyName, policyVersionId: "2" })).isDefaultVersion, true);
  await assert.rejects(
    run(registry.setDefaultPolicyVersion, { policyName, policyVersionId: "5" }),
    fails("RESOURCE_NOT_FOUND"),
  );
  for (const policyVersionId of ["1", "3", "4", "6"])
    await run(registry.deletePolicyVersion, { policyName, policyVersionId });
  await run(registry.deletePolicy, { policyName });
  await assert.rejects(run(registry.getPolicy, { policyName }), fails("RESOURCE_NOT_FOUND"));
});

test("policies are attached once, ten at most, and every change concerns the connections of the certificate", async () => {
  const world = await openServiceWorld();
  const { run, registry, takeEffects } = world;
  const { certificateArn: target, certificateId } = await createCertificate(world);
  const recheck = [{ type: "recheckPrincipal", certificateId }];
  for (let index = 0; index < 11; index++)
    await run(registry.createPolicy, { policyName: `p${index}`, policyDocument });
  assert.deepEqual(await takeEffects(), []);
  await run(registry.attachPolicy, { policyName: "p0", target });
  assert.deepEqual(await takeEffects(), recheck);
  await run(registry.attachPolicy, { policyName: "p0", target });
  assert.deepEqual(await takeEffects(), [], "attached again is no change");
  await run(registry.createPolicyVersion, { policyName: "p0", policyDocument });
  assert.deepEqual(await takeEffects(), []);
  await run(registry.setDefaultPolicyVersion, { policyName: "p0", policyVersionId: "2" });
  assert.deepEqual(await takeEffects(), recheck);
  await Promise.all(
    Array.from({ length: 9 }, (_, index) => run(registry.attachPolicy, { policyName: `p${index + 1}`, target })),
  );
  await assert.rejects(run(registry.attachPolicy, { policyName: "p10", target }), fails("QUOTA_EXCEEDED"));
  await assert.rejects(
    run(registry.deletePolicy, { policyName: "p1" }),
    fails("DELETE_CONFLICT", /one or more principals/),
  );
  const { policies } = await run(registry.listAttachedPolicies, { target });
  assert.equal(policies.length, 10);
  assert.deepEqual((await run(registry.listTargetsForPolicy, { policyName: "p1" })).targets, [target]);
  await takeEffects();
  await run(registry.detachPolicy, { policyName: "p1", target });
  assert.deepEqual(await takeEffects(), recheck);
  await run(registry.detachPolicy, { policyName: "p1", target });
  await run(registry.deletePolicy, { policyName: "p1" });
  await assert.rejects(run(registry.attachPolicy, { policyName: "none", target }), fails("RESOURCE_NOT_FOUND"));
  await assert.rejects(run(registry.attachPolicy, { policyName: "p2", target: "pump" }), fails("REQUEST_INVALID"));
  const elsewhere = target.replace("us-east-1", "eu-west-1");
  await assert.rejects(run(registry.attachPolicy, { policyName: "p2", target: elsewhere }), fails("REQUEST_INVALID"));
});

test("nothing is attached to what is deleted between the look and the commit", async () => {
  type Step = "attachPolicy" | "attachThing" | "deletePolicy" | "deleteCertificate" | "deleteThing";
  const pairs: [Step, Step][] = [
    ["attachPolicy", "deletePolicy"],
    ["attachPolicy", "deleteCertificate"],
    ["attachThing", "deleteThing"],
    ["attachThing", "deleteCertificate"],
  ];
  for (const [first, second] of [...pairs, ...pairs.map(([a, b]): [Step, Step] => [b, a])]) {
    const world = await openServiceWorld();
    const { registry, store, run } = world;
    const { certificateArn: arn, certificateId } = await createCertificate(world, false);
    await run(registry.createThing, { thingName: "t" });
    await run(registry.createPolicy, { policyName: "p", policyDocument });
    const perform = (step: Step, runner: EffectRunner): Promise<unknown> => {
      switch (step) {
        case "attachPolicy":
          return runner.run(scope, registry.attachPolicy, { policyName: "p", target: arn });
        case "attachThing":
          return runner.run(scope, registry.attachThingPrincipal, { thingName: "t", principal: arn });
        case "deletePolicy":
          return runner.run(scope, registry.deletePolicy, { policyName: "p" });
        case "deleteCertificate":
          return runner.run(scope, registry.deleteCertificate, { certificateId });
        case "deleteThing":
          return runner.run(scope, registry.deleteThing, { thingName: "t" });
      }
    };
    // The second step happens when the first has decided and is about to commit.
    let isFirstCommit = true;
    const interrupted: Store = {
      get: (key) => store.get(key),
      list: (prefix, options) => store.list(prefix, options),
      commit: async (operations) => {
        if (isFirstCommit) {
          isFirstCommit = false;
          await perform(second, world.runner);
        }
        return store.commit(operations);
      },
      close: () => store.close(),
    };
    const runner = await openOperationRunner({ ...world, store: interrupted });
    await assert.rejects(perform(first, runner), `${first} interrupted by ${second}`);
    const count = async (kind: string) => (await store.list([scope.account, scope.region, kind], { limit: 9 })).length;
    const message = `${first} interrupted by ${second}`;
    const attachments = [await count("policyOfTarget"), await count("targetOfPolicy")];
    if (attachments[0] !== 0) assert.deepEqual([await count("policy"), await count("certificate")], [1, 1], message);
    assert.equal(attachments[0], attachments[1], message);
    if ((await count("thingOfPrincipal")) !== 0) {
      assert.deepEqual([await count("thing"), await count("certificate")], [1, 1], message);
    }
  }
});

test("a principal has a thing when names agree, or when it is attached exclusively", async () => {
  const world = await openServiceWorld();
  const { run, registry, store, takeEffects } = world;
  const { certificateArn: principal, certificateId } = await createCertificate(world);
  for (const thingName of ["a", "b"]) {
    await run(registry.createThing, { thingName, attributePayload: { attributes: { name: thingName } } });
  }
  await run(registry.createPolicy, { policyName: "p", policyDocument });
  await run(registry.attachPolicy, { policyName: "p", target: principal });
  const thingFor = async (clientId: string) => (await loadPrincipal(store, scope, { certificateId, clientId }))?.thing;
  assert.equal(await thingFor("a"), undefined);
  await run(registry.attachThingPrincipal, { thingName: "a", principal });
  const a = { thingName: "a", thingTypeName: undefined, attributes: { name: "a" } };
  assert.deepEqual(await thingFor("a"), { ...a, isExclusive: false });
  assert.equal(await thingFor("other"), undefined);
  await run(registry.attachThingPrincipal, { thingName: "a", principal, thingPrincipalType: "EXCLUSIVE_THING" });
  assert.deepEqual(await thingFor("other"), { ...a, isExclusive: true });
  await assert.rejects(
    run(registry.attachThingPrincipal, { thingName: "b", principal }),
    fails("REQUEST_INVALID", /exclusively/),
  );
  await run(registry.attachThingPrincipal, { thingName: "a", principal });
  await run(registry.attachThingPrincipal, { thingName: "b", principal });
  await assert.rejects(
    run(registry.attachThingPrincipal, { thingName: "b", principal, thingPrincipalType: "EXCLUSIVE_THING" }),
    fails("REQUEST_INVALID"),
  );
  await takeEffects();
  await run(registry.updateThing, { thingName: "b", attributePayload: { attributes: { name: "B" } } });
  assert.deepEqual(await takeEffects(), [{ type: "recheckPrincipal", certificateId }]);
  assert.deepEqual((await run(registry.listPrincipalThings, { principal })).things, ["a", "b"]);
  assert.deepEqual((await run(registry.listThingPrincipals, { thingName: "b" })).principals, [principal]);
  const v2 = await run(registry.listThingPrincipalsV2, { thingName: "b", thingPrincipalType: "EXCLUSIVE_THING" });
  assert.deepEqual(v2.thingPrincipalObjects, []);
  const loaded = await loadPrincipal(store, scope, { certificateId, clientId: "b" });
  assert.deepEqual(loaded?.policies, [{ policyName: "p", versionId: "1", document: policyDocument }]);
  assert.equal(await loadPrincipal(store, scope, { certificateId: "0".repeat(64), clientId: "b" }), undefined);
});

test("accounts and regions do not see each other", async () => {
  const { runner, registry } = await openServiceWorld();
  const elsewhere = { ...scope, region: "eu-west-1" };
  await runner.run(scope, registry.createThing, { thingName: "t" });
  assert.deepEqual(await runner.run(elsewhere, registry.listThings, {}), { things: [] });
});

test("an endpoint is told by its type", async () => {
  const { run, registry } = await openServiceWorld();
  assert.deepEqual(await run(registry.describeEndpoint, { endpointType: "iot:Data-ATS" }), {
    endpointAddress: "localhost:8883",
  });
  await assert.rejects(run(registry.describeEndpoint, { endpointType: "iot:None" }), fails("REQUEST_INVALID"));
  await assert.rejects(run(registry.describeEndpoint, {}), /Unknown endpoint type: iot:Data$/);
});
