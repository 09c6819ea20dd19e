import assert from "node:assert/strict";
import { test } from "node:test";
import { clockToleranceMs, daysLeft, dueAtMs, readTime, warningDue } from "./age.js";

const dayMs = 86_400_000;
const notBeforeMs = Date.UTC(2026, 0, 1);
const validity = { notBeforeMs, notAfterMs: notBeforeMs + 100 * dayMs };
const at = (days: number) => notBeforeMs + days * dayMs;

test("whichever bound comes first counts, and none is never", () => {
  assert.equal(dueAtMs(validity, {}), undefined);
  assert.equal(dueAtMs(validity, { atLifetimePercent: 80 }), at(80));
  assert.equal(dueAtMs(validity, { daysBeforeEnd: 30 }), at(70));
  assert.equal(dueAtMs(validity, { maxAgeDays: 10 }), at(10));
  assert.equal(dueAtMs(validity, { atLifetimePercent: 80, daysBeforeEnd: 30, maxAgeDays: 75 }), at(70));
});

const unknown = { floorMs: 0, isCertain: undefined, isAccepted: false };

test("a clock that is behind what is known is not gone by, and one that is a little behind is", () => {
  assert.deepEqual(readTime(at(5), validity, unknown), { unixMs: at(5), isTrusted: true });
  assert.deepEqual(readTime(0, validity, unknown), { unixMs: at(0), isTrusted: false });
  assert.deepEqual(readTime(at(5), validity, { ...unknown, floorMs: at(6) }), { unixMs: at(6), isTrusted: false });
  const late = at(6) - clockToleranceMs;
  assert.deepEqual(readTime(late, validity, { ...unknown, floorMs: at(6) }), { unixMs: at(6), isTrusted: true });
  assert.equal(readTime(late - 1, validity, { ...unknown, floorMs: at(6) }).isTrusted, false);
});

test("a clock that says that a certificate has ended which the cloud has just accepted is wrong", () => {
  assert.deepEqual(readTime(at(101), validity, unknown), { unixMs: at(101), isTrusted: true });
  assert.deepEqual(readTime(at(101), validity, { ...unknown, isAccepted: true }), { unixMs: at(0), isTrusted: false });
});

test("an application that says that its clock tells nothing is believed, and it may still know the earliest time", () => {
  const facts = { floorMs: at(90), isCertain: false, isAccepted: true };
  assert.deepEqual(readTime(at(95), validity, facts), { unixMs: at(90), isTrusted: false });
});

test("each threshold is told once, the nearest that is reached, also after a long sleep", () => {
  const thresholds = [30, 7, 1, 0];
  assert.equal(warningDue(31, thresholds, undefined), undefined);
  assert.equal(warningDue(30, thresholds, undefined), 30);
  assert.equal(warningDue(20, thresholds, 30), undefined);
  assert.equal(warningDue(3, thresholds, 30), 7);
  assert.equal(warningDue(0, thresholds, 7), 0);
  assert.equal(warningDue(-5, thresholds, 0), undefined);
  assert.equal(warningDue(-5, thresholds, undefined), 0);
  assert.equal(daysLeft(validity, { unixMs: at(99.5), isTrusted: true }), 0);
  assert.equal(daysLeft(validity, { unixMs: at(100) + 1, isTrusted: true }), -1);
});
