import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { createVirtualRandom, type FlashPowerLoss, type VirtualFlash } from "@thingline/transport/virtual";
import type { Random } from "@thingline/transport";
import {
  bootloaderOf,
  flashWith,
  type Geometry,
  imageOverheadBytes,
  requestUpdate,
  roomOf,
  smallGeometry,
  unsignedImage,
} from "./boot-world.test.support.js";
import type { BootReport } from "./report.js";

const scenarios = ["test", "permanent", "revert"] as const;
type Scenario = (typeof scenarios)[number];

interface Plan extends Geometry {
  scenario: Scenario;
  /** Of the payloads. */
  oldBytes: number;
  newBytes: number;
}

/** A flash on which the next boot has something to do. */
async function flashBefore(plan: Plan, random?: Random): Promise<VirtualFlash> {
  const flash = await flashWith(plan, unsignedImage({ major: 1, payloadBytes: plan.oldBytes }), random);
  const image = unsignedImage({ major: 2, payloadBytes: plan.newBytes });
  await requestUpdate(flash, plan, image, { isPermanent: plan.scenario === "permanent" });
  if (plan.scenario !== "revert") return flash;
  const { swapType } = await bootloaderOf(flash, plan).boot();
  assert.equal(swapType, "test");
  return flash;
}

interface Booted {
  flash: VirtualFlash;
  report: BootReport;
  cutCount: number;
}

/** Boots, again and again, until the power stays. */
async function bootThrough(start: VirtualFlash, plan: Plan, cuts: readonly FlashPowerLoss[]): Promise<Booted> {
  let [flash, cutCount] = [start, 0];
  for (const powerLoss of cuts) {
    flash = flash.restart({ powerLoss });
    try {
      await bootloaderOf(flash, plan).boot();
    } catch (error) {
      if (!isThinglineError(error, "FLASH_FAILED")) throw error;
      cutCount += 1;
    }
  }
  flash = flash.restart();
  return { flash, report: await bootloaderOf(flash, plan).boot(), cutCount };
}

/** What runs after a boot, and after the one that follows when nobody confirms. */
async function outcomeOf({ flash, report }: Booted, plan: Plan): Promise<string> {
  const next = await bootloaderOf(flash.restart(), plan).boot();
  return `${short(report)}, then ${short(next)}`;
}

const short = ({ runs }: BootReport): string =>
  runs === undefined ? "nothing" : `${runs.version}${runs.isOnTrial ? " on trial" : ""}`;

const expected: Record<Scenario, string> = {
  test: "2.0.0+0 on trial, then 1.0.0+0",
  permanent: "2.0.0+0, then 2.0.0+0",
  revert: "1.0.0+0, then 1.0.0+0",
};
/** When the last byte of a swap was written, the next boot is one too many for an image that nobody confirmed. */
const revertedAtOnce = "1.0.0+0, then 1.0.0+0";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
const seed = process.env["THINGLINE_SEED"] ?? "swap";

/** How much of the operation in which power goes takes place. */
const parts = isLong ? [0, 0.25, 0.5, 0.95] : [0, 0.5];

/**
 * Cuts the power once, before and within operations of a boot that has something to do, and boots until it is done.
 *
 * @param wanted which operations; left out, all of them
 * @returns how many cuts there were
 */
async function cutOnce(plan: Plan, wanted?: (operations: number) => number[]): Promise<number> {
  const start = await flashBefore(plan);
  const whole = await bootThrough(start, plan, []);
  const operations = whole.flash.operationCount;
  assert.equal(await outcomeOf(whole, plan), expected[plan.scenario], JSON.stringify(plan));
  const chosen = wanted?.(operations) ?? Array.from({ length: operations }, (_, index) => index + 1);
  for (const atOperation of chosen) {
    for (const part of parts) {
      const cut = await bootThrough(start, plan, [{ atOperation, part }]);
      assert.equal(cut.cutCount, 1);
      const outcome = await outcomeOf(cut, plan);
      const isOver = atOperation === operations && plan.scenario === "test" && outcome === revertedAtOnce;
      const replay = `cut at ${atOperation} of ${operations}, part ${part}, of ${JSON.stringify(plan)}`;
      if (!isOver) assert.equal(outcome, expected[plan.scenario], replay);
    }
  }
  return chosen.length * parts.length;
}

for (const mode of ["move", "scratch", "offset"] as const) {
  for (const scenario of scenarios) {
    test(`swap using ${mode}: ${scenario}, with the power cut before and within every operation`, async () => {
      await cutOnce({ ...smallGeometry(mode), scenario, oldBytes: 1_300, newBytes: 1_900 });
    });
  }
}

/** Sizes, alignments and images of any kind that fit. */
function randomPlan(random: Random): Plan {
  const pick = <T>(values: readonly T[]): T => values[random.integer(values.length)] as T;
  for (;;) {
    const geometry = {
      mode: pick(["move", "scratch", "offset"] as const),
      pageBytes: pick([256, 512, 1_024]),
      writeBytes: pick([1, 4, 8, 16]),
      sectors: 4 + random.integer(7),
      sectorsMax: 12,
      scratchSectors: 1 + random.integer(2),
    };
    const room = roomOf(geometry) - imageOverheadBytes;
    if (room < 1) continue;
    // The largest one often: it comes closest to the trailer.
    const payload = (): number => (random.integer(4) === 0 ? room : 1 + random.integer(room));
    return { ...geometry, scenario: pick(scenarios), oldBytes: payload(), newBytes: payload() };
  }
}

test("slots, pages, write units and images of any size survive a power cut", async (context) => {
  const random = createVirtualRandom(seed);
  let cuts = 0;
  for (let round = 0; round < (isLong ? 100 : 8); round++) {
    const sample = (operations: number): number[] => Array.from({ length: 6 }, () => 1 + random.integer(operations));
    cuts += await cutOnce(randomPlan(random), isLong ? undefined : sample);
  }
  context.diagnostic(`${cuts} power cuts, one in each update`);
});

test("after power cuts in several boots in a row a whole image runs, the old one or the new", async (context) => {
  const random = createVirtualRandom(`${seed}, in a row`);
  const outcomes: Record<string, number> = {};
  for (let round = 0; round < (isLong ? 5_000 : 200); round++) {
    const plan = randomPlan(random);
    const start = await flashBefore(plan, random);
    const cuts = Array.from({ length: 2 + random.integer(3) }, () => ({
      atOperation: 1 + random.integer(random.integer(2) === 0 ? 12 : 60),
      part: random.integer(2) === 0 ? 0 : 0.5,
    }));
    const booted = await bootThrough(start, plan, cuts);
    const outcome = await outcomeOf(booted, plan);
    assert.match(outcome, /^[12]\.0\.0\+0( on trial)?, then [12]\.0\.0\+0$/, JSON.stringify({ plan, cuts }));
    const kind = `${plan.scenario}: ${outcome}`;
    outcomes[kind] = (outcomes[kind] ?? 0) + 1;
  }
  context.diagnostic(JSON.stringify(outcomes));
});
