import { concatBytes, type ThinglineError } from "@thingline/protocol";
import type { Clock } from "./clock.js";
import type { Connection, Endpoint } from "./connection.js";
import { type Channel, type ChannelEvents, lostError, StreamConnection } from "./stream-connection.js";
import { type Batch, SlabPool } from "./write-plan.js";

/** Default of {@link ConnectionPairOptions.windowBytes}. */
export const pairWindowBytes = 65_536;

export interface ConnectionPairOptions {
  clock: Clock;
  /** What an end holds for its reader before the other one's output counts as not taken. Default {@link pairWindowBytes}. */
  windowBytes?: number;
  /** Names for both ends; default `near` and `far`, port 0. */
  near?: Endpoint;
  far?: Endpoint;
}

/**
 * A byte stream inside the process: two connected ends. What one sends the other gets at the end of the event-loop turn; no network, no
 * time and no fault lies between them.
 */
export function createConnectionPair(options: ConnectionPairOptions): { near: Connection; far: Connection } {
  const { clock, windowBytes = pairWindowBytes } = options;
  const { near = { host: "near", port: 0 }, far = { host: "far", port: 0 } } = options;
  const pool = new SlabPool();
  const connectionOf = (local: Endpoint, remote: Endpoint): StreamConnection =>
    new StreamConnection({ clock, pool, secure: undefined, local, remote });
  const nearEnd = connectionOf(near, far);
  const farEnd = connectionOf(far, near);
  const nearChannel = new PairChannel(clock, windowBytes, nearEnd);
  const farChannel = new PairChannel(clock, windowBytes, farEnd);
  nearChannel.peer = farChannel;
  farChannel.peer = nearChannel;
  return { near: nearEnd.attach(nearChannel), far: farEnd.attach(farChannel) };
}

/** One direction of a pair and a half: what its end sends, and what has come for it. */
class PairChannel implements Channel {
  peer: PairChannel | undefined;
  readonly #clock: Clock;
  readonly #windowBytes: number;
  readonly #events: ChannelEvents;
  /** Came for this end and was not read yet. */
  #arrived: Uint8Array[] = [];
  #unreadBytes = 0;
  #isReading = false;
  #isTurnPlanned = false;
  /** The other end waits to hear that its write was taken. */
  #isTakenDue = false;
  #isEndSent = false;
  #isEndArrived = false;
  #isEndRead = false;
  /** Nothing more is read or told but the end itself. */
  #isOver = false;
  #isToldOver = false;
  #error: ThinglineError | undefined;

  constructor(clock: Clock, windowBytes: number, events: ChannelEvents) {
    this.#clock = clock;
    this.#windowBytes = windowBytes;
    this.#events = events;
  }

  send({ parts, lengthBytes }: Batch): void {
    const { peer } = this;
    if (this.#isOver || peer === undefined) return;
    // A copy: the slab belongs to somebody else once this write is taken.
    peer.#arrived.push(concatBytes(parts));
    peer.#unreadBytes += lengthBytes;
    peer.#isTakenDue = true;
    peer.#plan();
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
  }

  resume(): void {
    this.#isReading = true;
    this.#plan();
  }

  #finish(error: ThinglineError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#error = error;
    this.#arrived = [];
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
    while (this.#isReading && !this.#isOver) {
      const bytes = this.#arrived.shift();
      if (bytes === undefined) break;
      this.#unreadBytes -= bytes.length;
      this.#events.received(bytes);
    }
    if (this.#isTakenDue && this.#unreadBytes <= this.#windowBytes && !this.#isOver) {
      this.#isTakenDue = false;
      if (this.peer !== undefined) this.peer.#taken();
    }
    const isAllRead = this.#isReading && this.#arrived.length === 0;
    if (this.#isEndArrived && !this.#isEndRead && isAllRead && !this.#isOver) {
      this.#isEndRead = true;
      this.#events.ended();
      if (this.#isEndSent) this.#finish(undefined);
    }
    if (!this.#isOver || this.#isToldOver) return;
    this.#isToldOver = true;
    this.#events.channelClosed(this.#error);
  }

  #taken(): void {
    if (!this.#isOver) this.#events.sent();
  }
}
