import assert from "node:assert/strict";
import { test } from "node:test";
import { connectionContract } from "../contract/connection-contract.js";
import { makeTestCertificates } from "../contract/test-certificates.js";
import { createVirtualClock } from "./clock.js";
import { createVirtualKeys } from "./keys.js";
import { createVirtualNetwork } from "./network.js";
import { createVirtualRandom } from "./random.js";

const certificates = await makeTestCertificates(createVirtualKeys({ random: createVirtualRandom(1) }));

connectionContract({ test, assert }, "virtual network", async () => {
  const clock = createVirtualClock();
  const network = createVirtualNetwork({ clock, random: createVirtualRandom(1) });
  return { network, certificates, wait: (promise) => clock.until(promise) };
});

test("connections share what the way carries in each direction, TLS included", async () => {
  const clock = createVirtualClock();
  const network = createVirtualNetwork({ clock, random: createVirtualRandom(1), latencyMs: 10, bytesPerSecond: 1_000 });
  const arrivals: [number, number][] = [];
  await network.listen({ host: "h", port: 1 }, (connection) => {
    connection.start({
      data: (bytes) => void arrivals.push([clock.monotonicMs(), bytes.length]),
      closed: () => undefined,
    });
  });
  const open = async () => {
    const connection = await clock.until(network.dial({ host: "h", port: 1 }));
    connection.start({ data: () => undefined, closed: () => undefined });
    return connection;
  };
  const [one, other] = [await open(), await open()];
  const startMs = clock.monotonicMs();
  one.write(new Uint8Array(500));
  other.write(new Uint8Array(1_000));
  await clock.advance(5_000);
  assert.deepEqual(
    arrivals.map(([atMs, length]) => [atMs - startMs, length]),
    [
      [510, 500],
      [1_510, 1_000],
    ],
  );
  assert.throws(() => createVirtualNetwork({ clock, random: createVirtualRandom(1), bytesPerSecond: 0 }), {
    code: "OPTION_INVALID",
  });
});
