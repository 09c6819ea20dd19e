import assert from "node:assert/strict";
import { test } from "node:test";
import { makeTestCertificates } from "../contract/test-certificates.js";
import { createVirtualClock, createVirtualNetwork, createVirtualRandom } from "../virtual/index.js";
import { createNodeKeys } from "./keys.js";
import { contextsMax, sniCallback } from "./listen.js";
import { createNodeNetwork } from "./network.js";

test("certificates for contextsMax server names are kept ready, and the oldest goes for one more", async () => {
  const { server } = await makeTestCertificates(createNodeKeys());
  let keyReads = 0;
  const callback = sniCallback((name) => ({
    // One certificate in as many texts as there are names.
    certificate: server.certificatePem + "\n".repeat(Number(name)),
    get privateKey() {
      keyReads += 1;
      return server.privateKeyPem;
    },
  }));
  /** Whether it was made: only then the key is looked at. */
  const isMade = (name: number): boolean => {
    const before = keyReads;
    callback(String(name), (error, context) => {
      assert.equal(error, null);
      assert.notEqual(context, undefined);
    });
    return keyReads > before;
  };
  const names = Array.from({ length: contextsMax }, (_, name) => name);
  assert.ok(names.every(isMade));
  assert.ok(!names.some(isMade), "all of them are ready");
  assert.ok(isMade(contextsMax));
  assert.ok(![...names.slice(1), contextsMax].some(isMade), "all but the oldest are ready");
  assert.ok(isMade(0), "the oldest is made again");
});

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
