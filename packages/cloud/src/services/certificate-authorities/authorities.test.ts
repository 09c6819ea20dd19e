import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, type ErrorCode } from "@thingline/protocol";
import { loadPrincipal } from "../registry/principal.js";
import { scope } from "../world.test.support.js";
import { jitpTemplate, openAuthoritiesWorld, roleArn, type TestCa } from "./authorities-world.test.support.js";
import { casPerSubjectMax } from "./model.js";
import { findCaOfTemplate } from "./registration-config.js";

const has = (code: ErrorCode, says?: RegExp) => (error: unknown) =>
  isThinglineError(error, code) && (says === undefined || says.test(error.message));

test("a registration code stays the same until it is deleted", async () => {
  const world = await openAuthoritiesWorld();
  const { getRegistrationCode, deleteRegistrationCode } = world.authorities;
  const code = async () => (await world.run(getRegistrationCode, {})).registrationCode;
  const first = await code();
  assert.match(first, /^[0-9a-f]{64}$/);
  assert.equal(await code(), first);
  await world.run(deleteRegistrationCode, {});
  await assert.rejects(world.run(deleteRegistrationCode, {}), has("RESOURCE_NOT_FOUND"));
  assert.notEqual(await code(), first);
});

test("a CA is registered, described, listed, changed and deleted", async () => {
  const world = await openAuthoritiesWorld();
  const { authorities } = world;
  const ca = await world.makeCa();
  const certificateId = await world.register(ca, { setAsActive: undefined, allowAutoRegistration: undefined });
  assert.equal(certificateId, world.idOf(ca));
  const described = await world.run(authorities.describeCACertificate, { certificateId });
  assert.equal(described.registrationConfig, undefined);
  const { generationId, ...rest } = described.certificateDescription;
  assert.match(generationId, /^[0-9a-f-]{36}$/);
  const now = world.clock.unixMs() / 1000;
  assert.deepEqual(rest, {
    certificateArn: `arn:aws:iot:us-east-1:123456789012:cacert/${certificateId}`,
    ...{ certificateId, status: "INACTIVE", certificatePem: ca.pem, autoRegistrationStatus: "DISABLE" },
    ...{ customerVersion: 1, ownedBy: "123456789012", creationDate: now, lastModifiedDate: now },
    validity: { notBefore: Date.UTC(2025, 0, 1) / 1000, notAfter: Date.UTC(2040, 0, 1) / 1000 },
    certificateMode: "DEFAULT",
  });
  await assert.rejects(world.register(ca), has("RESOURCE_EXISTS"));
  await world.run(authorities.updateCACertificate, {
    ...{ certificateId, newStatus: "ACTIVE", newAutoRegistrationStatus: "ENABLE" },
    registrationConfig: { templateBody: jitpTemplate, roleArn },
  });
  const after = await world.run(authorities.describeCACertificate, { certificateId });
  const { status, autoRegistrationStatus, customerVersion } = after.certificateDescription;
  assert.deepEqual([status, autoRegistrationStatus, customerVersion], ["ACTIVE", "ENABLE", 2]);
  assert.deepEqual(after.registrationConfig, { templateBody: jitpTemplate, roleArn });
  const listed = await world.run(authorities.listCACertificates, {});
  assert.deepEqual(
    listed.certificates?.map(({ status: each }) => each),
    ["ACTIVE"],
  );
  await assert.rejects(world.run(authorities.deleteCACertificate, { certificateId }), has("CERTIFICATE_STATE_INVALID"));
  await world.run(authorities.updateCACertificate, { certificateId, newStatus: "INACTIVE" });
  await world.run(authorities.deleteCACertificate, { certificateId });
  await assert.rejects(world.run(authorities.describeCACertificate, { certificateId }), has("RESOURCE_NOT_FOUND"));
  const left = await world.store.list([scope.account, scope.region], { limit: 99 });
  assert.deepEqual(
    left.map(({ key }) => key[2]),
    ["registrationCode"],
  );
});

