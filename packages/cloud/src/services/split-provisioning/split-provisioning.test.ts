import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { test } from "node:test";
import { decodeSplitProvisioningRejection, requestBytesMax } from "@thingline/protocol/provisioning";
import { createCertificateRequest } from "@thingline/protocol/x509";
import { answered, type ServiceMessage } from "../operation.js";
import type { PublishEffect } from "../outbox.js";
import { explainCertificate } from "../registry/certificates.js";
import { findCertificate, type CertificateRecord } from "../registry/model.js";
import { loadPrincipal } from "../registry/principal.js";
import { openServiceWorld, scope, type ServiceWorld } from "../world.test.support.js";
import {
  addPending,
  admitRequest,
  certificatesRememberedMax,
  deviceKey,
  pendingCertificatesMax,
  requestsPerMinuteMax,
  type DeviceRecord,
} from "./model.js";
import { provisionedPolicyDocument, provisionedPolicyName } from "./policies.js";
import { createSplitProvisioningService } from "./index.js";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

interface World extends ServiceWorld {
  /** As the broker tells it of a CONNECT that was accepted. */
  connected(clientId: string, certificateId: string): Promise<void>;
  ask(options?: { clientId?: string; topic?: string; payload?: Uint8Array; certificateId?: string }): Promise<void>;
  takePublishes(): Promise<PublishEffect[]>;
  certificates(): Promise<CertificateRecord[]>;
}

async function openWorld(options: { isStarted?: boolean } = {}): Promise<World> {
  const world = await openServiceWorld(options);
  const service = createSplitProvisioningService(world, { vending: "builtin" });
  return Object.assign(world, {
    connected: async (clientId: string, certificateId: string) => {
      const facts = { sessionIdentifier: "s", principalIdentifier: certificateId, ipAddress: "192.0.2.1" };
      const timestamp = world.clock.unixMs();
      await service.onLifecycle?.(
        { eventType: "connected", scope, clientId, certificateId, timestamp, versionNumber: 0, ...facts },
        world.runner,
      );
    },
    ask: ({ clientId = "pump-7", ...options }: NonNullable<Parameters<World["ask"]>[0]> = {}) => {
      const { topic = `certificate/${clientId}/create`, payload = new Uint8Array() } = options;
      const { certificateId = "c".repeat(64) } = options;
      const message: ServiceMessage = { scope, topic, clientId, payload, certificateId, source: "client" };
      return answered(service.topics!, message, world.runner);
    },
    takePublishes: async () =>
      (await world.takeEffects()).filter((effect): effect is PublishEffect => effect.type === "publish"),
    certificates: async () => {
      const entries = await world.store.list<CertificateRecord>([scope.account, scope.region, "certificate"], {
        limit: 99,
      });
      return entries.map(({ value }) => value);
    },
  });
}

test("a device gets a key and the certificate for it, and can connect with them as its thing", async () => {
  const world = await openWorld();
  await world.ask();
  const [key, certificate, ...others] = await world.takePublishes();
  assert.deepEqual(others, []);
  assert.ok(key && certificate);
  assert.equal(key.topic, "certificate/pump-7/create/accepted/key");
  assert.equal(certificate.topic, "certificate/pump-7/create/accepted/cert");
  for (const { qos, isRetained, onlyToClientId } of [key, certificate]) {
    assert.deepEqual([qos, isRetained ?? false, onlyToClientId], [1, false, undefined]);
  }
  assert.match(text(key.payload), /^-----BEGIN RSA PRIVATE KEY-----\n/);
  const issued = new X509Certificate(text(certificate.payload));
  assert.ok(issued.checkPrivateKey(createPrivateKey(text(key.payload))));
  const [record] = await world.certificates();
  assert.ok(record);
  assert.equal(record.status, "ACTIVE");
  assert.deepEqual(record.origin, {
    source: "split-provisioning",
    atMs: world.clock.unixMs(),
    clientId: "pump-7",
    claimCertificateId: "c".repeat(64),
  });
  const principal = await loadPrincipal(world.store, scope, {
    certificateId: record.certificateId,
    clientId: "pump-7",
  });
  assert.equal(principal?.thing?.thingName, "pump-7");
  assert.deepEqual(principal.policies, [
    { policyName: provisionedPolicyName, versionId: "1", document: provisionedPolicyDocument },
  ]);
  assert.deepEqual(await world.run(explainCertificate, { certificateId: record.certificateId }), {
    certificateId: record.certificateId,
    status: "ACTIVE",
    origin: record.origin,
    createdAtMs: record.createdAtMs,
    notAfterMs: record.notAfterMs,
    provedAtMs: null,
    policyNames: [provisionedPolicyName],
    thingNames: ["pump-7"],
  });
});

