import { methodsOf, optionInvalid, type OptionTypes, readOptions } from "@thingline/protocol";
import { streamBlockBytesMax, streamBlockBytesMin, type StreamFormat } from "@thingline/protocol/streams";
import { type Clock, clockOption, type Random, randomOption } from "@thingline/transport";
import type { Device } from "../../device.js";

export const defaultStreamBlockBytes = 4_096;
export const defaultStreamWindowBytes = 128 * 1024;
export const streamWindowBytesMax = 4 * 1024 * 1024;
export const defaultStreamAnswerTimeoutMs = 10_000;
/** Questions in a row that bring nothing, before a download is given up for now. */
export const defaultStreamAttemptsMax = 5;

/** What file delivery needs of its device. */
export type StreamDevice = Pick<Device, "clientId" | "state" | "on" | "publish" | "subscribe">;

export interface StreamDownloaderOptions {
  device: StreamDevice;
  clock: Clock;
  random: Random;
  /** Default: the device's client id. */
  thingName?: string;
  /** JSON writes a block in base64, which is a third more. Default `cbor`. */
  format?: StreamFormat;
  /**
   * Bytes of a block, 256 to 131,072. A block is one message, which has to fit into what the device takes (`payloadBytesMax`) and, where a TLS
   * record is bounded, into one record: 1,024 for the TLS of an nRF91. Default {@link defaultStreamBlockBytes}.
   */
  blockBytes?: number;
  /** Bytes that are asked for ahead, and at most held here: one block to {@link streamWindowBytesMax}. Default {@link defaultStreamWindowBytes}. */
  windowBytes?: number;
  /** So long nothing may come while blocks are awaited, before they are asked for again. Default {@link defaultStreamAnswerTimeoutMs}. */
  answerTimeoutMs?: number;
  /** Questions in a row that bring nothing. Default {@link defaultStreamAttemptsMax}. */
  attemptsMax?: number;
}

export interface CheckedStreamOptions extends Required<StreamDownloaderOptions> {
  /** Blocks that the window holds. */
  windowBlocks: number;
}

const optionTypes = {
  device: methodsOf<StreamDevice>("a Device", { on: true, publish: true, subscribe: true }),
  clock: clockOption,
  random: randomOption,
  thingName: "string",
  format: "string",
  blockBytes: "number",
  windowBytes: "number",
  answerTimeoutMs: "number",
  attemptsMax: "number",
} as const satisfies OptionTypes<StreamDownloaderOptions>;

/** @throws {ThinglineError} OPTION_INVALID */
export function checkStreamOptions(given: StreamDownloaderOptions): CheckedStreamOptions {
  const of = "createStreamDownloader()";
  const options = readOptions(given, optionTypes, { of, required: ["device", "clock", "random"] });
  const { format = "cbor", blockBytes = defaultStreamBlockBytes, thingName = options.device.clientId } = options;
  const { windowBytes = Math.max(blockBytes, defaultStreamWindowBytes) } = options;
  const { answerTimeoutMs = defaultStreamAnswerTimeoutMs, attemptsMax = defaultStreamAttemptsMax } = options;
  if (!["cbor", "json"].includes(format)) throw optionInvalid("format", "cbor or json", "another text");
  if (!/^[a-zA-Z0-9:_-]{1,128}$/u.test(thingName))
    throw optionInvalid("thingName", "the name of a thing", "another text");
  const bounds: readonly [string, number, number, number][] = [
    ["blockBytes", blockBytes, streamBlockBytesMin, streamBlockBytesMax],
    ["windowBytes", windowBytes, blockBytes, streamWindowBytesMax],
    ["answerTimeoutMs", answerTimeoutMs, 1, 3_600_000],
    ["attemptsMax", attemptsMax, 1, 1_000],
  ];
  for (const [name, value, min, max] of bounds) {
    if (Number.isInteger(value) && value >= min && value <= max) continue;
    throw optionInvalid(name, `a whole number of ${min} to ${max}`, value);
  }
  const windowBlocks = Math.floor(windowBytes / blockBytes);
  return { ...options, format, thingName, blockBytes, windowBytes, answerTimeoutMs, attemptsMax, windowBlocks };
}
