import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SortedMap } from "./sorted-map.js";

test("a sorted map does what a map and a sort do, over many runs of keys", () => {
  const change = fc.record({ key: fc.integer({ min: 0, max: 3_000 }), isSet: fc.boolean() });
  const text = (number: number) => String(number).padStart(5, "0");
  fc.assert(
    fc.property(
      fc.array(change, { minLength: 1_000, maxLength: 3_000, size: "max" }),
      fc.integer({ min: 0, max: 3_000 }),
      fc.integer({ min: 0, max: 3_000 }),
      (changes, low, high) => {
        const sorted = new SortedMap<number>();
        const model = new Map<string, number>();
        for (let key = 0; key < 1_500; key += 2) {
          sorted.set(text(key), key);
          model.set(text(key), key);
        }
        for (const { key, isSet } of changes) {
          if (isSet) [sorted, model].forEach((map) => map.set(text(key), key));
          else [sorted, model].forEach((map) => map.delete(text(key)));
        }
        const [above, below] = [text(low), text(high)];
        const expected = [...model.keys()].sort().filter((key) => key > above && key < below);
        const values = expected.map((key) => model.get(key));
        const range = (order: "ascending" | "descending", limit: number) =>
          sorted.range({ above, below, order, limit });
        assert.equal(sorted.size, model.size);
        assert.deepEqual(range("ascending", Infinity), values);
        assert.deepEqual(range("descending", Infinity), values.toReversed());
        assert.deepEqual(range("ascending", 5), values.slice(0, 5));
        assert.deepEqual(range("descending", 5), values.toReversed().slice(0, 5));
      },
    ),
    { numRuns: 20 },
  );
});
