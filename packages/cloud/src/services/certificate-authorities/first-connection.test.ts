import assert from "node:assert/strict";
import { test } from "node:test";
import type { StoreOperation } from "../../store/store.js";
import { findCertificate, registryKeys } from "../registry/model.js";
import { loadPrincipal } from "../registry/principal.js";
import { scope, type NotedEffect } from "../world.test.support.js";
import { jitpTemplate, openAuthoritiesWorld, roleArn } from "./authorities-world.test.support.js";
import { pendingCertificatesPerCaMax } from "./first-connection.js";
import {
  firstConnectionsBurstMax,
  firstConnectionsInFlightMax,
  pendingConnectionsBurstMax,
} from "./first-connections-gate.js";

const eventsOf = (effects: readonly NotedEffect[]) =>
  effects.flatMap((effect) => {
    if (effect.type !== "publish") return [];
    return [[effect.topic, JSON.parse(new TextDecoder().decode(effect.payload)) as unknown] as const];
  });

const openJitp = async (templateBody = jitpTemplate) => {
  const world = await openAuthoritiesWorld();
  const policyDocument = '{"Version":"2012-10-17","Statement":[]}';
  await world.run(world.registry.createPolicy, { policyName: "devices", policyDocument });
  const ca = await world.makeCa();
  const caCertificateId = await world.register(ca, { registrationConfig: { templateBody, roleArn } });
  await world.takeEffects();
  return Object.assign(world, { ca, caCertificateId });
};

test("the first connection registers a certificate as waiting, and each one while it waits tells of it", async () => {
  const world = await openAuthoritiesWorld();
  const ca = await world.makeCa();
  const caCertificateId = await world.register(ca);
  const device = await world.makeDevice(ca);
  const certificateId = world.idOf(device);
  const first = await world.connect(device, "pump-7");
  assert.match(first.why ?? "", /registered now and waits for its activation/);
  const record = await findCertificate(world.store, scope, certificateId);
  assert.deepEqual(
    [record?.status, record?.caCertificateId, record?.certificateMode, record?.certificatePem],
    ["PENDING_ACTIVATION", caCertificateId, "DEFAULT", device.pem],
  );
  const source = "just-in-time-registration";
  assert.deepEqual(record?.origin, { source, clientId: "pump-7", atMs: world.clock.unixMs() });
  const event = () => [
    `$aws/events/certificates/registered/${caCertificateId}`,
    {
      ...{ certificateId, caCertificateId, timestamp: world.clock.unixMs(), certificateStatus: "PENDING_ACTIVATION" },
      ...{ awsAccountId: "123456789012", certificateRegistrationTimestamp: null },
    },
  ];
  assert.deepEqual(eventsOf(await world.takeEffects()), [event()]);
  await world.clock.advance(60_000);
  const before = await world.store.get(registryKeys.certificate(scope, certificateId));
  const again = await world.connect(device, "another");
  assert.match(again.why ?? "", /^it is registered and waits/);
  assert.deepEqual(eventsOf(await world.takeEffects()), [event()], "with the time of this connection");
  const after = await world.store.get(registryKeys.certificate(scope, certificateId));
  assert.equal(after?.revision, before?.revision, "and changes nothing else");
  // What is ACTIVE comes in by the front door; the first door has nothing to do with it.
  await world.run(world.registry.updateCertificate, { certificateId, newStatus: "ACTIVE" });
  await world.takeEffects();
  assert.match((await world.connect(device)).why ?? "", /registered meanwhile, and ACTIVE; connect again/);
  assert.deepEqual(await world.takeEffects(), []);
  assert.deepEqual(await world.store.list(registryKeys.pendingOfCa(scope, caCertificateId), { limit: 9 }), []);
});

