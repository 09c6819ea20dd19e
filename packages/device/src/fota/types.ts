import type { ErrorCode, ThinglineError } from "@thingline/protocol";
import type { JobStatusDetails } from "@thingline/protocol/jobs";
import type { FirmwareDocument } from "./document.js";
import type { DownloadRequest, FileIdentity } from "./downloader.js";
import type { UpdateJournal } from "./journal.js";
import type { FotaPhase } from "./status-details.js";
import type { FirmwareTargetState, FirmwareVerdict } from "./target.js";

export interface FotaLimits {
  /** Attempts in a row that brought no byte further, before the download is given up. Default 20, which takes some 70 minutes. */
  fruitlessAttemptsMax: number;
  /** Attempts of one download in all, since the start of this process. Default 1,000. */
  attemptsMax: number;
  /** How often in a row, without a byte between, a fresh job document is asked for because the file is gone. Default 3. */
  freshDocumentsMax: number;
  /** How often a download begins again because the file has changed. Default 3. */
  changesMax: number;
  /** Pause after the first failed attempt; doubles with each, up to {@link retryMaxMs}. Default 1 s. */
  retryMinMs: number;
  /** Default 5 min. */
  retryMaxMs: number;
  /** A server that wants to be asked later than this is asked then. Default 1 h. */
  retryAfterMaxMs: number;
  /** So many bytes, or 1/200 of the file if that is more, may have to be fetched again after a power cut. Default 64 KiB. */
  syncBytes: number;
  /** From the start of the new image until it is healthy and connected; after that it is given up. Default 10 min. */
  healthTimeoutMs: number;
  /** How long a restart waits for the cloud to hear of it. Default 10 s. */
  reportTimeoutMs: number;
  /** Restarts for one image, and the same number to get rid of it. Default 3. */
  rebootsMax: number;
  /** When making room takes longer, the event `erasePending` comes. Default 60 s, as in the original. */
  erasePendingAfterMs: number;
}

export const defaultFotaLimits: Readonly<FotaLimits> = {
  fruitlessAttemptsMax: 20,
  attemptsMax: 1_000,
  freshDocumentsMax: 3,
  changesMax: 3,
  retryMinMs: 1_000,
  retryMaxMs: 300_000,
  retryAfterMaxMs: 3_600_000,
  syncBytes: 64 * 1024,
  healthTimeoutMs: 600_000,
  reportTimeoutMs: 10_000,
  rebootsMax: 3,
  erasePendingAfterMs: 60_000,
};

/** How often what must be remembered is tried to be written, and what must not stay scheduled to be discarded. */
export const stubbornAttemptsMax = 3;

export interface UpdateConfig {
  targets: readonly { name: string; canRevert: boolean }[];
  /** Images whose version is not that of the job document are installed all the same. */
  ignoresVersion: boolean;
  limits: FotaLimits;
}

/** A job as the machine sees it. */
export interface UpdateJob {
  jobId: string;
  executionNumber: number;
  isResumed: boolean;
  document: FirmwareDocument;
  /** The process ended too often in it: nothing begins any more, and what is decided is carried out. */
  exhausted?: { reason: string; message: string };
}

export type TargetStates = Readonly<Record<string, FirmwareTargetState>>;

/** What the shell does, one at a time; each ends with `succeeded` or `failed`. */
export type UpdateEffect =
  | { type: "loadJournal" }
  | { type: "saveJournal"; journal: UpdateJournal }
  /** Asks all targets what runs. */
  | { type: "inspect" }
  | { type: "openDownload"; request: DownloadRequest }
  | { type: "closeDownload" }
  /** Looks at the first bytes, which stay on their way: who recognises them, and how much has room there. */
  | { type: "recognise" }
  | { type: "begin"; target: string; sizeBytes: number }
  | { type: "resume"; target: string; sizeBytes: number; offset: number }
  /** Moves bytes from the download to the target until `untilOffset`, or the end of the file, or an error of the download; makes them durable. */
  | { type: "pump"; target: string; untilOffset: number }
  | { type: "verify"; target: string; sizeBytes: number }
  | { type: "schedule"; target: string }
  /** Tells the cloud, and waits for it, a while. */
  | { type: "announce"; details: JobStatusDetails }
  /** `why`: to try the image, or to get rid of it. */
  | { type: "reboot"; target: string; why: "install" | "revert" }
  | { type: "checkHealth"; target: string; version: string }
  | { type: "awaitConnected" }
  | { type: "confirm"; target: string }
  | { type: "discard"; target: string }
  | { type: "refreshDocument" }
  /** `delayMs` is without jitter. */
  | { type: "wait"; delayMs: number };

