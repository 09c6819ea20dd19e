import assert from "node:assert/strict";
import { test } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import { type Connection, createConnectionPair, type Endpoint, type Network } from "@thingline/transport";
import { makeOnlineWorld, type OnlineWorld } from "./fake-network.test.support.js";
import { pendingConnectionsMax } from "./server-socket.js";
import { makeSerialModemWorld, type SerialModemWorldOptions } from "./world.test.support.js";

const ok = "\r\nOK\r\n";
const error = "\r\nERROR\r\n";

interface Caller {
  connection: Connection;
  received: string;
  isClosed: boolean;
}

interface ServerWorld extends OnlineWorld {
  listening: Endpoint[];
  call: () => Promise<Caller>;
}

async function makeServerWorld(options: SerialModemWorldOptions): Promise<ServerWorld> {
  const listening: Endpoint[] = [];
  let onConnection: ((connection: Connection) => void) | undefined;
  const listen: Network["listen"] = async ({ host, port }, handler) => {
    if (port === 666) throw new ThinglineError("PORT_IN_USE", "somebody else listens");
    listening.push({ host, port });
    onConnection = handler;
    const close = async (): Promise<void> => {
      onConnection = undefined;
      listening.pop();
    };
    return { address: { host, port }, connectionCount: 0, close };
  };
  const world = await makeOnlineWorld({ ...options, listen });
  const call = async (): Promise<Caller> => {
    const { clock } = world;
    const far = { host: "::ffff:10.0.0.9", port: 4321 };
    const pair = createConnectionPair({ clock, near: { host: "modem", port: 1 }, far });
    const caller: Caller = { connection: pair.far, received: "", isClosed: false };
    pair.far.start({
      data: (bytes) => (caller.received += new TextDecoder().decode(bytes)),
      closed: () => (caller.isClosed = true),
    });
    onConnection?.(pair.near);
    await clock.settle();
    return caller;
  };
  return { ...world, listening, call };
}

const say = ({ connection }: Caller, text: string): void => void connection.write(new TextEncoder().encode(text));

test("the add-on binds, listens, hears of a caller, and accepts it as a socket of its own", async () => {
  const { at, take, clock, call, listening } = await makeServerWorld({});
  assert.equal(await at("AT#XSOCKET=1,1,0"), `\r\n#XSOCKET: 0,1,6\r\n${ok}`);
  assert.equal(await at("AT#XAPOLL=,1,1"), ok);
  assert.equal(await at("AT#XLISTEN=0"), error, "no port yet");
  assert.equal(await at("AT#XBIND=0,1000"), ok);
  assert.equal(await at("AT#XLISTEN=0"), ok);
  assert.equal(await at("AT#XLISTEN=0"), error, "twice");
  assert.equal(await at("AT#XLISTEN?"), `\r\n#XLISTEN: 0,0,1000\r\n${ok}`);
  assert.equal(await at("AT#XLISTEN=?"), `\r\n#XLISTEN: <handle>\r\n${ok}`);
  assert.deepEqual(listening, [{ host: "127.0.0.1", port: 1000 }]);
  assert.equal(await at("AT#XACCEPT=0"), error, "nobody calls");
  const caller = await call();
  assert.equal(take(), "\r\n#XAPOLL: 0,1\r\n");
  assert.equal(await at("AT#XACCEPT=0"), `\r\n#XACCEPT: 1,0,"10.0.0.9",4321\r\n${ok}`);
  say(caller, "Hello from client");
  await clock.settle();
  assert.equal(take(), "\r\n#XAPOLL: 1,1\r\n");
  assert.equal(await at("AT#XRECV=1,0,0,1"), `\r\n#XRECV: 1,0,17\r\nHello from client${ok}`);
  assert.equal(await at('AT#XSEND=1,0,0,"Hello from server"'), `\r\n#XSEND: 1,0,17\r\n${ok}`);
  await clock.settle();
  assert.equal(caller.received, "Hello from server");
  void caller.connection.close();
  await clock.settle();
  assert.equal(take(), "\r\n#XAPOLL: 1,17\r\n");
  assert.equal(await at("AT#XRECV=1,0,0,1"), ok);
  assert.equal(await at("AT#XCLOSE=1"), `\r\n#XCLOSE: 1,0\r\n${ok}`);
  await call();
  assert.equal(take(), "\r\n#XAPOLL: 0,1\r\n");
  assert.equal(await at('AT#XCONNECT=0,"host",1'), error, "it listens");
  assert.equal(await at("AT#XCLOSE"), `\r\n#XCLOSE: 0,0\r\n${ok}`);
  assert.deepEqual(listening, []);
});

