import assert from "node:assert/strict";
import { test } from "node:test";
import { createBoundedLog, linesPerSecondMax } from "./bounded-log.js";
import type { Log } from "./log.js";

function start(options = {}) {
  const clock = { nowMs: 0, monotonicMs: () => clock.nowMs };
  const lines: unknown[] = [];
  const write =
    (level: string) =>
    (event: string, facts?: object): void => {
      lines.push([level, event, facts]);
    };
  const log: Log = { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
  return { clock, lines, log: createBoundedLog(log, { clock, linesMax: 2, charactersMax: 5, ...options }) };
}

test("of each event there are so many lines a second, and the next one tells how many were left out", () => {
  const { clock, lines, log } = start();
  for (let count = 0; count < 5; count++) log.warn("flood", { count });
  log.warn("other");
  log.info("flood");
  clock.nowMs = 1_000;
  log.warn("flood", { count: 5 });
  log.warn("flood", { count: 6 });
  assert.deepEqual(lines, [
    ["warn", "flood", { count: 0 }],
    ["warn", "flood", { count: 1 }],
    ["warn", "other", undefined],
    ["info", "flood", undefined],
    ["warn", "flood", { count: 5, leftOut: 3 }],
    ["warn", "flood", { count: 6 }],
  ]);
});

test("linesPerSecondMax lines of an event pass, and the one after them does not", () => {
  const { lines, log } = start({ linesMax: undefined });
  for (let count = 0; count < linesPerSecondMax; count++) log.warn("flood");
  assert.equal(lines.length, linesPerSecondMax);
  log.warn("flood");
  assert.equal(lines.length, linesPerSecondMax);
});

test("long texts are cut, short ones and numbers are not", () => {
  const { lines, log } = start();
  log.warn("x", { clientId: "1234567", short: "12345", count: 1234567 });
  assert.deepEqual(lines, [["warn", "x", { clientId: "12345... (7 characters)", short: "12345", count: 1234567 }]]);
});
