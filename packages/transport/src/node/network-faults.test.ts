import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import type { ThinglineError } from "@thingline/protocol";
import type { Clock } from "../clock.js";
import {
  defaultHandshakeTimeoutMs,
  webSocketMessageBytesMax,
  type Connection,
  type Endpoint,
  type Listener,
  type ListenOptions,
} from "../connection.js";
import { clientTlsOf, openPair, serverTlsOf } from "../contract/connection-harness.js";
import { codeOf, observe } from "../contract/harness.js";
import { makeTestCertificate, makeTestCertificates } from "../contract/test-certificates.js";
import { createNodeClock } from "./clock.js";
import { createNodeHttp } from "./http.js";
import { createNodeKeys } from "./keys.js";
import { upgradeHeadBytesMax } from "./listen.js";
import { createNodeNetwork } from "./network.js";
import { serverTlsOptions } from "./tls-options.js";

const keys = createNodeKeys();
const certificates = await makeTestCertificates(keys);
const network = createNodeNetwork();
const world = { network, certificates, wait: <T>(promise: Promise<T>): Promise<T> => promise };

async function listenWith(server: Server): Promise<Endpoint> {
  // A test that fails before its end must not keep the process.
  server.listen(0, "127.0.0.1").unref();
  await once(server, "listening");
  return { host: "127.0.0.1", port: (server.address() as AddressInfo).port };
}

/** A listener that tells the codes of what it refused. */
async function refusingListener(options: Partial<ListenOptions>) {
  const refused: ThinglineError[] = [];
  let tell: (error: ThinglineError) => void = () => undefined;
  const first = new Promise<ThinglineError>((resolve) => (tell = resolve));
  const onRefused = (error: ThinglineError): void => {
    refused.push(error);
    tell(error);
  };
  const all = { host: "127.0.0.1", port: 0, onRefused, ...options };
  const listener = await network.listen(all, () => undefined);
  return { listener, refused, first };
}

function openResources(): string[] {
  return process.getActiveResourcesInfo().filter((name) => /TCP|TLS|Timeout|Immediate/.test(name));
}

test("under TLS 1.3 a refused client certificate shows on the first read, with the alert's name", async () => {
  const server = createTlsServer({
    cert: certificates.server.certificatePem,
    key: certificates.server.privateKeyPem,
    ca: certificates.ca.certificatePem,
    requestCert: true,
    rejectUnauthorized: true,
  });
  server.on("tlsClientError", () => undefined);
  const address = await listenWith(server);
  const client = await network.dial({ ...address, tls: clientTlsOf(certificates) });
  const error = await observe(client).closed;
  assert.equal(error?.code, "TLS_HANDSHAKE_FAILED");
  assert.equal(error?.details["alert"], "certificate_required");
  server.close();
});

test("under TLS 1.2 a refusal with an alert fails the dial, with the alert's name", async () => {
  const server = createServer((socket) => {
    // Fatal, certificate_unknown.
    socket.once("data", () => socket.end(Buffer.from("1503030002022e", "hex")));
    socket.on("error", () => undefined);
  });
  const address = await listenWith(server);
  const dial = network.dial({ ...address, tls: clientTlsOf(certificates, undefined, { maxVersion: "TLSv1.2" }) });
  const error = await dial.catch((failure: unknown) => failure as ThinglineError);
  assert.ok("code" in error && error.code === "TLS_HANDSHAKE_FAILED");
  assert.equal("details" in error && error.details["alert"], "certificate_unknown");
  server.close();
});

test("a server that says nothing ends with TIMEOUT, and an aborted dial with ABORTED; nothing is left", async () => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket.on("error", () => undefined)));
  const address = await listenWith(server);
  const before = openResources().length;
  const targets = [
    { ...address, tls: clientTlsOf(certificates) },
    { ...address, webSocket: { path: "/mqtt" } },
  ];
  for (const target of targets) {
    assert.equal(await codeOf(network.dial({ ...target, connectTimeoutMs: 30 })), "TIMEOUT");
    const controller = new AbortController();
    const accepted = once(server, "connection");
    const dial = codeOf(network.dial(target, { signal: controller.signal }));
    await accepted;
    controller.abort();
    assert.equal(await dial, "ABORTED");
  }
  for (const socket of sockets) if (!socket.resume().destroyed) await once(socket, "close");
  assert.ok(openResources().length <= before, openResources().join());
  server.close();
});

