import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { RequestHead, RestLimits, RouteDemands, Verdict } from "./admission.js";
import { startRestServer, type RestServerOptions } from "./server.js";
import { silentLog } from "../log.js";

const ok = async () => ({ status: 200, headers: {}, body: new Uint8Array([0x7b, 0x7d]) });

async function open(context: TestContext, limits: Partial<RestLimits>, options: Partial<RestServerOptions> = {}) {
  const server = await startRestServer({ handle: ok, log: silentLog, port: 0, limits, ...options });
  context.after(() => server.close());
  const dial = async (): Promise<Socket> => {
    const socket = connect(server.address.port, server.address.host).on("error", () => undefined);
    context.after(() => socket.destroy());
    await once(socket, "connect");
    return socket;
  };
  return { server, dial };
}

const post = (headers: string, path = "/things/x") => `POST ${path} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n\r\n`;

/** The status and the kind of error of the first answer. */
async function answerOf(socket: Socket): Promise<string> {
  const [bytes] = (await once(socket, "data")) as [Buffer];
  const text = bytes.toString("latin1");
  const type = /x-amzn-errortype: (\w+)/i.exec(text)?.[1] ?? "";
  return `${text.split(" ")[1]} ${type}`.trim();
}

const refusedHeads: readonly [name: string, head: string, expected: string][] = [
  ["too long by its own word", post("Content-Length: 2000"), "413 RequestEntityTooLargeException"],
  [
    "too long, and waiting for 100 Continue",
    post("Expect: 100-continue\r\nContent-Length: 2000"),
    "413 RequestEntityTooLargeException",
  ],
  ["refused by its head", post("Content-Length: 20\r\nX-Refuse: yes"), "403"],
  [
    "refused by its head, and waiting for 100 Continue",
    post("Expect: 100-continue\r\nContent-Length: 20\r\nX-Refuse: yes"),
    "403",
  ],
  ["refused by its head, in chunks", post("Transfer-Encoding: chunked\r\nX-Refuse: yes"), "403"],
  [
    "for another host by its target",
    "GET http://evil.com/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "400 InvalidRequestException",
  ],
  ["for no path", "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", "400 InvalidRequestException"],
];

for (const [name, head, expected] of refusedHeads) {
  test(`a request that is ${name} is answered before its body comes`, { timeout: 60_000 }, async (context) => {
    let handled = 0;
    const handle = () => (handled++, ok());
    const judge = ({ headers }: RequestHead): Verdict =>
      headers["x-refuse"] === undefined ? {} : { refusal: { status: 403, headers: {}, body: new Uint8Array() } };
    const { dial } = await open(context, { bodyBytesMax: 1_000 }, { handle, judge });
    const socket = await dial();
    socket.write(head);
    assert.equal(await answerOf(socket), expected);
    assert.equal(handled, 0);
  });
}

test("a target with the host of the Host header is taken as its path", async (context) => {
  const { dial } = await open(
    context,
    {},
    { handle: async ({ url }) => ({ ...(await ok()), status: url === "http://localhost/a?b" ? 200 : 500 }) },
  );
  const socket = await dial();
  socket.write("GET http://LOCALHOST/a?b HTTP/1.1\r\nHost: localhost\r\n\r\n");
  assert.equal(await answerOf(socket), "200");
});

test("a head has less than headBytesMax: target, names and values of its fields", async (context) => {
  const { dial } = await open(context, { headBytesMax: 1_000 });
  const others = ["/a", "Host", "localhost", "X"].join("").length;
  for (const [lengthBytes, status] of [
    [999, "200"],
    [1_000, "431"],
  ] as const) {
    const socket = await dial();
    socket.write(`GET /a HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(lengthBytes - others)}\r\n\r\n`);
    assert.equal((await answerOf(socket)).slice(0, 3), status);
  }
});

test("a body in chunks is cut off at the bound, and one that waits for 100 Continue is taken", async (context) => {
  const { server, dial } = await open(context, { bodyBytesMax: 1_000 });
  const chunked = await dial();
  chunked.write(post("Transfer-Encoding: chunked"));
  chunked.write(`3e9\r\n${"x".repeat(1_001)}\r\n`);
  assert.equal(await answerOf(chunked), "413 RequestEntityTooLargeException");
  const patient = await dial();
  patient.write(post("Expect: 100-continue\r\nContent-Length: 2"));
  assert.equal(await answerOf(patient), "100");
  patient.write("{}");
  assert.equal(await answerOf(patient), "200");
  assert.equal(server.stats().bodyBytes, 0);
});

