// What the tests of the broker share: a connection in memory, a client that speaks MQTT.
import { concatBytes, ThinglineError } from "@thingline/protocol";
import {
  encodeToBytes,
  PacketDecoder,
  type ConnackPacket,
  type ConnectPacket,
  type MqttPacket,
  type MqttVersion,
  type PublishAckPacket,
  type PublishPacket,
  type Subscription,
  type UserProperties,
} from "@thingline/protocol/mqtt";
import { SlabPool, StreamConnection, type Batch, type Channel, type Clock, type Random } from "@thingline/transport";
import {
  createProcessClock,
  createVirtualClock,
  type ProcessClock,
  type VirtualClock,
} from "@thingline/transport/virtual";
import type { Log } from "../log.js";
import type { Authorizer, BrokerAction, ConnectionIdentity, ConnectRequest } from "../policy/authorizer.js";
import { createMemoryStore } from "../store/memory.js";
import type { Store } from "../store/store.js";
import type { BrokerParts } from "./assemble.js";
import { createBroker, type LocalBroker } from "./broker.js";
import { awsLimits, noLimits, type BrokerLimits } from "./limits.js";
import type { Broker, BrokerOptions } from "./types.js";

export const scope = { account: "123456789012", region: "us-east-1" };

export class TestRandom implements Random {
  private count = 0;
  bytes(length: number): Uint8Array {
    return new Uint8Array(length).fill(++this.count);
  }
  fraction(): number {
    return 0;
  }
  integer(below: number): number {
    return this.count++ % below;
  }
  uuid(): string {
    return `00000000-0000-4000-8000-${String(++this.count).padStart(12, "0")}`;
  }
}

/** The broker's end of a connection, over a wire whose other end is the test. */
class TestConnection extends StreamConnection {
  private readonly wire: TestWire;

  constructor(clock: Clock, onBytes: (bytes: Uint8Array) => void) {
    const local = { host: "127.0.0.1", port: 1883 };
    const remote = { host: "127.0.0.1", port: 50_000 };
    super({ clock, pool: new SlabPool(), secure: undefined, local, remote });
    this.wire = new TestWire(clock, this, onBytes);
    this.attach(this.wire);
  }
  /** The broker has ended it, or it is lost. */
  get isOver(): boolean {
    return this.wire.isOver;
  }
  get isPaused(): boolean {
    return this.wire.isPaused;
  }
  /** Set by a test: bytes pile up instead of being taken. */
  set isStalled(isStalled: boolean) {
    this.wire.isStalled = isStalled;
  }
  unstall(): void {
    this.wire.unstall();
  }
  finish(error: ThinglineError | undefined): void {
    this.wire.finish(error);
  }
}

class TestWire implements Channel {
  isOver = false;
  isPaused = false;
  isStalled = false;
  private held: Uint8Array | undefined;
  private readonly clock: Clock;
  private readonly connection: TestConnection;
  private readonly onBytes: (bytes: Uint8Array) => void;

  constructor(clock: Clock, connection: TestConnection, onBytes: (bytes: Uint8Array) => void) {
    this.clock = clock;
    this.connection = connection;
    this.onBytes = onBytes;
  }
  send({ parts }: Batch): void {
    if (this.isStalled) this.held = concatBytes(parts);
    else this.deliver(concatBytes(parts));
  }
  unstall(): void {
    this.isStalled = false;
    const { held } = this;
    this.held = undefined;
    if (held !== undefined) this.deliver(held);
  }
  private deliver(bytes: Uint8Array): void {
    this.onBytes(bytes);
    this.clock.afterTurn(() => this.connection.sent());
  }
  end(): void {
    this.finish(undefined);
  }
  destroy(): void {
    this.finish(undefined);
  }
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
  }
  finish(error: ThinglineError | undefined): void {
    if (this.isOver) return;
    this.isOver = true;
    this.clock.afterTurn(() => this.connection.channelClosed(error));
  }
}

/** A client that keeps what it got. */
export class TestClient {
  readonly packets: MqttPacket[] = [];
  readonly connection: TestConnection;
  readonly version: MqttVersion;
  /** QoS 1 is acknowledged by itself unless a test sets this to false. */
  acknowledges = true;
  private readonly decoder: PacketDecoder;
  private readonly world: World;
  private nextPacketId = 1;

