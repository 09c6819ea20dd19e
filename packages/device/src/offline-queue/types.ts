import type { ThinglineError } from "@thingline/protocol";
import type { PublishProperties } from "@thingline/protocol/mqtt/client";
import type { Files } from "@thingline/transport";

/** A QoS 1 message that waits. */
export interface OfflineMessage {
  topic: string;
  payload: Uint8Array;
  isRetained: boolean;
  /** MQTT 5. */
  properties?: PublishProperties;
}

/**
 * Which message gives way when the queue is full. `refuseNewest`: `publish` rejects with LIMIT_EXCEEDED, and what was
 * taken stays. `dropOldest`: the oldest message that is not on its way gives way; its promise rejects with
 * LIMIT_EXCEEDED, and an `offlineQueue` event of type `dropped` and a counter tell. That is right for readings whose
 * newest value is what counts.
 */
export type OfflineOverflow = "refuseNewest" | "dropOldest";

/**
 * What a stored message survives. `process`: `kill -9`, a crash, a restart of the program: it was handed to the
 * operating system. `disk`: a power cut as well: it was flushed, which costs a flush for each batch of messages.
 */
export type OfflineDurability = "process" | "disk";

export interface OfflineStorage {
  files: Files;
  /** A folder of its own: one queue locks it. Made when it is not there; its files have the mode 0600. */
  folder: string;
  /** Default `process`. */
  durability?: OfflineDurability;
  /** A journal file is closed at this size; it is removed when all its messages are settled. Default {@link defaultJournalSegmentBytes}. */
  segmentBytes?: number;
}

/** Keeps QoS 1 messages while the device is not connected. See {@link Device.publish} for what is guaranteed. */
export interface OfflineQueueOptions {
  /** 1..1,000,000. Default {@link defaultOfflineMessagesMax}. */
  messagesMax?: number;
  /** Topics, payloads and properties of all messages: in memory, and on disk at most three times that. Default {@link defaultOfflineBytesMax}. */
  bytesMax?: number;
  /** Default `refuseNewest`: a message that was taken is not given up for another one. */
  overflow?: OfflineOverflow;
  /** A message older than this is dropped, with an event. Whole milliseconds; a call can give its own. Default: never. */
  expiresAfterMs?: number;
  /**
   * How fast the queue is emptied, so that a backlog is not throttled: AWS IoT Core discards what is over 100 messages a
   * second and connection, in both directions together. `Infinity` for a broker without limits.
   * Default {@link defaultOfflineMessagesPerSecond}.
   */
  messagesPerSecondMax?: number;
  /** Without it the queue is in memory, and lost with the process. */
  storage?: OfflineStorage;
}

export const defaultOfflineMessagesMax = 10_000;
export const defaultOfflineBytesMax = 16 * 1024 * 1024;
export const defaultOfflineMessagesPerSecond = 80;
export const defaultJournalSegmentBytes = 256 * 1024;

/** Why a queued message will not be sent. */
export type OfflineDropReason =
  /** `dropOldest`, and it was the oldest. */
  | "overflow"
  | "expired"
  /** The cloud refused it, or it is larger than the cloud takes. */
  | "refused";

/** What happens to messages that may have no promise any more. */
export type OfflineQueueEvent =
  /** Messages of an earlier process were found in the folder. They are sent in their order, before newer ones. */
  | { type: "restored"; messageCount: number; bytes: number }
  /** PUBACK for a queued message. `isRestored`: it was published by an earlier process. */
  | { type: "acknowledged"; topic: string; sequence: number; isRestored: boolean }
  | { type: "dropped"; reason: OfflineDropReason; message: OfflineMessage; sequence: number; error: ThinglineError }
  /**
   * Bytes of the journal that could not be read were skipped. `tornTail`: a file ends in the middle of a write, as
   * after a power cut. `corrupt`: readable messages follow behind them; told with an `error` event as well.
   */
  | { type: "damaged"; damage: "tornTail" | "corrupt"; path: string; offset: number; lengthBytes: number };

export interface OfflineQueueStats {
  /** Messages and bytes that the queue holds now, those on their way included. */
  messageCount: number;
  bytes: number;
  /** Taken by this object, restored ones excluded. */
  queuedCount: number;
  restoredCount: number;
  acknowledgedCount: number;
  overflowCount: number;
  expiredCount: number;
  refusedCount: number;
}
