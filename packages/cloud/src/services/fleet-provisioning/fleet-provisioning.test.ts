import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { test } from "node:test";
import { ThinglineError, type JsonValue } from "@thingline/protocol";
import {
  decodeCreateKeysAndCertificateAnswer,
  decodeFleetProvisioningRejection,
  encodeRegisterThingRequest,
  fleetProvisioningMessageBytesMax,
} from "@thingline/protocol/fleet-provisioning";
import { createCertificateRequest } from "@thingline/protocol/x509";
import { findCertificate } from "../registry/model.js";
import { loadPrincipal } from "../registry/principal.js";
import { scope } from "../world.test.support.js";
import {
  addTemplate,
  claimCertificateId,
  hookArn,
  openFleetWorld,
  templateBody,
  templateName,
  type FleetWorld,
} from "./fleet-world.test.support.js";
import { answerExpirySeconds } from "./asker.js";
import { hookTimeoutMs, readAnswer } from "./hook.js";
import {
  ownershipTokenLifetimeMs,
  pendingCertificatesMax,
  pendingCertificatesPerClaimMax,
  pendingKeys,
  pendingOfClientMax,
} from "./pending-model.js";
import { awsProvisioningRates } from "./throttle.js";

const statusOf = async (world: FleetWorld, id: string) => (await findCertificate(world.store, scope, id))?.status;
const tokenRefusal = (errorMessage: string) => ({
  ...{ statusCode: 400, errorCode: "InvalidCertificateOwnershipToken", errorMessage },
});

for (const format of ["json", "cbor"] as const) {
  test(`in ${format}, a claim gets a key and a certificate, and registers the thing that its template says`, async () => {
    const world = await openFleetWorld();
    await addTemplate(world);
    const { publish } = await world.ask("createKeysAndCertificate", new Uint8Array(), { format });
    assert.deepEqual([publish.qos, publish.properties], [1, { messageExpirySeconds: answerExpirySeconds }]);
    const created = decodeCreateKeysAndCertificateAnswer(publish.payload, format);
    const certificate = new X509Certificate(created.certificatePem);
    assert.ok(certificate.checkPrivateKey(createPrivateKey(created.privateKey)));
    assert.equal(certificate.fingerprint256.replaceAll(":", "").toLowerCase(), created.certificateId);
    assert.match(created.certificateOwnershipToken, /^[\w-]{256}$/);
    const record = await findCertificate(world.store, scope, created.certificateId);
    assert.deepEqual(
      [record?.status, record?.origin],
      [
        "PENDING_ACTIVATION",
        { source: "fleet-provisioning", atMs: record?.createdAtMs, clientId: "pump-7", claimCertificateId },
      ],
    );
    assert.deepEqual(await world.register(created.certificateOwnershipToken, undefined, { format }), {
      thingName: "pump-7",
      deviceConfiguration: { FallbackUrl: "https://example.com/", Serial: "7" },
    });
    const principal = await loadPrincipal(world.store, scope, { ...created, clientId: "pump-7" });
    assert.deepEqual(
      [principal?.certificate.status, principal?.thing?.thingName, principal?.policies.map((each) => each.policyName)],
      ["ACTIVE", "pump-7", ["device"]],
    );
    assert.ok(world.logged.includes("fleetProvisioned"));
    // What was registered stays when its token ends.
    await world.clock.advance(ownershipTokenLifetimeMs + 1_000);
    assert.equal(await statusOf(world, created.certificateId), "ACTIVE");
    const left = (await world.store.list([], { limit: 999 })).map(({ key }) => key[2]);
    assert.ok(!left.includes("ownershipToken") && !left.includes("pendingOfClient"), String(left));
  });
}

test("a template gives the thing its type and its billing group, and says when there is none", async () => {
  const world = await openFleetWorld();
  const template = JSON.parse(templateBody) as { Resources: { thing: { Properties: object } } };
  Object.assign(template.Resources.thing.Properties, { ThingTypeName: "pump", BillingGroup: "north" });
  await addTemplate(world, { body: JSON.stringify(template) });
  const { certificateOwnershipToken } = await world.createKeys();
  const { errorMessage } = await world.refusedRegister(certificateOwnershipToken);
  assert.match(errorMessage, /Billing group north not found/);
  const { run, registry } = world;
  await run(registry.createThingType, { thingTypeName: "pump" });
  await run(registry.createBillingGroup, { billingGroupName: "north" });
  await world.takePublishes();
  assert.equal((await world.register(certificateOwnershipToken)).thingName, "pump-7");
  const { thingTypeName, billingGroupName } = await run(registry.describeThing, { thingName: "pump-7" });
  assert.deepEqual([thingTypeName, billingGroupName], ["pump", "north"]);
});

