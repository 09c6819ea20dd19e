// Power is cut before and within every operation of the flash, before every write to a file and before every packet of a whole update: of a
// good image, of one that is ill, signed by somebody else, truncated, of the wrong version.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createVirtualRandom } from "@thingline/transport/virtual";
import { type CutPoint, openUpdateHouse, runUpdate, type UpdateScenario } from "./power-cut-world.test.support.js";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
const seed = process.env["THINGLINE_SEED"] ?? "power";
/** `good-move flash 17 0.5`: this world alone, with all that happens in it. */
const replay = process.env["THINGLINE_CUT"];
/** Power cuts of each scenario in a short run. */
const sampledCuts = 5;
/** How much of an operation of the flash takes place. */
const parts = [0, 0.35, 0.7];

const house = await openUpdateHouse();
after(() => house.close());
// What is loaded when it is first needed is loaded: virtual time does not wait for a module, so the first world is unlike all others.
for (const scenario of house.scenarios.slice(0, 1)) await runUpdate(house, scenario);

let cutCount = 0;
const outcomes = new Map<string, number>();

/** Every point of an update without a power cut. */
async function pointsOf(scenario: UpdateScenario): Promise<CutPoint[]> {
  const { counts, violations, status, trace } = await runUpdate(house, scenario);
  assert.deepEqual(violations, [], trace.join("\n"));
  assert.equal(status, scenario.newVersion === undefined ? "FAILED" : "SUCCEEDED", trace.join("\n"));
  const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);
  return [
    ...upTo(counts.flash).flatMap((index) => parts.map((part): CutPoint => ({ of: "flash", index, part }))),
    ...upTo(counts.files).map((index): CutPoint => ({ of: "files", index })),
    ...upTo(counts.packets).map((index): CutPoint => ({ of: "packets", index })),
  ];
}

async function holds(scenario: UpdateScenario, cut: CutPoint): Promise<string> {
  const name = `${scenario.name} ${Object.values(cut).join(" ")}`;
  const run = await runUpdate(house, scenario, cut);
  const told = `replay: THINGLINE_CUT="${name}" node scripts/test.mjs --integration simulation/update-power-cuts`;
  const all = `${told}\n${run.trace.join("\n")}`;
  assert.deepEqual(run.violations, [], all);
  assert.ok(run.isCut, `power was not cut; ${all}`);
  // A power cut while the new image is on trial makes the bootloader go back: then the job says so.
  const allowed = scenario.newVersion === undefined ? ["FAILED"] : ["SUCCEEDED", "FAILED"];
  assert.ok(allowed.includes(run.status), `${run.status}; ${all}`);
  cutCount += 1;
  const outcome = `${scenario.name}: ${run.status} ${run.reason}`.trim();
  outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  return all;
}

if (replay !== undefined) {
  test(replay, async (context) => {
    const [name = "", of = "", index = "", part = "0"] = replay.split(" ");
    const scenario = house.scenarios.find((each) => each.name === name);
    assert.ok(scenario !== undefined, `there is ${house.scenarios.map((each) => each.name).join(", ")}`);
    assert.ok(of === "flash" || of === "files" || of === "packets");
    const at = { index: Number(index) };
    context.diagnostic(await holds(scenario, of === "flash" ? { of, ...at, part: Number(part) } : { of, ...at }));
  });
} else {
  for (const scenario of house.scenarios) {
    test(`${scenario.name}: power that goes anywhere leaves an image that runs, the truth, and a job that ends`, async () => {
      const points = await pointsOf(scenario);
      const random = createVirtualRandom(`${seed} ${scenario.name}`);
      const pick = (): CutPoint => points[random.integer(points.length)] as CutPoint;
      const cuts = isLong ? points : Array.from({ length: sampledCuts }, pick);
      for (const cut of cuts) await holds(scenario, cut);
    });
  }

  test("so many points there are", (context) => {
    context.diagnostic(`${cutCount} power cuts, each at another point`);
    for (const [outcome, count] of [...outcomes].sort()) context.diagnostic(`${count} times ${outcome}`);
    if (isLong) assert.ok(cutCount >= 3_000, `${cutCount} points`);
  });
}
