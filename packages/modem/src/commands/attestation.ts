import { bytesEqual, ThinglineError, toHex } from "@thingline/protocol";
import type { Keys } from "@thingline/transport";
import { coseSigned, decodeCose, derSignature, identityKeyId, parseSignedText } from "../at/cose.js";
import { decodeModemMessage, type ModemMessage } from "../at/messages.js";

/** What a modem says of a key that it made, signed by its identity key. */
export interface KeyAttestation {
  /** 16 bytes, as 32 hexadecimal digits of a UUID. */
  deviceUuid: Uint8Array;
  secTag: number;
  nonce: Uint8Array;
  /** r and s of ES256 over the attestation; who trusts the modem's identity key can verify it. */
  signature: Uint8Array;
}

/** Who has to have signed. */
export interface AttestationTrust {
  keys: Keys;
  /**
   * SubjectPublicKeyInfo DER of the modem's identity key, as its vendor or an earlier look at this very device knows it. Without it a token is taken
   * apart, and nobody vouches for it.
   */
  identityKey?: Uint8Array;
}

/** Numbers of an attestation's device type. */
export const attestedParts = {
  1: "nRF9160",
  2: "nRF9160",
  3: "nRF9160",
  4: "nRF9161",
  5: "nRF9131",
  6: "nRF9151",
} as const satisfies Readonly<Record<number, string>>;

/** `%ATTESTTOKEN`: which device it is. */
export interface DeviceAttestation {
  /** `50363154-3931-44f0-8022-121b6401627d` */
  deviceUuid: string;
  deviceType: number;
  /** Undefined for a device type that is newer than this table. */
  part: (typeof attestedParts)[keyof typeof attestedParts] | undefined;
  /** Of the modem firmware's build. */
  firmwareUuid: string;
  /** 32 hexadecimal digits: the challenge, or the modem's own. */
  nonce: string;
  /** By the identity key that was given; false where none was. A wrong signature is an error. */
  isVerified: boolean;
}

/** `%CLAIMTOKEN`: that the device has this owner's public key. */
export interface OwnershipClaim extends DeviceAttestation {
  /** SHA-256 of the ownership public key, lower-case hexadecimal. */
  ownershipSha256: string;
}

/**
 * Takes an attestation token apart, checks its signature where an identity key is given, and that it answers the challenge.
 *
 * @throws {ThinglineError} MODEM_RESPONSE_INVALID
 */
export function parseAttestationToken(
  token: string,
  { challenge, ...trust }: AttestationTrust & { challenge?: string },
): DeviceAttestation {
  const problemOf = (problem: string) => invalid("AT%ATTESTTOKEN", problem);
  const { message, isVerified } = openToken(token, trust, problemOf);
  if (message.type !== "identity") throw problemOf("it is no attestation of a device");
  return describeDevice(message, { challenge, isVerified, problemOf });
}

/**
 * Takes a claim token apart, as {@link parseAttestationToken} does.
 *
 * @throws {ThinglineError} MODEM_RESPONSE_INVALID
 */
export function parseClaimToken(
  token: string,
  { challenge, ...trust }: AttestationTrust & { challenge?: string },
): OwnershipClaim {
  const problemOf = (problem: string) => invalid("AT%CLAIMTOKEN", problem);
  const { message, isVerified } = openToken(token, trust, problemOf);
  if (message.type !== "claim") throw problemOf("it is no claim of a device");
  const device = describeDevice(message, { challenge, isVerified, problemOf });
  return { ...device, ownershipSha256: toHex(message.ownershipSha256) };
}

type Problem = (problem: string) => ThinglineError;

/** A token's message stands before the dot, and its signature holds none. */
function openToken(
  token: string,
  trust: AttestationTrust,
  problemOf: Problem,
): { message: ModemMessage; isVerified: boolean } {
  const { body, payload, signature } = openSigned(token, problemOf);
  if (payload !== undefined) throw problemOf("its signature holds a message of its own");
  const message = decodeModemMessage(body);
  if (message === undefined) throw problemOf("its message is not laid out as the modem's documentation says");
  return { message, isVerified: verified({ message: body, signature }, trust, problemOf) };
}

