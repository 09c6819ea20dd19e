import { isBytes } from "../../bytes.js";
import { unencodable } from "./faults.js";
import { fieldBytesMax, loopCharsMax, utf8Length, writeUtf8 } from "./utf8.js";

/** The largest value of a variable byte integer, so also the largest remaining length. MQTT 5 §1.5.5 */
export const varintMax = 268_435_455;

export function varintLength(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : 4;
}

export function writeVarint(target: Uint8Array, offset: number, value: number): number {
  while (value > 0x7f) {
    target[offset++] = (value & 0x7f) | 0x80;
    value >>>= 7;
  }
  target[offset++] = value;
  return offset;
}

export function writeUint16(target: Uint8Array, offset: number, value: number): number {
  target[offset] = value >>> 8;
  target[offset + 1] = value;
  return offset + 2;
}

export function writeUint32(target: Uint8Array, offset: number, value: number): number {
  target[offset] = value >>> 24;
  target[offset + 1] = value >>> 16;
  target[offset + 2] = value >>> 8;
  target[offset + 3] = value;
  return offset + 4;
}

/** Bytes of a string field with its length prefix; refuses what MQTT cannot carry. */
export function stringLength(text: string, field: string): number {
  const length = utf8Length(text);
  if (length < 0) throw unencodable(`${field} holds a lone surrogate or U+0000`, { field });
  if (length > fieldBytesMax) {
    throw unencodable(`${field} has ${length} bytes, at most ${fieldBytesMax} fit`, { field, lengthBytes: length });
  }
  return length + 2;
}

/** Only after {@link stringLength} accepted the text. */
export function writeString(target: Uint8Array, offset: number, text: string): number {
  // Most texts are short and ASCII: one pass writes them, and finds out if they are not.
  const chars = text.length;
  if (chars <= loopCharsMax) {
    let seen = 0;
    for (let at = 0; at < chars; at++) {
      const unit = text.charCodeAt(at);
      seen |= unit;
      target[offset + 2 + at] = unit;
    }
    if (seen < 0x80) return writeUint16(target, offset, chars) + chars;
  }
  const length = utf8Length(text);
  return writeUtf8(target, writeUint16(target, offset, length), text, length);
}

export function binaryLength(bytes: Uint8Array, field: string): number {
  if (!isBytes(bytes)) throw unencodable(`${field} is no Uint8Array`, { field });
  if (bytes.length > fieldBytesMax) {
    const details = { field, lengthBytes: bytes.length };
    throw unencodable(`${field} has ${bytes.length} bytes, at most ${fieldBytesMax} fit`, details);
  }
  return bytes.length + 2;
}

export function writeBinary(target: Uint8Array, offset: number, bytes: Uint8Array): number {
  target.set(bytes, writeUint16(target, offset, bytes.length));
  return offset + 2 + bytes.length;
}

export function checkInteger(value: number, min: number, max: number, field: string): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw unencodable(`${field} is ${value}, not an integer from ${min} to ${max}`, { field });
  }
}

export function checkPacketId(packetId: number | undefined): void {
  // [MQTT-2.2.1-3] Zero is no packet identifier.
  if (packetId === undefined) throw unencodable("packetId is missing", { field: "packetId" });
  checkInteger(packetId, 1, 65_535, "packetId");
}
