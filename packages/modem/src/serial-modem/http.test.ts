import assert from "node:assert/strict";
import { test } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import { highWaterBytes } from "@thingline/transport";
import { httpHeadBytesMax, httpTimeoutMs } from "./http-client.js";
import {
  httpContentTypeBytesMax,
  httpHeadersBytesMax,
  httpHostBytesMax,
  httpMethodBytesMax,
  httpResourceBytesMax,
} from "./http.js";
import { makePeerWorld } from "./peers.test.support.js";
import type { SerialModemWorldOptions } from "./world.test.support.js";

const ok = "\r\nOK\r\n";
const error = "\r\nERROR\r\n";
const dialects = ["slm-1.x", "slm-2.x"] as const;

async function connect(options: SerialModemWorldOptions = { dialect: "slm-1.x" }) {
  const world = await makePeerWorld(options);
  assert.equal(await world.at('AT#XHTTPCCON=1,"example.com",80'), `\r\n#XHTTPCCON: 1\r\n${ok}`);
  const [peer] = world.peers;
  assert.ok(peer);
  return { ...world, peer };
}

for (const dialect of dialects) {
  test(`${dialect}: connects, tells its state, and disconnects`, async () => {
    const { at, peer } = await connect({ dialect });
    assert.deepEqual([peer.target.host, peer.target.port, peer.target.family], ["example.com", 80, 4]);
    assert.equal(await at("AT#XHTTPCCON?"), `\r\n#XHTTPCCON: 1,"example.com",80\r\n${ok}`);
    assert.equal(await at('AT#XHTTPCCON=1,"example.com",80'), error, "it is connected already");
    assert.equal(await at("AT#XHTTPCCON=0"), `\r\n#XHTTPCCON: 0\r\n${ok}`);
    assert.notEqual(peer.closedBy, undefined);
    assert.equal(await at("AT#XHTTPCCON?"), `\r\n#XHTTPCCON: 0,"example.com",80\r\n${ok}`);
    assert.equal(await at("AT#XHTTPCCON=0"), error);
    assert.equal(await at('AT#XHTTPCREQ="GET","/"'), error);
    assert.equal(await at("AT#XHTTPCREQ=?"), error);
  });

  test(`${dialect}: says what connecting takes`, async () => {
    const { at } = await connect({ dialect });
    const verification = dialect === "slm-2.x" ? ",<peer_verify>,<hostname_verify>" : "";
    assert.equal(await at("AT#XHTTPCCON=?"), `\r\n#XHTTPCCON: (0,1,2),<host>,<port>,<sec_tag>${verification}\r\n${ok}`);
    assert.equal(await at("AT#XHTTPCREQ=?"), ok);
  });

  test(`${dialect}: a response goes to the host as it comes, with the bytes of its head and of its body`, async () => {
    const { at, peer, clock, take } = await connect({ dialect });
    assert.equal(await at('AT#XHTTPCREQ="GET","/get?a=b","Accept: */*\\r\\n"'), `${ok}\r\n#XHTTPCREQ: 0\r\n`);
    assert.equal(peer.takeText(), "GET /get?a=b HTTP/1.1\r\nHost: example.com\r\nAccept: */*\r\n\r\n");
    const head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";
    for (const piece of [head.slice(0, 9), `${head.slice(9)}hell`, "o wor", "l"]) {
      peer.send(piece);
      await clock.settle();
    }
    assert.equal(take(), `${head}\r\n#XHTTPCRSP:${head.length},0\r\nhello worl\r\n#XHTTPCRSP:10,1\r\n`);
    assert.equal(await at('AT#XHTTPCREQ="HEAD","/"'), `${ok}\r\n#XHTTPCREQ: 0\r\n`, "the connection is kept");
    peer.send(head);
    await clock.settle();
    assert.equal(take(), `${head}\r\n#XHTTPCRSP:${head.length},0\r\n\r\n#XHTTPCRSP:0,1\r\n`);
  });
}