test(
  "connections that are reset before they are accepted do not keep a listener from closing",
  { timeout: 60_000 },
  async () => {
    const tls = { ...serverTlsOf(certificates), handshakeTimeoutMs: 3_600_000 };
    const { listener, refused } = await refusingListener({ tls });
    const hello = await clientHello();
    const closed = Array.from({ length: 40 }, async () => {
      const socket = connect(listener.address).on("error", () => undefined);
      await once(socket, "connect");
      socket.write(hello);
      socket.resetAndDestroy();
      await once(socket, "close");
    });
    await Promise.all(closed);
    // All of them were accepted when a later one has been served.
    (await network.dial({ ...listener.address, tls: clientTlsOf(certificates) })).destroy();
    await listener.close();
    assert.ok(
      refused.every(({ code }) => code === "CONNECTION_LOST"),
      refused.map(({ code }) => code).join(),
    );
  },
);

type Vanish = "hello and end at once" | "end after the answer" | "reset at once" | "reset after the answer";
const vanishing: readonly Vanish[] = [
  "hello and end at once",
  "end after the answer",
  "reset at once",
  "reset after the answer",
];

for (const how of vanishing) {
  test(
    `a client that vanishes in the handshake is dropped and counted at once: ${how}`,
    { timeout: 60_000 },
    async () => {
      const tls = serverTlsOf(certificates, { handshakeTimeoutMs: 3_600_000 });
      const { listener, first } = await refusingListener({ tls });
      const socket = connect(listener.address).on("error", () => undefined);
      await once(socket, "connect");
      const hello = await clientHello();
      if (how === "hello and end at once") socket.end(hello);
      else await new Promise((resolve) => socket.write(hello, resolve));
      if (how.endsWith("answer")) await once(socket, "data");
      if (how.startsWith("reset")) socket.resetAndDestroy();
      else socket.end();
      assert.equal((await first).code, "CONNECTION_LOST");
      if (!socket.resume().closed) await once(socket, "close");
      await listener.close();
    },
  );
}

test(
  "of handshakes under way the oldest goes when there are too many, and connections do not count",
  { timeout: 60_000 },
  async () => {
    const tls = serverTlsOf(certificates, { handshakeTimeoutMs: 3_600_000 });
    const { listener, first } = await refusingListener({ tls, handshakesMax: 2 });
    const dialled = await Promise.all(
      [1, 2].map(() => network.dial({ ...listener.address, tls: clientTlsOf(certificates) })),
    );
    const sockets = [];
    for (let count = 0; count < 3; count++) {
      const socket = connect(listener.address).on("error", () => undefined);
      await once(socket, "connect");
      sockets.push(socket.resume());
    }
    assert.equal((await first).code, "LIMIT_EXCEEDED");
    if (sockets[0]?.closed === false) await once(sockets[0], "close");
    const more = await network.dial({ ...listener.address, tls: clientTlsOf(certificates) });
    for (const connection of [...dialled, more]) connection.destroy();
    for (const socket of sockets) socket.destroy();
    await listener.close();
  },
);

test(
  "handshakes under way are bounded over all listeners of a network: the oldest goes, whoever has it",
  { timeout: 60_000 },
  async (context) => {
    const shared = createNodeNetwork({ handshakesMax: 2 });
    const tls = serverTlsOf(certificates, { handshakeTimeoutMs: 3_600_000 });
    const refused: string[] = [];
    const accepted: (() => void)[] = [];
    const clients: { destroy(): void }[] = [];
    const listeners: Listener[] = [];
    context.after(async () => {
      for (const client of clients) client.destroy();
      await Promise.all(listeners.map((listener) => listener.close()));
    });
    const listenAs = async (name: string): Promise<Endpoint> => {
      const onRefused = ({ code, details }: ThinglineError): void =>
        void refused.push(`${name} ${code} ${String(details["limit"])}`);
      const onConnection = (): void => accepted.shift()?.();
      const listener = await shared.listen({ host: "127.0.0.1", port: 0, tls, onRefused }, onConnection);
      listeners.push(listener);
      return listener.address;
    };
    /** A client that says nothing. The listener knows of it when a later one has been served. */
    const begin = async (address: Endpoint): Promise<{ closed: Promise<unknown> }> => {
      const socket = connect(address).on("error", () => undefined);
      clients.push(socket);
      const closed = new Promise((resolve) => socket.resume().once("close", resolve));
      await once(socket, "connect");
      return { closed };
    };
    /** Under TLS 1.3 the client is done before the server, which has a connection only then. */
    const serve = async (address: Endpoint): Promise<void> => {
      const served = new Promise<void>((resolve) => accepted.push(resolve));
      clients.push(await shared.dial({ ...address, tls: clientTlsOf(certificates) }));
      await served;
    };
    const [first, second] = [await listenAs("first"), await listenAs("second")];
    const oldest = await begin(first);
    await serve(first);
    const next = await begin(second);
    assert.deepEqual(refused, [], "as many as may be");
    await serve(second);
    await oldest.closed;
    assert.deepEqual(refused, ["first LIMIT_EXCEEDED 2"]);
    await serve(first);
    await serve(second);
    assert.deepEqual(refused, ["first LIMIT_EXCEEDED 2"], "what is a connection counts no more");
    await begin(first);
    await serve(first);
    await next.closed;
    assert.deepEqual(refused, ["first LIMIT_EXCEEDED 2", "second LIMIT_EXCEEDED 2"]);
  },
);