test("a cloud killed after the commit still answers, and the answer is good", async () => {
  const world = await openWorld({ isStarted: false });
  await world.ask();
  assert.deepEqual(world.effects, []);
  await world.restart();
  const publishes = await world.takePublishes();
  assert.deepEqual(
    publishes.map(({ topic }) => topic.split("/").at(-1)),
    ["key", "cert"],
  );
  const issued = new X509Certificate(text(publishes[1]?.payload ?? new Uint8Array()));
  const [record] = await world.certificates();
  assert.equal(issued.fingerprint256.replaceAll(":", "").toLowerCase(), record?.certificateId);
  assert.deepEqual(await world.store.list(["", "", "outbox"], { limit: 9 }), [], "no private key stays in the outbox");
});

test("asking again gives new credentials and leaves at most three certificates that nobody used", async () => {
  const world = await openWorld();
  const issued: string[] = [];
  for (let round = 0; round < 5; round++) {
    const before = new Set((await world.certificates()).map(({ certificateId }) => certificateId));
    await world.ask();
    issued.push(
      ...(await world.certificates()).map(({ certificateId }) => certificateId).filter((id) => !before.has(id)),
    );
    await world.clock.advance(1_000);
  }
  assert.equal(issued.length, 5);
  const kept = (await world.certificates()).map(({ certificateId }) => certificateId);
  assert.deepEqual(kept.sort(), issued.slice(-pendingCertificatesMax).sort());
  const rechecked = (await world.takeEffects()).flatMap((effect) =>
    effect.type === "recheckPrincipal" ? [effect.certificateId] : [],
  );
  assert.deepEqual(rechecked, issued.slice(0, 2));
  const record = (await world.store.get<DeviceRecord>(deviceKey(scope, "pump-7")))?.value;
  assert.deepEqual(
    record?.certificates.map(({ state }) => state),
    ["superseded", "superseded", "pending", "pending", "pending"],
  );
  // Nothing of a deleted certificate is left: attachments, guards, list entries.
  for (const { key } of await world.store.list([], { limit: 999 })) {
    if (key[2] === "splitProvisioning") continue;
    for (const id of issued.slice(0, 2)) assert.ok(!JSON.stringify(key).includes(id), JSON.stringify(key));
  }
});

test("the certificate that connects is proved, and the unused ones are deleted", async () => {
  const world = await openWorld();
  await world.ask();
  const [first] = await world.certificates();
  await world.clock.advance(1_000);
  await world.ask();
  assert.ok(first);
  assert.equal((await world.certificates()).length, 2);
  // The answer to the first request was written, although the second came after it.
  await world.connected("pump-7", first.certificateId);
  assert.deepEqual(
    (await world.certificates()).map(({ certificateId, status }) => [certificateId, status]),
    [[first.certificateId, "ACTIVE"]],
  );
  const before = await world.store.get(deviceKey(scope, "pump-7"));
  await world.connected("pump-7", first.certificateId);
  assert.equal((await world.store.get(deviceKey(scope, "pump-7")))?.revision, before?.revision, "no second write");
});

test("when a device was provisioned anew and proved it, its old certificate is set INACTIVE, not before", async () => {
  const world = await openWorld();
  await world.ask();
  const [old] = await world.certificates();
  assert.ok(old);
  await world.connected("pump-7", old.certificateId);
  await world.ask();
  const status = async (id: string) => (await findCertificate(world.store, scope, id))?.status;
  assert.equal(await status(old.certificateId), "ACTIVE");
  const anew = (await world.certificates()).find(({ certificateId }) => certificateId !== old.certificateId);
  assert.ok(anew);
  await world.takeEffects();
  await world.connected("pump-7", anew.certificateId);
  assert.equal(await status(old.certificateId), "INACTIVE");
  assert.equal(await status(anew.certificateId), "ACTIVE");
  assert.deepEqual(await world.takeEffects(), [{ type: "recheckPrincipal", certificateId: old.certificateId }]);
});

test("certificates of other origins are not touched by a connection", async () => {
  const world = await openWorld();
  const { certificateId } = await world.run(world.registry.createKeysAndCertificate, { setAsActive: true });
  await world.ask();
  await world.connected("pump-7", certificateId);
  await world.connected("other", certificateId);
  assert.equal((await world.certificates()).length, 2);
});

test("a topic that names another device is rejected on the client's own topic", async () => {
  const world = await openWorld();
  await world.ask({ clientId: "thief", topic: "certificate/pump-7/create" });
  const [rejected, ...others] = await world.takePublishes();
  assert.deepEqual(others, []);
  assert.equal(rejected?.topic, "certificate/thief/create/rejected");
  const { statusCode, errorCode } = decodeSplitProvisioningRejection(rejected.payload);
  assert.deepEqual([statusCode, errorCode], [403, "DEVICE_ID_MISMATCH"]);
  assert.deepEqual(await world.certificates(), []);
});

