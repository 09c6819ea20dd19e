import type { Files } from "@thingline/transport";
import { type JournalRecord, journalFormat, type SequenceRange } from "./journal-record.js";
import { type JournalDamage, recover } from "./journal-recovery.js";
import { readSegments, RecordBatch, type Segment, SegmentFiles, segmentPath } from "./journal-segments.js";
import type { OfflineDurability, OfflineMessage } from "./types.js";

export interface JournalEntry {
  readonly sequence: number;
  /** Infinity: never. */
  readonly expiresAtUnixMs: number;
  readonly message: OfflineMessage;
}

export interface JournalHandlers {
  /** The entries are on disk, as far as the durability promises. */
  stored(entries: readonly JournalEntry[]): void;
  /** They are not, or not surely; the journal goes on in a new file. */
  failed(entries: readonly JournalEntry[], error: unknown): void;
  /** Something else went wrong that costs disk space or repeated messages, and no message. */
  troubled(error: unknown): void;
  /**
   * Nothing more is asked for, and files or words wait that could not be removed or written: {@link Journal.tidy} tries again. With false:
   * all is in order again.
   */
  untidy(isUntidy: boolean): void;
}

export interface JournalOptions {
  files: Files;
  folder: string;
  durability: OfflineDurability;
  segmentBytes: number;
  /** The journal is written anew when its files take more than this. */
  filesBytesMax: number;
}

export interface OpenedJournal {
  journal: Journal;
  entries: readonly JournalEntry[];
  nextSequence: number;
  damages: readonly JournalDamage[];
}

/** Files that failed writes may leave behind while nothing can be removed. */
export const scrapsMax = 8;
/** Failures in a row after which nothing more is tried for now when no message waits. */
const turnFailuresMax = 2;

/**
 * An append-only journal in files of bounded size. Only the newest file is written to, and never by a later process: each
 * starts a file of its own, so that what a crash left at the end of one stays at its end. Files are removed from the
 * oldest on, since a file may hold the word that a message of an older one is settled.
 *
 * What is asked for while a write is under way goes into the next one together: one append, one flush.
 */
export class Journal {
  readonly #options: JournalOptions;
  readonly #handlers: JournalHandlers;
  readonly #lock: { release(): Promise<void> };
  readonly #files: SegmentFiles;
  readonly #live = new Map<number, { entry: JournalEntry; segment: Segment }>();
  #current: Segment | undefined;
  #nextSequence: number;
  #messages: JournalEntry[] = [];
  #settled: SequenceRange[] = [];
  /** Of the write under way, with what was settled meanwhile. */
  readonly #writing = new Set<number>();
  readonly #settledWhileWriting = new Set<number>();
  /** A write or a removal failed, and what it left is not cleared up. */
  #isUntidy = false;
  #isUntidyTold = false;
  #running: Promise<void> | undefined;
  #isTroubled = false;
  #isClosed = false;
  #rewriteAtBytes: number;

