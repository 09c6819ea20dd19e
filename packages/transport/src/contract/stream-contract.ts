import type { Connection } from "../connection.js";
import { highWaterBytes, lowWaterBytes } from "../connection.js";
import { type ContractHarness, observe } from "./harness.js";

/** Two ends of one connection, neither of them started, fresh for every test. */
export interface StreamWorld {
  client: Connection;
  server: Connection;
  /** Waits for a promise; a virtual world lets its time pass meanwhile. */
  wait: <T>(promise: Promise<T>) => Promise<T>;
  /** Waits until what was sent has surely arrived, read or not. */
  arrive: () => Promise<void>;
  /** Ends what is still open, in order, and sees that nothing is left. */
  close: () => Promise<void>;
}

export type OpenStream = () => Promise<StreamWorld>;

/** What the medium of a stream cannot do. */
export interface StreamMedium {
  /** Whether a side learns that the other has gone: a serial line has no wire for it. Default true. */
  tellsEnd?: boolean;
  /** Whether a side that is dropped looks different to the other from one that ends in order: a modem only closes its sockets. Default true. */
  tellsDrop?: boolean;
  /** Whether a connection knows its own address: a modem's does not. Default true. */
  tellsLocal?: boolean;
  /** More than the buffers of the medium hold, for the test of backpressure. Default 32,000,000: the system's for TCP. */
  backlogBytes?: number;
}

/** Holds connections to the interface as streams of bytes: order, water marks, backpressure, and their ends. */
export function streamContract(
  harness: ContractHarness,
  name: string,
  open: OpenStream,
  medium: StreamMedium = {},
): void {
  const { backlogBytes = 32_000_000 } = medium;
  byteContract(harness, name, open, medium);
  backpressureContract(harness, name, open, backlogBytes);
  endContract(harness, name, open, medium);
}

function byteContract(
  { test, assert }: ContractHarness,
  name: string,
  open: OpenStream,
  { tellsLocal = true }: StreamMedium,
): void {
  test(`${name}: bytes go both ways, in the order of reserve and write`, async () => {
    const { client, server, wait, close } = await open();
    const [here, there] = [observe(client), observe(server)];
    const offset = client.reserve(3);
    client.slab.set([1, 2, 3], offset);
    client.write(Uint8Array.of(4), Uint8Array.of(5, 6));
    const second = client.reserve(2);
    client.slab.set([7, 8], second);
    assert.equal(client.bufferedBytes, 8);
    assert.deepEqual([...(await wait(there.received(8)))], [1, 2, 3, 4, 5, 6, 7, 8]);
    server.write(Uint8Array.of(9));
    server.flush();
    assert.deepEqual([...(await wait(here.received(1)))], [9]);
    if (tellsLocal) assert.deepEqual(server.remote, client.local);
    assert.equal(client.secure, undefined);
    await close();
  });

  test(`${name}: what came before start is delivered then`, async () => {
    const { client, server, wait, close, arrive } = await open();
    const here = observe(client);
    client.write(Uint8Array.of(1, 2, 3));
    await arrive();
    const there = observe(server);
    assert.deepEqual([...(await wait(there.received(3)))], [1, 2, 3]);
    await close();
    assert.equal(await wait(here.closed), undefined);
  });

  test(`${name}: packets of every size arrive whole and in order`, async () => {
    const { client, server, wait, close } = await open();
    observe(client);
    const there = observe(server);
    const sizes = [0, 1, 100, 4_095, 4_096, 4_097, 10_000, 65_535, 65_536, 65_537, 200_000, 3, 70_000, 5];
    let total = 0;
    for (const [index, size] of sizes.entries()) {
      if (index % 2 === 0) {
        const offset = client.reserve(size);
        client.slab.fill(index + 1, offset, offset + size);
      } else {
        client.write(new Uint8Array(size).fill(index + 1), new Uint8Array(1).fill(index + 1));
        total += 1;
      }
      total += size;
    }
    const bytes = await wait(there.received(total));
    let offset = 0;
    for (const [index, size] of sizes.entries()) {
      const end = offset + size + (index % 2);
      assert.ok(
        bytes.subarray(offset, end).every((byte) => byte === index + 1),
        `packet ${index}`,
      );
      offset = end;
    }
    assert.equal(bytes.length, total);
    await close();
  });
}

