import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualRandom } from "@thingline/transport/virtual";
import { openModemSession } from "../session.js";
import { memoryBufferBytesMax } from "../simulator/at-port.js";
import { isSerialModemDialect, serialModemTraits } from "./dialect.js";
import { makeOnlineWorld } from "./fake-network.test.support.js";
import { heldBytesMax } from "./held-notifications.js";
import { unfinishedCommandMs } from "./host.js";
import { serialModemPortsMax } from "./options.js";
import { makeSerialModemWorld } from "./world.test.support.js";

const ok = "\r\nOK\r\n";
const error = "\r\nERROR\r\n";
const dialects = Object.keys(serialModemTraits).filter(isSerialModemDialect);

test("the banner is said to whoever opens the line first, and again after a reset", async () => {
  const { clock, application, at, take, modem } = await makeSerialModemWorld({ dialect: "slm-1.x" });
  let other = "";
  const port = application.openPort();
  port.start({ data: (bytes) => (other += new TextDecoder().decode(bytes)), closed: () => undefined });
  await clock.settle();
  assert.equal(other, "", "the first one has heard it");
  await at("AT+CFUN=1");
  await clock.advance(2000);
  take();
  assert.equal(await at("AT#XRESET"), ok);
  await clock.advance(2000);
  assert.equal(take(), "Ready\r\n");
  assert.equal(await modem.at("AT+CFUN?"), "+CFUN: 0\r\nOK\r\n");
  assert.equal(await at("AT"), ok);
  assert.match(other, /Ready\r\n\r\nOK\r\n$/, "both ends of the one line");
  assert.equal(serialModemPortsMax, 8);
});

test("asleep, the application loses what is sent; it wakes with its banner, and a deep sleep ends its sockets", async () => {
  const { at, send, take, application, clock, peers } = await makeOnlineWorld({ dialect: "slm-2.x" });
  await at("AT#XSOCKET=1,1,0");
  await at('AT#XCONNECT="host",1');
  assert.equal(await at("AT#XSLEEP=?"), `\r\n#XSLEEP: (1,2)\r\n${ok}`);
  assert.equal(await at("AT#XSLEEP=2"), ok);
  assert.equal(await send("AT\r\n"), "");
  assert.equal(application.counters.lostBytes, 4);
  await application.wake();
  await clock.settle();
  assert.equal(take(), "Ready\r\n");
  assert.equal(await at('AT#XSEND="still"'), `\r\n#XSEND: 5\r\n${ok}`);
  for (const command of ["AT#XSLEEP=1", "AT#XSHUTDOWN"]) {
    assert.equal(await at(command), ok);
    await clock.advance(2000);
    assert.ok(peers.at(-1)?.isClosed, command);
    assert.equal(await send("AT\r\n"), "", command);
    await Promise.all([application.wake(), application.wake()]);
    await clock.settle();
    assert.equal(await at("AT#XSOCKET?"), `Ready\r\n${ok}`);
    assert.equal(await at("AT+CFUN?"), `\r\n+CFUN: 0\r\n${ok}`);
    await at("AT+CFUN=1");
    await clock.advance(2000);
    take();
    await at("AT#XSOCKET=1,1,0");
    await at('AT#XCONNECT="host",1');
  }
});

test("slm-1.x loses what comes while a command is executed; later ones hold the line up", async () => {
  for (const dialect of dialects) {
    const { send, take, clock, application, at } = await makeOnlineWorld({ dialect });
    await at("AT#XSOCKET=1,1,0");
    const end = dialect === "serialModem" ? "\r" : "\r\n";
    const connect = dialect === "serialModem" ? 'AT#XCONNECT=0,"silent",1' : 'AT#XCONNECT="silent",1';
    assert.equal(await send(`${connect}${end}AT+CFUN?${end}`), "");
    await clock.advance(20_000_000);
    const isLost = dialect === "slm-1.x";
    assert.equal(take().includes("+CFUN: 1"), !isLost, dialect);
    assert.equal(application.counters.lostBytes, isLost ? "AT+CFUN?\r\n".length : 0, dialect);
    assert.equal(await at("AT"), ok);
  }
});

