import { concatBytes } from "@thingline/protocol";
import type { Clock } from "./clock.js";
import type { Connection, Endpoint } from "./connection.js";
import { PairedChannel } from "./paired-channel.js";
import { type ChannelEvents, StreamConnection } from "./stream-connection.js";
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
class PairChannel extends PairedChannel<PairChannel> {
  readonly #windowBytes: number;
  /** Came for this end and was not read yet. */
  #arrived: Uint8Array[] = [];
  #unreadBytes = 0;
  /** The other end waits to hear that its write was taken. */
  #isTakenDue = false;

  constructor(clock: Clock, windowBytes: number, events: ChannelEvents) {
    super(clock, events);
    this.#windowBytes = windowBytes;
  }

  protected override get isEmpty(): boolean {
    return this.#arrived.length === 0;
  }

  protected override carryTo(peer: PairChannel, { parts, lengthBytes }: Batch): void {
    // A copy: the slab belongs to somebody else once this write is taken.
    peer.#arrived.push(concatBytes(parts));
    peer.#unreadBytes += lengthBytes;
    peer.#isTakenDue = true;
    peer.plan();
  }

  protected override handOn(): void {
    while (this.isFlowing) {
      const bytes = this.#arrived.shift();
      if (bytes === undefined) break;
      this.#unreadBytes -= bytes.length;
      this.events.received(bytes);
    }
    if (!this.#isTakenDue || this.#unreadBytes > this.#windowBytes || this.isOver) return;
    this.#isTakenDue = false;
    this.peer?.taken();
  }

  protected override drop(): void {
    this.#arrived = [];
  }
}
