import assert from "node:assert/strict";
import { test } from "node:test";
import { ChunkedBodyEnd, chunkLineBytesMax, hasBody, headLength, parseResponseHead } from "./http-response.js";

const latin1 = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));

test("a head is read with its status, length and what it says of the connection", () => {
  const text =
    "HTTP/1.1 206 Partial Content\r\nContent-Length: 12\r\nCONNECTION: Keep-Alive, Close\r\nX: a:b\r\n\r\nbody";
  const head = parseResponseHead(latin1(text));
  assert.deepEqual(
    { ...head, fields: [...(head?.fields ?? [])] },
    {
      status: 206,
      fields: [
        ["content-length", "12"],
        ["connection", "Keep-Alive, Close"],
        ["x", "a:b"],
      ],
      contentLength: 12,
      isChunked: false,
      closes: true,
      headBytes: text.length - 4,
    },
  );
});

test("a head without its empty line has not ended, whatever part of it is missing", () => {
  const head = "HTTP/1.1 200 OK\r\nA: b\r\n\r\n";
  for (let length = 0; length < head.length; length++)
    assert.equal(headLength(latin1(head.slice(0, length))), undefined);
  assert.equal(headLength(latin1(`${head}x`)), head.length);
});

test("what is no head of HTTP/1 is none", () => {
  const heads = [
    "HTTP/2 200 OK\r\n\r\n",
    "HTTP/1.1 20 OK\r\n\r\n",
    "FTP 200\r\n\r\n",
    "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    "HTTP/1.1 200 OK\r\n: empty\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1e3\r\n\r\n",
  ];
  for (const head of heads) assert.equal(parseResponseHead(latin1(head)), undefined, head);
});

test("chunks have no length, and some responses no body", () => {
  const head = parseResponseHead(
    latin1("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\nContent-Length: 5\r\n\r\n"),
  );
  assert.deepEqual([head?.isChunked, head?.contentLength], [true, undefined]);
  assert.deepEqual(
    [hasBody("GET", 200), hasBody("HEAD", 200), hasBody("GET", 100), hasBody("GET", 204), hasBody("PUT", 304)],
    [true, false, false, false, false],
  );
});

test("the end of chunks is found however they are cut, and what follows is left", () => {
  const body = "5;a=b\r\n0\r\n\r\n\r\n3\r\nabc\r\n0\r\nTrailer: x\r\n\r\n";
  for (let step = 1; step <= body.length; step++) {
    const end = new ChunkedBodyEnd();
    let taken = 0;
    let isOver = false;
    const bytes = latin1(`${body}HTTP/1.1`);
    for (let at = 0; at < bytes.length && !isOver; at += step) {
      const result = end.take(bytes.subarray(at, at + step));
      assert.ok(result !== "broken");
      taken += result.bytes;
      isOver = result.isOver;
    }
    assert.deepEqual([taken, isOver], [body.length, true], `pieces of ${step}`);
  }
});

test("chunks that are none are told, and a line of them is bounded", () => {
  for (const body of ["x\r\n", "5\n", "2\r\nabc\r\n", "123456789\r\n", "\r\n"]) {
    assert.equal(new ChunkedBodyEnd().take(latin1(body)), "broken", body);
  }
  const line = `1;${"x".repeat(chunkLineBytesMax - 4)}\r\n`;
  assert.equal(line.length, chunkLineBytesMax);
  assert.deepEqual(new ChunkedBodyEnd().take(latin1(line)), { bytes: chunkLineBytesMax, isOver: false });
  assert.equal(new ChunkedBodyEnd().take(latin1(`1;x${line.slice(2)}`)), "broken");
});
