import assert from "node:assert/strict";
import { test } from "node:test";
import { makeOnlineWorld } from "./fake-network.test.support.js";

const ok = "\r\nOK\r\n";
const error = "\r\nERROR\r\n";

test("slm-1.x: a TCP socket is opened, connected, written and read, and closed", async () => {
  const { at, peer, clock } = await makeOnlineWorld({ dialect: "slm-1.x" });
  assert.equal(await at("AT#XSOCKET=?"), `\r\n#XSOCKET: (0,1,2),(1,2,3),(0,1),<cid>\r\n${ok}`);
  assert.equal(await at("AT#XSOCKET=1,1,0"), `\r\n#XSOCKET: 0,1,6\r\n${ok}`);
  assert.equal(await at("AT#XSOCKET?"), `\r\n#XSOCKET: 0,1,0,1,0\r\n${ok}`);
  assert.equal(await at('AT#XCONNECT="test.server.com",1234'), `\r\n#XCONNECT: 1\r\n${ok}`);
  assert.deepEqual(peer().target, { host: "test.server.com", port: 1234, family: 4 });
  assert.equal(await at('AT#XSEND="Test TCP"'), `\r\n#XSEND: 8\r\n${ok}`);
  await clock.settle();
  assert.equal(peer().received, "Test TCP");
  peer().send("PONG: b'Test TCP'\r\nOK\r\n");
  await clock.settle();
  assert.equal(await at("AT#XRECV=0"), `\r\n#XRECV: 23\r\nPONG: b'Test TCP'\r\nOK\r\n${ok}`);
  assert.equal(await at("AT#XSOCKET=0"), `\r\n#XSOCKET: 0,"closed"\r\n${ok}`);
  await clock.settle();
  assert.ok(peer().isClosed);
  assert.equal(await at("AT#XSOCKET?"), ok);
});

test("slm: a receive waits its time, peeks, does not wait, waits for all, and an ended stream is a plain OK", async () => {
  const { at, send, take, peer, clock } = await makeOnlineWorld({ dialect: "slm-2.x" });
  await at("AT#XSOCKET=1,1,0");
  await at('AT#XCONNECT="host",1');
  assert.equal(await at("AT#XRECV=5"), error);
  assert.equal(await at("AT#XRECV=0,64"), error);
  assert.equal(await send("AT#XRECV=20\r\n"), "", "it waits");
  await clock.advance(3000);
  peer().send("abc");
  await clock.settle();
  assert.equal(take(), `\r\n#XRECV: 3\r\nabc${ok}`);
  peer().send("defg");
  await clock.settle();
  assert.equal(await at("AT#XRECV=0,2"), `\r\n#XRECV: 4\r\ndefg${ok}`);
  assert.equal(await at("AT#XRECV=0,64"), `\r\n#XRECV: 4\r\ndefg${ok}`);
  peer().send("x".repeat(2000));
  assert.equal(await send("AT#XRECV=60,256\r\n"), "", "not all of 2048 bytes");
  peer().send("y".repeat(100));
  await clock.settle();
  assert.equal(take(), `\r\n#XRECV: 2048\r\n${"x".repeat(2000)}${"y".repeat(48)}${ok}`);
  void peer().connection.close();
  await clock.settle();
  assert.equal(await at("AT#XRECV=5"), `\r\n#XRECV: 52\r\n${"y".repeat(52)}${ok}`);
  assert.equal(await at("AT#XRECV=5"), ok);
  assert.equal(await at('AT#XSEND="late"'), `\r\n#XSEND: 0\r\n${error}`);
  assert.equal(await at("AT#XRECV=5,128"), error, "a flag that nobody knows");
});

test("slm-1.x gives 1240 bytes at a time and takes 1252", async () => {
  const { at, peer, clock } = await makeOnlineWorld({ dialect: "slm-1.x" });
  await at("AT#XSOCKET=2,1,0,3");
  await at('AT#XCONNECT="host",1');
  assert.equal(peer().target.family, 6);
  peer().send("z".repeat(1500));
  await clock.settle();
  assert.equal(await at("AT#XRECV=1"), `\r\n#XRECV: 1240\r\n${"z".repeat(1240)}${ok}`);
  assert.equal(await at("AT#XRECV=1"), `\r\n#XRECV: 260\r\n${"z".repeat(260)}${ok}`);
  assert.equal(await at(`AT#XSEND="${"s".repeat(1252)}"`), `\r\n#XSEND: 1252\r\n${ok}`);
  assert.equal(await at(`AT#XSEND="${"s".repeat(1253)}"`), error);
});

