import { isThinglineError } from "@thingline/protocol";
import type { Clock } from "@thingline/transport";
import type { Log } from "./log.js";
import type { LifecycleEvent } from "./services/lifecycle.js";
import type { OperationRunner } from "./services/operation.js";
import type { CloudService } from "./services/service.js";

/** Events that a service works on at once. */
export const lifecycleInFlightMax = 64;
/** Events that wait for a service beside those. New ones are dropped: many clients come and go faster than a store may take it. */
export const lifecycleQueuedEventsMax = 10_000;

export interface LifecycleHookDependencies {
  clock: Clock;
  log: Log;
}

/** One service that hears what happens to clients. No client waits for it. */
export class LifecycleHook {
  readonly #service: Pick<CloudService, "name" | "onLifecycle">;
  readonly #runner: OperationRunner;
  readonly #clock: Clock;
  readonly #log: Log;
  #waiting: LifecycleEvent[] = [];
  /** Those before it have begun. */
  #head = 0;
  #inFlight = 0;
  /** Not logged yet. */
  #dropped = 0;
  #droppedLoggedMs = -Infinity;

  constructor(
    service: Pick<CloudService, "name" | "onLifecycle">,
    runner: OperationRunner,
    { clock, log }: LifecycleHookDependencies,
  ) {
    this.#service = service;
    this.#runner = runner;
    this.#clock = clock;
    this.#log = log;
  }

  hear(event: LifecycleEvent): void {
    if (this.#inFlight < lifecycleInFlightMax) void this.#tell(event);
    else if (this.#waiting.length - this.#head < lifecycleQueuedEventsMax) this.#waiting.push(event);
    else this.#drop();
  }

  /** One event, and what waited for its place. */
  async #tell(first: LifecycleEvent): Promise<void> {
    this.#inFlight++;
    for (let event: LifecycleEvent | undefined = first; event !== undefined; event = this.#next()) {
      try {
        await this.#service.onLifecycle?.(event, this.#runner);
      } catch (error) {
        this.#failed(event, error);
      }
    }
    this.#inFlight--;
  }

  #failed({ clientId }: LifecycleEvent, error: unknown): void {
    // The engine ends.
    if (isThinglineError(error, "CLOSED")) return;
    this.#log.error("lifecycleFailed", { service: this.#service.name, clientId, error: String(error) });
  }

  #next(): LifecycleEvent | undefined {
    const event = this.#waiting[this.#head];
    if (event === undefined) return undefined;
    this.#head++;
    if (this.#head === this.#waiting.length || this.#head >= 1_024) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
    return event;
  }

  #drop(): void {
    this.#dropped++;
    const nowMs = this.#clock.monotonicMs();
    if (this.#droppedLoggedMs + 1_000 > nowMs) return;
    this.#droppedLoggedMs = nowMs;
    const facts = { limit: "lifecycleQueuedEventsMax", service: this.#service.name, dropped: this.#dropped };
    this.#log.warn("limitHit", facts);
    this.#dropped = 0;
  }
}
