import assert from "node:assert/strict";
import { test } from "node:test";
import * as cborg from "cborg";
import { isThinglineError } from "../errors.js";
import {
  decodeBlockBitmap,
  decodeDescribeStreamRequest,
  decodeGetStreamRequest,
  decodeStreamBlock,
  decodeStreamDescription,
  decodeStreamRejection,
  encodeBlockBitmap,
  encodeDescribeStreamRequest,
  encodeGetStreamRequest,
  encodeStreamBlock,
  encodeStreamDescription,
  encodeStreamRejection,
  parseStreamTopic,
  streamBitmapBytesMax,
  streamBlockBytesMax,
  streamBlockBytesMin,
  streamBlocksMax,
  streamClientTokenBytesMax,
  streamFileIdMax,
  streamRequestFilters,
  streamTopic,
  type StreamFormat,
} from "./index.js";

const formats: readonly StreamFormat[] = ["json", "cbor"];
const encoder = new TextEncoder();
/** As an outsider writes it. */
const write = (message: unknown, format: StreamFormat) =>
  format === "json" ? encoder.encode(JSON.stringify(message)) : cborg.encode(message);
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

test("the bitmap of the developer guide is read and written", () => {
  assert.deepEqual(encodeBlockBitmap([43, 20, 21, 24], 20), Uint8Array.from([0x13, 0x00, 0x80]));
  assert.deepEqual([...decodeBlockBitmap(Uint8Array.from([0x13, 0x00, 0x80]), 20)], [20, 21, 24, 43]);
  assert.deepEqual(encodeBlockBitmap([], 5), new Uint8Array());
  assert.deepEqual([...decodeBlockBitmap(Uint8Array.from([0xff]), 8)], [8, 9, 10, 11, 12, 13, 14, 15]);
});

test("a request has the members of the developer guide, its bitmap in hexadecimal or as bytes", () => {
  const request = {
    ...{ clientToken: "t", streamVersion: 1, fileId: 1, blockBytes: 4096, firstBlock: 20, blockCount: 32 },
    bitmap: Uint8Array.from([0x13, 0x00, 0x80]),
  };
  const json = JSON.parse(textOf(encodeGetStreamRequest(request, "json"))) as unknown;
  assert.deepEqual(json, { c: "t", s: 1, f: 1, l: 4096, o: 20, n: 32, b: "0x130080" });
  const cbor = cborg.decode(encodeGetStreamRequest(request, "cbor")) as unknown;
  assert.deepEqual(cbor, { c: "t", s: 1, f: 1, l: 4096, o: 20, n: 32, b: request.bitmap });
  for (const format of formats) {
    assert.deepEqual(decodeGetStreamRequest(encodeGetStreamRequest(request, format), format), { request });
    const least = { fileId: 0, blockBytes: 256 };
    assert.deepEqual(decodeGetStreamRequest(write({ f: 0, l: 256, o: null }, format), format), { request: least });
    const describe = encodeDescribeStreamRequest({ clientToken: "t" }, format);
    assert.deepEqual(decodeDescribeStreamRequest(describe, format), { request: { clientToken: "t" } });
    assert.deepEqual(decodeDescribeStreamRequest(new Uint8Array(), format), { request: {} });
  }
  const bare = decodeGetStreamRequest(write({ f: 1, l: 256, b: "130080" }, "json"), "json");
  assert.deepEqual("request" in bare && bare.request.bitmap, request.bitmap);
});

test("each bound of a request is taken, and one more is refused by AWS's code", () => {
  const least = { f: 0, l: streamBlockBytesMin };
  const cases: readonly [change: Record<string, unknown>, code: string][] = [
    [{ f: streamFileIdMax + 1 }, "InvalidRequest"],
    [{ f: -1 }, "InvalidRequest"],
    [{ f: 1.5 }, "InvalidRequest"],
    [{ f: "1" }, "InvalidRequest"],
    [{ f: undefined }, "InvalidRequest"],
    [{ l: undefined }, "InvalidRequest"],
    [{ l: streamBlockBytesMin - 1 }, "BlockSizeOutOfBounds"],
    [{ l: streamBlockBytesMax + 1 }, "BlockSizeOutOfBounds"],
    [{ o: streamBlocksMax + 1 }, "OffsetOutOfBounds"],
    [{ o: -1 }, "OffsetOutOfBounds"],
    [{ n: streamBlocksMax + 1 }, "BlockCountLimitExceeded"],
    [{ s: 65_536 }, "InvalidRequest"],
    [{ c: "t".repeat(streamClientTokenBytesMax + 1) }, "InvalidRequest"],
    [{ c: 5 }, "InvalidRequest"],
    [{ b: "0x1" }, "InvalidRequest"],
    [{ b: "zz" }, "InvalidRequest"],
    [{ b: "00".repeat(streamBitmapBytesMax + 1) }, "BlockBitmapLimitExceeded"],
  ];
  for (const [change, code] of cases) {
    const read = decodeGetStreamRequest(write({ c: "t", ...least, ...change }, "json"), "json");
    assert.ok("rejection" in read, JSON.stringify(change).slice(0, 50));
    assert.equal(read.rejection.code, code, JSON.stringify(change).slice(0, 50));
    assert.equal(read.rejection.clientToken, "c" in change ? undefined : "t");
  }
  for (const change of [
    { f: streamFileIdMax, l: streamBlockBytesMax, o: streamBlocksMax, n: streamBlocksMax, s: 65_535 },
    { c: "t".repeat(streamClientTokenBytesMax), b: "00".repeat(streamBitmapBytesMax) },
  ]) {
    assert.ok("request" in decodeGetStreamRequest(write({ ...least, ...change }, "json"), "json"));
  }
});