test("without an option a handshake has defaultHandshakeTimeoutMs", { timeout: 60_000 }, async () => {
  const timers: { delayMs: number; callback: () => void }[] = [];
  const clock: Clock = {
    ...createNodeClock(),
    setTimer: (delayMs, callback) => {
      timers.push({ delayMs, callback });
      return { cancel: () => undefined };
    },
  };
  const { tls, ...rest } = { tls: serverTlsOf(certificates), host: "127.0.0.1", port: 0 };
  let tell: (error: ThinglineError) => void = () => undefined;
  const first = new Promise<ThinglineError>((resolve) => (tell = resolve));
  const onRefused = (error: ThinglineError) => tell(error);
  const listener = await createNodeNetwork({ clock }).listen({ ...rest, tls, onRefused }, () => undefined);
  const socket = connect(listener.address).on("error", () => undefined);
  const closed = once(socket.resume(), "close");
  while (timers.length === 0) await nextTurn();
  assert.deepEqual(
    timers.map(({ delayMs }) => delayMs),
    [defaultHandshakeTimeoutMs],
  );
  for (const { callback } of timers) callback();
  const { code, details } = await first;
  assert.deepEqual([code, details["timeoutMs"]], ["TIMEOUT", defaultHandshakeTimeoutMs]);
  await closed;
  await listener.close();
  // Node's own timer goes on where the listener's ends, with the first bytes of TLS.
  assert.equal(serverTlsOptions(tls).handshakeTimeout, defaultHandshakeTimeoutMs);
});

for (const stage of ["nothing said", "hello answered", "no upgrade yet"] as const) {
  test(`a handshake that made room for another is counted once: ${stage}`, { timeout: 60_000 }, async () => {
    const tls = serverTlsOf(certificates, { handshakeTimeoutMs: 3_600_000 });
    const webSocket = stage === "no upgrade yet" ? { webSocket: { path: "/mqtt" } } : {};
    const { listener, refused } = await refusingListener({ tls, handshakesMax: 1, ...webSocket });
    const { ca, servername } = { ca: certificates.ca.certificatePem, servername: "localhost" };
    const oldest =
      stage === "no upgrade yet" ? connectTls({ ...listener.address, ca, servername }) : connect(listener.address);
    oldest.on("error", () => undefined);
    await once(oldest, stage === "no upgrade yet" ? "secureConnect" : "connect");
    if (stage === "hello answered") {
      oldest.write(await clientHello());
      await once(oldest, "data");
    }
    const gone = new Promise((resolve) => oldest.resume().once("close", resolve));
    const path = stage === "no upgrade yet" ? { webSocket: { path: "/mqtt" } } : {};
    const next = await network.dial({ ...listener.address, ...path, tls: clientTlsOf(certificates) });
    await gone;
    next.destroy();
    await listener.close();
    assert.deepEqual(
      refused.map(({ code }) => code),
      ["LIMIT_EXCEEDED"],
    );
  });
}

