import type { JobExecutionStatus, JobStatus } from "@thingline/protocol/jobs";
import type {
  AbortConfig,
  JobExecutionsRetryConfig,
  JobExecutionsRolloutConfig,
  PresignedUrlConfig,
  SchedulingConfig,
  TimeoutConfig,
} from "../../model/types/iot.js";
import type { StoreKey } from "../../store/store.js";
import type { Scope } from "../operation.js";
import type { Stored } from "../stored.js";
import type { RolloutMinute } from "./rollout.js";

/** Name of the service in its wake-ups. */
export const jobsServiceName = "jobs";

/** Everything that operations of jobs decide goes one after another: counts of one job are what all its devices write. */
export const jobsLane = "jobs";

export type TargetSelection = "SNAPSHOT" | "CONTINUOUS";

/** A group that a job was given as a target: one of the same name that is made later is another. */
export type TargetGroup = { thingGroupName: string; thingGroupId: string };

/** What a job was made with. Written when somebody changes it, not while it runs. */
export type JobDefinition = {
  jobId: string;
  /** Counts the jobs of the account: who was made first goes first where times are equal. */
  order: number;
  createdAtMs: number;
  targetSelection: TargetSelection;
  /** As they were given: ARNs of things and groups. */
  targets: readonly string[];
  groups: readonly TargetGroup[];
  description?: string;
  documentSource?: string;
  presignedUrlConfig?: Stored<PresignedUrlConfig>;
  rolloutConfig?: Stored<JobExecutionsRolloutConfig>;
  abortConfig?: Stored<AbortConfig>;
  timeoutConfig?: Stored<TimeoutConfig>;
  retryConfig?: Stored<JobExecutionsRetryConfig>;
  schedulingConfig?: Stored<SchedulingConfig>;
  jobTemplateArn?: string;
  documentParameters?: Readonly<Record<string, string>>;
  /** ARNs of the versions that its executions install. */
  destinationPackageVersions?: readonly string[];
  /** As they were asked for, where a default version was among them. */
  destinationsBeforeSubstitution?: readonly string[];
};

/** The text of a job document, as it was given. */
export type JobDocumentRecord = {
  document: string;
  /** With the parameters of a managed template, and what is said of packages, unfilled; absent: the same. */
  beforeSubstitution?: string;
};

/** Things by the state of their latest execution. */
export type JobCounts = Readonly<Record<JobExecutionStatus, number>>;

/** What is still to be done for a job whose end was decided. */
export type JobEnding = { kind: "cancel"; isForced: boolean } | { kind: "delete" };

/** A group whose things are being put on the list of those that wait. */
export type GroupCursor = TargetGroup & { after?: string };

/** How far a job has come. Written with every change of an execution. */
export type JobProgress = {
  status: JobStatus;
  counts: JobCounts;
  lastUpdatedAtMs: number;
  completedAtMs?: number;
  forceCanceled?: boolean;
  reasonCode?: string;
  comment?: string;
  /** Groups whose things were not all looked up yet. */
  expanding: readonly GroupCursor[];
  /** Chunks of things that wait for their execution: from `firstChunk`, up to and without `nextChunk`. */
  firstChunk: number;
  nextChunk: number;
  /** Things of the first chunk that are done. */
  chunkOffset: number;
  /** Executions that were queued, retries aside. */
  notifiedCount: number;
  /** Of the rate: the minute under way, once something was queued. */
  minute?: Stored<RolloutMinute> & { ratePerMinute?: number };
  ending?: JobEnding;
  /** The earliest wake-up that is stored for the job. */
  wakeAtMs?: number;
};

/** Things that wait for their execution, in their order. */
export type WaitingChunk = { thingNames: readonly string[] };

/** How often an execution of a thing was tried again, by the reason. */
export type RetryCounts = { FAILED: number; TIMED_OUT: number };

export type ExecutionRecord = {
  jobId: string;
  thingName: string;
  /** Of the thing that it was queued for: one that is made later under its name is another. */
  thingId: string;
  executionNumber: number;
  /** The job's: part of the place in the thing's queue. */
  order: number;
  status: JobExecutionStatus;
  statusDetails?: Readonly<Record<string, string>>;
  queuedAtMs: number;
  startedAtMs?: number;
  lastUpdatedAtMs: number;
  versionNumber: number;
  forceCanceled?: boolean;
  /** Of an execution in progress: when it times out, whatever is reported. */
  timeoutAtMs?: number;
  /** When the step times out that the device has announced. */
  stepTimeoutAtMs?: number;
  /** The earliest wake-up that is stored for its timers. */
  wakeAtMs?: number;
  retries?: RetryCounts;
};

/** What all jobs of an account and region share. */
export type JobTotals = {
  nextOrder: number;
  active: Readonly<Record<TargetSelection, number>>;
  deletingCount: number;
};

export const noTotals: JobTotals = { nextOrder: 1, active: { SNAPSHOT: 0, CONTINUOUS: 0 }, deletingCount: 0 };

/** What a list of jobs is filtered by. */
export type ListedJob = { status: JobStatus; targetSelection: TargetSelection };

const key = (scope: Scope, ...rest: (string | number)[]): StoreKey => [scope.account, scope.region, ...rest];

