import type { DialTarget } from "../connection.js";
import { highWaterBytes, lowWaterBytes } from "../connection.js";
import { type ConnectionWorld, openPair } from "./connection-harness.js";
import { codeOf, type ContractHarness, observe } from "./harness.js";

/** Connections without TLS and WebSocket: bytes, their ends, and dials. */
export function plainConnectionContract(
  harness: ContractHarness,
  name: string,
  open: () => Promise<ConnectionWorld>,
): void {
  streamContract(harness, name, open);
  endContract(harness, name, open);
  dialContract(harness, name, open);
}

function streamContract({ test, assert }: ContractHarness, name: string, open: () => Promise<ConnectionWorld>): void {
  test(`${name}: bytes go both ways, in the order of reserve and write`, async () => {
    const world = await open();
    const { listener, client, server } = await openPair(world);
    const [here, there] = [observe(client), observe(server)];
    const offset = client.reserve(3);
    client.slab.set([1, 2, 3], offset);
    client.write(Uint8Array.of(4), Uint8Array.of(5, 6));
    const second = client.reserve(2);
    client.slab.set([7, 8], second);
    assert.equal(client.bufferedBytes, 8);
    assert.deepEqual([...(await world.wait(there.received(8)))], [1, 2, 3, 4, 5, 6, 7, 8]);
    server.write(Uint8Array.of(9));
    server.flush();
    assert.deepEqual([...(await world.wait(here.received(1)))], [9]);
    assert.deepEqual(client.remote, listener.address);
    assert.deepEqual(server.remote, client.local);
    assert.equal(client.secure, undefined);
    await world.wait(listener.close());
  });

  test(`${name}: what came before start is delivered then`, async () => {
    const world = await open();
    const { listener, client, server } = await openPair(world);
    const here = observe(client);
    client.write(Uint8Array.of(1, 2, 3));
    // The answer comes back over a second connection, so that the bytes have surely arrived.
    const other = await world.wait(world.network.dial(listener.address));
    other.destroy();
    const there = observe(server);
    assert.deepEqual([...(await world.wait(there.received(3)))], [1, 2, 3]);
    await world.wait(listener.close());
    assert.equal(await world.wait(here.closed), undefined);
  });

  test(`${name}: packets of every size arrive whole and in order`, async () => {
    const world = await open();
    const { listener, client, server } = await openPair(world);
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
    const bytes = await world.wait(there.received(total));
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
    await world.wait(listener.close());
  });

  test(`${name}: over the high-water mark write says so, below the low one drained does`, async () => {
    const world = await open();
    const { listener, client, server } = await openPair(world);
    const here = observe(client);
    const packet = new Uint8Array(100_000);
    let sentBytes = 0;
    for (let isOpen = true; isOpen; sentBytes += packet.length) isOpen = client.write(packet);
    assert.ok(client.bufferedBytes > highWaterBytes);
    assert.equal(here.drainedCount, 0);
    const there = observe(server);
    await world.wait(here.drained());
    assert.ok(client.bufferedBytes <= lowWaterBytes);
    await world.wait(there.received(sentBytes));
    assert.equal(here.drainedCount, 1);
    await world.wait(listener.close());
  });

  test(`${name}: a paused connection delivers nothing, and its peer feels it`, async () => {
    const world = await open();
    const { listener, client, server } = await openPair(world);
    const [here, there] = [observe(client), observe(server)];
    client.write(Uint8Array.of(1));
    await world.wait(there.received(1));
    server.pause();
    const packet = new Uint8Array(1_000_000);
    // More than the system's buffers of both sides hold.
    for (let count = 0; count < 32; count++) client.write(packet);
    server.write(Uint8Array.of(1));
    await world.wait(here.received(1));
    assert.equal(there.receivedBytes, 1);
    assert.ok(client.bufferedBytes > highWaterBytes);
    server.resume();
    await world.wait(there.received(32_000_001));
    await world.wait(listener.close());
  });
}

