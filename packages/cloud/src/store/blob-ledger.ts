import { ThinglineError } from "@thingline/protocol";
import {
  blobBytesMax,
  blobBytesTotalMax,
  blobPutsMax,
  blobReadsMax,
  blobsMax,
  checkBlobKey,
  type BlobEntry,
  type BlobKey,
  type BlobLimits,
  type BlobListOptions,
  type BlobPutOptions,
} from "./blobs.js";
import { afterPrefix, encodeKey } from "./key-encoding.js";
import { SortedMap } from "./sorted-map.js";

type Chunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** A put under way: what it has taken counts as soon as it is there. */
export interface PendingPut {
  /** The content, chunk by chunk, counted. @throws {ThinglineError} LIMIT_EXCEEDED, ABORTED, CLOSED; whatever `chunks` throws. */
  take(chunks: Chunks): AsyncIterable<Uint8Array>;
  /** The blob is there. */
  done(): void;
  /** It is not. Nothing happens after {@link done}. */
  dropped(): void;
}

/** Ends a put from outside, also while it waits for a chunk that never comes. */
class PutEnd {
  #error: Error | undefined;
  #reject: ((error: Error) => void) | undefined;

  end(error: Error): void {
    if (this.#error !== undefined) return;
    this.#error = error;
    this.#reject?.(error);
  }

  /** @throws what it was ended with */
  requireOpen(): void {
    if (this.#error !== undefined) throw this.#error;
  }

  /** What the work comes to, unless the put is ended before. Nothing of it is kept afterwards, however many are waited for. */
  wait<T>(work: T | PromiseLike<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#reject = reject;
      Promise.resolve(work).then(resolve, reject);
      if (this.#error !== undefined) reject(this.#error);
    });
  }
}

/** Which blobs there are, and the bounds that every blob store keeps. */
export class BlobLedger {
  readonly #entries = new SortedMap<BlobEntry>();
  readonly #putting = new Set<string>();
  readonly #bytesTotalMax: number;
  readonly #blobsMax: number;
  #bytes = 0;
  #bytesPutting = 0;
  #reads = 0;
  /** Of the puts under way. */
  readonly #ends = new Set<PutEnd>();
  #isClosed = false;

  constructor(limits: BlobLimits = {}) {
    this.#bytesTotalMax = limits.bytesTotalMax ?? blobBytesTotalMax;
    this.#blobsMax = limits.blobsMax ?? blobsMax;
  }

  get bytesTotal(): number {
    return this.#bytes;
  }

  /** @throws {ThinglineError} OPTION_INVALID, CLOSED */
  find(key: BlobKey): BlobEntry | undefined {
    this.requireOpen();
    checkBlobKey(key);
    return this.#entries.get(encodeKey(key));
  }

  /** As {@link find}, also after the end. */
  has(key: BlobKey): boolean {
    return this.#entries.get(encodeKey(key)) !== undefined;
  }

  list(prefix: readonly string[], { after, limit }: BlobListOptions): BlobEntry[] {
    this.requireOpen();
    const start = encodeKey(prefix);
    const edge = after === undefined ? start : encodeKey(after);
    const above = edge > start ? edge : start;
    return this.#entries.range({ above, below: afterPrefix(start), limit, order: "ascending" });
  }

  /** It is there from an earlier process, whatever the limits are now. */
  add(entry: BlobEntry): void {
    this.#entries.set(encodeKey(entry.key), entry);
    this.#bytes += entry.bytes;
  }

  remove(key: BlobKey): void {
    const encoded = encodeKey(key);
    const entry = this.#entries.get(encoded);
    if (entry === undefined) return;
    this.#entries.delete(encoded);
    this.#bytes -= entry.bytes;
  }