test("the Serial Modem echoes when told to, each byte as it comes", async () => {
  const { at, send } = await makeSerialModemWorld();
  assert.equal(await at("ATE1"), ok);
  assert.equal(await send("AT+C"), "AT+C");
  assert.equal(await send("FUN?\r"), `FUN?\r\r\n+CFUN: 0\r\n${ok}`);
  assert.equal(await at("ATE0"), `ATE0\r${ok}`);
  assert.equal(await at("AT"), ok);
  const slm = await makeSerialModemWorld({ dialect: "slm-2.x" });
  assert.equal(await slm.at("ATE1"), error);
});

test("the Serial Modem passes over what does not begin a command, quotes included", async () => {
  const { send } = await makeSerialModemWorld();
  assert.equal(await send('log "noise\r\n\0A \rATX\r'), error, "only the last line begins with AT");
  assert.equal(await send("AT\r"), ok);
  const slm = await makeSerialModemWorld({ dialect: "slm-2.x" });
  assert.equal(await slm.send("\0\0noise AT\r\n"), ok, "SLM 2.x looks for the AT within the line");
  assert.equal(await slm.send("noise\r\n"), error);
});

test("a command that is longer than the buffer is an error, and so are bytes that are no text", async () => {
  for (const dialect of dialects) {
    const { at } = await makeSerialModemWorld({ dialect });
    const { commandBytesMax } = serialModemTraits[dialect];
    assert.equal(
      await at(`AT#XSEND="${"x".repeat(commandBytesMax - 9)}`.slice(0, commandBytesMax)),
      "",
      "its quote is open",
    );
    assert.equal(await at('"'), error, dialect);
    assert.equal(await at("AT\xff"), error, dialect);
    assert.equal(await at("AT"), ok, dialect);
  }
});

test("an answer of the modem that the buffer does not hold is an error", async () => {
  const { at, modem, clock } = await makeSerialModemWorld({ dialect: "slm-1.x" });
  await clock.until(modem.at(`AT%CMNG=0,1,0,"${"c".repeat(3900)}"`));
  assert.match(await at("AT%CMNG=2,1,0"), /OK\r\n$/);
  for (let tag = 2; tag < 60; tag++) await modem.at(`AT%CMNG=0,${tag},0,"c"`);
  assert.equal(await at("AT%CMNG=1"), error);
  assert.match(await at("AT%CMNG=1,3"), /OK\r\n$/);
});

test("URCs of the Serial Modem wait for a command that is being typed, and for the answer", async () => {
  const { at, send, take, modem, clock } = await makeOnlineWorld();
  await at("AT+CEREG=1");
  assert.equal(await send("AT+CF"), "");
  modem.setConditions({ isRoaming: true });
  await clock.settle();
  assert.equal(take(), "");
  assert.equal(await send("UN?\r"), `\r\n+CFUN: 1\r\n${ok}\r\n+CEREG: 5\r\n`);
  await send("AT");
  modem.setConditions({ isRoaming: false });
  await clock.advance(unfinishedCommandMs);
  assert.equal(take(), "\r\n+CEREG: 1\r\n", "but not for ever");
});

test("URCs beyond the buffer of those that wait take all of them with them", async () => {
  const { at, send, take, modem, application, clock } = await makeOnlineWorld();
  await at("AT+CEREG=1");
  await at("AT#XSOCKET=1,1,0");
  await at('AT#XCONNECT=0,"host",1');
  await send("AT#XSEND=0,2,0\r");
  const bytesEach = "\r\n+CEREG: 5\r\n".length;
  const fit = Math.floor(heldBytesMax / bytesEach);
  for (let count = 0; count < fit; count++) modem.setConditions({ isRoaming: count % 2 === 0 });
  await clock.settle();
  assert.equal(application.counters.droppedNotifications, 0);
  modem.setConditions({ isRoaming: fit % 2 === 0 });
  await clock.settle();
  assert.equal(application.counters.droppedNotifications, fit + 1);
  assert.equal(await send("+++"), "\r\n#XDATAMODE: 0\r\n");
  assert.equal(take(), "");
});

