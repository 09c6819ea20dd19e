// Three nodes with a runner and a broker each, on one store and a bus that delays, reorders, repeats and loses. Clients publish, subscribe
// and come back elsewhere when their node dies; what was acknowledged to them is held against what others got.
import {
  createBroker,
  noLimits,
  openClusterNode,
  openOperationRunner,
  type Broker,
  type CloudNode,
  type EffectRunner,
  type Log,
  type Operation,
} from "@thingline/cloud";
import {
  createVirtualBus,
  createVirtualStore,
  type NodeStore,
  type VirtualBus,
  type VirtualStore,
} from "@thingline/cloud/contract";
import type { MqttPacket } from "@thingline/protocol/mqtt";
import type { Keys } from "@thingline/transport";
import {
  createVirtualClock,
  createVirtualRandom,
  type VirtualClock,
  type VirtualRandom,
} from "@thingline/transport/virtual";
import { connectTo, type ClusterLink } from "./cluster-client.test.support.js";
import { createProcess, type ClusterProcess } from "./cluster-process.test.support.js";
import type { ClusterResult, StoreFault } from "./runner-cluster.test.support.js";

const scope = { account: "123456789012", region: "us-east-1" };
const nodeCount = 3;
const workMs = 9_000;
/** After a lease, an adoption, and all attempts to bring a message, it is looked whether everybody has what was promised. */
const restMs = 40_000;
const restAgainMs = 20_000;
const restAgainMax = 8;

interface Member {
  readonly name: string;
  readonly process: ClusterProcess;
  readonly store: NodeStore;
  node: CloudNode | undefined;
  runner: EffectRunner | undefined;
  broker: Broker | undefined;
  readonly links: Set<ClusterLink>;
}

/** A message of the world, by its text. */
interface Sent {
  readonly text: string;
  readonly topic: string;
  readonly publisher: string;
  readonly number: number;
  readonly isRetained: boolean;
  /** Place in the order of all events. */
  firstSentAt: number;
  sends: number;
  acknowledgedAt: number | undefined;
}

export async function runBrokerCluster(seed: string, plant: StoreFault = (store) => store): Promise<ClusterResult> {
  const chance = createVirtualRandom(`brokers/${seed}`);
  const clock = createVirtualClock();
  const world = new BrokerCluster(clock, chance, plant);
  await world.work();
  await world.rest();
  await world.judge();
  const { violations, trace, facts } = world;
  return { violations, trace, facts };
}

export class BrokerCluster {
  readonly violations: string[] = [];
  readonly trace: string[] = [];
  readonly facts = { acknowledged: 0, performed: 0, fired: 0, deaths: 0, adopted: 0, moved: 0, received: 0 };
  readonly clock: VirtualClock;
  readonly chance: VirtualRandom;
  readonly store: VirtualStore;
  readonly bus: VirtualBus;
  readonly sent = new Map<string, Sent>();
  readonly members: Member[] = [];
  private readonly plant: StoreFault;
  private readonly clients: Client[] = [];
  private events = 0;
  private memberCount = 0;
  private effectCount = 0;
  private readonly firers = new Map<string, Member[]>();
  isResting = false;

  constructor(clock: VirtualClock, chance: VirtualRandom, plant: StoreFault) {
    this.clock = clock;
    this.chance = chance;
    this.plant = plant;
    this.store = createVirtualStore({ clock, random: chance.fork("store"), delayMsMax: 1 + chance.integer(30) });
    this.bus = createVirtualBus({
      ...{ clock, random: chance.fork("bus"), delayMsMax: 1 + chance.integer(60) },
      ...{ lossRate: chance.integer(4) * 0.06, repeatRate: chance.integer(3) * 0.05 },
    });
    for (let count = 0; count < nodeCount; count++) this.start();
    this.clients.push(
      new Subscriber(this, "s1", ["t/1", "e/#"], false),
      new Subscriber(this, "s2", ["t/+"], false),
      new Subscriber(this, "s3", ["t/+", "e/1"], false, true),
      new Subscriber(this, "c1", ["t/2", "e/#"], true),
      new Publisher(this, "p1", "t/1", 1),
      new Publisher(this, "p2", "t/2", 4),
      new Publisher(this, "p3", "r/1", 1, true),
    );
  }