function describeDevice(
  message: Extract<ModemMessage, { type: "identity" | "claim" }>,
  { challenge, isVerified, problemOf }: { challenge: string | undefined; isVerified: boolean; problemOf: Problem },
): DeviceAttestation {
  const { deviceUuid, deviceType, firmwareUuid } = message;
  const nonce = toHex(message.nonce);
  if (challenge !== undefined && challenge.toLowerCase() !== nonce) throw problemOf("it answers another challenge");
  const part = (attestedParts as Readonly<Record<number, DeviceAttestation["part"]>>)[deviceType];
  return {
    ...{ deviceUuid: uuidText(deviceUuid), deviceType, part, firmwareUuid: uuidText(firmwareUuid) },
    ...{ nonce, isVerified },
  };
}

/**
 * Splits the answer of `%KEYGEN` and checks that its two halves belong together: the attestation is of what was asked for, of this security
 * tag, and of this very body. Whether the modem is a real one is not checked without its identity key, which its vendor knows.
 *
 * @throws {ThinglineError} MODEM_RESPONSE_INVALID
 */
export function readKeyAnswer(
  text: string,
  {
    secTag,
    content = "certificateRequest",
    ...trust
  }: AttestationTrust & {
    secTag: number;
    content?: "certificateRequest" | "publicKey";
  },
): { body: Uint8Array; attestation: KeyAttestation } {
  const problemOf = (problem: string) => invalidKey(secTag, problem);
  const { body, payload, signature } = openSigned(text, problemOf);
  if (payload === undefined) throw problemOf("the attestation lacks its payload");
  const message = decodeModemMessage(payload);
  if (message === undefined) throw problemOf("the attestation is not laid out as the modem's documentation says");
  const wanted = content === "publicKey" ? "a public key" : "a certificate request";
  if (message.type !== content) throw problemOf(`the attestation is not of ${wanted}`);
  if (message.secTag !== secTag) throw problemOf("the attestation is of another security tag");
  if (!bytesEqual(message.sha256, trust.keys.sha256(body))) {
    throw problemOf(`the attestation is of another ${content === "publicKey" ? "public key" : "certificate request"}`);
  }
  verified({ message: payload, signature }, trust, problemOf);
  const { deviceUuid, nonce } = message;
  return { body, attestation: { deviceUuid, secTag, nonce, signature } };
}

function openSigned(
  text: string,
  problemOf: Problem,
): { body: Uint8Array; payload: Uint8Array | undefined; signature: Uint8Array } {
  const signed = parseSignedText(text);
  if (signed === undefined) throw problemOf("expected two parts in base64url with a dot between them");
  const cose = decodeCose(signed.cose);
  if (cose === undefined) throw problemOf("the attestation is no COSE_Sign1, or lacks its payload or its signature");
  if (cose.keyId !== identityKeyId) throw problemOf("the attestation is no COSE_Sign1 by the modem's identity key");
  return { body: signed.body, ...cose };
}

function verified(
  { message, signature }: { message: Uint8Array; signature: Uint8Array },
  { keys, identityKey }: AttestationTrust,
  problemOf: Problem,
): boolean {
  if (identityKey === undefined) return false;
  const algorithm = { kind: "ecdsa", hash: "sha256" } as const;
  const signed = { publicKey: identityKey, algorithm, data: coseSigned(message), signature: derSignature(signature) };
  if (!keys.verify(signed)) throw problemOf("the identity key that was given has not signed it");
  return true;
}

function uuidText(bytes: Uint8Array): string {
  return toHex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

function invalidKey(secTag: number, problem: string): ThinglineError {
  const message = `AT%KEYGEN for security tag ${secTag}: ${problem}`;
  return new ThinglineError("MODEM_RESPONSE_INVALID", message, { details: { secTag } });
}

function invalid(command: string, problem: string): ThinglineError {
  return new ThinglineError("MODEM_RESPONSE_INVALID", `${command}: ${problem}`, { details: { command } });
}