test("slm: a server socket waits for its caller, and then is the way to it", async () => {
  const { at, send, take, clock, call } = await makeServerWorld({ dialect: "slm-1.x" });
  assert.equal(await at("AT#XLISTEN"), error, "no socket");
  assert.equal(await at("AT#XSOCKET=1,1,1"), `\r\n#XSOCKET: 0,1,6\r\n${ok}`);
  assert.equal(await at("AT#XSOCKET?"), `\r\n#XSOCKET: 0,1,1,1,0\r\n${ok}`);
  assert.equal(await at("AT#XBIND=3442"), ok);
  assert.equal(await at('AT#XCONNECT="host",1'), error);
  assert.equal(await at("AT#XACCEPT=1"), error, "it does not listen");
  assert.equal(await at("AT#XLISTEN"), ok);
  assert.equal(await at("AT#XACCEPT=2"), error, "nobody within the time");
  assert.equal(await at("AT#XACCEPT?"), `\r\n#XTCPACCEPT: 0\r\n${ok}`);
  assert.equal(await send("AT#XACCEPT=0\r\n"), "");
  await clock.advance(100_000);
  const caller = await call();
  assert.equal(take(), `\r\n#XACCEPT: 1,"10.0.0.9"\r\n${ok}`);
  assert.equal(await at("AT#XACCEPT?"), `\r\n#XTCPACCEPT: 1\r\n${ok}`);
  say(caller, "question");
  await clock.settle();
  assert.equal(await at("AT#XRECV=1"), `\r\n#XRECV: 8\r\nquestion${ok}`);
  assert.equal(await at('AT#XSEND="answer"'), `\r\n#XSEND: 6\r\n${ok}`);
  await clock.settle();
  assert.equal(caller.received, "answer");
  const next = await call();
  assert.equal(await at("AT#XPOLL=0"), `\r\n#XPOLL: 0,"0x0001"\r\n${ok}`);
  assert.equal(await at("AT#XACCEPT=1"), `\r\n#XACCEPT: 1,"10.0.0.9"\r\n${ok}`);
  await clock.settle();
  assert.ok(caller.isClosed && !next.isClosed, "the new one takes the old one's place");
  assert.equal(await at("AT#XSOCKET=0"), `\r\n#XSOCKET: 0,"closed"\r\n${ok}`);
  await clock.settle();
  assert.ok(next.isClosed);
  assert.equal(await at("AT#XSOCKET=1,1,1"), `\r\n#XSOCKET: 0,1,6\r\n${ok}`);
});

test("slm: the TCP server serves one caller after the other, in both modes", async () => {
  const { at, send, take, clock, call, listening } = await makeServerWorld({ dialect: "slm-2.x" });
  assert.equal(await at("AT#XTCPSVR=?"), `\r\n#XTCPSVR: (0,1,2),<port>,<sec_tag>\r\n${ok}`);
  assert.equal(await at("AT#XTCPSVR=1,666"), `\r\n#XTCPSVR: -112,"not started"\r\n${error}`);
  assert.equal(await at("AT#XTCPSVR=2,3442"), `\r\n#XTCPSVR: 0,"started"\r\n${ok}`);
  assert.deepEqual(listening, [{ host: "::1", port: 3442 }]);
  assert.equal(await at('AT#XTCPCLI=1,"host",1'), error, "one client or server");
  assert.equal(await at("AT#XTCPSVR?"), `\r\n#XTCPSVR: 0,-1,2\r\n${ok}`);
  const first = await call();
  assert.equal(take(), '\r\n#XTCPSVR: "10.0.0.9","connected"\r\n');
  assert.equal(await at("AT#XTCPSVR?"), `\r\n#XTCPSVR: 0,1,2\r\n${ok}`);
  say(first, "Hello, TCP#1!");
  await clock.settle();
  assert.equal(take(), "\r\n#XTCPDATA: 13\r\nHello, TCP#1!");
  assert.equal(await at('AT#XTCPSEND="TCP1 received"'), `\r\n#XTCPSEND: 13\r\n${ok}`);
  const second = await call();
  assert.equal(take(), "", "it waits");
  assert.equal(await send("AT#XTCPSEND\r\n"), ok);
  void first.connection.close();
  await clock.settle();
  assert.equal(
    take(),
    '\r\n#XDATAMODE: -104\r\n\r\n#XTCPSVR: -104,"disconnected"\r\n\r\n#XTCPSVR: "10.0.0.9","connected"\r\n',
  );
  assert.equal(await at("AT#XTCPSVR=0"), `\r\n#XTCPSVR: 0,"stopped"\r\n${ok}`);
  await clock.settle();
  assert.ok(second.isClosed);
  assert.deepEqual(listening, []);
  assert.equal(await at("AT#XTCPSVR=0"), error);
});

test("callers beyond those that may wait are turned away, TLS servers are refused, and offline nobody listens", async () => {
  const refused: string[] = [];
  const { at, clock, call } = await makeServerWorld({ onUnsupported: (what) => refused.push(what) });
  await at("AT#XSOCKET=1,1,1");
  await at("AT#XBIND=0,1000");
  await at("AT#XLISTEN=0");
  const callers = [];
  for (let caller = 0; caller <= pendingConnectionsMax; caller++) callers.push(await call());
  await clock.settle();
  assert.deepEqual(
    callers.map(({ isClosed }) => isClosed),
    [false, false, true],
  );
  assert.equal(await at("AT#XSSOCKET=1,1,1,42"), error);
  assert.deepEqual(refused, ["TLS servers"]);
  const offline = await makeSerialModemWorld({ dialect: "slm-1.x", listen: () => assert.fail("nobody listens") });
  await offline.at("AT#XSOCKET=1,1,1");
  assert.equal(await offline.at("AT#XLISTEN"), error);
  assert.equal(await offline.at("AT#XTCPSVR=1,1"), `\r\n#XTCPSVR: -115,"not started"\r\n${error}`);
});