  /** @returns the place of this event in the order of all. */
  note(line: string): number {
    this.trace.push(`${String(this.clock.monotonicMs()).padStart(6)} ${line}`);
    return ++this.events;
  }

  violate(line: string): void {
    this.note(`VIOLATION ${line}`);
    this.violations.push(line);
  }

  later(msMax: number, work: () => void): void {
    this.clock.setTimer(this.chance.integer(msMax), work);
  }

  /** A node that takes clients. */
  choose(): Member | undefined {
    const ready = this.members.filter(
      ({ broker, node, process }) => broker !== undefined && node?.isOver === false && !process.isDead,
    );
    return ready.length === 0 ? undefined : ready[this.chance.integer(ready.length)];
  }

  // Nodes

  private start(): void {
    const process = createProcess(this.clock);
    const member: Member = {
      ...{ name: `node ${++this.memberCount}`, process, store: this.store.open(process.clock), links: new Set() },
      ...{ node: undefined, runner: undefined, broker: undefined },
    };
    this.members.push(member);
    this.note(`${member.name} starts`);
    this.open(member).catch((error: unknown) => {
      // One that lost its place before it was open.
      if (!process.isDead && member.node?.isOver !== true) this.violate(`${member.name} failed: ${String(error)}`);
    });
  }

  private async open(member: Member): Promise<void> {
    const { clock } = member.process;
    const random = this.chance.fork(member.name);
    const note = (event: string, facts?: Readonly<Record<string, unknown>>): void => {
      if (event === "effectsAdopted") this.facts.adopted += Number(facts?.["count"]);
      this.note(`${member.name} ${event} ${JSON.stringify(facts ?? {})}`);
    };
    const log: Log = { debug: () => undefined, info: note, warn: note, error: note };
    const store = this.plant(member.store);
    const node = await openClusterNode({ store, clock, random, log });
    member.node = node;
    this.note(`${member.name} is ${node.id.slice(0, 8)}`);
    const runner = await openOperationRunner({ store, clock, random, keys: {} as Keys, log, node });
    const broker = await createBroker({
      ...{ clock, random, log, store, scope, runner, node, bus: this.bus.of(clock), limits: noLimits },
      onWakeUpStored: (atUnixMs) => runner.expectWakeUp(atUnixMs),
    });
    await runner.start({
      performer: {
        publish: (_scope, effect, id) => {
          this.performs(member, effect.topic);
          return broker.publish(effect, id);
        },
        disconnect: (_scope, { clientId, reason }) => broker.disconnectClient(clientId, reason),
        recheckPrincipal: (_scope, { certificateId }) => broker.recheckPrincipal(certificateId),
        isWanted: (_scope, topic) => broker.isWanted(topic),
        announceWakeUp: (atUnixMs) => broker.announceWakeUp(atUnixMs),
      },
      wakeHandlers: new Map([["s", async (_scope, name) => this.fires(member, name)]]),
    });
    member.runner = runner;
    member.broker = broker;
    this.note(`${member.name} is ready`);
  }

  private isOwner({ node }: Member): boolean {
    return node !== undefined && this.store.content.peek!(["", "", "node", node.id])?.revision === node.epoch;
  }

  private performs(member: Member, topic: string): void {
    this.facts.performed++;
    this.note(`${member.name} performs ${topic}`);
    if (!this.isOwner(member)) this.violate(`${member.name} performed ${topic} after its epoch`);
  }

  private fires(member: Member, name: string): void {
    this.facts.fired++;
    this.note(`${member.name} wakes for ${name}`);
    if (!this.isOwner(member)) this.violate(`${member.name} woke for ${name} after its epoch`);
    const before = this.firers.get(name) ?? [];
    if (before.some((other) => this.isOwner(other))) this.violate(`${name} fired in two nodes that live`);
    this.firers.set(name, [...before, member]);
  }

