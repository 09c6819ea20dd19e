import { ThinglineError } from "@thingline/protocol";
import type { Clock, Connection, Timer } from "@thingline/transport";

export interface SendWatchOwner {
  /** The network takes nothing. */
  outputStuck(error: ThinglineError): void;
}

/** Looks per time-out: the end of a stuck connection comes that much late at most. */
const looksPerTimeout = 4;

/**
 * Notices output of which the network takes nothing. While there is none, it has no timer; sending costs it a comparison.
 */
export class SendWatch {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #owner: SendWatchOwner;
  #timer: Timer | undefined;
  #queuedBytes = 0;
  #takenBytes = 0;
  #progressAtMs = 0;

  /** @param timeoutMs 0: never */
  constructor(connection: Connection, clock: Clock, timeoutMs: number, owner: SendWatchOwner) {
    this.#connection = connection;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#owner = owner;
  }

  sent(lengthBytes: number): void {
    this.#queuedBytes += lengthBytes;
    if (this.#timer !== undefined || this.#timeoutMs === 0) return;
    this.#takenBytes = this.#queuedBytes - this.#connection.bufferedBytes;
    this.#progressAtMs = this.#clock.monotonicMs();
    this.#look();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #look(): void {
    this.#timer = this.#clock.setTimer(Math.ceil(this.#timeoutMs / looksPerTimeout), () => {
      this.#timer = undefined;
      const { bufferedBytes } = this.#connection;
      if (bufferedBytes === 0) return;
      const nowMs = this.#clock.monotonicMs();
      const takenBytes = this.#queuedBytes - bufferedBytes;
      if (takenBytes !== this.#takenBytes) {
        this.#takenBytes = takenBytes;
        this.#progressAtMs = nowMs;
      }
      const waitedMs = nowMs - this.#progressAtMs;
      if (waitedMs < this.#timeoutMs) return this.#look();
      const message = `the network took nothing of ${bufferedBytes} bytes within ${this.#timeoutMs} ms`;
      this.#owner.outputStuck(new ThinglineError("TIMEOUT", message, { details: { waitedMs, bufferedBytes } }));
    });
  }
}