function backpressureContract(
  { test, assert }: ContractHarness,
  name: string,
  open: OpenStream,
  backlogBytes: number,
): void {
  test(`${name}: over the high-water mark write says so, below the low one drained does`, async () => {
    const { client, server, wait, close } = await open();
    const here = observe(client);
    const packet = new Uint8Array(100_000);
    let sentBytes = 0;
    for (let isOpen = true; isOpen; sentBytes += packet.length) isOpen = client.write(packet);
    assert.ok(client.bufferedBytes > highWaterBytes);
    assert.equal(here.drainedCount, 0);
    const there = observe(server);
    await wait(here.drained());
    assert.ok(client.bufferedBytes <= lowWaterBytes);
    await wait(there.received(sentBytes));
    assert.equal(here.drainedCount, 1);
    await close();
  });

  test(`${name}: a paused connection delivers nothing, and its peer feels it`, async () => {
    const { client, server, wait, close } = await open();
    const [here, there] = [observe(client), observe(server)];
    client.write(Uint8Array.of(1));
    await wait(there.received(1));
    server.pause();
    const packet = new Uint8Array(1_000_000);
    for (let sentBytes = 0; sentBytes < backlogBytes; sentBytes += packet.length) client.write(packet);
    server.write(Uint8Array.of(1));
    await wait(here.received(1));
    assert.equal(there.receivedBytes, 1);
    assert.ok(client.bufferedBytes > highWaterBytes);
    server.resume();
    await wait(there.received(backlogBytes + 1));
    await close();
  });
}

function endContract(
  { test, assert }: ContractHarness,
  name: string,
  open: OpenStream,
  { tellsEnd = true, tellsDrop = true }: StreamMedium,
): void {
  const both = tellsEnd ? "both sides end" : "the side ends";
  test(`${name}: close sends what is queued, then ${both} in order, once`, async () => {
    const { client, server, wait, close } = await open();
    const [here, there] = [observe(client), observe(server)];
    client.write(new Uint8Array(300_000));
    client.reserve(10);
    const closing = client.close();
    // After close() nothing is taken any more, by neither way.
    client.write(new Uint8Array(5));
    const offset = client.reserve(3);
    client.slab.set([1, 2, 3], offset);
    await wait(closing);
    await wait(client.close());
    assert.equal(await wait(here.closed), undefined);
    if (tellsEnd) {
      assert.equal(await wait(there.closed), undefined);
      await wait(server.closed);
    } else await wait(there.received(300_010));
    assert.equal(there.receivedBytes, 300_010);
    assert.equal(here.closedCount, 1);
    assert.equal(there.closedCount, tellsEnd ? 1 : 0);
    assert.equal(client.bufferedBytes, 0);
    await close();
  });

  test(`${name}: a side that ends still gets what the other had queued`, async () => {
    const { client, server, wait, close } = await open();
    observe(client);
    server.start({
      data: () => undefined,
      closed: () => undefined,
    });
    server.write(new Uint8Array(10));
    await wait(client.close());
    if (tellsEnd) await wait(server.closed);
    await close();
  });

  test(`${name}: destroy drops the connection${tellsEnd ? " and the other side is told" : ""}`, async () => {
    const { client, server, wait, close } = await open();
    const [here, there] = [observe(client), observe(server)];
    client.write(Uint8Array.of(1));
    await wait(there.received(1));
    client.destroy();
    client.destroy();
    client.write(Uint8Array.of(1));
    assert.equal(here.closedCount, 0, "never from inside a call");
    assert.equal(await wait(here.closed), undefined);
    if (tellsEnd) assert.equal((await wait(there.closed))?.code, tellsDrop ? "CONNECTION_LOST" : undefined);
    await wait(client.closed);
    assert.equal(here.closedCount, 1);
    await close();
  });

  test(`${name}: start after the end tells the end`, async () => {
    const { client, server, wait, close } = await open();
    client.destroy();
    await wait(client.closed);
    assert.equal(await wait(observe(client).closed), undefined);
    server.destroy();
    await close();
  });
}
