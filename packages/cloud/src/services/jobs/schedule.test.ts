import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import {
  checkNewSchedule,
  checkNewWindows,
  maintenanceWindowsMax,
  nextRollouts,
  readSchedule,
  scheduledRolloutsShown,
  schedulePhase,
  writeTime,
  type SchedulingConfig,
} from "./schedule.js";

const at = (text: string) => Date.parse(`${text}Z`);
const now = at("2026-11-29T12:00");
const refuses = (config: SchedulingConfig, why: RegExp, nowMs = now) =>
  assert.throws(
    () => checkNewSchedule(config, nowMs),
    (error) => isThinglineError(error, "REQUEST_INVALID") && why.test(error.message),
  );
const nightly = { startTime: "cron(0 2 * * ? *)", durationInMinutes: 60 };

describe("the schedule of a new job", () => {
  test("start and end keep their distance from now and from each other", () => {
    refuses({ startTime: "2026-11-29T12:29" }, /startTime must be at least 30 minutes from now/);
    refuses({ startTime: "2026-11-29T12:29" }, /startTime/, now + 59_999);
    assert.equal(checkNewSchedule({ startTime: "2026-11-29T12:30" }, now + 59_999).startMs, at("2026-11-29T12:30"));
    refuses({ startTime: "2027-12-01T12:00" }, /startTime must be within one year/);
    assert.ok(checkNewSchedule({ startTime: "2027-11-29T12:00" }, now).startMs);
    refuses({ endTime: "2026-11-29T12:29" }, /endTime must be at least 30 minutes from now/);
    refuses({ endTime: "2028-12-01T12:00" }, /endTime must be within two years/);
    assert.ok(checkNewSchedule({ endTime: "2028-11-29T12:00" }, now).endMs);
    refuses(
      { startTime: "2026-12-01T10:00", endTime: "2026-12-01T10:29" },
      /endTime must be at least 30 minutes after startTime/,
    );
    assert.ok(checkNewSchedule({ startTime: "2026-12-01T10:00", endTime: "2026-12-01T10:30" }, now));
  });

  test("times are UTC in AWS's form", () => {
    for (const startTime of [
      "2026-12-01T10:00",
      "2026-12-01 10:00",
      "2026-12-01T10:00:00Z",
      "2026-12-01T10:00:00.000Z",
    ]) {
      assert.equal(readSchedule({ startTime }).startMs, at("2026-12-01T10:00"), startTime);
    }
    for (const startTime of [
      "",
      "soon",
      "2026-02-30T10:00",
      "2026-12-01",
      "2026-12-01T25:00",
      "2026-12-01T10:00+01:00",
    ]) {
      refuses({ startTime }, /startTime must be a time in UTC of the form YYYY-MM-DDThh:mm/);
    }
    assert.equal(writeTime(at("2026-12-01T10:00")), "2026-12-01T10:00");
  });

  test("a window that never opens is refused, and so are too many", () => {
    refuses({ maintenanceWindows: [{ ...nightly, startTime: "cron(0 2 31 2 ? *)" }] }, /never opens/);
    refuses({ endTime: "2026-11-29T14:00", maintenanceWindows: [nightly] }, /never opens/);
    refuses(
      { maintenanceWindows: [nightly, { ...nightly, startTime: "cron(0 2 * * ? 2025)" }] },
      /schedulingConfig\.maintenanceWindows\[1\]\.startTime: .* never opens/,
    );
    const many = (count: number) => ({ maintenanceWindows: Array.from({ length: count }, () => nightly) });
    assert.equal(checkNewSchedule(many(maintenanceWindowsMax), now).windows.length, maintenanceWindowsMax);
    refuses(many(maintenanceWindowsMax + 1), /at most 10 maintenance windows, got 11/);
  });
});

describe("windows that end", () => {
  const once = { startTime: "cron(0 2 1 12 ? 2026)", durationInMinutes: 60 };

  test("are refused without an end of the job, as what had no turn would wait for ever", () => {
    refuses({ maintenanceWindows: [once] }, /schedulingConfig\.maintenanceWindows: .* give schedulingConfig\.endTime/);
    const untilNext = { ...nightly, startTime: "cron(0 2 * * ? 2026-2027)" };
    refuses({ maintenanceWindows: [once, untilNext] }, /give schedulingConfig\.endTime/);
    assert.ok(checkNewSchedule({ maintenanceWindows: [once], endTime: "2026-12-02T00:00" }, now));
    assert.ok(checkNewSchedule({ maintenanceWindows: [once, nightly] }, now));
    const leapDays = { ...nightly, startTime: "cron(0 2 29 2 ? *)" };
    assert.ok(checkNewSchedule({ maintenanceWindows: [leapDays] }, now));
  });

  test("are kept in a template, whose jobs may have an end, but not when they are over", () => {
    checkNewWindows([once], now);
    assert.throws(
      () => checkNewWindows([once], at("2026-12-01T02:01")),
      (error) =>
        isThinglineError(error, "REQUEST_INVALID") && /^maintenanceWindows\[0\]\.startTime/.test(error.message),
    );
  });
});

