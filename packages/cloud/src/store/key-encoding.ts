import { ThinglineError } from "@thingline/protocol";
import type { StoreKey } from "./store.js";

/** Longest encoded key. LMDB's own limit for pages of 4 KB is 1,978 bytes. */
export const encodedKeyBytesMax = 1_900;

const endOfKey = 0x00;
const numberTag = 0x10;
const stringTag = 0x20;
/** Follows a U+0000 inside a string; greater than every tag, so that "a\0" sorts after "a" with anything behind it. */
const escapedZero = 0xff;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * A text of code units 0 to 255 whose order is the order of the keys: element by element, numbers before strings,
 * numbers by value, strings by their UTF-8 bytes, a tuple before those that begin with it. The encoding of a prefix is
 * a prefix of the encoding. Stores that want bytes take the code units.
 *
 * Number: tag, then the IEEE 754 bits, big-endian, sign bit flipped (all bits flipped when negative).
 * String: tag, UTF-8 with 00 written as 00 FF, then 00.
 *
 * @throws {ThinglineError} OPTION_INVALID for NaN, infinite numbers, unpaired surrogates and too long keys.
 */
export function encodeKey(key: StoreKey): string {
  let text = "";
  for (const part of key) text += typeof part === "number" ? encodeNumber(part) : encodeString(part);
  if (text.length > encodedKeyBytesMax) throw invalidKey(`longer than ${encodedKeyBytesMax} bytes when encoded`);
  return text;
}

/** For one number at a time: a buffer for each costs more than all the rest of its encoding. */
const scratch = new DataView(new ArrayBuffer(8));

function encodeNumber(number: number): string {
  if (!Number.isFinite(number)) throw invalidKey(`a number in a key must be finite, got ${number}`);
  scratch.setFloat64(0, number === 0 ? 0 : number); // -0 and 0 are one key
  let high = scratch.getUint32(0);
  let low = scratch.getUint32(4);
  if (high >= 0x80000000) {
    high = ~high;
    low = ~low;
  } else high ^= 0x80000000;
  return String.fromCharCode(
    numberTag,
    high >>> 24,
    (high >>> 16) & 255,
    (high >>> 8) & 255,
    high & 255,
    low >>> 24,
    (low >>> 16) & 255,
    (low >>> 8) & 255,
    low & 255,
  );
}

function encodeString(string: string): string {
  // oxlint-disable-next-line no-control-regex -- nearly every key is plain ASCII, which is its own UTF-8
  if (/^[\x01-\x7f]*$/.test(string)) return `\x20${string}\x00`;
  if (/\p{Cs}/u.test(string)) throw invalidKey("a string in a key holds half a surrogate pair");
  let text = "";
  for (const byte of encoder.encode(string)) {
    text += String.fromCharCode(byte);
    if (byte === endOfKey) text += String.fromCharCode(escapedZero);
  }
  return `\x20${text}\x00`;
}

/** @throws {ThinglineError} STORE_CORRUPT for bytes that {@link encodeKey} never makes the code units of. */
export function decodeKey(bytes: Uint8Array): StoreKey {
  const key: (string | number)[] = [];
  let at = 0;
  while (at < bytes.length) {
    const tag = bytes[at++];
    if (tag === numberTag && at + 8 <= bytes.length) {
      key.push(decodeNumber(new DataView(bytes.buffer, bytes.byteOffset + at, 8)));
      at += 8;
    } else if (tag === stringTag) {
      const end = endOfString(bytes, at);
      key.push(decodeString(bytes.subarray(at, end)));
      at = end + 1;
    } else {
      throw corruptKey();
    }
  }
  return key;
}

/** Takes the bits without touching them: they may be the store's own memory. */
function decodeNumber(bits: DataView): number {
  const high = bits.getUint32(0);
  const low = bits.getUint32(4);
  const isNegative = high < 0x80000000;
  scratch.setUint32(0, isNegative ? ~high : high ^ 0x80000000);
  scratch.setUint32(4, isNegative ? ~low : low);
  return scratch.getFloat64(0);
}

function endOfString(bytes: Uint8Array, start: number): number {
  for (let at = bytes.indexOf(endOfKey, start); at >= 0; at = bytes.indexOf(endOfKey, at + 2)) {
    if (bytes[at + 1] !== escapedZero) return at;
  }
  throw corruptKey();
}

function decodeString(escaped: Uint8Array): string {
  const bytes = escaped.includes(endOfKey)
    ? escaped.filter((_byte, at) => at === 0 || escaped[at - 1] !== endOfKey)
    : escaped;
  try {
    return decoder.decode(bytes);
  } catch {
    throw corruptKey();
  }
}

/** The first possible encoding after all keys that begin with `prefix`. */
export function afterPrefix(encodedPrefix: string): string {
  return `${encodedPrefix}\xff`;
}

const invalidKey = (message: string) =>
  new ThinglineError("OPTION_INVALID", `store key: ${message}`, { details: { option: "key" } });
const corruptKey = () => new ThinglineError("STORE_CORRUPT", "the store holds a key that is no encoded tuple");
