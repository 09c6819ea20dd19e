import type { DialTarget } from "../connection.js";
import { type ConnectionWorld, openPair } from "./connection-harness.js";
import { codeOf, type ContractHarness, observe } from "./harness.js";
import { streamContract, type StreamWorld } from "./stream-contract.js";

/** Connections without TLS and WebSocket: bytes, their ends, and dials. */
export function plainConnectionContract(
  harness: ContractHarness,
  name: string,
  open: () => Promise<ConnectionWorld>,
): void {
  streamContract(harness, name, async () => openStream(harness, await open()));
  listenerContract(harness, name, open);
  dialContract(harness, name, open);
}

async function openStream({ assert }: ContractHarness, world: ConnectionWorld): Promise<StreamWorld> {
  const { network, wait } = world;
  const { listener, client, server } = await openPair(world);
  return {
    client,
    server,
    wait,
    arrive: async () => {
      // Over a second connection: what was sent before is there when it is.
      const other = await wait(network.dial(listener.address));
      other.destroy();
    },
    close: async () => {
      await wait(listener.close());
      assert.equal(listener.connectionCount, 0);
    },
  };
}

function listenerContract({ test, assert }: ContractHarness, name: string, open: () => Promise<ConnectionWorld>): void {
  test(`${name}: a listener that closes ends its connections in order`, async () => {
    const world = await open();
    const { listener, client, server } = await openPair(world);
    const [here, there] = [observe(client), observe(server)];
    assert.equal(listener.connectionCount, 1);
    assert.deepEqual(client.remote, listener.address);
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
