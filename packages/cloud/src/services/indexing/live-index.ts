import { isThinglineError } from "@thingline/protocol";
import type { Clock } from "@thingline/transport";
import { compileQuery } from "../../fleet-query/compile.js";
import type { IndexedThing } from "../../fleet-query/documents.js";
import { thingFields } from "../../fleet-query/fields.js";
import type { Log } from "../../log.js";
import type { ClientDirectory } from "../client-directory.js";
import type { Operation, OperationRunner, Scope } from "../operation.js";
import { completeDynamicGroup, type DynamicGroupOperations } from "../registry/index.js";
import { findConfiguration } from "./configuration.js";
import { endConnections, forgetConnectivity, noteConnected } from "./connectivity.js";
import { DirtyNames } from "./dirty-names.js";
import { indexingOff, type IndexingConfiguration } from "./model.js";
import { listGroups, listThings, readGroups, readPageMax, readThings, type KnownGroup } from "./sources.js";
import { ThingTable } from "./thing-table.js";

export type IndexStatus = "BUILDING" | "REBUILDING" | "ACTIVE";

export interface LiveIndexDependencies {
  readonly scope: Scope;
  readonly runner: OperationRunner;
  readonly clock: Clock;
  readonly log: Log;
  readonly dynamicGroups: DynamicGroupOperations;
  /** Who is connected. Default: nobody knows. */
  readonly clients?: ClientDirectory | undefined;
  /** Connections that another engine had are over. Undefined where there are other engines. */
  readonly engineId: (() => string) | undefined;
}

/** A dynamic group and what it looks for. */
interface Follower {
  readonly group: KnownGroup;
  readonly queryId: string;
  readonly matches: (thing: IndexedThing) => boolean;
}

/**
 * The things and groups of one account and region in memory, as they are searched. It is built of the store; what changes afterwards is
 * marked by its name and read again, in rounds: a round takes whatever is marked, and whoever waits, waits for one. Dynamic groups follow in
 * the same round.
 */
export class LiveIndex {
  readonly things: ThingTable;
  readonly groups = new Map<string, KnownGroup>();
  configuration: IndexingConfiguration = indexingOff;
  status: IndexStatus = "BUILDING";
  readonly #deps: LiveIndexDependencies;
  readonly #dirtyThings = new DirtyNames();
  readonly #dirtyGroups = new DirtyNames();
  /** By the names of the groups. */
  readonly #followers = new Map<string, Follower>();
  /** Of their queries. */
  #queryIds: ReadonlySet<string> = new Set();
  /** The ids of those groups. */
  #followerIds: ReadonlySet<string> = new Set();
  #isConfigurationDirty = true;
  #isRebuildWanted = false;
  #haveConnectionsEnded = false;
  #work: Promise<void> | undefined;
  #waiters: (() => void)[] = [];
  #isClosed = false;

  constructor(deps: LiveIndexDependencies) {
    this.#deps = deps;
    this.things = new ThingTable(deps.log);
  }

  /** Nothing but a change of the configuration matters to it. */
  get isOff(): boolean {
    const { things, groups } = this.configuration;
    return things.mode === "OFF" && !groups.isOn;
  }

  thingChanged(thingName: string): void {
    if (this.configuration.things.mode === "OFF" && !this.#isConfigurationDirty) return;
    this.#dirtyThings.add(thingName);
    this.#begin();
  }

  groupChanged(thingGroupName: string): void {
    if (this.isOff && !this.#isConfigurationDirty) return;
    this.#dirtyGroups.add(thingGroupName);
    this.#begin();
  }

  configurationChanged(): void {
    this.#isConfigurationDirty = true;
    this.#begin();
  }

  /** Everything may be different. */
  rebuild(): void {
    this.#isRebuildWanted = true;
    this.configurationChanged();
  }

  /** Resolves when what is marked now has been taken up; undefined when nothing is. */
  caughtUp(): Promise<void> | undefined {
    const isIdle = this.#work === undefined && !this.#isDirty() && !this.#isRebuildWanted;
    if (this.#isClosed || isIdle) return undefined;
    const caught = new Promise<void>((resolve) => this.#waiters.push(resolve));
    this.#begin();
    return caught;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#work;
    this.#release();
  }

  #isDirty(): boolean {
    return this.#isConfigurationDirty || this.#dirtyThings.size > 0 || this.#dirtyGroups.size > 0;
  }

  #begin(): void {
    if (this.#isClosed) return;
    this.#work ??= this.#workOff().finally(() => {
      this.#work = undefined;
    });
  }

  async #workOff(): Promise<void> {
    // What one commit changed is marked before the first round.
    await Promise.resolve();
    while (!this.#isClosed && (this.#isDirty() || this.#waiters.length > 0)) {
      const waiters = this.#waiters.splice(0);
      try {
        await this.#round();
      } catch (error) {
        this.#failed(error);
      }
      for (const resolve of waiters) resolve();
    }
  }

