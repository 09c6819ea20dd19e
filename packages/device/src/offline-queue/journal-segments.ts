import { defaultListedNamesMax, type Files } from "@thingline/transport";
import { encodeRecord, type JournalRecord } from "./journal-record.js";

/** A file of a journal. */
export interface Segment {
  readonly number: number;
  bytes: number;
  liveCount: number;
}

/** A segment has at most 1 GiB, and the message that ends it comes on top. */
export const journalFileBytesMax = 1536 * 1024 * 1024;

const segmentName = /^journal-(\d{16})\.log$/;

export function segmentPath(folder: string, segment: number): string {
  return `${folder}/journal-${String(segment).padStart(16, "0")}.log`;
}

export interface SegmentOptions {
  files: Files;
  folder: string;
  segmentBytes: number;
  filesBytesMax: number;
}

/** A file that an earlier process left. */
export interface FoundSegment {
  segment: number;
  bytes: Uint8Array;
}

/** What earlier processes left, oldest first. @throws {ThinglineError} FILE_UNREADABLE, FILE_TOO_LARGE, LIMIT_EXCEEDED */
export async function readSegments(options: SegmentOptions): Promise<FoundSegment[]> {
  const { files, folder, segmentBytes, filesBytesMax } = options;
  // Small files and a large queue: as many as it may fill, and then some.
  const namesMax = defaultListedNamesMax + Math.ceil(filesBytesMax / segmentBytes);
  const found: FoundSegment[] = [];
  for (const name of await files.list(folder, { namesMax })) {
    const number = segmentName.exec(name)?.[1];
    if (number === undefined) continue;
    const bytes = await files.read(segmentPath(folder, Number(number)), { bytesMax: journalFileBytesMax });
    found.push({ segment: Number(number), bytes });
  }
  return found;
}

/** The files of a journal, oldest first, and what failed writes left of others. */
export class SegmentFiles {
  readonly #files: Files;
  readonly #folder: string;
  readonly #segments: Segment[] = [];
  /** What failed writes left of files with nothing else in them. */
  readonly #scraps: Segment[] = [];
  #nextNumber: number;

  constructor(files: Files, folder: string, nextNumber: number) {
    this.#files = files;
    this.#folder = folder;
    this.#nextNumber = nextNumber;
  }

  /** Of all files. */
  get bytes(): number {
    return this.#segments.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get oldest(): Segment | undefined {
    return this.#segments[0];
  }

  find(wanted: number): Segment | undefined {
    return this.#segments.find(({ number }) => number === wanted);
  }

  /** An earlier process left it. */
  found(number: number, bytes: number): void {
    this.#segments.push({ number, bytes, liveCount: 0 });
  }

  begin(): Segment {
    const segment = { number: this.#nextNumber, bytes: 0, liveCount: 0 };
    this.#nextNumber += 1;
    this.#segments.push(segment);
    return segment;
  }

  /** Its first write failed. @param isBegun whether there may be a file at all */
  forget(segment: Segment, isBegun: boolean): void {
    this.#segments.splice(this.#segments.indexOf(segment), 1);
    if (isBegun) this.#scraps.push(segment);
  }

  /** What a file says of older ones is said as long as those are there, so they go in order. */
  async removeOldest(): Promise<void> {
    const { oldest } = this;
    if (oldest === undefined) return;
    await this.#files.remove(segmentPath(this.#folder, oldest.number));
    this.#segments.shift();
  }

  /**
   * Removes what failed writes left. What does not go is left for later, as long as it is little.
   *
   * @param leftMax throws when more than that are left
   */
  async removeScraps(leftMax: number): Promise<void> {
    for (const scrap of [...this.#scraps]) {
      try {
        await this.#files.remove(segmentPath(this.#folder, scrap.number));
      } catch (error) {
        if (this.#scraps.length > leftMax) throw error;
        continue;
      }
      this.#scraps.splice(this.#scraps.indexOf(scrap), 1);
    }
  }
}

/** Records that go to the end of a file in one piece. */
export class RecordBatch {
  readonly #segment: Segment;
  readonly #parts: Uint8Array[] = [];
  endOffset: number;

  constructor(segment: Segment) {
    this.#segment = segment;
    this.endOffset = segment.bytes;
  }

  add(record: JournalRecord): void {
    const bytes = encodeRecord(record, { segment: this.#segment.number, offset: this.endOffset });
    this.#parts.push(bytes);
    this.endOffset += bytes.length;
  }

  bytes(): Uint8Array {
    const whole = new Uint8Array(this.endOffset - this.#segment.bytes);
    let at = 0;
    for (const part of this.#parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }
}