test("what is not of its format is refused as such, also a bitmap that is a text in CBOR", () => {
  const rejectionOf = (bytes: Uint8Array, format: StreamFormat) => {
    const read = decodeGetStreamRequest(bytes, format);
    return "rejection" in read ? read.rejection.code : undefined;
  };
  assert.equal(rejectionOf(encoder.encode("{"), "json"), "InvalidJson");
  assert.equal(rejectionOf(encoder.encode("[]"), "json"), "InvalidJson");
  assert.equal(rejectionOf(Uint8Array.from([0x7b, 0xff, 0x7d]), "json"), "InvalidJson");
  assert.equal(rejectionOf(encoder.encode('{"f":0,"l":256}'), "cbor"), "InvalidCbor");
  assert.equal(rejectionOf(cborg.encode([1]), "cbor"), "InvalidCbor");
  assert.equal(rejectionOf(cborg.encode({ f: 0, l: 256, b: "130080" }), "cbor"), "InvalidCbor");
});

test("a block of 4,096 bytes has as many bytes in CBOR as on the live service", () => {
  const block = { clientToken: "rdy", fileId: 0, block: 256, payload: new Uint8Array(4096) };
  // espressif/esp-aws-iot#148
  assert.equal(encodeStreamBlock(block, "cbor").length, 4122);
});

test("answers are read as they are written, by an outsider as well", () => {
  const payload = Uint8Array.from([0xfb, 0xff, 0, 1]);
  const block = { clientToken: "t", fileId: 3, block: 7, payload };
  const description = { clientToken: "t", streamVersion: 2, description: "d", files: [{ fileId: 3, bytes: 131_072 }] };
  const rejection = { code: "ResourceNotFound", message: "none", clientToken: "t" };
  for (const format of formats) {
    assert.deepEqual(decodeStreamBlock(encodeStreamBlock(block, format), format), block);
    assert.deepEqual(decodeStreamDescription(encodeStreamDescription(description, format), format), description);
    assert.deepEqual(decodeStreamRejection(encodeStreamRejection(rejection, format), format), rejection);
    assert.deepEqual(decodeStreamRejection(write({ o: "InvalidJson", m: "no" }, format), format), {
      ...{ code: "InvalidJson", message: "no" },
    });
  }
  const json = textOf(encodeStreamBlock(block, "json"));
  assert.equal(json, '{"c":"t","f":3,"l":4,"i":7,"p":"+/8AAQ=="}');
  assert.deepEqual(cborg.decode(encodeStreamBlock(block, "cbor")), { c: "t", f: 3, l: 4, i: 7, p: payload });
  assert.equal(
    textOf(encodeStreamDescription(description, "json")),
    '{"c":"t","s":2,"d":"d","r":[{"f":3,"z":131072}]}',
  );
  assert.equal(
    textOf(encodeStreamRejection({ code: "InvalidCbor", message: "Invalid CBOR message" }, "json")),
    '{"code":"InvalidCbor","o":"InvalidCbor","message":"Invalid CBOR message","m":"Invalid CBOR message"}',
  );
});

test("an answer that is none is told by its code", () => {
  const isInvalid = (error: unknown) => isThinglineError(error, "STREAM_MESSAGE_INVALID");
  for (const message of [
    1,
    {},
    { f: 0, i: 0, l: 4, p: "AA==" },
    { f: 0, i: 0, l: 1, p: "?" },
    { f: 256, i: 0, l: 1, p: "AA==" },
  ]) {
    assert.throws(() => decodeStreamBlock(write(message, "json"), "json"), isInvalid, JSON.stringify(message));
  }
  assert.throws(() => decodeStreamBlock(write({ f: 0, i: 0, l: 1, p: "AA==" }, "cbor"), "cbor"), isInvalid);
  for (const message of [{ s: 1 }, { s: 1, r: [1] }, { s: 1, r: [{ f: 0 }] }, { r: [] }]) {
    assert.throws(() => decodeStreamDescription(write(message, "cbor"), "cbor"), isInvalid, JSON.stringify(message));
  }
  assert.throws(() => decodeStreamRejection(write({ m: "x" }, "json"), "json"), isInvalid);
});

test("topics are read as they are written", () => {
  const topic = { thingName: "pump-7", streamId: "AFR_OTA-1", type: "data", format: "cbor" } as const;
  assert.equal(streamTopic(topic), "$aws/things/pump-7/streams/AFR_OTA-1/data/cbor");
  assert.deepEqual(parseStreamTopic(streamTopic(topic)), topic);
  assert.deepEqual(streamRequestFilters, [
    "$aws/things/+/streams/+/describe/json",
    "$aws/things/+/streams/+/describe/cbor",
    "$aws/things/+/streams/+/get/json",
    "$aws/things/+/streams/+/get/cbor",
  ]);
  for (const none of [
    "$aws/things/a/streams/b/get",
    "$aws/things/a/streams/b/get/xml",
    "$aws/things/a/b/c/get/json",
    "",
  ])
    assert.equal(parseStreamTopic(none), undefined, none);
});