test("half an upgrade request ends with its client", { timeout: 60_000 }, async () => {
  const tls = { ...serverTlsOf(certificates), handshakeTimeoutMs: 3_600_000 };
  const { listener } = await refusingListener({ tls, webSocket: { path: "/mqtt" } });
  for (const text of [
    "",
    "GET /mqtt HTTP/1.1\r\nUpgr",
    "POST /mqtt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{",
  ]) {
    const socket = connectTls({ ...listener.address, ca: certificates.ca.certificatePem, servername: "localhost" });
    await once(
      socket.on("error", () => undefined),
      "secureConnect",
    );
    socket.end(text);
    if (!socket.resume().closed) await once(socket, "close");
  }
  await listener.close();
});

/** What a TLS client says first. */
async function clientHello(): Promise<Buffer> {
  const server = createServer();
  const address = await listenWith(server);
  const client = connectTls({ ...address }).on("error", () => undefined);
  const [socket] = (await once(server, "connection")) as [Socket];
  const [bytes] = (await once(socket, "data")) as [Buffer];
  client.destroy();
  socket.destroy();
  server.close();
  return bytes;
}

test("a server that hangs up in the middle of a handshake loses the connection", async () => {
  for (const how of ["destroy", "end"] as const) {
    const server = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.once("data", () => socket[how]());
    });
    const address = await listenWith(server);
    assert.equal(await codeOf(network.dial({ ...address, tls: clientTlsOf(certificates) })), "CONNECTION_LOST");
    assert.equal(await codeOf(network.dial({ ...address, webSocket: { path: "/" } })), "CONNECTION_LOST");
    const tapped = { ...clientTlsOf(certificates), onRecord: () => undefined };
    assert.equal(await codeOf(network.dial({ ...address, tls: tapped })), "CONNECTION_LOST");
    server.close();
  }
});

test("a server that speaks no TLS fails the handshake", async () => {
  const server = createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  const address = await listenWith(server);
  assert.equal(await codeOf(network.dial({ ...address, tls: clientTlsOf(certificates) })), "TLS_HANDSHAKE_FAILED");
  server.close();
});

test("an expired server is not trusted", async () => {
  const { ca } = certificates;
  const notAfter = new Date("2021-01-01T00:00:00Z");
  const expired = await makeTestCertificate(keys, { commonName: "x", issuer: ca, hosts: ["localhost"], notAfter });
  const tls = serverTlsOf(certificates, { certificate: expired.certificatePem, privateKey: expired.privateKeyPem });
  const listener = await network.listen({ host: "127.0.0.1", port: 0, tls }, () => undefined);
  const error = await network
    .dial({ ...listener.address, tls: clientTlsOf(certificates) })
    .catch((failure: unknown) => failure as ThinglineError);
  assert.ok("code" in error && error.code === "TLS_PEER_UNTRUSTED");
  assert.equal("details" in error && error.details["reason"], "CERT_HAS_EXPIRED");
  await listener.close();
});

test("a client that begins no TLS handshake, or does not finish it, is dropped after the time-out", async () => {
  for (const bytes of ["", "16", "160301020001"]) {
    const tls = serverTlsOf(certificates, { handshakeTimeoutMs: 30 });
    const { listener, first } = await refusingListener({ tls });
    const socket = connect(listener.address.port, "127.0.0.1");
    if (bytes !== "") socket.write(Buffer.from(bytes, "hex"));
    assert.equal((await first).code, "TIMEOUT");
    await once(socket.resume(), "close");
    await listener.close();
  }
});

