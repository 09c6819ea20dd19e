import assert from "node:assert/strict";
import { test } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import { OversizeRecords, recordCutsMax, sameRecordCutsMax } from "./records.js";

for (const [name, lengthOf, cutsMax] of [
  ["the same record", () => 3_000, sameRecordCutsMax],
  ["records of different lengths", (count: number) => 3_000 + count, recordCutsMax],
] as const) {
  test(`${name} may cut a kept session ${cutsMax} times; then it is discarded`, () => {
    const records = new OversizeRecords({ isPersistent: true });
    for (let count = 1; count <= cutsMax; count++) {
      assert.equal(records.wantsCleanSession, false, `before cut ${count}`);
      const details = { lengthBytes: lengthOf(count), recordBytesMax: 2_048 };
      const error = new ThinglineError("TLS_RECORD_TOO_LARGE", "too large", { details });
      records.cut({ error, isResumed: true, filter: undefined });
    }
    assert.equal(records.wantsCleanSession, true);
    const event = records.discarded();
    assert.deepEqual([event.type, event.cutCount], ["sessionDiscarded", cutsMax]);
  });
}
