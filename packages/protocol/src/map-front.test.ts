import assert from "node:assert/strict";
import { test } from "node:test";
import { MapFront } from "./map-front.js";

test("the front of a map is its first entry, whatever leaves, comes back or is cleared meanwhile", () => {
  const entries = new Map<number, string>();
  const front = new MapFront(entries);
  assert.equal(front.next(), undefined);
  let state = 1;
  const chance = (below: number): number => (state = (state * 48271) % 2147483647) % below;
  for (let step = 0; step < 20_000; step++) {
    const key = chance(200);
    const first = entries.entries().next().value;
    switch (chance(5)) {
      case 0:
        entries.delete(key);
        break;
      case 1:
      case 2:
        assert.deepEqual(front.next(), first);
        if (first === undefined) break;
        entries.delete(first[0]);
        if (chance(3) === 0) entries.set(first[0], "again");
        break;
      default:
        if (chance(4_000) === 0) entries.clear();
        entries.delete(key);
        entries.set(key, `set in step ${step}`);
    }
  }
});
