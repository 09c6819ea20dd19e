import assert from "node:assert/strict";
import { test } from "node:test";
import { closeTimeoutMs, highWaterBytes } from "../connection.js";
import { clientTlsOf, openPair, serverTlsOf } from "../contract/connection-harness.js";
import { codeOf, observe } from "../contract/harness.js";
import { makeTestCertificates } from "../contract/test-certificates.js";
import { createVirtualClock } from "./clock.js";
import { createVirtualKeys } from "./keys.js";
import type { LinkFaults, VirtualLink } from "./link.js";
import { createVirtualNetwork, type VirtualNetworkOptions } from "./network.js";
import { createVirtualRandom } from "./random.js";

const certificates = await makeTestCertificates(createVirtualKeys({ random: createVirtualRandom(1) }));

function createWorld(faults?: LinkFaults, options: Partial<VirtualNetworkOptions> = {}) {
  const clock = createVirtualClock();
  const random = createVirtualRandom(1);
  const network = createVirtualNetwork({ clock, random, ...(faults && { faults: () => faults }), ...options });
  return { clock, network, certificates, wait: <T>(promise: Promise<T>): Promise<T> => clock.until(promise) };
}

async function openObserved(faults?: LinkFaults, options: Partial<VirtualNetworkOptions> = {}) {
  const world = createWorld(faults, options);
  const pair = await openPair(world);
  const link = world.network.links[0] as VirtualLink;
  return { ...world, ...pair, link, here: observe(pair.client), there: observe(pair.server) };
}

test("bytes take the latency, and those of one turn arrive together", async () => {
  const { clock, client, there } = await openObserved(undefined, { latencyMs: 50 });
  client.write(Uint8Array.of(1));
  client.write(Uint8Array.of(2));
  await clock.advance(49);
  assert.equal(there.receivedBytes, 0);
  await clock.advance(1);
  assert.deepEqual(there.chunks, [Uint8Array.of(1, 2)]);
});

test("a latency from a range never changes the order", async () => {
  const { clock, client, there } = await openObserved(undefined, { latencyMs: { from: 1, to: 100 } });
  for (let count = 0; count < 50; count++) {
    client.write(Uint8Array.of(count));
    await clock.advance(1);
  }
  const bytes = await clock.until(there.received(50));
  assert.deepEqual(
    [...bytes],
    Array.from({ length: 50 }, (_, index) => index),
  );
  assert.ok(there.chunks.length > 5);
});

test("a reset after so many bytes delivers just those, and both sides know", async () => {
  const { clock, client, here, there, network } = await openObserved({ resetAfter: { from: "client", bytes: 5 } });
  client.write(Uint8Array.of(1, 2, 3));
  await clock.advance(10);
  assert.equal(here.closedCount, 0);
  client.write(Uint8Array.of(4, 5, 6, 7));
  assert.equal((await clock.until(there.closed))?.code, "CONNECTION_LOST");
  assert.equal((await clock.until(here.closed))?.code, "CONNECTION_LOST");
  assert.equal(there.receivedBytes, 5);
  assert.deepEqual(network.links, []);
  assert.equal(clock.timerCount, 0);
});

test("a half-open connection tells nobody: the sender's queue fills", async () => {
  const { clock, client, server, here, there } = await openObserved({ silentAfter: { from: "client", bytes: 2 } });
  client.write(Uint8Array.of(1, 2, 3));
  await clock.advance(1_000);
  assert.equal(there.receivedBytes, 2);
  server.write(Uint8Array.of(9));
  await clock.until(here.received(1));
  while (client.write(new Uint8Array(100_000))) await clock.advance(10);
  await clock.advance(1_000_000);
  assert.ok(client.bufferedBytes > highWaterBytes);
  assert.equal(here.closedCount + there.closedCount, 0);
  // close() gives up after its time-out, and says that something was left unsent.
  const closing = client.close();
  await clock.advance(closeTimeoutMs - 1);
  assert.equal(here.closedCount, 0);
  await clock.advance(1);
  await closing;
  assert.equal((await here.closed)?.code, "CONNECTION_LOST");
});

test("behind a partition nothing arrives; when it heals, everything does, in order", async () => {
  const { clock, client, server, here, there, link, network } = await openObserved();
  client.write(Uint8Array.of(1));
  await clock.advance(5);
  network.partition();
  client.write(Uint8Array.of(2));
  server.write(Uint8Array.of(8));
  await clock.advance(60_000);
  client.write(Uint8Array.of(3));
  assert.equal(there.receivedBytes, 1);
  assert.equal(here.receivedBytes, 0);
  assert.equal(await clock.until(codeOf(network.dial({ ...link.server, connectTimeoutMs: 500 }))), "TIMEOUT");
  network.heal();
  client.write(Uint8Array.of(4));
  assert.deepEqual([...(await clock.until(there.received(4)))], [1, 2, 3, 4]);
  await clock.until(here.received(1));
  assert.equal((await clock.until(network.dial(link.server))).secure, undefined);
});

test("a connection that is dropped behind a partition stays half open until it heals", async () => {
  const { clock, client, here, there, network } = await openObserved();
  network.partition();
  client.destroy();
  await clock.advance(60_000);
  assert.equal(here.closedCount, 1);
  assert.equal(there.closedCount, 0);
  network.heal();
  assert.equal((await clock.until(there.closed))?.code, "CONNECTION_LOST");
});

