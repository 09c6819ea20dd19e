import assert from "node:assert/strict";
import { test } from "node:test";
import { dataModeBufferBytes } from "./data-mode-driver.js";
import { makeOnlineWorld, type OnlineWorld } from "./fake-network.test.support.js";
import type { SerialModemWorldOptions } from "./world.test.support.js";

const ok = "\r\nOK\r\n";

/** An SLM in data mode of a connected socket. */
async function enterDataMode(options: SerialModemWorldOptions = {}): Promise<OnlineWorld> {
  const world = await makeOnlineWorld({ dialect: "slm-1.x", ...options });
  await world.at("AT#XSOCKET=1,1,0");
  await world.at('AT#XCONNECT="host",1');
  assert.equal(await world.send("AT#XSEND\r\n"), ok);
  return world;
}

test("slm-1.x: a burst is sent when the line was silent for the time limit, 32 ms at 115,200 baud", async () => {
  const { send, peer, clock } = await enterDataMode();
  await send("first ");
  await clock.advance(31);
  assert.equal(peer().received, "");
  await send("second");
  await clock.advance(31);
  assert.equal(peer().received, "", "each byte starts the time again");
  await clock.advance(1);
  assert.equal(peer().received, "first second");
});

test("slm-1.x: the terminator counts at the end of a burst, alone or behind data", async () => {
  const { send, take, peer, clock, at } = await enterDataMode();
  await send("+++not yet+++");
  await send("!");
  await clock.advance(40);
  assert.equal(peer().received, "+++not yet+++!");
  await send("the end+");
  await send("++");
  assert.equal(take(), "");
  await clock.advance(40);
  assert.equal(take(), "\r\n#XDATAMODE: 0\r\n");
  assert.equal(peer().received, "+++not yet+++!the end");
  assert.equal(await send("AT#XSEND\r\n"), ok);
  await send("+++");
  await clock.advance(40);
  assert.equal(take(), "\r\n#XDATAMODE: 0\r\n");
  assert.equal(await at("AT"), ok);
});

test("slm-2.x: the terminator counts wherever it comes, and what follows it is a command", async () => {
  const { send, peer, clock } = await enterDataMode({ dialect: "slm-2.x" });
  await send("1+2++3+");
  await clock.advance(40);
  assert.equal(peer().received, "1+2++3+", "a beginning of it that silence follows is payload");
  assert.equal(await send("++++4++"), "\r\n#XDATAMODE: 0\r\n", "three of four");
  assert.equal(peer().received, "1+2++3+");
  assert.equal(await send("\r\nAT\r\n"), "\r\nERROR\r\n\r\nOK\r\n");
});

test("a full buffer is sent at once, and nothing is lost of a long stream", async () => {
  const { send, take, peer, clock } = await enterDataMode({ hasDataModeUrc: true });
  const payload = Array.from({ length: 3 * dataModeBufferBytes + 100 }, (_, index) => String(index % 10)).join("");
  const told = await send(payload);
  assert.equal(told, `\r\n#XDATAMODE: ${dataModeBufferBytes}\r\n`.repeat(3));
  assert.equal(peer().received.length, 3 * dataModeBufferBytes);
  await clock.advance(32);
  assert.equal(take(), "\r\n#XDATAMODE: 100\r\n");
  assert.equal(peer().received, payload);
});

for (const dialect of ["slm-1.x", "slm-2.x"] as const) {
  test(`${dialect}: the terminator counts across the end of the buffer`, async () => {
    for (let before = dataModeBufferBytes - 5; before <= dataModeBufferBytes + 1; before++) {
      for (const payload of ["x".repeat(before), "+".repeat(before), `${"x".repeat(before - 1)}+`]) {
        // Where the first three count, no payload can hold them.
        if (dialect === "slm-2.x" && payload.includes("+")) continue;
        const { send, take, peer, clock, at } = await enterDataMode({ dialect });
        const told = await send(`${payload}+++`);
        await clock.advance(40);
        assert.equal(told + take(), "\r\n#XDATAMODE: 0\r\n");
        assert.equal(peer().received, payload);
        assert.equal(await at("AT"), ok);
      }
    }
  });
}

