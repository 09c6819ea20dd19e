import { readMembers, writeMembers, type MessageFormat } from "../cbor/members.js";
import { rejectionBytesMax, rejectionOf, rejectionTextCharactersMax } from "../provisioning/split.js";

/** `rejected`, of any request. */
export interface FleetProvisioningRejection {
  /** As an HTTP status: 4xx will not get better by asking again, 429 and 5xx may. */
  statusCode: number;
  /** AWS's own word: InvalidPayload, InvalidCertificateOwnershipToken, AccessDenied and others. */
  errorCode: string;
  errorMessage: string;
}

export function encodeFleetProvisioningRejection(
  { statusCode, errorCode, errorMessage }: FleetProvisioningRejection,
  format: MessageFormat,
): Uint8Array {
  const text = errorMessage.slice(0, rejectionTextCharactersMax);
  return writeMembers({ statusCode, errorCode, errorMessage: text }, format, { isAnswer: true });
}

/** Takes whatever came: what is no such document is a rejection without a code. The texts are free of control characters. */
export function decodeFleetProvisioningRejection(
  payload: Uint8Array,
  format: MessageFormat,
): FleetProvisioningRejection {
  const isShort = payload.length <= rejectionBytesMax;
  const members = isShort ? readMembers(payload, format) : undefined;
  const text = format === "json" ? new TextDecoder().decode(payload.subarray(0, rejectionBytesMax)) : "";
  return rejectionOf(members && Object.fromEntries(members), text);
}