test("removeAutoRegistration takes the template away, and stops registering", async () => {
  const world = await openAuthoritiesWorld();
  const { authorities } = world;
  const config = { templateBody: jitpTemplate, roleArn };
  const certificateId = await world.register(await world.makeCa(), { registrationConfig: config });
  const both = { certificateId, removeAutoRegistration: true, registrationConfig: config };
  await assert.rejects(world.run(authorities.updateCACertificate, both), has("REQUEST_INVALID"));
  await world.run(authorities.updateCACertificate, { certificateId, removeAutoRegistration: true });
  const { certificateDescription, registrationConfig } = await world.run(authorities.describeCACertificate, {
    certificateId,
  });
  assert.deepEqual([certificateDescription.autoRegistrationStatus, registrationConfig], ["DISABLE", undefined]);
});

test("a template of a CA is checked when it is given, and CAs are found by its name", async () => {
  const world = await openAuthoritiesWorld();
  const { authorities } = world;
  const ca = await world.makeCa();
  const refused: [config: object, code: ErrorCode, says: RegExp][] = [
    [{ templateBody: "{", roleArn }, "REQUEST_INVALID", /template body is invalid: template: is not JSON/],
    [{ templateBody: "{}", roleArn }, "REQUEST_INVALID", /template body is invalid: Resources/],
    [{ templateBody: jitpTemplate }, "REQUEST_INVALID", /roleArn is missing/],
    [{ roleArn }, "REQUEST_INVALID", /templateBody or templateName is missing/],
    [{ templateBody: jitpTemplate, roleArn, templateName: "t" }, "REQUEST_INVALID", /exclude each other/],
    [{ templateName: "t" }, "RESOURCE_NOT_FOUND", /t/],
    [{ templateName: "fleet" }, "REQUEST_INVALID", /is of type FLEET_PROVISIONING/],
  ];
  const template = { templateBody: jitpTemplate, isEnabled: true };
  world.templates.set("fleet", { ...template, templateName: "fleet", type: "FLEET_PROVISIONING" });
  for (const [registrationConfig, code, says] of refused) {
    await assert.rejects(world.register(ca, { registrationConfig }), has(code, says));
  }
  world.templates.set("jitp", { ...template, templateName: "jitp", type: "JITP" });
  const certificateId = await world.register(ca, { registrationConfig: { templateName: "jitp" } });
  await world.register(await world.makeCa());
  const named = await world.run(authorities.listCACertificates, { templateName: "jitp" });
  assert.deepEqual(
    named.certificates?.map((each) => each.certificateId),
    [certificateId],
  );
  assert.deepEqual(await world.run(findCaOfTemplate, { templateName: "jitp" }), { certificateId });
  await world.run(authorities.updateCACertificate, { certificateId, removeAutoRegistration: true });
  assert.equal(await world.run(findCaOfTemplate, { templateName: "jitp" }), undefined);
  assert.deepEqual((await world.run(authorities.listCACertificates, { templateName: "jitp" })).certificates, []);
});

test("who registers a CA proves to hold its key with the account's code", async () => {
  const world = await openAuthoritiesWorld();
  const { authorities } = world;
  const ca = await world.makeCa();
  const register = (verification: TestCa | undefined, caCertificate = ca.pem, certificateMode?: "SNI_ONLY") =>
    world.run(authorities.registerCACertificate, {
      ...{ caCertificate, certificateMode },
      verificationCertificate: verification?.pem,
    });
  const early = await world.makeDevice(ca, { subject: [["CN", "0".repeat(64)]] });
  await assert.rejects(register(early), has("REGISTRATION_CODE_INVALID", /GetRegistrationCode/));
  const { registrationCode } = await world.run(authorities.getRegistrationCode, {});
  const subject = [["CN", registrationCode]] as const;
  await assert.rejects(register(undefined), has("REQUEST_INVALID", /required in mode DEFAULT/));
  await assert.rejects(register(early), has("REGISTRATION_CODE_INVALID"));
  const twice = await world.makeDevice(ca, { subject: [...subject, ["CN", "other"]] });
  await assert.rejects(register(twice), has("REGISTRATION_CODE_INVALID"));
  const foreign = await world.makeDevice(await world.makeCa(), { subject });
  await assert.rejects(register(foreign), has("CERTIFICATE_INVALID", /signature is not by the key/));
  const otherName = await world.makeDevice(await world.makeCa({ subject: [["CN", "Other"]] }), { subject });
  await assert.rejects(register(otherName), has("CERTIFICATE_INVALID", /issuer is another/));
  const old = await world.makeDevice(ca, { subject, notAfter: Date.UTC(2025, 5, 1) / 1000 });
  await assert.rejects(register(old), has("CERTIFICATE_INVALID", /expired/));
  const good = await world.makeDevice(ca, { subject });
  await assert.rejects(register(good, ca.pem, "SNI_ONLY"), has("REQUEST_INVALID", /not taken in mode SNI_ONLY/));
  await register(good);
  // Without the proof in the other mode, and its certificates have that mode as well.
  const other = await world.makeCa();
  const { certificateId = "" } = await register(undefined, other.pem, "SNI_ONLY");
  await world.run(authorities.updateCACertificate, { certificateId, newStatus: "ACTIVE" });
  const device = await world.makeDevice(other);
  const registered = await world.run(authorities.registerCertificate, {
    certificatePem: device.pem,
    caCertificatePem: other.pem,
  });
  const description = await world.run(world.registry.describeCertificate, { certificateId: registered.certificateId });
  const { certificateMode, caCertificateId, status } = description.certificateDescription;
  assert.deepEqual([certificateMode, caCertificateId, status], ["SNI_ONLY", certificateId, "INACTIVE"]);
});

