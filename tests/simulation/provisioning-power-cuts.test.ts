// Power is cut before every write to a file, of progress or of credentials, and before every packet of a whole provisioning, by every method and
// over both ways of TLS, against the whole local cloud.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createVirtualRandom } from "@thingline/transport/virtual";
import { pausesMs, ProvisioningWorlds, scenarios } from "./provisioning-scenarios.test.support.js";

const isLong = process.env["THINGLINE_TEST_LONG"] !== undefined;
const random = createVirtualRandom(process.env["THINGLINE_SEED"] ?? "provisioning");
/** Power cuts of each scenario in a short run. */
const sampledCuts = 1;

const worlds = new ProvisioningWorlds();
after(() => worlds.close());

for (const scenario of scenarios) {
  test(`${scenario.name}: power that goes anywhere leaves a device that is provisioned`, async (t) => {
    const points = await worlds.points(scenario);
    const all = points.flatMap((point) => pausesMs.map((offMs) => ({ ...point, offMs })));
    const cuts = isLong ? all : Array.from({ length: sampledCuts }, () => all[random.integer(all.length)]!);
    let orphans = 0;
    for (const cut of cuts) orphans += (await worlds.holds(scenario, [cut])).orphans;
    t.diagnostic(`${cuts.length} of ${all.length} power cuts, ${orphans} certificates that nobody uses`);
  });
}

test("so many points there are", (t) => {
  t.diagnostic(`${worlds.cutCount} power cuts, each at another point`);
  if (isLong) assert.ok(worlds.cutCount >= 820, `${worlds.cutCount} power cuts`);
});
