import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { createConnectionPair } from "@thingline/transport";
import { clockContract, observe, streamContract } from "@thingline/transport/contract";
import { createVirtualClock } from "@thingline/transport/virtual";
import { openModemSession } from "./session.js";
import { createWebClock, openWebSerialPort, type WebSerialPort } from "./web-serial.js";
import { makeFakeWebPort } from "./web-serial.test.support.js";
import { makeModemWorld } from "./world.test.support.js";

clockContract({ test, assert }, "a browser's clock", async () => ({ clock: createWebClock(), wait: (each) => each }));

async function openWorld() {
  const clock = createVirtualClock();
  const { near, far } = createConnectionPair({ clock });
  const port = makeFakeWebPort(near);
  const wait = <Value>(promise: Promise<Value>) => clock.until(promise);
  return { clock, near, far, port, wait, client: await wait(openWebSerialPort(port, { clock })) };
}

streamContract(
  { test, assert },
  "a serial port of a browser",
  async () => {
    const { clock, client, near, far, wait, port } = await openWorld();
    return {
      ...{ client, server: far, wait },
      arrive: () => clock.advance(10),
      close: async () => {
        await wait(client.close());
        await wait(Promise.all([far.close(), near.close()]));
        assert.equal(port.isOpen, false);
      },
    };
  },
  { tellsEnd: false, tellsLocal: false, backlogBytes: 6_000_000 },
);

test("a board that is unplugged is told at once, with what is known of it", async () => {
  const { client, port, wait } = await openWorld();
  const here = observe(client);
  port.unplug();
  const error = await wait(here.closed);
  assert.equal(error?.code, "SERIAL_PORT_UNPLUGGED");
  assert.match(error?.message ?? "", /serial port 1366:0105/);
  await wait(client.closed);
});

test("bytes that the browser lost are missing, and reading goes on", async () => {
  const { client, port, far, wait, clock } = await openWorld();
  const here = observe(client);
  await clock.advance(1);
  for (const name of ["BufferOverrunError", "FramingError"] as const) {
    port.disturb(name);
    await clock.advance(1);
  }
  far.write(Uint8Array.of(7));
  assert.deepEqual([...(await wait(here.received(1)))], [7]);
  await wait(client.close());
});

test("a port that cannot be opened says why", async () => {
  const clock = createVirtualClock();
  const failing = (name: string): WebSerialPort => ({
    ...{ readable: null, writable: null, close: () => Promise.resolve() },
    open: () => Promise.reject(Object.assign(new Error("no"), { name })),
  });
  for (const [name, code] of [
    ["InvalidStateError", "SERIAL_PORT_BUSY"],
    ["SecurityError", "SERIAL_PORT_FORBIDDEN"],
    ["NetworkError", "SERIAL_PORT_FAILED"],
  ]) {
    await assert.rejects(openWebSerialPort(failing(name ?? ""), { clock }), { code });
  }
  for (const wrong of [{ baudRate: 1 }, { flowControl: "xon" as "none" }, { clock: {} as never }]) {
    await assert.rejects(openWebSerialPort(failing("x"), { clock, ...wrong }), { code: "OPTION_INVALID" });
  }
  await assert.rejects(openWebSerialPort({} as WebSerialPort, { clock }), { code: "OPTION_INVALID" });
});

test("a modem is asked through a browser's port, and the port can be opened again", async () => {
  const { modem, clock } = await makeModemWorld();
  const port = makeFakeWebPort(modem.openPort());
  const session = openModemSession(await clock.until(openWebSerialPort(port, { clock })), { clock });
  assert.deepEqual(await clock.until(session.command("AT+CGSN")), [modem.identity.imei]);
  assert.deepEqual((await clock.until(session.probe())).kind, "atHost");
  await assert.rejects(clock.until(openWebSerialPort(port, { clock })), (error) =>
    isThinglineError(error, "SERIAL_PORT_BUSY"),
  );
  await clock.until(session.close());
  assert.equal(port.isOpen, false);
  const again = openModemSession(await clock.until(openWebSerialPort(port, { clock })), { clock });
  assert.deepEqual(await clock.until(again.command("AT+CGMM")), ["nRF9160-SICA"]);
  await clock.until(again.close());
  await modem.close();
});
