import assert from "node:assert/strict";
import { test } from "node:test";
import { makeOnlineWorld } from "./fake-network.test.support.js";

const connect = 'AT#XCONNECT="host",1';

/** What is under way when the application ends, or its modem crashes. */
const waiting: [name: string, commands: string[]][] = [
  ["a connection", ['AT#XCONNECT="silent",1']],
  ["a receive", [connect, "AT#XRECV=0"]],
  ["a receive with a time", [connect, "AT#XRECV=1000"]],
  ["a poll", [connect, "AT#XPOLL=-1"]],
  ["a poll with a time", [connect, "AT#XPOLL=1000000"]],
  ["a poll of no socket at all", ["AT#XSOCKET=0", "AT#XPOLL=1000000"]],
  ["a name", ['AT#XGETADDRINFO="silent"']],
  ["a send", [connect, `AT#XSEND="${"x".repeat(1252)}"`]],
  ["data mode", [connect, "AT#XSEND", "payload"]],
  ["a TCP client's connection", ['AT#XTCPCLI=1,"silent",1']],
  ["a TCP client", ['AT#XTCPCLI=1,"host",1']],
];

for (const [name, commands] of waiting) {
  test(`${name} under way: an end leaves neither timer nor connection`, async () => {
    const world = await makeOnlineWorld({
      dialect: "slm-1.x",
      resolve: () => new Promise(() => undefined),
    });
    await world.at("AT#XSOCKET=1,1,0");
    for (const command of commands) await world.send(`${command}\r\n`);
    await world.application.close();
    await world.modem.close();
    await world.clock.settle();
    assert.equal(world.clock.timerCount, 0);
    assert.ok(world.peers.every((peer) => peer.isClosed));
  });
}

test("a crash of the modem ends what waits for its sockets", async () => {
  const world = await makeOnlineWorld({ dialect: "slm-1.x" });
  for (const [commands, answer] of [
    [["AT#XRECV=0"], "\r\nERROR\r\n"],
    [["AT#XPOLL=-1"], '\r\n#XPOLL: 0,"0x0020"\r\n\r\nOK\r\n'],
    [["AT#XSOCKET=0", "AT#XPOLL=-1"], "\r\nOK\r\n"],
  ] as const) {
    await world.at("AT#XSOCKET=1,1,0");
    await world.at(connect);
    for (const command of commands.slice(0, -1)) await world.at(command);
    assert.equal(await world.send(`${commands.at(-1)}\r\n`), "");
    world.application.crashModem();
    await world.clock.settle();
    assert.ok(world.take().includes(answer), answer);
    await world.at("AT+CFUN=1");
    await world.clock.advance(2000);
    world.take();
  }
});
