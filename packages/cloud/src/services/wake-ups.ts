import { isThinglineError } from "@thingline/protocol";
import type { Clock, Timer } from "@thingline/transport";
import type { Log } from "../log.js";
import type { Store, StoreOperation } from "../store/store.js";
import type { Effect, OperationRunner, Scope } from "./operation.js";
import { systemKey } from "./outbox.js";

/**
 * Called when a `wakeAt` of the service is due. It looks at its state and does what is due there: a wake-up can come
 * twice, and one that is no longer needed still comes.
 */
export type WakeHandler = (scope: Scope, name: string, runner: OperationRunner) => Promise<void>;

export type WakeEffect = Extract<Effect, { type: "wakeAt" }>;

/** Wake-ups served between two looks at the clock. */
const wakeBatchMax = 100;
/** After a handler failed. */
export const wakeRetryDelayMs = 10_000;
/** The clock is looked at as often as this, because Unix time may jump and long timers overflow. */
export const wakeTimerMsMax = 60_000;

/** Stored by due time; one timer for all of them. */
export class WakeUps {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #runner: OperationRunner;
  #handlers: ReadonlyMap<string, WakeHandler> | undefined;
  #timer: { timer: Timer; atUnixMs: number } | undefined;
  #serving: Promise<void> | undefined;
  #isClosed = false;

  constructor({ store, clock, log }: { store: Store; clock: Clock; log: Log }, runner: OperationRunner) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
    this.#runner = runner;
  }

  /** One record for wake-ups of the same name and time. */
  operationsFor(scope: Scope, wakes: readonly WakeEffect[]): StoreOperation[] {
    const operations = new Map<string, StoreOperation>();
    for (const { atUnixMs, service, name } of wakes) {
      const key = systemKey("wake", atUnixMs, scope.account, scope.region, service, name);
      operations.set(JSON.stringify(key), { key, value: null });
    }
    return [...operations.values()];
  }

  async start(handlers: ReadonlyMap<string, WakeHandler>): Promise<void> {
    this.#handlers = handlers;
    await this.#armForEarliest();
  }

  /** A wake-up for this time is stored. */
  wakeBy(atUnixMs: number): void {
    if (this.#handlers === undefined || this.#isClosed) return;
    if (this.#timer !== undefined && this.#timer.atUnixMs <= atUnixMs) return;
    this.#timer?.timer.cancel();
    const delayMs = Math.min(Math.max(0, atUnixMs - this.#clock.unixMs()), wakeTimerMsMax);
    this.#timer = { atUnixMs, timer: this.#clock.setTimer(delayMs, () => this.#fired()) };
  }

  /** Waits for the handlers that run. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.timer.cancel();
    this.#timer = undefined;
    await this.#serving;
  }

  #fired(): void {
    this.#timer = undefined;
    // Whoever is serving arms the timer again when it is done.
    this.#serving ??= this.#serve().finally(() => {
      this.#serving = undefined;
    });
  }

  async #serve(): Promise<void> {
    try {
      const isAllDone = await this.#serveDue();
      if (isAllDone) await this.#armForEarliest();
      else this.wakeBy(this.#clock.unixMs() + wakeRetryDelayMs);
    } catch (error) {
      this.#log.error("wakeUpsUnreadable", { error: String(error) });
      this.wakeBy(this.#clock.unixMs() + wakeRetryDelayMs);
    }
  }

  /** @returns false when a handler failed: its wake-up stays. */
  async #serveDue(): Promise<boolean> {
    let isAllDone = true;
    let after: readonly (string | number)[] | undefined;
    while (!this.#isClosed) {
      const page = await this.#store.list(systemKey("wake"), { limit: wakeBatchMax, ...(after && { after }) });
      const nowMs = this.#clock.unixMs();
      const due = page.filter(({ key }) => Number(key[3]) <= nowMs);
      for (const { key, revision } of due) {
        const [, , , , account, region, service, name] = key.map(String);
        const scope = { account: account ?? "", region: region ?? "" };
        const isDone = await this.#call(scope, service ?? "", name ?? "");
        if (isDone) await this.#forget({ key, expectedRevision: revision, delete: true });
        else isAllDone = false;
        if (this.#isClosed) return isAllDone;
      }
      after = due.at(-1)?.key;
      if (due.length < wakeBatchMax) break;
    }
    return isAllDone;
  }

  async #call(scope: Scope, service: string, name: string): Promise<boolean> {
    const handler = this.#handlers?.get(service);
    if (handler === undefined) {
      this.#log.error("wakeUpDropped", { service, name });
      return true;
    }
    try {
      await handler(scope, name, this.#runner);
      return true;
    } catch (error) {
      this.#log.error("wakeUpFailed", { service, name, error: String(error) });
      return false;
    }
  }

  async #forget(operation: StoreOperation): Promise<void> {
    try {
      await this.#store.commit([operation]);
    } catch (error) {
      // Set again by its own handler: it is due again.
      if (!isThinglineError(error, "STORE_CONFLICT")) throw error;
    }
  }

  async #armForEarliest(): Promise<void> {
    const [earliest] = await this.#store.list(systemKey("wake"), { limit: 1 });
    if (earliest !== undefined) this.wakeBy(Number(earliest.key[3]));
  }
}
