import { optionInvalid, type ThinglineError } from "@thingline/protocol";
import {
  defaultJournalSegmentBytes,
  defaultOfflineBytesMax,
  defaultOfflineMessagesMax,
  defaultOfflineMessagesPerSecond,
  type OfflineOverflow,
  type OfflineQueueOptions,
  type OfflineStorage,
} from "./types.js";

export interface CheckedOfflineQueue {
  messagesMax: number;
  bytesMax: number;
  overflow: OfflineOverflow;
  /** Infinity: never. */
  expiresAfterMs: number;
  messagesPerSecondMax: number;
  storage: Required<OfflineStorage> | undefined;
}

/** A year; what is to be kept for longer has no expiry. */
export const offlineExpiryMsMax = 365 * 24 * 3_600_000;

/** @throws {ThinglineError} OPTION_INVALID with the option's name in `details.option`. */
export function checkOfflineQueue(options: OfflineQueueOptions): CheckedOfflineQueue {
  const { overflow = "refuseNewest", expiresAfterMs, storage } = options;
  const rate = options.messagesPerSecondMax ?? defaultOfflineMessagesPerSecond;
  if (overflow !== "refuseNewest" && overflow !== "dropOldest") {
    throw wrong("overflow", "refuseNewest or dropOldest", overflow);
  }
  if (!(rate > 0)) throw wrong("messagesPerSecondMax", "a number above 0", rate);
  return {
    messagesMax: whole("messagesMax", options.messagesMax ?? defaultOfflineMessagesMax, 1, 1_000_000),
    bytesMax: whole("bytesMax", options.bytesMax ?? defaultOfflineBytesMax, 1, 1024 ** 3),
    overflow,
    expiresAfterMs:
      expiresAfterMs === undefined ? Infinity : checkExpiry("offlineQueue.expiresAfterMs", expiresAfterMs),
    messagesPerSecondMax: rate,
    storage: storage === undefined ? undefined : checkStorage(storage),
  };
}

export function checkExpiry(option: string, value: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= offlineExpiryMsMax) return value;
  throw optionInvalid(option, `a whole number in 1..${offlineExpiryMsMax}`, value);
}

function checkStorage({
  files,
  folder,
  durability = "process",
  segmentBytes,
}: OfflineStorage): Required<OfflineStorage> {
  if (typeof folder !== "string" || folder === "") throw wrong("storage.folder", "the path of a folder", typeof folder);
  if (durability !== "process" && durability !== "disk") {
    throw wrong("storage.durability", "process or disk", durability);
  }
  const bytes = whole("storage.segmentBytes", segmentBytes ?? defaultJournalSegmentBytes, 1024, 1024 ** 3);
  return { files, folder, durability, segmentBytes: bytes };
}

function whole(option: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw wrong(option, `a whole number in ${min}..${max}`, value);
}

const wrong = (option: string, expected: string, got: string | number): ThinglineError =>
  optionInvalid(`offlineQueue.${option}`, expected, got);
