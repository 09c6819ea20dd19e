import { ThinglineError } from "@thingline/protocol";

/** Commands and sequences that may wait for their turn; more are refused. */
export const sessionQueueMax = 64;

interface Turn {
  start(): Promise<void>;
  fail(error: ThinglineError): void;
}

/** Who has a session's channel: one after the other, as they came. */
export class TurnQueue {
  #waiting: Turn[] = [];
  #isTaken = false;
  #end: ThinglineError | undefined;

  /**
   * Calls `act` when those before it are through.
   *
   * @param signal ends the wait; what has begun is its own to end.
   * @throws {ThinglineError} LIMIT_EXCEEDED, ABORTED, what the queue ended with, and whatever `act` throws.
   */
  take<Result>(act: () => Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      if (this.#end !== undefined) throw this.#end;
      if (signal?.aborted === true) throw commandAborted(signal);
      if (this.#waiting.length >= sessionQueueMax) {
        throw new ThinglineError("LIMIT_EXCEEDED", `more than ${sessionQueueMax} AT commands wait for the modem`);
      }
      const onAbort = () => {
        this.#waiting = this.#waiting.filter((other) => other !== turn);
        reject(commandAborted(signal));
      };
      const turn: Turn = {
        start: async () => {
          signal?.removeEventListener("abort", onAbort);
          // One that throws before there is a promise fails all the same.
          const acting = async () => act();
          await acting().then(resolve, reject);
        },
        fail: (error) => {
          signal?.removeEventListener("abort", onAbort);
          reject(error);
        },
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiting.push(turn);
      this.#next();
    });
  }

  /** Fails what waits, and what comes. What has its turn ends by itself. */
  end(error: ThinglineError): void {
    this.#end ??= error;
    for (const turn of this.#waiting.splice(0)) turn.fail(error);
  }

  #next(): void {
    if (this.#isTaken) return;
    const turn = this.#waiting.shift();
    if (turn === undefined) return;
    this.#isTaken = true;
    void turn.start().then(() => {
      this.#isTaken = false;
      this.#next();
    });
  }
}

export function commandAborted(signal: AbortSignal | undefined): ThinglineError {
  return new ThinglineError("ABORTED", "the AT command was aborted by its caller", { cause: signal?.reason });
}
