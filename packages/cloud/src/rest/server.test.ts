import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { startRestServer } from "./server.js";
import { silentLog } from "../log.js";

interface Sent {
  method: string;
  headers?: Record<string, string>;
  body?: string;
}

const refused: [name: string, sent: Sent, status: number, type: string][] = [
  ["a body over the limit", { method: "POST", body: "x".repeat(2_000) }, 413, "RequestEntityTooLargeException"],
  [
    "a media type that is none",
    { method: "POST", headers: { "content-type": ";;" }, body: "{}" },
    415,
    "SerializationException",
  ],
  ["a method that no API has", { method: "PROPFIND" }, 404, "UnknownOperationException"],
  ["a failure inside", { method: "GET" }, 500, "InternalFailureException"],
];

for (const [name, sent, status, type] of refused) {
  test(`${name} is answered with ${status} in the way of AWS, and tells nothing of the inside`, async (context) => {
    const handle = () => Promise.reject(new Error("/secret/path"));
    const server = await startRestServer({ handle, log: silentLog, port: 0, bodyBytesMax: 1_000 });
    context.after(() => server.close());
    const { method, headers = {}, body } = sent;
    const answer = await new Promise<{ status?: number | undefined; type: unknown; text: string }>(
      (resolve, reject) => {
        const { host, port } = server.address;
        const asked = request({ host, port, method, path: "/things/a", headers, agent: false }, (response) => {
          let text = "";
          response.on("data", (chunk) => (text += String(chunk)));
          response.on("end", () =>
            resolve({ status: response.statusCode, type: response.headers["x-amzn-errortype"], text }),
          );
        });
        asked.on("error", reject);
        asked.end(body);
      },
    );
    assert.deepEqual([answer.status, answer.type], [status, type]);
    assert.equal(typeof (JSON.parse(answer.text) as { message: unknown }).message, "string");
    assert.ok(!answer.text.includes("secret"));
  });
}

test("half a request does not keep the server from closing", { timeout: 20_000 }, async () => {
  const handle = async () => ({ status: 200, headers: {}, body: new Uint8Array() });
  const server = await startRestServer({ handle, log: silentLog, port: 0 });
  const socket = connect(server.address.port, server.address.host);
  const ended = once(socket, "close");
  socket.write("POST /a HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n{");
  await once(socket, "data");
  await server.close();
  await ended;
});

test("a request without Host, which HTTP before 1.1 allows, is refused before anybody judges it", async (context) => {
  const handle = () => Promise.reject(new Error("it was let in"));
  const server = await startRestServer({ handle, log: silentLog, port: 0 });
  context.after(() => server.close());
  for (const [line, status] of [
    ["GET /things HTTP/1.0", 400],
    ["GET /things", 400],
    ["GET http://localhost/things HTTP/1.0", 500],
  ] as const) {
    const socket = connect(server.address.port, server.address.host);
    let answer = "";
    socket.on("data", (chunk) => (answer += String(chunk)));
    socket.write(`${line}\r\n\r\n`);
    await once(socket, "close");
    assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `), line);
  }
});

test("localhost is both loopback addresses, at one port", async (context) => {
  const handle = async () => ({ status: 204, headers: {}, body: new Uint8Array() });
  const server = await startRestServer({ handle, log: silentLog, host: "localhost", port: 0 });
  context.after(() => server.close());
  const { port } = server.address;
  const addresses = ["127.0.0.1", ...(hasIpv6() ? ["::1"] : [])];
  for (const host of addresses) assert.equal(await statusOf({ host, port }), 204, host);
  await assert.rejects(
    startRestServer({ handle, log: silentLog, host: "localhost", port }),
    (error) => isThinglineError(error, "PORT_IN_USE") && error.details["port"] === port,
  );
});

test("what is not HTTP gets an answer, and its connection ends", async (context) => {
  const handle = () => Promise.reject(new Error("it was let in"));
  const server = await startRestServer({ handle, log: silentLog, port: 0 });
  context.after(() => server.close());
  const socket = connect(server.address.port, server.address.host);
  let answer = "";
  socket.on("data", (chunk) => (answer += String(chunk)));
  socket.write("nonsense\r\n\r\n");
  await once(socket, "close");
  assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n/);
  assert.match(answer, /\r\n\r\n\{"message":"The request is not HTTP\/1\.1"\}$/);
});

test("a connection that stays open gets no further request in while the server closes", async () => {
  const asked: string[] = [];
  const { promise: held, resolve: finish } = latch();
  const { promise: begun, resolve: begin } = latch();
  const handle = async ({ url }: { url: string }) => {
    asked.push(url);
    begin();
    await held;
    return { status: 200, headers: {}, body: new Uint8Array() };
  };
  const server = await startRestServer({ handle, log: silentLog, port: 0 });
  const socket = connect(server.address.port, server.address.host);
  let answers = "";
  socket.on("data", (chunk) => (answers += String(chunk)));
  // The server may reset what has sent a request that nobody will read.
  socket.on("error", () => undefined);
  const ended = new Promise((resolve) => socket.once("close", resolve));
  socket.write("GET /first HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await begun;
  const closed = server.close();
  await new Promise<unknown>((resolve) => socket.write("GET /second HTTP/1.1\r\nHost: localhost\r\n\r\n", resolve));
  finish();
  await Promise.all([closed, ended]);
  assert.deepEqual(asked, ["http://localhost/first"]);
  assert.equal(answers.match(/HTTP\/1\.1 200 OK/g)?.length, 1);
});

function latch(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}

const hasIpv6 = () => Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1"));

function statusOf({ host, port }: { host: string; port: number }): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request({ host, port, path: "/", headers: { host: "localhost" }, agent: false }, (response) => {
      response.resume().on("end", () => resolve(response.statusCode));
    });
    asked.on("error", reject);
    asked.end();
  });
}
