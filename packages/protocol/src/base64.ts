const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const none = 0xff;
/** By ASCII code. */
const values = new Uint8Array(128).fill(none);
for (let value = 0; value < alphabet.length; value++) values[alphabet.charCodeAt(value)] = value;

/** Two characters by the 12 bits that they stand for. Filled when the first text is written. */
const pairs: string[] = [];

function fillPairs(): void {
  for (const first of alphabet) for (const second of alphabet) pairs.push(first + second);
}

/** RFC 4648 base64 with padding, no line breaks. */
export function encodeBase64(bytes: Uint8Array): string {
  if (pairs.length === 0) fillPairs();
  const wholeEnd = bytes.length - (bytes.length % 3);
  let text = "";
  for (let index = 0; index < wholeEnd; index += 3) {
    const group = (bytes[index]! << 16) | (bytes[index + 1]! << 8) | bytes[index + 2]!;
    text += pairs[group >> 12]! + pairs[group & 4095]!;
  }
  if (wholeEnd === bytes.length) return text;
  const group = (bytes[wholeEnd]! << 16) | ((bytes[wholeEnd + 1] ?? 0) << 8);
  const isTwo = wholeEnd + 2 === bytes.length;
  return `${text}${pairs[group >> 12]}${isTwo ? alphabet[(group >> 6) & 63] : "="}=`;
}

/** Strict: full groups of four, right padding, no stray bits, no blanks. Undefined: it is not base64. */
export function decodeBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0) return undefined;
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  const wholeEnd = padding === 0 ? text.length : text.length - 4;
  let written = 0;
  for (let index = 0; index < wholeEnd; index += 4) {
    const group = groupAt(text, index);
    if (group < 0) return undefined;
    bytes[written++] = group >> 16;
    bytes[written++] = group >> 8;
    bytes[written++] = group;
  }
  if (padding === 0) return bytes;
  const group = groupAt(`${text.slice(wholeEnd, text.length - padding)}AA`, 0);
  if (group < 0 || (group & (padding === 2 ? 0xffff : 0xff)) !== 0) return undefined;
  bytes[written++] = group >> 16;
  if (padding === 1) bytes[written] = group >> 8;
  return bytes;
}

/** 24 bits of four characters, or a negative number. */
function groupAt(text: string, index: number): number {
  return (
    (valueAt(text, index) << 18) |
    (valueAt(text, index + 1) << 12) |
    (valueAt(text, index + 2) << 6) |
    valueAt(text, index + 3)
  );
}

/** Six bits; -1 for what is not of the alphabet, which stays negative in a group of four. */
function valueAt(text: string, index: number): number {
  const value = values[text.charCodeAt(index)];
  return value === undefined || value === none ? -1 : value;
}