  /** @throws {ThinglineError} LOCKED, FILE_UNREADABLE, STORE_VERSION_UNKNOWN. */
  static async open(options: JournalOptions, handlers: JournalHandlers, nowUnixMs: number): Promise<OpenedJournal> {
    const lock = await options.files.lock(options.folder);
    try {
      const found = await readSegments(options);
      const { messages, nextSequence, damages } = recover(found);
      // From the clock, so that a number does not come again soon: it is part of the checksums.
      const nextSegment = (found.at(-1)?.segment ?? Math.floor(nowUnixMs)) + 1;
      const journal = new Journal(options, handlers, lock, nextSegment, nextSequence);
      for (const { segment, bytes } of found) journal.#files.found(segment, bytes.length);
      const entries = messages.map((entry) => journal.#adopt(entry, entry.segment));
      // So that the damage is told once, and does not hide what is written later.
      if (damages.length > 0 && entries.length > 0) await journal.#rewrite();
      await journal.#removeSettled();
      return { journal, entries, nextSequence, damages };
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  private constructor(
    options: JournalOptions,
    handlers: JournalHandlers,
    lock: { release(): Promise<void> },
    nextSegment: number,
    nextSequence: number,
  ) {
    this.#options = options;
    this.#handlers = handlers;
    this.#lock = lock;
    this.#files = new SegmentFiles(options.files, options.folder, nextSegment);
    this.#nextSequence = nextSequence;
    this.#rewriteAtBytes = options.filesBytesMax;
  }

  /** Bytes of all files. */
  get filesBytes(): number {
    return this.#files.bytes;
  }

  /** Ends with `stored` or `failed`. Sequences rise from call to call. */
  write(entry: JournalEntry): void {
    this.#messages.push(entry);
    this.#start();
  }

  /** The message need not be sent any more. One that is not written yet is not written at all. A crash may undo it. */
  settle(sequence: number): void {
    const live = this.#live.get(sequence);
    if (live !== undefined) {
      live.segment.liveCount -= 1;
      this.#live.delete(sequence);
    } else if (this.#writing.has(sequence)) {
      this.#settledWhileWriting.add(sequence);
    } else {
      const index = this.#messages.findIndex((entry) => entry.sequence === sequence);
      if (index !== -1) this.#messages.splice(index, 1);
      return;
    }
    addSequence(this.#settled, sequence);
    this.#start();
  }

  /** Tries again what failed, when nothing else is asked for. Settled messages whose word could not be written would be sent again. */
  tidy(): void {
    if (this.#isUntidy || this.#settled.length > 0) this.#start();
  }

  /** Writes what was asked for, and gives the folder back. */
  async close(): Promise<void> {
    await this.#quiet();
    this.tidy();
    await this.#quiet();
    this.#isClosed = true;
    await this.#lock.release();
  }

  async #quiet(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  #adopt({ sequence, expiresAtUnixMs, message }: JournalEntry, segmentNumber: number): JournalEntry {
    // A copy: the message is a view of the whole file.
    const entry = { sequence, expiresAtUnixMs, message: { ...message, payload: message.payload.slice() } };
    const segment = this.#files.find(segmentNumber);
    if (segment !== undefined) {
      segment.liveCount += 1;
      this.#live.set(sequence, { entry, segment });
    }
    return entry;
  }

  #start(): void {
    if (!this.#isClosed) this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    // Whatever is asked for in this turn goes into one write.
    await Promise.resolve();
    for (let failures = 0; this.#hasWork && failures < turnFailuresMax;) {
      if (!(await this.#work())) failures += this.#messages.length > 0 ? 0 : 1;
    }
    // Not in a callback of the promise: what is asked for until that ran would start nothing.
    this.#running = undefined;
    this.#tellUntidy();
  }

  get #hasWork(): boolean {
    return this.#messages.length > 0 || this.#settled.length > 0 || this.#isUntidy;
  }

  /** @returns false when something failed */
  async #work(): Promise<boolean> {
    let isWell = true;
    // Files go instead of a word in them. On a full disk that is what makes room for the next message.
    if (this.#live.size === 0 && (this.#messages.length === 0 || this.#isUntidy)) {
      if (await this.#removeAll()) return true;
      isWell = false;
    }
    if (this.#messages.length > 0 || this.#settled.length > 0) isWell = (await this.#writeBatch()) && isWell;
    isWell = (await this.#removeSettled()) && isWell;
    if (this.filesBytes > this.#rewriteAtBytes && this.#live.size > 0) {
      await this.#rewrite();
      isWell = (await this.#removeSettled()) && isWell;
    }
    if (isWell) this.#isUntidy = false;
    return isWell;
  }

  #tellUntidy(): void {
    const isUntidy = this.#isUntidy || this.#settled.length > 0;
    if (this.#isClosed || (!isUntidy && !this.#isUntidyTold)) return;
    this.#isUntidyTold = isUntidy;
    this.#handlers.untidy(isUntidy);
  }

  async #writeBatch(): Promise<boolean> {
    const { files, folder, durability, segmentBytes } = this.#options;
    const current = this.#current;
    const segment = current !== undefined && current.bytes < segmentBytes ? current : this.#files.begin();
    this.#current = segment;
    const batch = new RecordBatch(segment);
    if (segment.bytes === 0) batch.add(this.#header());
    const entries: JournalEntry[] = [];
    for (const entry of this.#messages) {
      if (entries.length > 0 && batch.endOffset >= segmentBytes) break;
      batch.add({ type: "message", ...entry });
      entries.push(entry);
      this.#writing.add(entry.sequence);
    }
    this.#messages = this.#messages.slice(entries.length);
    const settled = this.#settled;
    this.#settled = [];
    if (settled.length > 0) batch.add({ type: "settled", ranges: settled });
    const path = segmentPath(folder, segment.number);
    let isBegun = false;
    try {
      // The file that this write may leave is one of them.
      await this.#files.removeScraps(scrapsMax - 1);
      isBegun = true;
      await files.append(path, batch.bytes());
      // That a message is settled may be forgotten: it is sent once more then.
      if (durability === "disk" && entries.length > 0) await files.flush(path);
    } catch (error) {
      this.#batchFailed({ segment, isBegun }, entries, settled, error);
      return false;
    }
    segment.bytes = batch.endOffset;
    this.#isTroubled = false;
    this.#batchStored(segment, entries);
    return true;
  }

  #batchStored(segment: Segment, entries: readonly JournalEntry[]): void {
    const stored = entries.filter(({ sequence }) => !this.#settledWhileWriting.has(sequence));
    for (const entry of stored) this.#live.set(entry.sequence, { entry, segment });
    segment.liveCount += stored.length;
    this.#endWriting();
    if (stored.length > 0) this.#handlers.stored(stored);
  }

  /**
   * How much of the batch is in the file nobody knows: nothing is appended behind it.
   *
   * @param isBegun whether there may be a file at all
   */
  #batchFailed(
    { segment, isBegun }: { segment: Segment; isBegun: boolean },
    entries: readonly JournalEntry[],
    settled: SequenceRange[],
    error: unknown,
  ): void {
    this.#current = undefined;
    this.#isUntidy = true;
    if (segment.bytes === 0) this.#files.forget(segment, isBegun);
    // Whoever published them is told that they are not stored, so they must not come back.
    for (const { sequence } of entries) addSequence(settled, sequence);
    this.#settled = [...settled, ...this.#settled];
    const failed = entries.filter(({ sequence }) => !this.#settledWhileWriting.has(sequence));
    this.#endWriting();
    if (failed.length > 0) this.#handlers.failed(failed, error);
    else this.#trouble(error);
  }

  #endWriting(): void {
    this.#writing.clear();
    this.#settledWhileWriting.clear();
  }

  #header(): JournalRecord {
    this.#nextSequence = Math.max(this.#nextSequence, (this.#messages.at(-1)?.sequence ?? 0) + 1);
    return { type: "header", format: journalFormat, nextSequence: this.#nextSequence };
  }

  /** Removes files from the oldest on whose messages are all settled. @returns false when one does not go */
  async #removeSettled(): Promise<boolean> {
    const isWell = await this.#removed(() => this.#files.removeScraps(0));
    for (let oldest = this.#files.oldest; oldest?.liveCount === 0; oldest = this.#files.oldest) {
      if (oldest === this.#current) {
        if (this.#messages.length > 0 || this.#live.size > 0) break;
        this.#current = undefined;
      }
      if (!(await this.#removed(() => this.#files.removeOldest()))) return false;
    }
    return isWell;
  }

  /** Nothing is live: all files go, and what was settled need not be said. @returns false when one does not go */
  async #removeAll(): Promise<boolean> {
    this.#current = undefined;
    const { length } = this.#settled;
    const isWell = await this.#removed(() => this.#files.removeScraps(0));
    while (this.#files.oldest !== undefined) {
      if (!(await this.#removed(() => this.#files.removeOldest()))) return false;
    }
    if (!isWell) return false;
    this.#settled.splice(0, length);
    this.#isUntidy = false;
    this.#isTroubled = false;
    return true;
  }

  async #removed(remove: () => Promise<void>): Promise<boolean> {
    try {
      await remove();
      return true;
    } catch (error) {
      this.#isUntidy = true;
      this.#trouble(error);
      return false;
    }
  }

  /** All messages into one new file; the old ones can be removed then. */
  async #rewrite(): Promise<void> {
    const { files, folder, filesBytesMax } = this.#options;
    const segment = this.#files.begin();
    const batch = new RecordBatch(segment);
    batch.add(this.#header());
    const kept = [...this.#live.values()].map(({ entry }) => entry).sort((a, b) => a.sequence - b.sequence);
    for (const entry of kept) batch.add({ type: "message", ...entry });
    this.#current = undefined;
    try {
      await this.#files.removeScraps(scrapsMax);
      await files.replace(segmentPath(folder, segment.number), batch.bytes());
    } catch (error) {
      this.#rewriteAtBytes = this.filesBytes * 2;
      return this.#trouble(error);
    }
    this.#rewriteAtBytes = filesBytesMax;
    segment.bytes = batch.endOffset;
    for (const { sequence } of kept) {
      const live = this.#live.get(sequence);
      // It may have been settled meanwhile.
      if (live === undefined) continue;
      live.segment.liveCount -= 1;
      live.segment = segment;
      segment.liveCount += 1;
    }
  }

  /** Told once, until a write goes well again. */
  #trouble(error: unknown): void {
    if (!this.#isTroubled) this.#handlers.troubled(error);
    this.#isTroubled = true;
  }
}

function addSequence(ranges: SequenceRange[], sequence: number): void {
  const last = ranges.at(-1);
  if (last?.last === sequence - 1) last.last = sequence;
  else ranges.push({ first: sequence, last: sequence });
}
