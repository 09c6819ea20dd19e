import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { requestBodyBytesMax, requestsAtOnceMax, type HttpPeer } from "../connection.js";
import type { HttpRequest, HttpResponse } from "../http.js";
import { createNodeHttp } from "./http.js";
import { createNodeNetwork } from "./network.js";

type Handle = (request: HttpRequest, peer: HttpPeer) => Promise<HttpResponse>;

async function listening(handle: Handle) {
  const errors: unknown[] = [];
  const webSocket = { path: "/mqtt", handle };
  const onRefused = (error: Error) => void errors.push(error);
  const listener = await createNodeNetwork().listen({ host: "127.0.0.1", port: 0, webSocket, onRefused }, () => {
    throw new Error("nobody upgrades");
  });
  return { listener, errors, origin: `http://127.0.0.1:${listener.address.port}` };
}

const ok = (body: Uint8Array): HttpResponse => ({ status: 200, headers: { "x-own": "1" }, body });

test("a request that is no upgrade is handed on whole, with its path as it was sent, and answered on a connection that ends", async () => {
  const asked: HttpRequest[] = [];
  const { listener, origin, errors } = await listening(async (request, peer) => {
    asked.push(request);
    assert.deepEqual([peer.secure, peer.remote.host], [undefined, "127.0.0.1"]);
    return ok(request.body ?? new Uint8Array());
  });
  const http = createNodeHttp();
  const body = new Uint8Array(requestBodyBytesMax).fill(7);
  const answer = await http.request({ method: "POST", url: `${origin}/a%2Fb?x=%20`, body, headers: { "x-a": "1" } });
  assert.deepEqual([answer.status, answer.headers["x-own"], answer.headers["connection"]], [200, "1", "close"]);
  assert.equal(answer.body.length, requestBodyBytesMax);
  const [request] = asked;
  assert.deepEqual([request?.method, request?.url, request?.headers?.["x-a"]], ["POST", `${origin}/a%2Fb?x=%20`, "1"]);
  const large = await http.request({
    method: "POST",
    url: `${origin}/`,
    body: new Uint8Array(requestBodyBytesMax + 1),
  });
  assert.deepEqual([large.status, asked.length], [413, 1]);
  const upgrade = await http.request({ method: "GET", url: `${origin}/mqtt` });
  assert.deepEqual([upgrade.status, asked.length, errors.length], [426, 1, 1]);
  await listener.close();
});

test("a body without a length is bounded as well, and a client that goes in the middle of it is answered by nobody", async () => {
  let count = 0;
  const { listener } = await listening(async ({ body = new Uint8Array() }) => {
    count++;
    return ok(body);
  });
  const head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  const socket = connect(listener.address.port, "127.0.0.1");
  socket.write(`${head}${(requestBodyBytesMax + 1).toString(16)}\r\n`);
  socket.write(new Uint8Array(requestBodyBytesMax + 1));
  const [answer] = (await once(socket, "data")) as [Buffer];
  assert.match(String(answer), /^HTTP\/1\.1 413 /);
  socket.destroy();
  const gone = connect(listener.address.port, "127.0.0.1");
  gone.write(`${head}5\r\nab`);
  await once(gone, "connect");
  gone.destroy();
  await listener.close();
  assert.equal(count, 0);
});

test("over requestsAtOnceMax requests at once are 503; an end of the listener ends them", async () => {
  let waiting = 0;
  let reached: () => void = () => undefined;
  const full = new Promise<void>((resolve) => (reached = resolve));
  const { listener, origin } = await listening(() => {
    if (++waiting === requestsAtOnceMax) reached();
    return new Promise(() => undefined);
  });
  const sockets = Array.from({ length: requestsAtOnceMax }, () => {
    const socket = connect(listener.address.port, "127.0.0.1").on("error", () => undefined);
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    return socket;
  });
  await full;
  const answer = await createNodeHttp().request({ method: "GET", url: `${origin}/` });
  assert.equal(answer.status, 503);
  const closed = sockets.map((socket) => once(socket.resume(), "close"));
  await listener.close();
  await Promise.all(closed);
});

test("a handler that fails ends its connection, and the listener is told", async () => {
  const { listener, errors } = await listening(() => Promise.reject(new TypeError("a bug")));
  const socket = connect(listener.address.port, "127.0.0.1").on("error", () => undefined);
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await once(socket.resume(), "close");
  assert.match(String(errors[0]), /a bug/);
  await listener.close();
});
