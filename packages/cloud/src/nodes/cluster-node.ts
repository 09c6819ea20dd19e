import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { Clock, Random, Timer } from "@thingline/transport";
import type { Log } from "../log.js";
import { iterate } from "../store/iterate.js";
import type { Store, StoreOperation } from "../store/store.js";
import {
  isEpochOpen,
  nodeKeys,
  soleNodeId,
  type Adopter,
  type CloudNode,
  type Estate,
  type NodeRecord,
} from "./node.js";

/** A node that has not renewed its lease for so long, by its own clock, stops to act. */
export const nodeLeaseMs = 10_000;
/** How often a node renews its lease, and looks after the others. */
export const nodeRenewMs = 2_000;
/** Others wait so much longer than the lease before they declare a node over: for clocks that do not run alike. */
export const nodeLeaseMarginMs = 1_000;
/** Nodes of one store, those included that are over and not yet taken care of. */
export const nodesMax = 100;

export interface ClusterNodeDependencies {
  store: Store;
  clock: Clock;
  random: Random;
  log: Log;
}

/**
 * Joins the nodes that share a store, under a name of its own. The lease begins with it; the others are looked after from
 * {@link CloudNode.start} on.
 *
 * @throws {ThinglineError} LIMIT_EXCEEDED when there are {@link nodesMax} already, or of the store.
 */
export async function openClusterNode(dependencies: ClusterNodeDependencies): Promise<CloudNode> {
  const { store, clock, random } = dependencies;
  const id = random.uuid();
  const beganMs = clock.monotonicMs();
  if ((await store.list(nodeKeys.nodes, { limit: nodesMax })).length >= nodesMax) {
    throw new ThinglineError("LIMIT_EXCEEDED", `${nodesMax} nodes use the store already`, { details: { nodesMax } });
  }
  const record: NodeRecord = { startedAtMs: clock.unixMs() };
  const [epoch] = await store.commit([
    { key: nodeKeys.node(id), expectedRevision: 0, value: record },
    { key: nodeKeys.beat(id), expectedRevision: 0, value: 0 },
  ]);
  return new ClusterNode(dependencies, id, epoch!, beganMs);
}

/** Another node, as this one sees it. */
interface Seen {
  record: NodeRecord;
  revision: number;
  beatRevision: number;
  /** When this node first read that beat. */
  sinceMs: number;
}

class ClusterNode implements CloudNode {
  readonly isAlone = false;
  readonly id: string;
  readonly epoch: number;
  readonly guard: StoreOperation;
  isOver = false;
  readonly #dependencies: ClusterNodeDependencies;
  readonly #adopters: Adopter[] = [];
  readonly #whenOver: (() => void)[] = [];
  readonly #whenEnded: ((id: string) => void)[] = [];
  readonly #whenGone: ((id: string) => void)[] = [];
  readonly #seen = new Map<string, Seen>();
  /** Estates that this node is taking now. */
  readonly #estates = new Set<string>();
  readonly #adopting = new Set<Promise<void>>();
  #hasAskedForSole = false;
  #waiting: ((isRegained: boolean) => void)[] = [];
  #leaseEndMs: number;
  #beats = 0;
  #timer: Timer | undefined;
  #looking: Promise<void> | undefined;
  #isStarted = false;
  #closing: Promise<void> | undefined;

  constructor(dependencies: ClusterNodeDependencies, id: string, epoch: number, beganMs: number) {
    this.#dependencies = dependencies;
    this.id = id;
    this.epoch = epoch;
    this.guard = { key: nodeKeys.node(id), expectedRevision: epoch, check: true };
    this.#leaseEndMs = beganMs + nodeLeaseMs;
    this.#arm();
  }

  mayAct(): boolean {
    return !this.isOver && this.#dependencies.clock.monotonicMs() < this.#leaseEndMs;
  }