test("a request for a key that the device keeps is signed, and an invalid one is refused", async () => {
  const world = await openFleetWorld();
  await addTemplate(world);
  const { privateKeyPem } = await world.keys.generate("ec-p256");
  const { pem } = await createCertificateRequest({
    subject: [["CN", "pump-7"]],
    publicKey: world.keys.publicKeyOf(privateKeyPem),
    sign: (data) => world.keys.sign(privateKeyPem, data),
  });
  const signed = await world.createFromCsr(pem);
  assert.ok(!("privateKey" in signed));
  const certificate = new X509Certificate(signed.certificatePem);
  assert.ok(certificate.checkPrivateKey(createPrivateKey(privateKeyPem)));
  assert.equal((await world.register(signed.certificateOwnershipToken)).thingName, "pump-7");
  const again = await openFleetWorld({
    signRequest: async () => ({ issued: { ...signed, notBeforeMs: 0, notAfterMs: 1 }, signer: {} }),
  });
  await again.createFromCsr(pem);
  const twice = await again.ask(
    "createCertificateFromCsr",
    new TextEncoder().encode(JSON.stringify({ certificateSigningRequest: pem })),
  );
  assert.deepEqual([twice.rejection?.statusCode, twice.rejection?.errorCode], [400, "InvalidRequest"]);
  const request = new TextEncoder().encode(JSON.stringify({ certificateSigningRequest: "x" }));
  const { rejection } = await world.ask("createCertificateFromCsr", request);
  assert.deepEqual([rejection?.statusCode, rejection?.errorCode], [400, "InvalidCSR"]);
});

test("a certificate provider that fails may be asked again, and why it failed is for the log alone", async () => {
  const failure = new ThinglineError("CERTIFICATE_PROVIDER_FAILED", "the provider did not sign: no database");
  const world = await openFleetWorld({ signRequest: () => Promise.reject(failure) });
  const request = new TextEncoder().encode(JSON.stringify({ certificateSigningRequest: "x" }));
  const { rejection } = await world.ask("createCertificateFromCsr", request);
  assert.deepEqual([rejection?.statusCode, rejection?.errorCode], [500, "InternalFailure"]);
  assert.ok(!rejection?.errorMessage.includes("database"));
  assert.ok(world.logged.includes("requestNotSigned"));
});

test("a defect is told without details, and thrown for the log", async () => {
  const world = await openFleetWorld({ signRequest: () => Promise.reject(new Error("secret reason")) });
  const request = new TextEncoder().encode(JSON.stringify({ certificateSigningRequest: "x" }));
  await assert.rejects(world.request("createCertificateFromCsr", request), /secret reason/);
  const [publish] = await world.takePublishes();
  const { statusCode, errorMessage } = decodeFleetProvisioningRejection(publish?.payload ?? new Uint8Array(), "json");
  assert.deepEqual([statusCode, errorMessage], [500, "Internal failure"]);
});

test("what is no request is refused in AWS's words, in the format of its topic", async () => {
  const world = await openFleetWorld();
  for (const format of ["json", "cbor"] as const) {
    for (const operation of ["createCertificateFromCsr", "registerThing", "createKeysAndCertificate"] as const) {
      const { rejection, publish } = await world.ask(operation, Uint8Array.of(0x5b), { format });
      assert.ok(publish.topic.endsWith(`/${format}/rejected`));
      assert.deepEqual(rejection, {
        ...{ statusCode: 400, errorCode: "InvalidPayload", errorMessage: "Message cannot be parsed" },
      });
    }
  }
  assert.deepEqual(await world.refusedRegister(""), tokenRefusal("Certificate ownership token cannot be empty."));
  assert.deepEqual(await world.certificates(), []);
  assert.equal(world.logged.filter((event) => event === "fleetProvisioningRejected").length, 7);
});

