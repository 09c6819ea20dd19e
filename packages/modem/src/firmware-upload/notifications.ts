import { ThinglineError } from "@thingline/protocol";
import type { Clock } from "@thingline/transport";
import type { ModemSession } from "../session.js";

/** Lines that are kept for whoever comes to wait for them. */
const keptMax = 64;

/** What came unasked, from the moment of opening on: a notification may come before somebody waits for it. */
export class HeardNotifications {
  readonly #clock: Clock;
  readonly #session: ModemSession;
  readonly #end: () => void;
  #lines: string[] = [];
  #waiting: (() => void) | undefined;

  constructor(session: ModemSession, clock: Clock) {
    this.#session = session;
    this.#clock = clock;
    this.#end = session.onNotification((line) => {
      this.#lines.push(line);
      if (this.#lines.length > keptMax) this.#lines.shift();
      this.#waiting?.();
    });
  }

  /** What came before does not count any more. */
  forget(): void {
    this.#lines = [];
  }

  /**
   * The first line that `read` makes something of, and nothing before it is left.
   *
   * @throws {ThinglineError} TIMEOUT, CONNECTION_LOST when the line ends
   */
  async next<Result>(read: (line: string) => Result | undefined, timeoutMs: number): Promise<Result> {
    const dueMs = this.#clock.monotonicMs() + timeoutMs;
    for (;;) {
      for (let line = this.#lines.shift(); line !== undefined; line = this.#lines.shift()) {
        const result = read(line);
        if (result !== undefined) return result;
      }
      await this.#more(dueMs - this.#clock.monotonicMs());
    }
  }

  close(): void {
    this.#end();
  }

  async #more(timeoutMs: number): Promise<void> {
    let timer: { cancel(): void } | undefined;
    try {
      await Promise.race([
        new Promise<void>((resolve) => (this.#waiting = resolve)),
        new Promise<never>((_, reject) => {
          const overdue = () => reject(new ThinglineError("TIMEOUT", "the board does not say that it is done"));
          timer = this.#clock.setTimer(Math.max(0, timeoutMs), overdue);
        }),
        this.#session.closed.then(() => {
          throw new ThinglineError("CONNECTION_LOST", "the AT channel ended");
        }),
      ]);
    } finally {
      timer?.cancel();
      this.#waiting = undefined;
    }
  }
}