  /** An operation of some node with a message as its effect, and now and then a wake-up. */
  private ask(): void {
    const member = this.choose();
    if (member?.runner === undefined) return;
    const number = ++this.effectCount;
    const text = `effect/${number}`;
    const facts = { topic: "e/1", publisher: `effects of ${member.name}`, number, isRetained: false };
    const sent: Sent = { text, ...facts, firstSentAt: this.note(`${text} asked`), sends: 1, acknowledgedAt: undefined };
    this.sent.set(text, sent);
    const wakeInMs = this.chance.integer(3) === 0 ? this.chance.integer(8_000) : undefined;
    member.runner.run(scope, announce, { text, wakeInMs }).then(
      () => {
        this.facts.acknowledged++;
        sent.acknowledgedAt = this.note(`${text} acknowledged`);
        if (wakeInMs !== undefined) this.wakes.push(text);
      },
      (error: unknown) => this.note(`${text} refused: ${String(error)}`),
    );
  }
  private readonly wakes: string[] = [];

  private kill(): void {
    const member = this.anyLiving();
    if (member === undefined) return;
    this.facts.deaths++;
    this.note(`${member.name} dies`);
    member.process.kill();
    member.store.kill(this.chance.integer(2) === 0);
    if (member.node !== undefined) this.bus.kill(member.node.id);
    for (const link of member.links) link.cut();
  }

  private anyLiving(): Member | undefined {
    const living = this.members.filter(({ process }) => !process.isDead);
    return living[this.chance.integer(Math.max(1, living.length))];
  }

  private part(): void {
    const [one, other] = [this.anyLiving()?.node?.id, this.anyLiving()?.node?.id];
    if (one === undefined || other === undefined || one === other) return;
    this.note(`the bus between ${one.slice(0, 8)} and ${other.slice(0, 8)} is cut`);
    this.bus.part(one, other);
    this.later(6_000, () => this.bus.heal());
  }

  private stop(): void {
    const member = this.anyLiving();
    const forMs = 1_000 + this.chance.integer(20_000);
    if (member === undefined) return;
    this.note(`${member.name} stands still for ${forMs} ms`);
    member.process.stop(forMs);
  }

  // Time

  async work(): Promise<void> {
    const { chance, clock } = this;
    await clock.advance(5_000);
    for (const client of this.clients) {
      if (client.isLate) this.later(2 * workMs, () => client.connect());
      else client.connect();
    }
    const endMs = clock.monotonicMs() + workMs;
    while (clock.monotonicMs() < endMs) {
      if (chance.integer(4) === 0) this.ask();
      for (const client of this.clients) client.act();
      if (chance.integer(25) === 0) this.kill();
      if (chance.integer(60) === 0) this.stop();
      if (chance.integer(40) === 0) this.part();
      const living = this.members.filter(({ process }) => !process.isDead).length;
      if (living < nodeCount && chance.integer(12) === 0) this.start();
      await clock.advance(1 + chance.integer(300));
    }
  }

  async rest(): Promise<void> {
    this.isResting = true;
    this.bus.lossRate = 0;
    this.bus.heal();
    for (let round = 0; round <= restAgainMax; round++) {
      if (this.members.every(({ process, node }) => process.isDead || node?.isOver === true)) this.start();
      await this.clock.advance(round === 0 ? restMs : restAgainMs);
      if (this.clients.every((client) => client.isDone) && (await this.isIdle())) break;
    }
  }

  private async isIdle(): Promise<boolean> {
    const lists = ["outbox", "wake"].map((kind) => this.store.content.list(["", "", kind], { limit: 1 }));
    return (await Promise.all(lists)).every(({ length }) => length === 0);
  }

