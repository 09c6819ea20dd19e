// Three nodes with a runner each, on one store: operations with effects and wake-ups, and nodes that die or stand still at any moment.
import {
  openClusterNode,
  openOperationRunner,
  type CloudNode,
  type EffectRunner,
  type Log,
  type Operation,
  type Store,
} from "@thingline/cloud";
import { createVirtualStore, type NodeStore, type VirtualStore } from "@thingline/cloud/contract";
import type { Keys } from "@thingline/transport";
import {
  createVirtualClock,
  createVirtualRandom,
  type VirtualClock,
  type VirtualRandom,
} from "@thingline/transport/virtual";
import { createProcess, type ClusterProcess } from "./cluster-process.test.support.js";

export interface ClusterResult {
  violations: string[];
  trace: string[];
  facts: { acknowledged: number; performed: number; fired: number; deaths: number; adopted: number };
}

/** What a test puts between a node and its store to plant a fault. */
export type StoreFault = (store: Store) => Store;

const scope = { account: "123456789012", region: "us-east-1" };
const nodeCount = 3;
const workMs = 12_000;
/** Long enough for a death in the last moment, the adoption, and the wake-ups that are due until then. */
const restMs = 40_000;

interface Member {
  readonly name: string;
  readonly process: ClusterProcess;
  readonly store: NodeStore;
  node: CloudNode | undefined;
  runner: EffectRunner | undefined;
}

export async function runRunnerCluster(seed: string, plant: StoreFault = (store) => store): Promise<ClusterResult> {
  const chance = createVirtualRandom(`runners/${seed}`);
  const clock = createVirtualClock();
  const store = createVirtualStore({ clock, random: chance.fork("store"), delayMsMax: 1 + chance.integer(60) });
  const world = new RunnerCluster(clock, store, chance, plant);
  await world.work();
  await world.rest();
  await world.judge();
  const { violations, trace, facts } = world;
  return { violations, trace, facts };
}

class RunnerCluster {
  readonly violations: string[] = [];
  readonly trace: string[] = [];
  readonly facts = { acknowledged: 0, performed: 0, fired: 0, deaths: 0, adopted: 0 };
  private readonly clock: VirtualClock;
  private readonly store: VirtualStore;
  private readonly chance: VirtualRandom;
  private readonly plant: StoreFault;
  private readonly members: Member[] = [];
  /** Effects and wake-ups by name: who began, in order. */
  private readonly performers = new Map<string, Member[]>();
  private readonly firers = new Map<string, Member[]>();
  private readonly performedOf = new Map<string, number[]>();
  private memberCount = 0;
  private jobCount = 0;

  constructor(clock: VirtualClock, store: VirtualStore, chance: VirtualRandom, plant: StoreFault) {
    this.clock = clock;
    this.store = store;
    this.chance = chance;
    this.plant = plant;
  }

  private note(line: string): void {
    this.trace.push(`${String(this.clock.monotonicMs()).padStart(6)} ${line}`);
  }

  private violate(line: string): void {
    this.note(`VIOLATION ${line}`);
    this.violations.push(line);
  }

  private start(): void {
    const process = createProcess(this.clock);
    const member: Member = {
      name: `node ${++this.memberCount}`,
      process,
      store: this.store.open(process.clock),
      node: undefined,
      runner: undefined,
    };
    this.members.push(member);
    this.note(`${member.name} starts`);
    void this.open(member).catch((error: unknown) => {
      if (!process.isDead) this.violate(`${member.name} did not open: ${String(error)}`);
    });
  }

  private async open(member: Member): Promise<void> {
    const { clock } = member.process;
    const random = this.chance.fork(member.name);
    const note = (event: string, facts?: Readonly<Record<string, unknown>>): void => {
      if (event === "effectsAdopted") this.facts.adopted += Number(facts?.["count"]);
      if (event !== "effectFailed") this.note(`${member.name} ${event} ${JSON.stringify(facts ?? {})}`);
    };
    const log: Log = { debug: note, info: note, warn: note, error: note };
    const store = this.plant(member.store);
    member.node = await openClusterNode({ store, clock, random, log });
    this.note(`${member.name} is ${member.node.id.slice(0, 8)}`);
    const deps = { store, clock, random, keys: {} as Keys, log, node: member.node };
    const runner = await openOperationRunner(deps);
    member.runner = runner;
    const later = (): Promise<void> => clock.sleep(this.chance.integer(3) === 0 ? this.chance.integer(900) : 0);
    await runner.start({
      performer: {
        publish: (_scope, { topic }) => {
          this.performs(member, topic);
          return later();
        },
        disconnect: later,
        recheckPrincipal: later,
        announceWakeUp: (atUnixMs) => {
          // A hint may get lost.
          if (this.chance.integer(2) === 0) for (const { runner } of this.living()) runner?.expectWakeUp(atUnixMs);
        },
      },
      wakeHandlers: new Map([["s", (_scope, name) => this.fires(member, name, later)]]),
    });
  }

  /** Whether the node has the right to act at this very moment, as the store has it. */
  private isOwner({ node }: Member): boolean {
    return node !== undefined && this.store.content.peek!(["", "", "node", node.id])?.revision === node.epoch;
  }

