/**
 * The little DER (X.690) that the virtual world and test certificates need: definite lengths, one-byte tags. What a
 * device parses and signs is in `@thingline/protocol`.
 */
export interface DerElement {
  tag: number;
  /** Tag and length included. */
  whole: Uint8Array;
  content: Uint8Array;
}

/** The element at `offset`, or undefined when the bytes are none. */
export function readDer(bytes: Uint8Array, offset = 0): DerElement | undefined {
  const tag = bytes[offset];
  const first = bytes[offset + 1];
  if (tag === undefined || first === undefined) return undefined;
  let start = offset + 2;
  let length = first;
  if (first >= 0x80) {
    const count = first & 0x7f;
    if (count === 0 || count > 3) return undefined;
    length = 0;
    for (let index = 0; index < count; index++) length = length * 256 + (bytes[start + index] ?? 0);
    start += count;
  }
  const end = start + length;
  if (end > bytes.length) return undefined;
  return { tag, whole: bytes.subarray(offset, end), content: bytes.subarray(start, end) };
}

/** The elements inside a constructed one; undefined when the content is no series of elements. */
export function readDerSeries(content: Uint8Array): DerElement[] | undefined {
  const elements: DerElement[] = [];
  for (let offset = 0; offset < content.length;) {
    const element = readDer(content, offset);
    if (element === undefined) return undefined;
    elements.push(element);
    offset += element.whole.length;
  }
  return elements;
}

export function der(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const content = concatBytes(contents);
  const { length } = content;
  const header =
    length < 0x80
      ? [tag, length]
      : length < 0x100
        ? [tag, 0x81, length]
        : length < 0x1_0000
          ? [tag, 0x82, length >> 8, length & 0xff]
          : [tag, 0x83, length >> 16, (length >> 8) & 0xff, length & 0xff];
  return concatBytes([Uint8Array.from(header), content]);
}

export const derSequence = (...contents: readonly Uint8Array[]): Uint8Array => der(0x30, ...contents);
export const derBitString = (bytes: Uint8Array): Uint8Array => der(0x03, Uint8Array.of(0), bytes);
export const derNull: Uint8Array = Uint8Array.of(0x05, 0);
export const derTrue: Uint8Array = Uint8Array.of(0x01, 1, 0xff);

export function derInteger(value: bigint): Uint8Array {
  const bytes = bytesOfBigInt(value);
  return der(0x02, (bytes[0] ?? 0) >= 0x80 ? Uint8Array.of(0) : new Uint8Array(0), bytes);
}

export function derOid(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const groups = [arc & 0x7f];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128))
      groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return der(0x06, Uint8Array.from(bytes));
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

export function bytesEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

export function bigIntOfBytes(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${hexOfBytes(bytes)}`);
}

/** Big-endian; at least one byte, or exactly `length`. */
export function bytesOfBigInt(value: bigint, length?: number): Uint8Array {
  let hex = value.toString(16);
  if (hex.length % 2 === 1) hex = `0${hex}`;
  if (length !== undefined) hex = hex.padStart(length * 2, "0");
  return Uint8Array.from({ length: hex.length / 2 }, (_, index) => parseInt(hex.slice(index * 2, index * 2 + 2), 16));
}

export function hexOfBytes(bytes: Uint8Array): string {
  let hex = "";
  for (const byte of bytes) hex += byte.toString(16).padStart(2, "0");
  return hex;
}

export function encodePem(label: string, bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return `-----BEGIN ${label}-----\n${btoa(binary).replace(/.{1,64}/g, "$&\n")}-----END ${label}-----\n`;
}

/** Every block of a PEM text, in order. Blocks that are no base64 are left out. */
export function decodePem(text: string): { label: string; bytes: Uint8Array }[] {
  const blocks: { label: string; bytes: Uint8Array }[] = [];
  for (const [, label = "", base64 = ""] of text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END \1-----/g)) {
    try {
      blocks.push({ label, bytes: Uint8Array.from(atob(base64.replace(/\s/g, "")), (char) => char.charCodeAt(0)) });
    } catch {
      // Not base64: for the caller the block is not there.
    }
  }
  return blocks;
}
