import assert from "node:assert/strict";
import { test } from "node:test";
import { createConnectionPair } from "@thingline/transport";
import { createVirtualClock } from "@thingline/transport/virtual";
import { informationBytesMax, forwardedAnswerBytesMax, frameForwarded, frameLine } from "./answer.js";
import { makeFakeNetwork, makeOnlineWorld } from "./fake-network.test.support.js";
import { lineRoomBytes, SerialLine } from "./serial-line.js";
import { ModemSocket, socketReceiveBytes, socketSendBytes } from "./socket.js";
import { hexSentBytesMax, hostBytesMax } from "./socket-rules.js";

test("a socket reads socketReceiveBytes ahead of its host, and takes socketSendBytes that the network has not", async () => {
  const { clock, dialer, peers } = makeFakeNetwork();
  const kind = { family: 1, role: 0, cid: 0, secTag: undefined, peerVerify: 2 } as const;
  const socket = new ModemSocket(0, kind, clock, () => undefined);
  assert.equal(await socket.connect(() => dialer.dial({ host: "host", port: 1 })), 0);
  const [peer] = peers;
  assert.ok(peer);
  for (let bytes = 0; bytes < socketReceiveBytes + 3000; bytes += 1000) {
    peer.send("r".repeat(1000));
    await clock.settle();
  }
  assert.ok(socket.receivedBytes >= socketReceiveBytes && socket.receivedBytes < socketReceiveBytes + 1000);
  peer.connection.pause();
  let sent = 0;
  for (; sent < 10 * socketSendBytes; sent += 1024) {
    const taken = socket.send(new Uint8Array(1024));
    let isTaken = false;
    void taken.then(() => (isTaken = true));
    await clock.settle();
    if (!isTaken) break;
  }
  assert.ok(sent > socketSendBytes && sent <= socketSendBytes + 2048, `${sent} bytes`);
  assert.equal(socket.poll() & 4, 0, "no room");
  socket.destroy();
  await clock.settle();
});

test("a send that finds no room within its time says how far it came", async () => {
  const clock = createVirtualClock();
  const { near, far } = createConnectionPair({ clock, windowBytes: 0 });
  far.start({ data: () => undefined, closed: () => undefined });
  far.pause();
  const kind = { family: 1, role: 0, cid: 0, secTag: undefined, peerVerify: 2 } as const;
  const socket = new ModemSocket(0, kind, clock, () => undefined);
  await socket.connect(() => Promise.resolve(near));
  socket.sendTimeoutSeconds = 1;
  const long = socket.send(new Uint8Array(100_000));
  await clock.advance(999);
  const sent = await clock.until(long);
  assert.equal(clock.monotonicMs(), 1000);
  assert.ok(sent > socketSendBytes && sent < 100_000, `${sent} bytes`);
  assert.equal(await clock.until(socket.send(new Uint8Array(1))), -11);
  assert.equal(await clock.until(socket.send(new Uint8Array(0), { isAcknowledged: true })), -11);
});

test("names of hosts go to hostBytesMax, hexadecimal data to hexSentBytesMax", async () => {
  const { at } = await makeOnlineWorld();
  await at("AT#XSOCKET=1,1,0");
  assert.match(await at(`AT#XCONNECT=0,"${"h".repeat(hostBytesMax + 1)}",1`), /ERROR/);
  assert.match(await at(`AT#XCONNECT=0,"${"h".repeat(hostBytesMax)}",1`), /#XCONNECT: 0,1/);
  assert.match(await at(`AT#XSEND=0,1,0,"${"00".repeat(hexSentBytesMax + 1)}"`), /ERROR/);
  assert.match(await at(`AT#XSEND=0,1,0,"${"00".repeat(hexSentBytesMax)}"`), /#XSEND: 0,0,1400/);
  for (const digits of ["0", "zz", ""]) assert.match(await at(`AT#XSEND=0,1,0,"${digits}"`), /^\r\nERROR/, digits);
});

test("lines are cut at informationBytesMax, answers of the modem go to forwardedAnswerBytesMax", () => {
  assert.equal(frameLine("x".repeat(informationBytesMax + 1)), `\r\n${"x".repeat(informationBytesMax)}\r\n`);
  const answer = (bytes: number): string => `${"x".repeat(bytes - 6)}\r\nOK\r\n`;
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  assert.match(text(frameForwarded(answer(forwardedAnswerBytesMax))), /OK\r\n$/);
  assert.equal(text(frameForwarded(answer(forwardedAnswerBytesMax + 1))), "\r\nERROR\r\n");
  assert.equal(text(frameForwarded("garbage without an end")), "\r\ngarbage without an end");
});

test("a line has room up to lineRoomBytes that its host has not taken", async () => {
  const clock = createVirtualClock();
  let roomCount = 0;
  const line = new SerialLine({
    clock,
    counters: { lostBytes: 0, droppedNotifications: 0 },
    onData: () => undefined,
    onRoom: () => roomCount++,
  });
  const host = line.open({});
  host.start({ data: () => undefined, closed: () => undefined });
  host.pause();
  line.send(new Uint8Array(lineRoomBytes));
  assert.ok(line.hasRoom);
  line.send(new Uint8Array(1));
  assert.ok(!line.hasRoom);
  await clock.settle();
  assert.equal(roomCount, 0);
  host.resume();
  await clock.settle();
  assert.ok(line.hasRoom && roomCount > 0);
  line.destroy();
  await clock.settle();
  assert.equal(line.portCount, 0);
});
