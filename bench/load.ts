// The load generator of `npm run bench -- broker`, in a process of its own: raw sockets, packets encoded beforehand, and
// no more parsing than counting, so that the broker is the bottleneck. Driven by messages from the parent process.
import { connect, type Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { encodeToBytes, type MqttPacket } from "@thingline/protocol/mqtt";

export interface LoadTask {
  port: number;
  publishers: number;
  subscribers: number;
  /** `pairs`: publisher i to subscriber i; `all`: every publisher to every subscriber. */
  routing: "pairs" | "all";
  qos: 0 | 1;
  payloadBytes: number;
  /** Messages of one publisher that are on their way: sent and not yet with every receiver (and, QoS 1, acknowledged). */
  windowMessages: number;
  warmUpSeconds: number;
  seconds: number;
}

export interface LoadResult {
  /** Delivered to subscribers during the measured time. */
  messagesPerSecond: number;
  delivered: number;
  /** Share of one core that the load generator itself used. */
  generatorLoad: number;
  /** Share of time in which some publisher had its window open but could not write: the broker did not read. */
  error?: string;
}

const packetIdsMax = 1_024;
const stallMs = 5_000;

class Client {
  readonly socket: Socket;
  private handshake: ((bytes: Buffer) => void) | undefined;
  onData: (bytes: Buffer) => void = () => undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (bytes) => (this.handshake ?? this.onData)(bytes));
  }

  static open(port: number): Promise<Client> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1" }, () => resolve(new Client(socket)));
      socket.once("error", reject);
    });
  }

  /** Sends a packet and waits for an answer of known length. */
  async ask(packet: MqttPacket, answerBytes: number): Promise<Buffer> {
    const answer = new Promise<Buffer>((resolve) => {
      let got = Buffer.alloc(0);
      this.handshake = (bytes) => {
        got = Buffer.concat([got, bytes]);
        if (got.length < answerBytes) return;
        this.handshake = undefined;
        resolve(got);
      };
    });
    this.socket.write(encodeToBytes(packet, 4));
    return answer;
  }
}

async function connectClient(port: number, clientId: string): Promise<Client> {
  const client = await Client.open(port);
  const packet: MqttPacket = { type: "connect", version: 4, clientId, isCleanStart: true, keepAliveSeconds: 600 };
  const connack = await client.ask(packet, 4);
  if (connack[3] !== 0) throw new Error(`CONNACK ${connack[3]}`);
  return client;
}

/** A publisher's topic has the same length whatever its number, so that all packets of a run have one length. */
const topicOf = (index: number): string => `bench/${String(index).padStart(3, "0")}`;

/** `count` PUBLISH packets, one behind the other; with QoS 1 the identifiers from `firstId` on. */
function encodeRun(topic: string, qos: 0 | 1, payload: Uint8Array, count: number, firstId: number): Buffer {
  const packets: Uint8Array[] = [];
  for (let at = 0; at < count; at++) {
    const packet: MqttPacket = { type: "publish", topic, payload, qos, isRetained: false, isDuplicate: false };
    if (qos === 1) packet.packetId = firstId + at;
    packets.push(encodeToBytes(packet, 4));
  }
  return Buffer.concat(packets);
}

class Publisher {
  readonly client: Client;
  private readonly run: Buffer;
  private readonly packetBytes: number;
  private readonly qos: 0 | 1;
  private readonly windowMessages: number;
  private nextId = 0;
  private sent = 0;
  private ackBytes = 0;
  /** Copies of this publisher's messages that arrived; every receiver of a message counts. */
  arrived = 0;
  private readonly copies: number;
  private readonly batch: number;

  constructor(client: Client, topic: string, task: LoadTask, copies: number) {
    this.client = client;
    this.qos = task.qos;
    this.windowMessages = task.windowMessages;
    this.copies = copies;
    // Waits for a batch to be free, as a real client's event loop does, instead of writing packet by packet.
    this.batch = Math.max(1, Math.floor(task.windowMessages / 4));
    this.run = encodeRun(topic, task.qos, new Uint8Array(task.payloadBytes).fill(0x61), packetIdsMax, 1);
    this.packetBytes = this.run.length / packetIdsMax;
    client.onData = (bytes) => {
      this.ackBytes += bytes.length;
      this.fill();
    };
  }

  /** Sends what the window allows. */
  fill(): void {
    const acked = this.qos === 1 ? this.ackBytes >> 2 : Infinity;
    let done = Math.floor(this.arrived / this.copies);
    if (acked < done) done = acked;
    let free = this.windowMessages - (this.sent - done);
    if (free < this.batch) return;
    this.sent += free;
    while (free > 0) {
      const count = Math.min(free, packetIdsMax - this.nextId);
      const { packetBytes } = this;
      this.client.socket.write(this.run.subarray(this.nextId * packetBytes, (this.nextId + count) * packetBytes));
      this.nextId = (this.nextId + count) % packetIdsMax;
      free -= count;
    }
  }
}

