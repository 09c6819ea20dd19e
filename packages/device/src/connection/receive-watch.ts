import { ThinglineError } from "@thingline/protocol";
import type { Clock, Connection } from "@thingline/transport";
import { SendWatch } from "./send-watch.js";

/** A packet that comes in has this long whatever its size, unless the option says otherwise. */
export const defaultReceiveTimeoutMs = 30_000;
/** And a second more for so many bytes of it that have come: a slow radio link has time, a server that dribbles has not. */
export const receiveBytesPerSecondMin = 256;
/** And no more than this, however large it is said to be. */
export const receiveTotalMsMax = 600_000;

export interface WatchTimes {
  /** 0: never. */
  sendTimeoutMs: number;
  /** 0: never. */
  receiveTimeoutMs: number;
}

/**
 * Notices a packet that does not come to its end, be it kept or read over: bytes that come one a minute would keep a link alive for
 * ever. It has no timer, as {@link SendWatch}.
 */
export class ReceiveWatch extends SendWatch {
  readonly #timeoutMs: number;
  /** Undefined while no packet is under way. */
  #dueMs: number | undefined;
  /** Of the packet that is under way. */
  #number = 0;
  #sinceMs = 0;
  #bytes = 0;

  constructor(connection: Connection, { sendTimeoutMs, receiveTimeoutMs }: WatchTimes) {
    super(connection, sendTimeoutMs);
    this.#timeoutMs = receiveTimeoutMs;
  }

  override get checkDueMs(): number {
    return Math.min(super.checkDueMs, this.#dueMs ?? Infinity);
  }

  /** `lengthBytes` have come, and the packet that follows on `packetCount` others is not complete. */
  protected receivedPart(packetCount: number, lengthBytes: number, clock: Clock): void {
    if (this.#timeoutMs === 0) return;
    if (this.#dueMs !== undefined && packetCount === this.#number) {
      this.#bytes += lengthBytes;
      return;
    }
    this.#number = packetCount;
    this.#bytes = 0;
    this.#sinceMs = clock.monotonicMs();
    this.#dueMs = this.#sinceMs + this.#timeoutMs;
  }

  protected receivedWhole(): void {
    this.#dueMs = undefined;
  }

  /** The time until now was ours and not the server's: nobody read. */
  protected forgiveInput(nowMs: number): void {
    if (this.#dueMs === undefined) return;
    this.#sinceMs = nowMs;
    this.#dueMs = nowMs + this.#timeoutMs;
  }

  /** @returns an error when a packet takes too long */
  checkInput(nowMs: number): ThinglineError | undefined {
    if (this.#dueMs === undefined || nowMs < this.#dueMs) return undefined;
    const grantedMs = this.#timeoutMs + (this.#bytes / receiveBytesPerSecondMin) * 1000;
    const allowedMs = Math.ceil(Math.min(grantedMs, Math.max(receiveTotalMsMax, this.#timeoutMs)));
    // Not by the time that has passed: rounded, it can be less than was allowed for ever, when the time to look again is now.
    const dueMs = this.#sinceMs + allowedMs;
    if (nowMs < dueMs) {
      this.#dueMs = dueMs;
      return undefined;
    }
    const waitedMs = nowMs - this.#sinceMs;
    const receivedBytes = this.#bytes;
    const message = `the server began a packet and did not end it: ${receivedBytes} more bytes of it came within ${waitedMs} ms`;
    return new ThinglineError("TIMEOUT", message, { details: { waitedMs, receivedBytes } });
  }
}