test("bytes that are no TLS are refused", async () => {
  const { listener, first } = await refusingListener({ tls: serverTlsOf(certificates) });
  const socket = connect(listener.address.port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.write("GET / HTTP/1.1\r\n\r\n");
  assert.equal((await first).code, "TLS_HANDSHAKE_FAILED");
  await once(socket.resume(), "close");
  await listener.close();
});

test("a ClientHello that comes byte by byte is understood", async () => {
  let resolve: (connection: Connection) => void = () => undefined;
  const accepted = new Promise<Connection>((done) => (resolve = done));
  const tls = serverTlsOf(certificates);
  const listener = await network.listen({ host: "127.0.0.1", port: 0, tls }, (connection) => resolve(connection));
  const proxy = createServer((socket) => {
    const onward = connect({ port: listener.address.port, host: "127.0.0.1", noDelay: true });
    onward.pipe(socket);
    let isFirst = true;
    socket.on("data", (bytes) => {
      if (!isFirst) return onward.write(bytes);
      isFirst = false;
      socket.pause();
      const step = (offset: number): void => {
        if (offset === bytes.length) return void socket.resume();
        onward.write(bytes.subarray(offset, offset + 1));
        setImmediate(step, offset + 1);
      };
      return step(0);
    });
    socket.on("end", () => onward.end());
  });
  const address = await listenWith(proxy);
  const client = await network.dial({ ...address, tls: clientTlsOf(certificates, certificates.client) });
  const server = await accepted;
  assert.equal(server.secure?.serverName, "localhost");
  assert.deepEqual(server.secure?.peerCertificate, certificates.client.certificateDer);
  const [here, there] = [observe(client), observe(server)];
  client.write(Uint8Array.of(1));
  server.write(Uint8Array.of(2));
  await Promise.all([here.received(1), there.received(1)]);
  await client.close();
  await listener.close();
  proxy.close();
});

test("a listener names no CAs when it asks for a certificate", async () => {
  const { listener, dialled } = await openThroughTap();
  const messages = handshakeMessages(Buffer.concat(dialled));
  const request = messages.find(({ type }) => type === 13)?.body;
  assert.ok(request !== undefined, "a CertificateRequest");
  // Types and signature algorithms, each after its length, then the names (RFC 5246 §7.4.4).
  const algorithms = 1 + request.readUInt8(0);
  const names = algorithms + 2 + request.readUInt16BE(algorithms);
  assert.equal(request.readUInt16BE(names), 0);
  assert.equal(request.length, names + 2);
  await listener.close();
});

/** A TLS 1.2 handshake with a listener, and what the listener sent in it: up to here it is not encrypted. */
async function openThroughTap() {
  const tls = serverTlsOf(certificates);
  const listener = await network.listen({ host: "127.0.0.1", port: 0, tls }, () => undefined);
  const dialled: Buffer[] = [];
  const proxy = createServer((socket) => {
    const onward = connect(listener.address.port, "127.0.0.1");
    for (const end of [socket, onward]) end.on("error", () => undefined);
    onward.on("data", (bytes) => dialled.push(bytes));
    onward.pipe(socket).pipe(onward);
  });
  const address = await listenWith(proxy);
  const client = await network.dial({
    ...address,
    tls: clientTlsOf(certificates, undefined, { maxVersion: "TLSv1.2" }),
  });
  client.destroy();
  await client.closed;
  proxy.close();
  return { listener, dialled };
}

function handshakeMessages(stream: Buffer): { type: number; body: Buffer }[] {
  const plain: Buffer[] = [];
  for (let offset = 0; offset + 5 <= stream.length && stream[offset] === 22;) {
    const end = offset + 5 + stream.readUInt16BE(offset + 3);
    plain.push(stream.subarray(offset + 5, end));
    offset = end;
  }
  const bytes = Buffer.concat(plain);
  const messages: { type: number; body: Buffer }[] = [];
  for (let offset = 0; offset + 4 <= bytes.length;) {
    const end = offset + 4 + bytes.readUIntBE(offset + 1, 3);
    messages.push({ type: bytes.readUInt8(offset), body: bytes.subarray(offset + 4, end) });
    offset = end;
  }
  return messages;
}

test("a client cannot renegotiate", async () => {
  let ended: Promise<ThinglineError | undefined> | undefined;
  const options = { host: "127.0.0.1", port: 0, tls: serverTlsOf(certificates) };
  const listener = await network.listen(options, (connection) => {
    ended = observe(connection).closed;
  });
  const socket = connectTls({
    port: listener.address.port,
    ca: certificates.ca.certificatePem,
    servername: "localhost",
    maxVersion: "TLSv1.2",
  });
  await once(socket, "secureConnect");
  const failed = new Promise<Error | null>((resolve) => {
    socket.on("error", resolve);
    socket.renegotiate({ rejectUnauthorized: false }, resolve);
  });
  assert.ok((await failed) instanceof Error);
  socket.destroy();
  await ended;
  await listener.close();
});

test("a listener that closes drops handshakes and upgrades that are not finished", async () => {
  const { listener } = await refusingListener({ tls: serverTlsOf(certificates), webSocket: { path: "/mqtt" } });
  const { port } = listener.address;
  const idle = connect(port, "127.0.0.1");
  const half = connect(port, "127.0.0.1");
  half.write(Buffer.from("1603010200", "hex"));
  const secure = connectTls({ port, ca: certificates.ca.certificatePem, servername: "localhost" });
  await once(secure, "secureConnect");
  const closed = [idle, half, secure].map((socket) => {
    socket.on("error", () => undefined);
    return once(socket.resume(), "close");
  });
  await listener.close();
  await Promise.all(closed);
});

test("HTTP requests on a WebSocket listener are told 404 or 426 and the connection ends", async () => {
  const { listener, refused } = await refusingListener({ webSocket: { path: "/mqtt" } });
  const http = createNodeHttp();
  const origin = `http://127.0.0.1:${listener.address.port}`;
  const wrong = await http.request({ method: "GET", url: `${origin}/` });
  assert.equal(wrong.status, 404);
  const plain = await http.request({ method: "GET", url: `${origin}/mqtt?x=1` });
  assert.equal(plain.status, 426);
  assert.equal(plain.headers["upgrade"], "websocket");
  assert.equal(plain.headers["connection"], "close");
  assert.deepEqual(
    refused.map(({ details }) => details["status"]),
    [404, 426],
  );
  await listener.close();
});

test("an upgrade without the subprotocol mqtt is refused", async () => {
  const { listener, first } = await refusingListener({ webSocket: { path: "/mqtt" } });
  const socket = connect(listener.address.port, "127.0.0.1");
  socket.write(
    "GET /mqtt HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: other\r\n\r\n",
  );
  const [answer] = (await once(socket, "data")) as [Buffer];
  assert.match(String(answer), /^HTTP\/1\.1 400 /);
  assert.equal((await first).details["status"], 400);
  socket.destroy();
  await listener.close();
});

/** A masked frame that is a whole message. */
function frame(opcode: number, payload: string): Buffer {
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | payload.length, 0, 0, 0, 0]), Buffer.from(payload)]);
}