test("what is no CA is not registered as one", async () => {
  const world = await openAuthoritiesWorld();
  const { registrationCode } = await world.run(world.authorities.getRegistrationCode, {});
  const attempt = async (ca: TestCa, caCertificate = ca.pem) => {
    const verification = await world.makeDevice(ca, { subject: [["CN", registrationCode]] });
    const verificationCertificate = verification.pem;
    return world.run(world.authorities.registerCACertificate, { caCertificate, verificationCertificate });
  };
  await assert.rejects(attempt(await world.makeCa({ isCa: false })), has("CERTIFICATE_INVALID", /CA:TRUE/));
  const expired = await world.makeCa({ notAfter: Date.UTC(2025, 5, 1) / 1000 });
  await assert.rejects(attempt(expired), has("CERTIFICATE_INVALID", /not valid now: it expired/));
  const early = await world.makeCa({ notBefore: Date.UTC(2030, 0, 1) / 1000 });
  await assert.rejects(attempt(early), has("CERTIFICATE_INVALID", /valid from 2030/));
  const [one, two] = [await world.makeCa(), await world.makeCa()];
  await assert.rejects(attempt(one, one.pem + two.pem), has("CERTIFICATE_INVALID", /several certificates/));
  for (const pem of ["no PEM", one.privateKeyPem, one.pem.slice(0, 200)]) {
    await assert.rejects(attempt(one, pem), has("CERTIFICATE_INVALID"));
  }
  // A CA below another one is taken: who holds its key is what counts.
  const below = await world.makeDevice(one, { subject: [["CN", "Below"]], isCa: true });
  await attempt(below);
});

test(`${casPerSubjectMax} CAs may have one subject, also when all come at once`, async () => {
  const world = await openAuthoritiesWorld();
  const mode = { certificateMode: "SNI_ONLY" } as const;
  const pems = await Promise.all(Array.from({ length: casPerSubjectMax + 2 }, async () => (await world.makeCa()).pem));
  const results = await Promise.allSettled(
    pems.map((caCertificate) => world.run(world.authorities.registerCACertificate, { caCertificate, ...mode })),
  );
  const failures = results.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
  assert.equal(failures.length, 2);
  assert.ok(failures.every(has("QUOTA_EXCEEDED", /10 CA certificates with this subject/)));
  const { certificates = [] } = await world.run(world.authorities.listCACertificates, {});
  await world.run(world.authorities.deleteCACertificate, { certificateId: certificates[0]?.certificateId ?? "" });
  await world.run(world.authorities.registerCACertificate, { caCertificate: (await world.makeCa()).pem, ...mode });
});

