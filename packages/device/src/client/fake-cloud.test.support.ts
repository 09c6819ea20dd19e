import { concatBytes, ThinglineError } from "@thingline/protocol";
import { encodeToBytes, type MqttPacket, type MqttVersion, PacketDecoder } from "@thingline/protocol/mqtt";
import {
  type Batch,
  type Channel,
  type Connection,
  type ConnectionHandlers,
  type Dialer,
  type DialTarget,
  type Endpoint,
  type SecureInfo,
  SlabPool,
  StreamConnection,
} from "@thingline/transport";
import { createVirtualClock, createVirtualRandom, type VirtualClock } from "@thingline/transport/virtual";
import type { Device } from "../device.js";
import { connectDevice, createDevice } from "./create-device.js";
import type { DeviceEventName } from "./events.js";
import type { ConnectDeviceOptions, DeviceSettings } from "./options.js";
export { testPems } from "./pems.test.support.js";

/** A clock that stands until it is told to go, for a device that never sleeps. */
export function createDeviceClock(): VirtualClock {
  const sleep = (): never => {
    throw new Error("the device never sleeps");
  };
  return Object.assign(createVirtualClock({ unixMs: 0, settlesBy: "microtasks" }), { sleep });
}

/** The device's end of a connection, over a wire whose other end the test plays. */
export class FakeConnection extends StreamConnection {
  declare secure: SecureInfo | undefined;
  isStarted = false;
  isDestroyed = false;
  /** Bytes of what is stuck that the peer has taken all the same. */
  takenBytes = 0;
  readonly #wire: FakeWire;

  constructor(clock: VirtualClock, sent: (bytes: Uint8Array) => void) {
    const [local, remote] = [1, 2].map((port) => ({ host: "127.0.0.1", port })) as [Endpoint, Endpoint];
    super({ clock, pool: new SlabPool(), secure: undefined, local, remote });
    this.#wire = new FakeWire(clock, this, sent);
    this.attach(this.#wire);
  }

  get isReading(): boolean {
    return this.#wire.isReading;
  }

  get isEnded(): boolean {
    return this.#wire.isEnded;
  }

  override get bufferedBytes(): number {
    return super.bufferedBytes - this.takenBytes;
  }

  /** The peer does not take anything: what is sent stays buffered. */
  set isStuck(isStuck: boolean) {
    this.#wire.isStuck = isStuck;
  }

  /** `close()` never comes to an end. */
  set isDeaf(isDeaf: boolean) {
    this.#wire.isDeaf = isDeaf;
  }

  unstick(): void {
    this.#wire.unstick();
  }

  override start(handlers: ConnectionHandlers): void {
    this.isStarted = true;
    super.start(handlers);
  }

  override destroy(error?: ThinglineError): void {
    this.isDestroyed = true;
    super.destroy(error);
  }

  receive(bytes: Uint8Array): void {
    this.received(bytes);
  }

  /** The connection is over, for whatever reason. */
  end(error?: ThinglineError): void {
    this.#wire.close(error);
  }
}

/** What is below the device's connection. */
class FakeWire implements Channel {
  isReading = true;
  isStuck = false;
  isDeaf = false;
  isEnded = false;
  readonly #clock: VirtualClock;
  readonly #connection: FakeConnection;
  readonly #sent: (bytes: Uint8Array) => void;
  #held: Uint8Array | undefined;
  #isDelivering = false;

  constructor(clock: VirtualClock, connection: FakeConnection, sent: (bytes: Uint8Array) => void) {
    this.#clock = clock;
    this.#connection = connection;
    this.#sent = sent;
  }

  send({ parts }: Batch): void {
    if (this.isStuck) this.#held = concatBytes(parts);
    else this.#deliver(concatBytes(parts));
  }

  unstick(): void {
    this.isStuck = false;
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined) this.#deliver(held);
  }

