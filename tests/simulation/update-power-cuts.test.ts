// Power is cut before and within every operation of the flash, before every write to a file and before every packet of a whole update: of a
// good image, of one that is ill, signed by somebody else, truncated, of the wrong version.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createVirtualRandom } from "@thingline/transport/virtual";
import { openUpdateHouse, type UpdateScenario } from "./power-cut-house.test.support.js";
import { type CutPoint, runUpdate } from "./power-cut-world.test.support.js";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
const seed = process.env["THINGLINE_SEED"] ?? "power";
/** `good-move flash 17 0.5, files 3`: this world alone, with all that happens in it. */
const replay = process.env["THINGLINE_CUTS"];
/** Power cuts of each scenario in a short run. */
const sampledCuts = 5;
/** Worlds in which power goes two or three times. */
const chainedWorlds = isLong ? 250 : 8;
/** How much of an operation of the flash takes place. */
const parts = [0, 0.35, 0.7];

const house = await openUpdateHouse();
after(() => house.close());
// What is loaded when it is first needed is loaded: virtual time does not wait for a module, so the first world is unlike all others.
for (const scenario of house.scenarios.slice(0, 1)) await runUpdate(house, scenario);

let cutCount = 0;
const pointsOfScenario = new Map<string, CutPoint[]>();
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

async function holds(scenario: UpdateScenario, cuts: readonly CutPoint[]): Promise<string> {
  const name = `${scenario.name} ${cuts.map((cut) => Object.values(cut).join(" ")).join(", ")}`;
  const run = await runUpdate(house, scenario, cuts);
  const told = `replay: THINGLINE_CUTS="${name}" node scripts/test.mjs --integration simulation/update-power-cuts`;
  const all = `${told}\n${run.trace.join("\n")}`;
  assert.deepEqual(run.violations, [], all);
  // The second of two cuts may come after the end.
  assert.ok(run.cutCount >= 1, `power was not cut; ${all}`);
  // A power cut while the new image is on trial makes the bootloader go back: then the job says so.
  const allowed = scenario.newVersion === undefined ? ["FAILED"] : ["SUCCEEDED", "FAILED"];
  assert.ok(allowed.includes(run.status), `${run.status}; ${all}`);
  const outcome = `${scenario.name}: ${run.status} ${run.reason}`.trim();
  outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  return all;
}

function parse(text: string): CutPoint {
  const [of = "", index = "", part = "0"] = text.trim().split(" ");
  assert.ok(of === "flash" || of === "files" || of === "packets");
  return of === "flash" ? { of, index: Number(index), part: Number(part) } : { of, index: Number(index) };
}

if (replay !== undefined) {
  test(replay, async (context) => {
    const [name = "", ...cuts] = replay.replace(" ", ",").split(",");
    const scenario = house.scenarios.find((each) => each.name === name);
    assert.ok(scenario !== undefined, `there is ${house.scenarios.map((each) => each.name).join(", ")}`);
    context.diagnostic(await holds(scenario, cuts.map(parse)));
  });
} else {
  for (const scenario of house.scenarios) {
    test(`${scenario.name}: power that goes anywhere leaves an image that runs, the truth, and a job that ends`, async () => {
      const points = await pointsOf(scenario);
      pointsOfScenario.set(scenario.name, points);
      const random = createVirtualRandom(`${seed} ${scenario.name}`);
      const pick = (): CutPoint => points[random.integer(points.length)] as CutPoint;
      const cuts = isLong ? points : Array.from({ length: sampledCuts }, pick);
      for (const cut of cuts) await holds(scenario, [cut]);
      cutCount += cuts.length;
    });
  }

  test("so many points there are", (context) => {
    context.diagnostic(`${cutCount} power cuts, each at another point`);
    for (const [outcome, count] of [...outcomes].sort()) context.diagnostic(`${count} times ${outcome}`);
    if (isLong) assert.ok(cutCount >= 3_000, `${cutCount} points`);
  });

  test("power that goes again and again changes nothing of it", async (context) => {
    outcomes.clear();
    const random = createVirtualRandom(`${seed} again`);
    // Before operations of the flash only: what MCUboot does not survive takes two cuts, one of them within a write of a trailer.
    const again = (): CutPoint => {
      const of = (["flash", "flash", "files", "packets"] as const)[random.integer(4)] ?? "flash";
      return of === "flash" ? { of, index: 1 + random.integer(60), part: 0 } : { of, index: 1 + random.integer(15) };
    };
    for (let world = 0; world < chainedWorlds; world++) {
      const scenario = house.scenarios[random.integer(house.scenarios.length)] as UpdateScenario;
      const points = pointsOfScenario.get(scenario.name) ?? [];
      const first = { ...(points[random.integer(points.length)] as CutPoint), part: 0 };
      await holds(scenario, [first, ...Array.from({ length: 1 + random.integer(2) }, again)]);
    }
    for (const [outcome, count] of [...outcomes].sort()) context.diagnostic(`${count} times ${outcome}`);
  });
}
