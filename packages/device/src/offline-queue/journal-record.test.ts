import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { crc32, isThinglineError } from "@thingline/protocol";
import fc from "fast-check";
import { encodeRecord, type JournalRecord, readRecord, recordHeaderBytes } from "./journal-record.js";
import { readSegment, recover } from "./journal-recovery.js";
import type { OfflineMessage } from "./types.js";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
/** Objects as everybody makes them. */
const plain = { noNullPrototype: true } as const;
const segment = 1_700_000_000_000;

const anyMessage: fc.Arbitrary<OfflineMessage> = fc
  .record({
    topic: fc.string({ minLength: 1, maxLength: 20 }).filter((topic) => !/[+#\0]/.test(topic)),
    payload: fc.uint8Array({ maxLength: 60 }),
    isRetained: fc.boolean(),
    properties: fc.option(
      fc.record(
        { contentType: fc.constant("text/plain"), messageExpirySeconds: fc.integer({ min: 0, max: 1000 }) },
        plain,
      ),
      { nil: undefined },
    ),
  })
  .map(({ properties, ...message }) => (properties === undefined ? message : { ...message, properties }));
const anySequence = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const anyRecord: fc.Arbitrary<JournalRecord> = fc.oneof(
  fc.record({ type: fc.constant("header" as const), format: fc.constant(1), nextSequence: anySequence }, plain),
  fc.record(
    {
      type: fc.constant("message" as const),
      sequence: anySequence,
      expiresAtUnixMs: fc.oneof(fc.constant(Infinity), fc.integer({ min: 0, max: 2 ** 45 })),
      message: anyMessage,
    },
    plain,
  ),
  fc.record(
    {
      type: fc.constant("settled" as const),
      ranges: fc.array(fc.record({ first: anySequence, last: anySequence }, plain), { maxLength: 4 }),
    },
    plain,
  ),
);

function segmentOf(records: readonly JournalRecord[]): { bytes: Uint8Array; offsets: number[] } {
  const offsets: number[] = [];
  const all: number[] = [];
  for (const record of records) {
    offsets.push(all.length);
    all.push(...encodeRecord(record, { segment, offset: all.length }));
  }
  return { bytes: Uint8Array.from(all), offsets };
}

const message = (sequence: number, topic = `t/${sequence}`): JournalRecord => ({
  type: "message",
  sequence,
  expiresAtUnixMs: Infinity,
  message: { topic, payload: Uint8Array.of(sequence, 1, 2, 3), isRetained: false },
});

test("the checksum is zlib's CRC-32, and goes on from an earlier one", () => {
  const bytes = new TextEncoder().encode("123456789");
  assert.equal(crc32(bytes), 0xcbf43926);
  assert.equal(crc32(bytes.subarray(4), crc32(bytes.subarray(0, 4))), 0xcbf43926);
});

test("every record is read as it was written, one behind the other", () => {
  fc.assert(
    fc.property(fc.array(anyRecord, { maxLength: 6 }), (records) => {
      assert.deepEqual(readSegment(segment, segmentOf(records).bytes), { records, damages: [] });
    }),
    { numRuns: isLong ? 5000 : 100 },
  );
});

test("a file that was cut anywhere gives the records before the cut, and one torn tail", () => {
  const records: JournalRecord[] = [{ type: "header", format: 1, nextSequence: 1 }, message(1), message(2), message(3)];
  const { bytes, offsets } = segmentOf(records);
  for (let length = 0; length < bytes.length; length++) {
    const whole = [...offsets, bytes.length].filter((offset) => offset > 0 && offset <= length).length;
    const offset = [...offsets, bytes.length].findLast((start) => start <= length) ?? 0;
    const damage = { damage: "tornTail", segment, offset, lengthBytes: length - offset };
    assert.deepEqual(readSegment(segment, bytes.subarray(0, length)), {
      records: records.slice(0, whole),
      damages: length === offset ? [] : [damage],
    });
  }
});

test("a file system that fills a torn tail with zeros gives the same", () => {
  const { bytes } = segmentOf([message(1)]);
  const padded = new Uint8Array(bytes.length + 4096);
  padded.set(bytes);
  const { records, damages } = readSegment(segment, padded);
  assert.deepEqual(records, [message(1)]);
  assert.deepEqual(damages, [{ damage: "tornTail", segment, offset: bytes.length, lengthBytes: 4096 }]);
});

test("whatever byte of a record is wrong, that record is told corrupt and its neighbours are there", () => {
  const { bytes, offsets } = segmentOf([message(1), message(2), message(3)]);
  const [, second = 0, third = 0] = offsets;
  for (let at = second; at < third; at++) {
    for (const wrong of [0x00, 0x01, 0x80, 0xff]) {
      const damaged = bytes.slice();
      damaged[at] = (damaged[at] as number) ^ wrong;
      const { records, damages } = readSegment(segment, damaged);
      const corrupt = { damage: "corrupt", segment, offset: second, lengthBytes: third - second };
      assert.deepEqual(records, wrong === 0 ? [message(1), message(2), message(3)] : [message(1), message(3)]);
      assert.deepEqual(damages, wrong === 0 ? [] : [corrupt]);
    }
  }
});

test("a record inside the payload of a damaged one is no message", () => {
  const inner = encodeRecord(message(99, "wrong"), { segment, offset: 0 });
  const outer: JournalRecord = {
    type: "message",
    sequence: 1,
    expiresAtUnixMs: Infinity,
    message: { topic: "t", payload: inner, isRetained: false },
  };
  const { bytes } = segmentOf([message(1), outer, message(3)]);
  bytes[segmentOf([message(1)]).bytes.length + 5] = 0xff;
  assert.deepEqual(readSegment(segment, bytes).records, [message(1), message(3)]);
});

test("a record of another file is no record", () => {
  const bytes = encodeRecord(message(1), { segment: segment + 1, offset: 0 });
  assert.equal(readRecord(bytes, { segment, offset: 0 }).type, "nothing");
});

test("random bytes, and records with random damage, never throw and never make a message up", () => {
  const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(fc.array(anyRecord, { maxLength: 5 }), damage, fc.nat(), (records, changes, cut) => {
      const { bytes } = segmentOf(records);
      for (const [at, value] of changes) if (bytes.length > 0) bytes[at % bytes.length] = value;
      const read = readSegment(segment, bytes.subarray(0, bytes.length - (cut % (bytes.length + 1)))).records;
      for (const record of read) assert.ok(records.some((written) => isDeepStrictEqual(written, record)));
    }),
    { numRuns: isLong ? 100_000 : 300 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assert.deepEqual(readSegment(segment, bytes).records, []);
    }),
    { numRuns: isLong ? 100_000 : 300 },
  );
});

