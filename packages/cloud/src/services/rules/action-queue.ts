import { ThinglineError } from "@thingline/protocol";
import type { Log } from "../../log.js";

/** Actions of one kind that are under way at once. */
export const ruleActionsInFlightMax = 64;
/** Actions of one kind that wait for their turn. What comes beyond fails. */
export const ruleActionsQueuedMax = 1_000;
/** Payloads of those. */
export const ruleActionsQueuedBytesMax = 16 * 1024 * 1024;

/**
 * Actions of one kind, so many at a time: an endpoint that does not answer keeps those of its kind waiting, and no longer than its own time.
 */
export class ActionQueue {
  readonly #kind: string;
  readonly #log: Log;
  readonly #waiting: (() => void)[] = [];
  /** What is under way, each with a signal of its own: a signal that hundreds listen to is warned of. */
  readonly #underWay = new Map<Promise<unknown>, AbortController>();
  #isClosed = false;
  #waitingBytes = 0;
  #inFlight = 0;
  #isFullLogged = false;

  constructor(kind: string, log: Log) {
    this.#kind = kind;
    this.#log = log;
  }

  /** @throws {ThinglineError} LIMIT_EXCEEDED, CLOSED, and what the action throws */
  async run(bytes: number, perform: (signal: AbortSignal) => Promise<void>): Promise<void> {
    if (this.#inFlight >= ruleActionsInFlightMax) await this.#turn(bytes);
    else this.#inFlight++;
    try {
      if (this.#isClosed) throw closed();
      const controller = new AbortController();
      const work = perform(controller.signal);
      this.#underWay.set(work, controller);
      await work.finally(() => this.#underWay.delete(work));
    } finally {
      // The place goes to the next one in line.
      const enter = this.#waiting.shift();
      if (enter === undefined) this.#inFlight--;
      else enter();
    }
  }

  async #turn(bytes: number): Promise<void> {
    if (this.#waiting.length >= ruleActionsQueuedMax || this.#waitingBytes + bytes > ruleActionsQueuedBytesMax) {
      if (!this.#isFullLogged) this.#log.warn("limitHit", { limit: "ruleActionsQueuedMax", action: this.#kind });
      this.#isFullLogged = true;
      throw new ThinglineError("LIMIT_EXCEEDED", `too many actions ${this.#kind} of rules wait`);
    }
    this.#isFullLogged = false;
    this.#waitingBytes += bytes;
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#waitingBytes -= bytes;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const controller of this.#underWay.values()) controller.abort(closed());
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay.keys());
  }
}

const closed = () => new ThinglineError("CLOSED", "the cloud is closed");
