// Connections through a serial modem as streams of bytes: the contract that every connection is held to.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Connection } from "@thingline/transport";
import { observe, streamContract } from "@thingline/transport/contract";
import { createVirtualClock, createVirtualNetwork, createVirtualRandom } from "@thingline/transport/virtual";
import { createSerialModemApplication } from "../serial-modem/create.js";
import { openModemSession } from "../session.js";
import { makeModemWorld } from "../world.test.support.js";
import { openSerialModemSockets } from "./sockets.js";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
const dialects = isLong ? (["slm-1.x", "slm-2.x", "serialModem"] as const) : (["serialModem"] as const);

for (const dialect of dialects) {
  const openBoard = async () => {
    const clock = createVirtualClock();
    const network = createVirtualNetwork({ clock, random: createVirtualRandom(3), latencyMs: 1 });
    const { modem, at } = await makeModemWorld({ clock, network, lte: { searchMs: 1, attachMs: 1, detachMs: 1 } });
    const application = await createSerialModemApplication(modem, { clock, random: createVirtualRandom(4), dialect });
    const session = openModemSession(application.openPort(), { clock });
    const sockets = await clock.until(openSerialModemSockets(session, { clock }));
    await at("AT+CFUN=1");
    await clock.advance(1_000);
    const close = async () => {
      await clock.until(sockets.close());
      assert.equal(sockets.socketCount, 0);
      await clock.until(session.close());
      await clock.until(application.close());
      await clock.until(modem.close());
      assert.equal(clock.timerCount, 0);
    };
    return { clock, network, sockets, close };
  };
  const open = async () => {
    const { clock, network, sockets, close } = await openBoard();
    let onAccepted: (connection: Connection) => void = () => undefined;
    const accepted = new Promise<Connection>((resolve) => (onAccepted = resolve));
    const listener = await clock.until(network.listen({ host: "127.0.0.1", port: 0 }, (given) => onAccepted(given)));
    const { port } = listener.address;
    const client = await clock.until(sockets.dialer.dial({ host: "127.0.0.1", port }));
    return {
      client,
      server: await clock.until(accepted),
      wait: <T>(promise: Promise<T>) => clock.until(promise),
      arrive: () => clock.advance(1_000),
      close: async () => {
        await clock.until(listener.close());
        // A dialect without URCs asks twice a second.
        await clock.advance(1_000);
        await close();
      },
    };
  };
  const medium = { tellsDrop: false, tellsLocal: false, backlogBytes: 2_000_000 };
  streamContract({ test, assert }, `${dialect} on a serial line`, open, medium);

  test(`${dialect} on a serial line: two connections share the line, and neither gets what is the other's`, async () => {
    const { clock, network, sockets, close } = await openBoard();
    const echo = (connection: Connection) =>
      connection.start({ data: (bytes) => void connection.write(bytes.slice()), closed: () => undefined });
    const listener = await clock.until(network.listen({ host: "127.0.0.1", port: 0 }, echo));
    const { port } = listener.address;
    const exchange = async (fill: number) => {
      const connection = await sockets.dialer.dial({ host: "127.0.0.1", port });
      const seen = observe(connection);
      for (let count = 0; count < 20; count++) connection.write(new Uint8Array(5_000).fill(fill));
      const bytes = await seen.received(100_000);
      assert.ok(bytes.every((byte) => byte === fill));
      await connection.close();
    };
    await clock.until(Promise.all([exchange(0x2b), exchange(2)]));
    await clock.until(listener.close());
    await close();
  });
}
