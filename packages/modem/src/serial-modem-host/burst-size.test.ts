import assert from "node:assert/strict";
import { test } from "node:test";
import { burstBytesFirst, burstBytesLeast, burstBytesMax, BurstSize } from "./burst-size.js";

/** Bursts over a line of a speed, each of which costs so much besides. @returns what the last ones have */
function settle(bytesPerMs: number, overheadMs = 1): number {
  const size = new BurstSize(100);
  for (let count = 0; count < 20; count++) size.took(size.bytesMax, size.bytesMax / bytesPerMs + overheadMs);
  return size.bytesMax;
}

test("bursts take about as long as they may, within their bounds", () => {
  assert.ok(Math.abs(settle(100) - 9_900) < 100, String(settle(100)));
  assert.equal(settle(11.52), burstBytesLeast);
  assert.equal(settle(10_000), burstBytesMax);
  assert.equal(settle(Infinity, 0), burstBytesMax, "a line that takes no time at all");
});

test("short bursts, and one that was lucky, decide nothing", () => {
  const size = new BurstSize(100);
  size.took(10, 0.001);
  assert.equal(size.bytesMax, burstBytesFirst);
  size.took(4_096, 0.001);
  assert.equal(size.bytesMax, 2 * burstBytesFirst);
});
