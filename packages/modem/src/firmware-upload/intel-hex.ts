/** What is wrong with a text in Intel's HEX format, or how many bytes of data it has. */
export type HexCheck = { type: "whole"; dataBytes: number } | { type: "damaged"; line: number };

const colon = 0x3a;
const dataRecord = 0;
const endRecord = 1;
const lastRecord = 5;
/** Length, address (2), type and sum around the data. */
const frameBytes = 5;

/** Holds every record against its length and its sum, and looks for the record that ends the file. */
export function checkIntelHex(bytes: Uint8Array): HexCheck {
  let dataBytes = 0;
  let line = 0;
  let isOver = false;
  for (let offset = 0; offset < bytes.length;) {
    line++;
    const newline = bytes.indexOf(0x0a, offset);
    const end = newline === -1 ? bytes.length : newline;
    const record = readRecord(bytes, offset, bytes[end - 1] === 0x0d ? end - 1 : end);
    offset = end + 1;
    if (record === "empty") continue;
    if (record === undefined || isOver) return { type: "damaged", line };
    if (record.type === dataRecord) dataBytes += record.dataBytes;
    isOver = record.type === endRecord;
  }
  return isOver ? { type: "whole", dataBytes } : { type: "damaged", line };
}

function readRecord(
  bytes: Uint8Array,
  start: number,
  end: number,
): { type: number; dataBytes: number } | "empty" | undefined {
  if (end <= start) return "empty";
  const count = (end - start - 1) / 2;
  if (bytes[start] !== colon || !Number.isInteger(count) || count < frameBytes) return undefined;
  let sum = 0;
  let dataBytes = 0;
  let type = 0;
  for (let index = 0; index < count; index++) {
    const at = start + 1 + index * 2;
    const value = (digit(bytes[at]) << 4) | digit(bytes[at + 1]);
    if (value < 0) return undefined;
    if (index === 0) dataBytes = value;
    if (index === 3) type = value;
    sum += value;
  }
  const isRight = (sum & 0xff) === 0 && count === dataBytes + frameBytes && type <= lastRecord;
  return isRight ? { type, dataBytes } : undefined;
}

/** -1 for what is no hexadecimal digit, which stays negative in the sum of bits. */
function digit(code = 0): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