test("slm-1.x: pluses at the end of a full buffer that are no terminator are payload", async () => {
  const { send, take, peer, clock } = await enterDataMode();
  const payload = `${"x".repeat(dataModeBufferBytes - 2)}++${"y".repeat(dataModeBufferBytes)}++`;
  await send(payload);
  await clock.advance(40);
  assert.equal(peer().received, payload);
  assert.equal(take(), "");
});

test("a socket that takes nothing holds the line up instead of losing bytes", async () => {
  const { port, send, peer, clock, take } = await enterDataMode();
  peer().connection.pause();
  const payload = "x".repeat(300_000);
  await send(payload);
  await clock.advance(1000);
  assert.ok(port.bufferedBytes > 100_000, `the host still has ${port.bufferedBytes}`);
  peer().connection.resume();
  await clock.advance(1000);
  assert.equal(port.bufferedBytes, 0);
  assert.equal(peer().received.length, payload.length);
  assert.equal(take(), "");
});

test("a burst that cannot be sent ends the mode with its number", async () => {
  const { send, take, peer, clock, at } = await enterDataMode();
  peer().connection.destroy();
  await clock.settle();
  await send("lost");
  await clock.advance(40);
  assert.equal(take(), "\r\n#XDATAMODE: -104\r\n");
  assert.equal(await at("AT"), ok);
  assert.equal(await at("AT#XSOCKET=0"), `\r\n#XSOCKET: 0,"closed"\r\n${ok}`);
  assert.equal(await send("AT#XSEND\r\n"), ok);
  await send("nowhere");
  await clock.advance(40);
  assert.equal(take(), "\r\n#XDATAMODE: -9\r\n", "there is no socket");
});

test("URCs of the modem are lost in SLM's data mode, and come behind the Serial Modem's", async () => {
  const slm = await enterDataMode();
  slm.modem.setConditions({ hasCoverage: false });
  await slm.clock.advance(40);
  assert.equal(slm.take(), "");
  for (const dialect of ["slm-1.x", "serialModem"] as const) {
    const world = await makeOnlineWorld({ dialect });
    const isSlm = dialect === "slm-1.x";
    await world.at("AT+CEREG=1");
    await world.at("AT#XSOCKET=1,1,0");
    await world.at(isSlm ? 'AT#XCONNECT="host",1' : 'AT#XCONNECT=0,"host",1');
    await world.send(isSlm ? "AT#XSEND\r\n" : "AT#XSEND=0,2,0\r");
    world.modem.setConditions({ isRoaming: true });
    await world.clock.settle();
    assert.equal(world.take(), "");
    const told = await world.send("+++");
    await world.clock.advance(40);
    assert.equal(told + world.take(), `\r\n#XDATAMODE: 0\r\n${isSlm ? "" : "\r\n+CEREG: 5\r\n"}`);
    assert.equal(world.application.counters.droppedNotifications, isSlm ? 1 : 0);
  }
});

test("the time limit is set, not below what the line's speed asks for, and follows the speed", async () => {
  const { at, take, send, clock, peer } = await makeOnlineWorld({ dialect: "slm-1.x" });
  assert.equal(await at("AT#XDATACTRL=?"), `\r\n#XDATACTRL=<time_limit>\r\n${ok}`);
  assert.equal(await at("AT#XDATACTRL?"), `\r\n#XDATACTRL: 0,32\r\n${ok}`);
  assert.equal(await at("AT#XDATACTRL=31"), "\r\nERROR\r\n");
  assert.equal(await at("AT#XDATACTRL=32"), ok);
  assert.equal(await at("AT#XSLMUART=1000000"), ok);
  assert.equal(await at("AT#XDATACTRL=12"), ok);
  assert.equal(await at("AT#XDATACTRL?"), `\r\n#XDATACTRL: 12,12\r\n${ok}`);
  await at("AT#XSOCKET=1,1,0");
  await at('AT#XCONNECT="host",1');
  await send("AT#XSEND\r\n");
  await send("quick");
  await clock.advance(12);
  assert.equal(peer().received, "quick");
  assert.equal(take(), "");
});