test("a client id that is no thing name is rejected where that can be told", async () => {
  const world = await openWorld();
  await world.ask({ clientId: "pump 7" });
  const [rejected] = await world.takePublishes();
  assert.equal(rejected?.topic, "certificate/pump 7/create/rejected");
  assert.equal(decodeSplitProvisioningRejection(rejected.payload).errorCode, "REQUEST_INVALID");
  await world.ask({ clientId: "#", topic: "certificate/#/create" });
  assert.deepEqual(await world.takePublishes(), []);
  assert.equal(world.logged.filter((event) => event === "provisioningRejected").length, 2);
});

test("a device that asks without end is told to wait, until a minute has passed", async () => {
  const deviceId = "pump-7";
  let record: DeviceRecord = { deviceId, certificates: [], requestTimesMs: [] };
  for (let count = 0; count < requestsPerMinuteMax; count++) record = admitRequest(record, 1_000 + count);
  assert.throws(() => admitRequest(record, 2_000), /asked 30 times within a minute/);
  assert.equal(admitRequest(record, 62_000).requestTimesMs.length, 1);
  assert.equal(admitRequest(record, 0).requestTimesMs.length, 1, "a clock that was set back locks nobody out");

  const world = await openWorld();
  const value = { deviceId, certificates: [], requestTimesMs: Array<number>(30).fill(world.clock.unixMs()) };
  await world.store.commit([{ key: deviceKey(scope, deviceId), value }]);
  await world.ask();
  const [rejected] = await world.takePublishes();
  const { statusCode, errorCode } = decodeSplitProvisioningRejection(rejected?.payload ?? new Uint8Array());
  assert.deepEqual([statusCode, errorCode], [429, "THROTTLED"]);
});

test("a failure inside is told to the device without details, and thrown for the log", async () => {
  const world = await openWorld();
  const keys = { ...world.keys, generate: () => Promise.reject(new Error("secret reason")) };
  const service = createSplitProvisioningService({ ...world, keys }, { vending: "builtin" });
  const message = {
    scope,
    topic: "certificate/d/create",
    clientId: "d",
    payload: new Uint8Array(),
    certificateId: "c",
    source: "client",
  } as const;
  await assert.rejects(answered(service.topics!, message, world.runner), /secret reason/);
  const [rejected] = await world.takePublishes();
  const rejection = decodeSplitProvisioningRejection(rejected?.payload ?? new Uint8Array());
  assert.deepEqual([rejection.statusCode, rejection.errorCode], [500, "INTERNAL_FAILURE"]);
  assert.ok(!rejection.errorMessage.includes("secret"));
});

test("many devices at once get a thing and a certificate each, and share one policy", async () => {
  const world = await openWorld();
  const clientIds = Array.from({ length: 20 }, (_, index) => `device-${index}`);
  await Promise.all(clientIds.map((clientId) => world.ask({ clientId })));
  assert.equal((await world.takePublishes()).filter(({ topic }) => topic.endsWith("/cert")).length, 20);
  assert.equal((await world.certificates()).length, 20);
  const { policies } = await world.run(world.registry.listPolicies, {});
  assert.deepEqual(
    policies.map(({ policyName }) => policyName),
    [provisionedPolicyName],
  );
});

test("the memory of a device's certificates is bounded, and forgets only what is gone", () => {
  let record: DeviceRecord = { deviceId: "d", certificates: [], requestTimesMs: [] };
  for (let count = 0; count < 50; count++) {
    record = addPending(record, { certificateId: `c${count}`, issuedAtMs: count }).record;
  }
  assert.equal(record.certificates.length, certificatesRememberedMax);
  assert.equal(record.certificates.filter(({ state }) => state === "pending").length, pendingCertificatesMax);
  assert.equal(record.certificates.at(-1)?.certificateId, "c49");
});

test("a claim's client gets the credentials of the device behind it, on its own topics", async () => {
  const world = await openWorld();
  await world.ask({ clientId: "claim-pump-7" });
  const topics = (await world.takePublishes()).map(({ topic }) => topic);
  assert.deepEqual(topics, [
    "certificate/claim-pump-7/create/accepted/key",
    "certificate/claim-pump-7/create/accepted/cert",
  ]);
  const [record] = await world.certificates();
  assert.equal(record?.origin.clientId, "claim-pump-7");
  const principal = await loadPrincipal(world.store, scope, {
    certificateId: record.certificateId,
    clientId: "pump-7",
  });
  assert.equal(principal?.thing?.thingName, "pump-7");
  await world.ask({ clientId: "claim-claim-pump-8" });
  const [rejected] = await world.takePublishes();
  assert.equal(
    decodeSplitProvisioningRejection(rejected!.payload).errorCode,
    "REQUEST_INVALID",
    "no device is claim-…",
  );
});

