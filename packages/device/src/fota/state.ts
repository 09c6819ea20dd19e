import type { ThinglineError } from "@thingline/protocol";
import type { FirmwareOrder } from "./document.js";
import type { UpdateEnding, UpdateJournal } from "./journal.js";
import type { StopReason, TargetStates, UpdateConfig, UpdateEffect, UpdateJob, UpdateOutput } from "./types.js";

export type UpdateStage =
  | { name: "off" }
  /** Reads what is remembered, and asks what runs. */
  | { name: "loading" }
  /** Nothing to do before a job comes. */
  | { name: "resting" }
  /** A job has come: asks what runs. */
  | { name: "taking" }
  /** What another job left is thrown away. */
  | { name: "clearing" }
  /** The file is asked for; what has begun goes on where it stood. */
  | { name: "opening" }
  /** The target makes room. */
  | { name: "making" }
  | { name: "fetching" }
  /** Until the next attempt. */
  | { name: "waiting" }
  | { name: "verifying" }
  | { name: "scheduling" }
  /** Until this process ends. */
  | { name: "rebooting"; why: "install" | "revert" }
  /** The new image runs; its health decides. */
  | { name: "proving"; target: string; deadlineMs: number }
  /** It is healthy, and is made to stay. */
  | { name: "confirming"; target: string }
  /** It is decided how it ends; what is left is cleared away. */
  | { name: "ending"; ending: UpdateEnding }
  /** This process ends; the next one goes on. */
  | { name: "closing" };

/** How far a job can still be taken away: what runs already is judged by its health and nothing else. */
export const stoppableStages: ReadonlySet<UpdateStage["name"]> = new Set<UpdateStage["name"]>([
  "taking",
  "clearing",
  "opening",
  "making",
  "fetching",
  "waiting",
  "verifying",
  "scheduling",
]);

/** Attempts of the download under way. */
export interface Attempts {
  /** In all. */
  count: number;
  /** Since the download got further than ever. */
  fruitless: number;
  /** How far it got: a page that is fetched again is no progress. */
  reachedOffset: number;
  freshDocuments: number;
  changes: number;
}

export const noAttempts: Attempts = { count: 0, fruitless: 0, reachedOffset: 0, freshDocuments: 0, changes: 0 };

export interface UpdateState {
  readonly config: UpdateConfig;
  readonly stage: UpdateStage;
  readonly journal: UpdateJournal | undefined;
  readonly states: TargetStates;
  /** The job whose handler waits. */
  readonly job: UpdateJob | undefined;
  /** What it asks for, as its document said it last. */
  readonly order: FirmwareOrder | undefined;
  /** Which of the order's sources. */
  readonly sourceIndex: number;
  /** Came while something else had to be finished first. */
  readonly nextJob: UpdateJob | undefined;
  readonly stop: StopReason | undefined;
  readonly attempts: Attempts;
  /** Of the last event about progress. */
  readonly percent: number;
  /** To be done before the stage is left, in order. */
  readonly plan: readonly UpdateEffect[];
  readonly inFlight: UpdateEffect | undefined;
  /** How often an effect that must succeed was tried. */
  readonly tries: number;
  /** Why the last attempt failed, for people. */
  readonly problem: { reason: string; error: ThinglineError } | undefined;
}

export type UpdateStep = [next: UpdateState, outputs: readonly UpdateOutput[]];

export function newUpdateState(config: UpdateConfig): UpdateState {
  return {
    config,
    stage: { name: "off" },
    journal: undefined,
    states: {},
    job: undefined,
    order: undefined,
    sourceIndex: 0,
    nextJob: undefined,
    stop: undefined,
    attempts: noAttempts,
    percent: -1,
    plan: [],
    inFlight: undefined,
    tries: 0,
    problem: undefined,
  };
}
