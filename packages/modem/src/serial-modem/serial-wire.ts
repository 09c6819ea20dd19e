import { concatBytes } from "@thingline/protocol";
import {
  type Batch,
  type ChannelEvents,
  type Clock,
  type Connection,
  PairedChannel,
  SlabPool,
  StreamConnection,
  type Timer,
} from "@thingline/transport";

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
class WireChannel extends PairedChannel<WireChannel> {
  /** Undefined: no pace. */
  readonly #bytesPerMs: number | undefined;
  #arriving: Uint8Array | undefined;
  #readBytes = 0;
  /** When the first byte of what is arriving that was not read yet began its way. */
  #startMs = 0;
  /** When the last byte was through. */
  #freeAtMs = 0;
  #isInTaken = false;
  #timer: Timer | undefined;

  constructor(clock: Clock, bytesPerSecond: number | undefined, events: ChannelEvents) {
    super(clock, events);
    this.#bytesPerMs = bytesPerSecond === undefined ? undefined : bytesPerSecond / 1000;
  }

  override pause(): void {
    super.pause();
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  override resume(): void {
    // Flow control held the line up: its bytes start their way now.
    if (!this.isFlowing && this.#arriving !== undefined) {
      this.#startMs = Math.max(this.#startMs, this.clock.monotonicMs());
    }
    super.resume();
  }

  protected override get isEmpty(): boolean {
    return this.#arriving === undefined;
  }

  protected override carryTo(peer: WireChannel, { parts }: Batch): void {
    // A copy: the slab belongs to somebody else once this write is taken.
    peer.#arrive(concatBytes(parts));
  }

  protected override drop(): void {
    this.#arriving = undefined;
    this.#timer?.cancel();
  }

  /** Hands on what has come through by now, and looks again when more has. */
  protected override handOn(): void {
    const bytes = this.#arriving;
    if (bytes === undefined || !this.isFlowing) return;
    const until = this.#readBytes + this.#throughBytes(bytes.length - this.#readBytes);
    while (this.#readBytes < until && this.isFlowing) this.#handOnPiece(bytes, until);
    if (this.#arriving === undefined) {
      this.#isInTaken = true;
      if (!this.isOver) this.peer?.taken();
      this.#isInTaken = false;
    } else if (this.#bytesPerMs !== undefined && this.isFlowing) {
      this.#timer?.cancel();
      this.#timer = this.clock.setTimer(this.#lookAgainMs(), () => this.turn());
    }
  }

  #arrive(bytes: Uint8Array): void {
    this.#arriving = bytes;
    this.#readBytes = 0;
    const nowMs = this.clock.monotonicMs();
    // A sender that had it ready sends without a gap, however late the turn of the event loop comes.
    this.#startMs = this.#isInTaken ? this.#freeAtMs : Math.max(this.#freeAtMs, nowMs);
    this.plan();
  }

  #handOnPiece(bytes: Uint8Array, until: number): void {
    const from = this.#readBytes;
    this.#readBytes = Math.min(until, from + pieceBytes);
    if (this.#bytesPerMs !== undefined) this.#startMs += (this.#readBytes - from) / this.#bytesPerMs;
    if (this.#readBytes === bytes.length) {
      this.#arriving = undefined;
      this.#freeAtMs = this.#startMs;
    }
    this.events.received(bytes.subarray(from, this.#readBytes));
  }

  /** A short answer takes no longer than its bytes do. */
  #lookAgainMs(): number {
    const restBytes = (this.#arriving?.length ?? 0) - this.#readBytes;
    const restMs = restBytes / (this.#bytesPerMs ?? Infinity);
    const dueMs = this.#startMs + restMs - this.clock.monotonicMs();
    return Math.min(paceMs, Math.max(0, dueMs));
  }

  #throughBytes(restBytes: number): number {
    if (this.#bytesPerMs === undefined) return restBytes;
    // The last byte may be a fraction of a millisecond late by rounding: a thousandth of a byte makes up for it.
    const passed = (this.clock.monotonicMs() - this.#startMs) * this.#bytesPerMs;
    return Math.min(restBytes, Math.max(0, Math.floor(passed + 0.001)));
  }
}