export type EffectResult =
  /** `problem`: a journal was there and could not be understood. */
  | { of: "loadJournal"; journal: UpdateJournal | undefined; problem?: string }
  | { of: "inspect"; states: TargetStates }
  | { of: "openDownload"; identity: FileIdentity }
  | { of: "recognise"; target: string | undefined; capacityBytes: number; headHex: string }
  | { of: "resume"; offset: number }
  /** `offset` is durable. `error` ended the download; its bytes up to there hold. */
  | { of: "pump"; offset: number; writtenTo: number; error?: ThinglineError }
  | { of: "verify"; verdict: FirmwareVerdict }
  | { of: "checkHealth"; isHealthy: boolean; message?: string }
  | { of: "refreshDocument"; document: FirmwareDocument }
  | { of: "nothing" };

/** Why a job's handler has to stop. */
export type StopReason =
  /** The cloud took the job away, or its time is over. */
  | "takenAway"
  /** This process ends; the next one goes on. */
  | "closing";

export type UpdateInput =
  | { type: "start" }
  | { type: "job"; job: UpdateJob }
  | { type: "stop"; why: StopReason }
  /** The job that waits for the one under way was taken away. */
  | { type: "dropNext" }
  | { type: "succeeded"; result: EffectResult }
  | { type: "failed"; error: ThinglineError }
  /** So much was handed to the target. */
  | { type: "progress"; offset: number }
  | { type: "tick" };

/** The original's causes of its error event. */
export type FotaErrorCause = "downloadFailed" | "invalidUpdate" | "typeMismatch";

/**
 * What an update tells. As in the original: `started`, `erasePending`, `eraseDone`, `progress`, `done`, `error`; and what is so beyond them.
 * `done` is the original's: the image is scheduled and the device may restart; it says nothing of success, which is `confirmed`.
 */
export type FotaEvent =
  | { type: "started"; jobId: string; target: string | undefined; offset: number; isResumed: boolean }
  /** Making room takes long; a modem can erase while it is offline. */
  | { type: "erasePending" }
  | { type: "eraseDone" }
  | { type: "progress"; percent: number; offset: number; sizeBytes: number }
  | { type: "downloaded"; sizeBytes: number }
  | { type: "verified"; version: string | undefined }
  | { type: "installed"; version: string | undefined }
  | { type: "done" }
  | { type: "rebooting"; why: "install" | "revert" }
  | { type: "booted"; version: string }
  | { type: "healthy"; version: string }
  | { type: "confirmed"; version: string }
  /** The update ended without success. `versionRunning` runs, of the target. */
  | { type: "error"; cause: FotaErrorCause; reason: string; message: string; versionRunning: string | undefined }
  | { type: "cancelled"; jobId: string; phase: FotaPhase | undefined }
  /** Something worth a line: a retry, what a restart found. `code` where an error code fits. */
  | { type: "note"; message: string; code?: ErrorCode };

export type UpdateOutcome =
  | { status: "SUCCEEDED" | "FAILED" | "REJECTED"; statusDetails: JobStatusDetails }
  /** It goes on in the next process. */
  | { status: "IN_PROGRESS" };

export type UpdateOutput =
  | { type: "run"; effect: UpdateEffect }
  /** The effect in flight is in vain. */
  | { type: "abortEffect"; error: ThinglineError }
  | { type: "wakeAt"; atMs: number }
  | { type: "event"; event: FotaEvent }
  | { type: "report"; details: JobStatusDetails }
  /** For the handler of the job that the machine works on. */
  | { type: "finished"; outcome: UpdateOutcome };

export interface UpdateNow {
  monotonicMs: number;
  unixMs: number;
}
