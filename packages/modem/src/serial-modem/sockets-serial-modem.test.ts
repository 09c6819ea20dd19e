import assert from "node:assert/strict";
import { test } from "node:test";
import { makeOnlineWorld } from "./fake-network.test.support.js";

const ok = "\r\nOK\r\n";
const error = "\r\nERROR\r\n";

test("a socket is named by its handle in each command", async () => {
  const { at, peer, clock } = await makeOnlineWorld();
  assert.equal(await at("AT#XSOCKET=?"), `\r\n#XSOCKET: <handle>,(1,2,3),(1,2,3),(0,1),<cid>\r\n${ok}`);
  assert.equal(await at("AT#XSOCKET=1,1,0"), `\r\n#XSOCKET: 0,1,6\r\n${ok}`);
  assert.equal(await at("AT#XSSOCKET=1,1,0,16842753,2"), `\r\n#XSSOCKET: 1,1,258\r\n${ok}`);
  assert.equal(await at("AT#XSOCKET=2,1,0,1"), `\r\n#XSOCKET: 2,1,6\r\n${ok}`);
  assert.equal(await at("AT#XSOCKET?"), `\r\n#XSOCKET: 0,1,0,1,0\r\n\r\n#XSOCKET: 2,2,0,1,1\r\n${ok}`);
  assert.equal(await at("AT#XSSOCKET?"), `\r\n#XSSOCKET: 1,1,0,1,16842753,0\r\n${ok}`);
  assert.equal(await at('AT#XCONNECT=0,"test.server.com",1234'), `\r\n#XCONNECT: 0,1\r\n${ok}`);
  assert.equal(await at('AT#XSEND=0,0,0,"Test TCP"'), `\r\n#XSEND: 0,0,8\r\n${ok}`);
  assert.equal(await at('AT#XSEND=0,1,0,"48656C6C6F"'), `\r\n#XSEND: 0,0,5\r\n${ok}`);
  await clock.settle();
  assert.equal(peer().received, "Test TCPHello");
  peer().send("Test OK");
  await clock.settle();
  assert.equal(await at("AT#XRECV=0,0,0,10"), `\r\n#XRECV: 0,0,7\r\nTest OK${ok}`);
  peer().send("t Zoc");
  await clock.settle();
  assert.equal(await at("AT#XRECV=0,1,0,10"), `\r\n#XRECV: 0,1,5\r\n74205a6f63${ok}`);
  assert.equal(await at("AT#XRECV=0,0,0,2"), error);
  assert.equal(await at("AT#XCLOSE=0"), `\r\n#XCLOSE: 0,0\r\n${ok}`);
  assert.equal(await at("AT#XCLOSE=0"), error);
  assert.equal(await at("AT#XCLOSE"), `\r\n#XCLOSE: 1,0\r\n\r\n#XCLOSE: 2,0\r\n${ok}`);
  assert.equal(await at("AT#XSOCKETSELECT?"), error);
  assert.equal(await at("AT#XPOLL=1"), error);
});

test("an acknowledged send waits, a notified one tells by a URC, also behind data mode", async () => {
  const { at, send, take, peer, clock } = await makeOnlineWorld();
  await at("AT#XSOCKET=1,1,0");
  await at('AT#XCONNECT=0,"host",1');
  peer().connection.pause();
  assert.equal(await send('AT#XSEND=0,0,512,"blocked"\r'), "");
  await clock.advance(20_000);
  assert.equal(take(), "");
  peer().connection.resume();
  await clock.advance(10);
  assert.equal(take(), `\r\n#XSEND: 0,0,7\r\n${ok}`);
  assert.equal(await at('AT#XSEND=0,0,8192,"Test notification"'), `\r\n#XSEND: 0,1,17\r\n${ok}`);
  await clock.advance(10);
  assert.equal(take(), "\r\n#XSENDNTF: 0,0,17\r\n");
  assert.equal(await send("AT#XSEND=0,2,8192\r"), ok);
  assert.equal(await send("Test datamode with flags"), "");
  await clock.advance(40);
  assert.equal(await send("+++"), "\r\n#XDATAMODE: 0\r\n\r\n#XSENDNTF: 0,0,24\r\n");
  assert.equal(await at('AT#XSEND=0,0,1,"x"'), error);
});