/** Every key of the service. */
export const jobKeys = {
  totals: (scope: Scope) => key(scope, "jobTotals"),
  definition: (scope: Scope, jobId: string) => key(scope, "job", jobId),
  progress: (scope: Scope, jobId: string) => key(scope, "jobProgress", jobId),
  document: (scope: Scope, jobId: string) => key(scope, "jobDocument", jobId),
  /** All jobs, as they were made. */
  listed: (scope: Scope) => key(scope, "jobByOrder"),
  listedJob: (scope: Scope, order: number, jobId: string) => key(scope, "jobByOrder", order, jobId),
  /** Jobs that have the group as a target. */
  ofGroup: (scope: Scope, thingGroupId: string) => key(scope, "jobOfGroup", thingGroupId),
  jobOfGroup: (scope: Scope, thingGroupId: string, order: number, jobId: string) =>
    key(scope, "jobOfGroup", thingGroupId, order, jobId),
  /** Continuous jobs that things get by joining the group. */
  continuousOfGroup: (scope: Scope, thingGroupId: string) => key(scope, "continuousJobOfGroup", thingGroupId),
  continuousJobOfGroup: (scope: Scope, thingGroupId: string, jobId: string) =>
    key(scope, "continuousJobOfGroup", thingGroupId, jobId),
  /** Continuous jobs that a thing has as long as it is in one of their groups. */
  continuousOfThing: (scope: Scope, thingName: string) => key(scope, "continuousJobOfThing", thingName),
  continuousJobOfThing: (scope: Scope, thingName: string, { order, jobId }: { order: number; jobId: string }) =>
    key(scope, "continuousJobOfThing", thingName, order, jobId),
  chunk: (scope: Scope, jobId: string, number: number) => key(scope, "jobChunk", jobId, number),
  executions: (scope: Scope, jobId: string) => key(scope, "jobExecution", jobId),
  executionsOf: (scope: Scope, jobId: string, thingName: string) => key(scope, "jobExecution", jobId, thingName),
  execution: (scope: Scope, jobId: string, thingName: string, executionNumber: number) =>
    key(scope, "jobExecution", jobId, thingName, executionNumber),
  byStatus: (scope: Scope, jobId: string, status: JobExecutionStatus) =>
    key(scope, "jobExecutionByStatus", jobId, status),
  executionByStatus: (scope: Scope, { jobId, status, thingName, executionNumber }: ExecutionRecord) =>
    key(scope, "jobExecutionByStatus", jobId, status, thingName, executionNumber),
  byThing: (scope: Scope, thingName: string) => key(scope, "jobExecutionByThing", thingName),
  executionByThing: (scope: Scope, { thingName, queuedAtMs, order, jobId, executionNumber }: ExecutionRecord) =>
    key(scope, "jobExecutionByThing", thingName, queuedAtMs, order, jobId, executionNumber),
  /** What a device has to do: in progress first, then by the time of queueing. */
  pending: (scope: Scope, thingName: string) => key(scope, "jobPending", thingName),
  pendingOf: (scope: Scope, thingName: string, status: "IN_PROGRESS" | "QUEUED") =>
    key(scope, "jobPending", thingName, ranks[status]),
  pendingExecution: (scope: Scope, { thingName, queuedAtMs, order, jobId, executionNumber, status }: ExecutionRecord) =>
    key(
      ...([scope, "jobPending", thingName] as const),
      ...([
        status === "IN_PROGRESS" ? ranks.IN_PROGRESS : ranks.QUEUED,
        queuedAtMs,
        order,
        jobId,
        executionNumber,
      ] as const),
    ),
};

const ranks = { IN_PROGRESS: 0, QUEUED: 1 } as const;

export const noCounts: JobCounts = {
  QUEUED: 0,
  IN_PROGRESS: 0,
  SUCCEEDED: 0,
  FAILED: 0,
  TIMED_OUT: 0,
  REJECTED: 0,
  REMOVED: 0,
  CANCELED: 0,
};

/** Counts after the latest execution of a thing came (`from` undefined), changed, or went (`to` undefined). */
export function recount(
  counts: JobCounts,
  from: JobExecutionStatus | undefined,
  to: JobExecutionStatus | undefined,
): JobCounts {
  const after: Record<JobExecutionStatus, number> = { ...counts };
  if (from !== undefined) after[from]--;
  if (to !== undefined) after[to]++;
  return after;
}

export const arnOf = {
  job: ({ region, account }: Scope, jobId: string): string => `arn:aws:iot:${region}:${account}:job/${jobId}`,
  thing: ({ region, account }: Scope, name: string): string => `arn:aws:iot:${region}:${account}:thing/${name}`,
};

export type Target = { kind: "thing" | "thinggroup"; name: string };

const targetPattern = /^arn:aws[a-z-]*:iot:([^:]*):([^:]*):(thing|thinggroup)\/([a-zA-Z0-9:_-]{1,128})$/u;

/** @returns undefined for what names no thing and no group of this account and region */
export function parseTarget({ account, region }: Scope, arn: string): Target | undefined {
  const [, arnRegion, arnAccount, kind, name] = targetPattern.exec(arn) ?? [];
  if (arnRegion !== region || arnAccount !== account || name === undefined) return undefined;
  return { kind: kind as Target["kind"], name };
}

/** Whether executions are still being made for a job. */
export function isRollingOut({ expanding, firstChunk, nextChunk }: JobProgress): boolean {
  return expanding.length > 0 || firstChunk < nextChunk;
}

/** Whether nothing will happen to a snapshot job any more. */
export function isDone(progress: JobProgress): boolean {
  const { counts } = progress;
  return !isRollingOut(progress) && counts.QUEUED === 0 && counts.IN_PROGRESS === 0;
}

/** When an execution in progress times out; undefined for one without a timer. */
export function timeoutOf({ status, timeoutAtMs, stepTimeoutAtMs }: ExecutionRecord): number | undefined {
  if (status !== "IN_PROGRESS") return undefined;
  if (timeoutAtMs === undefined || stepTimeoutAtMs === undefined) return timeoutAtMs ?? stepTimeoutAtMs;
  return Math.min(timeoutAtMs, stepTimeoutAtMs);
}
