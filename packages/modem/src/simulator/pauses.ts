import { isThinglineError } from "@thingline/protocol";
import type { Clock } from "@thingline/transport";

/** What commands wait for: the network, the memory, a behaviour that makes answers slow. */
export class ModemPauses {
  readonly #clock: Clock;
  readonly #ending = new AbortController();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves after the time, or at once when the modem ends: neither its end nor its process waits for simulated time. */
  async pass(delayMs: number): Promise<void> {
    try {
      await this.#clock.sleep(delayMs, { signal: this.#ending.signal });
    } catch (error) {
      if (!isThinglineError(error, "ABORTED")) throw error;
    }
  }

  end(): void {
    this.#ending.abort();
  }
}