test("a payload goes by data mode, and only the terminator ends it", async () => {
  const { at, send, peer, clock, take } = await connect({ dialect: "slm-2.x" });
  const command = 'AT#XHTTPCREQ="POST","/post","User-Agent: slm\\r\\n","application/json",17';
  assert.equal(await at(command), `${ok}\r\n#XHTTPCREQ: 1\r\n`);
  assert.equal(
    peer.takeText(),
    "POST /post HTTP/1.1\r\nHost: example.com\r\nUser-Agent: slm\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n",
  );
  let came = await send('{"hello":"world"}');
  await clock.advance(100);
  assert.equal(peer.takeText(), '{"hello":"world"}');
  came += await send("+++");
  await clock.advance(100);
  came += take();
  assert.equal(came, "\r\n#XDATAMODE: 0\r\n\r\n#XHTTPCREQ: 0\r\n");
  peer.send("HTTP/1.1 204 No Content\r\n\r\n");
  await clock.settle();
  assert.equal(take(), "HTTP/1.1 204 No Content\r\n\r\n\r\n#XHTTPCRSP:27,0\r\n\r\n#XHTTPCRSP:0,1\r\n");
});

test("a payload in chunks has no length of its own, and an early answer waits for it", async () => {
  const { at, send, peer, clock, take } = await connect();
  const command = 'AT#XHTTPCREQ="PUT","/","Transfer-Encoding: chunked\\r\\n","",99,1';
  assert.equal(await at(command), `${ok}\r\n#XHTTPCREQ: 1\r\n`);
  assert.equal(peer.takeText(), "PUT / HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\n\r\n");
  peer.send("HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n");
  await clock.settle();
  assert.equal(take(), "");
  let came = await send("3\r\nabc\r\n0\r\n\r\n");
  await clock.advance(100);
  came += await send("+++");
  await clock.advance(100);
  came += take();
  assert.equal(peer.takeText(), "3\r\nabc\r\n0\r\n\r\n");
  assert.match(came, /^\r\n#XDATAMODE: 0\r\n\r\n#XHTTPCREQ: 0\r\nHTTP\/1.1 400 Bad\r\n[^]*#XHTTPCRSP:0,1\r\n$/);
});

test("chunks of a response go to the host with their sizes", async () => {
  const { at, peer, clock, take } = await connect();
  await at('AT#XHTTPCREQ="GET","/"');
  const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const body = "5\r\nhello\r\n0\r\n\r\n";
  peer.send(`${head}${body.slice(0, 7)}`);
  await clock.settle();
  peer.send(body.slice(7));
  await clock.settle();
  assert.equal(take(), `${head}\r\n#XHTTPCRSP:${head.length},0\r\n${body}\r\n#XHTTPCRSP:${body.length},1\r\n`);
});

test("what comes behind the body is not the response's", async () => {
  const { at, peer, clock, take } = await connect();
  await at('AT#XHTTPCREQ="GET","/"');
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc");
  await clock.settle();
  assert.match(take(), /\r\nab\r\n#XHTTPCRSP:2,1\r\n$/);
});

test("an interim response is told as well", async () => {
  const { at, peer, clock, take } = await connect();
  await at('AT#XHTTPCREQ="GET","/"');
  peer.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
  await clock.settle();
  assert.match(take(), /^HTTP\/1.1 100 [^]*RSP:25,0\r\nHTTP\/1.1 200 [^]*RSP:38,0\r\nx\r\n#XHTTPCRSP:1,1\r\n$/);
});

test("a server that ends the connection, is silent, or sends no HTTP ends the client's connection", async () => {
  const ends: [
    name: string,
    act: (world: Awaited<ReturnType<typeof connect>>) => Promise<void> | void,
    told: string,
  ][] = [
    ["closed before", ({ peer }) => peer.close(), "\r\n#XHTTPCRSP: 0,-104\r\n"],
    [
      "closed within",
      ({ peer }) => {
        peer.send("HTTP/1.1 200 OK\r\n\r\nto the end");
        peer.close();
      },
      "HTTP/1.1 200 OK\r\n\r\n\r\n#XHTTPCRSP:19,0\r\nto the end\r\n#XHTTPCRSP: 0,-104\r\n",
    ],
    ["reset", ({ peer }) => peer.reset(), "\r\n#XHTTPCRSP: 0,-104\r\n"],
    ["silence", ({ clock }) => clock.advance(httpTimeoutMs), "\r\n#XHTTPCREQ: -11\r\n"],
    ["no HTTP", ({ peer }) => peer.send("SSH-2.0\r\n\r\n"), "\r\n#XHTTPCREQ: -77\r\n"],
    [
      "bad chunks",
      ({ peer }) => peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"),
      "#XHTTPCREQ: -77",
    ],
    ["long head", ({ peer }) => peer.send(`HTTP/1.1 200 OK\r\nA: ${"x".repeat(httpHeadBytesMax)}`), "#XHTTPCREQ: -77"],
  ];
  for (const [name, act, told] of ends) {
    const world = await connect();
    await world.at('AT#XHTTPCREQ="GET","/"');
    assert.equal(await world.at('AT#XHTTPCREQ="GET","/"'), error, "one request at a time");
    await act(world);
    await world.clock.settle();
    const came = world.take();
    assert.ok(came.includes(told), `${name}: ${JSON.stringify(came)}`);
    assert.ok(came.endsWith("\r\n#XHTTPCCON: 0\r\n"), name);
    assert.equal(await world.at("AT#XHTTPCCON?"), `\r\n#XHTTPCCON: 0,"example.com",80\r\n${ok}`, name);
  }
});

test("a head goes to its limit", async () => {
  const { at, peer, clock, take } = await connect();
  await at('AT#XHTTPCREQ="GET","/"');
  const start = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: ";
  const head = `${start}${"x".repeat(httpHeadBytesMax - start.length - 4)}\r\n\r\n`;
  peer.send(head);
  await clock.settle();
  assert.match(take(), new RegExp(`RSP:${httpHeadBytesMax},0`));
});

test("a server that is gone is noticed with the next request, and in the middle of a payload", async () => {
  const idle = await connect();
  idle.peer.close();
  await idle.clock.settle();
  assert.equal(idle.take(), "");
  assert.equal(await idle.at('AT#XHTTPCREQ="GET","/"'), `${ok}\r\n#XHTTPCRSP: 0,-104\r\n\r\n#XHTTPCCON: 0\r\n`);
  const busy = await connect();
  await busy.at('AT#XHTTPCREQ="POST","/","","",5');
  busy.peer.close();
  await busy.clock.settle();
  assert.match(busy.take(), /#XDATAMODE: -104\r\n[^]*#XHTTPCCON: 0\r\n$/);
  assert.equal(await busy.at("AT"), ok);
});

test("a network that does not lead there is told with the state", async () => {
  const { at, refuseDials } = await makePeerWorld({ dialect: "slm-1.x" });
  refuseDials(new ThinglineError("CONNECTION_REFUSED", "no"));
  assert.equal(await at('AT#XHTTPCCON=1,"example.com",80'), `\r\n#XHTTPCCON: 0\r\n${error}`);
  refuseDials(undefined);
  assert.equal(await at('AT#XHTTPCCON=1,"example.com",443,42'), `\r\n#XHTTPCCON: 0\r\n${error}`, "no credentials");
  assert.equal(await at("AT#XHTTPCCON?"), `\r\n#XHTTPCCON: 0,"example.com",443,42\r\n${ok}`);
});

test("what is no request is an ERROR, and texts go to their limits", async () => {
  const { at, peer, clock } = await connect();
  const wrong = [
    '"BREW","/"',
    '"get","/"',
    '"GET"',
    '"GET","/","Accept: */*"',
    '"GET","/","Accept: */*\\r\\n\\r\\n"',
    '"GET","/","","text/plain"',
    `"${"M".repeat(httpMethodBytesMax + 1)}","/"`,
    `"GET","${"r".repeat(httpResourceBytesMax + 1)}"`,
    `"GET","/","${"h".repeat(httpHeadersBytesMax - 3)}\\r\\n"`,
    `"GET","/","","${"t".repeat(httpContentTypeBytesMax + 1)}",0`,
  ];
  for (const parameters of wrong) assert.equal(await at(`AT#XHTTPCREQ=${parameters}`), error, parameters);
  assert.equal(peer.takeText(), "");
  const right = [
    `"GET","${"r".repeat(httpResourceBytesMax)}"`,
    `"GET","/","${"h".repeat(httpHeadersBytesMax - 4)}\\r\\n"`,
    `"GET","/","","${"t".repeat(httpContentTypeBytesMax)}",0`,
  ];
  for (const parameters of right) {
    assert.match(await at(`AT#XHTTPCREQ=${parameters}`), /OK/, parameters);
    peer.send("HTTP/1.1 204 No\r\n\r\n");
    await clock.settle();
  }
  const { at: atHost } = await makePeerWorld({ dialect: "slm-1.x" });
  assert.equal(await atHost(`AT#XHTTPCCON=1,"${"h".repeat(httpHostBytesMax + 1)}",80`), error);
  assert.match(await atHost(`AT#XHTTPCCON=1,"${"h".repeat(httpHostBytesMax)}",80`), /OK/);
});

test("the Serial Modem connects by its sockets, and has no command for it", async () => {
  const { at } = await makePeerWorld();
  assert.equal(await at('AT#XHTTPCCON=1,"example.com",80'), error);
});

test("nothing is left when the application ends in the middle of a request", async () => {
  const { at, application, modem, clock, peer } = await connect();
  await at('AT#XHTTPCREQ="GET","/"');
  await clock.until(application.close());
  await clock.until(modem.close());
  assert.notEqual(peer.closedBy, undefined);
  assert.equal(clock.timerCount, 0);
});

for (const dialect of dialects) {
  test(`${dialect}: a response that is faster than the line waits at the server, and nothing of it is lost`, async () => {
    const { at, peer, clock, take, application } = await connect({ dialect, port: { bytesPerSecond: 10_000 } });
    await at('AT#XHTTPCREQ="GET","/"');
    const body = "0123456789".repeat(20_000);
    peer.send(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    peer.close();
    // Longer than the client waits for a server that is silent.
    await clock.advance(21_000);
    const came = take();
    assert.equal(came.match(/[0-9]{1000,}/)?.[0], body);
    assert.match(came, /#XHTTPCRSP:200000,1\r\n$/);
    assert.equal(application.counters.lostBytes, 0);
  });
}

test("a response whose server ends before the line has taken all is told to its end first", async () => {
  const { at, peer, clock, take } = await connect({ dialect: "slm-2.x", port: { bytesPerSecond: 10_000 } });
  await at('AT#XHTTPCREQ="GET","/"');
  const body = "x".repeat(50_000);
  peer.send(`HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n${body}`);
  await clock.advance(1_000);
  peer.reset();
  await clock.advance(20_000);
  const told = "\r\n#XHTTPCRSP: 0,-104\r\n\r\n#XHTTPCCON: 0\r\n";
  const came = take();
  assert.equal(came.slice(came.indexOf("x".repeat(1000))), body + told);
});

test("a server that takes nothing ends the payload's mode in time, whether or not it has answered already", async () => {
  for (const answer of ["", "HTTP/1.1 413 Content Too Large\r\n\r\n"]) {
    const { at, send, peer, clock, take } = await connect({ dialect: "slm-1.x" });
    const payload = "x".repeat(highWaterBytes + 128 * 1024);
    assert.equal(await at(`AT#XHTTPCREQ="POST","/","","",${payload.length}`), `${ok}\r\n#XHTTPCREQ: 1\r\n`);
    peer.pause();
    await send(payload);
    if (answer !== "") peer.send(answer);
    await clock.advance(httpTimeoutMs);
    assert.equal(take(), "\r\n#XDATAMODE: -11\r\n\r\n#XHTTPCREQ: -11\r\n\r\n#XHTTPCCON: 0\r\n", answer);
  }
});