  constructor(world: World, version: MqttVersion) {
    this.world = world;
    this.version = version;
    this.decoder = new PacketDecoder({ receiver: "client", version, packetBytesMax: 1_000_000 });
    this.connection = new TestConnection(world.clock, (bytes) => this.receive(bytes.slice()));
  }

  private receive(bytes: Uint8Array): void {
    this.decoder.push(bytes);
    for (let packet = this.decoder.next(); packet !== undefined; packet = this.decoder.next()) {
      this.packets.push(packet);
      if (packet.type === "publish" && packet.qos === 1 && this.acknowledges) {
        const { packetId } = packet;
        this.world.clock.afterTurn(() => this.send({ type: "puback", packetId: packetId!, reasonCode: 0 }));
      }
    }
  }

  get isClosed(): boolean {
    return this.connection.isOver;
  }
  get publishes(): PublishPacket[] {
    return this.packets.filter((packet) => packet.type === "publish");
  }
  /** Topics and texts of what was published to this client. */
  get messages(): string[] {
    return this.publishes.map(({ topic, payload }) => `${topic}=${new TextDecoder().decode(payload)}`);
  }
  get connack(): ConnackPacket | undefined {
    return this.packets.find((packet) => packet.type === "connack");
  }
  get pubacks(): PublishAckPacket[] {
    return this.packets.filter((packet): packet is PublishAckPacket => packet.type === "puback");
  }
  last<T extends MqttPacket["type"]>(type: T): Extract<MqttPacket, { type: T }> | undefined {
    return this.packets.findLast((packet): packet is Extract<MqttPacket, { type: T }> => packet.type === type);
  }

  send(packet: MqttPacket): void {
    this.sendBytes(encodeToBytes(packet, this.version));
  }
  sendBytes(bytes: Uint8Array): void {
    if (!this.connection.isOver) this.connection.received(bytes);
  }
  /** The transport breaks. */
  lose(): void {
    this.connection.finish(new ThinglineError("CONNECTION_LOST", "lost"));
  }
  async subscribe(...filters: (string | Subscription)[]): Promise<readonly number[] | undefined> {
    const subscriptions = filters.map((filter) => (typeof filter === "string" ? { filter, qos: 1 as const } : filter));
    const packetId = this.nextPacketId++;
    this.send({ type: "subscribe", packetId, subscriptions });
    await this.world.clock.settle();
    const answer = this.last("suback");
    return answer?.packetId === packetId ? answer.reasonCodes : undefined;
  }
  /** @returns the reason code of the PUBACK, undefined when none came; always undefined for QoS 0. */
  async publish(topic: string, text: string, fields: Partial<PublishPacket> = {}): Promise<number | undefined> {
    const qos = fields.qos ?? 1;
    const packetId = this.nextPacketId++;
    const packet: PublishPacket = {
      type: "publish",
      topic,
      payload: new TextEncoder().encode(text),
      isRetained: false,
      isDuplicate: false,
      ...fields,
      qos,
    };
    if (qos > 0) packet.packetId ??= packetId;
    this.send(packet);
    await this.world.clock.settle();
    const answer = this.pubacks.at(-1);
    return answer?.packetId === packet.packetId ? answer?.reasonCode : undefined;
  }
  async disconnect(): Promise<void> {
    this.send({ type: "disconnect", reasonCode: 0 });
    await this.world.clock.settle();
  }
}

export type Rule = (action: BrokerAction, resource: string) => boolean;

/** An identity whose policy is a function that a test may change. */
export class TestIdentity implements ConnectionIdentity {
  readonly certificateId: string | undefined;
  rule: Rule;
  mayConnect = true;
  generation = 1;
  asked = 0;
  requests: ConnectRequest[] = [];
  /** The thing that the certificate is attached to. */
  thingName: string | undefined;
  /** And to no other. */
  isExclusiveThing = false;
  /** What the type of that thing adds to its messages. */
  enrichment: UserProperties | undefined;

