import { isRecord } from "@thingline/protocol";
import { isDeviceId } from "@thingline/protocol/provisioning";
import { provisioningWays } from "./method.js";
import {
  historyEntriesMax,
  type HistoryEntry,
  progressBytesMax,
  type ProgressPhase,
  type ProvisioningProgress,
} from "./progress.js";

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
  // Version 1 knew split messages alone: all that it says is said in the same way today.
  const current = isRecord(value) && value["version"] === 1 ? { ...value, version: 2 } : value;
  return isProgress(current) ? current : undefined;
}

function isProgress(value: unknown): value is ProvisioningProgress {
  if (!isRecord(value) || value["version"] !== 2) return false;
  const { clientId, phase, history, way, registration } = value;
  return (
    typeof clientId === "string" &&
    isDeviceId(clientId) &&
    isPhase(phase) &&
    (way === undefined || provisioningWays.some((known) => known === way)) &&
    (registration === undefined || isRegistration(registration)) &&
    ["requestCount", "unprovedCount", "historyDropped"].every((name) => isCount(value[name])) &&
    Array.isArray(history) &&
    history.length <= historyEntriesMax &&
    history.every(isHistoryEntry)
  );
}

function isPhase(value: unknown): value is ProgressPhase {
  if (!isRecord(value)) return false;
  switch (value["name"]) {
    case "claim":
      return true;
    case "keyReady":
      return isKey(value["key"]);
    case "issued":
      return isIssued(value["issued"]);
    case "writing":
      return isCredentials(value["credentials"]) && isOptionalText(value["certificatePem"]);
    case "written":
    case "provisioned":
      return isCredentials(value["credentials"]);
    default:
      return false;
  }
}

function isCredentials(value: unknown): boolean {
  if (!isRecord(value) || !isCount(value["secTag"]) || !isDigest(value["certificateId"])) return false;
  const { sha256 } = value;
  return isRecord(sha256) && ["ca", "certificate", "privateKey"].every((type) => isDigest(sha256[type]));
}

function isKey(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { secTag, sha256, publicKey, requestPem } = value;
  const isHex = typeof publicKey === "string" && /^[0-9a-f]+$/u.test(publicKey);
  return isCount(secTag) && isDigest(sha256) && isHex && typeof requestPem === "string";
}

function isIssued(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { secTag, certificateId, certificatePem, sha256, ownership, key } = value;
  if (!isCount(secTag) || !isDigest(certificateId) || typeof certificatePem !== "string") return false;
  if (!isRecord(sha256) || !isDigest(sha256["certificate"]) || !isDigest(sha256["privateKey"])) return false;
  return (ownership === undefined || isOwnership(ownership)) && (key === undefined || isKey(key));
}

function isOwnership(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { token, receivedAtUnixMs, isUsed } = value;
  return typeof token === "string" && typeof receivedAtUnixMs === "number" && typeof isUsed === "boolean";
}

function isRegistration(value: unknown): boolean {
  if (!isRecord(value)) return false;
  return isOptionalText(value["thingName"]) && isRecord(value["deviceConfiguration"]);
}

const outcomes = new Set<unknown>(["requested", "received", "written", "provisioned", "discarded"]);

function isHistoryEntry(value: unknown): value is HistoryEntry {
  return (
    isRecord(value) &&
    typeof value["requestedAtUnixMs"] === "number" &&
    (value["certificateId"] === undefined || isDigest(value["certificateId"])) &&
    outcomes.has(value["outcome"]) &&
    (value["isRegistered"] === undefined || value["isRegistered"] === true) &&
    isOptionalText(value["reason"])
  );
}

function isOptionalText(value: unknown): boolean {
  return value === undefined || typeof value === "string";
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isDigest(value: unknown): boolean {
  return typeof value === "string" && /^[0-9a-f]{64}$/u.test(value);
}