function upgradeRequest(headers: Readonly<Record<string, string>> = {}): string {
  const all = {
    Host: "x",
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol": "mqtt",
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET /mqtt HTTP/1.1\r\n${lines.join("")}\r\n`;
}

test("an upgrade request has less than upgradeHeadBytesMax: target, names and values of its fields", async () => {
  const { listener, refused, first } = await refusingListener({ webSocket: { path: "/mqtt" } });
  const others = upgradeRequest({ X: "" }).replace(/ HTTP\/1\.1|^GET |: |\r\n/g, "").length;
  const request = (lengthBytes: number): string => upgradeRequest({ X: "x".repeat(lengthBytes - others) });
  const good = connect(listener.address.port, "127.0.0.1");
  good.write(request(upgradeHeadBytesMax - 1));
  const [answer] = (await once(good, "data")) as [Buffer];
  assert.match(String(answer), /^HTTP\/1\.1 101 /);
  assert.deepEqual(refused, []);
  const large = connect(listener.address.port, "127.0.0.1").on("error", () => undefined);
  const closed = new Promise((resolve) => large.resume().once("close", resolve));
  large.write(request(upgradeHeadBytesMax));
  assert.equal((await first).code, "CONNECTION_LOST");
  await closed;
  good.destroy();
  await listener.close();
});

test("of requests that come in one piece only the first is answered", async () => {
  const { listener, refused } = await refusingListener({ webSocket: { path: "/mqtt" } });
  const socket = connect(listener.address.port, "127.0.0.1");
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(50));
  let answer = "";
  socket.on("data", (bytes) => (answer += String(bytes)));
  await once(socket, "close");
  assert.equal(answer.match(/HTTP\/1\.1 404/g)?.length, 1);
  assert.equal(refused.length, 1);
  await listener.close();
});

test("an upgrade that is no proper WebSocket handshake is refused and told to the listener", async () => {
  for (const [name, value] of [
    ["Sec-WebSocket-Key", "x"],
    ["Sec-WebSocket-Version", "99"],
  ] as const) {
    const { listener, first } = await refusingListener({ webSocket: { path: "/mqtt" } });
    const socket = connect(listener.address.port, "127.0.0.1");
    socket.write(upgradeRequest({ [name]: value }));
    const [answer] = (await once(socket, "data")) as [Buffer];
    assert.match(String(answer), /^HTTP\/1\.1 400 /);
    assert.equal((await first).code, "CONNECTION_REFUSED");
    await once(socket.resume(), "close");
    await listener.close();
  }
});

/** What begins a masked binary frame that is a whole message. */
function longFrameHead(lengthBytes: number): Buffer {
  const head = Buffer.alloc(14);
  head.set([0x82, 0xff]);
  head.writeBigUInt64BE(BigInt(lengthBytes), 2);
  return head;
}

test("a WebSocket message has at most webSocketMessageBytesMax, and one more ends the connection at its head", async () => {
  let accepted: (connection: Connection) => void = () => undefined;
  const connection = new Promise<Connection>((resolve) => (accepted = resolve));
  const options = { host: "127.0.0.1", port: 0, webSocket: { path: "/mqtt" } };
  const listener = await network.listen(options, (opened) => accepted(opened));
  const socket = connect(listener.address.port, "127.0.0.1");
  socket.write(upgradeRequest());
  await once(socket, "data");
  const server = observe(await connection);
  socket.write(Buffer.concat([longFrameHead(webSocketMessageBytesMax), Buffer.alloc(webSocketMessageBytesMax)]));
  await server.received(webSocketMessageBytesMax);
  socket.write(longFrameHead(webSocketMessageBytesMax + 1));
  const [answer] = (await once(socket, "data")) as [Buffer];
  assert.deepEqual([...answer.subarray(0, 4)], [0x88, 2, 0x03, 0xf1], "1009: the message is too big");
  socket.end();
  assert.equal((await server.closed)?.code, "CONNECTION_LOST");
  assert.equal(server.receivedBytes, webSocketMessageBytesMax);
  await listener.close();
});

test("a text message closes a WebSocket with 1003, and nothing behind it is received", async () => {
  let accepted: (connection: Connection) => void = () => undefined;
  const connection = new Promise<Connection>((resolve) => (accepted = resolve));
  const options = { host: "127.0.0.1", port: 0, webSocket: { path: "/mqtt" } };
  const listener = await network.listen(options, (opened) => accepted(opened));
  const socket = connect(listener.address.port, "127.0.0.1");
  socket.write(upgradeRequest());
  await once(socket, "data");
  const server = observe(await connection);
  socket.write(Buffer.concat([frame(2, "before"), frame(1, "text"), frame(2, "behind")]));
  const [answer] = (await once(socket, "data")) as [Buffer];
  assert.deepEqual([...answer.subarray(0, 4)], [0x88, 2, 0x03, 0xeb]);
  // A client that does not answer the Close frame just ends.
  socket.end();
  assert.equal((await server.closed)?.code, "CONNECTION_LOST");
  assert.equal(String(Buffer.concat(server.chunks)), "before");
  await listener.close();
});

test("no connection leaves a socket or timer behind, however it ends", async () => {
  const before = openResources().length;
  for (const secure of [false, true]) {
    for (const isWebSocket of [false, true]) {
      const webSocket = isWebSocket ? { webSocket: { path: "/mqtt" } } : {};
      const listen = { ...(secure && { tls: serverTlsOf(certificates) }), ...webSocket };
      const target = { ...(secure && { tls: clientTlsOf(certificates, certificates.client) }), ...webSocket };
      for (const how of ["close", "destroy"] as const) {
        for (const isStarted of [true, false]) {
          const { listener, client, server } = await openPair(world, listen, target);
          if (isStarted) observe(client);
          if (isStarted) observe(server);
          client.write(Uint8Array.of(1));
          void client[how]();
          void server[how]();
          await Promise.all([client.closed, server.closed]);
          await listener.close();
        }
      }
    }
  }
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(openResources().length <= before, openResources().join());
});

test("a destroyed TLS connection with a write under way takes nothing down", async () => {
  for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
    for (let round = 0; round < 5; round++) {
      const tls = clientTlsOf(certificates, undefined, { maxVersion });
      const { listener, client, server } = await openPair(world, { tls: serverTlsOf(certificates) }, { tls });
      // Nobody reads: the writes get stuck.
      for (let count = 0; count < 100; count++) {
        client.write(new Uint8Array(100_000));
        server.write(new Uint8Array(100_000));
      }
      client.flush();
      server.flush();
      await new Promise((resolve) => setImmediate(resolve));
      (round % 2 === 0 ? client : server).destroy();
      (round % 2 === 0 ? server : client).destroy();
      await Promise.all([client.closed, server.closed]);
      await listener.close();
    }
  }
});
