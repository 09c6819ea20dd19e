import assert from "node:assert/strict";
import { test } from "node:test";
import { openServiceWorld, scope, type ServiceWorld } from "../world.test.support.js";
import { listCertificateLives } from "./certificate-lives.js";
import { addCertificate } from "./issued-certificates.js";
import { certificateLivesPageMax, lastConnectionKeptMs, registryKeys, type CertificateRecord } from "./model.js";
import { recordConnection } from "./proofs.js";

const rotationOverlapMs = 60_000;

async function openWorld() {
  const world = await openServiceWorld();
  const entry = (id: string) => world.store.get<CertificateRecord>(registryKeys.certificate(scope, id));
  return {
    ...world,
    entry,
    record: async (id: string) => (await entry(id))?.value,
    connect: (certificateId: string) => world.run(recordConnection, { certificateId, rotationOverlapMs }),
  };
}

/** @param askedWith the certificate of the device that asked */
async function issue(world: ServiceWorld, { thingName, askedWith }: { thingName?: string; askedWith?: string } = {}) {
  const { publicKeyPem } = await world.keys.generate("ec-p256");
  const issued = await world.issuer.issueForKey({ publicKeyPem, nowMs: world.clock.unixMs() });
  const origin = { source: "rotation" as const, ...(askedWith !== undefined && { claimCertificateId: askedWith }) };
  await world.run(addCertificate, { issued, status: "ACTIVE", origin, ...(thingName !== undefined && { thingName }) });
  return issued.certificateId;
}

test("the first connection proves a certificate, and later ones are written once a day", async () => {
  const world = await openWorld();
  const id = await issue(world);
  assert.equal((await world.record(id))?.provedAtMs, null, "issued and never proved");
  const provedAtMs = world.clock.unixMs();
  assert.deepEqual(await world.connect(id), { type: "proved", replaced: undefined });
  const first = await world.entry(id);
  assert.deepEqual([first?.value.provedAtMs, first?.value.lastConnectedAtMs], [provedAtMs, provedAtMs]);
  for (let hour = 1; hour < 24; hour++) {
    await world.clock.advance(3_600_000);
    assert.deepEqual(await world.connect(id), { type: "none" });
  }
  assert.equal((await world.entry(id))?.revision, first?.revision, "nothing was written");
  await world.clock.advance(3_600_000);
  await world.connect(id);
  const later = await world.record(id);
  assert.deepEqual([later?.provedAtMs, later?.lastConnectedAtMs], [provedAtMs, provedAtMs + lastConnectionKeptMs]);
  assert.equal(later?.modifiedAtMs, later?.createdAtMs, "a connection modifies no certificate");
});

test("a record of a version that kept no proofs is not taken for one that was never proved", async () => {
  const world = await openWorld();
  const id = await issue(world);
  const { provedAtMs: _none, ...old } = (await world.record(id))!;
  await world.store.commit([{ key: registryKeys.certificate(scope, id), value: old }]);
  const [before] = (await world.run(listCertificateLives, {})).certificates;
  assert.equal(before !== undefined && "provedAtMs" in before, false);
  await world.connect(id);
  const [after] = (await world.run(listCertificateLives, {})).certificates;
  assert.equal(after?.provedAtMs, world.clock.unixMs());
});

test("a certificate that is gone is no news", async () => {
  const world = await openWorld();
  assert.deepEqual(await world.connect("a".repeat(64)), { type: "none" });
});

test("the certificate that a thing asked with is INACTIVE one overlap after the new one has connected", async () => {
  const world = await openWorld();
  await world.run(world.registry.createThing, { thingName: "pump-7" });
  const old = await issue(world, { thingName: "pump-7" });
  await world.connect(old);
  const fresh = await issue(world, { thingName: "pump-7", askedWith: old });
  await world.clock.advance(rotationOverlapMs * 3);
  assert.equal((await world.record(old))?.status, "ACTIVE", "not before the new one is proved");
  const atMs = world.clock.unixMs();
  const inactiveAtMs = atMs + rotationOverlapMs;
  assert.deepEqual(await world.connect(fresh), {
    type: "proved",
    replaced: { certificateId: fresh, atMs, inactiveAtMs, oldCertificateId: old },
  });
  await world.clock.advance(rotationOverlapMs - 1);
  assert.equal((await world.record(old))?.status, "ACTIVE");
  await world.takeEffects();
  await world.clock.advance(1);
  await world.runner.idle();
  assert.equal((await world.record(old))?.status, "INACTIVE");
  assert.equal((await world.record(fresh))?.status, "ACTIVE");
  assert.deepEqual(await world.takeEffects(), [{ type: "recheckPrincipal", certificateId: old }]);
});

