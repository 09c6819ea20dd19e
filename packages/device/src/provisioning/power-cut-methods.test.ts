// Power cuts before and after every effect of every way of provisioning, against a model of the service.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualRandom } from "@thingline/transport/virtual";
import { type ProvisioningMethod, wayOf } from "./method.js";
import { claimTag, type Cut, deviceTag, makeWorld, pki, type World } from "./world.test.support.js";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
const random = createVirtualRandom(process.env["THINGLINE_SEED"] ?? "power cut of methods");
/** One of so many points is cut in a short run. */
const sampleStep = isLong ? 1 : 13;

const template = "line-1";
const methods: readonly ProvisioningMethod[] = [
  { kind: "split", keys: "csr" },
  { kind: "split", keys: "modem" },
  { kind: "fleet", template, keys: "cloud" },
  { kind: "fleet", template, keys: "csr" },
  { kind: "fleet", template, keys: "modem" },
];
/** Power is back while a token holds, or when it holds no more. */
const pauses = [60_000, 3_600_000] as const;

function makeMethodWorld(method: ProvisioningMethod, seed: string): World {
  const world = makeWorld(seed);
  world.store.isWritableOnline = method.kind === "fleet" && method.keys === "cloud";
  return world;
}

async function pointsOf(method: ProvisioningMethod): Promise<Cut[]> {
  const world = makeMethodWorld(method, "points");
  await (await world.provision({ method })).device.disconnect();
  return world.points.map(({ index, when }) => ({ index, when }));
}

async function checkRecovery(world: World, method: ProvisioningMethod, cuts: number, replay: string): Promise<void> {
  const { device, certificateId, history } = await world.provision({ method });
  assert.deepEqual(world.violations, [], replay);
  const inUse = world.fleet.issued.find(({ id }) => id === certificateId);
  assert.equal(inUse?.status, "ACTIVE", replay);
  assert.equal(world.store.contentOf(deviceTag).certificate, inUse?.pem, replay);
  assert.equal(world.store.contentOf(deviceTag).ca, pki.ca.certificatePem, replay);
  assert.equal(Object.keys(world.store.contentOf(claimTag)).length, 3, replay);
  assert.doesNotMatch(world.progressText(), /PRIVATE KEY|token-/u, replay);

  const orphans = world.fleet.orphansBut(certificateId);
  assert.ok(orphans.length <= cuts, `${replay}: ${orphans.length} orphans`);
  // What RegisterThing made active is never lost: key and token were kept before it was called.
  if (method.kind === "fleet") assert.deepEqual(orphans, [], replay);
  const unknown = world.fleet.issued.filter(({ id }) => !history.some((entry) => entry.certificateId === id));
  const unanswered = history.filter((entry) => entry.certificateId === undefined);
  assert.ok(unknown.length <= unanswered.length, `${replay}: a certificate that no request explains`);
  assert.ok(
    history.every(({ outcome }) => outcome === "provisioned" || outcome === "discarded"),
    replay,
  );
  await device.disconnect();
  assert.equal(world.clock.timerCount, 0, replay);
  const again = await world.provision({ method });
  assert.equal(again.isNew, false, replay);
  await again.device.disconnect();
}

let cutCount = 0;

for (const method of methods) {
  const name = wayOf(method);

  test(`${name} survives a power cut before and after every effect, for a minute or for an hour`, async (t) => {
    const points = await pointsOf(method);
    const all = points.flatMap((cut) => pauses.map((pauseMs) => ({ cut, pauseMs })));
    const first = random.integer(sampleStep);
    for (const { cut, pauseMs } of all.filter((_point, at) => at % sampleStep === first)) {
      const replay = `${name}, cut ${cut.when} effect ${cut.index}, off for ${pauseMs} ms`;
      const world = makeMethodWorld(method, replay);
      assert.equal(await world.provisionUntil(cut, { method }), true, replay);
      await world.restart(pauseMs);
      await checkRecovery(world, method, 1, replay);
      assert.ok(world.fleet.issued.length <= 2, `${replay}: ${world.fleet.issued.length} certificates`);
      cutCount += 1;
    }
    t.diagnostic(`${all.length} points`);
  });
}

test("power that goes again and again, at any effect, leaves a device that is provisioned in the end", async (t) => {
  const worlds = isLong ? 1_200 : 6;
  for (let at = 0; at < worlds; at++) {
    const method = methods[at % methods.length]!;
    const points = await pointsOf(method);
    const cuts = Array.from({ length: 2 + random.integer(3) }, () => points[random.integer(points.length)]!);
    const replay = `${wayOf(method)}, ${cuts.map(({ when, index }) => `${when} ${index}`).join(", ")}`;
    const world = makeMethodWorld(method, replay);
    for (const cut of cuts) {
      // A run may be over before its cut.
      await world.provisionUntil(cut, { method });
      await world.restart(pauses[random.integer(2)]);
      cutCount += 1;
    }
    await checkRecovery(world, method, cuts.length, replay);
  }
  t.diagnostic(`${cutCount} power cuts in all`);
});
