import type { SecureInfo } from "./connection.js";

/**
 * How many bytes of packets may be joined into one write. A write over TLS is a record, and an nRF91's socket dies of
 * a record over 2 KB, so TLS 1.2 (all that the modem speaks) joins only within that. A TLS record holds 16 KB at most.
 */
export const joinBytesMax = { plain: Infinity, "TLSv1.2": 2_048, "TLSv1.3": 16_384 } as const;

/** Larger packets given by reference are not copied. Below, one copy is cheaper than one more part in a write. */
export const copyBytesMax = 4_096;

export const slabBytes = { small: 4_096, large: 65_536 } as const;

/** Free slabs that are kept; what comes back beyond that is left to the garbage collector. */
export const freeSlabsMax = { small: 1_024, large: 64 } as const;

/** Memory that packets are encoded into. Back in the pool when nobody uses it any more. */
export interface Slab {
  readonly bytes: Uint8Array;
  readonly size: keyof typeof slabBytes | undefined;
  users: number;
}

/** One write: its parts in order, and the slabs to give back once the system has taken it. */
export interface Batch {
  readonly parts: Uint8Array[];
  readonly slabs: Slab[];
  lengthBytes: number;
}

/** Slabs shared by all connections of a network: an idle connection holds none. */
export class SlabPool {
  readonly #allocate: (lengthBytes: number) => Uint8Array;
  readonly #free: Record<keyof typeof slabBytes, Slab[]> = { small: [], large: [] };

  constructor(allocate: (lengthBytes: number) => Uint8Array = (lengthBytes) => new Uint8Array(lengthBytes)) {
    this.#allocate = allocate;
  }

  get freeBytes(): number {
    return this.#free.small.length * slabBytes.small + this.#free.large.length * slabBytes.large;
  }

  take(lengthBytes: number): Slab {
    if (lengthBytes > slabBytes.large) return { bytes: this.#allocate(lengthBytes), size: undefined, users: 0 };
    const size = lengthBytes > slabBytes.small ? "large" : "small";
    return this.#free[size].pop() ?? { bytes: this.#allocate(slabBytes[size]), size, users: 0 };
  }

  leave(slab: Slab): void {
    slab.users -= 1;
    if (slab.users > 0 || slab.size === undefined) return;
    const free = this.#free[slab.size];
    if (free.length < freeSlabsMax[slab.size]) free.push(slab);
  }
}

/** Never changed. */
const noBatches: Batch[] = [];
const noBatch: Batch = { parts: [], slabs: [], lengthBytes: 0 };
const noSlab: Slab = { bytes: new Uint8Array(0), size: undefined, users: 0 };

/**
 * A queue of packets in, batches out: each batch is handed to the system as one write. A packet joins the batch before
 * it while their sum stays within `joinBytesMax`; a larger one goes alone and whole. Pure: knows no socket and no time.
 */
export class WritePlan {
  readonly #pool: SlabPool;
  readonly #joinBytesMax: number;
  /** Batches that take no more packets, oldest first, from index `#firstFull`. */
  #full: Batch[] = noBatches;
  #firstFull = 0;
  /** `noBatch` while nothing was collected: an idle connection has no batch of its own. */
  #open: Batch = noBatch;
  #slab: Slab = noSlab;
  /** Length of the slab; -1 once closed, so that nothing fits. */
  #slabLength = 0;
  /** The stretch of the slab that belongs to the open batch and is not among its parts yet. */
  #start = 0;
  #end = 0;
  #slabBytesWanted: number = slabBytes.small;
  #bufferedBytes = 0;
  #isClosed = false;

  constructor(pool: SlabPool, joinBytesMax: number) {
    this.#pool = pool;
    this.#joinBytesMax = joinBytesMax;
  }

  /** Collected and not yet given back by {@link done}. */
  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  /** Where the packet of the last {@link reserve} goes. */
  get slab(): Uint8Array {
    return this.#slab.bytes;
  }

  /** Whether a batch waits that no later packet could join. */
  get hasFullBatch(): boolean {
    return this.#firstFull < this.#full.length;
  }

  /** Room for one packet. @returns its offset in {@link slab}. */
  reserve(lengthBytes: number): number {
    const offset = this.#end;
    const end = offset + lengthBytes;
    const open = this.#open;
    const sum = open.lengthBytes + lengthBytes;
    if (end > this.#slabLength || (sum > this.#joinBytesMax && sum > lengthBytes)) {
      return this.#reserveElsewhere(lengthBytes);
    }
    this.#end = end;
    open.lengthBytes = sum;
    this.#bufferedBytes += lengthBytes;
    return offset;
  }