function endContract({ test, assert }: ContractHarness, name: string, open: () => Promise<ConnectionWorld>): void {
  test(`${name}: close sends what is queued, then both sides end in order, once`, async () => {
    const world = await open();
    const { listener, client, server } = await openPair(world);
    const [here, there] = [observe(client), observe(server)];
    client.write(new Uint8Array(300_000));
    client.reserve(10);
    const closing = client.close();
    // After close() nothing is taken any more, by neither way.
    client.write(new Uint8Array(5));
    const offset = client.reserve(3);
    client.slab.set([1, 2, 3], offset);
    await world.wait(closing);
    await world.wait(client.close());
    assert.equal(await world.wait(here.closed), undefined);
    assert.equal(await world.wait(there.closed), undefined);
    await world.wait(server.closed);
    assert.equal(there.receivedBytes, 300_010);
    assert.equal(here.closedCount, 1);
    assert.equal(there.closedCount, 1);
    assert.equal(client.bufferedBytes, 0);
    await world.wait(listener.close());
    assert.equal(listener.connectionCount, 0);
  });

  test(`${name}: a side that ends still gets what the other had queued`, async () => {
    const world = await open();
    const { listener, client, server } = await openPair(world);
    observe(client);
    server.start({
      data: () => undefined,
      closed: () => undefined,
    });
    server.write(new Uint8Array(10));
    await world.wait(client.close());
    await world.wait(server.closed);
    await world.wait(listener.close());
  });

  test(`${name}: destroy drops the connection and the other side is told`, async () => {
    const world = await open();
    const { listener, client, server } = await openPair(world);
    const [here, there] = [observe(client), observe(server)];
    client.write(Uint8Array.of(1));
    await world.wait(there.received(1));
    client.destroy();
    client.destroy();
    client.write(Uint8Array.of(1));
    assert.equal(here.closedCount, 0, "never from inside a call");
    assert.equal(await world.wait(here.closed), undefined);
    assert.equal((await world.wait(there.closed))?.code, "CONNECTION_LOST");
    await world.wait(client.closed);
    assert.equal(here.closedCount, 1);
    await world.wait(listener.close());
  });

  test(`${name}: start after the end tells the end`, async () => {
    const world = await open();
    const { listener, client, server } = await openPair(world);
    client.destroy();
    await world.wait(client.closed);
    assert.equal(await world.wait(observe(client).closed), undefined);
    server.destroy();
    await world.wait(listener.close());
  });

  test(`${name}: a listener that closes ends its connections in order`, async () => {
    const world = await open();
    const { listener, client, server } = await openPair(world);
    const [here, there] = [observe(client), observe(server)];
    assert.equal(listener.connectionCount, 1);
    server.write(Uint8Array.of(1));
    await world.wait(listener.close());
    await world.wait(listener.close());
    assert.equal(await world.wait(here.closed), undefined);
    assert.equal(await world.wait(there.closed), undefined);
    assert.equal(here.receivedBytes, 1);
    assert.equal(listener.connectionCount, 0);
    assert.equal(await world.wait(codeOf(world.network.dial(listener.address))), "CONNECTION_REFUSED");
  });
}

function dialContract({ test, assert }: ContractHarness, name: string, open: () => Promise<ConnectionWorld>): void {
  test(`${name}: a dial that fails says why`, async () => {
    const { network, wait } = await open();
    const code = (target: DialTarget): Promise<string> => wait(codeOf(network.dial(target)));
    const listener = await wait(network.listen({ host: "127.0.0.1", port: 0 }, (connection) => connection.destroy()));
    const { port } = listener.address;
    assert.equal(await wait(codeOf(network.listen({ host: "127.0.0.1", port }, () => undefined))), "PORT_IN_USE");
    assert.equal(await code({ host: "thingline.invalid", port }), "HOST_NOT_FOUND");
    assert.equal(await code({ host: "127.0.0.1", port: 0 }), "OPTION_INVALID");
    await wait(listener.close());
    assert.equal(await code({ host: "127.0.0.1", port }), "CONNECTION_REFUSED");
  });

  test(`${name}: a dial can be aborted before and while it runs`, async () => {
    const { network, wait } = await open();
    const listener = await wait(network.listen({ host: "127.0.0.1", port: 0 }, (connection) => connection.destroy()));
    const before = network.dial(listener.address, { signal: AbortSignal.abort() });
    assert.equal(await wait(codeOf(before)), "ABORTED");
    const controller = new AbortController();
    const while_ = codeOf(network.dial(listener.address, { signal: controller.signal }));
    controller.abort();
    assert.equal(await wait(while_), "ABORTED");
    await wait(listener.close());
  });

  test(`${name}: a listener takes so many connections and refuses more`, async () => {
    const world = await open();
    const refused: string[] = [];
    const { listener, client } = await openPair(world, {
      connectionsMax: 1,
      onRefused: (error) => refused.push(error.code),
    });
    // The system may have accepted the connection before the listener drops it.
    await world.wait(
      world.network.dial(listener.address).then(
        (second) => observe(second).closed,
        (error: unknown) => error,
      ),
    );
    assert.deepEqual(refused, ["LIMIT_EXCEEDED"]);
    assert.equal(listener.connectionCount, 1);
    client.destroy();
    await world.wait(listener.close());
  });
}