  async judge(): Promise<void> {
    const { content } = this.store;
    for (const client of this.clients) client.judge();
    for (const name of this.wakes) if (!this.firers.has(name)) this.violate(`${name} was to be woken and never was`);
    for (const kind of ["outbox", "wake"]) {
      const left = await content.list(["", "", kind], { limit: 9 });
      if (left.length > 0) this.violate(`${kind} has records left: ${JSON.stringify(left.map(({ key }) => key))}`);
    }
    const stored = await content.get<{ payload: Uint8Array }>([
      scope.account,
      scope.region,
      "broker",
      "retained",
      "r/1",
    ]);
    const text = stored === undefined ? undefined : new TextDecoder().decode(stored.value.payload);
    for (const member of this.members) {
      if (member.broker === undefined || member.process.isDead || member.node?.isOver === true) continue;
      const copy = await retainedAt(this, member, "r/1");
      if (copy !== text) this.violate(`${member.name} has ${copy} retained, the store ${text}`);
    }
  }
}

/** What a client that comes now is told of a topic's retained message. */
async function retainedAt(world: BrokerCluster, member: Member, topic: string): Promise<string | undefined> {
  let text: string | undefined;
  const link = connectTo(member.broker!, member.process.clock, {
    packet(packet) {
      if (packet.type === "connack") {
        link.send({ type: "subscribe", packetId: 1, subscriptions: [{ filter: topic, qos: 0 }] });
      }
      if (packet.type === "publish") text = new TextDecoder().decode(packet.payload);
    },
    lost: () => undefined,
  });
  const clientId = `look at ${member.name}`;
  link.send({ type: "connect", version: 4, clientId, isCleanStart: true, keepAliveSeconds: 0 });
  await world.clock.advance(3_000);
  link.drop();
  return text;
}

/** A client that comes back, at another node perhaps, whenever its connection is lost. */
abstract class Client {
  protected readonly world: BrokerCluster;
  protected readonly name: string;
  protected link: ClusterLink | undefined;
  protected isConnected = false;
  protected member: Member | undefined;
  private readonly isClean: boolean;
  /** It comes when some nodes may have died. */
  readonly isLate: boolean = false;
  private lastPacketId = 0;

  constructor(world: BrokerCluster, name: string, isClean: boolean) {
    this.world = world;
    this.name = name;
    this.isClean = isClean;
  }

  abstract get isDone(): boolean;
  abstract judge(): void;
  act(): void {}
  protected abstract connected(isSessionPresent: boolean): void;
  protected abstract receive(packet: MqttPacket): void;
  protected abstract disconnected(): void;

  protected packetId(): number {
    this.lastPacketId = (this.lastPacketId % 60_000) + 1;
    return this.lastPacketId;
  }

  connect(): void {
    const { world } = this;
    const member = world.choose();
    if (member === undefined) {
      world.later(1_000, () => this.connect());
      return;
    }
    this.member = member;
    world.note(`${this.name} connects to ${member.name}`);
    const link = connectTo(member.broker!, member.process.clock, {
      packet: (packet) => this.hear(packet),
      lost: () => this.lost(),
    });
    this.link = link;
    member.links.add(link);
    link.send({ type: "connect", version: 4, clientId: this.name, isCleanStart: this.isClean, keepAliveSeconds: 0 });
    // A node that does not answer is left.
    world.clock.setTimer(25_000, () => {
      if (this.link === link && !this.isConnected) this.giveUp(link);
    });
  }

  private hear(packet: MqttPacket): void {
    if (packet.type !== "connack") return this.receive(packet);
    if (packet.reasonCode !== 0) return this.giveUp(this.link!);
    this.isConnected = true;
    this.world.note(`${this.name} is connected to ${this.member?.name}`);
    this.connected(packet.isSessionPresent);
  }

  protected giveUp(link: ClusterLink): void {
    link.drop();
    this.lost();
  }

