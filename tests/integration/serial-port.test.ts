// A serial port of the package serialport at one end and a pseudo-terminal at the other.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { holdSerialPort, openSerialPort } from "@thingline/modem/serial";
import { codeOf, observe, streamContract } from "@thingline/transport/contract";
import { createNodeClock } from "@thingline/transport/node";
import { makePty, ptyMissing } from "./pty.test.support.js";

const clock = createNodeClock();
const skip = ptyMissing ?? false;
const onlyWithPty = (name: string, body: () => Promise<void>) => test(name, { skip }, body);

streamContract(
  { test: onlyWithPty, assert },
  "serial port and pseudo-terminal",
  async () => {
    const pty = await makePty();
    const client = await openSerialPort(pty.path, { clock });
    return {
      client,
      server: pty.connection,
      wait: (promise) => promise,
      // The kernel has taken a byte when the write is done, and keeps it for whoever reads.
      arrive: async () => {
        while (client.bufferedBytes > 0) await new Promise((resolve) => setImmediate(resolve));
      },
      close: async () => {
        await client.close();
        await pty.close();
      },
    };
  },
  { tellsEnd: false, backlogBytes: 2_000_000 },
);

test("every byte value goes through unchanged, both ways", { skip }, async () => {
  const pty = await makePty();
  const host = await openSerialPort(pty.path, { clock });
  const [here, there] = [observe(host), observe(pty.connection)];
  const bytes = Uint8Array.from({ length: 256 }, (_, value) => value);
  host.write(bytes);
  assert.deepEqual([...(await there.received(256))], [...bytes]);
  pty.connection.write(bytes);
  assert.deepEqual([...(await here.received(256))], [...bytes]);
  await host.close();
});

for (const [when, act] of [
  ["while it waits for bytes", () => undefined],
  ["with unread bytes", (write: (bytes: Uint8Array) => unknown) => void write(new Uint8Array(3_000))],
] as const) {
  test(`a board that is unplugged ${when} is told at once, with its name`, { skip }, async () => {
    const pty = await makePty();
    const host = await openSerialPort(pty.path, { clock });
    const here = observe(host);
    act((bytes) => pty.connection.write(bytes));
    await pty.close();
    const error = await here.closed;
    assert.equal(error?.code, "SERIAL_PORT_UNPLUGGED");
    assert.equal(error?.details["path"], pty.path);
    await host.closed;
  });
}

test("a board that is unplugged while its host writes is told", { skip }, async () => {
  const pty = await makePty();
  const host = await openSerialPort(pty.path, { clock });
  const here = observe(host);
  host.write(new Uint8Array(2_000_000));
  host.flush();
  await pty.close();
  assert.equal((await here.closed)?.code, "SERIAL_PORT_UNPLUGGED");
});

test("a host that closes the port leaves it to the next one, with what came in between", { skip }, async () => {
  const pty = await makePty();
  const there = observe(pty.connection);
  for (const [index, text] of ["first", "second"].entries()) {
    const host = await openSerialPort(pty.path, { clock });
    observe(host);
    host.write(new TextEncoder().encode(text));
    await there.received(index === 0 ? 5 : 11);
    await host.close();
  }
  assert.equal(new TextDecoder().decode(await there.received(11)), "firstsecond");
  assert.equal(there.closedCount, 0);
});

test("a port that another has open is busy, unless it was asked to be shared", { skip }, async () => {
  const pty = await makePty();
  const first = await openSerialPort(pty.path, { clock });
  assert.equal(await codeOf(openSerialPort(pty.path, { clock })), "SERIAL_PORT_BUSY");
  const second = await openSerialPort(pty.path, { clock, isExclusive: false });
  await Promise.all([first.close(), second.close()]);
  await (await openSerialPort(pty.path, { clock })).close();
});

test("a path without a port, a file that is none, and options that are wrong are refused", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "thingline-serial-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, "file");
  await writeFile(file, "");
  assert.equal(await codeOf(openSerialPort(join(folder, "ttyACM0"), { clock })), "SERIAL_PORT_NOT_FOUND");
  assert.equal(await codeOf(holdSerialPort(join(folder, "ttyACM0"))), "SERIAL_PORT_NOT_FOUND");
  for (const path of [file, folder, "/dev/null"]) {
    await assert.rejects(openSerialPort(path, { clock }), { code: "SERIAL_PORT_FAILED", message: /is no serial port/ });
  }
  for (const options of [{ baudRate: 0 }, { baudRate: 1.5 }, { flowControl: "xon" }, { baud: 9_600 }]) {
    assert.equal(await codeOf(openSerialPort(file, { clock, ...options } as never)), "OPTION_INVALID");
  }
  assert.equal(await codeOf(openSerialPort("", { clock })), "OPTION_INVALID");
  assert.equal(await codeOf(openSerialPort(file, { clock, signal: AbortSignal.abort() })), "ABORTED");
});