test("a token is good for one registration, which may be asked for again as it was", async () => {
  const world = await openFleetWorld();
  await addTemplate(world);
  const { certificateOwnershipToken: token, certificateId } = await world.createKeys();
  const first = await world.register(token);
  const before = await world.store.list([], { limit: 999 });
  assert.deepEqual(await world.register(token), first);
  assert.deepEqual(await world.register(token, undefined, { format: "cbor" }), first);
  const used = tokenRefusal("Certificate ownership token has been used already.");
  assert.deepEqual(await world.refusedRegister(token, { SerialNumber: "8" }), used);
  assert.deepEqual(await world.refusedRegister(token, undefined, { templateName: "other" }), used);
  const rows = (entries: typeof before) => entries.map(({ key, revision }) => JSON.stringify([key, revision])).sort();
  assert.deepEqual(rows(await world.store.list([], { limit: 999 })), rows(before), "nothing was written");
  await world.run(world.registry.updateCertificate, { certificateId, newStatus: "REVOKED" });
  await world.run(world.registry.detachThingPrincipal, {
    thingName: "pump-7",
    principal: `arn:aws:iot:us-east-1:123456789012:cert/${certificateId}`,
  });
  await world.run(world.registry.deleteCertificate, { certificateId, forceDelete: true });
  const gone = tokenRefusal("The certificate of the ownership token does not exist.");
  assert.deepEqual(await world.refusedRegister(token), gone);
});

test("a token is of no use to another", async () => {
  const world = await openFleetWorld();
  await addTemplate(world);
  const { certificateOwnershipToken: token } = await world.createKeys();
  const invalid = tokenRefusal("Certificate ownership token is invalid.");
  assert.deepEqual(await world.refusedRegister(token, undefined, { certificateId: "d".repeat(64) }), invalid);
  assert.deepEqual(await world.refusedRegister(token, undefined, { certificateId: null }), invalid);
  assert.deepEqual(await world.refusedRegister(`${token}x`), invalid);
  // The same claim, as another client: AWS is not known to look at the client id.
  assert.equal((await world.register(token, undefined, { clientId: "other" })).thingName, "pump-7");
  const anonymous = await world.createKeys({ certificateId: null });
  const of = { certificateId: null, clientId: "other" };
  assert.deepEqual(await world.refusedRegister(anonymous.certificateOwnershipToken, undefined, of), invalid);
  await world.register(anonymous.certificateOwnershipToken, { SerialNumber: "9" }, { certificateId: null });
});

test("two that use a token at once get one thing, and two that ask for different things with it get one of them", async () => {
  const world = await openFleetWorld();
  await addTemplate(world);
  for (const [serials, answers] of [
    [
      ["1", "1"],
      ["accepted", "accepted"],
    ],
    [
      ["2", "3"],
      ["accepted", "rejected"],
    ],
  ] as const) {
    const { certificateOwnershipToken } = await world.createKeys();
    const requests = serials.map((SerialNumber, at) => {
      const request = { certificateOwnershipToken, parameters: { SerialNumber } };
      return world.request("registerThing", encodeRegisterThingRequest(request, "json"), { clientId: `c${at}` });
    });
    await Promise.all(requests);
    const topics = (await world.takePublishes()).map(({ topic }) => topic.split("/").at(-1));
    assert.deepEqual(topics.sort(), answers);
  }
  const { things } = await world.run(world.registry.listThings, {});
  assert.equal(things.length, 2);
  assert.equal(world.logged.filter((event) => event === "fleetProvisioned").length, 2);
  assert.equal((await world.store.get(pendingKeys.count(scope)))?.value, 0);
});