  /** One packet in up to two parts. Small ones are copied into the slab, large ones kept by reference. */
  add(head: Uint8Array, body?: Uint8Array): void {
    const lengthBytes = head.length + (body?.length ?? 0);
    if (this.#isClosed) return;
    if (lengthBytes <= copyBytesMax) {
      const offset = this.reserve(lengthBytes);
      this.#slab.bytes.set(head, offset);
      if (body !== undefined) this.#slab.bytes.set(body, offset + head.length);
      return;
    }
    this.#begin();
    if (this.#open.lengthBytes > 0 && this.#open.lengthBytes + lengthBytes > this.#joinBytesMax) this.#closeBatch();
    this.#closePart();
    if (head.length > 0) this.#open.parts.push(head);
    if (body !== undefined && body.length > 0) this.#open.parts.push(body);
    this.#open.lengthBytes += lengthBytes;
    this.#bufferedBytes += lengthBytes;
  }

  /** The next write, or undefined. Give it back to {@link done} when the system has taken it. */
  take(): Batch | undefined {
    if (this.#firstFull < this.#full.length) {
      const batch = this.#full[this.#firstFull++];
      if (this.#firstFull === this.#full.length || this.#firstFull >= 1_024) {
        this.#full = this.#firstFull === this.#full.length ? noBatches : this.#full.slice(this.#firstFull);
        this.#firstFull = 0;
      }
      return batch;
    }
    if (this.#open.lengthBytes === 0) return undefined;
    // A connection that needed little of a large slab begins with a small one next time.
    if (this.#slab.size === "large" && this.#end < slabBytes.small) this.#slabBytesWanted = slabBytes.small;
    const batch = this.#open;
    this.#closePart();
    this.#open = noBatch;
    this.#leaveSlab();
    return batch;
  }

  /** The system has taken the batch: its memory may be used again. */
  done(batch: Batch): void {
    this.#bufferedBytes -= batch.lengthBytes;
    for (const slab of batch.slabs) this.#pool.leave(slab);
  }

  /** Takes no more packets: what is added from now on goes nowhere. What was collected can still be taken. */
  close(): void {
    if (this.#isClosed) return;
    if (this.#open.lengthBytes > 0) this.#closeBatch();
    this.#leaveSlab();
    this.#slabLength = -1;
    this.#isClosed = true;
  }

  /** Closes and forgets everything. A batch that was taken is not waited for, nor is its memory used again. */
  discard(): void {
    this.close();
    for (const batch of this.#full.slice(this.#firstFull)) this.done(batch);
    this.#full = noBatches;
    this.#firstFull = 0;
    this.#bufferedBytes = 0;
  }

  #begin(): void {
    if (this.#open === noBatch) this.#open = emptyBatch();
  }

  #reserveElsewhere(lengthBytes: number): number {
    if (this.#isClosed) {
      this.#slab = { bytes: new Uint8Array(lengthBytes), size: undefined, users: 0 };
      return 0;
    }
    this.#begin();
    if (this.#open.lengthBytes > 0 && this.#open.lengthBytes + lengthBytes > this.#joinBytesMax) this.#closeBatch();
    if (this.#end + lengthBytes > this.#slabLength) {
      // Its first slab of this batch was too small: the next begins large.
      if (this.#slab !== noSlab) this.#slabBytesWanted = slabBytes.large;
      this.#closePart();
      this.#leaveSlab();
      this.#slab = this.#pool.take(Math.max(lengthBytes, this.#slabBytesWanted));
      this.#slab.users += 1;
      this.#slabLength = this.#slab.bytes.length;
    }
    const offset = this.#end;
    this.#end += lengthBytes;
    this.#open.lengthBytes += lengthBytes;
    this.#bufferedBytes += lengthBytes;
    return offset;
  }

  #closePart(): void {
    if (this.#end === this.#start) return;
    this.#open.parts.push(this.#slab.bytes.subarray(this.#start, this.#end));
    this.#open.slabs.push(this.#slab);
    this.#slab.users += 1;
    this.#start = this.#end;
  }

  #closeBatch(): void {
    this.#closePart();
    if (this.#full === noBatches) this.#full = [];
    this.#full.push(this.#open);
    this.#open = emptyBatch();
  }

  #leaveSlab(): void {
    if (this.#slab !== noSlab) this.#pool.leave(this.#slab);
    this.#slab = noSlab;
    this.#slabLength = 0;
    this.#start = 0;
    this.#end = 0;
  }
}

function emptyBatch(): Batch {
  return { parts: [], slabs: [], lengthBytes: 0 };
}

/** The rule for a connection, given what its TLS handshake agreed on. */
export function joinBytesMaxOf(secure: SecureInfo | undefined): number {
  return joinBytesMax[secure?.protocol ?? "plain"];
}