test("a host that does not read loses what its line's buffer does not hold, and it is counted", async () => {
  const { port, send, take, application, clock } = await makeSerialModemWorld({ dialect: "slm-2.x" });
  port.pause();
  const count = Math.floor(memoryBufferBytesMax / ok.length) + 10;
  await send("AT\r\n".repeat(count));
  assert.equal(application.counters.lostBytes, 10 * ok.length);
  port.resume();
  await clock.settle();
  assert.equal(take(), ok.repeat(count - 10));
});

test("received data waits in its socket, and at its sender, until the host has read", async () => {
  const { at, peer, port, take, clock, application } = await makeOnlineWorld();
  await at("AT#XRECVCFG=,3");
  await at("AT#XSOCKET=1,1,0");
  await at('AT#XCONNECT=0,"host",1');
  port.pause();
  for (let index = 0; index < 100; index++) {
    peer().send("d".repeat(3000));
    await clock.settle();
  }
  await clock.advance(1000);
  assert.ok(peer().connection.bufferedBytes > 100_000, `the sender still has ${peer().connection.bufferedBytes}`);
  port.resume();
  await clock.advance(1000);
  assert.equal(
    take()
      .replaceAll(/\r\n#XRECV: 0,0,[0-9]+\r\n/g, "")
      .replaceAll("\r\n", "").length,
    300_000,
  );
  assert.equal(application.counters.lostBytes, 0);
});

test("a crash of the modem is told, and its sockets are gone", async () => {
  for (const dialect of dialects) {
    const { at, take, application, clock, peer } = await makeOnlineWorld({ dialect });
    await at("AT#XSOCKET=1,1,0");
    await at(dialect === "serialModem" ? 'AT#XCONNECT=0,"host",1' : 'AT#XCONNECT="host",1');
    application.crashModem({ reason: 0x2, programCounter: 0x4d2 });
    await clock.advance(2000);
    assert.equal(take(), "\r\n#XMODEM: FAULT,0x2,0x4d2\r\n\r\n#XMODEM: SHUTDOWN,0\r\n\r\n#XMODEM: INIT,0\r\n");
    assert.ok(peer().isClosed);
    assert.equal(await at("AT#XSOCKET?"), ok);
    assert.equal(await at("AT+CFUN?"), `\r\n+CFUN: 0\r\n${ok}`);
  }
});

test("a reset and noise of the modem's behaviour come over the application's line as well", async () => {
  const { at, take, modem, clock, peer } = await makeOnlineWorld({ dialect: "slm-2.x" });
  await at("AT#XSOCKET=1,1,0");
  await at('AT#XCONNECT="host",1');
  modem.apply({ steps: [{ atMs: 1, do: "reset" }] });
  await clock.advance(2);
  assert.equal(take(), "\r\n#XMODEM: FAULT,0x1,0x0\r\n\r\n#XMODEM: SHUTDOWN,0\r\n\r\n#XMODEM: INIT,0\r\n");
  assert.ok(peer().isClosed);
  let noise = "";
  modem.onNoise((more) => (noise += more));
  modem.apply({ steps: [{ atMs: 1, do: "garbage" }] });
  await clock.advance(2);
  assert.match(noise, /[\x80-\xff]/);
  assert.equal(take(), noise, "one byte for each character");
  assert.match(await at("AT"), /\r\nOK\r\n$/);
});

test("the modem is reset by command, but not in SLM of 2022", async () => {
  for (const dialect of dialects) {
    const { at } = await makeOnlineWorld({ dialect });
    assert.equal(await at("AT#XMODEMRESET"), dialect === "slm-1.x" ? error : `\r\n#XMODEMRESET: 0\r\n${ok}`);
    assert.equal(await at("AT+CFUN?"), `\r\n+CFUN: ${dialect === "slm-1.x" ? 1 : 0}\r\n${ok}`);
  }
});

test("the line ends with its application, its modem's power, and its cable", async () => {
  const closed = await makeOnlineWorld();
  await closed.at("AT#XSOCKET=1,1,0");
  await closed.at('AT#XCONNECT=0,"host",1');
  await closed.send("AT#XRECV=0,0,0,0\r");
  await closed.application.close();
  await closed.application.close();
  await closed.clock.settle();
  assert.equal(closed.closedBy(), "closed");
  assert.ok(closed.peer().isClosed);
  assert.throws(() => closed.application.openPort(), { code: "CLOSED" });
  assert.equal(await closed.modem.at("AT+CFUN?"), "+CFUN: 1\r\nOK\r\n", "the modem goes on");
  await closed.modem.close();
  await closed.clock.settle();
  assert.equal(closed.clock.timerCount, 0);

  const dead = await makeOnlineWorld();
  dead.modem.cutPower();
  await dead.application.closed;
  await dead.clock.settle();
  assert.equal(dead.closedBy(), "CONNECTION_LOST");
  assert.throws(() => dead.application.openPort(), { code: "CONNECTION_LOST" });

  const unplugged = await makeOnlineWorld();
  unplugged.modem.apply({ steps: [{ atMs: 0, do: "unplug" }] });
  await unplugged.clock.advance(1);
  assert.equal(unplugged.closedBy(), "SERIAL_PORT_UNPLUGGED");
  assert.ok(unplugged.application.openPort());
});

test("an answer that the modem's behaviour lost never comes, and the next command is answered", async () => {
  const { at, modem, clock } = await makeSerialModemWorld();
  modem.apply({ steps: [{ onCommand: "+CFUN", do: "loseAnswer" }] });
  assert.equal(await at("AT+CFUN?", { limitMs: 100 }), "");
  await clock.settle();
  assert.equal(await at("AT+CFUN?"), `\r\n+CFUN: 0\r\n${ok}`);
});

for (const dialect of dialects) {
  test(`${dialect} is told from the others by a probe, also behind noise`, async () => {
    for (const noise of ["", 'AT+CFUN="', "\xfe\xff{}\r\n"]) {
      const { clock, port: watched, application } = await makeSerialModemWorld({ dialect });
      watched.write(Uint8Array.from(noise, (character) => character.charCodeAt(0)));
      const session = openModemSession(application.openPort(), { clock });
      const probe = await clock.until(session.probe());
      const { version } = serialModemTraits[dialect];
      const isNewer = dialect === "serialModem";
      assert.deepEqual(probe, {
        kind: "serialModem",
        dialect: isNewer ? "serialModem" : "slm",
        version,
        lineEnd: isNewer ? "\r" : "\r\n",
        framing: "serialModem",
        echoes: false,
      });
      assert.deepEqual(await clock.until(session.command("AT+CFUN?")), ["+CFUN: 0"]);
      await clock.until(session.close());
    }
  });

  test(`${dialect}: bytes of any kind hang nothing, and the next command is answered`, async () => {
    const random = createVirtualRandom(`serial modem ${dialect}`);
    const pieces = [
      "AT",
      "#XSOCKET",
      "#XSEND",
      "=",
      "?",
      '"',
      "\r",
      "\n",
      "\r\n",
      ",",
      "1",
      "0",
      "+++",
      "\x08",
      "\xff",
      "E1",
    ];
    for (let round = 0; round < (process.env["THINGLINE_TEST_LONG"] ? 500 : 20); round++) {
      const { clock, send, take, application } = await makeOnlineWorld({ dialect });
      let sent = "";
      for (let count = 0; count < 30; count++) {
        const piece = pieces[random.integer(pieces.length)] ?? "";
        sent += random.integer(10) === 0 ? String.fromCharCode(random.integer(256)) : piece;
      }
      await send(sent);
      const probe = async (): Promise<string> => {
        const told = await send("AT\r\n");
        await clock.advance(50);
        return told + take();
      };
      // Out of data mode, and out of a quote, which may be opened by that.
      await clock.advance(50);
      await send("+++");
      await clock.advance(50);
      await send("\r\n");
      await clock.advance(50);
      take();
      if (!(await probe()).includes(ok)) await send('"\r\n');
      take();
      const told = await probe();
      assert.ok(told.includes(ok), `${JSON.stringify(sent)} and then ${JSON.stringify(told)}`);
      await application.close();
    }
  });
}