test("killed between the registration and its event: the next start tells of it", async () => {
  const world = await openAuthoritiesWorld({ isStarted: false });
  const ca = await world.makeCa();
  const caCertificateId = await world.register(ca);
  await world.connect(await world.makeDevice(ca));
  assert.deepEqual(world.effects, []);
  await world.restart();
  const [[topic] = []] = eventsOf(await world.takeEffects());
  assert.equal(topic, `$aws/events/certificates/registered/${caCertificateId}`);
});

test("before any MQTT it is said why a certificate is not registered", async () => {
  const world = await openAuthoritiesWorld();
  const ca = await world.makeCa();
  const device = await world.makeDevice(ca);
  const reasonOf = async (certificate = device, serverName: string | undefined = "localhost") => {
    const { verdict } = await world.connect(certificate, "device", serverName);
    return verdict === undefined ? undefined : "reason" in verdict ? verdict.reason : "goes on";
  };
  assert.equal(await reasonOf(), undefined, "no registered CA has to do with it");
  const certificateId = await world.register(ca, { setAsActive: false, allowAutoRegistration: false });
  assert.match((await reasonOf()) ?? "", /which is INACTIVE; activate it with UpdateCACertificate/);
  const update = world.authorities.updateCACertificate;
  await world.run(update, { certificateId, newStatus: "ACTIVE" });
  assert.match((await reasonOf()) ?? "", /does not register certificates by itself/);
  await world.run(update, { certificateId, newAutoRegistrationStatus: "ENABLE" });
  const forged = await world.makeDevice(await world.makeCa());
  assert.match((await reasonOf(forged)) ?? "", /has the name of a registered CA, but its signature is not by the key/);
  const { verdict } = await world.connect(device, "device", "");
  assert.ok(verdict, "an empty name is one");
  const withoutName = await world.run(world.firstConnections.judge, { certificate: device.der, serverName: undefined });
  assert.match(withoutName !== undefined && "reason" in withoutName ? withoutName.reason : "", /\(SNI\).*host name/);
  for (const bytes of [new Uint8Array(), device.der.subarray(0, 99), new Uint8Array(70_000).fill(0x30)]) {
    assert.equal(await world.run(world.firstConnections.judge, { certificate: bytes, serverName: "x" }), undefined);
  }
  await world.clock.advance(0);
  world.clock.setUnixMs(Date.UTC(2041, 0, 1));
  assert.match((await reasonOf()) ?? "", /which has expired/);
});

test("what changed between the handshake and the CONNECT counts", async () => {
  const world = await openAuthoritiesWorld();
  const ca = await world.makeCa();
  const caCertificateId = await world.register(ca);
  const device = await world.makeDevice(ca);
  const certificate = { certificate: device.der, certificateId: world.idOf(device), caCertificateId, clientId: "d" };
  const update = world.authorities.updateCACertificate;
  await world.run(update, { certificateId: caCertificateId, newStatus: "INACTIVE" });
  assert.match(await world.run(world.firstConnections.connect, certificate), /which is INACTIVE/);
  await world.run(world.authorities.deleteCACertificate, { certificateId: caCertificateId });
  assert.match(await world.run(world.firstConnections.connect, certificate), /no longer registered/);
  assert.equal(await findCertificate(world.store, scope, certificate.certificateId), undefined);
});

test("with a template the first connection provisions the device, and the next one is in", async () => {
  const world = await openJitp();
  const device = await world.makeDevice(world.ca, { subject: [["CN", "pump-7"]] });
  const { why } = await world.connect(device, "pump-7");
  assert.equal(why, "its device is provisioned now; connect again");
  const certificateId = world.idOf(device);
  const principal = await loadPrincipal(world.store, scope, { certificateId, clientId: "pump-7" });
  assert.equal(principal?.certificate.status, "ACTIVE");
  assert.deepEqual(principal?.thing, {
    ...{ thingName: "pump-7", thingTypeName: undefined, attributes: { from: "jitp" } },
    isExclusive: false,
  });
  assert.deepEqual(
    principal?.policies.map(({ policyName }) => policyName),
    ["devices"],
  );
  assert.equal(principal?.certificate.origin.source, "just-in-time-provisioning");
  assert.equal(eventsOf(await world.takeEffects()).length, 1);
  assert.ok(world.logged.includes("deviceProvisionedJustInTime"));
  const more = { deviceCertificateId: certificateId };
  const provisioned = { level: "INFO", eventType: "ProvisionDevice", protocol: "MQTT", clientId: "pump-7", more };
  assert.deepEqual(world.iotEntries, [provisioned]);
});