test("slm: sockets are ranked, selected, and the highest that is left becomes the active one", async () => {
  const { at } = await makeOnlineWorld({ dialect: "slm-1.x" });
  await at("AT#XSOCKET=1,1,0");
  assert.equal(await at("AT#XSSOCKET=1,1,0,42,2,1"), `\r\n#XSSOCKET: 1,1,258\r\n${ok}`);
  assert.equal(await at("AT#XSSOCKET?"), `\r\n#XSSOCKET: 1,1,0,1,42,1\r\n${ok}`);
  assert.equal(await at("AT#XSOCKET?"), ok, "a secure socket is the active one");
  await at("AT#XSOCKET=2,1,0");
  const lines = ["0,1,0,1,-1,1,0", "1,1,0,1,42,2,1", "2,2,0,1,-1,3,0", "2"];
  assert.equal(await at("AT#XSOCKETSELECT?"), lines.map((line) => `\r\n#XSOCKETSELECT: ${line}\r\n`).join("") + ok);
  assert.equal(await at("AT#XSOCKETSELECT=0"), `\r\n#XSOCKETSELECT: 0\r\n${ok}`);
  assert.equal(await at("AT#XSOCKETSELECT=5"), error);
  assert.equal(await at("AT#XSOCKET=0"), `\r\n#XSOCKET: 0,"closed"\r\n${ok}`);
  assert.match(await at("AT#XSOCKETSELECT?"), /#XSOCKETSELECT: 2\r\n\r\nOK\r\n$/);
  assert.equal(await at("AT#XSSOCKET=0"), `\r\n#XSOCKET: 0,"closed"\r\n${ok}`);
  assert.match(await at("AT#XSOCKETSELECT?"), /#XSOCKETSELECT: 1\r\n\r\nOK\r\n$/);
});

test("slm: eight sockets are all, and a closed one's handle is free again", async () => {
  const { at } = await makeOnlineWorld({ dialect: "slm-2.x" });
  for (let handle = 0; handle < 8; handle++) {
    assert.equal(await at("AT#XSOCKET=1,1,0"), `\r\n#XSOCKET: ${handle},1,6\r\n${ok}`);
  }
  assert.equal(await at("AT#XSOCKET=1,1,0"), error);
  assert.equal(await at('AT#XTCPCLI=1,"host",1'), error);
  await at("AT#XSOCKETSELECT=3");
  await at("AT#XSOCKET=0");
  assert.equal(await at("AT#XSOCKET=1,1,0"), `\r\n#XSOCKET: 3,1,6\r\n${ok}`);
});

test("slm: a poll tells what can be read, for all or for named sockets, or waits in vain", async () => {
  const { at, send, take, peers, clock } = await makeOnlineWorld({ dialect: "slm-1.x" });
  for (const host of ["one", "two"]) {
    await at("AT#XSOCKET=1,1,0");
    await at(`AT#XCONNECT="${host}",1`);
  }
  assert.equal(await at("AT#XPOLL=2000"), ok, "nothing within its time");
  assert.equal(await send("AT#XPOLL=-1\r\n"), "");
  await clock.advance(100_000);
  peers[1]?.send("data");
  await clock.settle();
  assert.equal(take(), `\r\n#XPOLL: 1,"0x0001"\r\n${ok}`);
  assert.equal(await at("AT#XPOLL=0,0"), ok);
  void peers[0]?.connection.close();
  await clock.settle();
  assert.equal(await at("AT#XPOLL=0,0,1"), `\r\n#XPOLL: 0,"0x0011"\r\n\r\n#XPOLL: 1,"0x0001"\r\n${ok}`);
  peers[1]?.connection.destroy();
  await clock.settle();
  assert.equal(await at("AT#XPOLL=0,1"), `\r\n#XPOLL: 1,"0x0019"\r\n${ok}`);
  assert.equal(await at("AT#XPOLL=0,7"), error);
});

test("slm-2.x: URCs tell of events once until the host reads or writes again", async () => {
  const { at, take, peer, clock } = await makeOnlineWorld({ dialect: "slm-2.x" });
  await at("AT#XSOCKET=1,1,0");
  assert.equal(await at("AT#XAPOLL=?"), `\r\n#XAPOLL: (0,1),<0,1,4,5>,<handle1>,<handle2>,...\r\n${ok}`);
  assert.equal(await at("AT#XAPOLL=1,5"), ok);
  assert.equal(await at("AT#XAPOLL?"), `\r\n#XAPOLL: 1,5,0\r\n${ok}`);
  assert.equal(await at("AT#XPOLL=0"), error, "not both at a time");
  assert.equal(await at('AT#XCONNECT="host",1'), `\r\n#XCONNECT: 1\r\n${ok}\r\n#XAPOLL: 0,4\r\n`);
  peer().send("a");
  await clock.settle();
  assert.equal(take(), "\r\n#XAPOLL: 0,1\r\n");
  peer().send("b");
  await clock.settle();
  assert.equal(take(), "");
  assert.equal(await at("AT#XRECV=1"), `\r\n#XRECV: 2\r\nab${ok}`);
  peer().send("c");
  await clock.settle();
  assert.equal(take(), "\r\n#XAPOLL: 0,1\r\n");
  assert.equal(await at("AT#XAPOLL=0"), ok);
  assert.equal(await at("AT#XAPOLL?"), `\r\n#XAPOLL: 0,0\r\n${ok}`);
});

test("slm: a connection that fails is an ERROR without a status line", async () => {
  const { at, send, take, clock } = await makeOnlineWorld({ dialect: "slm-1.x" });
  await at("AT#XSOCKET=1,1,0");
  assert.equal(await at('AT#XCONNECT="refused",1'), error);
  assert.equal(await at('AT#XCONNECT="unknown",1'), error);
  assert.equal(await send('AT#XCONNECT="silent",1\r\n'), "");
  await clock.advance(30_000);
  assert.equal(await send("AT\r\n"), "", "commands are lost meanwhile");
  await clock.advance(20_000_000);
  assert.equal(take(), `\r\n#XCONNECT: 1\r\n${ok}`);
  assert.equal(await at('AT#XCONNECT="again",1'), error, "it is connected");
});

test("slm: the TCP client hands over what comes, in both modes, and tells its end", async () => {
  const { at, send, take, peer, clock } = await makeOnlineWorld({ dialect: "slm-1.x" });
  assert.equal(await at('AT#XTCPCLI=1,"refused",1'), `\r\n#XTCPCLI: -111,"not connected"\r\n${error}`);
  assert.equal(await at('AT#XTCPCLI=1,"host",1234'), `\r\n#XTCPCLI: 0,"connected"\r\n${ok}`);
  assert.equal(await at("AT#XTCPCLI?"), `\r\n#XTCPCLI: 0,1\r\n${ok}`);
  assert.equal(await at('AT#XTCPCLI=1,"host",1234'), error, "one at a time");
  assert.equal(await at('AT#XTCPSEND="Test TCP"'), `\r\n#XTCPSEND: 8\r\n${ok}`);
  peer().send("Test\r\nOK");
  await clock.settle();
  assert.equal(take(), "\r\n#XTCPDATA: 8\r\nTest\r\nOK");
  assert.equal(await send("AT#XTCPSEND\r\n"), ok);
  peer().send("raw");
  await clock.settle();
  assert.equal(take(), "raw", "no heading in data mode");
  assert.equal(await send("more"), "");
  await clock.advance(40);
  assert.equal(peer().received, "Test TCPmore");
  void peer().connection.close();
  await clock.settle();
  assert.equal(take(), '\r\n#XDATAMODE: -104\r\n\r\n#XTCPCLI: -104,"disconnected"\r\n');
  assert.equal(await at("AT#XTCPCLI?"), ok);
  await at('AT#XTCPCLI=2,"host",1234');
  assert.equal(await at("AT#XTCPCLI=0"), `\r\n#XTCPCLI: 0,"disconnected"\r\n${ok}`);
});

test("what the transport cannot do is refused by name", async () => {
  const refused: string[] = [];
  const { at } = await makeOnlineWorld({ dialect: "slm-1.x", onUnsupported: (what) => refused.push(what) });
  const commands = [
    "AT#XSOCKET=1,2,0",
    "AT#XSOCKET=1,3,0",
    "AT#XSOCKET=1,1,1",
    "AT#XSSOCKET=1,2,0,42",
    "AT#XTCPSVR=1,3442",
  ];
  for (const command of [...commands, 'AT#XSENDTO="h",1,"x"', "AT#XLISTEN"]) assert.equal(await at(command), error);
  assert.deepEqual(refused, [
    "UDP sockets",
    "raw sockets",
    "server sockets",
    "DTLS sockets",
    "TCP servers (AT#XTCPSVR)",
    "UDP sockets (AT#XSENDTO)",
    "server sockets (AT#XLISTEN)",
  ]);
});
