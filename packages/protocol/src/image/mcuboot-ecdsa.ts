import { encodeDer, encodeSequence } from "../x509/der-writer.js";
import { derTags } from "../x509/der.js";

/**
 * An ECDSA signature as MCUboot reads it with TinyCrypt, in strict DER: a SEQUENCE of two INTEGERs, of each of which the last bytes count,
 * whatever stands before them. What follows the second is not looked at.
 *
 * @param coordinateBytes of r and of s: 32 for P-256.
 * @returns undefined when MCUboot could not read it either.
 */
export function canonicalEcdsa(signature: Uint8Array, coordinateBytes: number): Uint8Array | undefined {
  const sequence = readElement(signature, 0, derTags.sequence);
  const r = sequence && readElement(signature, sequence.start, derTags.integer);
  const s = r && readElement(signature, r.end, derTags.integer);
  if (r === undefined || s === undefined) return undefined;
  const integers = [r, s].map(({ start, end }) => encodeUnsigned(signature.subarray(start, end), coordinateBytes));
  return encodeSequence(...integers);
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/** Lengths of several bytes are taken in any form, as mbedtls_asn1_get_len() does. */
function readElement(bytes: Uint8Array, offset: number, tag: number): Span | undefined {
  if (bytes[offset] !== tag) return undefined;
  const first = bytes[offset + 1];
  if (first === undefined) return undefined;
  const count = first < 0x80 ? 0 : first & 0x7f;
  if (first === 0x80 || count > 4 || offset + 2 + count > bytes.length) return undefined;
  let length = first;
  if (count > 0) length = bytes.subarray(offset + 2, offset + 2 + count).reduce((sum, byte) => sum * 256 + byte, 0);
  const start = offset + 2 + count;
  return start + length > bytes.length ? undefined : { start, end: start + length };
}

function encodeUnsigned(content: Uint8Array, coordinateBytes: number): Uint8Array {
  const last = content.subarray(Math.max(0, content.length - coordinateBytes));
  const begin = last.findIndex((byte) => byte !== 0);
  const value = begin < 0 ? Uint8Array.of(0) : last.subarray(begin);
  const top = value[0] ?? 0;
  return encodeDer(derTags.integer, top >= 0x80 ? Uint8Array.of(0, ...value) : value);
}
