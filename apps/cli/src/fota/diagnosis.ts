import type { JobExecutionStatus } from "@aws-sdk/client-iot";
import { age } from "./table.js";

/** What is wrong with an execution that does not end. Stable: programs compare them. */
export const fotaProblems = {
  thingGone: "the thing is not in the registry any more",
  noCredentials: "nothing can connect as the thing: it has no active certificate",
  silent: "the device has begun, and has said nothing for too long",
  leftBehind: "the job was canceled, and the device that had begun says nothing",
  behindStuck: "another job of the thing has begun and does not end",
  notFetched: "the device has never asked for it",
} as const;
export type FotaProblem = keyof typeof fotaProblems;

/** What a look at the registry and at the jobs of the thing told. */
export interface ExecutionFacts {
  readonly status: JobExecutionStatus;
  readonly isJobOver: boolean;
  readonly hasThing: boolean;
  /** Certificates that are attached to the thing and may connect. */
  readonly activeCertificates: number;
  /** Of the execution: the last time that anything happened. */
  readonly lastUpdatedAtMs: number | undefined;
  readonly phase: string | undefined;
  readonly message: string | undefined;
  /** For one that waits: the job of the thing that is under way, and since when it says nothing. */
  readonly ahead: { readonly jobId: string; readonly lastUpdatedAtMs: number | undefined } | undefined;
}

export interface Diagnosis {
  readonly problem: FotaProblem;
  /** For people. */
  readonly why: string;
  /** Which execution has to go so that the thing can go on; undefined where somebody has to see to the device. */
  readonly repair: { readonly cancel: "this" | "ahead"; readonly canRetry: boolean } | undefined;
}

/** Undefined when somebody works on it, or may still begin. Pure. */
export function diagnose(
  facts: ExecutionFacts,
  { nowMs, staleMs }: { nowMs: number; staleMs: number },
): Diagnosis | undefined {
  const { status, hasThing, activeCertificates, lastUpdatedAtMs, ahead } = facts;
  if (status !== "QUEUED" && status !== "IN_PROGRESS") return undefined;
  if (!hasThing)
    return { problem: "thingGone", why: fotaProblems.thingGone, repair: { cancel: "this", canRetry: false } };
  if (activeCertificates === 0) {
    return { problem: "noCredentials", why: fotaProblems.noCredentials, repair: { cancel: "this", canRetry: false } };
  }
  const isStale = (atMs: number | undefined) => atMs === undefined || nowMs - atMs >= staleMs;
  if (status === "QUEUED" && ahead !== undefined) {
    if (!isStale(ahead.lastUpdatedAtMs)) return undefined;
    const why = `job ${ahead.jobId} comes first, and has said nothing for ${age(ahead.lastUpdatedAtMs, nowMs) || "ever"}`;
    return { problem: "behindStuck", why, repair: { cancel: "ahead", canRetry: false } };
  }
  if (!isStale(lastUpdatedAtMs)) return undefined;
  const silence = age(lastUpdatedAtMs, nowMs);
  if (status === "QUEUED") {
    const why = `it has waited for ${silence}: the device is off, or does not listen for jobs`;
    return { problem: "notFetched", why, repair: undefined };
  }
  const doing = facts.phase === undefined ? "" : `, while ${facts.phase}`;
  const said = facts.message === undefined ? "" : `; it said: ${facts.message}`;
  const why = `nothing for ${silence}${doing}${said}`;
  return facts.isJobOver
    ? {
        problem: "leftBehind",
        why: `the job is over, and the device says nothing: ${why}`,
        repair: { cancel: "this", canRetry: false },
      }
    : { problem: "silent", why, repair: { cancel: "this", canRetry: true } };
}
