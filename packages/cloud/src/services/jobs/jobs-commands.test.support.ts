// What may happen to jobs. A command names jobs, things and groups by numbers: whom it is about is decided when it is performed, so that
// fast-check can leave out others before it.
import fc from "fast-check";
import type { ModelJobInput } from "./reference-jobs.test.support.js";

/** What UpdateJob may change. */
export type ModelSettings = {
  [Name in "perMinute" | "timeoutMinutes" | "retries" | "abort"]: ModelJobInput[Name];
};

export type VersionChoice = "none" | "current" | "stale";

export type Command =
  | {
      type: "createJob";
      job: number;
      things: readonly number[];
      groups: readonly number[];
      isContinuous: boolean;
      settings: ModelSettings;
      /** In minutes from now; the end from the start. */
      schedule: { start: number | undefined; end: number | undefined; behavior: ModelJobInput["endBehavior"] };
    }
  | { type: "cancelJob" | "deleteJob"; job: number; isForced: boolean }
  | { type: "associate"; job: number; things: readonly number[]; groups: readonly number[] }
  | { type: "updateJob"; job: number; settings: ModelSettings }
  | { type: "cancelExecution"; job: number; thing: number; isForced: boolean; version: VersionChoice }
  | { type: "deleteExecution"; job: number; thing: number; isForced: boolean; isEarlier: boolean }
  | { type: "startNext"; thing: number; stepMinutes: number | undefined }
  | {
      type: "update";
      job: number;
      thing: number;
      status: "IN_PROGRESS" | "SUCCEEDED" | "FAILED" | "REJECTED";
      version: VersionChoice;
      stepMinutes: number | undefined;
      isDetailed: boolean;
    }
  | { type: "describe"; job: number; thing: number }
  | { type: "join" | "leave"; group: number; thing: number }
  | { type: "createThing" | "deleteThing"; thing: number }
  | { type: "createGroup" | "deleteGroup"; group: number }
  | { type: "advance"; ms: number };

const who = fc.nat(99);
const some = fc.array(who, { maxLength: 3 });
const seldom = fc.oneof({ arbitrary: fc.constant(false), weight: 3 }, { arbitrary: fc.constant(true), weight: 1 });
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 });
const version = fc.oneof(
  { arbitrary: fc.constant("none" as const), weight: 4 },
  { arbitrary: fc.constantFrom("current" as const, "stale" as const), weight: 1 },
);
const stepMinutes = fc.oneof(
  { arbitrary: fc.constant(undefined), weight: 4 },
  { arbitrary: fc.constantFrom(2, 5, -1, -1), weight: 3 },
);

const retries: fc.Arbitrary<ModelSettings["retries"]> = fc.constantFrom(
  [],
  [{ type: "ALL" as const, count: 2 }],
  [{ type: "FAILED" as const, count: 1 }],
  [
    { type: "TIMED_OUT" as const, count: 1 },
    { type: "FAILED" as const, count: 2 },
  ],
);
const settings: fc.Arbitrary<ModelSettings> = fc.record({
  perMinute: fc.constantFrom(undefined, undefined, 1, 2, 3),
  timeoutMinutes: fc.constantFrom(undefined, 1, 3, 7),
  retries,
  abort: maybe(
    fc.record({
      type: fc.constantFrom("FAILED" as const, "TIMED_OUT" as const, "REJECTED" as const, "ALL" as const),
      percent: fc.constantFrom(20.5, 50, 100),
      min: fc.constantFrom(1, 2, 3),
    }),
  ),
});
const schedule = fc.oneof(
  {
    arbitrary: fc.constant({ start: undefined, end: undefined, behavior: "STOP_ROLLOUT" as const }),
    weight: 5,
  },
  {
    arbitrary: fc.record({
      start: fc.constantFrom(undefined, 31, 45),
      end: fc.constantFrom(undefined, 31, 60),
      behavior: fc.constantFrom("STOP_ROLLOUT" as const, "CANCEL" as const, "FORCE_CANCEL" as const),
    }),
    weight: 1,
  },
);

const of = <T extends Command["type"]>(type: T) => fc.constant(type);
const statuses = fc.constantFrom(
  ...(["IN_PROGRESS", "IN_PROGRESS", "IN_PROGRESS", "IN_PROGRESS", "SUCCEEDED", "FAILED", "REJECTED"] as const),
);

export const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: of("createJob"),
      ...{ job: who, things: some, groups: some, isContinuous: fc.boolean(), settings, schedule },
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: of("cancelJob"), job: who, isForced: seldom }) },
  { weight: 1, arbitrary: fc.record({ type: of("deleteJob"), job: who, isForced: seldom }) },
  { weight: 2, arbitrary: fc.record({ type: of("associate"), job: who, things: some, groups: some }) },
  { weight: 1, arbitrary: fc.record({ type: of("updateJob"), job: who, settings }) },
  {
    weight: 2,
    arbitrary: fc.record({ type: of("cancelExecution"), job: who, thing: who, isForced: fc.boolean(), version }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: of("deleteExecution"),
      ...{ job: who, thing: who, isForced: fc.boolean(), isEarlier: seldom },
    }),
  },
  { weight: 10, arbitrary: fc.record({ type: of("startNext"), thing: who, stepMinutes }) },
  {
    weight: 16,
    arbitrary: fc.record({
      type: of("update"),
      ...{ job: who, thing: who, status: statuses, version, stepMinutes, isDetailed: fc.boolean() },
    }),
  },
  { weight: 4, arbitrary: fc.record({ type: of("describe"), job: who, thing: who }) },
  { weight: 5, arbitrary: fc.record({ type: of("join"), group: who, thing: who }) },
  { weight: 4, arbitrary: fc.record({ type: of("leave"), group: who, thing: who }) },
  { weight: 1, arbitrary: fc.record({ type: of("deleteThing"), thing: who }) },
  { weight: 2, arbitrary: fc.record({ type: of("createThing"), thing: who }) },
  { weight: 1, arbitrary: fc.record({ type: of("deleteGroup"), group: who }) },
  { weight: 2, arbitrary: fc.record({ type: of("createGroup"), group: who }) },
  {
    weight: 10,
    arbitrary: fc.record({
      type: of("advance"),
      ms: fc.oneof(
        { weight: 4, arbitrary: fc.integer({ min: 1, max: 70_000 }) },
        { weight: 3, arbitrary: fc.integer({ min: 60_000, max: 600_000 }) },
        { weight: 1, arbitrary: fc.integer({ min: 1_800_000, max: 4_000_000 }) },
      ),
    }),
  },
);
