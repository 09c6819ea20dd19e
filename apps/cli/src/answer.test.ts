import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { ordinaryAnswerBytesMax, readAnswer } from "./answer.js";

test("an answer is read up to its bound, and one without end is left by name", async () => {
  let given = 0;
  let isEnded = false;
  async function* endless() {
    try {
      for (;;) {
        given += 4;
        yield new Uint8Array(4).fill(given);
      }
    } finally {
      isEnded = true;
    }
  }
  async function* short() {
    yield Uint8Array.of(1, 2, 3);
    yield Uint8Array.of(4);
  }
  const options = { bytesMax: 4, what: "the answer to GET snapshot" };
  assert.deepEqual([...(await readAnswer(short(), options))], [1, 2, 3, 4]);
  assert.equal((await readAnswer(null, options)).length, 0);
  await assert.rejects(readAnswer(endless(), options), (error) => {
    assert.ok(isThinglineError(error, "LIMIT_EXCEEDED"), String(error));
    assert.match(error.message, /^the answer to GET snapshot is too large: it has more than 4 bytes/);
    return true;
  });
  assert.deepEqual([given, isEnded], [8, true]);
});

test("without a bound of its own an answer has ordinaryAnswerBytesMax", async () => {
  async function* answerOf(lengthBytes: number) {
    yield new Uint8Array(ordinaryAnswerBytesMax);
    yield new Uint8Array(lengthBytes - ordinaryAnswerBytesMax);
  }
  const what = "the answer to POST reset";
  assert.equal((await readAnswer(answerOf(ordinaryAnswerBytesMax), { what })).length, ordinaryAnswerBytesMax);
  await assert.rejects(readAnswer(answerOf(ordinaryAnswerBytesMax + 1), { what }), { code: "LIMIT_EXCEEDED" });
});
