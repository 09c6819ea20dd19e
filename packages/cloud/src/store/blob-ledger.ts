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

/** Which blobs there are, and the bounds that every blob store keeps. */
export class BlobLedger {
  readonly #entries = new SortedMap<BlobEntry>();
  readonly #putting = new Set<string>();
  readonly #bytesTotalMax: number;
  readonly #blobsMax: number;
  #bytes = 0;
  #bytesPutting = 0;
  #reads = 0;
  readonly #closing = new AbortController();

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
    const end = (): boolean => {
      const isOpen = this.#putting.delete(encoded);
      if (isOpen) this.#bytesPutting -= bytes;
      return isOpen;
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
      take: (chunks) => this.#take(chunks, signal, count),
      done: () => {
        if (end()) this.add({ key: [...key], bytes });
      },
      dropped: () => void end(),
    };
  }

  /** Whoever gives the chunks may never give another: the wait for it ends as well. */
  async *#take(chunks: Chunks, signal: AbortSignal | undefined, count: (bytes: number) => void) {
    const ends = signal === undefined ? [this.#closing.signal] : [this.#closing.signal, signal];
    const end = AbortSignal.any(ends);
    const aborted = new Promise<never>((_, reject) => {
      const refuse = (): void => reject(signal?.aborted === true ? abortedBy(signal) : closed());
      if (end.aborted) refuse();
      else end.addEventListener("abort", refuse, { once: true });
    });
    aborted.catch(() => undefined);
    const iterator = Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]();
    let isAtEnd = false;
    try {
      for (;;) {
        const step = await Promise.race([aborted, iterator.next()]);
        isAtEnd = step.done === true;
        if (step.done === true) break;
        count(step.value.length);
        yield step.value;
      }
      if (end.aborted) await aborted;
    } finally {
      // It is told, and not waited for: it may be the one that never answers.
      if (!isAtEnd) void Promise.resolve(iterator.return?.()).catch(() => undefined);
    }
  }

  /** @returns to be called once when the reading is over @throws {ThinglineError} LIMIT_EXCEEDED */
  beginRead(): () => void {
    if (this.#reads >= blobReadsMax) throw exceeded("blobReadsMax", blobReadsMax, "blobs are being read already");
    this.#reads++;
    return () => void this.#reads--;
  }

  /** @throws {ThinglineError} CLOSED */
  requireOpen(): void {
    if (this.#closing.signal.aborted) throw closed();
  }

  close(): void {
    this.#closing.abort();
  }
}

const abortedBy = (signal: AbortSignal) =>
  new ThinglineError("ABORTED", "the put was aborted", { cause: signal.reason });
const closed = () => new ThinglineError("CLOSED", "the blob store was used after close()");
const exceeded = (limit: string, max: number, what: string) =>
  new ThinglineError("LIMIT_EXCEEDED", `${max} ${what}`, { details: { limit, max } });
