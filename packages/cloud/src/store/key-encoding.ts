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
 * Bytes whose order is the order of the keys: element by element, numbers before strings, numbers by value, strings by
 * their UTF-8 bytes, a tuple before those that begin with it. The encoding of a prefix is a prefix of the encoding.
 *
 * Number: tag, then the IEEE 754 bits, big-endian, sign bit flipped (all bits flipped when negative).
 * String: tag, UTF-8 with 00 written as 00 FF, then 00.
 *
 * @throws {ThinglineError} OPTION_INVALID for NaN, infinite numbers, unpaired surrogates and too long keys.
 */
export function encodeKey(key: StoreKey): Uint8Array {
  // A code unit takes three bytes at most, U+0000 two.
  let bytesMax = 0;
  for (const part of key) bytesMax += typeof part === "number" ? 9 : 3 * part.length + 2;
  const bytes = new Uint8Array(bytesMax);
  const view = new DataView(bytes.buffer);
  let end = 0;
  for (const part of key) {
    if (typeof part === "number") {
      if (!Number.isFinite(part)) throw invalidKey(`a number in a key must be finite, got ${part}`);
      bytes[end++] = numberTag;
      view.setFloat64(end, part === 0 ? 0 : part); // -0 and 0 are one key
      if ((view.getUint8(end) & 0x80) === 0) view.setUint8(end, view.getUint8(end) | 0x80);
      else for (let at = end; at < end + 8; at++) view.setUint8(at, ~view.getUint8(at) & 0xff);
      end += 8;
    } else {
      if (/\p{Cs}/u.test(part)) throw invalidKey("a string in a key holds half a surrogate pair");
      bytes[end++] = stringTag;
      for (const byte of encoder.encode(part)) {
        bytes[end++] = byte;
        if (byte === endOfKey) bytes[end++] = escapedZero;
      }
      bytes[end++] = endOfKey;
    }
  }
  if (end > encodedKeyBytesMax) throw invalidKey(`longer than ${encodedKeyBytesMax} bytes when encoded`);
  return bytes.slice(0, end);
}

/** @throws {ThinglineError} STORE_CORRUPT for bytes that {@link encodeKey} never makes. */
export function decodeKey(bytes: Uint8Array): StoreKey {
  const key: (string | number)[] = [];
  let at = 0;
  while (at < bytes.length) {
    const tag = bytes[at++];
    if (tag === numberTag && at + 8 <= bytes.length) {
      const part = bytes.slice(at, at + 8);
      const isNegative = ((part[0] ?? 0) & 0x80) === 0;
      if (isNegative) for (let index = 0; index < 8; index++) part[index] = ~(part[index] ?? 0) & 0xff;
      else part[0] = (part[0] ?? 0) & 0x7f;
      key.push(new DataView(part.buffer).getFloat64(0));
      at += 8;
    } else if (tag === stringTag) {
      const text: number[] = [];
      for (;;) {
        const byte = bytes[at++];
        if (byte === undefined) throw corruptKey();
        if (byte === endOfKey) {
          if (bytes[at] !== escapedZero) break;
          at++;
        }
        text.push(byte);
      }
      try {
        key.push(decoder.decode(Uint8Array.from(text)));
      } catch {
        throw corruptKey();
      }
    } else {
      throw corruptKey();
    }
  }
  return key;
}

/** The first possible encoding after all keys that begin with `prefix`. */
export function afterPrefix(encodedPrefix: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(encodedPrefix.length + 1);
  bytes.set(encodedPrefix);
  bytes[encodedPrefix.length] = 0xff;
  return bytes;
}

const invalidKey = (message: string) => new ThinglineError("OPTION_INVALID", `store key: ${message}`);
const corruptKey = () => new ThinglineError("STORE_CORRUPT", "the store holds a key that is no encoded tuple");
