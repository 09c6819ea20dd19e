import assert from "node:assert/strict";
import { after, test } from "node:test";
import {
  type CutPoint,
  openRotationHouse,
  type RotationHouse,
  type RotationRun,
  type RotationScenario,
  rotationTemplate,
  runRotation,
} from "./rotation-world.test.support.js";

const isLong = process.env["THINGLINE_TEST_LONG"] !== undefined;
/** The keys of one house are counted: a rotation takes one, and one more for each cut. */
const runsOfHouse = 30;

let house: RotationHouse | undefined;
let runs = 0;

async function run(scenario: RotationScenario, cuts: readonly CutPoint[] = []): Promise<RotationRun> {
  if (runs++ % runsOfHouse === 0) {
    await house?.close();
    house = await openRotationHouse();
  }
  return runRotation(house!, scenario, cuts);
}

after(() => house?.close());

const fleet = { kind: "fleet", template: rotationTemplate } as const;
const scenarios: readonly RotationScenario[] = [
  { name: "a request of the device, native TLS", method: { ...fleet, keys: "csr" }, isModem: false },
  { name: "a request of the device, as in a modem", method: { ...fleet, keys: "csr" }, isModem: true },
  { name: "keys of the cloud, native TLS", method: { ...fleet, keys: "cloud", format: "json" }, isModem: false },
  { name: "split messages, native TLS", method: { kind: "split" }, isModem: false },
  { name: "split messages, as in a modem", method: { kind: "split" }, isModem: true },
];

for (const scenario of scenarios) {
  test(`${scenario.name}: a power cut at any write or packet leaves a device that rotates`, async (t) => {
    const whole = await run(scenario);
    assert.deepEqual(whole.violations, [], whole.trace.join("\n"));
    assert.equal(whole.orphans, 0);
    const cuts: CutPoint[] = (["files", "packets"] as const).flatMap((of) =>
      Array.from({ length: whole.counts[of] }, (_, at) => ({ of, index: at + 1 })),
    );
    const step = isLong ? 1 : 41;
    let cutCount = 0;
    let orphans = 0;
    for (let at = 0; at < cuts.length; at += step) {
      const cut = cuts[at]!;
      const result = await run(scenario, [cut]);
      assert.deepEqual(result.violations, [], `cut at ${cut.of} ${cut.index}\n${result.trace.join("\n")}`);
      cutCount += result.cutCount;
      orphans += result.orphans;
    }
    t.diagnostic(`${cutCount} power cuts of ${cuts.length} points, ${orphans} certificates left unproved`);
  });
}