test("a certificate is registered by the CA that signed it", async () => {
  const world = await openAuthoritiesWorld();
  const { authorities, registry } = world;
  const ca = await world.makeCa();
  const device = await world.makeDevice(ca, { subject: [["CN", "pump-7"]] });
  const register = (input: Partial<Parameters<typeof authorities.registerCertificate>[1]> = {}) =>
    world.run(authorities.registerCertificate, { certificatePem: device.pem, ...input });
  await assert.rejects(register(), has("CERTIFICATE_INVALID", /"O=Acme, CN=Acme CA", and no CA certificate/));
  const caCertificateId = await world.register(ca, { setAsActive: false });
  await assert.rejects(register(), has("CERTIFICATE_STATE_INVALID", /is INACTIVE/));
  await world.run(authorities.updateCACertificate, { certificateId: caCertificateId, newStatus: "ACTIVE" });
  await assert.rejects(
    register({ status: "PENDING_ACTIVATION" }),
    has("CERTIFICATE_STATE_INVALID", /^Not allowed to register certificate with PENDING_ACTIVATION status$/),
  );
  const forged = await world.makeDevice(await world.makeCa());
  await assert.rejects(
    register({ certificatePem: forged.pem }),
    has("CERTIFICATE_INVALID", /signature is not by the key/),
  );
  for (const [options, says] of [
    [{ notAfter: Date.UTC(2025, 5, 1) / 1000 }, /it expired/],
    [{ notBefore: Date.UTC(2030, 0, 1) / 1000 }, /from 2030/],
  ] as const) {
    const { pem: certificatePem } = await world.makeDevice(ca, options);
    await assert.rejects(register({ certificatePem }), has("CERTIFICATE_INVALID", says));
  }
  await world.takeEffects();
  const { certificateId } = await register({ setAsActive: true });
  assert.deepEqual(await world.takeEffects(), [], "RegisterCertificate publishes no event");
  const again = await register({ status: "ACTIVE" }).catch((error: unknown) => error);
  assert.ok(isThinglineError(again, "RESOURCE_EXISTS"));
  assert.equal(again.details["resourceId"], certificateId);
  const { certificateDescription } = await world.run(registry.describeCertificate, { certificateId });
  assert.equal(certificateDescription.status, "ACTIVE");
  assert.equal(certificateDescription.caCertificateId, caCertificateId);
  const principal = await loadPrincipal(world.store, scope, { certificateId, clientId: "x" });
  assert.deepEqual(principal?.certificate.origin, { source: "RegisterCertificate", atMs: world.clock.unixMs() });
  const listed = await world.run(registry.listCertificatesByCA, { caCertificateId });
  assert.deepEqual(
    listed.certificates.map((each) => each.certificateId),
    [certificateId],
  );
  // A CA that ends takes nothing with it.
  await world.run(authorities.updateCACertificate, { certificateId: caCertificateId, newStatus: "INACTIVE" });
  await world.run(authorities.deleteCACertificate, { certificateId: caCertificateId });
  assert.equal((await world.run(registry.listCertificatesByCA, { caCertificateId })).certificates.length, 1);
  await world.run(registry.updateCertificate, { certificateId, newStatus: "INACTIVE" });
  await world.run(registry.deleteCertificate, { certificateId });
  assert.equal((await world.run(registry.listCertificatesByCA, { caCertificateId })).certificates.length, 0);
});

test("of several CAs with one name the request says which one it means", async () => {
  const world = await openAuthoritiesWorld();
  const [one, two] = [await world.makeCa(), await world.makeCa()];
  const elsewhere = await world.makeCa({ subject: [["CN", "Elsewhere"]] });
  await world.register(one);
  const twoId = await world.register(two);
  await world.register(elsewhere);
  const device = await world.makeDevice(two);
  const register = (caCertificatePem?: string) =>
    world.run(world.authorities.registerCertificate, { certificatePem: device.pem, caCertificatePem });
  await assert.rejects(register(), has("CERTIFICATE_CONFLICT"));
  await assert.rejects(register(one.pem), has("CERTIFICATE_INVALID", /signature is not by the key/));
  await assert.rejects(register(elsewhere.pem), has("CERTIFICATE_INVALID", /another subject/));
  await assert.rejects(register((await world.makeCa()).pem), has("CERTIFICATE_INVALID", /not registered/));
  const { certificateId } = await register(two.pem);
  const { certificateDescription } = await world.run(world.registry.describeCertificate, { certificateId });
  assert.equal(certificateDescription.caCertificateId, twoId);
});