  private performs(member: Member, topic: string): void {
    this.note(`${member.name} performs ${topic}`);
    this.facts.performed++;
    if (!this.isOwner(member)) this.violate(`${member.name} performed ${topic} after its epoch`);
    const before = this.performers.get(topic) ?? [];
    for (const other of before) {
      if (other !== member && this.isOwner(other)) this.violate(`${topic} was performed by two owners of one epoch`);
    }
    this.performers.set(topic, [...before, member]);
    if (before.length > 0) return;
    const [owner = "", number = ""] = topic.split("/");
    const earlier = this.performedOf.get(owner) ?? [];
    if (earlier.some((other) => other > Number(number))) this.violate(`${topic} was performed after a later one`);
    this.performedOf.set(owner, [...earlier, Number(number)]);
  }

  private async fires(member: Member, name: string, later: () => Promise<void>): Promise<void> {
    this.note(`${member.name} wakes for ${name}`);
    this.facts.fired++;
    if (!this.isOwner(member)) this.violate(`${member.name} woke for ${name} after its epoch`);
    const before = this.firers.get(name) ?? [];
    for (const other of before) {
      if (this.isOwner(other)) this.violate(`${name} fired in two nodes that live`);
    }
    this.firers.set(name, [...before, member]);
    await later();
    await member.runner!.run(scope, write, { name: `woken/${name}`, effects: [] });
  }

  private living(): Member[] {
    return this.members.filter(({ process }) => !process.isDead);
  }

  /** An operation with one to three effects, and now and then a wake-up. */
  private ask(): void {
    const ready = this.living().filter(({ runner, node }) => runner !== undefined && node?.isOver === false);
    if (ready.length === 0) return;
    const member = ready[this.chance.integer(ready.length)]!;
    const job = ++this.jobCount;
    const name = `${member.name}/${job}`;
    const wakes = this.chance.integer(3) === 0 ? [{ name, inMs: this.chance.integer(15_000) }] : [];
    member.runner!.run(scope, write, { name, effects: [name], wakes }).then(
      () => this.acknowledged(name, wakes.length > 0),
      (error: unknown) => this.note(`${name} refused: ${String(error)}`),
    );
  }

  private readonly promises: { name: string; wakes: boolean }[] = [];
  private acknowledged(name: string, wakes: boolean): void {
    this.note(`${name} acknowledged`);
    this.facts.acknowledged++;
    this.promises.push({ name, wakes });
  }

  async work(): Promise<void> {
    const { chance, clock } = this;
    for (let count = 0; count < nodeCount; count++) this.start();
    const endMs = clock.monotonicMs() + workMs;
    while (clock.monotonicMs() < endMs) {
      for (let jobs = chance.integer(4); jobs > 0; jobs--) this.ask();
      if (chance.integer(40) === 0) this.kill();
      if (chance.integer(60) === 0) this.stop();
      if (this.living().length < nodeCount && chance.integer(30) === 0) this.start();
      await clock.advance(chance.integer(300));
    }
  }

  private kill(): void {
    const living = this.living();
    const member = living[this.chance.integer(Math.max(1, living.length))];
    if (member === undefined) return;
    this.facts.deaths++;
    this.note(`${member.name} dies`);
    member.process.kill();
    member.store.kill(this.chance.integer(2) === 0);
  }

  private stop(): void {
    const living = this.living();
    const member = living[this.chance.integer(Math.max(1, living.length))];
    const forMs = 1_000 + this.chance.integer(20_000);
    if (member === undefined) return;
    this.note(`${member.name} stands still for ${forMs} ms`);
    member.process.stop(forMs);
  }

  async rest(): Promise<void> {
    const hasRoom = (): boolean => this.living().some(({ node }) => node?.isOver !== true);
    if (!hasRoom()) this.start();
    await this.clock.advance(restMs);
    // One that stood still too long has lost its place, and its work.
    if (!hasRoom()) {
      this.start();
      await this.clock.advance(restMs);
    }
  }

  async judge(): Promise<void> {
    const { content } = this.store;
    for (const { name, wakes } of this.promises) {
      if ((await content.get(["state", name])) === undefined) this.violate(`${name} was acknowledged and is not there`);
      if (wakes && !this.firers.has(name)) this.violate(`${name} was to be woken and never was`);
    }
    for (const { key } of await content.list(["state"], { limit: 100_000 })) {
      const name = String(key[1]);
      if (!name.startsWith("woken/") && !this.performers.has(name))
        this.violate(`${name} is there and was never performed`);
    }
    for (const kind of ["outbox", "wake"]) {
      const left = await content.list(["", "", kind], { limit: 9 });
      if (left.length > 0) this.violate(`${kind} has records left: ${JSON.stringify(left.map(({ key }) => key))}`);
    }
  }
}

interface Write {
  name: string;
  effects: readonly string[];
  wakes?: readonly { name: string; inMs: number }[];
}

const write: Operation<Write, void> = ({ nowMs }, { name, effects, wakes = [] }) => ({
  result: undefined,
  operations: [{ key: ["state", name], value: name }],
  effects: [
    ...effects.map((topic) => ({ type: "publish" as const, topic, payload: new Uint8Array(1), qos: 1 as const })),
    ...wakes.map((wake) => ({ type: "wakeAt" as const, service: "s", name: wake.name, atUnixMs: nowMs + wake.inMs })),
  ],
});
