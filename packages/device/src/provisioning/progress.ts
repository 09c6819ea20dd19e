import type { JsonObject } from "@thingline/protocol";
import type { ProvisioningWay } from "./method.js";

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

/** A private key that was made on the device and lies in the device's tag. */
export interface DeviceKey {
  secTag: number;
  /** By which the store lists it. */
  sha256: string;
  /** SubjectPublicKeyInfo, hex. */
  publicKey: string;
  /** PKCS#10, PEM: with it any number of certificates can be asked for, without the key. */
  requestPem: string;
}

/** What RegisterThing wants to see. Whoever has it and a claim can register the certificate, so it is nobody's business. */
export interface Ownership {
  token: string;
  receivedAtUnixMs: number;
  /** RegisterThing was called with it; whether that took effect is not known. */
  isUsed: boolean;
}

/** A certificate that the cloud has issued and whose private key lies in the device's tag already. */
export interface IssuedCertificate {
  secTag: number;
  certificateId: string;
  certificatePem: string;
  sha256: { certificate: string; privateKey: string };
  /** Undefined: nothing is left to be registered. */
  ownership?: Ownership;
  /** Undefined: the key came with the certificate. */
  key?: DeviceKey;
}

export type ProgressPhase =
  /** Only the claim may be used; whatever the device's tag holds is worth nothing. */
  | { name: "claim" }
  /** The device's tag holds a private key, and nothing else that is worth something. */
  | { name: "keyReady"; key: DeviceKey }
  /** The certificate for the key in the device's tag is here. */
  | { name: "issued"; issued: IssuedCertificate }
  /** The device's tag may hold any part of this. With the certificate, where it can be written again. */
  | { name: "writing"; credentials: TagCredentials; certificatePem?: string }
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
  /** RegisterThing was called for it, so the cloud will not take it back by itself. */
  isRegistered?: true;
  /** Why it was discarded. */
  reason?: string;
}

/** What RegisterThing said of the thing. */
export interface Registration {
  thingName?: string;
  deviceConfiguration: JsonObject;
}

/** What a device remembers of its provisioning over a power cut. It holds no private key. */
export interface ProvisioningProgress {
  version: 2;
  clientId: string;
  /** By which way the phase was reached; undefined where nothing was begun. */
  way?: ProvisioningWay;
  phase: ProgressPhase;
  /** Of the certificate of the phase; undefined where none was registered, or its answer never came. */
  registration?: Registration;
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
/** Of the file. */
export const progressBytesMax = 256 * 1024;

export function newProgress(clientId: string): ProvisioningProgress {
  return {
    version: 2,
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

/** A certificate that came when nobody waited for it: it can at least be named. */
export function recordLate(
  progress: ProvisioningProgress,
  certificateId: string,
  unixMs: number,
): ProvisioningProgress {
  if (progress.history.some((entry) => entry.certificateId === certificateId)) return progress;
  const silent = progress.history.findIndex(({ outcome, ...entry }) => {
    return entry.certificateId === undefined && outcome !== "requested";
  });
  const late = { certificateId, outcome: "discarded", reason: "it came when none was waited for" } as const;
  if (silent < 0) return appended(progress, { requestedAtUnixMs: unixMs, ...late });
  const history = progress.history.map((entry, index) => (index === silent ? { ...entry, ...late } : entry));
  return { ...progress, history };
}

export function recordOutcome(
  progress: ProvisioningProgress,
  certificateId: string,
  outcome: HistoryOutcome,
  reason?: string,
): ProvisioningProgress {
  return changed(progress, certificateId, {
    outcome,
    ...(reason !== undefined && { reason: shortened(reason) }),
  });
}

export function recordRegistration(progress: ProvisioningProgress, certificateId: string): ProvisioningProgress {
  return changed(progress, certificateId, { isRegistered: true });
}

/** Closes what is open: requests without an answer, certificates that were received and are not kept. */
export function discardOpen(progress: ProvisioningProgress, reason: string): ProvisioningProgress {
  const kept = progress.phase.name === "issued" ? progress.phase.issued.certificateId : undefined;
  const history = progress.history.map((entry): HistoryEntry => {
    const isOpen = entry.outcome === "requested" || entry.outcome === "received";
    const isKept = kept !== undefined && entry.certificateId === kept;
    return isOpen && !isKept ? { ...entry, outcome: "discarded", reason: shortened(reason) } : entry;
  });
  return { ...progress, history };
}

/** The certificate of the phase is worth nothing (any more): back to the claim. */
export function discardPhase(progress: ProvisioningProgress, reason: string): ProvisioningProgress {
  const certificateId = certificateIdOf(progress.phase);
  const { registration: _, ...rest } =
    certificateId === undefined ? progress : recordOutcome(progress, certificateId, "discarded", reason);
  return { ...rest, phase: { name: "claim" } };
}

/** As {@link discardPhase}, but the device's own key stays good for another certificate. */
export function discardIssued(progress: ProvisioningProgress, reason: string): ProvisioningProgress {
  const key = progress.phase.name === "issued" ? progress.phase.issued.key : undefined;
  const discarded = discardPhase(progress, reason);
  return key ? { ...discarded, phase: { name: "keyReady", key } } : discarded;
}

export function certificateIdOf(phase: ProgressPhase): string | undefined {
  if (phase.name === "issued") return phase.issued.certificateId;
  return "credentials" in phase ? phase.credentials.certificateId : undefined;
}

/** When the latest request was made, undefined: never. */
export function lastRequestUnixMs({ history }: ProvisioningProgress): number | undefined {
  return history.at(-1)?.requestedAtUnixMs;
}

const reasonCharactersMax = 512;
const shortened = (reason: string): string => reason.slice(0, reasonCharactersMax);

function changed(
  progress: ProvisioningProgress,
  certificateId: string,
  change: Partial<HistoryEntry>,
): ProvisioningProgress {
  const history = progress.history.map((entry): HistoryEntry => {
    return entry.certificateId === certificateId ? { ...entry, ...change } : entry;
  });
  return { ...progress, history };
}

function appended(progress: ProvisioningProgress, entry: HistoryEntry): ProvisioningProgress {
  const history = [...progress.history, entry];
  const dropped = Math.max(0, history.length - historyEntriesMax);
  return { ...progress, history: history.slice(dropped), historyDropped: progress.historyDropped + dropped };
}
