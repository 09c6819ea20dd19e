import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualRandom } from "@thingline/transport/virtual";
import { provisionDevice } from "./provision.js";
import { claimTag, type Cut, deviceTag, makeWorld, pki, type World } from "./world.test.support.js";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";

/** One of so many points is cut in a short run, all of them in a long one; a seed says which. */
const sampleStep = isLong ? 1 : 3;
const sampled = createVirtualRandom(process.env["THINGLINE_SEED"] ?? "power cut").integer(sampleStep);

type Prepare = (world: World) => Promise<void>;

/** Every point of an uninterrupted run in a world like this. */
async function pointsOf(prepare: Prepare): Promise<Cut[]> {
  const world = makeWorld();
  await prepare(world);
  world.points.length = 0;
  await (await world.provision()).device.disconnect();
  return world.points.map(({ index, when }) => ({ index, when }));
}

async function checkRecovery(world: World, replay: string): Promise<void> {
  const { device, certificateId, secTag } = await world.provision();
  assert.deepEqual(world.violations, [], replay);
  assert.equal(secTag, deviceTag, replay);
  assert.ok(
    world.cloud.issued.some(({ id, isActive }) => id === certificateId && isActive),
    replay,
  );
  const content = world.store.contentOf(deviceTag);
  const issued = world.cloud.issued.find(({ id }) => id === certificateId);
  assert.equal(content.privateKey, issued?.certificate.privateKeyPem, replay);
  assert.equal(content.ca, pki.ca.certificatePem, replay);
  assert.equal(Object.keys(world.store.contentOf(claimTag)).length, 3, replay);
  assert.doesNotMatch(world.progressText(), /PRIVATE KEY/, replay);

  const history = world.progress()["history"] as { certificateId?: string; outcome: string }[];
  const unknown = world.cloud.issued.filter(({ id }) => !history.some((entry) => entry.certificateId === id));
  const unanswered = history.filter((entry) => entry.certificateId === undefined);
  assert.ok(unknown.length <= unanswered.length, `${replay}: a certificate that no request explains`);
  assert.equal(history.filter(({ outcome }) => outcome === "provisioned").length >= 1, true, replay);
  assert.ok(
    history.every(({ outcome }) => outcome === "provisioned" || outcome === "discarded"),
    replay,
  );
  await device.disconnect();
  assert.equal(world.clock.timerCount, 0, replay);

  // From here on nothing is asked for any more.
  const requests = world.cloud.requestCount;
  const again = await world.provision();
  assert.equal(again.isNew, false, replay);
  assert.equal(world.cloud.requestCount, requests, replay);
  await again.device.disconnect();
}

const nothing: Prepare = async () => undefined;
const revoked: Prepare = async (world) => {
  await (await world.provision()).device.disconnect();
  for (const issued of world.cloud.issued) issued.isActive = false;
};

for (const [name, prepare] of [
  ["a first provisioning", nothing],
  ["a provisioning after the certificate was revoked", revoked],
] as const) {
  test(`${name} survives a power cut before and after every effect`, async () => {
    const points = await pointsOf(prepare);
    assert.ok(points.length > 40, `only ${points.length} points`);
    for (const cut of points.filter((_point, at) => at % sampleStep === sampled)) {
      const replay = `${name}, cut ${cut.when} effect ${cut.index}`;
      const world = makeWorld(replay);
      await prepare(world);
      const before = world.cloud.requestCount;
      assert.equal(await world.provisionUntil(cut), true, replay);
      await world.restart();
      await checkRecovery(world, replay);
      assert.ok(world.cloud.requestCount - before <= 2, `${replay}: ${world.cloud.requestCount - before} requests`);
    }
  });
}

test("two power cuts in a row, the second during the recovery from the first, are survived", async () => {
  const points = await pointsOf(nothing);
  const random = createVirtualRandom("two cuts");
  const pairs = isLong
    ? points.flatMap((first) => points.map((second) => [first, second] as const))
    : Array.from({ length: 60 }, () => [points[random.integer(points.length)], points[random.integer(points.length)]]);
  for (const [first, second] of pairs) {
    assert.ok(first && second);
    const replay = `cut ${first.when} effect ${first.index}, then ${second.when} effect ${second.index}`;
    const world = makeWorld(replay);
    assert.equal(await world.provisionUntil(first), true, replay);
    await world.restart();
    // The second run may be over before the second cut.
    await world.provisionUntil(second);
    await world.restart();
    await checkRecovery(world, replay);
    assert.ok(world.cloud.requestCount <= 3, `${replay}: ${world.cloud.requestCount} requests`);
  }
});

test("a power cut while the progress is being replaced leaves the old one or the new one", async () => {
  const counting = makeWorld();
  await (await counting.provision()).device.disconnect();
  const { writeCount } = counting.files;
  assert.ok(writeCount >= 12);
  for (let write = 1; write <= writeCount; write++) {
    const replay = `cut before write ${write} to the disk`;
    const world = makeWorld(replay);
    const off = new Promise<void>((resolve) => {
      world.files = world.files.restart({
        powerLossBeforeWrite: write,
        onPowerLoss: () => {
          world.isPowered = false;
          resolve();
        },
      });
    });
    const run = provisionDevice(world.options()).then(({ device }) => device.disconnect());
    run.catch(() => undefined);
    await world.clock.until(Promise.race([run, off]));
    await world.restart();
    await checkRecovery(world, replay);
  }
});
