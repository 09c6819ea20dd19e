import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "./failure.js";
import { readNameValues } from "./name-values.js";

test("the first = divides a name from its value", () => {
  assert.deepEqual(readNameValues(["a=1", "b=c=d", "e="], "--parameter"), { a: "1", b: "c=d", e: "" });
  assert.deepEqual(readNameValues(["__proto__=x"], "--parameter")["__proto__"], "x");
});

for (const words of [["a"], ["=1"], [""], ["a=1", "a=2"]]) {
  test(`${JSON.stringify(words)} is wrong usage`, () => {
    assert.throws(() => readNameValues(words, "--parameter"), UsageError);
  });
}
