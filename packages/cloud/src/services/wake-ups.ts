import { isThinglineError } from "@thingline/protocol";
import type { Clock, Timer } from "@thingline/transport";
import type { Log } from "../log.js";
import { isEpochOpen, type CloudNode, type NodeEpoch } from "../nodes/node.js";
import type { Store, StoreEntry, StoreKey, StoreOperation } from "../store/store.js";
import { systemKey } from "../store/system-keys.js";
import type { Effect, OperationRunner, Scope } from "./operation.js";

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
/** Where nodes share the store: how long a wake-up that another one wrote, and whose hint was lost, goes unnoticed. */
export const wakePollMs = 5_000;

/** `null` until a node claims the wake-up. A claim holds as long as the epoch that it names. */
type WakeRecord = null | { node: string; epoch: number };

/** What a look at the due wake-ups left to do. */
type Served = "all" | "someFailed" | "stopped";

/**
 * Stored by due time; one timer for all of them. Where nodes share the store, a node claims a wake-up before it calls the handler: the
 * others leave it alone until it is done, or the node is over.
 */
export class WakeUps {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #node: CloudNode;
  readonly #runner: OperationRunner;
  #handlers: ReadonlyMap<string, WakeHandler> | undefined;
  #timer: { timer: Timer; atUnixMs: number } | undefined;
  #serving: Promise<void> | undefined;
  /** Unix time up to which the last look took what was due. */
  #lookedAtMs = 0;
  #isClosed = false;

  constructor(
    { store, clock, log, node }: { store: Store; clock: Clock; log: Log; node: CloudNode },
    runner: OperationRunner,
  ) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
    this.#node = node;
    this.#runner = runner;
    node.onOver(() => this.#stop());
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
    if (this.#node.isAlone) await this.#armForEarliest();
    else this.wakeBy(this.#clock.unixMs());
  }

  /** A wake-up for this time is stored. */
  wakeBy(atUnixMs: number): void {
    if (this.#handlers === undefined || this.#isClosed) return;
    if (this.#timer !== undefined && this.#timer.atUnixMs <= atUnixMs) return;
    this.#timer?.timer.cancel();
    const delayMsMax = this.#node.isAlone ? wakeTimerMsMax : wakePollMs;
    const delayMs = Math.min(Math.max(0, atUnixMs - this.#clock.unixMs()), delayMsMax);
    this.#timer = { atUnixMs, timer: this.#clock.setTimer(delayMs, () => this.#fired()) };
  }

  /** Waits for the handlers that run. */
  async close(): Promise<void> {
    this.#stop();
    await this.#serving;
  }

  #stop(): void {
    this.#isClosed = true;
    this.#timer?.timer.cancel();
    this.#timer = undefined;
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
      const served = await this.#serveDue();
      if (served === "all") await (this.#node.isAlone ? this.#armForEarliest() : this.#armForNext());
      else this.wakeBy(this.#clock.unixMs() + wakeRetryDelayMs);
    } catch (error) {
      this.#log.error("wakeUpsUnreadable", { error: String(error) });
      this.wakeBy(this.#clock.unixMs() + wakeRetryDelayMs);
    }
  }

  async #serveDue(): Promise<Served> {
    let served: Served = "all";
    let after: StoreKey | undefined;
    while (!this.#isClosed) {
      const options = { limit: wakeBatchMax, ...(after && { after }) };
      const page = await this.#store.list<WakeRecord>(systemKey("wake"), options);
      const nowMs = this.#clock.unixMs();
      this.#lookedAtMs = nowMs;
      const due = page.filter(({ key }) => Number(key[3]) <= nowMs);
      for (const entry of due) {
        if (!this.#node.mayAct()) return "stopped";
        if (!(await this.#serveOne(entry))) served = "someFailed";
        if (this.#isClosed) return served;
      }
      after = due.at(-1)?.key;
      if (due.length < wakeBatchMax) break;
    }
    return served;
  }

  /** @returns false when the handler failed: the wake-up stays, and with it the claim. */
  async #serveOne(entry: StoreEntry<WakeRecord>): Promise<boolean> {
    const { key } = entry;
    const revision = this.#node.isAlone ? entry.revision : await this.#claim(entry);
    if (revision === undefined) return true;
    // The claim may have taken its time.
    if (!this.#node.mayAct()) return false;
    const [, , , , account, region, service, name] = key.map(String);
    const scope = { account: account ?? "", region: region ?? "" };
    const isDone = await this.#call(scope, service ?? "", name ?? "");
    if (isDone) await this.#commit({ key, expectedRevision: revision, delete: true });
    return isDone;
  }

  /** @returns the revision of the claim; undefined when the wake-up is another node's. */
  async #claim({ key, value, revision }: StoreEntry<WakeRecord>): Promise<number | undefined> {
    const { id: node, epoch } = this.#node;
    // After a handler that failed.
    if (value?.node === node && value.epoch === epoch) return revision;
    if (value !== null && (await isEpochOpen(this.#store, value satisfies NodeEpoch))) return undefined;
    return this.#commit({ key, expectedRevision: revision, value: { node, epoch } });
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

  /** @returns undefined when somebody else has written the wake-up meanwhile, or this node is over. */
  async #commit(operation: StoreOperation): Promise<number | undefined> {
    const { guard } = this.#node;
    try {
      const [revision] = await this.#store.commit(guard === undefined ? [operation] : [operation, guard]);
      return revision;
    } catch (error) {
      // Set again by its own handler: it is due again.
      if (!isThinglineError(error, "STORE_CONFLICT")) throw error;
      return undefined;
    }
  }

  async #armForEarliest(): Promise<void> {
    const [earliest] = await this.#store.list(systemKey("wake"), { limit: 1 });
    if (earliest !== undefined) this.wakeBy(Number(earliest.key[3]));
  }

  /** What was due and is still there is in the hands of another node: it is looked at again with the next poll. */
  async #armForNext(): Promise<void> {
    const after = systemKey("wake", this.#lookedAtMs, afterAccounts);
    const [next] = await this.#store.list(systemKey("wake"), { limit: 1, after });
    const pollAtMs = this.#clock.unixMs() + wakePollMs;
    this.wakeBy(next === undefined ? pollAtMs : Math.min(Number(next.key[3]), pollAtMs));
  }
}

/** Greater than every account. */
const afterAccounts = "\u{10ffff}";
