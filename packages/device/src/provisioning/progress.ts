import { isRecord } from "@thingline/protocol";
import { isDeviceId } from "@thingline/protocol/provisioning";

/** The three items of a security tag, by the SHA-256 of what was written, lower-case hex. Never their content. */
export interface TagDigests {
  ca: string;
  certificate: string;
  privateKey: string;
}

export interface TagCredentials {
  secTag: number;
  /** Lower-case hex SHA-256 of the certificate's DER: its id at AWS IoT. */
  certificateId: string;
  sha256: TagDigests;
}

export type ProgressPhase =
  /** Only the claim may be used; whatever the device's tag holds is worth nothing. */
  | { name: "claim" }
  /** The device's tag may hold any part of this. */
  | { name: "writing"; credentials: TagCredentials }
  /** The device's tag holds all of this, read back by digest; nobody has accepted it yet. */
  | { name: "written"; credentials: TagCredentials }
  /** The cloud accepted a full handshake with this. */
  | { name: "provisioned"; credentials: TagCredentials };

export type HistoryOutcome = "requested" | "received" | "written" | "provisioned" | "discarded";

/** One request for a certificate, or a certificate that came without a request of its own. */
export interface HistoryEntry {
  requestedAtUnixMs: number;
  /** Undefined: nothing was received. The cloud may have made a certificate all the same, and takes it back when it is unused. */
  certificateId?: string;
  outcome: HistoryOutcome;
  /** Why it was discarded. */
  reason?: string;
}

/** What a device remembers of its provisioning over a power cut. It holds no key and no certificate. */
export interface ProvisioningProgress {
  version: 1;
  clientId: string;
  phase: ProgressPhase;
  /** Requests since the last certificate that was accepted. */
  requestCount: number;
  /** Certificates since then that were written and not accepted. */
  unprovedCount: number;
  /** Oldest first, at most {@link historyEntriesMax}. */
  history: readonly HistoryEntry[];
  /** Entries that fell out of the history. */
  historyDropped: number;
}

export const historyEntriesMax = 100;
export const progressBytesMax = 256 * 1024;

export function newProgress(clientId: string): ProvisioningProgress {
  return {
    version: 1,
    clientId,
    phase: { name: "claim" },
    requestCount: 0,
    unprovedCount: 0,
    history: [],
    historyDropped: 0,
  };
}

export function recordRequest(progress: ProvisioningProgress, unixMs: number): ProvisioningProgress {
  const requested = appended(progress, { requestedAtUnixMs: unixMs, outcome: "requested" });
  return { ...requested, requestCount: progress.requestCount + 1 };
}

/** Notes a certificate with the oldest request that is still without one. */
export function recordCertificate(
  progress: ProvisioningProgress,
  certificateId: string,
  unixMs: number,
): ProvisioningProgress {
  if (progress.history.some((entry) => entry.certificateId === certificateId)) return progress;
  const open = progress.history.findIndex((entry) => entry.outcome === "requested");
  if (open < 0) return appended(progress, { requestedAtUnixMs: unixMs, certificateId, outcome: "received" });
  const history = progress.history.map((entry, index): HistoryEntry => {
    return index === open ? { ...entry, certificateId, outcome: "received" } : entry;
  });
  return { ...progress, history };
}

export function recordOutcome(
  progress: ProvisioningProgress,
  certificateId: string,
  outcome: HistoryOutcome,
  reason?: string,
): ProvisioningProgress {
  const history = progress.history.map((entry): HistoryEntry => {
    if (entry.certificateId !== certificateId) return entry;
    return { ...entry, outcome, ...(reason !== undefined && { reason: reason.slice(0, reasonCharactersMax) }) };
  });
  return { ...progress, history };
}

/** Closes what is open: requests without an answer, certificates that were received and never written. */
export function discardOpen(progress: ProvisioningProgress, reason: string): ProvisioningProgress {
  const history = progress.history.map((entry): HistoryEntry => {
    const isOpen = entry.outcome === "requested" || entry.outcome === "received";
    return isOpen ? { ...entry, outcome: "discarded", reason: reason.slice(0, reasonCharactersMax) } : entry;
  });
  return { ...progress, history };
}

/** The device's tag is worth nothing (any more): back to the claim. */
export function discardCredentials(
  progress: ProvisioningProgress,
  { certificateId }: TagCredentials,
  reason: string,
): ProvisioningProgress {
  return { ...recordOutcome(progress, certificateId, "discarded", reason), phase: { name: "claim" } };
}

/** When the latest request was made, undefined: never. */
export function lastRequestUnixMs({ history }: ProvisioningProgress): number | undefined {
  return history.at(-1)?.requestedAtUnixMs;
}

const reasonCharactersMax = 512;

function appended(progress: ProvisioningProgress, entry: HistoryEntry): ProvisioningProgress {
  const history = [...progress.history, entry];
  const dropped = Math.max(0, history.length - historyEntriesMax);
  return { ...progress, history: history.slice(dropped), historyDropped: progress.historyDropped + dropped };
}

export function encodeProgress(progress: ProvisioningProgress): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(progress, undefined, 2)}\n`);
}

/** Undefined: no progress that this version understands, so nothing in it may be trusted. */
export function decodeProgress(bytes: Uint8Array): ProvisioningProgress | undefined {
  if (bytes.length > progressBytesMax) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
  return isProgress(value) ? value : undefined;
}

function isProgress(value: unknown): value is ProvisioningProgress {
  if (!isRecord(value) || value["version"] !== 1) return false;
  const { clientId, phase, history } = value;
  return (
    typeof clientId === "string" &&
    isDeviceId(clientId) &&
    isPhase(phase) &&
    ["requestCount", "unprovedCount", "historyDropped"].every((name) => isCount(value[name])) &&
    Array.isArray(history) &&
    history.length <= historyEntriesMax &&
    history.every(isHistoryEntry)
  );
}

function isPhase(value: unknown): value is ProgressPhase {
  if (!isRecord(value)) return false;
  const { name, credentials } = value;
  if (name === "claim") return true;
  if (name !== "writing" && name !== "written" && name !== "provisioned") return false;
  if (!isRecord(credentials) || !isCount(credentials["secTag"]) || !isDigest(credentials["certificateId"]))
    return false;
  const { sha256 } = credentials;
  return isRecord(sha256) && ["ca", "certificate", "privateKey"].every((type) => isDigest(sha256[type]));
}

const outcomes = new Set<unknown>(["requested", "received", "written", "provisioned", "discarded"]);

function isHistoryEntry(value: unknown): value is HistoryEntry {
  return (
    isRecord(value) &&
    typeof value["requestedAtUnixMs"] === "number" &&
    (value["certificateId"] === undefined || isDigest(value["certificateId"])) &&
    outcomes.has(value["outcome"]) &&
    (value["reason"] === undefined || typeof value["reason"] === "string")
  );
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isDigest(value: unknown): boolean {
  return typeof value === "string" && /^[0-9a-f]{64}$/u.test(value);
}
