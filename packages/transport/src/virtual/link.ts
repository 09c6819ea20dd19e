import { concatBytes, type ThinglineError } from "@thingline/protocol";
import type { Clock, Timer } from "../clock.js";
import type { Endpoint, TlsRecord } from "../connection.js";
import type { Random } from "../random.js";
import { type Channel, type ChannelEvents, lostError, recordTooLargeError } from "../stream-connection.js";
import type { Batch } from "../write-plan.js";
import { type LinkRate, segmentBytes } from "./link-rate.js";

export type Side = "client" | "server";

/** Bytes that a direction holds, on the way and unread, before its sender must wait: the two socket buffers. */
export const virtualWindowBytes = 256 * 1024;

const tlsRecordBytesMax = 16_384;
/** Before the content of a record, which its overhead belongs to. */
const tlsRecordHeaderBytes = 5;

/** What goes wrong on one connection. Bytes are those of the stream, without TLS. */
export interface LinkFaults {
  /** Nobody listens: the dial is refused. */
  isRefused?: boolean;
  /** Nobody answers: the dial ends with its time-out. */
  isUnanswered?: boolean;
  /** One way. Default: the network's. */
  latencyMs?: number | { from: number; to: number };
  /** The connection is reset once so many bytes from this side were delivered. */
  resetAfter?: { from: Side; bytes: number };
  /** What this side sends after so many bytes never arrives, and nobody is told: a half-open connection. */
  silentAfter?: { from: Side; bytes: number };
  /** What this side sends after so many bytes arrives so much later: once, and what follows queues up behind. */
  delayAfter?: { from: Side; bytes: number; ms: number };
  /** Once so many bytes from this side were delivered nothing arrives any more in either direction, and nobody is told. */
  deadAfter?: { from: Side; bytes: number };
  /** Plain bytes arrive in pieces of random length. */
  splitsRandomly?: boolean;
}

/** One open connection of a virtual network, for tests that break it. */
export interface VirtualLink {
  readonly client: Endpoint;
  readonly server: Endpoint;
  readonly isOpen: boolean;
  /** Bytes of the stream that arrived. */
  readonly deliveredBytes: Readonly<Record<Side, number>>;
  /** Both sides lose the connection now. */
  reset(): void;
  /** Nothing arrives in either direction until {@link heal}, then everything does. */
  partition(): void;
  heal(): void;
  /** This side is gone without a word, as after a power cut: the other one is not told. */
  vanish(side: Side): void;
}

type Item = { type: "bytes"; bytes: Uint8Array } | { type: "end" } | { type: "reset" } | { type: "dead" };

export interface LinkOptions {
  clock: Clock;
  random: Random;
  client: Endpoint;
  server: Endpoint;
  faults: LinkFaults;
  defaultLatencyMs: NonNullable<LinkFaults["latencyMs"]>;
  /** Set for TLS: bytes that a record is longer than its plaintext. */
  recordOverheadBytes: number | undefined;
  /** Of what each side sends. Undefined: as fast as it is handed over. */
  rates: Readonly<Record<Side, LinkRate>> | undefined;
  onClosed: () => void;
}

