import { concatBytes, ThinglineError } from "@thingline/protocol";
import { decodeCbor } from "@thingline/protocol/cbor";
import { decodeBase64 } from "@thingline/protocol/x509";
import type { Keys } from "@thingline/transport";

/** What a modem says of a key that it made, signed by its identity key. */
export interface KeyAttestation {
  /** 16 bytes, as 32 hexadecimal digits of a UUID. */
  deviceUuid: Uint8Array;
  secTag: number;
  nonce: Uint8Array;
  /** r and s of ES256 over the attestation; who trusts the modem's identity key can verify it. */
  signature: Uint8Array;
}

/** COSE_Sign1, tag 18: ES256 under key identifier -2, the modem's identity key. Nothing else was ever seen. */
const coseHead = Uint8Array.of(0xd2, 0x84, 0x43, 0xa1, 0x01, 0x26, 0xa1, 0x04, 0x41, 0x21);
/** Tag 55799, self-described CBOR. */
const selfDescribed = Uint8Array.of(0xd9, 0xd9, 0xf7);
const signatureBytes = 64;
const uuidBytes = 16;
const requestMessage = 9;
const pair = Uint8Array.of(0x82);

/**
 * Splits the answer of `%KEYGEN` and checks that its two halves belong together: the attestation is of a certificate request, of this security
 * tag, and of this very body. Whether the modem is a real one is not checked: that takes its identity key, which its vendor knows.
 *
 * @throws {ThinglineError} MODEM_RESPONSE_INVALID
 */
export function readKeyAnswer(
  text: string,
  { secTag, keys }: { secTag: number; keys: Keys },
): { body: Uint8Array; attestation: KeyAttestation } {
  const [body, cose, ...more] = text.split(".").map(decodeBase64Url);
  if (body === undefined || cose === undefined || more.length > 0) {
    throw invalid(secTag, "expected two parts in base64url with a dot between them");
  }
  if (!startsWith(cose, coseHead))
    throw invalid(secTag, "the attestation is no COSE_Sign1 by the modem's identity key");
  const rest = decodeCbor(concatBytes([pair, cose.subarray(coseHead.length)]));
  const [message, signature] = Array.isArray(rest) ? (rest as unknown[]) : [];
  if (!(message instanceof Uint8Array) || !(signature instanceof Uint8Array) || signature.length !== signatureBytes) {
    throw invalid(secTag, "the attestation lacks its payload or its signature");
  }
  const attestation = readMessage(message, secTag, keys.sha256(body));
  return { body, attestation: { ...attestation, signature } };
}

function readMessage(message: Uint8Array, secTag: number, digest: Uint8Array): Omit<KeyAttestation, "signature"> {
  const value = startsWith(message, selfDescribed) ? decodeCbor(message.subarray(selfDescribed.length)) : undefined;
  const [type, deviceUuid, tag, sha256, nonce] = Array.isArray(value) && value.length === 5 ? (value as unknown[]) : [];
  if (type !== requestMessage) throw invalid(secTag, "the attestation is not of a certificate request");
  if (!isBytes(deviceUuid, uuidBytes) || !isBytes(nonce, uuidBytes) || !(tag instanceof Uint8Array)) {
    throw invalid(secTag, "the attestation is not laid out as the modem's documentation says");
  }
  if (decodeCbor(tag) !== secTag) throw invalid(secTag, "the attestation is of another security tag");
  if (!isBytes(sha256, digest.length) || sha256.some((byte, at) => byte !== digest[at])) {
    throw invalid(secTag, "the attestation is of another certificate request");
  }
  return { deviceUuid, secTag, nonce };
}

const isBytes = (value: unknown, length: number): value is Uint8Array =>
  value instanceof Uint8Array && value.length === length;

const startsWith = (bytes: Uint8Array, head: Uint8Array): boolean => head.every((byte, at) => bytes[at] === byte);

/** Without padding (RFC 4648, 5). */
function decodeBase64Url(text: string): Uint8Array | undefined {
  const padding = "=".repeat((4 - (text.length % 4)) % 4);
  return decodeBase64(text.replaceAll("-", "+").replaceAll("_", "/") + padding);
}

function invalid(secTag: number, problem: string): ThinglineError {
  const message = `AT%KEYGEN for security tag ${secTag}: ${problem}`;
  return new ThinglineError("MODEM_RESPONSE_INVALID", message, { details: { secTag } });
}