  /** @throws {ThinglineError} STORE_CONFLICT, LIMIT_EXCEEDED, OPTION_INVALID, ABORTED, CLOSED */
  beginPut(key: BlobKey, { bytesMax, signal }: BlobPutOptions): PendingPut {
    const existing = this.find(key);
    const encoded = encodeKey(key);
    if (!Number.isSafeInteger(bytesMax) || bytesMax < 0 || bytesMax > blobBytesMax) {
      const message = `bytesMax of a blob must be 0 to ${blobBytesMax}, got ${bytesMax}`;
      throw new ThinglineError("OPTION_INVALID", message, { details: { option: "bytesMax" } });
    }
    if (signal?.aborted === true) throw abortedBy(signal);
    if (existing !== undefined || this.#putting.has(encoded)) {
      throw new ThinglineError("STORE_CONFLICT", `there is a blob ${JSON.stringify(key)} already`);
    }
    if (this.#putting.size >= blobPutsMax) throw exceeded("blobPutsMax", blobPutsMax, "blobs are being put already");
    if (this.#entries.size + this.#putting.size >= this.#blobsMax) {
      throw exceeded("blobsMax", this.#blobsMax, "blobs are kept already");
    }
    this.#putting.add(encoded);
    let bytes = 0;
    const putEnd = new PutEnd();
    this.#ends.add(putEnd);
    const abort = (): void => putEnd.end(abortedBy(signal));
    signal?.addEventListener("abort", abort, { once: true });
    const end = (): boolean => {
      const isOpen = this.#putting.delete(encoded);
      if (!isOpen) return false;
      this.#bytesPutting -= bytes;
      this.#ends.delete(putEnd);
      signal?.removeEventListener("abort", abort);
      return true;
    };
    const count = (more: number): void => {
      if (bytes + more > bytesMax) {
        throw exceeded("bytesMax", bytesMax, "bytes are allowed for this blob, and it has more");
      }
      if (this.#bytes + this.#bytesPutting + more > this.#bytesTotalMax) {
        throw exceeded("blobBytesTotalMax", this.#bytesTotalMax, "bytes of blobs are kept at most, this would be more");
      }
      bytes += more;
      this.#bytesPutting += more;
    };
    return {
      take: (chunks) => takeChunks(chunks, putEnd, count),
      done: () => {
        if (end()) this.add({ key: [...key], bytes });
      },
      dropped: () => void end(),
    };
  }

  /** @returns to be called once when the reading is over @throws {ThinglineError} LIMIT_EXCEEDED */
  beginRead(): () => void {
    if (this.#reads >= blobReadsMax) throw exceeded("blobReadsMax", blobReadsMax, "blobs are being read already");
    this.#reads++;
    return () => void this.#reads--;
  }

  /** @throws {ThinglineError} CLOSED */
  requireOpen(): void {
    if (this.#isClosed) throw closed();
  }

  close(): void {
    this.#isClosed = true;
    for (const putEnd of this.#ends) putEnd.end(closed());
  }
}

/** Whoever gives the chunks may never give another: the wait for it ends with the put. */
async function* takeChunks(chunks: Chunks, putEnd: PutEnd, count: (bytes: number) => void) {
  const iterator = Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]();
  let isAtEnd = false;
  try {
    for (;;) {
      const step = await putEnd.wait(iterator.next());
      isAtEnd = step.done === true;
      if (step.done === true) break;
      // An empty one is in no bound, so nobody keeps it.
      if (step.value.length === 0) continue;
      count(step.value.length);
      yield step.value;
    }
    putEnd.requireOpen();
  } finally {
    // It is told, and not waited for: it may be the one that never answers.
    if (!isAtEnd) void Promise.resolve(iterator.return?.()).catch(() => undefined);
  }
}

const abortedBy = (signal: AbortSignal | undefined) =>
  new ThinglineError("ABORTED", "the put was aborted", { cause: signal?.reason });
const closed = () => new ThinglineError("CLOSED", "the blob store was used after close()");
const exceeded = (limit: string, max: number, what: string) =>
  new ThinglineError("LIMIT_EXCEEDED", `${max} ${what}`, { details: { limit, max } });
