import assert from "node:assert/strict";
import { test } from "node:test";
import {
  binomialBelow,
  falseAlarmsExpected,
  intervalRank,
  isSlower,
  median,
  orderOf,
  pairsAgain,
  ratioOf,
  summarise,
} from "./bench-statistics.mjs";

/** A repeatable source of chance in [0, 1): the additive recurrence of Weyl, mixed. */
function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}

test("the median of an odd and an even count", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 3, 2]), 2.5);
});

test("binomial sums are exact", () => {
  assert.equal(binomialBelow(11, 0), 0);
  assert.equal(binomialBelow(11, 1), 1 / 2048);
  assert.equal(binomialBelow(11, 2), 12 / 2048);
  assert.equal(binomialBelow(11, 3), 67 / 2048);
  assert.equal(binomialBelow(4, 5), 1);
});

// Tables of the sign test name the same ranks.
for (const [n, rank, coverage] of [
  [6, 1, 0.96875],
  [8, 1, 0.9921875],
  [9, 2, 0.9609375],
  [11, 2, 1 - 24 / 2048],
  [12, 3, 0.9614],
  [15, 4, 0.9648],
  [20, 6, 0.9586],
  [23, 7, 0.9653],
  [25, 8, 0.9567],
  [101, 41, 0.954],
]) {
  test(`the 95 % interval of ${n} pairs has rank ${rank}`, () => {
    const found = intervalRank(n);
    assert.equal(found.rank, rank);
    assert.equal(found.coverage.toFixed(4), coverage.toFixed(4));
  });
}

test("fewer than 6 pairs have no interval", () => {
  assert.throws(() => intervalRank(5), RangeError);
});

test("the interval of 11 ratios goes from the second smallest to the second largest, whatever the order", () => {
  const { ratio, low, high, pairs } = summarise([1, 0.9, 1.1, 0.5, 0.95, 1.05, 2, 1.02, 0.98, 1.01, 0.99]);
  assert.deepEqual({ ratio, low, high, pairs }, { ratio: 1, low: 0.9, high: 1.1, pairs: 11 });
});

test("a row is slower when the interval ends below 0.97, and not when it touches it", () => {
  const at = (high) => isSlower(summarise([...Array(9).fill(0.9), high, 1.2]));
  assert.equal(at(0.9699), true);
  assert.equal(at(0.97), false);
});

test("a ratio below 1 is slower, whether more is better or less", () => {
  assert.equal(ratioOf(100, 50, true), 0.5);
  assert.equal(ratioOf(50, 100, false), 0.5);
});

test("the sides take turns in going first", () => {
  assert.deepEqual([0, 1, 2, 3].flatMap(orderOf), ["old", "new", "new", "old", "old", "new", "new", "old"]);
});

test("a commit against itself: fewer than one of 600 runs with 16 rows cries wolf", () => {
  assert.ok(falseAlarmsExpected(16, 11) < 1 / 600);
  assert.equal(pairsAgain(11), 23);
});

test("the interval holds the true median as often as it says, with skewed noise and outliers too", () => {
  const chance = seeded(7);
  const noise = () => (chance() < 0.1 ? 1 - chance() * 0.6 : 1 + (chance() ** 3 - 0.125) * 0.4);
  const runs = 4000;
  const truth = median(Array.from({ length: 100_001 }, noise));
  let missed = 0;
  for (let run = 0; run < runs; run++) {
    const { low, high } = summarise(Array.from({ length: 11 }, noise));
    if (truth < low || truth > high) missed++;
  }
  assert.ok(missed / runs < 0.02, `${missed} of ${runs} missed, 1.2 % are expected`);
  assert.ok(missed > 0);
});
