import assert from "node:assert/strict";
import { test } from "node:test";
import type { ModemWorld } from "../world.test.support.js";
import { makeModemWorld } from "../world.test.support.js";
import { memoryBufferBytesMax, type AtPortOptions } from "./at-port.js";

function open({ modem, clock }: ModemWorld, options?: AtPortOptions) {
  const port = modem.openPort(options);
  let received = "";
  let isClosed = false;
  port.start({
    data: (bytes) => (received += new TextDecoder().decode(bytes)),
    closed: () => (isClosed = true),
  });
  return {
    port,
    isClosed: () => isClosed,
    /** Sends text and returns what came back by the time nothing is left to do. */
    send: async (text: string) => {
      port.write(new TextEncoder().encode(text));
      await clock.advance(1000);
      const got = received;
      received = "";
      return got;
    },
  };
}

test("a host tool that ends lines with CR LF and begins with a blank line is served", async () => {
  const { send } = open(await makeModemWorld());
  assert.equal(await send("\r\n"), "");
  assert.equal(await send("at AT+CGSN\r\n"), "ERROR\r\n");
  assert.equal(await send("AT+CMEE=1\r\n"), "OK\r\n");
  assert.equal(await send("AT+CFUN=4\r\n"), "OK\r\n");
  assert.match(await send('AT%CMNG=0,43,0,"a\r\nb"\r\n'), /^OK\r\n$/);
  assert.match(await send("AT%CMNG=2,43,0\r\n"), /"a\r\nb"\r\nOK\r\n$/);
});

for (const [terminator, end] of [
  ["CR", "\r"],
  ["LF", "\n"],
  ["CR+LF", "\r\n"],
  ["NUL", "\0"],
] as const) {
  test(`commands end with ${terminator} where the port was built so`, async () => {
    const { send } = open(await makeModemWorld(), { terminator });
    assert.equal(await send(`AT+CFUN?${end}`), "+CFUN: 0\r\nOK\r\n");
  });
}

test("a command that comes in pieces is one command", async () => {
  const { send } = open(await makeModemWorld());
  assert.equal(await send("AT+"), "");
  assert.equal(await send("CFUN"), "");
  assert.equal(await send("?\r"), "+CFUN: 0\r\nOK\r\n");
});

test("bytes that are no text get an ERROR", async () => {
  const world = await makeModemWorld();
  const { port, send } = open(world);
  port.write(Uint8Array.of(0x41, 0x54, 0xff));
  assert.equal(await send("\r"), "ERROR\r\n");
});

test("what is sent while a command runs is lost and counted, as on the real port", async () => {
  const world = await makeModemWorld();
  const { send } = open(world);
  assert.equal(await send("AT\rAT\r"), "OK\r\n");
  assert.equal(world.modem.counters.lostBytes, 3);
  assert.equal(await send("AT\r\n"), "OK\r\n");
  assert.equal(world.modem.counters.lostBytes, 3);
});

test("a port that queues answers everything", async () => {
  const { send } = open(await makeModemWorld(), { whileBusy: "queued" });
  assert.equal(await send("AT\rAT+CFUN?\rAT\r"), "OK\r\n+CFUN: 0\r\nOK\r\nOK\r\n");
});

test("URCs go to every port, after the answer that they follow from", async () => {
  const world = await makeModemWorld();
  const [first, second] = [open(world), open(world)];
  await first.send("AT+CEREG=1\r");
  assert.equal(await first.send("AT+CFUN=1\r"), "OK\r\n+CEREG: 2\r\n+CEREG: 1\r\n");
  assert.equal(await second.send(""), "+CEREG: 2\r\n+CEREG: 1\r\n");
});

test("a host that does not read loses URCs, and they are counted", async () => {
  const world = await makeModemWorld();
  const { port, send } = open(world);
  await send("AT+CSCON=1\r");
  await send("AT+CEREG=5\r");
  await send("AT+CFUN=1\r");
  port.pause();
  for (let cell = 0; cell < 2000; cell++) {
    world.modem.setConditions({
      cell: { ...world.modem.conditions.cell, cellId: cell.toString(16).toUpperCase().padStart(8, "0") },
    });
  }
  assert.ok(world.modem.counters.droppedNotifications > 0);
  port.resume();
  const got = await send("");
  assert.ok(got.length <= 66_000 && got.length > 60_000, String(got.length));
});

test("for a host that asks and does not read, answers wait up to memoryBufferBytesMax, and more are lost and counted", async () => {
  const world = await makeModemWorld();
  const { port, send } = open(world);
  const answer = await send("AT+CLAC\r");
  port.pause();
  const waiting = Math.floor(memoryBufferBytesMax / answer.length) + 1;
  for (let count = 0; count < waiting; count++) await send("AT+CLAC\r");
  assert.equal(world.modem.counters.lostBytes, 0);
  await send("AT+CLAC\r");
  assert.equal(world.modem.counters.lostBytes, answer.length);
  port.resume();
  assert.equal(await send(""), answer.repeat(waiting));
  assert.equal(await send("AT\r"), "OK\r\n");
});

test("a port that queues keeps memoryBufferBytesMax, and loses and counts what is more", async () => {
  const world = await makeModemWorld();
  const { send } = open(world, { whileBusy: "queued" });
  const blank = " ".repeat(memoryBufferBytesMax - 3);
  assert.equal(await send(`AT\rAT\r${blank}`), "OK\r\nOK\r\n");
  assert.equal(world.modem.counters.lostBytes, 0);
  await send("\r");
  assert.equal(await send(`AT\rAT\r${blank} `), "OK\r\n");
  assert.equal(world.modem.counters.lostBytes, memoryBufferBytesMax + 1);
});

// Each piece was once looked at anew behind every command: these took minutes.
test(
  "thousands of commands that a host sends ahead in pieces are answered as they come",
  { timeout: 15_000 },
  async () => {
    const count = 3000;
    const world = await makeModemWorld({ behaviour: { steps: [{ onCommand: "AT", do: "slow", delayMs: 60_000 }] } });
    const { port, send } = open(world, { whileBusy: "queued" });
    for (let sent = 0; sent < count; sent++) {
      port.write(new TextEncoder().encode("AT\r"));
      await world.clock.settle();
    }
    await world.clock.advance(60_000);
    assert.equal(await send("AT+CFUN?\r"), `${"OK\r\n".repeat(count)}+CFUN: 0\r\nOK\r\n`);
    assert.equal(world.modem.counters.lostBytes, 0);
  },
);

test("packets can be reserved on the port as on any connection", async () => {
  const world = await makeModemWorld();
  const { port, send } = open(world);
  const offset = port.reserve(3);
  port.slab.set(new TextEncoder().encode("AT\r"), offset);
  assert.equal(await send(""), "OK\r\n");
});

test("closing the modem closes its ports, and a port closed by the host gets nothing more", async () => {
  const world = await makeModemWorld();
  const [first, second] = [open(world), open(world)];
  await world.clock.until(first.port.close());
  await world.clock.advance(0);
  assert.ok(first.isClosed());
  assert.equal(second.isClosed(), false);
  await world.modem.close();
  await world.clock.advance(0);
  assert.ok(second.isClosed());
  assert.equal(world.clock.timerCount, 0);
});