test("after an hour a token is over, and a certificate that nobody registered or activated is deleted, also after a kill", async () => {
  const world = await openFleetWorld();
  await addTemplate(world);
  const [left, activated] = [await world.createKeys(), await world.createKeys()];
  await world.run(world.registry.updateCertificate, { certificateId: activated.certificateId, newStatus: "ACTIVE" });
  await world.restart();
  await world.clock.advance(ownershipTokenLifetimeMs - 1_000);
  assert.equal(await statusOf(world, left.certificateId), "PENDING_ACTIVATION");
  await world.clock.advance(1_000);
  await world.runner.idle();
  assert.equal(await statusOf(world, left.certificateId), undefined);
  assert.equal(await statusOf(world, activated.certificateId), "ACTIVE");
  assert.equal(world.logged.filter((event) => event === "unregisteredCertificateDeleted").length, 1);
  const invalid = tokenRefusal("Certificate ownership token is invalid.");
  assert.deepEqual(await world.refusedRegister(left.certificateOwnershipToken), invalid);
  assert.equal((await world.store.get(pendingKeys.count(scope)))?.value, 0);
});

test("a client has so many certificates that wait, all of them together so many, and one more is refused or takes a place", async () => {
  const world = await openFleetWorld();
  await addTemplate(world);
  const created = [];
  for (let count = 0; count <= pendingOfClientMax; count++) created.push(await world.createKeys());
  const ids = (await world.certificates()).map(({ certificateId }) => certificateId).sort();
  assert.deepEqual(
    ids,
    created
      .slice(1)
      .map(({ certificateId }) => certificateId)
      .sort(),
  );
  assert.equal((await world.store.get(pendingKeys.count(scope)))?.value, pendingOfClientMax);
  const [first, second] = created;
  assert.equal(
    (await world.refusedRegister(first!.certificateOwnershipToken)).errorCode,
    "InvalidCertificateOwnershipToken",
  );
  await world.register(second!.certificateOwnershipToken);
  assert.equal((await world.store.get(pendingKeys.count(scope)))?.value, pendingOfClientMax - 1);
  await world.store.commit([{ key: pendingKeys.count(scope), value: pendingCertificatesMax - 1 }]);
  await world.createKeys({ clientId: "other" });
  const { rejection } = await world.ask("createKeysAndCertificate", new Uint8Array(), { clientId: "more" });
  assert.deepEqual([rejection?.statusCode, rejection?.errorCode], [429, "ThrottlingException"]);
});

test("a template that is unknown, disabled or of another type provisions nobody, and neither does one that lacks something", async () => {
  const world = await openFleetWorld();
  const { certificateOwnershipToken: token, certificateId } = await world.createKeys();
  const refusal = async (parameters?: Record<string, string>) => {
    const { statusCode, errorCode, errorMessage } = await world.refusedRegister(token, parameters);
    return [statusCode, errorCode, errorMessage];
  };
  const unknown = [404, "ResourceNotFound", "The provisioning template does not exist"];
  assert.deepEqual(await refusal(), unknown);
  const { operations } = world.service;
  await addTemplate(world, { enabled: false });
  assert.deepEqual(await refusal(), [400, "InvalidRequest", "The provisioning template is disabled"]);
  await world.run(operations.updateProvisioningTemplate, { templateName, enabled: true });
  assert.deepEqual(await refusal({}), [400, "InvalidParameters", "Cannot resolve reference value: SerialNumber"]);
  const [, errorCode, errorMessage] = await refusal({ SerialNumber: "a b" });
  assert.deepEqual(errorCode, "InvalidParameters");
  assert.match(String(errorMessage), /^Resources\.thing\.Properties\.ThingName/);
  await world.run(world.registry.deletePolicy, { policyName: "device" });
  assert.match(String((await refusal())[2]), /^Resources\.policy.*device/);
  assert.equal(await statusOf(world, certificateId), "PENDING_ACTIVATION");
  const things = await world.run(world.registry.listThings, {});
  assert.deepEqual(things.things, [], "all or nothing");
  await world.run(world.registry.createPolicy, { policyName: "device", policyDocument: '{"Statement":[]}' });
  assert.equal((await world.register(token)).thingName, "pump-7", "what was refused may be asked for again");
  await world.run(operations.deleteProvisioningTemplate, { templateName });
  const other = await world.createKeys();
  assert.equal((await world.refusedRegister(other.certificateOwnershipToken)).errorCode, "ResourceNotFound");
});

