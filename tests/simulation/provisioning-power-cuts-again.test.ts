// Power that goes two to four times while a device is provisioned, by any method, for a moment or for longer than an ownership token holds.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createVirtualRandom } from "@thingline/transport/virtual";
import { pausesMs, ProvisioningWorlds, scenarios } from "./provisioning-scenarios.test.support.js";

const isLong = process.env["THINGLINE_TEST_LONG"] !== undefined;
const random = createVirtualRandom(process.env["THINGLINE_SEED"] ?? "provisioning again");
const worldCount = isLong ? 720 : 2;

const worlds = new ProvisioningWorlds();
after(() => worlds.close());

test("power that goes again and again leaves a device that is provisioned", async (t) => {
  let orphans = 0;
  for (let made = 0; made < worldCount;) {
    const scenario = scenarios[random.integer(scenarios.length)]!;
    const points = await worlds.points(scenario);
    // As many worlds with these points as there are worth it.
    for (let again = 0; again < (isLong ? 20 : 1) && made < worldCount; again++, made++) {
      const cuts = Array.from({ length: 2 + random.integer(3) }, () => {
        return { ...points[random.integer(points.length)]!, offMs: pausesMs[random.integer(pausesMs.length)]! };
      });
      orphans += (await worlds.holds(scenario, cuts)).orphans;
    }
  }
  t.diagnostic(`${worlds.cutCount} power cuts, ${orphans} certificates that nobody uses`);
  if (isLong) assert.ok(worlds.cutCount >= 1_400, `${worlds.cutCount} power cuts`);
});
