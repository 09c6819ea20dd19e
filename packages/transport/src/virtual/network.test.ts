import assert from "node:assert/strict";
import { test } from "node:test";
import { connectionContract } from "../contract/connection-contract.js";
import { makeTestCertificates } from "../contract/test-certificates.js";
import type { Connection } from "../connection.js";
import { createVirtualClock } from "./clock.js";
import { createVirtualKeys } from "./keys.js";
import { createVirtualNetwork, type VirtualNetworkOptions } from "./network.js";
import { createVirtualRandom } from "./random.js";

const certificates = await makeTestCertificates(createVirtualKeys({ random: createVirtualRandom(1) }));

for (const [name, options] of [
  ["virtual network", {}],
  ["virtual network of 10 Mbit/s", { bitsPerSecond: 10_000_000 }],
] as const) {
  connectionContract({ test, assert }, name, async () => {
    const clock = createVirtualClock();
    const network = createVirtualNetwork({ clock, random: createVirtualRandom(1), ...options });
    return { network, certificates, wait: (promise) => clock.until(promise) };
  });
}

/** Two connections to a server that counts what comes, and when. */
async function openSlowLink(options: Partial<VirtualNetworkOptions>, isSecure = false) {
  const clock = createVirtualClock();
  const network = createVirtualNetwork({ clock, random: createVirtualRandom(1), latencyMs: 50, ...options });
  const arrivals: { of: number; bytes: number; atMs: number }[] = [];
  const { server, ca } = certificates;
  const tls = {
    certificate: server.certificatePem,
    privateKey: server.privateKeyPem,
    requestsClientCertificate: false,
  };
  const servers: Connection[] = [];
  await network.listen({ host: "localhost", port: 1, ...(isSecure && { tls }) }, (connection) => {
    const of = servers.push(connection);
    connection.start({
      data: ({ length }) => arrivals.push({ of, bytes: length, atMs: Math.round(clock.monotonicMs() - beganMs) }),
      closed: () => undefined,
    });
  });
  const target = { host: "localhost", port: 1, ...(isSecure && { tls: { ca: ca.certificatePem } }) };
  const clients: Connection[] = [];
  for (let count = 0; count < 2; count++) {
    const connection = await clock.until(network.dial(target));
    connection.start({ data: () => undefined, closed: () => undefined });
    clients.push(connection);
  }
  await clock.advance(1_000);
  const beganMs = clock.monotonicMs();
  return { clock, arrivals, clients, servers };
}

test("a link of 1 Mbit/s carries that with all headers, for its connections together, each way by itself", async () => {
  const { clock, arrivals, clients, servers } = await openSlowLink({ bitsPerSecond: 1_000_000 });
  // Ten packets of 1,500 bytes take 12 ms each.
  clients[0]?.write(new Uint8Array(5 * 1_460));
  clients[1]?.write(new Uint8Array(5 * 1_460));
  servers[0]?.write(new Uint8Array(100_000));
  await clock.advance(1_000);
  assert.deepEqual(
    arrivals.map(({ of, bytes, atMs }) => [of, bytes, atMs]),
    Array.from({ length: 10 }, (_none, at) => [at < 5 ? 1 : 2, 1_460, 62 + 12 * at]),
  );
});

test("what was not sent is not made up for: an idle link is as fast as ever", async () => {
  const { clock, arrivals, clients } = await openSlowLink({ bitsPerSecond: 1_000_000 });
  for (const _turn of [1, 2]) {
    clients[0]?.write(new Uint8Array(1_460));
    await clock.advance(500);
  }
  assert.deepEqual(
    arrivals.map(({ atMs }) => atMs),
    [62, 562],
  );
});

test("a TLS record takes its overhead of the link, and arrives as a whole", async () => {
  const { clock, arrivals, clients } = await openSlowLink({ bitsPerSecond: 1_000_000 }, true);
  clients[0]?.write(new Uint8Array(16_384));
  await clock.advance(1_000);
  // 22 bytes more than the text, in 12 packets.
  const ms = Math.round(((16_384 + 22 + 12 * 40) * 8) / 1_000) + 50;
  assert.deepEqual(arrivals, [{ of: 1, bytes: 16_384, atMs: ms }]);
});
