import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import { test } from "node:test";
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