/** Two directions of bytes in memory, each in order, with a window and faults. */
export class Link implements VirtualLink {
  readonly client: Endpoint;
  readonly server: Endpoint;
  readonly #options: LinkOptions;
  readonly #ends: Record<Side, LinkChannel>;
  #isPartitioned = false;
  #openEnds = 2;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.client = options.client;
    this.server = options.server;
    const make = (side: Side): LinkChannel => new LinkChannel(this, side, options);
    this.#ends = { client: make("client"), server: make("server") };
  }

  get isOpen(): boolean {
    return this.#openEnds > 0;
  }

  get isPartitioned(): boolean {
    return this.#isPartitioned;
  }

  get deliveredBytes(): Readonly<Record<Side, number>> {
    return { client: this.#ends.server.receivedBytes, server: this.#ends.client.receivedBytes };
  }

  end(side: Side): LinkChannel {
    return this.#ends[side];
  }

  other(side: Side): LinkChannel {
    return this.#ends[side === "client" ? "server" : "client"];
  }

  reset(): void {
    for (const side of ["client", "server"] as const) this.#ends[side].lose(lostError("ECONNRESET"));
  }

  partition(): void {
    this.#isPartitioned = true;
  }

  heal(): void {
    this.#isPartitioned = false;
    for (const side of ["client", "server"] as const) this.#ends[side].deliverHeld();
  }

  vanish(side: Side): void {
    this.#ends[side].vanish();
  }

  endClosed(): void {
    this.#openEnds -= 1;
    if (this.#openEnds === 0) this.#options.onClosed();
  }
}

/** One side of a {@link Link}: what it sends, and what is on the way to it. */
export class LinkChannel implements Channel {
  readonly side: Side;
  readonly #link: Link;
  readonly #options: LinkOptions;
  readonly #timers = new Set<Timer>();
  #events: ChannelEvents | undefined;
  #onRecord: ((record: TlsRecord) => void) | undefined;
  #receivedRecordBytesMax = Infinity;

  /** Sent by the other side: items still travelling are timers, these have arrived and wait for a reader. */
  #arrived: Item[] = [];
  /** Arrived behind a partition. */
  #held: Item[] = [];
  #lastArrivalMs = 0;
  /** Of the next item only: those behind it cannot arrive earlier. */
  #delayMs = 0;
  /** Sent by the other side and not yet read by this one. */
  #unreadBytes = 0;
  #takenWaiting: (() => void) | undefined;
  #isReading = false;
  #isDeliveryDue = false;

  #sentBytes = 0;
  receivedBytes = 0;
  /** These faults have happened to what this side sends. */
  #isDead = false;
  #isDelayed = false;
  #isEndSent = false;
  #isEndReceived = false;
  /** Nothing more is sent, received or told: closed, or gone without a word. */
  #isOver = false;

  constructor(link: Link, side: Side, options: LinkOptions) {
    this.#link = link;
    this.side = side;
    this.#options = options;
  }

  attach(
    events: ChannelEvents,
    options: { onRecord?: ((record: TlsRecord) => void) | undefined; receivedRecordBytesMax?: number | undefined } = {},
  ): this {
    this.#events = events;
    this.#onRecord = options.onRecord;
    this.#receivedRecordBytesMax = options.receivedRecordBytesMax ?? Infinity;
    return this;
  }

  send({ parts, lengthBytes }: Batch): void {
    if (this.#isOver) return;
    const peer = this.#link.other(this.side);
    const { faults } = this.#options;
    // A copy: the slab belongs to somebody else once this write is taken.
    let bytes = concatBytes(parts);
    const before = this.#sentBytes;
    this.#sentBytes += lengthBytes;

    const { resetAfter, silentAfter, deadAfter, delayAfter } = faults;
    const head = (length: number): Uint8Array => bytes.subarray(0, Math.max(0, length - before));
    if (silentAfter?.from === this.side) bytes = head(silentAfter.bytes);
    const isReset = resetAfter?.from === this.side && this.#sentBytes >= resetAfter.bytes;
    if (isReset) bytes = head(resetAfter.bytes);
    const isDead = deadAfter?.from === this.side && this.#sentBytes >= deadAfter.bytes && !this.#isDead;
    if (isDead) bytes = head(deadAfter.bytes);
    const isDelayed = delayAfter?.from === this.side && this.#sentBytes > delayAfter.bytes && !this.#isDelayed;
    const timely = isDelayed ? head(delayAfter.bytes).length : 0;
    this.#sendPieces(bytes.subarray(0, timely));
    if (isDelayed) peer.#delayMs = delayAfter.ms;
    this.#sendPieces(bytes.subarray(timely));
    if (isDead) peer.#receiveLater({ type: "dead" });
    this.#isDead ||= isDead;
    this.#isDelayed ||= isDelayed;
    if (isReset) {
      peer.#receiveLater({ type: "reset" });
      this.#receiveLater({ type: "reset" });
    }
    // What was lost on the way is never acknowledged, so it fills the window for ever.
    peer.#unreadBytes += lengthBytes - bytes.length;
    peer.#takenWaiting = () => this.#events?.sent();
    peer.#tellTaken();
  }

  #sendPieces(bytes: Uint8Array): void {
    for (const piece of this.#pieces(bytes)) {
      this.#tellRecord("sent", piece.length);
      this.#link.other(this.side).#receiveLater({ type: "bytes", bytes: piece });
    }
  }

  end(): void {
    if (this.#isOver || this.#isEndSent) return;
    this.#isEndSent = true;
    const peer = this.#link.other(this.side);
    const { silentAfter } = this.#options.faults;
    const isLost = silentAfter?.from === this.side && this.#sentBytes >= silentAfter.bytes;
    if (!isLost) peer.#receiveLater({ type: "end" });
    if (this.#isEndReceived) this.#closeLater(undefined);
  }

  destroy(): void {
    if (this.#isOver) return;
    this.#link.other(this.side).#receiveLater({ type: "reset" });
    this.#closeLater(undefined);
  }

  pause(): void {
    this.#isReading = false;
  }

  resume(): void {
    this.#isReading = true;
    this.#deliverLater();
  }

  lose(error: ThinglineError): void {
    this.#closeLater(error);
  }

  vanish(): void {
    if (this.#isOver) return;
    this.#stop();
    this.#link.endClosed();
  }

  deliverHeld(): void {
    // What arrives until then queues up behind.
    this.#later(0, () => {
      if (this.#link.isPartitioned) return;
      const held = this.#held;
      this.#held = [];
      for (const item of held) this.#arrive(item);
    });
  }

  /** One TLS record at a time, or whatever pieces a plain stream falls into. */
  *#pieces(bytes: Uint8Array): Generator<Uint8Array> {
    const { recordOverheadBytes, rates, faults, random } = this.#options;
    // Of a stream on a slow link each packet is read as it comes; a record of TLS only as a whole.
    const plainBytesMax = rates === undefined ? Infinity : segmentBytes;
    const pieceBytesMax = recordOverheadBytes === undefined ? plainBytesMax : tlsRecordBytesMax;
    for (let offset = 0; offset < bytes.length;) {
      const rest = bytes.length - offset;
      let length = Math.min(rest, pieceBytesMax);
      if (recordOverheadBytes === undefined && faults.splitsRandomly === true) length = 1 + random.integer(rest);
      yield bytes.subarray(offset, offset + length);
      offset += length;
    }
  }

  #tellRecord(direction: TlsRecord["direction"], lengthBytes: number): void {
    const overhead = this.#options.recordOverheadBytes;
    if (overhead === undefined) return;
    this.#onRecord?.({ direction, contentType: 23, lengthBytes: lengthBytes + overhead });
  }

  #receiveLater(item: Item): void {
    if (item.type === "bytes") this.#unreadBytes += item.bytes.length;
    if (this.#isOver) return;
    const { clock, faults, defaultLatencyMs, random } = this.#options;
    const latency = faults.latencyMs ?? defaultLatencyMs;
    const latencyMs =
      typeof latency === "number" ? latency : latency.from + random.fraction() * (latency.to - latency.from);
    const nowMs = clock.monotonicMs();
    const leftMs = item.type === "bytes" ? this.#passRate(item.bytes.length, nowMs) : nowMs;
    // Never before what was sent earlier.
    const arrivalMs = Math.max(leftMs + latencyMs + this.#delayMs, this.#lastArrivalMs);
    this.#delayMs = 0;
    this.#lastArrivalMs = arrivalMs;
    this.#later(arrivalMs - nowMs, () => this.#arrive(item));
  }

  /** @returns when bytes of the other side have left it */
  #passRate(lengthBytes: number, nowMs: number): number {
    const { rates, recordOverheadBytes } = this.#options;
    const tlsBytes = recordOverheadBytes === undefined ? 0 : tlsRecordHeaderBytes + recordOverheadBytes;
    const rate = rates?.[this.#link.other(this.side).side];
    return rate === undefined ? nowMs : rate.pass(lengthBytes + tlsBytes, nowMs);
  }

  #arrive(item: Item): void {
    if (this.#link.isPartitioned || this.#held.length > 0) {
      this.#held.push(item);
      return;
    }
    if (item.type === "dead") return this.#link.partition();
    // A reset does not wait for a reader: what is unread is lost.
    if (item.type === "reset") return this.#close(lostError("ECONNRESET"));
    this.#arrived.push(item);
    this.#deliver();
  }

  #deliverLater(): void {
    if (this.#isDeliveryDue || this.#arrived.length === 0) return;
    this.#isDeliveryDue = true;
    this.#later(0, () => {
      this.#isDeliveryDue = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    while (this.#isReading && !this.#isOver) {
      const item = this.#arrived.shift();
      if (item === undefined) return;
      if (item.type === "bytes") this.#read(item.bytes);
      else this.#readEnd();
    }
  }

  #read(bytes: Uint8Array): void {
    this.#unreadBytes -= bytes.length;
    this.#tellTaken();
    this.#tellRecord("received", bytes.length);
    if (this.#options.recordOverheadBytes !== undefined && bytes.length > this.#receivedRecordBytesMax) {
      const error = recordTooLargeError(bytes.length, this.#receivedRecordBytesMax);
      this.#link.other(this.side).#receiveLater({ type: "reset" });
      return this.#closeLater(error);
    }
    this.receivedBytes += bytes.length;
    this.#events?.received(bytes);
  }

  #readEnd(): void {
    this.#isEndReceived = true;
    this.#events?.ended();
    if (this.#isEndSent) this.#closeLater(undefined);
  }

  #tellTaken(): void {
    const taken = this.#takenWaiting;
    // Whoever is gone without a word acknowledges nothing, so its window fills for ever.
    if (taken === undefined || this.#unreadBytes > virtualWindowBytes) return;
    this.#takenWaiting = undefined;
    this.#link.other(this.side).#later(0, taken);
  }

  #closeLater(error: ThinglineError | undefined): void {
    if (this.#isOver) return;
    this.#stop();
    this.#options.clock.setTimer(0, () => this.#tellClosed(error));
  }

  #close(error: ThinglineError | undefined): void {
    if (this.#isOver) return;
    this.#stop();
    this.#tellClosed(error);
  }

  #tellClosed(error: ThinglineError | undefined): void {
    this.#link.endClosed();
    this.#events?.channelClosed(error);
  }

  #stop(): void {
    this.#isOver = true;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    this.#arrived = [];
    this.#held = [];
  }

  #later(delayMs: number, callback: () => void): void {
    if (this.#isOver) return;
    const timer = this.#options.clock.setTimer(delayMs, () => {
      this.#timers.delete(timer);
      callback();
    });
    this.#timers.add(timer);
  }
}
