import { ThinglineError } from "../errors.js";
import { isJsonObject, type JsonObject, type JsonValue } from "../json.js";
import type { JobStatusDetails } from "./messages.js";

/** The operation of a job document that asks a device to rotate its certificate. */
export const rotateCertificateOperation = "rotateCertificate";

/** What such a document asks for. */
export interface RotationOrder {
  /** So long the device keeps what it had, once the new certificate is proved. Undefined: the device's own setting. */
  overlapSeconds?: number;
  /** Unix seconds. A device whose certificate is valid from this time or later has nothing to do. */
  issuedBefore?: number;
}

/** A year and a day. */
export const rotationOverlapSecondsMax = 366 * 86_400;

export function writeRotationDocument({ overlapSeconds, issuedBefore }: RotationOrder): JsonObject {
  return {
    operation: rotateCertificateOperation,
    ...(overlapSeconds !== undefined && { overlapSeconds }),
    ...(issuedBefore !== undefined && { issuedBefore }),
  };
}

/** @throws {ThinglineError} REQUEST_INVALID which names the member */
export function readRotationDocument(document: JsonValue): RotationOrder {
  if (!isJsonObject(document)) throw invalid("the job document is no object");
  const { operation, overlapSeconds, issuedBefore } = document;
  if (operation !== rotateCertificateOperation) throw invalid(`its operation is not "${rotateCertificateOperation}"`);
  return {
    ...(overlapSeconds !== undefined && {
      overlapSeconds: wholeNumber("overlapSeconds", overlapSeconds, rotationOverlapSecondsMax),
    }),
    ...(issuedBefore !== undefined && {
      issuedBefore: wholeNumber("issuedBefore", issuedBefore, Number.MAX_SAFE_INTEGER),
    }),
  };
}

function wholeNumber(name: string, value: JsonValue, max: number): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= max) return value;
  throw invalid(`${name} is no whole number from 0 to ${max}`);
}

const invalid = (why: string) =>
  new ThinglineError("REQUEST_INVALID", `the document of a certificate rotation cannot be followed: ${why}`);

/** What a device tells of a rotation that is done, in the status details of the job's execution. */
export interface RotatedDetails {
  /** In use, proved by a full handshake. */
  certificateId: string;
  /** Undefined: the device could not read what it had. */
  replacedCertificateId?: string;
  /** Unix seconds until which the device can go back. */
  overlapUntil: number;
}

export function writeRotatedDetails(details: RotatedDetails): JobStatusDetails {
  const { certificateId, replacedCertificateId, overlapUntil } = details;
  return {
    certificateId,
    ...(replacedCertificateId !== undefined && { replacedCertificateId }),
    overlapUntil: String(overlapUntil),
  };
}

/** Undefined: they do not tell of a rotation. A device says them, so nothing of them is taken for granted. */
export function readRotatedDetails(details: JobStatusDetails): RotatedDetails | undefined {
  const { certificateId = "", replacedCertificateId, overlapUntil = "" } = details;
  if (!isId(certificateId) || !/^\d{1,12}$/u.test(overlapUntil)) return undefined;
  if (replacedCertificateId !== undefined && !isId(replacedCertificateId)) return undefined;
  return {
    certificateId,
    ...(replacedCertificateId !== undefined && { replacedCertificateId }),
    overlapUntil: Number(overlapUntil),
  };
}

const isId = (text: string): boolean => /^[0-9a-f]{64}$/u.test(text);
