import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BoundedMap } from "./bounded-map.js";
import { isThinglineError } from "./errors.js";

const filled = (entriesMax: number, count = entriesMax): BoundedMap<number, string> => {
  const map = new BoundedMap<number, string>(entriesMax);
  for (let key = 0; key < count; key++) map.set(key, `value ${key}`);
  return map;
};
const keysOf = (map: BoundedMap<number, string>, keys: number): number[] =>
  Array.from({ length: keys }, (_none, key) => key).filter((key) => map.get(key) !== undefined);

test("a full map gives up one entry for a new one, not all of them", () => {
  for (const entriesMax of [1, 2, 3, 10, 1_000]) {
    const map = filled(entriesMax);
    assert.equal(map.size, entriesMax);
    map.set(entriesMax, "new");
    assert.equal(map.size, entriesMax);
    assert.equal(map.get(entriesMax), "new");
    assert.equal(keysOf(map, entriesMax).length, entriesMax - 1);
  }
});

test("whoever goes round as many keys as there is room for never misses", () => {
  const map = filled(100);
  for (let round = 0; round < 3; round++) assert.equal(keysOf(map, 100).length, 100);
});

test("what is asked for again and again stays, however many others pass by", () => {
  const map = filled(10);
  for (let key = 10; key < 1_000; key++) {
    map.set(key, "passes by");
    assert.equal(map.get(3), "value 3", `after ${key}`);
  }
  assert.equal(map.size, 10);
});

test("what nobody asks for goes in the order in which it came", () => {
  const map = filled(4);
  map.set(4, "new");
  map.set(5, "new");
  assert.deepEqual(keysOf(map, 6), [2, 3, 4, 5]);
});

test("what is used stays while many others are asked for twice", () => {
  const map = filled(100);
  for (let used = 0; used < 10; used++) map.get(used);
  for (let key = 100; key < 2_000; key++) {
    map.set(key, "passes by");
    map.get(key);
    if (key % 5 === 0) for (let used = 0; used < 10; used++) assert.ok(map.get(used), `${used} after ${key}`);
  }
  assert.equal(map.size, 100);
});

test("what was kept and is used no more goes in the end", () => {
  const map = filled(10);
  for (let key = 0; key < 10; key++) map.get(key);
  for (let key = 10; key < 100; key++) {
    map.set(key, "new");
    map.get(key);
  }
  assert.deepEqual(keysOf(map, 10), []);
});

test("setting a key that is there takes no place, whether it is kept or not", () => {
  const map = filled(4);
  map.get(2);
  map.set(1, "waiting");
  map.set(2, "kept");
  assert.equal(map.size, 4);
  assert.deepEqual(
    [0, 1, 2, 3].map((key) => map.get(key)),
    ["value 0", "waiting", "kept", "value 3"],
  );
});

test("delete and clear forget what is kept and what is not", () => {
  const map = filled(4, 5);
  map.get(4);
  map.delete(4);
  map.delete(2);
  map.delete(77);
  assert.deepEqual(keysOf(map, 6), [1, 3]);
  map.clear();
  assert.equal(map.size, 0);
  assert.deepEqual(keysOf(map, 6), []);
  for (let key = 0; key < 6; key++) map.set(key, "again");
  assert.equal(map.size, 4);
});

test("an endless map keeps everything", () => {
  assert.equal(filled(Infinity, 5_000).size, 5_000);
});

test("a size that is none is refused by name", () => {
  for (const entriesMax of [0, -1, 1.5, NaN]) {
    assert.throws(
      () => new BoundedMap(entriesMax),
      (error) => isThinglineError(error, "OPTION_INVALID") && error.details["option"] === "entriesMax",
      String(entriesMax),
    );
  }
});

test("whatever is done, it holds what was set last, is never over its size, and forgets only when it is full", () => {
  const action = fc.oneof(
    fc.record({ type: fc.constant("set" as const), key: fc.nat(12), value: fc.nat() }),
    fc.record({ type: fc.constant("get" as const), key: fc.nat(12) }),
    fc.record({ type: fc.constant("delete" as const), key: fc.nat(12) }),
    fc.record({ type: fc.constant("clear" as const) }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.array(action, { maxLength: 200 }), (entriesMax, actions) => {
      const map = new BoundedMap<number, number>(entriesMax);
      const model = new Map<number, number>();
      let evictedCount = 0;
      for (const each of actions) {
        if (each.type === "clear") {
          map.clear();
          model.clear();
          evictedCount = 0;
        } else if (each.type === "delete") {
          map.delete(each.key);
          model.delete(each.key);
        } else if (each.type === "set") {
          const isFull = map.size === entriesMax;
          const before = map.size;
          map.set(each.key, each.value);
          model.set(each.key, each.value);
          assert.ok(map.size === before || (map.size === before + 1 && !isFull));
          if (isFull) evictedCount += 1;
          assert.equal(map.get(each.key), each.value);
        } else {
          const found = map.get(each.key);
          if (found !== undefined || evictedCount === 0) assert.equal(found, model.get(each.key));
        }
        assert.ok(map.size <= entriesMax);
      }
    }),
    { numRuns: 200 },
  );
});