test("data mode with a length ends by itself and knows no terminator", async () => {
  const { at, send, take, peer, clock } = await makeOnlineWorld();
  await at("AT#XSOCKET=1,1,0");
  await at('AT#XCONNECT=0,"host",1');
  assert.equal(await send("AT#XSEND=0,2,0,10\r"), ok);
  assert.equal(await send("ab+++"), "");
  await clock.advance(100);
  assert.equal(await send("+++cdAT\r"), `\r\n#XDATAMODE: 0\r\n${ok}`);
  assert.equal(peer().received, "ab++++++cd");
  assert.equal(take(), "");
});

test("URCs of asynchronous polling come as in Nordic's example", async () => {
  const { at, take, peer, clock } = await makeOnlineWorld();
  assert.equal(await at("AT#XAPOLL=,1,5"), ok);
  assert.equal(await at("AT#XSOCKET=1,1,0"), `\r\n#XSOCKET: 0,1,6\r\n${ok}`);
  assert.equal(await at('AT#XCONNECT=0,"test.server.com",1234'), `\r\n#XCONNECT: 0,1\r\n${ok}\r\n#XAPOLL: 0,4\r\n`);
  assert.equal(await at('AT#XSEND=0,0,0,"echo"'), `\r\n#XSEND: 0,0,4\r\n${ok}\r\n#XAPOLL: 0,4\r\n`);
  peer().send("echo");
  void peer().connection.close();
  await clock.settle();
  assert.equal(take(), "\r\n#XAPOLL: 0,1\r\n\r\n#XAPOLL: 0,16\r\n");
  assert.equal(await at("AT#XRECV=0,0,0,1"), `\r\n#XRECV: 0,0,4\r\necho${ok}`);
  assert.equal(await at("AT#XRECV=0,0,0,1"), ok);
  assert.equal(await at("AT#XCLOSE=0"), `\r\n#XCLOSE: 0,0\r\n${ok}`);
  await at("AT#XSOCKET=1,1,0");
  await at("AT#XSOCKET=1,1,0");
  assert.equal(await at("AT#XAPOLL=1,1,4"), ok);
  assert.equal(await at("AT#XAPOLL?"), `\r\n#XAPOLL: 0,5\r\n\r\n#XAPOLL: 1,4\r\n${ok}`);
  assert.equal(await at("AT#XAPOLL=0,0"), ok);
  assert.equal(await at("AT#XAPOLL?"), `\r\n#XAPOLL: 1,4\r\n${ok}`);
  assert.equal(await at("AT#XAPOLL=,0"), ok);
  assert.equal(await at("AT#XAPOLL?"), ok);
  assert.equal(await at("AT#XAPOLL=?"), `\r\n#XAPOLL: <handle>,(0,1),(0,1,4,5)\r\n${ok}`);
});

test("data is received without being asked for, in command mode and in data mode", async () => {
  const { at, send, take, peer, clock } = await makeOnlineWorld();
  assert.equal(await at("AT#XRECVCFG=,1,0"), ok);
  await at("AT#XSOCKET=1,1,0");
  await at('AT#XCONNECT=0,"test.server.com",1234');
  peer().send("Test");
  await clock.settle();
  assert.equal(take(), "\r\n#XRECV: 0,0,4\r\nTest\r\n");
  assert.equal(await at("AT#XRECVCFG=0,1,1"), ok);
  peer().send("Test hex");
  await clock.settle();
  assert.equal(take(), "\r\n#XRECV: 0,1,8\r\n5465737420686578\r\n");
  assert.equal(await at("AT#XRECVCFG=0,2,0"), ok);
  assert.equal(await at("AT#XRECVCFG?"), `\r\n#XRECVCFG: 0,2,0\r\n${ok}`);
  peer().send("early ");
  await clock.settle();
  assert.equal(take(), "");
  assert.equal(await send("AT#XSEND=0,2,0\r"), `${ok}early `);
  peer().send("DATA TEST");
  await clock.settle();
  assert.equal(take(), "DATA TEST");
  assert.equal(await send("DATA TEST+++"), "\r\n#XDATAMODE: 0\r\n");
  await clock.settle();
  assert.equal(peer().received, "DATA TEST");
  assert.equal(await at("AT#XRECVCFG=?"), `\r\n#XRECVCFG: <handle>,(0,1,2,3),(0,1)\r\n${ok}`);
});

