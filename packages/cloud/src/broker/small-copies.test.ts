import assert from "node:assert/strict";
import { test } from "node:test";
import { SmallCopies } from "./small-copies.js";

test("copies keep their bytes, whatever their size and whatever comes after them", () => {
  const copies = new SmallCopies();
  const given = Array.from({ length: 300 }, (_none, at) => new Uint8Array((at * 37) % 1_500).fill(at % 251));
  const kept = given.map((bytes) => copies.copy(bytes));
  for (const bytes of given) bytes.fill(255);
  for (const [at, copy] of kept.entries()) {
    assert.equal(copy.length, (at * 37) % 1_500);
    assert.ok(copy.every((byte) => byte === at % 251));
  }
});