  private lost(): void {
    if (this.link === undefined) return;
    this.world.note(`${this.name} has lost ${this.member?.name}`);
    this.member?.links.delete(this.link);
    this.link = undefined;
    this.isConnected = false;
    this.disconnected();
    this.world.later(1_500, () => this.connect());
  }
}

class Publisher extends Client {
  private readonly topic: string;
  private readonly windowMax: number;
  private readonly isRetained: boolean;
  private readonly open: { sent: Sent; packetId: number }[] = [];
  private count = 0;
  private isStuckSince: number | undefined;

  constructor(world: BrokerCluster, name: string, topic: string, windowMax: number, isRetained = false) {
    super(world, name, true);
    this.topic = topic;
    this.windowMax = windowMax;
    this.isRetained = isRetained;
  }

  get isDone(): boolean {
    return this.open.length === 0;
  }

  override act(): void {
    if (!this.isConnected || this.open.length >= this.windowMax) return;
    const number = ++this.count;
    const text = `${this.name}/${number}`;
    const facts = { topic: this.topic, publisher: this.name, number, isRetained: this.isRetained };
    const sent: Sent = { text, ...facts, firstSentAt: 0, sends: 0, acknowledgedAt: undefined };
    this.world.sent.set(text, sent);
    this.open.push({ sent, packetId: this.packetId() });
    this.send(this.open.at(-1)!);
  }

  private send({ sent, packetId }: Publisher["open"][number]): void {
    const at = this.world.note(`${this.name} publishes ${sent.text}`);
    if (sent.sends++ === 0) sent.firstSentAt = at;
    this.link?.send({
      ...{ type: "publish", topic: this.topic, payload: new TextEncoder().encode(sent.text), qos: 1, packetId },
      ...{ isRetained: this.isRetained, isDuplicate: false },
    });
  }

  protected connected(): void {
    for (const open of this.open) this.send(open);
    // As a device does: no PUBACK for so long, so the connection is of no use.
    const { link } = this;
    const watch = (): void => {
      if (this.link !== link || link === undefined) return;
      if (this.open.length > 0 && this.isStuckSince !== undefined) {
        if (this.world.clock.monotonicMs() - this.isStuckSince > 25_000) return this.giveUp(link);
      }
      this.world.clock.setTimer(5_000, watch);
    };
    this.isStuckSince = this.world.clock.monotonicMs();
    watch();
  }

  protected receive(packet: MqttPacket): void {
    if (packet.type !== "puback") return;
    const at = this.open.findIndex(({ packetId }) => packetId === packet.packetId);
    if (at < 0) return;
    const [{ sent }] = this.open.splice(at, 1) as [Publisher["open"][number]];
    this.isStuckSince = this.world.clock.monotonicMs();
    sent.acknowledgedAt = this.world.note(`${sent.text} acknowledged`);
    this.world.facts.acknowledged++;
  }

  protected disconnected(): void {}

  judge(): void {
    if (!this.isDone)
      this.world.violate(`${this.name} has not got its PUBACKs: ${this.open.map(({ sent }) => sent.text).join()}`);
  }
}

class Subscriber extends Client {
  private readonly filters: readonly string[];
  private readonly isForgetful: boolean;
  override readonly isLate: boolean;
  /** The place of the SUBACK in the order of events; undefined: nothing is promised. */
  private promisedAt: number | undefined;
  private readonly received = new Map<string, number>();
  private readonly order: string[] = [];
  private lastMember: Member | undefined;

  constructor(world: BrokerCluster, name: string, filters: readonly string[], isForgetful: boolean, isLate = false) {
    super(world, name, isForgetful);
    this.isLate = isLate;
    this.filters = filters;
    this.isForgetful = isForgetful;
  }

  get isDone(): boolean {
    return this.isConnected && this.promisedAt !== undefined;
  }

  /** Now and then it goes elsewhere while its node lives. */
  override act(): void {
    if (this.isForgetful || !this.isConnected || this.world.chance.integer(30) > 0) return;
    this.world.note(`${this.name} leaves`);
    this.giveUp(this.link!);
  }

