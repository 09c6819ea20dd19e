import type { Clock, Random } from "@thingline/transport";
import type { Log } from "../../log.js";
import type { StoreOperation } from "../../store/store.js";
import type { ClientDirectory } from "../client-directory.js";
import type { CommitListener, ListenedEngine } from "../commit-listener.js";
import type { Scope } from "../operation.js";
import { registeredIn, type DynamicGroupOperations } from "../registry/index.js";
import { shadowedIn } from "../shadow/index.js";
import { LiveIndex } from "./live-index.js";

/** An answer waits no longer than this for what was committed before it to be in the index. */
export const indexSettleMsMax = 1_000;
/** Accounts and regions whose indexes are kept: over HTTP one is what a client says it is. */
export const indexedScopesMax = 100;
/** Where other nodes write to the store as well, an index is as old as this at most when it is searched. */
const sharedIndexAgeMsMax = 1_000;

export interface FleetIndexesDependencies {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  /** Who is connected. Default: nobody knows. */
  readonly clients?: ClientDirectory | undefined;
  readonly dynamicGroups: DynamicGroupOperations;
}

/** The index of each account and region, kept up to date by what is committed. While indexing is off a commit costs a look at its keys. */
export class FleetIndexes implements CommitListener {
  readonly #deps: FleetIndexesDependencies;
  #engine: ListenedEngine | undefined;
  /** Drawn when connections are noted first. */
  #engineId: string | undefined;
  readonly #byScope = new Map<string, LiveIndex>();
  #last: { scope: Scope; index: LiveIndex } | undefined;
  readonly #rebuiltAtMs = new WeakMap<LiveIndex, number>();

  constructor(deps: FleetIndexesDependencies) {
    this.#deps = deps;
  }

  opened(engine: ListenedEngine): void {
    this.#engine = engine;
    this.#engineId = undefined;
    this.#indexOf(engine.scope)?.configurationChanged();
  }

  committed(scope: Scope, operations: readonly StoreOperation[]): void {
    const index = this.#indexOf(scope);
    if (index === undefined) return;
    for (const operation of operations) {
      if ("check" in operation) continue;
      const { key } = operation;
      if (key[2] === "indexing") index.configurationChanged();
      else if (key[2] === "connectivity") index.thingChanged(String(key[3]));
      else this.#recordChanged(index, key);
    }
  }

  #recordChanged(index: LiveIndex, key: StoreOperation["key"]): void {
    const shadowed = shadowedIn(key);
    if (shadowed !== undefined) return index.thingChanged(shadowed);
    const registered = registeredIn(key);
    if (registered === undefined) return;
    if ("thing" in registered) index.thingChanged(registered.thing);
    else index.groupChanged(registered.thingGroup);
  }

  settled(scope: Scope): Promise<void> | undefined {
    const caught = this.#byScope.get(nameOf(scope))?.caughtUp();
    return caught === undefined ? undefined : this.#within(caught);
  }

  /** The index with all that was committed before, or as far as it is in bounded time; undefined while no engine is open. */
  async of(scope: Scope): Promise<LiveIndex | undefined> {
    const index = this.#indexOf(scope);
    if (index === undefined) return undefined;
    if (this.#engine?.isAlone === false) this.#refresh(index);
    const caught = index.caughtUp();
    if (caught !== undefined) await this.#within(caught);
    return index;
  }

  /** Whether it is of interest that a client comes or goes. */
  hearsClients(scope: Scope): boolean {
    return this.#indexOf(scope)?.configuration.things.hasConnectivity === true;
  }

  /** Another one with each engine. */
  get engineId(): string {
    return (this.#engineId ??= this.#deps.random.uuid());
  }

  async closed(): Promise<void> {
    const indexes = [...this.#byScope.values()];
    this.#byScope.clear();
    this.#last = undefined;
    this.#engine = undefined;
    for (const index of indexes) await index.close();
  }

  /** What another node committed is not heard. */
  #refresh(index: LiveIndex): void {
    const nowMs = this.#deps.clock.monotonicMs();
    if (nowMs < (this.#rebuiltAtMs.get(index) ?? -Infinity) + sharedIndexAgeMsMax) return;
    this.#rebuiltAtMs.set(index, nowMs);
    index.rebuild();
  }

  #within(caught: Promise<void>): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#deps.clock.setTimer(indexSettleMsMax, resolve);
      void caught.then(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  #indexOf(scope: Scope): LiveIndex | undefined {
    if (this.#last?.scope === scope) return this.#last.index;
    const engine = this.#engine;
    if (engine === undefined) return undefined;
    const name = nameOf(scope);
    let index = this.#byScope.get(name);
    if (index === undefined) {
      if (this.#byScope.size >= indexedScopesMax) this.#forgetOne(engine.scope);
      const engineId = engine.isAlone ? () => this.engineId : undefined;
      index = new LiveIndex({ ...this.#deps, scope, runner: engine.runner, engineId });
      this.#byScope.set(name, index);
      index.configurationChanged();
    }
    this.#last = { scope, index };
    return index;
  }

  /** One where nothing is indexed, if there is one. It is made anew when somebody asks. */
  #forgetOne(own: Scope): void {
    const others = [...this.#byScope].filter(([name]) => name !== nameOf(own));
    const [name, index] = others.find(([, { isOff }]) => isOff) ?? others[0] ?? [];
    if (name === undefined) return;
    this.#byScope.delete(name);
    void index?.close();
  }
}

const nameOf = ({ account, region }: Scope) => `${account}/${region}`;