test("many first connections of one certificate provision it once", async () => {
  const world = await openJitp();
  const device = await world.makeDevice(world.ca, { subject: [["CN", "pump-7"]] });
  const answers = await Promise.all(Array.from({ length: pendingConnectionsBurstMax }, () => world.connect(device)));
  const provisioned = answers.filter(({ why }) => why?.includes("is provisioned now") === true);
  const later = answers.filter(({ why }) => why?.includes("registered meanwhile, and ACTIVE") === true);
  assert.deepEqual([provisioned.length, later.length], [1, pendingConnectionsBurstMax - 1]);
  const thing = await world.run(world.registry.describeThing, { thingName: "pump-7" });
  assert.equal(thing.version, 1);
});

test("a template that cannot be followed leaves the certificate waiting, and says why, until it is mended", async () => {
  const world = await openJitp();
  const update = world.authorities.updateCACertificate;
  const nameless = await world.makeDevice(world.ca, { subject: [["O", "Acme"]] });
  const { why } = await world.connect(nameless);
  assert.match(
    why ?? "",
    /could not be provisioned: .*Cannot resolve reference value: AWS::IoT::Certificate::CommonName/,
  );
  assert.ok(world.logged.includes("justInTimeProvisioningFailed"));
  const [failed] = world.iotEntries;
  assert.deepEqual([failed?.eventType, failed?.isFailure, failed?.level], ["ProvisionDevice", true, "ERROR"]);
  const status = async () => (await findCertificate(world.store, scope, world.idOf(nameless)))?.status;
  assert.equal(await status(), "PENDING_ACTIVATION");
  assert.equal(eventsOf(await world.takeEffects()).length, 1, "whoever listens hears that one waits");
  await assert.rejects(world.run(world.registry.describeThing, { thingName: "pump-7" }));
  // Half of what a template asks for is nothing: the thing would have been made before its policy was missed.
  await world.run(world.registry.deletePolicy, { policyName: "devices" });
  const pump = await world.makeDevice(world.ca, { subject: [["CN", "pump-7"]] });
  assert.match((await world.connect(pump)).why ?? "", /Resources\.policy\.Properties\.PolicyName.*devices/);
  await assert.rejects(world.run(world.registry.describeThing, { thingName: "pump-7" }));
  const templateBody = jitpTemplate
    .replace('{"Ref":"AWS::IoT::Certificate::CommonName"}', '"fixed"')
    .replace('"PolicyName":"devices"', '"PolicyDocument":"{\\"Statement\\":[]}"');
  await world.run(update, { certificateId: world.caCertificateId, registrationConfig: { templateBody, roleArn } });
  await world.clock.advance(1_000);
  assert.match((await world.connect(pump)).why ?? "", /is provisioned now/);
});

test("a template by its name is the one that it is now", async () => {
  const world = await openJitp();
  const template = { templateName: "fleet", type: "JITP", templateBody: jitpTemplate } as const;
  world.templates.set("fleet", { ...template, isEnabled: false });
  const config = { certificateId: world.caCertificateId, registrationConfig: { templateName: "fleet" } };
  await world.run(world.authorities.updateCACertificate, config);
  const device = await world.makeDevice(world.ca, { subject: [["CN", "pump-7"]] });
  assert.match((await world.connect(device)).why ?? "", /template fleet is not enabled/);
  world.templates.delete("fleet");
  assert.match((await world.connect(device)).why ?? "", /could not be provisioned: no template fleet/);
  world.templates.set("fleet", { ...template, isEnabled: true });
  assert.match((await world.connect(device)).why ?? "", /is provisioned now/);
  const record = await findCertificate(world.store, scope, world.idOf(device));
  assert.equal(record?.origin.templateName, "fleet");
});