test("the hook of a template gets AWS's event, and its overrides take the place of parameters", async () => {
  const events: unknown[] = [];
  const world = await openFleetWorld({
    functions: {
      hook: (event) => {
        events.push(event);
        return { allowProvisioning: true, parameterOverrides: { SerialNumber: "42" } };
      },
    },
  });
  await addTemplate(world, { hook: true });
  const { certificateOwnershipToken, certificateId, certificatePem } = await world.createKeys();
  assert.equal(
    (await world.register(certificateOwnershipToken, { SerialNumber: "7", Secret: "s" })).thingName,
    "pump-42",
  );
  assert.deepEqual(events, [
    {
      ...{ claimCertificateId, certificateId, certificatePem, clientId: "pump-7" },
      templateArn: `arn:aws:iot:us-east-1:123456789012:provisioningtemplate/${templateName}`,
      parameters: { SerialNumber: "7", Secret: "s" },
    },
  ]);
  await world.register(certificateOwnershipToken, { Secret: "s", SerialNumber: "7" });
  assert.equal(events.length, 1, "who asks again is not judged again");
});

test("whatever a hook answers but yes is a refusal, and so is no answer", async () => {
  let answer: unknown;
  const fault = new Error("no database");
  const hook = () => {
    if (answer === fault) throw fault;
    return answer;
  };
  const world = await openFleetWorld({ functions: { [hookArn]: hook } });
  await addTemplate(world, { hook: true });
  const { certificateOwnershipToken: token, certificateId } = await world.createKeys();
  const denied = { statusCode: 403, errorCode: "AccessDenied", errorMessage: "Access denied" };
  for (answer of [
    ...[undefined, null, true, [], "yes", {}, { allowProvisioning: "true" }, { allowProvisioning: false }],
    { allowProvisioning: null },
    ...[
      { allowProvisioning: true, parameterOverrides: [] },
      { allowProvisioning: true, parameterOverrides: { a: 1 } },
    ],
    fault,
  ]) {
    assert.deepEqual(await world.refusedRegister(token), denied, JSON.stringify(answer));
  }
  answer = new Promise(() => undefined);
  const asked = world.refusedRegister(token);
  await world.clock.advance(hookTimeoutMs - 1);
  await world.clock.advance(1);
  assert.deepEqual(await asked, denied);
  assert.equal(world.logged.filter((event) => event === "provisioningHookDenied").length, 13);
  assert.equal(await statusOf(world, certificateId), "PENDING_ACTIVATION");
  answer = { allowProvisioning: true, parameterOverrides: null };
  assert.equal((await world.register(token)).thingName, "pump-7");
  await world.run(world.service.operations.updateProvisioningTemplate, {
    templateName,
    preProvisioningHook: { targetArn: `${hookArn}2` },
  });
  const other = await world.createKeys();
  assert.deepEqual(await world.refusedRegister(other.certificateOwnershipToken), denied, "nobody has given it");
});

test("one claim leaves room for certificates of others, and its own count goes with the last of them", async () => {
  const world = await openFleetWorld();
  await addTemplate(world);
  const key = pendingKeys.countOfClaim(scope, claimCertificateId);
  await world.store.commit([{ key, value: pendingCertificatesPerClaimMax - 1 }]);
  const { certificateOwnershipToken: token } = await world.createKeys();
  for (const operation of ["createKeysAndCertificate", "createCertificateFromCsr"] as const) {
    const payload = new TextEncoder().encode('{"certificateSigningRequest":"x"}');
    const { rejection } = await world.ask(operation, payload, { clientId: "more" });
    assert.deepEqual([rejection?.statusCode, rejection?.errorCode], [429, "ThrottlingException"]);
    assert.match(rejection?.errorMessage ?? "", /of this claim/);
  }
  for (const certificateId of ["d".repeat(64), null]) await world.createKeys({ clientId: "other", certificateId });
  await world.register(token);
  assert.equal((await world.store.get(key))?.value, pendingCertificatesPerClaimMax - 1);
  await world.clock.advance(ownershipTokenLifetimeMs);
  await world.runner.idle();
  const left = await world.store.list([scope.account, scope.region, "pendingOfClaimCount"], { limit: 9 });
  assert.deepEqual(
    left.map((entry) => entry.key.at(-1)),
    [claimCertificateId],
  );
});

