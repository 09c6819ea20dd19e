// Requests that are served piece by piece: what comes in is taken as it is asked for, what goes out as its client reads it.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import type { Log } from "../log.js";
import {
  defaultRestLimits,
  objectConnectionsMax,
  objectRequestTimeoutMs,
  objectServerLimits,
  type RestLimits,
  type ServedResponse,
} from "./admission.js";
import { startRestServer, type RestServerOptions } from "./server.js";

const streamBytesMax = 1_000;
const nothing = new Uint8Array();

async function open(
  context: TestContext,
  serve: NonNullable<RestServerOptions["serve"]>,
  limits: Partial<RestLimits> = {},
) {
  const logged: string[] = [];
  let told: () => void = () => undefined;
  const note = (event: string) => {
    logged.push(event);
    told();
  };
  const log: Log = { debug: note, info: note, warn: note, error: note };
  const handle = async () => ({ status: 500, headers: {}, body: nothing });
  const server = await startRestServer({ handle, serve, judge: () => ({ streamBytesMax }), log, port: 0, limits });
  context.after(() => server.close());
  const dial = async (request: string): Promise<Socket> => {
    const socket = connect(server.address.port, server.address.host).on("error", () => undefined);
    context.after(() => socket.destroy());
    await once(socket, "connect");
    socket.write(request);
    return socket;
  };
  const loggedOnce = async (event: string) => {
    while (!logged.includes(event)) await new Promise<void>((resolve) => (told = resolve));
  };
  return { server, dial, loggedOnce };
}

const put = (headers: string) => `PUT /a/b HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n\r\n`;
const get = "GET /a/b HTTP/1.1\r\nHost: localhost\r\n\r\n";
const answer = (body: ServedResponse["body"], status = 200): ServedResponse => ({ status, headers: {}, body });

async function textOf(socket: Socket): Promise<string> {
  const parts: Buffer[] = [];
  socket.on("data", (part: Buffer) => parts.push(part));
  await once(socket, "close");
  return Buffer.concat(parts).toString();
}

test("a body comes to the handler as it is sent", { timeout: 60_000 }, async (context) => {
  const pieces: string[] = [];
  let took: () => void = () => undefined;
  const { dial } = await open(context, async (_head, body) => {
    for await (const piece of body) {
      pieces.push(Buffer.from(piece).toString());
      took();
    }
    return answer(Buffer.from("all"));
  });
  const socket = await dial(put("Content-Length: 4\r\nConnection: close"));
  for (const piece of ["ab", "cd"]) {
    const taken = new Promise<void>((resolve) => (took = resolve));
    socket.write(piece);
    await taken;
  }
  assert.match(await textOf(socket), /^HTTP\/1\.1 200 [\s\S]*\r\n\r\nall$/);
  assert.deepEqual(pieces, ["ab", "cd"]);
});

test("who is answered before the body is taken is not told to send it", { timeout: 60_000 }, async (context) => {
  const { dial } = await open(context, async () => answer(Buffer.from("no"), 404));
  const waits = await dial(put("Content-Length: 500\r\nExpect: 100-continue"));
  assert.match(await textOf(waits), /^HTTP\/1\.1 404 /);
  const sends = await dial(put("Content-Length: 500") + "x".repeat(100));
  assert.match(await textOf(sends), /^HTTP\/1\.1 404 [\s\S]*connection: close/i);
});

test("a body has at most streamBytesMax, by its head or as it comes", { timeout: 60_000 }, async (context) => {
  const { dial } = await open(context, async (_head, body) => {
    let bytes = 0;
    try {
      for await (const piece of body) bytes += piece.length;
    } catch (error) {
      return answer(Buffer.from((error as Error).message), 400);
    }
    return answer(Buffer.from(String(bytes)));
  });
  const close = "Connection: close";
  assert.match(await textOf(await dial(put(`Content-Length: ${streamBytesMax + 1}`))), /^HTTP\/1\.1 413 /);
  const exact = await dial(put(`Content-Length: ${streamBytesMax}\r\n${close}`) + "x".repeat(streamBytesMax));
  assert.match(await textOf(exact), /\r\n\r\n1000$/);
  const chunked = await dial(
    put(`Transfer-Encoding: chunked\r\n${close}`) + `3e9\r\n${"x".repeat(0x3e9)}\r\n0\r\n\r\n`,
  );
  assert.match(await textOf(chunked), /^HTTP\/1\.1 400 [\s\S]*has at most 1000 bytes$/);
});

