import assert from "node:assert/strict";
import { test } from "node:test";
import {
  decodeRotationRecord,
  encodeRotationRecord,
  newRotationRecord,
  rotatedFor,
  rotationEntriesMax,
  type RotationRecord,
  withEntry,
} from "./record.js";

const job = { jobId: "j", executionNumber: 2 };
const settled = newRotationRecord("pump-7", 50);
const records: RotationRecord[] = [
  settled,
  { ...settled, state: { name: "rotating", toTag: 51, reason: "job", job, sinceUnixMs: 7 } },
  { ...settled, state: { name: "rotating", toTag: 51, reason: "job", job, overlapMs: 5, sinceUnixMs: 7 } },
  { ...settled, state: { name: "overlapping", oldTag: 51, untilUnixMs: 7 }, latestUnixMs: 9 },
  withEntry(settled, { reason: "job", job, atUnixMs: 1, outcome: "rotated", certificateId: "a" }),
];

test("what was written is read", () => {
  for (const record of records) {
    assert.deepEqual(decodeRotationRecord(encodeRotationRecord(record)), { type: "record", record });
  }
});

test("what is no record is not trusted, and one of a later version is not touched", () => {
  const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const bad: unknown[] = [
    undefined,
    [],
    {},
    { ...settled, clientId: "a/b" },
    { ...settled, secTag: -1 },
    { ...settled, secTag: "50" },
    { ...settled, state: { name: "other" } },
    { ...settled, state: { name: "rotating", toTag: 51, reason: "whim", sinceUnixMs: 0 } },
    { ...settled, state: { name: "rotating", toTag: 51, reason: "age", sinceUnixMs: 0, overlapMs: -1 } },
    { ...settled, state: { name: "overlapping", oldTag: 51 } },
    // Of these, what is in use would be deleted, or written over.
    { ...settled, state: { name: "overlapping", oldTag: 50, untilUnixMs: 7 } },
    { ...settled, state: { name: "rotating", toTag: 50, reason: "age", sinceUnixMs: 0 } },
    { ...settled, latestUnixMs: null },
    { ...settled, history: [{ reason: "age", atUnixMs: 0, outcome: "rotated", certificateId: 5 }] },
    { ...settled, history: Array.from({ length: rotationEntriesMax + 1 }, () => ({})) },
  ];
  for (const value of bad) assert.equal(decodeRotationRecord(text(value)).type, "unreadable", JSON.stringify(value));
  assert.equal(decodeRotationRecord(Uint8Array.of(0xff)).type, "unreadable");
  assert.equal(decodeRotationRecord(text({ ...settled, version: 2 })).type, "newer");
});

test("the history is bounded, and tells what a job came to", () => {
  let record = settled;
  for (let at = 0; at <= rotationEntriesMax; at++) {
    record = withEntry(record, { reason: "age", atUnixMs: at, outcome: "failed", code: "TIMEOUT" });
  }
  assert.equal(record.history.length, rotationEntriesMax);
  assert.equal(record.history[0]?.atUnixMs, 1);
  assert.equal(rotatedFor(record, job), undefined);
  record = withEntry(record, { reason: "job", job, atUnixMs: 50, outcome: "failed" });
  assert.equal(rotatedFor(record, job), undefined);
  record = withEntry(record, { reason: "job", job, atUnixMs: 60, outcome: "rotated", certificateId: "c" });
  assert.equal(rotatedFor(record, job)?.certificateId, "c");
  assert.equal(rotatedFor(record, { ...job, executionNumber: 1 }), undefined);
});