test("a length that claims more than there is allocates nothing", () => {
  const bytes = encodeRecord(message(1), { segment, offset: 0 });
  new DataView(bytes.buffer).setUint32(4, 0xffff_ffff);
  assert.equal(readRecord(bytes, { segment, offset: 0 }).type, "nothing");
  assert.ok(bytes.length > recordHeaderBytes);
});

test("a journal of a later version is refused, not taken for damage", () => {
  const bytes = encodeRecord({ type: "header", format: 2, nextSequence: 1 }, { segment, offset: 0 });
  assert.throws(
    () => recover([{ segment, bytes }]),
    (error) => isThinglineError(error, "STORE_VERSION_UNKNOWN"),
  );
});

test("what is settled is gone, what was rewritten is there once, and sequences go on behind the highest", () => {
  const settled: JournalRecord = {
    type: "settled",
    ranges: [
      { first: 1, last: 2 },
      { first: 9, last: 2 ** 50 },
    ],
  };
  const first = segmentOf([message(1), message(2), message(3)]).bytes;
  const second = encodeRecord(message(3), { segment: segment + 1, offset: 0 });
  const third = encodeRecord(settled, { segment: segment + 2, offset: 0 });
  const { messages, nextSequence, damages } = recover([
    { segment, bytes: first },
    { segment: segment + 1, bytes: second },
    { segment: segment + 2, bytes: third },
  ]);
  assert.deepEqual(
    messages.map(({ sequence, segment: home }) => [sequence, home]),
    [[3, segment]],
  );
  assert.deepEqual([nextSequence, damages], [2 ** 50 + 1, []]);
});