class Subscriber {
  delivered = 0;
  private readonly client: Client;
  private readonly packetBytes: number;
  private readonly qos: 0 | 1;
  private readonly idAt: number;
  private rest: Buffer = Buffer.alloc(0);
  private readonly onMessages: (count: number, bytes: Buffer) => void;

  constructor(client: Client, qos: 0 | 1, packetBytes: number, onMessages: (count: number) => void) {
    this.client = client;
    this.qos = qos;
    this.packetBytes = packetBytes;
    this.idAt = 2 + 2 + topicOf(0).length;
    this.onMessages = onMessages;
    client.onData = (bytes) => this.receive(bytes);
  }

  private receive(bytes: Buffer): void {
    const all = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes]);
    const count = Math.floor(all.length / this.packetBytes);
    this.rest = all.subarray(count * this.packetBytes);
    if (count === 0) return;
    this.delivered += count;
    if (this.qos === 1) this.acknowledge(all, count);
    this.onMessages(count, all);
  }

  private acknowledge(bytes: Buffer, count: number): void {
    const acks = Buffer.allocUnsafe(count * 4);
    let from = this.idAt;
    for (let to = 0; to < acks.length; to += 4) {
      acks[to] = 0x40;
      acks[to + 1] = 2;
      acks[to + 2] = bytes[from]!;
      acks[to + 3] = bytes[from + 1]!;
      from += this.packetBytes;
    }
    this.client.socket.write(acks);
  }
}

async function runLoad(task: LoadTask): Promise<LoadResult> {
  const { port, qos } = task;
  const run = `${process.pid}-${Math.round(performance.now())}`;
  const packetBytes = encodeRun(topicOf(0), qos, new Uint8Array(task.payloadBytes), 1, 1).length;
  if (task.payloadBytes > 110) throw new Error("the header of a larger packet has another length");
  const clients: Client[] = [];
  const publishers: Publisher[] = [];
  const subscribers: Subscriber[] = [];
  for (let index = 0; index < task.subscribers; index++) {
    const client = await connectClient(port, `${run}-s${index}`);
    clients.push(client);
    const filters = task.routing === "pairs" ? [topicOf(index)] : range(task.publishers).map(topicOf);
    for (const filter of filters) {
      await client.ask({ type: "subscribe", packetId: 1, subscriptions: [{ filter, qos }] }, 5);
    }
    subscribers.push(
      new Subscriber(client, qos, packetBytes, (count) => {
        if (task.routing === "pairs") credit(publishers[index]!, count);
        else spread(publishers, count);
      }),
    );
  }
  for (let index = 0; index < task.publishers; index++) {
    const client = await connectClient(port, `${run}-p${index}`);
    clients.push(client);
    publishers.push(new Publisher(client, topicOf(index), task, task.routing === "pairs" ? 1 : task.subscribers));
  }
  for (const publisher of publishers) publisher.fill();
  const total = (): number => subscribers.reduce((sum, { delivered }) => sum + delivered, 0);
  await wait(task.warmUpSeconds);
  const before = { delivered: total(), ms: performance.now(), cpu: process.cpuUsage() };
  await wait(task.seconds);
  const elapsedMs = performance.now() - before.ms;
  const delivered = total() - before.delivered;
  const cpu = process.cpuUsage(before.cpu);
  for (const { socket } of clients) socket.destroy();
  const generatorLoad = (cpu.user + cpu.system) / 1000 / elapsedMs;
  const result: LoadResult = { messagesPerSecond: (delivered * 1000) / elapsedMs, delivered, generatorLoad };
  if (delivered === 0) result.error = `nothing arrived for ${stallMs} ms`;
  return result;
}

function credit(publisher: Publisher, count: number): void {
  publisher.arrived += count;
  publisher.fill();
}

/**
 * With several publishers to one subscriber it is not worth reading whose message it was: each gets its share, and the
 * sum of all windows bounds what is on its way.
 */
function spread(publishers: readonly Publisher[], count: number): void {
  if (publishers.length === 1) return credit(publishers[0]!, count);
  const share = count / publishers.length;
  for (const publisher of publishers) credit(publisher, share);
}

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const wait = (seconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

if (process.send !== undefined && process.argv[1]?.endsWith("load.js") === true) {
  process.on("message", (task: LoadTask) => {
    runLoad(task).then(
      (result) => process.send!(result),
      (error: unknown) => process.send!({ messagesPerSecond: 0, delivered: 0, generatorLoad: 0, error: String(error) }),
    );
  });
}
