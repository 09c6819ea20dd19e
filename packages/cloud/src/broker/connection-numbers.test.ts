import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualClock, createVirtualRandom } from "@thingline/transport/virtual";
import { ConnectionNumbers, numberKeptMs, rememberedNumbersMax } from "./connection-numbers.js";

test("a number rises with each connection, and never falls below what a persistent session knows", () => {
  const numbers = new ConnectionNumbers(createVirtualClock());
  assert.equal(numbers.begin("a", 0), 0);
  numbers.end("a", 0);
  assert.equal(numbers.begin("a", 0), 1);
  assert.equal(numbers.begin("b", 0), 0);
  numbers.end("a", 1);
  assert.equal(numbers.begin("a", 7), 7);
  numbers.end("a", 7);
  assert.equal(numbers.begin("a", 3), 8);
});

test("a client that was away for an hour begins at 0, a millisecond less and it does not", () => {
  const clock = createVirtualClock();
  const numbers = new ConnectionNumbers(clock);
  for (const [awayMs, expected] of [
    [numberKeptMs - 1, 4],
    [numberKeptMs, 0],
  ] as const) {
    numbers.end("a", 3);
    clock.advanceNow(awayMs);
    assert.equal(numbers.begin("a", 0), expected);
  }
});

test("rememberedNumbersMax client ids are remembered, and the one that left first is forgotten for one more", () => {
  const numbers = new ConnectionNumbers(createVirtualClock());
  for (let at = 0; at < rememberedNumbersMax; at++) numbers.end(`c${at}`, 5);
  assert.equal(numbers.begin("c0", 0), 6);
  numbers.end("c0", 6);
  numbers.end("one more", 1);
  assert.deepEqual([numbers.begin("c1", 0), numbers.begin("c2", 0), numbers.begin("c0", 0)], [0, 6, 7]);
});

test("whoever comes and goes, as often and as late as they like, has the number that a plain count gives", () => {
  const clock = createVirtualClock();
  const random = createVirtualRandom(7);
  const numbers = new ConnectionNumbers(clock);
  const connected = new Map<string, number>();
  const left = new Map<string, { number: number; atMs: number }>();
  for (let step = 0; step < 5_000; step++) {
    const clientId = `c${random.integer(40)}`;
    const number = connected.get(clientId);
    if (random.integer(20) === 0) clock.advanceNow(random.integer(numberKeptMs));
    if (number === undefined) {
      const last = left.get(clientId);
      const isKnown = last !== undefined && last.atMs + numberKeptMs > clock.monotonicMs();
      const expected = isKnown ? last.number + 1 : 0;
      assert.equal(numbers.begin(clientId, 0), expected, `step ${step}`);
      connected.set(clientId, expected);
    } else {
      numbers.end(clientId, number);
      connected.delete(clientId);
      left.set(clientId, { number, atMs: clock.monotonicMs() });
    }
  }
});
