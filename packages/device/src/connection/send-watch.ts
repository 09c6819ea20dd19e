import { ThinglineError } from "@thingline/protocol";
import type { Clock, Connection } from "@thingline/transport";

/** Looks per time-out: the end of a stuck connection comes that much late at most. */
const looksPerTimeout = 4;

/**
 * Notices output of which the network takes nothing. It has no timer: whoever owns it calls {@link checkOutput} when it is due. Sending
 * costs it a comparison. A base and no part of the link, which is an object less for each connection.
 */
export class SendWatch {
  readonly connection: Connection;
  readonly #timeoutMs: number;
  /** Undefined, and not Infinity, which would take memory of its own in each of them. */
  #dueMs: number | undefined;
  #queuedBytes = 0;
  #takenBytes = 0;
  #progressAtMs = 0;

  /** @param timeoutMs 0: never */
  constructor(connection: Connection, timeoutMs: number) {
    this.connection = connection;
    this.#timeoutMs = timeoutMs;
  }

  /** When {@link checkOutput} wants to be called; Infinity while nothing is known to wait. */
  get checkDueMs(): number {
    return this.#dueMs ?? Infinity;
  }

  protected sent(lengthBytes: number, clock: Clock): void {
    this.#queuedBytes += lengthBytes;
    if (this.#dueMs !== undefined || this.#timeoutMs === 0) return;
    this.#takenBytes = this.#queuedBytes - this.connection.bufferedBytes;
    this.#progressAtMs = clock.monotonicMs();
    this.#lookAgain(this.#progressAtMs);
  }

  /** @returns an error when the network has taken nothing for too long */
  checkOutput(nowMs: number): ThinglineError | undefined {
    if (this.#dueMs === undefined || nowMs < this.#dueMs) return undefined;
    this.#dueMs = undefined;
    const { bufferedBytes } = this.connection;
    if (bufferedBytes === 0) return undefined;
    const takenBytes = this.#queuedBytes - bufferedBytes;
    if (takenBytes !== this.#takenBytes) {
      this.#takenBytes = takenBytes;
      this.#progressAtMs = nowMs;
    }
    const waitedMs = nowMs - this.#progressAtMs;
    if (waitedMs < this.#timeoutMs) {
      this.#lookAgain(nowMs);
      return undefined;
    }
    const message = `the network took nothing of ${bufferedBytes} bytes within ${this.#timeoutMs} ms`;
    return new ThinglineError("TIMEOUT", message, { details: { waitedMs, bufferedBytes } });
  }

  #lookAgain(nowMs: number): void {
    this.#dueMs = nowMs + Math.ceil(this.#timeoutMs / looksPerTimeout);
  }
}
