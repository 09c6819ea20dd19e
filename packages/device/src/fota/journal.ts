import { isRecord } from "@thingline/protocol";
import type { FileIdentity } from "./downloader.js";
import { type FotaPhase, fotaPhases } from "./status-details.js";

/** How an update ended, or will, once what is left of it is cleared away. */
export interface UpdateEnding {
  status: "SUCCEEDED" | "FAILED" | "REJECTED";
  /** With SUCCEEDED undefined. */
  reason?: string;
  message?: string;
}

/** The image whose bytes were verified. */
export interface VerifiedImage {
  version?: string;
  imageId?: string;
}

/**
 * What a device remembers of its update over a power cut: the last one, until the next begins. Flash and bootloader are asked what is so; this
 * says what was meant. It holds no URL.
 */
export interface UpdateJournal {
  version: 1;
  jobId: string;
  executionNumber: number;
  /** Which document: a job of the same name and number may be another one after it was deleted and made again. */
  documentId: string;
  versionWanted?: string;
  phase: FotaPhase;
  /** Unix time at which the phase began. */
  sinceMs: number;
  /** From the moment at which the image told where it belongs. */
  target?: string;
  file?: FileIdentity;
  /** Bytes that are durable on flash. */
  offset: number;
  image?: VerifiedImage;
  /** What ran before, as `imageId`. */
  previousId?: string;
  /** How often the bootloader was asked to try the image: written before it is asked. */
  scheduleCount: number;
  /** How often this device was restarted for it. */
  rebootCount: number;
  ending?: UpdateEnding;
  /** Nothing is left to be done about the ending, but to tell it. */
  isEnded: boolean;
}

export const journalBytesMax = 64 * 1024;

export function newJournal(
  job: { jobId: string; executionNumber: number; documentId: string; versionWanted: string | undefined },
  unixMs: number,
): UpdateJournal {
  const { jobId, executionNumber, documentId, versionWanted } = job;
  return {
    version: 1,
    jobId,
    executionNumber,
    documentId,
    ...(versionWanted !== undefined && { versionWanted }),
    phase: "downloading",
    sinceMs: unixMs,
    offset: 0,
    scheduleCount: 0,
    rebootCount: 0,
    isEnded: false,
  };
}

export function encodeJournal(journal: UpdateJournal): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(journal, undefined, 2)}\n`);
}

/** Undefined: nothing that this version understands, so nothing in it may be trusted. */
export function decodeJournal(bytes: Uint8Array): UpdateJournal | undefined {
  if (bytes.length > journalBytesMax) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
  return isJournal(value) ? value : undefined;
}

function isJournal(value: unknown): value is UpdateJournal {
  return (
    isRecord(value) &&
    value["version"] === 1 &&
    ["jobId", "documentId"].every((name) => typeof value[name] === "string") &&
    ["executionNumber", "offset", "scheduleCount", "rebootCount"].every((name) => isCount(value[name])) &&
    typeof value["sinceMs"] === "number" &&
    typeof value["isEnded"] === "boolean" &&
    fotaPhases.some((phase) => phase === value["phase"]) &&
    ["versionWanted", "target", "previousId"].every((name) => isText(value[name])) &&
    isOptional(value["file"], (file) => isCount(file["sizeBytes"]) && isText(file["version"])) &&
    isOptional(value["image"], (image) => isText(image["version"]) && isText(image["imageId"])) &&
    isOptional(value["ending"], isEnding)
  );
}

function isEnding({ status, reason, message }: Record<string, unknown>): boolean {
  return ["SUCCEEDED", "FAILED", "REJECTED"].some((each) => each === status) && isText(reason) && isText(message);
}

function isOptional(value: unknown, is: (value: Record<string, unknown>) => boolean): boolean {
  return value === undefined || (isRecord(value) && is(value));
}

function isText(value: unknown): boolean {
  return value === undefined || typeof value === "string";
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