test("a side that vanishes says nothing and hears nothing", async () => {
  const { clock, client, server, here, there, link } = await openObserved();
  link.vanish("client");
  server.write(Uint8Array.of(1));
  await clock.advance(60_000);
  assert.equal(there.closedCount, 0);
  assert.equal(here.closedCount, 0);
  assert.equal(here.receivedBytes, 0);
  client.write(Uint8Array.of(1));
  await clock.advance(1_000);
  assert.equal(there.receivedBytes, 0);
  server.destroy();
  await clock.until(there.closed);
  assert.equal(link.isOpen, false);
});

test("a delay after so many bytes holds up the rest, and what follows stays behind it", async () => {
  const { clock, client, there } = await openObserved({ delayAfter: { from: "client", bytes: 2, ms: 1_000 } });
  client.write(Uint8Array.of(1, 2, 3));
  await clock.advance(100);
  assert.equal(there.receivedBytes, 2);
  client.write(Uint8Array.of(4));
  await clock.advance(800);
  assert.equal(there.receivedBytes, 2);
  await clock.advance(110);
  assert.deepEqual([...(await clock.until(there.received(4)))], [1, 2, 3, 4]);
  client.write(Uint8Array.of(5));
  await clock.advance(1);
  assert.equal(there.receivedBytes, 5, "once");
  assert.equal(client.bufferedBytes, 0);
});

test("a link that is dead after so many bytes delivers just those, and nobody is told", async () => {
  const { clock, client, server, here, there, link } = await openObserved({ deadAfter: { from: "client", bytes: 2 } });
  server.write(Uint8Array.of(9));
  await clock.advance(10);
  client.write(Uint8Array.of(1, 2, 3));
  await clock.advance(10);
  server.write(Uint8Array.of(8));
  client.write(Uint8Array.of(4));
  await clock.advance(1_000_000);
  assert.deepEqual([there.receivedBytes, here.receivedBytes, here.closedCount + there.closedCount], [2, 1, 0]);
  client.destroy();
  server.destroy();
  await clock.advance(0);
  assert.equal(link.isOpen, false);
  assert.equal(clock.timerCount, 0);
});

test("a link can be reset from outside", async () => {
  const { clock, here, there, link } = await openObserved();
  link.reset();
  assert.equal((await clock.until(here.closed))?.code, "CONNECTION_LOST");
  assert.equal((await clock.until(there.closed))?.code, "CONNECTION_LOST");
});

test("bytes that arrive in random pieces are the same bytes", async () => {
  const { clock, client, there, link } = await openObserved({ splitsRandomly: true });
  const sent = Uint8Array.from({ length: 10_000 }, (_, index) => index);
  client.write(sent);
  assert.deepEqual(await clock.until(there.received(10_000)), sent);
  assert.ok(there.chunks.length > 1);
  assert.equal(link.deliveredBytes.client, 10_000);
});

test("a dial is refused or left unanswered as the faults say, and later ones are not", async () => {
  const faults = ({ count }: { count: number }): LinkFaults | undefined =>
    [{ isRefused: true }, { isUnanswered: true }][count - 1];
  const { clock, network } = createWorld(undefined, { faults });
  const listener = await network.listen({ host: "cloud.test", port: 8883 }, () => undefined);
  assert.equal(await clock.until(codeOf(network.dial(listener.address))), "CONNECTION_REFUSED");
  const startMs = clock.monotonicMs();
  const unanswered = network.dial({ ...listener.address, connectTimeoutMs: 7_000 });
  assert.equal(await clock.until(codeOf(unanswered)), "TIMEOUT");
  assert.equal(clock.monotonicMs() - startMs, 7_000);
  await clock.until(network.dial(listener.address));
  await clock.advance(0);
  assert.equal(clock.timerCount, 0);
});

test("an expired server is not trusted, by the virtual date", async () => {
  const { clock, network } = createWorld();
  const tls = serverTlsOf(certificates);
  const listener = await network.listen({ host: "127.0.0.1", port: 0, tls }, () => undefined);
  const dial = (): Promise<unknown> => network.dial({ ...listener.address, tls: clientTlsOf(certificates) });
  assert.equal(await clock.until(codeOf(dial())), "none");
  clock.setUnixMs(Date.UTC(2050, 0, 1));
  assert.equal(await clock.until(codeOf(dial())), "TLS_PEER_UNTRUSTED");
});

test("the same seed makes the same world", async () => {
  const run = async (): Promise<string[]> => {
    const trace: string[] = [];
    const options = { latencyMs: { from: 1, to: 20 } };
    const { clock, client, server, here, there } = await openObserved({ splitsRandomly: true }, options);
    for (let count = 0; count < 10; count++) {
      client.write(new Uint8Array(500));
      server.write(new Uint8Array(300));
      await clock.advance(7);
      trace.push(`${clock.monotonicMs()} ${here.chunks.map(({ length }) => length).join()} ${there.receivedBytes}`);
    }
    return trace;
  };
  assert.deepEqual(await run(), await run());
});