for (const format of ["json", "cbor"] as const) {
  test(`an answer in ${format} that no device could take registers nobody, and one as long as a message may be does`, async () => {
    const template = JSON.parse(templateBody) as { Parameters: object; DeviceConfiguration: object };
    Object.assign(template.Parameters, { Long: { Type: "String" } });
    template.DeviceConfiguration = { one: { Ref: "Long" }, two: { Ref: "Long" } };
    const world = await openFleetWorld();
    await addTemplate(world, { body: JSON.stringify(template) });
    const { certificateOwnershipToken: token, certificateId } = await world.createKeys({ format });
    const half = "x".repeat(fleetProvisioningMessageBytesMax / 2 - 100);
    const parameters = (more: string) => ({ SerialNumber: "7", Long: half + more });
    const rejection = await world.refusedRegister(token, parameters("x".repeat(100)), { format });
    assert.deepEqual([rejection.statusCode, rejection.errorCode], [400, "InvalidParameters"]);
    assert.match(rejection.errorMessage, /^DeviceConfiguration: the answer has \d+ bytes, more than 131072$/);
    assert.equal(await statusOf(world, certificateId), "PENDING_ACTIVATION");
    assert.equal((await world.register(token, parameters(""), { format })).thingName, "pump-7");
  });
}

test("what a hook answers is not repeated in the log, however long it is and however deep", () => {
  const deep = JSON.parse("[".repeat(100_000) + "]".repeat(100_000)) as JsonValue;
  for (const [allowProvisioning, word] of [
    ["-----BEGIN PRIVATE KEY-----", "a string"],
    ["x".repeat(200_000), "a string"],
    [deep, "a list"],
    [{ deep }, "an object"],
    [1, "a number"],
    [null, "null"],
    [false, "false"],
  ] as const)
    assert.equal(readAnswer({ allowProvisioning }), `allowProvisioning is ${word}`);
});

test("another certificate under the same client id displaces no certificate that waits", async () => {
  const world = await openFleetWorld();
  await addTemplate(world);
  const { certificateOwnershipToken: token } = await world.createKeys();
  const anonymous = await world.createKeys({ certificateId: null });
  for (let count = 0; count <= pendingOfClientMax; count++) await world.createKeys({ certificateId: "d".repeat(64) });
  assert.equal((await world.store.get(pendingKeys.count(scope)))?.value, pendingOfClientMax + 2);
  assert.equal((await world.register(token)).thingName, "pump-7");
  await world.register(anonymous.certificateOwnershipToken, { SerialNumber: "8" }, { certificateId: null });
  await world.clock.advance(ownershipTokenLifetimeMs);
  await world.runner.idle();
  assert.equal((await world.store.get(pendingKeys.count(scope)))?.value, 0);
  const left = await world.store.list([scope.account, scope.region, "pendingOfClient"], { limit: 9 });
  assert.deepEqual(left, []);
});

test("within AWS's rates requests are answered, and one more is told to wait", async () => {
  const world = await openFleetWorld({ isLimited: true });
  for (let count = 0; count < awsProvisioningRates.createKeysAndCertificate; count++) {
    const { isAccepted } = await world.ask("createKeysAndCertificate", new Uint8Array(), { clientId: `c${count}` });
    assert.ok(isAccepted);
  }
  const { rejection } = await world.ask("createKeysAndCertificate", new Uint8Array());
  assert.deepEqual([rejection?.statusCode, rejection?.errorCode], [429, "ThrottlingException"]);
  await world.clock.advance(1_000);
  assert.ok((await world.ask("createKeysAndCertificate", new Uint8Array())).isAccepted);
});

test("a cloud killed after the commit still answers, and what it answers is good", async () => {
  const world = await openFleetWorld({ isStarted: false });
  await world.request("createKeysAndCertificate", new Uint8Array());
  assert.deepEqual(world.effects, []);
  await world.restart();
  const [publish, ...others] = await world.takePublishes();
  assert.deepEqual(others, []);
  const { certificateOwnershipToken: token } = JSON.parse(new TextDecoder().decode(publish?.payload)) as Record<
    string,
    string
  >;
  await addTemplate(world);
  assert.equal((await world.register(token ?? "")).thingName, "pump-7");
  const text = JSON.stringify(await world.store.list([], { limit: 999 }));
  assert.ok(!text.includes(token ?? "?") && !text.includes("PRIVATE KEY"), "neither token nor key stays in the store");
});
