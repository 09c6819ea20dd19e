import { ThinglineError } from "@thingline/protocol";
import { abortedError } from "../errors.js";

/** AWS IoT takes so many unanswered requests of one connection. */
export const shadowRequestsInFlightMax = 10;
/** Requests of all shadows of a device that wait for their turn. */
export const shadowRequestsWaitingMax = 100;

/** Lets so many requests run at once; the others wait in line. */
export class RequestGate {
  #running = 0;
  #waiting: (() => void)[] = [];

  /** @throws {ThinglineError} LIMIT_EXCEEDED, ABORTED. */
  async run<Result>(request: () => Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
    if (signal?.aborted) throw abortedError(signal);
    if (this.#running >= shadowRequestsInFlightMax) await this.#wait(signal);
    else this.#running += 1;
    try {
      return await request();
    } finally {
      const next = this.#waiting.shift();
      // The place is handed on, so that nobody who comes in between takes it.
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    if (this.#waiting.length >= shadowRequestsWaitingMax) {
      const message = `${this.#waiting.length} requests to shadows wait already`;
      throw new ThinglineError("LIMIT_EXCEEDED", message, { details: { shadowRequestsWaitingMax } });
    }
    return new Promise<void>((resolve, reject) => {
      const abort = (): void => {
        this.#waiting = this.#waiting.filter((other) => other !== enter);
        reject(abortedError(signal));
      };
      const enter = (): void => {
        signal?.removeEventListener("abort", abort);
        resolve();
      };
      signal?.addEventListener("abort", abort, { once: true });
      this.#waiting.push(enter);
    });
  }
}