  #deliver(bytes: Uint8Array): void {
    this.#isDelivering = true;
    this.#sent(bytes);
    this.#isDelivering = false;
    this.#clock.afterTurn(() => this.#connection.sent());
  }

  end(): void {
    this.#clock.afterTurn(() => {
      if (!this.isDeaf) this.close(undefined);
    });
  }

  destroy(): void {
    this.#clock.afterTurn(() => this.close(undefined));
  }

  pause(): void {
    this.isReading = false;
  }

  resume(): void {
    this.isReading = true;
  }

  close(error: ThinglineError | undefined): void {
    if (this.isEnded) return;
    // The peer that ends it in the middle of what it gets does not get the rest.
    if (!this.#isDelivering) this.#connection.flush();
    this.isEnded = true;
    this.#connection.channelClosed(error);
  }
}

export type Answer = (packet: MqttPacket, cloud: FakeCloud) => void;

/** Answers as a cloud that agrees with everything. */
export const agree: Answer = (packet, cloud) => {
  switch (packet.type) {
    case "connect":
      return cloud.send({ type: "connack", isSessionPresent: false, reasonCode: 0 });
    case "subscribe":
      return cloud.send({
        type: "suback",
        packetId: packet.packetId,
        reasonCodes: packet.subscriptions.map(({ qos }) => qos),
      });
    case "unsubscribe":
      return cloud.send({
        type: "unsuback",
        packetId: packet.packetId,
        reasonCodes: cloud.version === 4 ? [] : packet.filters.map(() => 0),
      });
    case "publish":
      if (packet.qos === 1) cloud.send({ type: "puback", packetId: packet.packetId ?? 0, reasonCode: 0 });
      return;
    case "pingreq":
      return cloud.send({ type: "pingresp" });
    default:
      return;
  }
};

/** The cloud's end: what the device sent, and what the test answers. */
export class FakeCloud implements Dialer {
  readonly clock: VirtualClock;
  /** The last one, and before the first dial the one to come. */
  connection: FakeConnection;
  readonly version: MqttVersion;
  readonly packets: MqttPacket[] = [];
  readonly events: string[] = [];
  readonly errors: Error[] = [];
  answer: Answer;
  target: DialTarget | undefined;
  dialCount = 0;
  dialError: ThinglineError | undefined;
  /** The dialer waits for this. */
  dialing: Promise<void> | undefined;
  /** When each attempt began. */
  readonly dialedAtMs: number[] = [];

  constructor({
    version = 4,
    answer = agree,
    clock = createDeviceClock(),
  }: { version?: MqttVersion; answer?: Answer; clock?: VirtualClock } = {}) {
    this.clock = clock;
    this.version = version;
    this.answer = answer;
    this.connection = this.#open();
  }

  async dial(target: DialTarget, { signal }: { signal?: AbortSignal } = {}): Promise<Connection> {
    this.target = target;
    this.dialCount += 1;
    this.dialedAtMs.push(this.clock.monotonicMs());
    if (this.dialError !== undefined) throw this.dialError;
    if (this.dialing !== undefined) {
      await new Promise<void>((resolve, reject) => {
        void this.dialing?.then(resolve);
        signal?.addEventListener("abort", () => reject(new ThinglineError("ABORTED", "given up")));
      });
    }
    if (this.connection.isStarted || this.connection.isDestroyed) {
      const { secure } = this.connection;
      this.connection = this.#open();
      this.connection.secure = secure;
    }
    return this.connection;
  }

