import assert from "node:assert/strict";
import { test } from "node:test";
import { httpIdleTimeoutMs, httpReceiveBytesMax } from "./http-exchange.js";
import {
  httpFieldsBytesMax,
  httpFieldsMax,
  httpUrlBytesMax,
  httpUrlHostBytesMax,
  httpUrlPathBytesMax,
} from "./http-requests.js";
import { makePeerWorld } from "./peers.test.support.js";

const ok = "\r\nOK\r\n";
const error = "\r\nERROR\r\n";
const url = '"http://example.com/a?b=c"';
const begun = `\r\n#XHTTPCREQ: 0\r\n${ok}`;

async function connect() {
  const world = await makePeerWorld({ dialect: "serialModem" });
  assert.equal(await world.at("AT#XSOCKET=1,1,0"), `\r\n#XSOCKET: 0,1,6\r\n${ok}`);
  assert.equal(await world.at('AT#XCONNECT=0,"example.com",80'), `\r\n#XCONNECT: 0,1\r\n${ok}`);
  const [peer] = world.peers;
  assert.ok(peer);
  const answer = async (text: string): Promise<string> => {
    peer.send(text);
    await world.clock.settle();
    return world.take();
  };
  return { ...world, peer, answer };
}

test("a response is told with its head, its body and its end, request after request", async () => {
  const { at, peer, answer } = await connect();
  for (let count = 0; count < 2; count++) {
    assert.equal(await at(`AT#XHTTPCREQ=0,${url},0`), begun);
    assert.equal(
      peer.takeText(),
      "GET /a?b=c HTTP/1.1\r\nHost: example.com\r\nUser-Agent: nRF91-Serial-Modem\r\nAccept: */*\r\n\r\n",
    );
    assert.equal(await answer("HTTP/1.1 200 OK\r\nContent-"), "");
    assert.equal(
      await answer("Length: 11\r\n\r\nhello"),
      "\r\n#XHTTPCHEAD: 0,200,11\r\n\r\n#XHTTPCDATA: 0,0,5\r\nhello\r\n",
    );
    assert.equal(await at(`AT#XHTTPCREQ=0,${url},0`), error, "one at a time");
    assert.equal(await answer(" world"), "\r\n#XHTTPCDATA: 0,5,6\r\n world\r\n\r\n#XHTTPCSTAT: 0,200,11,0\r\n");
  }
});

test("says what its commands take, and SLM has others", async () => {
  const { at } = await connect();
  const request = "<handle>,<url>,<method>[,<auto_reception>[,<format>[,<body_len>[,<header>]...]]]";
  assert.equal(await at("AT#XHTTPCREQ=?"), `\r\n#XHTTPCREQ: ${request}\r\n${ok}`);
  assert.equal(await at("AT#XHTTPCDATA=?"), `\r\n#XHTTPCDATA: <handle>[,<length>]\r\n${ok}`);
  assert.equal(await at("AT#XHTTPCCANCEL=?"), `\r\n#XHTTPCCANCEL: <handle>\r\n${ok}`);
  const slm = await makePeerWorld({ dialect: "slm-2.x" });
  assert.equal(await slm.at("AT#XHTTPCDATA=0"), error);
  assert.equal(await slm.at("AT#XHTTPCCANCEL=0"), error);
});

