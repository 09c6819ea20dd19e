import assert from "node:assert/strict";
import { test } from "node:test";
import {
  bodyLengthOf,
  contentRangeOf,
  parseResponseHead,
  responseFieldsMax,
  responseHeadBytesMax,
  ResponseHeadReader,
  retryAfterMsOf,
} from "./response-head.js";

const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));
const headOf = (...lines: string[]) => parseResponseHead(bytesOf(`${lines.join("\r\n")}\r\n\r\n`));
const invalid = { code: "DOWNLOAD_INVALID" };

test("a head is read the same whole and byte by byte, and says where the body begins", () => {
  const head = 'HTTP/1.1 206 Partial Content\r\nContent-Length: 3\r\nETag: "a"\r\nX-A: 1\r\nx-a:  2 \r\n\r\n';
  const bytes = bytesOf(`${head}abc`);
  const whole = new ResponseHeadReader().push(bytes);
  assert.equal(whole?.bodyAt, head.length);
  assert.deepEqual(
    [whole.head.status, whole.head.isLast, whole.head.lengthBytes, [...whole.head.fields]],
    [
      206,
      false,
      head.length,
      [
        ["content-length", "3"],
        ["etag", '"a"'],
        ["x-a", "1, 2"],
      ],
    ],
  );
  for (const size of [1, 2, 3, 7]) {
    const reader = new ResponseHeadReader();
    for (let at = 0; ; at += size) {
      const read = reader.push(bytes.subarray(at, at + size));
      if (!read) continue;
      assert.deepEqual(read.head, whole.head);
      assert.equal(at + read.bodyAt, head.length);
      break;
    }
  }
});

test("what RFC 9112 does not allow is refused", () => {
  for (const text of [
    "HTTP/2 200 OK",
    "HTTP/1.1 20 OK",
    "HTTP/1.1  200 OK",
    "http/1.1 200 OK",
    "ICY 200 OK",
    "HTTP/1.1 600 No",
    "HTTP/1.1 200 a\rb",
    "HTTP/1.1 200 OK\r\n folded: 1",
    "HTTP/1.1 200 OK\r\nA: 1\r\n b",
    "HTTP/1.1 200 OK\r\nA : 1",
    "HTTP/1.1 200 OK\r\n: 1",
    "HTTP/1.1 200 OK\r\nA",
    "HTTP/1.1 200 OK\r\nA: \u0001",
    "HTTP/1.1 200 OK\r\nA: 1\nB: 2",
    "HTTP/1.1 200 OK\r\nA: \u007f",
  ]) {
    assert.throws(() => headOf(text), invalid, JSON.stringify(text));
  }
  assert.equal(headOf("HTTP/1.1 200").status, 200);
  assert.equal(headOf("HTTP/1.1 200 ").status, 200);
});

test("a head is bounded in bytes and in fields", () => {
  const fields = (count: number): string[] => Array.from({ length: count }, (_, index) => `A${index}: 1`);
  assert.equal(headOf("HTTP/1.1 200 OK", ...fields(responseFieldsMax)).fields.size, responseFieldsMax);
  assert.throws(() => headOf("HTTP/1.1 200 OK", ...fields(responseFieldsMax + 1)), invalid);
  const padded = (length: number): Uint8Array => {
    const frame = "HTTP/1.1 200 OK\r\nA: \r\n\r\n";
    return bytesOf(frame.replace("A: ", `A: ${"a".repeat(length - frame.length)}`));
  };
  assert.equal(new ResponseHeadReader().push(padded(responseHeadBytesMax))?.bodyAt, responseHeadBytesMax);
  assert.throws(() => new ResponseHeadReader().push(padded(responseHeadBytesMax + 1)), invalid);
  const reader = new ResponseHeadReader();
  assert.throws(() => {
    for (;;) assert.equal(reader.push(bytesOf("a".repeat(100))), undefined);
  }, invalid);
});

test("a connection is kept by HTTP/1.1 unless it says close, and by HTTP/1.0 only when it says keep-alive", () => {
  assert.equal(headOf("HTTP/1.1 200 OK").isLast, false);
  assert.equal(headOf("HTTP/1.1 200 OK", "Connection: Keep-Alive, Close").isLast, true);
  assert.equal(headOf("HTTP/1.0 200 OK").isLast, true);
  assert.equal(headOf("HTTP/1.0 200 OK", "Connection: keep-alive").isLast, false);
});

test("the length of a body is a whole number or unknown, and a body in chunks is refused by name", () => {
  assert.equal(bodyLengthOf(headOf("HTTP/1.1 200 OK", "Content-Length: 12")), 12);
  assert.equal(bodyLengthOf(headOf("HTTP/1.1 200 OK")), undefined);
  assert.equal(bodyLengthOf(headOf("HTTP/1.1 304 Not Modified", "Content-Length: 12")), 0);
  for (const value of ["-1", "1.5", "0x10", "", "12, 12", "99999999999999999"]) {
    assert.throws(() => bodyLengthOf(headOf("HTTP/1.1 200 OK", `Content-Length: ${value}`)), invalid, value);
  }
  const chunked = headOf("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Content-Length: 3");
  assert.throws(() => bodyLengthOf(chunked), { ...invalid, message: /Transfer-Encoding "chunked"/u });
});

test("a Content-Range is bytes within a size that is known", () => {
  const of = (value: string) => contentRangeOf(headOf("HTTP/1.1 206 P", `Content-Range: ${value}`));
  assert.deepEqual(of("bytes 0-9/10"), { first: 0, last: 9, sizeBytes: 10 });
  assert.deepEqual(of("bytes */10"), { first: undefined, sizeBytes: 10 });
  assert.equal(contentRangeOf(headOf("HTTP/1.1 206 P")), undefined);
  for (const value of [
    "bytes 0-9/*",
    "bytes 5-4/10",
    "bytes 0-10/10",
    "items 0-9/10",
    "bytes 0-9",
    "bytes=0-9/10",
    "",
  ]) {
    assert.throws(() => of(value), invalid, value);
  }
});

test("Retry-After is seconds or a date", () => {
  const of = (value: string) =>
    retryAfterMsOf(headOf("HTTP/1.1 503 S", `Retry-After: ${value}`), Date.UTC(2026, 10, 29));
  assert.equal(of("120"), 120_000);
  assert.equal(of("Sun, 29 Nov 2026 00:01:00 GMT"), 60_000);
  assert.equal(of("Sat, 28 Nov 2026 00:01:00 GMT"), 0);
  assert.equal(of("soon"), undefined);
  assert.equal(retryAfterMsOf(headOf("HTTP/1.1 503 S"), 0), undefined);
});
