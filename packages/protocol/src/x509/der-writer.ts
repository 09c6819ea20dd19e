import { concatBytes } from "../bytes.js";
import { derTags } from "./der.js";

/** One element of any tag; `contents` are joined. */
export function encodeDer(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const length = contents.reduce((sum, content) => sum + content.length, 0);
  const lengthBytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) lengthBytes.unshift(rest % 256);
  const head = length < 0x80 ? [tag, length] : [tag, 0x80 | lengthBytes.length, ...lengthBytes];
  return concatBytes([Uint8Array.from(head), ...contents]);
}

export const encodedNull: Uint8Array = encodeDer(derTags.null);
export const encodedTrue: Uint8Array = encodeDer(derTags.boolean, Uint8Array.of(0xff));

export function encodeSequence(...contents: readonly Uint8Array[]): Uint8Array {
  return encodeDer(derTags.sequence, ...contents);
}

/** Whole bytes: a BIT STRING begins with the count of unused bits. */
export function encodeBitString(bytes: Uint8Array): Uint8Array {
  return encodeDer(derTags.bitString, Uint8Array.of(0), bytes);
}

/** @param value 0 or more. */
export function encodeInteger(value: bigint): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; rest > 0n || bytes.length === 0; rest >>= 8n) bytes.unshift(Number(rest & 0xffn));
  // The first bit would be a sign.
  if ((bytes[0] ?? 0) >= 0x80) bytes.unshift(0);
  return encodeDer(derTags.integer, Uint8Array.from(bytes));
}

/** @param text `2.5.4.3` */
export function encodeObjectIdentifier(text: string): Uint8Array {
  const [root = 0, second = 0, ...rest] = text.split(".").map(Number);
  const bytes = [root * 40 + second, ...rest].flatMap((arc) => {
    const groups = [arc % 128];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) groups.unshift((left % 128) | 0x80);
    return groups;
  });
  return encodeDer(derTags.objectIdentifier, Uint8Array.from(bytes));
}