test("a flood of certificates of one CA is bounded in time, in memory and in the registry", async () => {
  const world = await openAuthoritiesWorld();
  const ca = await world.makeCa();
  const caCertificateId = await world.register(ca);
  const pair = await world.keys.generate("ec-p256");
  const made = await Promise.all(
    Array.from({ length: firstConnectionsInFlightMax + 1 }, () => world.makeDevice(ca, { pair })),
  );
  // At once.
  const answers = await Promise.all(made.map((device) => world.connect(device)));
  assert.equal(
    answers.filter(({ why }) => why?.startsWith(`${firstConnectionsInFlightMax} first connections`)).length,
    1,
  );
  // One after the other, until the rate of the CA is used up.
  for (let count = firstConnectionsInFlightMax; count < firstConnectionsBurstMax; count++) {
    assert.match((await world.connect(await world.makeDevice(ca, { pair }))).why ?? "", /registered now/);
  }
  const late = await world.makeDevice(ca, { pair });
  assert.match((await world.connect(late)).why ?? "", /more than 10 certificates a second/);
  assert.ok(world.logged.includes("firstConnectionThrottled"));
  await world.clock.advance(100);
  assert.match((await world.connect(late)).why ?? "", /registered now/);
  // The registry is full of those that nobody activates.
  const fill: StoreOperation[] = [];
  for (let count = firstConnectionsBurstMax + 1; count < pendingCertificatesPerCaMax; count++) {
    fill.push({
      key: registryKeys.pendingCertificate(scope, caCertificateId, `${count}`.padStart(64, "0")),
      value: null,
    });
  }
  await world.store.commit(fill);
  await world.clock.advance(10_000);
  const surplus = await world.makeDevice(ca, { pair });
  assert.match(
    (await world.connect(surplus)).why ?? "",
    /5000 certificates of the CA .* wait for their activation already/,
  );
  assert.equal(await findCertificate(world.store, scope, world.idOf(surplus)), undefined);
  await world.run(world.registry.updateCertificate, { certificateId: world.idOf(late), newStatus: "ACTIVE" });
  await world.clock.advance(1_000);
  assert.match((await world.connect(surplus)).why ?? "", /registered now/);
});

test("one certificate that waits does not use up its CA's rate", async () => {
  const world = await openAuthoritiesWorld();
  const ca = await world.makeCa();
  await world.register(ca);
  const device = await world.makeDevice(ca);
  for (let count = 0; count < pendingConnectionsBurstMax; count++) await world.connect(device);
  await world.takeEffects();
  assert.match((await world.connect(device)).why ?? "", /more often than once a second/);
  assert.deepEqual(await world.takeEffects(), []);
  await world.clock.advance(1_000);
  assert.match((await world.connect(device)).why ?? "", /waits for its activation/);
});

test("any one byte changed makes a certificate nobody's, and none of them is more than refused", async () => {
  const world = await openAuthoritiesWorld();
  const ca = await world.makeCa();
  await world.register(ca);
  const { der } = await world.makeDevice(ca);
  const judge = (certificate: Uint8Array) =>
    world.run(world.firstConnections.judge, { certificate, serverName: "localhost" });
  assert.notEqual((await judge(der))?.caCertificateId, undefined);
  for (let at = 0; at < der.length; at++) {
    const changed = der.map((byte, index) => (index === at ? byte ^ (1 << (at % 8)) : byte));
    assert.equal((await judge(changed))?.caCertificateId, undefined, `byte ${at}`);
  }
});
