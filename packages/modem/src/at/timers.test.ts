import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeActiveTime, decodePeriodicTau } from "@thingline/protocol/at";
import {
  decodeEdrxCycle,
  decodePagingWindow,
  encodeActiveTime,
  encodeEdrxCycle,
  encodePagingWindow,
  encodePeriodicTau,
} from "./timers.js";

test("a timer is rounded up to the next one that a network knows", () => {
  for (const [seconds, rounded] of [
    [1, 2],
    [61, 62],
    [63, 90],
    [1_700, 1_740],
    [1_800, 1_800],
    [3_601, 4_200],
    [86_400, 86_400],
    [35_712_000, 35_712_000],
  ] as const) {
    assert.equal(decodePeriodicTau(encodePeriodicTau(seconds) ?? ""), rounded, String(seconds));
  }
  assert.equal(encodePeriodicTau(35_712_001), undefined);
  for (const [seconds, rounded] of [
    [0, 0],
    [1, 2],
    [60, 60],
    [63, 120],
    [11_160, 11_160],
  ] as const) {
    assert.equal(decodeActiveTime(encodeActiveTime(seconds) ?? ""), rounded, String(seconds));
  }
  assert.equal(encodeActiveTime(11_161), undefined);
});

test("every timer that decodes is written so that it is as long, and never shorter", () => {
  for (let value = 0; value < 256; value++) {
    const bits = value.toString(2).padStart(8, "0");
    const tau = decodePeriodicTau(bits);
    if (tau !== undefined && tau > 0) assert.equal(decodePeriodicTau(encodePeriodicTau(tau) ?? ""), tau, bits);
    const active = decodeActiveTime(bits);
    if (active !== undefined) assert.equal(decodeActiveTime(encodeActiveTime(active) ?? ""), active, bits);
  }
});

test("an eDRX cycle is one that the technology has", () => {
  assert.equal(encodeEdrxCycle("lteM", 5), "0000");
  assert.equal(encodeEdrxCycle("nbIot", 5), "0010");
  assert.equal(encodeEdrxCycle("lteM", 90), "1001");
  assert.equal(encodeEdrxCycle("lteM", 2_621.44), "1101");
  assert.equal(encodeEdrxCycle("lteM", 2_621.45), undefined);
  assert.equal(encodeEdrxCycle("nbIot", 10_485.76), "1111");
  assert.equal(decodeEdrxCycle("1001"), 163.84);
  assert.equal(decodeEdrxCycle("10010"), undefined);
});

test("a paging window is one to sixteen steps of the technology", () => {
  assert.equal(encodePagingWindow("lteM", 0), "0000");
  assert.equal(encodePagingWindow("lteM", 5.12), "0011");
  assert.equal(encodePagingWindow("nbIot", 5.12), "0001");
  assert.equal(encodePagingWindow("lteM", 20.48), "1111");
  assert.equal(encodePagingWindow("lteM", 20.49), undefined);
  for (let value = 0; value < 16; value++) {
    const bits = value.toString(2).padStart(4, "0");
    for (const technology of ["lteM", "nbIot"] as const) {
      const seconds = decodePagingWindow(technology, bits) ?? 0;
      assert.equal(encodePagingWindow(technology, seconds), bits, `${technology} ${seconds}`);
    }
  }
  assert.equal(decodePagingWindow("lteM", "0010"), 3.84);
  assert.equal(decodePagingWindow("lteM", ""), undefined);
});