  #open(): FakeConnection {
    const decoder = new PacketDecoder({ receiver: "server", packetBytesMax: 2_000_000 });
    const connection: FakeConnection = new FakeConnection(this.clock, (bytes) => {
      decoder.push(bytes);
      for (let packet = decoder.next(); packet !== undefined && !connection.isEnded; packet = decoder.next()) {
        this.packets.push(packet);
        this.answer(packet, this);
      }
    });
    return connection;
  }

  /** All of them arrive as one piece of input. */
  send(...packets: MqttPacket[]): void {
    const parts = packets.map((packet) => encodeToBytes(packet, this.version));
    const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    const { connection } = this;
    this.clock.afterTurn(() => connection.receive(bytes));
  }

  message(topic: string, { qos = 0, packetId = 1, payload = "" }: Partial<MessageWish> = {}): MqttPacket {
    const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
    const packet = { type: "publish", topic, payload: bytes, qos, isRetained: false, isDuplicate: false } as const;
    return qos === 0 ? packet : { ...packet, packetId };
  }

  /** Connects; every event is written down in short. */
  connect({ signal, ...settings }: FakeSettings = {}): Promise<Device> {
    return connectDevice({ ...this.options(settings), ...(signal === undefined ? {} : { signal }) });
  }

  /** Makes a device that keeps its connection, unless told otherwise. */
  create(settings: FakeSettings = {}): Device {
    return createDevice(this.options({ reconnect: {}, ...settings }));
  }

  options(settings: FakeSettings): ConnectDeviceOptions {
    return {
      host: "cloud.test",
      clientId: "pump-7",
      clock: this.clock,
      random: createVirtualRandom(7),
      dialer: this,
      version: this.version,
      reconnect: false,
      ...settings,
      on: { ...this.#listeners(), ...settings.on },
    };
  }

  /** Connects and waits until it is over. */
  async connected(settings: FakeSettings = {}): Promise<Device> {
    const connecting = this.connect(settings);
    await this.clock.settle();
    return connecting;
  }

  /** The packets so far, by type, and forgets them. */
  types(): string[] {
    return this.packets.splice(0).map(({ type }) => type);
  }

  #listeners(): DeviceSettings["on"] {
    const note = (name: DeviceEventName, text = ""): void => void this.events.push(text ? `${name} ${text}` : name);
    return {
      connecting: ({ result, retryInMs }) =>
        note("connecting", result === undefined ? "" : `${result}${later(retryInMs)}`),
      connected: ({ isPersistentSession }) => note("connected", isPersistentSession ? "persistent" : ""),
      ready: ({ refusedFilters }) => note("ready", refusedFilters.map(({ filter }) => filter).join(",")),
      puback: ({ packetId }) => note("puback", String(packetId)),
      pingresp: () => note("pingresp"),
      disconnected: ({ reason, error, retryInMs }) =>
        note("disconnected", `${reason}${error === undefined ? "" : ` ${error.code}`}${later(retryInMs)}`),
      error: ({ error }) => {
        this.errors.push(error);
        note("error", error instanceof ThinglineError ? error.code : error.message);
      },
    };
  }
}

export type FakeSettings = Partial<DeviceSettings> & {
  host?: string;
  port?: number;
  tls?: never;
  signal?: AbortSignal;
};

/** `+` marks that another attempt follows. */
function later(retryInMs: number | undefined): string {
  return retryInMs === undefined ? "" : " +";
}

interface MessageWish {
  qos: 0 | 1;
  packetId: number;
  payload: string | Uint8Array;
}

/** Waits for a failure without letting it become an unhandled rejection. */
export async function failureOf(cloud: FakeCloud, promise: Promise<unknown>, passMs = 0): Promise<ThinglineError> {
  const settled = promise.then(
    () => new Error("it should have failed"),
    (error: unknown) => error,
  );
  await (passMs === 0 ? cloud.clock.settle() : cloud.clock.advance(passMs));
  const error = await settled;
  if (!(error instanceof ThinglineError)) throw error;
  return error;
}

/** What became of a promise so far. */
export function watch(promise: Promise<unknown>): { state: string } {
  const watched = { state: "pending" };
  promise.then(
    () => (watched.state = "done"),
    (error: unknown) => (watched.state = error instanceof ThinglineError ? error.code : String(error)),
  );
  return watched;
}

/** Makes a device, connects it, and forgets what was noted until then. */
export async function readyDevice(cloud: FakeCloud, settings: FakeSettings = {}): Promise<Device> {
  const device = cloud.create(settings);
  const connecting = device.connect();
  await cloud.clock.settle();
  await connecting;
  cloud.events.length = 0;
  cloud.types();
  return device;
}

/** Ends it, and sees that nothing is left, then and later. */
export async function closesCleanly(cloud: FakeCloud, device: Device): Promise<void> {
  const { clock } = cloud;
  const check = (isFine: boolean, what: string): void => {
    if (!isFine) throw new Error(`after close() ${what}`);
  };
  const closing = device.close();
  await clock.settle();
  await closing;
  check(device.state === "closed", `the device is ${device.state}`);
  check(clock.timerCount === 0, "a timer is left");
  check(!cloud.connection.isStarted || cloud.connection.isEnded, "a connection is left");
  await clock.advance(600_000);
  check(clock.timerCount === 0, "a timer was set");
}
