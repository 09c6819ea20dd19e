import { crc32 } from "@thingline/protocol";
import { encodeBase64 } from "@thingline/protocol/x509";

/** A checksum of content that comes in pieces. */
export interface Checksum {
  update(chunk: Uint8Array): void;
  /** As AWS writes it. */
  base64(): string;
}

/** Reflected: Castagnoli's polynomial. */
const crc32cPolynomial = 0x82f6_3b78;
/** Reflected, the two halves of it: NVM Express's polynomial. */
const crc64Polynomial = { high: 0x9a6c_9329, low: 0xac4b_c9b5 };

/** Made by the first that needs them. */
let crc32cTable: Uint32Array | undefined;
let crc64Tables: { high: Int32Array; low: Int32Array } | undefined;

/** Headers that S3 takes a checksum in; that of SHA-256 is known of every object. */
export const checksumHeaders = [
  "x-amz-checksum-crc32",
  "x-amz-checksum-crc32c",
  "x-amz-checksum-crc64nvme",
  "x-amz-checksum-sha256",
] as const;
export type ChecksumHeader = (typeof checksumHeaders)[number];

export const isChecksumHeader = (name: string): name is ChecksumHeader =>
  (checksumHeaders as readonly string[]).includes(name);

/** @returns undefined for SHA-256, which whoever stores the content computes anyway */
export function checksumOf(header: ChecksumHeader): Checksum | undefined {
  if (header === "x-amz-checksum-crc32") return checksum32(crc32);
  if (header === "x-amz-checksum-crc32c") return checksum32(crc32c);
  return header === "x-amz-checksum-crc64nvme" ? checksum64() : undefined;
}

function checksum32(next: (chunk: Uint8Array, seed: number) => number): Checksum {
  let value = 0;
  return {
    update: (chunk) => void (value = next(chunk, value)),
    base64: () => bigEndian(value),
  };
}

function crc32c(chunk: Uint8Array, seed: number): number {
  crc32cTable ??= Uint32Array.from({ length: 256 }, (_none, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ crc32cPolynomial : value >>> 1;
    return value;
  });
  let value = ~seed;
  for (let at = 0; at < chunk.length; at++) {
    value = (crc32cTable[(value ^ (chunk[at] as number)) & 0xff] as number) ^ (value >>> 8);
  }
  return ~value >>> 0;
}

/** In two halves, as there are no integers of 64 bits that would be fast. */
function checksum64(): Checksum {
  const tables = (crc64Tables ??= makeCrc64Tables());
  const value = { high: -1, low: -1 };
  return {
    update(chunk) {
      let { high, low } = value;
      for (let index = 0; index < chunk.length; index++) {
        const at = (low ^ (chunk[index] as number)) & 0xff;
        low = ((low >>> 8) | (high << 24)) ^ (tables.low[at] as number);
        high = (high >>> 8) ^ (tables.high[at] as number);
      }
      value.high = high;
      value.low = low;
    },
    base64: () => bigEndian(~value.high, ~value.low),
  };
}

function makeCrc64Tables(): { high: Int32Array; low: Int32Array } {
  const tables = { high: new Int32Array(256), low: new Int32Array(256) };
  for (let byte = 0; byte < 256; byte++) {
    let [high, low] = [0, byte];
    for (let bit = 0; bit < 8; bit++) {
      const isOdd = (low & 1) === 1;
      low = (low >>> 1) | (high << 31);
      high >>>= 1;
      if (isOdd) {
        low ^= crc64Polynomial.low;
        high ^= crc64Polynomial.high;
      }
    }
    tables.high[byte] = high;
    tables.low[byte] = low;
  }
  return tables;
}

function bigEndian(...words: number[]): string {
  const view = new DataView(new ArrayBuffer(words.length * 4));
  words.forEach((word, at) => view.setInt32(at * 4, word | 0));
  return encodeBase64(new Uint8Array(view.buffer));
}