  protected connected(isSessionPresent: boolean): void {
    if (!this.isForgetful && this.promisedAt !== undefined) {
      if (!isSessionPresent) this.world.violate(`${this.name} was promised to be remembered and is not`);
      else if (this.member !== this.lastMember) this.world.facts.moved++;
    }
    this.lastMember = this.member;
    if (this.promisedAt !== undefined) return;
    this.world.note(`${this.name} subscribes`);
    const subscriptions = this.filters.map((filter) => ({ filter, qos: 1 as const }));
    this.link!.send({ type: "subscribe", packetId: this.packetId(), subscriptions });
  }

  protected receive(packet: MqttPacket): void {
    if (packet.type === "suback") {
      if (packet.reasonCodes.every((code) => code === 1))
        this.promisedAt = this.world.note(`${this.name} is subscribed`);
      else this.world.violate(`${this.name} was refused: ${packet.reasonCodes.join()}`);
      return;
    }
    if (packet.type !== "publish") return;
    const text = new TextDecoder().decode(packet.payload);
    const at = this.world.note(`${this.name} gets ${text}`);
    this.world.facts.received++;
    if (!this.received.has(text)) {
      this.received.set(text, at);
      this.order.push(text);
    }
    if (packet.qos === 1) this.link?.send({ type: "puback", packetId: packet.packetId!, reasonCode: 0 });
  }

  /** A clean session is over with its connection: what it was promised until then is judged, unless its node died with it. */
  protected disconnected(): void {
    if (!this.isForgetful) return;
    this.judgeOrder();
    if (this.promisedAt !== undefined && this.member?.process.isDead === false && this.member.node?.isOver === false) {
      this.judgeReceived();
    }
    this.promisedAt = undefined;
  }

  judge(): void {
    if (!this.isDone) this.world.violate(`${this.name} is not subscribed in the end`);
    else this.judgeReceived();
    this.judgeOrder();
  }

  /** Of one session: that of a client which keeps none begins anew with each connection. */
  private judgeOrder(): void {
    const byPublisher = new Map<string, number>();
    for (const text of this.order.splice(0)) {
      const sent = this.world.sent.get(text)!;
      // What was sent more than once may have come by both ways; an effect may be performed again.
      if (sent.sends > 1 || text.startsWith("effect/")) continue;
      // Nothing is promised of what was under way before the SUBACK.
      if (this.promisedAt === undefined || sent.firstSentAt < this.promisedAt) continue;
      if ((byPublisher.get(sent.publisher) ?? 0) > sent.number)
        this.world.violate(`${this.name} got ${text} after a later one`);
      byPublisher.set(sent.publisher, sent.number);
    }
  }

  private judgeReceived(): void {
    for (const { text, topic, firstSentAt, acknowledgedAt } of this.world.sent.values()) {
      if (acknowledgedAt === undefined || firstSentAt < this.promisedAt! || this.received.has(text)) continue;
      if (!this.filters.some((filter) => matches(filter, topic))) continue;
      // An effect is acknowledged with its commit, and performed in its own time.
      if (text.startsWith("effect/") && !(this.world.isResting && this.isDone)) continue;
      this.world.violate(`${text} was acknowledged, and ${this.name} has not got it`);
    }
  }
}

function matches(filter: string, topic: string): boolean {
  return filter === topic || filter.replace(/[#+]$/, "") === topic.replace(/[^/]*$/, "");
}

interface Announcement {
  text: string;
  wakeInMs: number | undefined;
}

const announce: Operation<Announcement, void> = ({ nowMs }, { text, wakeInMs }) => ({
  result: undefined,
  operations: [{ key: ["state", text], value: text }],
  effects: [
    { type: "publish", topic: "e/1", payload: new TextEncoder().encode(text), qos: 1 },
    ...(wakeInMs === undefined
      ? []
      : [{ type: "wakeAt" as const, service: "s", name: text, atUnixMs: nowMs + wakeInMs }]),
  ],
});