test("a peer that goes while its socket is in data mode: the terminator comes, and what is sent goes nowhere until it is sent back", async () => {
  const { at, send, take, peer, clock } = await makeOnlineWorld();
  await at("AT#XRECVCFG=,2");
  await at("AT#XSOCKET=1,1,0");
  await at('AT#XCONNECT=0,"host",1');
  await send("AT#XSEND=0,2,0\r");
  peer().send("last words");
  void peer().connection.close();
  await clock.settle();
  assert.equal(take(), "last words+++");
  assert.equal(await send("AT\rdropped++"), "");
  assert.equal(await send("+AT\r"), `\r\n#XDATAMODE: -1\r\n${ok}`);
  assert.equal(await at("AT#XRECV=0,0,0,1"), ok);
});

test("options are kept per socket, and answers begin with the handle", async () => {
  const { at } = await makeOnlineWorld();
  await at("AT#XSOCKET=1,1,0");
  await at("AT#XSSOCKET=1,1,0,42");
  assert.equal(await at("AT#XSOCKETOPT=0,1,20,30"), ok);
  assert.equal(await at("AT#XSOCKETOPT=0,0,20"), `\r\n#XSOCKETOPT: 0,30\r\n${ok}`);
  assert.equal(await at("AT#XSOCKETOPT=1,0,21"), `\r\n#XSOCKETOPT: 1,30\r\n${ok}`);
  assert.equal(await at("AT#XSOCKETOPT=1,0,30"), `\r\n#XSOCKETOPT: 1,0\r\n${ok}`);
  assert.equal(await at('AT#XSSOCKETOPT=1,1,2,"my.host"'), ok);
  assert.equal(await at("AT#XSSOCKETOPT=1,0,2"), `\r\n#XSSOCKETOPT: 1,my.host\r\n${ok}`);
  assert.equal(await at("AT#XSSOCKETOPT=1,1,5,0"), ok);
  assert.equal(await at("AT#XSSOCKETOPT=1,0,5"), `\r\n#XSSOCKETOPT: 1,0\r\n${ok}`);
  assert.equal(await at("AT#XSSOCKETOPT=1,0,4"), `\r\n#XSSOCKETOPT: 1,0x0\r\n${ok}`);
  assert.equal(await at("AT#XSSOCKETOPT=1,1,12,1"), ok);
  assert.equal(await at("AT#XSSOCKETOPT=1,1,13,0"), ok);
  assert.equal(await at("AT#XSSOCKETOPT=?"), `\r\n#XSSOCKETOPT: <handle>,(0,1),<name>,<value>\r\n${ok}`);
  const wrong = ["0,1,5,2", "1,0,13", "1,1,4,0", "1,1,5,3", "1,1,12", "1,0,15", "1,1,19,1", '1,1,5,"2"', "1,1,99,1"];
  for (const parameters of wrong) assert.equal(await at(`AT#XSSOCKETOPT=${parameters}`), error, parameters);
  for (const parameters of ["7,0,20", "0,0,2", "0,1,20", "0,1,21,601", "0,1,30,2"]) {
    const expected = parameters === "0,1,20" ? ok : error;
    assert.equal(await at(`AT#XSOCKETOPT=${parameters}`), expected, parameters);
  }
});
