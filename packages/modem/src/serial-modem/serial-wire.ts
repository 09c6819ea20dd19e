import { concatBytes } from "@thingline/protocol";
import {
  type Batch,
  type Channel,
  type ChannelEvents,
  type Clock,
  type Connection,
  lostError,
  SlabPool,
  StreamConnection,
  type Timer,
} from "@thingline/transport";
import type { ThinglineError } from "@thingline/protocol";

export interface SerialWireOptions {
  clock: Clock;
  /** What the wire carries in each direction. Default: as much as comes, at once. */
  bytesPerSecond?: number | undefined;
  /** The host has taken something of what was sent to it. */
  onTaken?: () => void;
}

/** How often a paced wire hands on what it has carried meanwhile. */
const paceMs = 2;
/** What a wire without a pace hands on at a time: whoever reads may stop it behind each piece. */
const pieceBytes = 4096;

/**
 * A serial line with hardware flow control between a host and a modem: a byte stream inside the process, whose bytes take their time when it is
 * paced. What the other end has not read counts as buffered, and holds the line up.
 */
export function createSerialWire(options: SerialWireOptions): { host: Connection; modem: Connection } {
  const { clock, bytesPerSecond, onTaken = () => undefined } = options;
  const pool = new SlabPool();
  const [hostName, modemName] = [
    { host: "host", port: 0 },
    { host: "modem", port: 0 },
  ];
  const host = new StreamConnection({ clock, pool, secure: undefined, local: hostName, remote: modemName });
  const modem = new StreamConnection({ clock, pool, secure: undefined, local: modemName, remote: hostName });
  const hostChannel = new WireChannel(clock, bytesPerSecond, host);
  const modemChannel = new WireChannel(clock, bytesPerSecond, {
    received: (bytes) => modem.received(bytes),
    sent: () => {
      modem.sent();
      onTaken();
    },
    ended: () => modem.ended(),
    channelClosed: (error) => modem.channelClosed(error),
  });
  hostChannel.peer = modemChannel;
  modemChannel.peer = hostChannel;
  return { host: host.attach(hostChannel), modem: modem.attach(modemChannel) };
}

/** One end of the wire, and what is on its way to it: one write of the other end at most. */
class WireChannel implements Channel {
  peer: WireChannel | undefined;
  readonly #clock: Clock;
  /** Undefined: no pace. */
  readonly #bytesPerMs: number | undefined;
  readonly #events: ChannelEvents;
  #arriving: Uint8Array | undefined;
  #readBytes = 0;
  /** When the first byte of what is arriving that was not read yet began its way. */
  #startMs = 0;
  /** When the last byte was through. */
  #freeAtMs = 0;
  #isInTaken = false;
  #timer: Timer | undefined;
  #isReading = false;
  #isTurnPlanned = false;
  #isEndSent = false;
  #isEndArrived = false;
  #isEndRead = false;
  #isOver = false;
  #isToldOver = false;
  #error: ThinglineError | undefined;

  constructor(clock: Clock, bytesPerSecond: number | undefined, events: ChannelEvents) {
    this.#clock = clock;
    this.#bytesPerMs = bytesPerSecond === undefined ? undefined : bytesPerSecond / 1000;
    this.#events = events;
  }

  send({ parts }: Batch): void {
    const { peer } = this;
    if (this.#isOver || peer === undefined) return;
    // A copy: the slab belongs to somebody else once this write is taken.
    peer.#arrive(concatBytes(parts));
  }

  end(): void {
    if (this.#isOver || this.#isEndSent) return;
    this.#isEndSent = true;
    if (this.peer !== undefined) {
      this.peer.#isEndArrived = true;
      this.peer.#plan();
    }
    if (this.#isEndRead) this.#finish(undefined);
  }

  destroy(): void {
    if (this.peer !== undefined) this.peer.#finish(lostError("ECONNRESET"));
    this.#finish(undefined);
  }

  pause(): void {
    this.#isReading = false;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  resume(): void {
    // Flow control held the line up: its bytes start their way now.
    if (!this.#isReading && this.#arriving !== undefined) {
      this.#startMs = Math.max(this.#startMs, this.#clock.monotonicMs());
    }
    this.#isReading = true;
    this.#plan();
  }

  #arrive(bytes: Uint8Array): void {
    this.#arriving = bytes;
    this.#readBytes = 0;
    const nowMs = this.#clock.monotonicMs();
    // A sender that had it ready sends without a gap, however late the turn of the event loop comes.
    this.#startMs = this.#isInTaken ? this.#freeAtMs : Math.max(this.#freeAtMs, nowMs);
    this.#plan();
  }

  #plan(): void {
    if (this.#isTurnPlanned) return;
    this.#isTurnPlanned = true;
    this.#clock.afterTurn(() => {
      this.#isTurnPlanned = false;
      this.#turn();
    });
  }

  #turn(): void {
    if (this.#isReading && !this.#isOver) this.#carry();
    const isAllRead = this.#isReading && this.#arriving === undefined;
    if (this.#isEndArrived && !this.#isEndRead && isAllRead && !this.#isOver) {
      this.#isEndRead = true;
      this.#events.ended();
      if (this.#isEndSent) this.#finish(undefined);
    }
    if (!this.#isOver || this.#isToldOver) return;
    this.#isToldOver = true;
    this.#events.channelClosed(this.#error);
  }

  /** Hands on what has come through by now, and looks again when more has. */
  #carry(): void {
    const bytes = this.#arriving;
    if (bytes === undefined) return;
    const until = this.#readBytes + this.#throughBytes(bytes.length - this.#readBytes);
    while (this.#readBytes < until && this.#isReading && !this.#isOver) this.#handOn(bytes, until);
    if (this.#arriving === undefined) {
      this.#isInTaken = true;
      if (!this.#isOver && this.peer !== undefined) this.peer.#taken();
      this.#isInTaken = false;
    } else if (this.#bytesPerMs !== undefined && this.#isReading && !this.#isOver) {
      this.#timer?.cancel();
      this.#timer = this.#clock.setTimer(this.#lookAgainMs(), () => this.#turn());
    }
  }

  #handOn(bytes: Uint8Array, until: number): void {
    const from = this.#readBytes;
    this.#readBytes = Math.min(until, from + pieceBytes);
    if (this.#bytesPerMs !== undefined) this.#startMs += (this.#readBytes - from) / this.#bytesPerMs;
    if (this.#readBytes === bytes.length) {
      this.#arriving = undefined;
      this.#freeAtMs = this.#startMs;
    }
    this.#events.received(bytes.subarray(from, this.#readBytes));
  }

  /** A short answer takes no longer than its bytes do. */
  #lookAgainMs(): number {
    const restBytes = (this.#arriving?.length ?? 0) - this.#readBytes;
    const restMs = restBytes / (this.#bytesPerMs ?? Infinity);
    const dueMs = this.#startMs + restMs - this.#clock.monotonicMs();
    return Math.min(paceMs, Math.max(0, dueMs));
  }

  #throughBytes(restBytes: number): number {
    if (this.#bytesPerMs === undefined) return restBytes;
    // The last byte may be a fraction of a millisecond late by rounding: a thousandth of a byte makes up for it.
    const passed = (this.#clock.monotonicMs() - this.#startMs) * this.#bytesPerMs;
    return Math.min(restBytes, Math.max(0, Math.floor(passed + 0.001)));
  }

  #taken(): void {
    if (!this.#isOver) this.#events.sent();
  }

  #finish(error: ThinglineError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#error = error;
    this.#arriving = undefined;
    this.#timer?.cancel();
    this.#plan();
  }
}