describe("the phase of a job", () => {
  const phase = (config: SchedulingConfig, time: string) => {
    const found = schedulePhase(readSchedule(config), at(time));
    const times = Object.entries(found).map(([name, value]: [string, unknown]): [string, unknown] => [
      name,
      typeof value === "number" ? writeTime(value) : value,
    ]);
    return Object.fromEntries(times);
  };

  test("without a schedule it is always open", () => {
    assert.deepEqual(phase({}, "2026-12-01T00:00"), { name: "open", untilMs: undefined });
  });

  test("it waits for its start and ends with its end, on the minute", () => {
    const config = { startTime: "2026-12-01T10:00", endTime: "2026-12-01T11:00", endBehavior: "CANCEL" as const };
    assert.deepEqual(phase(config, "2026-12-01T09:59"), { name: "waiting", startsAtMs: "2026-12-01T10:00" });
    assert.deepEqual(phase(config, "2026-12-01T10:00"), { name: "open", untilMs: "2026-12-01T11:00" });
    assert.deepEqual(phase(config, "2026-12-01T10:59"), { name: "open", untilMs: "2026-12-01T11:00" });
    assert.deepEqual(phase(config, "2026-12-01T11:00"), { name: "ended", endBehavior: "CANCEL" });
    assert.deepEqual(phase({ endTime: "2026-12-01T11:00" }, "2026-12-02T11:00"), {
      name: "ended",
      endBehavior: "STOP_ROLLOUT",
    });
  });

  test("windows open and close it, across midnight too", () => {
    const config = { maintenanceWindows: [{ startTime: "cron(30 23 ? * MON *)", durationInMinutes: 90 }] };
    assert.deepEqual(phase(config, "2026-11-30T23:29"), { name: "closed", opensAtMs: "2026-11-30T23:30" });
    assert.deepEqual(phase(config, "2026-11-30T23:30"), { name: "open", untilMs: "2026-12-01T01:00" });
    assert.deepEqual(phase(config, "2026-12-01T00:59"), { name: "open", untilMs: "2026-12-01T01:00" });
    assert.deepEqual(phase(config, "2026-12-01T01:00"), { name: "closed", opensAtMs: "2026-12-07T23:30" });
  });

  test("of several windows the last to close counts, and the job's end before it", () => {
    const noon = { startTime: "cron(0 12 * * ? *)", durationInMinutes: 30 };
    const longer = { startTime: "cron(10 12 * * ? *)", durationInMinutes: 1430 };
    assert.deepEqual(phase({ maintenanceWindows: [noon, longer] }, "2026-12-01T12:10"), {
      name: "open",
      untilMs: "2026-12-02T12:00",
    });
    const config = { endTime: "2026-12-01T12:20", maintenanceWindows: [noon] };
    assert.deepEqual(phase(config, "2026-12-01T12:05"), { name: "open", untilMs: "2026-12-01T12:20" });
    const last = { endTime: "2026-12-02T11:00", maintenanceWindows: [noon] };
    assert.deepEqual(phase(last, "2026-12-01T13:00"), { name: "closed", opensAtMs: undefined });
  });

  test("windows before the start do not open it", () => {
    const config = { startTime: "2026-12-01T02:30", maintenanceWindows: [nightly] };
    assert.deepEqual(phase(config, "2026-12-01T02:15"), { name: "waiting", startsAtMs: "2026-12-01T02:30" });
    assert.deepEqual(phase(config, "2026-12-01T02:30"), { name: "open", untilMs: "2026-12-01T03:00" });
  });

  test("the next rollouts are told, from the start on and up to the end", () => {
    const rollouts = (config: SchedulingConfig) => nextRollouts(readSchedule(config), now).map(writeTime);
    assert.deepEqual(rollouts({}), []);
    const all = rollouts({ maintenanceWindows: [nightly] });
    assert.equal(all.length, scheduledRolloutsShown);
    assert.deepEqual([all[0], all.at(-1)], ["2026-11-30T02:00", "2026-12-06T02:00"]);
    assert.deepEqual(
      rollouts({ startTime: "2026-12-02T02:00", endTime: "2026-12-04T02:00", maintenanceWindows: [nightly] }),
      ["2026-12-02T02:00", "2026-12-03T02:00"],
    );
  });
});