test("bodies in progress share a bound, and give their part back", { timeout: 60_000 }, async (context) => {
  const { server, dial } = await open(context, { bodyBytesMax: 1_000, bodiesBytesMax: 1_500 });
  const first = await dial();
  first.write(post("Content-Length: 1000") + "x".repeat(999));
  while (server.stats().bodyBytes < 999) await new Promise((resolve) => setImmediate(resolve));
  const second = await dial();
  second.write(post("Content-Length: 1000") + "x".repeat(999));
  assert.equal(await answerOf(second), "503 ServiceUnavailableException");
  first.write("x");
  assert.equal(await answerOf(first), "200");
  first.write(post("Content-Length: 1000") + "x".repeat(999));
  while (server.stats().bodyBytes < 999) await new Promise((resolve) => setImmediate(resolve));
  first.destroy();
  while (server.stats().bodyBytes > 0) await new Promise((resolve) => setImmediate(resolve));
  const [one, other] = [await dial(), await dial()];
  one.write(post("Content-Length: 1000") + "x".repeat(999));
  while (server.stats().bodyBytes < 999) await new Promise((resolve) => setImmediate(resolve));
  other.write(post("Content-Length: 501") + "x".repeat(501));
  assert.equal(await answerOf(other), "200", "999 and 501 are as much as may be");
  while (server.stats().bodyBytes > 999) await new Promise((resolve) => setImmediate(resolve));
  const more = await dial();
  more.write(post("Content-Length: 502") + "x".repeat(502));
  assert.equal(await answerOf(more), "503 ServiceUnavailableException");
});

test("requests in progress have a bound", { timeout: 60_000 }, async (context) => {
  const { dial } = await open(context, { requestsMax: 1 });
  const first = await dial();
  first.write(post("Expect: 100-continue\r\nContent-Length: 2"));
  assert.equal(await answerOf(first), "100");
  const second = await dial();
  second.write("GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n");
  assert.equal(await answerOf(second), "503 ServiceUnavailableException");
});

test("requests in progress of one connection have a bound, and its answers come in order", async (context) => {
  let tell: () => void = () => undefined;
  const told = new Promise<void>((resolve) => (tell = resolve));
  const paths: string[] = [];
  const handle: RestServerOptions["handle"] = async ({ url }) => {
    if (paths.push(url) === 2) tell();
    await told;
    return ok();
  };
  const { dial } = await open(context, { requestsPerConnectionMax: 2 }, { handle });
  const socket = await dial();
  let text = "";
  socket.on("data", (bytes) => (text += String(bytes)));
  const get = "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n";
  socket.write(get + get + get.replace("localhost", "localhost\r\nConnection: close"));
  await once(socket, "close");
  assert.deepEqual(
    [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status),
    ["200", "200", "503"],
  );
});

