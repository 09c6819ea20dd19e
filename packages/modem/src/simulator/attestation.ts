import { CborTag, encodeCbor } from "@thingline/protocol/cbor";
import { DerReader, derTags, encodeBase64 } from "@thingline/protocol/x509";
import type { Keys } from "@thingline/transport";

/** COSE_Sign1 (RFC 9052) with ES256 under key identifier -2, the device identity key, as an nRF91 signs. */
export interface CoseSignOptions {
  keys: Keys;
  /** P-256, PEM. */
  identityKey: string;
  payload: Uint8Array;
  /** The payload travels elsewhere; the structure holds null. */
  isDetached: boolean;
}

const protectedHeader = Uint8Array.of(0xa1, 0x01, 0x26);
const identityKeyId = Uint8Array.of(0x21);

export async function signCose({ keys, identityKey, payload, isDetached }: CoseSignOptions): Promise<Uint8Array> {
  const toBeSigned = encodeCbor(["Signature1", protectedHeader, new Uint8Array(0), payload]);
  const signature = rawSignature(await keys.sign(identityKey, toBeSigned));
  const unprotected = new Map([[4, identityKeyId]]);
  return encodeCbor(new CborTag(18, [protectedHeader, unprotected, isDetached ? null : payload, signature]));
}

/** `SEQUENCE { r, s }` to the 64 bytes of r and s. */
function rawSignature(der: Uint8Array): Uint8Array {
  const pair = new DerReader(der).enter();
  const raw = new Uint8Array(64);
  for (const end of [32, 64]) {
    const { content } = pair.read(derTags.integer);
    const digits = content.subarray(Math.max(0, content.length - 32));
    raw.set(digits, end - digits.length);
  }
  return raw;
}

/** Without padding, RFC 4648 section 5. */
export function encodeBase64Url(bytes: Uint8Array): string {
  return encodeBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

export function uuidBytes(uuid: string): Uint8Array {
  return hexBytes(uuid.replaceAll("-", ""));
}

export function hexBytes(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
