import { findMagic, type JournalRecord, readRecord } from "./journal-record.js";
import type { OfflineMessage } from "./types.js";

/** Bytes of a journal file that could not be read. */
export interface JournalDamage {
  /** `tornTail`: nothing readable follows in the file. `corrupt`: something does. */
  damage: "tornTail" | "corrupt";
  segment: number;
  offset: number;
  lengthBytes: number;
}

export interface RecoveredMessage {
  sequence: number;
  expiresAtUnixMs: number;
  message: OfflineMessage;
  /** The oldest file that holds it. */
  segment: number;
}

export interface Recovery {
  /** In the order in which they were published. */
  messages: RecoveredMessage[];
  /** Higher than every sequence that was found. */
  nextSequence: number;
  damages: JournalDamage[];
}

/** Reads one file of the journal; what cannot be read is skipped and told. */
export function readSegment(
  segment: number,
  bytes: Uint8Array,
): { records: JournalRecord[]; damages: JournalDamage[] } {
  const records: JournalRecord[] = [];
  const damages: JournalDamage[] = [];
  let damagedFrom = -1;
  let offset = 0;
  while (offset < bytes.length) {
    const reading = readRecord(bytes, { segment, offset });
    if (reading.type === "record") {
      if (damagedFrom !== -1) {
        damages.push({ damage: "corrupt", segment, offset: damagedFrom, lengthBytes: offset - damagedFrom });
      }
      damagedFrom = -1;
      records.push(reading.record);
      offset += reading.lengthBytes;
      continue;
    }
    if (damagedFrom === -1) damagedFrom = offset;
    if (reading.type === "damaged") {
      offset += reading.lengthBytes;
    } else {
      const next = findMagic(bytes, offset + 1);
      offset = next === -1 ? bytes.length : next;
    }
  }
  if (damagedFrom !== -1) {
    damages.push({ damage: "tornTail", segment, offset: damagedFrom, lengthBytes: bytes.length - damagedFrom });
  }
  return { records, damages };
}

/** What the files of a journal, in the order of their numbers, say together. */
export function recover(segments: readonly { segment: number; bytes: Uint8Array }[]): Recovery {
  const messages = new Map<number, RecoveredMessage>();
  const damages: JournalDamage[] = [];
  let nextSequence = 1;
  for (const { segment, bytes } of segments) {
    const reading = readSegment(segment, bytes);
    damages.push(...reading.damages);
    for (const record of reading.records) {
      if (record.type === "header") {
        nextSequence = Math.max(nextSequence, record.nextSequence);
      } else if (record.type === "message") {
        const { sequence, expiresAtUnixMs, message } = record;
        nextSequence = Math.max(nextSequence, sequence + 1);
        // A journal that was rewritten holds a message twice until the old files are gone.
        if (!messages.has(sequence)) messages.set(sequence, { sequence, expiresAtUnixMs, message, segment });
      } else {
        for (const { first, last } of record.ranges) {
          nextSequence = Math.max(nextSequence, last + 1);
          settle(messages, first, last);
        }
      }
    }
  }
  const inOrder = [...messages.values()].sort((a, b) => a.sequence - b.sequence);
  return { messages: inOrder, nextSequence, damages };
}

/** A range may be far longer than what is there. */
function settle(messages: Map<number, RecoveredMessage>, first: number, last: number): void {
  if (last - first < messages.size) {
    for (let sequence = first; sequence <= last; sequence++) messages.delete(sequence);
    return;
  }
  for (const sequence of messages.keys()) if (sequence >= first && sequence <= last) messages.delete(sequence);
}
