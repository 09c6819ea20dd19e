import { concatBytes, toHex } from "@thingline/protocol";
import { CborTag, decodeCbor, encodeCbor } from "@thingline/protocol/cbor";
import {
  decodeBase64,
  DerReader,
  derTags,
  encodeBase64,
  encodeInteger,
  encodeSequence,
} from "@thingline/protocol/x509";

/** COSE_Sign1 (RFC 9052) with ES256, as an nRF91 signs: nothing else was ever seen of one. */
export interface CoseSign1 {
  /** Of the key that signed: -2 is the device's identity key, -4 and -5 are the vendor's base keys. */
  keyId: number;
  /** Undefined: it travels elsewhere (detached). */
  payload: Uint8Array | undefined;
  /** r and s, 32 bytes each. */
  signature: Uint8Array;
}

export const identityKeyId = -2;
export const coseSignatureBytes = 64;

const algorithmHeader = Uint8Array.of(0xa1, 0x01, 0x26);
/** Tag 18, four items, the header above, and a key identifier (4) of one byte. */
const head = Uint8Array.of(0xd2, 0x84, 0x43, ...algorithmHeader, 0xa1, 0x04, 0x41);
const threeItems = Uint8Array.of(0x83);

export function encodeCose({ keyId, payload, signature }: CoseSign1): Uint8Array {
  const unprotected = new Map([[4, encodeCbor(keyId)]]);
  return encodeCbor(new CborTag(18, [algorithmHeader, unprotected, payload ?? null, signature]));
}

/** @returns undefined when the bytes are something else. */
export function decodeCose(bytes: Uint8Array): CoseSign1 | undefined {
  if (!head.every((byte, at) => bytes[at] === byte)) return undefined;
  const rest = decodeCbor(concatBytes([threeItems, bytes.subarray(head.length)]));
  const [keyId, payload, signature] = Array.isArray(rest) ? (rest as unknown[]) : [];
  if (typeof keyId !== "number" || !(signature instanceof Uint8Array)) return undefined;
  if (signature.length !== coseSignatureBytes || !(payload === null || payload instanceof Uint8Array)) return undefined;
  return { keyId, payload: payload ?? undefined, signature };
}

/** What the signature is of. */
export function coseSigned(payload: Uint8Array): Uint8Array {
  return encodeCbor(["Signature1", algorithmHeader, new Uint8Array(0), payload]);
}

/** DER's `SEQUENCE { r, s }` as the 64 bytes of r and s. */
export function rawSignature(der: Uint8Array): Uint8Array {
  const pair = new DerReader(der).enter();
  const raw = new Uint8Array(coseSignatureBytes);
  for (const end of [32, 64]) {
    const { content } = pair.read(derTags.integer);
    const digits = content.subarray(Math.max(0, content.length - 32));
    raw.set(digits, end - digits.length);
  }
  return raw;
}

/** The other way; of 64 bytes. */
export function derSignature(raw: Uint8Array): Uint8Array {
  const integers = [raw.subarray(0, 32), raw.subarray(32)].map((digits) => encodeInteger(BigInt(`0x${toHex(digits)}`)));
  return encodeSequence(...integers);
}

/** What a modem answers: something, and what vouches for it. */
export interface SignedText {
  body: Uint8Array;
  /** A {@link CoseSign1}. */
  cose: Uint8Array;
}

/** Both parts in base64url without padding (RFC 4648, 5), a dot between them. */
export function formatSignedText({ body, cose }: SignedText): string {
  return `${encodeBase64Url(body)}.${encodeBase64Url(cose)}`;
}

/** @returns undefined when the text is not of two such parts. */
export function parseSignedText(text: string): SignedText | undefined {
  const [body, cose, ...more] = text.split(".").map(decodeBase64Url);
  return body === undefined || cose === undefined || more.length > 0 ? undefined : { body, cose };
}

export function encodeBase64Url(bytes: Uint8Array): string {
  return encodeBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

export function decodeBase64Url(text: string): Uint8Array | undefined {
  if (!/^[\w-]*$/.test(text)) return undefined;
  const padding = "=".repeat((4 - (text.length % 4)) % 4);
  return decodeBase64(text.replaceAll("-", "+").replaceAll("_", "/") + padding);
}