  #release(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }

  /** What was read is not to be trusted; the next change, or the next search, has everything read again. */
  #failed(error: unknown): void {
    this.#dirtyThings.take();
    this.#dirtyGroups.take();
    this.#isConfigurationDirty = false;
    this.status = "REBUILDING";
    this.#isRebuildWanted = true;
    if (this.#isClosed || isThinglineError(error, "CLOSED")) return;
    this.#deps.log.error("indexingFailed", { ...this.#deps.scope, error: String(error) });
  }

  async #round(): Promise<void> {
    const touched = new Set<string>();
    if (this.#isConfigurationDirty || this.#isRebuildWanted) await this.#takeConfiguration(touched);
    const found = await this.#takeGroups();
    await this.#takeThings(touched);
    const followed = found.length > 0 ? [...this.things.names()] : touched;
    await this.#follow(followed);
    for (const { group, queryId } of found) {
      if (group.dynamic?.status === "ACTIVE") continue;
      await this.#run(completeDynamicGroup, { thingGroupName: group.thingGroupName, queryId });
    }
    this.status = "ACTIVE";
  }

  #run<Input, Result>(operation: Operation<Input, Result>, input: Input): Promise<Result> {
    return this.#deps.runner.run(this.#deps.scope, operation, input);
  }

  async #takeConfiguration(touched: Set<string>): Promise<void> {
    this.#isConfigurationDirty = false;
    const isForced = this.#isRebuildWanted;
    this.#isRebuildWanted = false;
    const before = this.configuration;
    this.configuration = await this.#run(findConfiguration, undefined);
    const isSame = JSON.stringify(before) === JSON.stringify(this.configuration);
    if (isSame && !isForced) return;
    this.status = before.things.mode === "OFF" ? "BUILDING" : "REBUILDING";
    this.things.clear();
    this.groups.clear();
    this.#followers.clear();
    this.#dirtyThings.take();
    this.#dirtyGroups.take();
    if (this.isOff) return;
    await this.#endConnections();
    if (!before.things.hasConnectivity) await this.#noteConnected();
    await this.#readEveryGroup();
    await this.#readEveryThing(touched);
  }

  async #endConnections(): Promise<void> {
    const { engineId } = this.#deps;
    if (engineId === undefined || this.#haveConnectionsEnded || !this.configuration.things.hasConnectivity) return;
    let after: string | undefined;
    do {
      after = await this.#run(endConnections, { after, engineId: engineId() });
    } while (after !== undefined);
    this.#haveConnectionsEnded = true;
  }

  /** Whoever connected before that was of interest. */
  async #noteConnected(): Promise<void> {
    const { engineId, clients } = this.#deps;
    if (engineId === undefined || !this.configuration.things.hasConnectivity) return;
    const directory = clients?.(this.#deps.scope);
    let after = "";
    for (let hasMore = directory !== undefined; hasMore;) {
      const page = (await directory?.list({ after, limit: readPageMax })) ?? [];
      const connected = page.filter(({ isConnected }) => isConnected);
      if (connected.length > 0) await this.#run(noteConnected, { clients: connected, engineId: engineId() });
      after = page.at(-1)?.clientId ?? "";
      hasMore = page.length === readPageMax;
    }
  }

  async #readEveryGroup(): Promise<void> {
    let after: string | undefined;
    do {
      const { found, next }: { found: readonly KnownGroup[]; next: string | undefined } = await this.#run(listGroups, {
        after,
      });
      for (const group of found) this.#dirtyGroups.add(group.thingGroupName);
      after = next;
      await this.#pause();
    } while (after !== undefined && !this.#isClosed);
  }

  async #readEveryThing(touched: Set<string>): Promise<void> {
    const { things } = this.configuration;
    if (things.mode === "OFF") return;
    let after: string | undefined;
    do {
      const { found, next }: { found: readonly IndexedThing[]; next: string | undefined } = await this.#run(
        listThings,
        {
          ...{ after, things },
        },
      );
      for (const thing of found) {
        // One that has changed since it was read is marked, and read again.
        this.things.set(thing);
        touched.add(thing.thingName);
      }
      after = next;
      await this.#pause();
    } while (after !== undefined && !this.#isClosed);
  }

  /** @returns dynamic groups whose query is new */
  async #takeGroups(): Promise<Follower[]> {
    const found: Follower[] = [];
    for (
      let names = this.#dirtyGroups.take(readPageMax);
      names.length > 0;
      names = this.#dirtyGroups.take(readPageMax)
    ) {
      const read = await this.#run(readGroups, { names });
      for (const name of names) {
        const follower = this.#takeGroup(name, read.get(name));
        if (follower !== undefined) found.push(follower);
      }
      await this.#pause();
    }
    this.#queryIds = new Set(Array.from(this.#followers.values(), ({ queryId }) => queryId));
    this.#followerIds = new Set(Array.from(this.#followers.values(), ({ group }) => group.thingGroupId));
    return found;
  }

  #takeGroup(name: string, group: KnownGroup | undefined): Follower | undefined {
    if (group === undefined) {
      this.groups.delete(name);
      this.#followers.delete(name);
      return undefined;
    }
    this.groups.set(name, group);
    const { dynamic } = group;
    const before = this.#followers.get(name);
    if (dynamic === undefined || this.configuration.things.mode === "OFF") return undefined;
    if (before?.queryId === dynamic.queryId) {
      this.#followers.set(name, { ...before, group });
      return undefined;
    }
    const follower = { group, queryId: dynamic.queryId, matches: this.#compile(group, dynamic.queryString) };
    this.#followers.set(name, follower);
    return follower;
  }

  /** A query whose field is indexed no more finds nothing. */
  #compile({ thingGroupName }: KnownGroup, queryString: string): (thing: IndexedThing) => boolean {
    try {
      // What dynamic groups a thing is in does not decide in which it is: else they could chase each other for ever.
      const isStatic = (thingGroupId: string) => !this.#followerIds.has(thingGroupId);
      return compileThings(queryString, this.configuration, isStatic);
    } catch (error) {
      this.#deps.log.warn("dynamicGroupQueryInvalid", { thingGroupName, error: String(error) });
      return () => false;
    }
  }

  async #takeThings(touched: Set<string>): Promise<void> {
    const { things } = this.configuration;
    for (;;) {
      const names = this.#dirtyThings.take(readPageMax);
      if (names.length === 0) return;
      await this.#readAgain(names, things);
      for (const name of names) touched.add(name);
      await this.#pause();
    }
  }

  async #readAgain(thingNames: readonly string[], things: IndexingConfiguration["things"]): Promise<void> {
    const read = await this.#run(readThings, { thingNames, things });
    const gone = thingNames.filter((name) => !read.has(name));
    if (gone.length > 0 && things.hasConnectivity) await this.#run(forgetConnectivity, { thingNames: gone });
    for (const name of thingNames) {
      const thing = read.get(name);
      if (thing !== undefined) this.things.set(thing);
      else if (this.things.delete(name)) this.rebuild();
    }
  }

  /** Dynamic groups get and lose what now meets their query, or no longer does. */
  async #follow(names: Iterable<string>): Promise<void> {
    if (this.#followers.size === 0) return;
    const followers = [...this.#followers.values()];
    let looked = 0;
    for (const name of names) {
      if (this.#isClosed) return;
      if (++looked % readPageMax === 0) await this.#pause();
      const thing = this.things.get(name);
      if (thing === undefined) continue;
      const met = followers.filter(({ matches }) => matches(thing));
      const isIn = (group: KnownGroup) => thing.groups.some(({ thingGroupId }) => thingGroupId === group.thingGroupId);
      const isSame = followers.every((follower) => isIn(follower.group) === met.includes(follower));
      if (!isSame) await this.#followThing(name, met);
    }
  }

  async #followThing(thingName: string, met: readonly Follower[]): Promise<void> {
    const groups = met.map(({ group, queryId }) => ({ thingGroupName: group.thingGroupName, queryId }));
    const { followDynamicGroups } = this.#deps.dynamicGroups;
    const { refused } = await this.#run(followDynamicGroups, { thingName, groups, queryIds: this.#queryIds });
    for (const thingGroupName of refused) {
      // AWS counts it as AddThingToDynamicThingGroupsFailed.
      this.#deps.log.warn("dynamicGroupFull", {
        thingName,
        thingGroupName,
        reason: "the thing is in as many groups as it can be",
      });
    }
    await this.#readAgain([thingName], this.configuration.things);
  }

  /** Others have their turn. */
  #pause(): Promise<void> {
    return new Promise((resolve) => this.#deps.clock.afterTurn(resolve));
  }
}

/** What finds things by a query, under what is indexed. @throws {ThinglineError} as the query's */
export function compileThings(
  queryString: string,
  { things }: IndexingConfiguration,
  isGroupSearched?: (thingGroupId: string) => boolean,
): (thing: IndexedThing) => boolean {
  const fields = thingFields({
    hasShadow: things.mode === "REGISTRY_AND_SHADOW",
    namedShadows: things.hasNamedShadows ? things.namedShadowNames : [],
    hasConnectivity: things.hasConnectivity,
    ...(isGroupSearched !== undefined && { isGroupSearched }),
  });
  const orders = new Map(things.geoLocations.map(({ name, order }) => [name, order]));
  return compileQuery(queryString, fields, { orderOf: (field) => orders.get(field) ?? "LatLon" });
}
