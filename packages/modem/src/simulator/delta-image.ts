import { concatBytes, crc32, isRecord, optionInvalid } from "@thingline/protocol";

/** What a simulated delta image says of itself. */
export interface SimulatedDelta {
  /** The firmware that it changes, as `AT+CGMR` has it. */
  from: string;
  /** What runs after it. */
  to: string;
  /** Of the whole image. */
  sizeBytes: number;
}

export interface SimulatedDeltaOptions {
  from: string;
  to: string;
  /** Default 16 KiB. */
  sizeBytes?: number;
}

/** `meDu`, at offset 4 of Nordic's delta images: by this a target recognises them. */
const magic = 0x7544_656d;
const headBytes = 8;
const factsBytesMax = 512;
const sumBytes = 4;

/**
 * A delta image for a simulated modem. Nordic's own are neither public nor, on a simulated modem, of use; this one begins with their magic, and
 * says in clear what it does. Its checksum stands for their signature.
 *
 * @throws {ThinglineError} OPTION_INVALID
 */
export function makeSimulatedModemDelta({ from, to, sizeBytes = 16_384 }: SimulatedDeltaOptions): Uint8Array {
  const facts = new TextEncoder().encode(JSON.stringify({ from, to, sizeBytes }));
  if (facts.length > factsBytesMax) throw optionInvalid("to", `a name of at most ${factsBytesMax} bytes`, to.length);
  const fillBytes = sizeBytes - headBytes - facts.length - sumBytes;
  if (fillBytes < 0) throw optionInvalid("sizeBytes", `at least ${sizeBytes - fillBytes}`, sizeBytes);
  const fill = new Uint8Array(fillBytes);
  // An image may be 2.5 MiB, for which `Uint8Array.from` takes eight times as long.
  for (let index = 0; index < fillBytes; index++) fill[index] = (index * 31 + (index >> 8)) & 0xff;
  const body = concatBytes([uint32(facts.length), uint32(magic), facts, fill]);
  return concatBytes([body, uint32(crc32(body))]);
}

/** @returns undefined: more bytes are needed; `invalid`: no delta image */
export function readDeltaHead(bytes: Uint8Array): SimulatedDelta | "invalid" | undefined {
  if (bytes.length < headBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(0, true);
  if (view.getUint32(4, true) !== magic || length > factsBytesMax) return "invalid";
  if (bytes.length < headBytes + length) return undefined;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(headBytes, headBytes + length));
    const facts: unknown = JSON.parse(text);
    if (!isRecord(facts)) return "invalid";
    const { from, to, sizeBytes } = facts;
    if (typeof from !== "string" || typeof to !== "string" || !/^[\w.-]{1,64}$/u.test(to)) return "invalid";
    return typeof sizeBytes === "number" ? { from, to, sizeBytes } : "invalid";
  } catch {
    return "invalid";
  }
}

/** Whether a whole image is as it was made. */
export function isAuthenticDelta(bytes: Uint8Array): boolean {
  if (bytes.length < headBytes + sumBytes) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.getUint32(bytes.length - sumBytes, true) === crc32(bytes.subarray(0, -sumBytes));
}

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}