test(
  "of connections that have shown nothing the oldest goes, and those that were good stay",
  { timeout: 60_000 },
  async (context) => {
    const { server, dial } = await open(context, { unverifiedConnectionsMax: 2 });
    const good = await dial();
    good.write("GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert.equal(await answerOf(good), "200");
    const silent = [await dial(), await dial()];
    const told = answerOf(silent[0] as Socket);
    await dial();
    assert.equal(await told, "503 ServiceUnavailableException");
    good.write("GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert.equal(await answerOf(good), "200");
    assert.equal(server.stats().connectionsTurnedAway, 1);
  },
);

test("connections have a bound, and one too many is told", { timeout: 60_000 }, async (context) => {
  const { dial } = await open(context, { connectionsMax: 1 });
  await dial();
  assert.equal(await answerOf(await dial()), "503 ServiceUnavailableException");
});

test("a head that does not come is given up", { timeout: 60_000 }, async (context) => {
  const { dial } = await open(context, { headersTimeoutMs: 50, requestTimeoutMs: 60 });
  for (const start of ["GET /a HTTP/1.1\r\nHo", post("Content-Length: 9") + "{"]) {
    const socket = await dial();
    socket.write(start);
    assert.match(await answerOf(socket), /^408/);
  }
});

test(
  "answers that nobody reads have a bound in sum, and their clients are given up",
  { timeout: 60_000 },
  async (context) => {
    const body = new Uint8Array(16 * 1024 * 1024);
    const handle: RestServerOptions["handle"] = async () => ({ status: 200, headers: {}, body });
    const { server, dial } = await open(context, { answersBytesMax: 2 * body.length }, { handle });
    const deaf = [await dial(), await dial()];
    for (const [index, socket] of deaf.entries()) {
      socket.pause();
      socket.write("GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n");
      while (server.stats().answerBytes <= index * body.length) await new Promise((resolve) => setImmediate(resolve));
    }
    const one = await dial();
    one.write("GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert.equal(await answerOf(one), "503 ServiceUnavailableException");
    for (const socket of deaf) socket.destroy();
    while (server.stats().answerBytes > 0) await new Promise((resolve) => setImmediate(resolve));
    let tell: () => void = () => undefined;
    const told = new Promise<void>((resolve) => (tell = resolve));
    const warn = (event: string): void => (event === "restAnswerNotRead" ? tell() : undefined);
    const impatient = await open(context, { answerTimeoutMs: 50 }, { handle, log: { ...silentLog, warn } });
    const other = await impatient.dial();
    other.pause();
    other.write("GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await told;
  },
);

test(
  "an upload goes through a private file that is gone afterwards, one at a time",
  { timeout: 60_000 },
  async (context) => {
    const parent = await mkdtemp(join(tmpdir(), "thingline-uploads-"));
    context.after(() => rm(parent, { recursive: true }));
    const uploadFolder = join(parent, "uploads");
    await startRestServer({ handle: ok, log: silentLog, port: 0, uploadFolder }).then((server) => server.close());
    const demands: RouteDemands = { isUpload: true, isExclusive: true };
    const handle: RestServerOptions["handle"] = async ({ body }) => ({
      ...(await ok()),
      status: body?.length === 5_000 ? 200 : 500,
    });
    const limits = { bodyBytesMax: 1_000, uploadBytesMax: 5_000 };
    const { server, dial } = await open(context, limits, { handle, judge: () => demands, uploadFolder });
    const first = await dial();
    first.write(post("Content-Length: 5000") + "x".repeat(4_000));
    let [name] = await readdir(parent);
    while (name === undefined || (await readdir(uploadFolder)).length === 0) [name] = await readdir(parent);
    const [file = ""] = await readdir(uploadFolder);
    assert.equal((await stat(uploadFolder)).mode & 0o777, 0o700);
    assert.equal((await stat(join(uploadFolder, file))).mode & 0o777, 0o600);
    assert.equal(server.stats().bodyBytes, 0);
    const second = await dial();
    second.write(post("Content-Length: 5000"));
    assert.equal(await answerOf(second), "503 ServiceUnavailableException");
    first.write("x".repeat(1_000));
    assert.equal(await answerOf(first), "200");
    assert.deepEqual(await readdir(uploadFolder), []);
    const vanishing = await dial();
    vanishing.write(post("Transfer-Encoding: chunked") + `fa0\r\n${"x".repeat(4_000)}\r\n`);
    while ((await readdir(uploadFolder)).length === 0);
    vanishing.destroy();
    while ((await readdir(uploadFolder)).length > 0);
    for (const [head, body, expected] of [
      ["Content-Length: 5001", "", "413 RequestEntityTooLargeException"],
      ["Transfer-Encoding: chunked", `1388\r\n${"x".repeat(5_000)}\r\n0\r\n\r\n`, "200"],
      [
        "Transfer-Encoding: chunked",
        `1388\r\n${"x".repeat(5_000)}\r\n1\r\nx\r\n`,
        "413 RequestEntityTooLargeException",
      ],
    ] as const) {
      const socket = await dial();
      socket.write(post(head) + body);
      assert.equal(await answerOf(socket), expected, `${head} and ${body.length} bytes`);
      assert.deepEqual(await readdir(uploadFolder), []);
    }
    await writeFile(join(uploadFolder, "upload-0"), "left by a killed process");
    await startRestServer({ handle: ok, log: silentLog, port: 0, uploadFolder }).then((other) => other.close());
    assert.deepEqual(await readdir(parent), []);
  },
);
