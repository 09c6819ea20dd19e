import { ThinglineError } from "@thingline/protocol";
import type { StoreEntry, StoreKey } from "../../store/store.js";
import type { OperationContext, Scope } from "../operation.js";

/** Of its sagas and wake-ups. */
export const thingProvisioningName = "thing-provisioning";

/** Of one line of an input file, in bytes. AWS's. */
export const registrationLineBytesMax = 262_144;
/** Things that one step of a task registers, as a rule in one commit; other wake-ups wait for a step. */
export const registrationsPerStepMax = 16;
/** Of the input file, in one step; the line that goes beyond it is the last. */
export const registrationBytesPerStepMax = 1_048_576;
/** Lines of a report that are written to one file. */
export const reportLinesPerFileMax = 250;
/** How long AWS keeps what a task has left behind, and how long a task may take. */
export const registrationTaskDaysMax = 30;
/** Tasks of an account and region that are remembered: of more, the oldest that is over is forgotten before its time. */
export const registrationTasksMax = 1_000;
/** How long a link to a report is good. */
export const reportLinkSeconds = 3_600;

/** Where reports are put: a bucket of the account like any other. */
export const reportsBucket = "thing-registration-reports";

export const dayMs = 86_400_000;

export type RegistrationStatus = "InProgress" | "Completed" | "Failed" | "Cancelled" | "Cancelling";

export const reportTypes = ["RESULTS", "ERRORS"] as const;
export type ReportType = (typeof reportTypes)[number];

/** What was asked for; never changes. */
export type RegistrationTaskRecord = {
  readonly taskId: string;
  readonly templateBody: string;
  readonly inputFileBucket: string;
  readonly inputFileKey: string;
  readonly roleArn: string;
  readonly createdAtMs: number;
};

/** How far a task is. It is written with what each line led to, so that no line is done twice and none is left out. */
export type RegistrationProgress = {
  readonly status: RegistrationStatus;
  readonly message?: string;
  readonly modifiedAtMs: number;
  readonly successCount: number;
  readonly failureCount: number;
  /** Which content is the input, known from the first step on. */
  readonly input?: { readonly bytes: number; readonly etag: string; readonly versionId: string };
  /** Bytes of the input that are done, up to the beginning of a line. */
  readonly offset: number;
  /** Lines that are done, blank ones too. */
  readonly lineCount: number;
  /** Lines of reports that are in the store and in no file yet. */
  readonly unwritten: { readonly [type in ReportType]: number };
  /** Files of reports that were written. */
  readonly files: { readonly [type in ReportType]: number };
};

export const noProgress = {
  ...{ successCount: 0, failureCount: 0, offset: 0, lineCount: 0 },
  ...{ unwritten: { RESULTS: 0, ERRORS: 0 }, files: { RESULTS: 0, ERRORS: 0 } },
} as const;

export const isOver = ({ status }: RegistrationProgress): boolean => status !== "InProgress" && status !== "Cancelling";

const key = ({ account, region }: Scope, ...rest: (string | number)[]): StoreKey => [account, region, ...rest];

export const registrationKeys = {
  task: (scope: Scope, taskId: string) => key(scope, "registrationTask", taskId),
  progress: (scope: Scope, taskId: string) => key(scope, "registrationProgress", taskId),
  tasksByTime: (scope: Scope) => key(scope, "registrationTaskByTime"),
  taskByTime: (scope: Scope, { createdAtMs, taskId }: Pick<RegistrationTaskRecord, "createdAtMs" | "taskId">) =>
    key(scope, "registrationTaskByTime", createdAtMs, taskId),
  /** The task that runs: there is one at a time. */
  running: (scope: Scope) => key(scope, "registrationRunning"),
  /** Lines of a report, until they are in a file. */
  reportLines: (scope: Scope, taskId: string, type: ReportType) => key(scope, "registrationReport", taskId, type),
  reportLine: (scope: Scope, taskId: string, type: ReportType, line: number) =>
    key(scope, "registrationReport", taskId, type, line),
  reportFiles: (scope: Scope, taskId: string, type: ReportType) => key(scope, "registrationFile", taskId, type),
  reportFile: (scope: Scope, taskId: string, type: ReportType, number: number) =>
    key(scope, "registrationFile", taskId, type, number),
};

/** The object that a file of a report is. */
export const reportObject = (taskId: string, type: ReportType, number: number) => ({
  bucket: reportsBucket,
  key: `${taskId}/${type.toLowerCase()}-${number}.json`,
});

type Reader = Pick<OperationContext, "store" | "scope">;

export interface FoundTask {
  readonly task: RegistrationTaskRecord;
  readonly progress: StoreEntry<RegistrationProgress>;
}

export async function findTask({ store, scope }: Reader, taskId: string): Promise<FoundTask | undefined> {
  const task = await store.get<RegistrationTaskRecord>(registrationKeys.task(scope, taskId));
  const progress = await store.get<RegistrationProgress>(registrationKeys.progress(scope, taskId));
  return task === undefined || progress === undefined ? undefined : { task: task.value, progress };
}

/** @throws {ThinglineError} RESOURCE_NOT_FOUND */
export async function requireTask(reader: Reader, taskId: string): Promise<FoundTask> {
  const found = await findTask(reader, taskId);
  if (found !== undefined) return found;
  throw new ThinglineError("RESOURCE_NOT_FOUND", `Thing registration task ${taskId} not found.`);
}

/** By which a step of a task, or its end, is woken. */
export const wakeNames = { step: "step", forget: "forget" } as const;

export const wakeTask = (kind: keyof typeof wakeNames, taskId: string, atUnixMs: number) =>
  ({ type: "wakeAt", service: thingProvisioningName, name: `${wakeNames[kind]}/${taskId}`, atUnixMs }) as const;
