import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeJournal, encodeJournal, journalBytesMax, newJournal, type UpdateJournal } from "./journal.js";

const begun = newJournal({ jobId: "j", executionNumber: 2, documentId: "d", versionWanted: "2" }, 1_000);
const full: UpdateJournal = {
  ...begun,
  phase: "rebooting",
  target: "mcuboot",
  file: { sizeBytes: 10, version: '"1"' },
  offset: 10,
  image: { version: "2.0.0", imageId: "ab" },
  previousId: "cd",
  ending: { status: "FAILED", reason: "reverted", message: "it went back" },
  isEnded: true,
};

test("a journal is read as it was written", () => {
  for (const journal of [begun, full]) assert.deepEqual(decodeJournal(encodeJournal(journal)), journal);
});

test("what is no journal of this version is not trusted", () => {
  const changed = (change: object): Uint8Array => new TextEncoder().encode(JSON.stringify({ ...full, ...change }));
  assert.ok(decodeJournal(changed({})));
  for (const change of [
    { version: 2 },
    { jobId: 1 },
    { executionNumber: -1 },
    { offset: 1.5 },
    { phase: "done" },
    { isEnded: "yes" },
    { file: { sizeBytes: "10" } },
    { file: [] },
    { image: { version: 2 } },
    { ending: { status: "IN_PROGRESS" } },
    { target: 7 },
    { scheduleCount: undefined },
  ]) {
    assert.equal(decodeJournal(changed(change)), undefined, JSON.stringify(change));
  }
  const padded = (length: number): Uint8Array => {
    const bytes = new Uint8Array(length).fill(0x20);
    bytes.set(encodeJournal(begun));
    return bytes;
  };
  assert.deepEqual(decodeJournal(padded(journalBytesMax)), begun);
  for (const bytes of [padded(journalBytesMax + 1), new Uint8Array(0), encodeJournal(begun).subarray(0, 40)]) {
    assert.equal(decodeJournal(bytes), undefined);
  }
});