test("a client that goes in the middle of its body ends it with ABORTED", { timeout: 60_000 }, async (context) => {
  let begun: () => void = () => undefined;
  let failed: (error: unknown) => void = () => undefined;
  const hasBegun = new Promise<void>((resolve) => (begun = resolve));
  const failure = new Promise<unknown>((resolve) => (failed = resolve));
  const { dial } = await open(context, async (_head, body) => {
    try {
      for await (const _piece of body) begun();
    } catch (error) {
      failed(error);
    }
    return answer(nothing);
  });
  const socket = await dial(put("Content-Length: 500") + "x");
  await hasBegun;
  socket.destroy();
  const error = await failure;
  assert.ok(error instanceof ThinglineError && error.code === "ABORTED", String(error));
});

test(
  "an answer is made no faster than it is read, and ends with who does not read it",
  { timeout: 60_000 },
  async (context) => {
    const pieceBytes = 64 * 1024;
    const piecesMax = 4_000;
    let made = 0;
    let left: () => void = () => undefined;
    const isLeft = new Promise<void>((resolve) => (left = resolve));
    async function* endless() {
      try {
        for (; made < piecesMax; made++) yield new Uint8Array(pieceBytes);
      } finally {
        left();
      }
    }
    const answerTimeoutMs = 300;
    const { dial, loggedOnce, server } = await open(context, async () => answer(endless()), { answerTimeoutMs });
    const socket = await dial(get);
    socket.pause();
    await loggedOnce("restAnswerNotRead");
    await isLeft;
    // What the system keeps for a connection is all that was made.
    assert.ok(made < piecesMax / 4, `${made} pieces were made for nobody`);
    assert.equal(server.stats().answerBytes <= 256 * 1024, true);
  },
);

test("a client that leaves ends what was read for it", { timeout: 60_000 }, async (context) => {
  let left: () => void = () => undefined;
  const isLeft = new Promise<void>((resolve) => (left = resolve));
  async function* endless() {
    try {
      for (;;) yield new Uint8Array(1_000);
    } finally {
      left();
    }
  }
  const { dial, server } = await open(context, async () => answer(endless()));
  const socket = await dial(get);
  await once(socket, "data");
  socket.destroy();
  await isLeft;
  await server.close();
});

test("a rollout may bring many devices to the port of objects at once", { timeout: 60_000 }, async (context) => {
  assert.deepEqual(objectServerLimits, {
    ...{ connectionsMax: objectConnectionsMax, requestTimeoutMs: objectRequestTimeoutMs },
    ...{ unverifiedConnectionsMax: objectConnectionsMax / 2, requestsMax: objectConnectionsMax / 2 },
  });
  // More than the port of the APIs takes of connections that have not asked for anything yet.
  const count = 2 * defaultRestLimits.unverifiedConnectionsMax;
  const { dial, server } = await open(context, async () => answer(Buffer.from("image")), objectServerLimits);
  const sockets = await Promise.all(Array.from({ length: count }, () => dial("")));
  for (const socket of sockets) socket.write(get.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
  const answers = await Promise.all(sockets.map(textOf));
  assert.equal(answers.filter((text) => text.endsWith("image")).length, count);
  assert.equal(server.stats().connectionsTurnedAway, 0);
});

test("an answer that fails in the middle ends without its end", { timeout: 60_000 }, async (context) => {
  async function* broken() {
    yield Buffer.from("begun");
    await new Promise((resolve) => setImmediate(resolve));
    throw new Error("the disk is gone");
  }
  const served = { status: 200, headers: { "content-length": "1000" }, body: broken() };
  const { dial, loggedOnce } = await open(context, async () => served);
  const text = await textOf(await dial(get));
  assert.ok(text.endsWith("begun"), text);
  await loggedOnce("httpAnswerFailed");
});