  constructor(rule: Rule = () => true, certificateId?: string) {
    this.rule = rule;
    this.certificateId = certificateId;
  }
  async authorizeConnect(request: ConnectRequest): ReturnType<ConnectionIdentity["authorizeConnect"]> {
    this.requests.push(request);
    const authorizer: Authorizer = {
      authorize: (action, resource) => {
        this.asked++;
        const isAllowed = this.rule(action, resource);
        return { isAllowed, explanation: isAllowed ? "statement 1" : `no statement allows ${action} on ${resource}` };
      },
      thingName: this.thingName,
      isExclusiveThing: this.isExclusiveThing,
      ...(this.enrichment !== undefined && { enrichment: this.enrichment }),
      generation: 0,
    };
    Object.defineProperty(authorizer, "generation", { get: () => this.generation });
    const explanation = this.mayConnect
      ? "statement 1"
      : `no statement allows iot:Connect on client/${request.clientId}`;
    return { decision: { isAllowed: this.mayConnect, explanation }, authorizer };
  }
}

export interface LogLine {
  level: string;
  event: string;
  facts: Readonly<Record<string, unknown>>;
}

export interface ConnectFields extends Partial<Omit<ConnectPacket, "type">> {
  identity?: ConnectionIdentity;
}

export class World {
  readonly clock: VirtualClock;
  /** The broker's own time, which ends when it is killed. */
  readonly process: ProcessClock;
  readonly store: Store;
  readonly lines: LogLine[] = [];
  readonly random = new TestRandom();
  broker!: Broker;
  private readonly options: Partial<BrokerOptions>;

  constructor(options: Partial<BrokerOptions> & { clock?: VirtualClock } = {}) {
    this.options = options;
    this.clock = options.clock ?? createVirtualClock({ settlesBy: "microtasks" });
    this.process = createProcessClock(this.clock);
    this.store = options.store ?? createMemoryStore();
  }

  /** A new broker over the same store: what a restart, or a second broker, is. @param stepMs time that passes while it waits */
  async start(stepMs = 0): Promise<this> {
    const write =
      (level: string) =>
      (event: string, facts: Readonly<Record<string, unknown>> = {}): void => {
        this.lines.push({ level, event, facts });
      };
    const log: Log = { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
    const { clock, process, random, store } = this;
    let result: Broker | undefined;
    const starting = createBroker({ random, log, scope, ...this.options, clock: process, store }).then((broker) => {
      result = broker;
    });
    while (result === undefined) {
      await clock.advance(stepMs);
      await Promise.race([starting, Promise.resolve()]);
    }
    this.broker = result;
    return this;
  }

  /** `kill -9` and a new start over the same store: the old broker is not asked to close. */
  async restart(): Promise<World> {
    this.process.kill();
    return new World({ ...this.options, clock: this.clock, store: this.store }).start();
  }

  /** What the broker is made of. */
  get parts(): BrokerParts {
    return (this.broker as LocalBroker).parts;
  }

  line(event: string): LogLine | undefined {
    return this.lines.find((line) => line.event === event);
  }

  /** Opens a connection and sends nothing. */
  open(version: MqttVersion = 4, identity: ConnectionIdentity = new TestIdentity()): TestClient {
    const client = new TestClient(this, version);
    this.broker.accept(client.connection, identity);
    return client;
  }

  async connect(clientId: string, { identity, ...fields }: ConnectFields = {}): Promise<TestClient> {
    const { version = 4 } = fields;
    const client = this.open(version, identity);
    client.send({ type: "connect", version, clientId, isCleanStart: true, keepAliveSeconds: 60, ...fields });
    await this.clock.settle();
    return client;
  }
}

/** AWS's limits without the pacing of CONNECTs, which most tests would only have to wait for. */
export const quickLimits: BrokerLimits = { ...awsLimits, connectsPerSecondPerClientId: Infinity };

export async function startWorld(options: Partial<BrokerOptions> & { clock?: VirtualClock } = {}): Promise<World> {
  return new World({ limits: quickLimits, ...options }).start();
}

/** Closes the broker and checks that it leaves nothing behind. */
export async function closeWorld(world: World): Promise<void> {
  await world.clock.until(world.broker.close());
  if (world.process.timerCount > 0) throw new Error(`close() left ${world.process.timerCount} timers`);
}

export { noLimits };