test("header fields stand behind the numbers, of which any may be left out", async () => {
  const { at, peer, answer } = await connect();
  const forms = ['"A: b"', '1,"A: b"', '1,0,"A: b"', '1,0,0,"A: b"', '1,0,0,"",,"A: b"'];
  for (const form of forms) {
    assert.equal(await at(`AT#XHTTPCREQ=0,${url},0,${form}`), begun, form);
    assert.match(peer.takeText(), /Accept: \*\/\*\r\nA: b\r\n\r\n$/, form);
    assert.match(await answer("HTTP/1.1 204 No\r\n\r\n"), /#XHTTPCHEAD: 0,204,-1\r\n\r\n#XHTTPCSTAT: 0,204,0,0/);
  }
});

test("each method, and a response to HEAD without the body that it announces", async () => {
  const { at, peer, answer } = await connect();
  for (const [number, method] of ["GET", "POST", "PUT", "DELETE", "HEAD"].entries()) {
    assert.equal(await at(`AT#XHTTPCREQ=0,"https://example.com",${number}`), begun);
    assert.ok(peer.takeText().startsWith(`${method} / HTTP/1.1\r\n`), method);
    const told = await answer(
      `HTTP/1.1 200 OK\r\nContent-Length: ${method === "HEAD" ? 99 : 0}\r\nConnection: close\r\n\r\n`,
    );
    const length = method === "HEAD" ? 99 : 0;
    assert.equal(told, `\r\n#XHTTPCHEAD: 0,200,${length}\r\n\r\n#XHTTPCSTAT: 0,200,0,1\r\n`, method);
  }
});

test("a request's body goes by data mode, exactly as long as it was announced", async () => {
  const { at, send, peer, answer, take, clock } = await connect();
  assert.equal(await at(`AT#XHTTPCREQ=0,${url},1,1,0,15,"Content-Type: application/json"`), begun);
  assert.match(peer.takeText(), /^POST [^]*\r\nContent-Length: 15\r\nContent-Type: application\/json\r\n\r\n$/);
  let came = await send('{"key":"+++"}\r\n');
  await clock.settle();
  came += take();
  assert.equal(came, "\r\n#XDATAMODE: 0\r\n");
  assert.equal(peer.takeText(), '{"key":"+++"}\r\n');
  assert.match(await answer("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"), /#XHTTPCSTAT: 0,201,0,0\r\n$/);
  for (const method of [0, 3, 4]) assert.equal(await at(`AT#XHTTPCREQ=0,${url},${method},1,0,15`), error);
});

test("a body is written as hex digits when that is asked for", async () => {
  const { at, answer } = await connect();
  await at(`AT#XHTTPCREQ=0,${url},0,1,1`);
  assert.equal(
    await answer("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\xffAz"),
    "\r\n#XHTTPCHEAD: 0,200,3\r\n\r\n#XHTTPCDATA: 0,0,3\r\nff417a\r\n\r\n#XHTTPCSTAT: 0,200,3,0\r\n",
  );
});

test("a body is pulled piece by piece", async () => {
  const { at, answer, take } = await connect();
  await at(`AT#XHTTPCREQ=0,${url},0,0`);
  assert.equal(await at("AT#XHTTPCDATA=0"), error, "no head yet");
  assert.equal(await answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), "\r\n#XHTTPCHEAD: 0,200,9\r\n");
  assert.equal(await at("AT#XHTTPCDATA=0,2"), `\r\n#XHTTPCDATA: 0,0,2\r\nab${ok}`);
  assert.equal(await at("AT#XHTTPCDATA=0"), `\r\n#XHTTPCDATA: 0,2,1\r\nc${ok}`);
  assert.equal(await at("AT#XHTTPCDATA=0,5"), `\r\n#XHTTPCDATA: 0,3,0\r\n${ok}`);
  assert.equal(await answer("defghi"), "");
  assert.equal(
    `${await at("AT#XHTTPCDATA=0")}${take()}`,
    `\r\n#XHTTPCDATA: 0,3,6\r\ndefghi${ok}\r\n#XHTTPCSTAT: 0,200,9,0\r\n`,
  );
  assert.equal(await at("AT#XHTTPCDATA=0"), error);
});

test("pulling ends with the connection, in order or not", async () => {
  for (const [end, answerTo, status] of [
    ["close", ok, 200],
    ["reset", error, -1],
  ] as const) {
    const { at, answer, peer, clock, take } = await connect();
    await at(`AT#XHTTPCREQ=0,${url},0,0`);
    await answer("HTTP/1.1 200 OK\r\n\r\nabc");
    peer[end]();
    await clock.settle();
    assert.equal(take(), "");
    assert.equal(await at("AT#XHTTPCDATA=0"), `\r\n#XHTTPCDATA: 0,0,3\r\nabc${ok}`);
    assert.equal(`${await at("AT#XHTTPCDATA=0")}${take()}`, `${answerTo}\r\n#XHTTPCSTAT: 0,${status},3,0\r\n`, end);
  }
});

test("chunks are handed on with their sizes, and their end ends the response", async () => {
  const { at, answer } = await connect();
  await at(`AT#XHTTPCREQ=0,${url},0`);
  const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  assert.equal(
    await answer(`${head}3\r\nabc\r\n0\r`),
    "\r\n#XHTTPCHEAD: 0,200,-1\r\n\r\n#XHTTPCDATA: 0,0,10\r\n3\r\nabc\r\n0\r\r\n",
  );
  assert.equal(await answer("\n\r\n"), "\r\n#XHTTPCDATA: 0,10,3\r\n\n\r\n\r\n\r\n#XHTTPCSTAT: 0,200,13,0\r\n");
});

test("a large body comes in pieces of the buffer, and waits for a host that does not read", async () => {
  const { at, answer, port, clock, take, peer } = await connect();
  await at(`AT#XHTTPCREQ=0,${url},0`);
  const body = "x".repeat(3 * httpReceiveBytesMax);
  const told = await answer(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  const lengths = [...told.matchAll(/#XHTTPCDATA: 0,(\d+),(\d+)/g)].map((match) => Number(match[2]));
  assert.equal(Math.max(...lengths), httpReceiveBytesMax);
  assert.equal(
    lengths.reduce((sum, length) => sum + length, 0),
    body.length,
  );
  await at(`AT#XHTTPCREQ=0,${url},0`);
  port.pause();
  const large = "y".repeat(200_000);
  peer.send(`HTTP/1.1 200 OK\r\nContent-Length: ${large.length}\r\n\r\n${large}`);
  await clock.settle();
  port.resume();
  await clock.settle();
  const came = take();
  assert.equal((came.match(/y/g) ?? []).length, large.length);
  assert.match(came, /#XHTTPCSTAT: 0,200,200000,0\r\n$/);
});

test("a server that ends, is silent, or sends no HTTP is told with -1", async () => {
  const head = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n";
  const ends: [
    name: string,
    act: (world: Awaited<ReturnType<typeof connect>>) => Promise<unknown> | void,
    told: string,
  ][] = [
    ["closed before", ({ peer }) => peer.close(), "#XHTTPCSTAT: 0,-1,0,0"],
    ["reset before", ({ peer }) => peer.reset(), "#XHTTPCSTAT: 0,-1,0,0"],
    [
      "reset within",
      async ({ peer, clock }) => {
        peer.send(`${head}abc`);
        await clock.settle();
        peer.reset();
      },
      "#XHTTPCSTAT: 0,-1,3,0",
    ],
    [
      "closed within",
      ({ peer }) => {
        peer.send(`${head}abc`);
        peer.close();
      },
      "#XHTTPCSTAT: 0,200,3,0",
    ],
    ["silence", ({ clock }) => clock.advance(httpIdleTimeoutMs), "#XHTTPCSTAT: 0,-1,0,0"],
    ["no HTTP", ({ peer }) => peer.send("SSH-2.0\r\n\r\n"), "#XHTTPCSTAT: 0,-1,0,0"],
    ["bad chunks", ({ peer }) => peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"), "0,-1,3,0"],
    ["long head", ({ peer }) => peer.send(`HTTP/1.1 200 OK\r\nA: ${"x".repeat(httpReceiveBytesMax)}`), "0,-1,0,0"],
  ];
  for (const [name, act, told] of ends) {
    const world = await connect();
    await world.at(`AT#XHTTPCREQ=0,${url},0`);
    await act(world);
    await world.clock.settle();
    const came = world.take();
    assert.ok(came.endsWith(`${told}\r\n`), `${name}: ${JSON.stringify(came)}`);
  }
});

test("each byte that comes puts the end for silence off", async () => {
  const { at, answer, clock, take } = await connect();
  await at(`AT#XHTTPCREQ=0,${url},0`);
  for (const byte of "HTTP/1.1 200") {
    await clock.advance(httpIdleTimeoutMs - 1);
    assert.equal(await answer(byte), "");
  }
  await clock.advance(httpIdleTimeoutMs);
  assert.equal(take(), "\r\n#XHTTPCSTAT: 0,-1,0,0\r\n");
});

test("a request is cancelled, by its own command or with its socket", async () => {
  for (const [command, reply] of [
    ["AT#XHTTPCCANCEL=0", ok],
    ["AT#XCLOSE=0", `\r\n#XCLOSE: 0,0\r\n${ok}`],
  ] as const) {
    const { at, answer, take } = await connect();
    assert.equal(await at("AT#XHTTPCCANCEL=0"), error, "none");
    await at(`AT#XHTTPCREQ=0,${url},0`);
    await answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
    assert.equal(`${await at(command)}${take()}`, `${reply}\r\n#XHTTPCSTAT: 0,-1,3,0\r\n`);
    assert.equal(await at("AT#XHTTPCCANCEL=0"), error);
  }
});

test("a socket that is not there or not connected, and a server gone in the middle of a body", async () => {
  const { at, send, take, clock, peer } = await connect();
  assert.equal(await at(`AT#XHTTPCREQ=1,${url},0`), error);
  await at("AT#XSOCKET=1,1,0");
  assert.equal(
    `${await at(`AT#XHTTPCREQ=1,${url},0`)}${take()}`,
    "\r\n#XHTTPCREQ: 1\r\n\r\nOK\r\n\r\n#XHTTPCSTAT: 1,-1,0,0\r\n",
  );
  assert.equal(await at(`AT#XHTTPCREQ=1,${url},1,1,0,5`), error);
  assert.equal(await at(`AT#XHTTPCREQ=0,${url},1,1,0,5`), begun);
  peer.close();
  await clock.settle();
  take();
  // The Serial Modem sends the terminator, and drops what comes until the host sends it back.
  assert.equal(await send("hello"), "+++");
  const came = await send("+++");
  await clock.settle();
  assert.match(`${came}${take()}`, /^\r\n#XDATAMODE: -\d+\r\n\r\n#XHTTPCSTAT: 0,-1,0,0\r\n$/);
});

test("what is no request is an ERROR, and texts go to their limits", async () => {
  const { at, answer, take } = await connect();
  const base = "http://h/";
  const wrong = [
    '"example.com/a",0',
    '"http:///a",0',
    '"http://a b/",0',
    `${url},5`,
    `${url},-1`,
    `${url}`,
    `${url},0,2`,
    `${url},0,1,2`,
    `"http://${"h".repeat(httpUrlHostBytesMax + 1)}/",0`,
    `"${base}${"p".repeat(httpUrlPathBytesMax)}",0`,
    `${url},0,1,0,0,"${"f".repeat(httpFieldsBytesMax - 1)}"`,
    `${url},0,1,0,0${',"a"'.repeat(httpFieldsMax + 1)}`,
  ];
  for (const parameters of wrong) assert.equal(await at(`AT#XHTTPCREQ=0,${parameters}`), error, parameters);
  const right = [
    `"http://${"h".repeat(httpUrlHostBytesMax)}/",0`,
    `"${base}${"p".repeat(httpUrlPathBytesMax - 1)}",0`,
    `${url},0,1,0,0,"${"f".repeat(httpFieldsBytesMax - 2)}"`,
    `${url},0,1,0,0${',"a"'.repeat(httpFieldsMax)}`,
  ];
  for (const parameters of right) {
    assert.equal(await at(`AT#XHTTPCREQ=0,${parameters}`), begun, parameters);
    await answer("HTTP/1.1 204 No\r\n\r\n");
    take();
  }
  const long = `http://${"h".repeat(httpUrlHostBytesMax)}/${"p".repeat(httpUrlPathBytesMax - 1)}`;
  assert.ok(long.length > httpUrlBytesMax);
  assert.equal(await at(`AT#XHTTPCREQ=0,"${long}",0`), error);
});

test("nothing is left when the application ends in the middle of a request", async () => {
  const { at, application, modem, clock } = await connect();
  await at(`AT#XHTTPCREQ=0,${url},0`);
  await clock.until(application.close());
  await clock.until(modem.close());
  assert.equal(clock.timerCount, 0);
});