test("a cloud that is killed within the overlap ends it after its restart", async () => {
  const world = await openWorld();
  await world.run(world.registry.createThing, { thingName: "pump-7" });
  const old = await issue(world, { thingName: "pump-7" });
  await world.connect(await issue(world, { thingName: "pump-7", askedWith: old }));
  await world.runner.close();
  await world.clock.advance(rotationOverlapMs * 2);
  await world.restart();
  await world.clock.advance(1);
  assert.equal((await world.record(old))?.status, "INACTIVE");
});

test("a thing whose new certificate was taken away keeps its old one, which can be replaced again", async () => {
  const world = await openWorld();
  await world.run(world.registry.createThing, { thingName: "pump-7" });
  const old = await issue(world, { thingName: "pump-7" });
  const first = await issue(world, { thingName: "pump-7", askedWith: old });
  await world.connect(first);
  await world.run(world.registry.updateCertificate, { certificateId: first, newStatus: "REVOKED" });
  await world.clock.advance(rotationOverlapMs);
  await world.runner.idle();
  const kept = await world.record(old);
  assert.deepEqual([kept?.status, kept?.replacedBy], ["ACTIVE", undefined]);
  await world.connect(await issue(world, { thingName: "pump-7", askedWith: old }));
  await world.clock.advance(rotationOverlapMs);
  await world.runner.idle();
  assert.equal((await world.record(old))?.status, "INACTIVE");
});

test("a device that goes back within the overlap keeps its old certificate, until the new one connects again", async () => {
  const world = await openWorld();
  await world.run(world.registry.createThing, { thingName: "pump-7" });
  const old = await issue(world, { thingName: "pump-7" });
  await world.connect(old);
  const fresh = await issue(world, { thingName: "pump-7", askedWith: old });
  await world.connect(fresh);
  const connectedAtMs = world.clock.unixMs() - 1;
  const late = { certificateId: old, connectedAtMs, rotationOverlapMs };
  assert.deepEqual(await world.run(recordConnection, late), { type: "none" }, "an event of before, told late");
  await world.clock.advance(10);
  assert.deepEqual(await world.connect(old), { type: "withdrawn", successorId: fresh });
  await world.clock.advance(rotationOverlapMs);
  await world.runner.idle();
  const [kept, unproved] = [await world.record(old), await world.record(fresh)];
  assert.deepEqual([kept?.status, kept?.replacedBy, unproved?.provedAtMs], ["ACTIVE", undefined, null]);
  const news = await world.connect(fresh);
  assert.equal(news.type === "proved" && news.replaced?.oldCertificateId, old);
  await world.clock.advance(rotationOverlapMs);
  await world.runner.idle();
  assert.equal((await world.record(old))?.status, "INACTIVE");
});

test("a claim is not replaced by what was asked for with it, nor a certificate of another thing", async () => {
  const world = await openWorld();
  for (const thingName of ["pump-7", "pump-8"]) await world.run(world.registry.createThing, { thingName });
  const claim = await issue(world);
  assert.deepEqual(await world.connect(await issue(world, { thingName: "pump-7", askedWith: claim })), {
    type: "proved",
    replaced: undefined,
  });
  const other = await issue(world, { thingName: "pump-8" });
  assert.deepEqual(await world.connect(await issue(world, { thingName: "pump-7", askedWith: other })), {
    type: "proved",
    replaced: undefined,
  });
});

test("lives are listed page by page, in the order in which the certificates were made", async () => {
  const world = await openWorld();
  await world.run(world.registry.createThing, { thingName: "pump-7" });
  const ids: string[] = [];
  for (let count = 0; count < 5; count++) {
    ids.push(await issue(world, { thingName: "pump-7" }));
    await world.clock.advance(1);
  }
  const seen: string[] = [];
  let nextToken: string | undefined;
  do {
    const page = await world.run(listCertificateLives, { pageSize: 2, ...(nextToken !== undefined && { nextToken }) });
    assert.ok(page.certificates.length <= 2);
    for (const { certificateId, thingNames } of page.certificates) {
      seen.push(certificateId);
      assert.deepEqual(thingNames, ["pump-7"]);
    }
    ({ nextToken } = page);
  } while (nextToken !== undefined);
  assert.deepEqual(seen, ids);
  for (const pageSize of [0, certificateLivesPageMax + 1, NaN, 1.5]) {
    await assert.rejects(world.run(listCertificateLives, { pageSize }), { code: "REQUEST_INVALID" });
  }
});