test("a claim becomes no device that somebody is already, until its certificate is deactivated", async () => {
  const world = await openWorld();
  await world.ask({ clientId: "claim-pump-7" });
  const [first] = await world.certificates();
  assert.ok(first);
  await world.takePublishes();
  await world.ask({ clientId: "claim-pump-7" });
  assert.equal((await world.takePublishes()).length, 2, "what nobody has connected with keeps nobody out");
  await world.connected("pump-7", first.certificateId);
  await world.ask({ clientId: "claim-pump-7" });
  const [rejected, ...others] = await world.takePublishes();
  assert.deepEqual(others, []);
  const { statusCode, errorCode } = decodeSplitProvisioningRejection(rejected!.payload);
  assert.deepEqual([statusCode, errorCode], [409, "RESOURCE_EXISTS"]);
  assert.equal((await world.certificates()).length, 1);
  await world.ask({ clientId: "pump-7" });
  assert.equal((await world.takePublishes()).length, 2, "the device itself may ask");
  const { certificateId } = first;
  await world.run(world.registry.updateCertificate, { certificateId, newStatus: "INACTIVE" });
  await world.ask({ clientId: "claim-pump-7" });
  assert.equal((await world.takePublishes()).length, 2);
});

test("a thing that was registered beforehand is free as long as it has no certificate", async () => {
  const world = await openWorld();
  await world.run(world.registry.createThing, { thingName: "listed" });
  await world.ask({ clientId: "claim-listed" });
  assert.equal((await world.takePublishes()).length, 2);
  await world.run(world.registry.createThing, { thingName: "taken" });
  const { certificateArn } = await world.run(world.registry.createKeysAndCertificate, { setAsActive: true });
  await world.run(world.registry.attachThingPrincipal, { thingName: "taken", principal: certificateArn });
  await world.ask({ clientId: "claim-taken" });
  const [rejected] = await world.takePublishes();
  assert.equal(decodeSplitProvisioningRejection(rejected!.payload).statusCode, 409);
});

test("a certificate that the device asked for itself leaves the one that it asked with to the overlap", async () => {
  const world = await openWorld();
  await world.ask({ clientId: "claim-pump-7" });
  const [old] = await world.certificates();
  assert.ok(old);
  await world.connected("pump-7", old.certificateId);
  await world.ask({ clientId: "pump-7", certificateId: old.certificateId });
  const anew = (await world.certificates()).find(({ certificateId }) => certificateId !== old.certificateId);
  assert.ok(anew);
  await world.connected("pump-7", anew.certificateId);
  assert.equal((await findCertificate(world.store, scope, old.certificateId))?.status, "ACTIVE");
});

test("a device that made its key itself gets the certificate alone", async () => {
  const world = await openWorld();
  const { privateKeyPem } = await world.keys.generate("ec-p256");
  const { pem } = await createCertificateRequest({
    subject: [["CN", "pump-7"]],
    publicKey: world.keys.publicKeyOf(privateKeyPem),
    sign: (data) => world.keys.sign(privateKeyPem, data),
  });
  const topic = "certificate/claim-pump-7/create-from-csr";
  await world.ask({ clientId: "claim-pump-7", topic, payload: new TextEncoder().encode(pem) });
  const [certificate, ...others] = await world.takePublishes();
  assert.deepEqual(others, []);
  assert.equal(certificate?.topic, "certificate/claim-pump-7/create/accepted/cert");
  assert.ok(new X509Certificate(text(certificate.payload)).checkPrivateKey(createPrivateKey(privateKeyPem)));
  await world.ask({ clientId: "claim-pump-8", topic: "certificate/claim-pump-8/create-from-csr" });
  const [rejected] = await world.takePublishes();
  assert.equal(decodeSplitProvisioningRejection(rejected!.payload).statusCode, 400, "no request at all");
  const long = new Uint8Array(requestBytesMax + 1).fill(0x41);
  await world.ask({ clientId: "claim-pump-8", topic: "certificate/claim-pump-8/create-from-csr", payload: long });
  const [tooLong] = await world.takePublishes();
  assert.match(decodeSplitProvisioningRejection(tooLong!.payload).errorMessage, /at most 4096 bytes/);
});

test("a client that asks again while it is answered gets one answer", async () => {
  const world = await openWorld();
  await Promise.all([1, 2, 3].map(() => world.ask({ clientId: "claim-pump-7" })));
  assert.equal((await world.takePublishes()).length, 2);
  assert.equal((await world.certificates()).length, 1);
});