  regained(): Promise<boolean> {
    if (this.isOver) return Promise.resolve(false);
    if (this.mayAct()) return Promise.resolve(true);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async verify(): Promise<boolean> {
    if (!this.isOver && !(await isEpochOpen(this.#dependencies.store, { node: this.id, epoch: this.epoch })))
      this.#end();
    return this.isOver;
  }

  onEstate(adopter: Adopter): void {
    this.#adopters.push(adopter);
  }

  onOver(listener: () => void): void {
    this.#whenOver.push(listener);
  }

  onEnded(listener: (id: string) => void): void {
    this.#whenEnded.push(listener);
  }

  onGone(listener: (id: string) => void): void {
    this.#whenGone.push(listener);
  }

  others(): readonly string[] {
    return [...new Set([...this.#seen.keys(), ...this.#estates])];
  }

  async start(): Promise<void> {
    if (this.#isStarted) return this.#looking;
    this.#isStarted = true;
    await this.#look();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#timer?.cancel();
    await this.#looking;
    await Promise.all(this.#adopting);
    if (this.isOver) return;
    const { store, log, clock } = this.#dependencies;
    const record: NodeRecord = { startedAtMs: clock.unixMs(), isOver: true };
    try {
      await store.commit([
        { key: nodeKeys.node(this.id), expectedRevision: this.epoch, value: record },
        { key: nodeKeys.beat(this.id), delete: true },
      ]);
    } catch (error) {
      // The others find out when the lease is over.
      log.warn("nodeNotClosed", { node: this.id, error: String(error) });
    }
    this.#end();
  }

  #end(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#timer?.cancel();
    if (this.#closing === undefined) this.#dependencies.log.error("nodeOver", { node: this.id, epoch: this.epoch });
    for (const resolve of this.#waiting.splice(0)) resolve(false);
    for (const listener of this.#whenOver.splice(0)) listener();
  }

  #arm(): void {
    this.#timer = this.#dependencies.clock.setTimer(nodeRenewMs, () => void this.#tick());
  }

  async #tick(): Promise<void> {
    await this.#renew();
    if (this.#isStarted && !this.isOver) await this.#look();
    if (!this.isOver && this.#closing === undefined) this.#arm();
  }

  /** The lease runs from the moment in which its renewal was asked for: others may see it later, never earlier. */
  async #renew(): Promise<void> {
    const { store, clock, log } = this.#dependencies;
    const beganMs = clock.monotonicMs();
    try {
      await store.commit([{ key: nodeKeys.beat(this.id), value: ++this.#beats }, this.guard]);
    } catch (error) {
      if (isThinglineError(error, "STORE_CONFLICT")) this.#end();
      else log.error("leaseNotRenewed", { node: this.id, error: String(error) });
      return;
    }
    this.#leaseEndMs = beganMs + nodeLeaseMs;
    if (this.mayAct()) for (const resolve of this.#waiting.splice(0)) resolve(true);
  }

  async #look(): Promise<void> {
    this.#looking = this.#lookAtAll().catch((error: unknown) => {
      this.#dependencies.log.error("nodesUnreadable", { node: this.id, error: String(error) });
    });
    await this.#looking;
  }

  async #lookAtAll(): Promise<void> {
    const { store, clock } = this.#dependencies;
    const beats = new Map<string, number>();
    for await (const { key, revision } of iterate(store, nodeKeys.beats)) beats.set(String(key.at(-1)), revision);
    const gone = new Set(this.#seen.keys());
    for await (const { key, value, revision } of iterate<NodeRecord>(store, nodeKeys.nodes)) {
      const id = String(key.at(-1));
      if (id === this.id) continue;
      gone.delete(id);
      const beatRevision = beats.get(id) ?? 0;
      const before = this.#seen.get(id);
      const isSame = before?.revision === revision && before.beatRevision === beatRevision;
      const sinceMs = isSame ? before.sinceMs : clock.monotonicMs();
      this.#seen.set(id, { record: value, revision, beatRevision, sinceMs });
      if (value.isOver === true && before?.record.isOver !== true) this.#tell(this.#whenEnded, id);
    }
    for (const id of gone) {
      this.#seen.delete(id);
      this.#tell(this.#whenGone, id);
    }
    if (this.isOver || this.#closing !== undefined) return;
    for (const [id, seen] of this.#seen) if (await this.#isHeirless(seen)) this.#track(this.#adopt(id, seen));
    // A node that was alone, and releases without nodes, left things under a name that has no record.
    if (!this.#hasAskedForSole && !this.#seen.has(soleNodeId)) this.#track(this.#adopt(soleNodeId, undefined));
    this.#hasAskedForSole = true;
  }

  /** Whether the node is over, and nobody alive takes what it left. */
  async #isHeirless({ record, sinceMs }: Seen): Promise<boolean> {
    const { store, clock } = this.#dependencies;
    if (record.isOver !== true) return clock.monotonicMs() - sinceMs >= nodeLeaseMs + nodeLeaseMarginMs;
    const { heir } = record;
    return heir === undefined || heir.node === this.id || !(await isEpochOpen(store, heir));
  }

  #tell(listeners: readonly ((id: string) => void)[], id: string): void {
    for (const listener of listeners) listener(id);
  }

  /** Somebody else wrote the record of that node: it is one of the others as long as it has one. */
  async #lookAgain(id: string): Promise<void> {
    const { store, clock } = this.#dependencies;
    try {
      await this.verify();
      const entry = await store.get<NodeRecord>(nodeKeys.node(id));
      if (entry === undefined || this.#seen.has(id)) return;
      this.#seen.set(id, {
        record: entry.value,
        revision: entry.revision,
        beatRevision: 0,
        sinceMs: clock.monotonicMs(),
      });
    } catch (error) {
      this.#dependencies.log.error("nodesUnreadable", { node: this.id, error: String(error) });
    }
  }

  #track(work: Promise<void>): void {
    const tracked = work.finally(() => void this.#adopting.delete(tracked));
    this.#adopting.add(tracked);
  }

  /** Ends the node's epoch, unless it has shown a sign of life, and takes what it left. */
  async #adopt(id: string, seen: Seen | undefined): Promise<void> {
    const { store, clock, log } = this.#dependencies;
    if (this.#estates.has(id)) return;
    this.#estates.add(id);
    const heir = { node: this.id, epoch: this.epoch };
    const record: NodeRecord = { startedAtMs: seen?.record.startedAtMs ?? clock.unixMs(), isOver: true, heir };
    const key = nodeKeys.node(id);
    const operations: StoreOperation[] = [
      { key, expectedRevision: seen?.revision ?? 0, value: record },
      { key: nodeKeys.beat(id), expectedRevision: seen?.beatRevision ?? 0, delete: true },
      this.guard,
    ];
    try {
      const [revision] = await store.commit(operations);
      if (seen !== undefined) log.warn("nodeAdopted", { node: id, by: this.id });
      const mine: StoreOperation = { key, expectedRevision: revision!, check: true };
      const estate: Estate = { id, guards: [mine, this.guard] };
      this.#tell(this.#whenEnded, id);
      for (const adopter of this.#adopters) await adopter(estate);
      await store.commit([{ key, expectedRevision: revision!, delete: true }, this.guard]);
      this.#seen.delete(id);
      this.#tell(this.#whenGone, id);
    } catch (error) {
      // A sign of life, or another heir. Whatever else it is, the next look tries again.
      if (isThinglineError(error, "STORE_CONFLICT")) await this.#lookAgain(id);
      else log.error("estateNotTaken", { node: id, error: String(error) });
    } finally {
      this.#estates.delete(id);
    }
  }
}
