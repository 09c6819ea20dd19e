import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualClock, createVirtualNetwork, createVirtualRandom } from "../virtual/index.js";
import { createNodeNetwork } from "./network.js";

test("ports and bounds that are no numbers to count with are refused by name", async () => {
  const wrong: [option: string, values: number[]][] = [
    ["port", [NaN, -1, 1.5, 65_536]],
    ["connectionsMax", [NaN, 0, -1, 1.5]],
    ["handshakesMax", [NaN, 0, -1, 1.5]],
  ];
  for (const network of [
    createNodeNetwork(),
    createVirtualNetwork({ clock: createVirtualClock(), random: createVirtualRandom(1) }),
  ]) {
    for (const [option, values] of wrong) {
      for (const value of values) {
        const listening = network.listen({ host: "127.0.0.1", port: 0, [option]: value }, () => undefined);
        await assert.rejects(listening, { code: "OPTION_INVALID", details: { option } });
      }
    }
    const listener = await network.listen({ host: "127.0.0.1", port: 0, connectionsMax: Infinity }, () => undefined);
    await listener.close();
  }
  assert.throws(() => createNodeNetwork({ handshakesMax: NaN }), { code: "OPTION_INVALID" });
});
