import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RecordedSession } from "./client-session.test.support.js";
import type { MqttPacket, MqttVersion } from "./packets.js";

/** The other end, as small as it can be: takes QoS 0 and 1, publishes QoS 1 with a window, keeps or loses sessions. */
class ReferenceBroker {
  /** Topics of QoS 1 messages in the order of their first arrival. */
  readonly received: string[] = [];
  readonly #seen = new Set<string>();
  /** Ours to the client, not acknowledged, in order. */
  unacknowledged: { packetId: number; topic: string }[] = [];
  waiting: string[] = [];
  readonly acknowledged = new Set<string>();
  #nextId = 1;
  readonly #window: number;
  #sent = 0;

  constructor(window: number) {
    this.#window = window;
  }

  receive(packet: MqttPacket): MqttPacket[] {
    switch (packet.type) {
      case "publish": {
        if (packet.qos === 0) return [];
        if (!this.#seen.has(packet.topic)) {
          this.#seen.add(packet.topic);
          this.received.push(packet.topic);
        }
        return [{ type: "puback", packetId: packet.packetId ?? 0, reasonCode: 0 }];
      }
      case "puback": {
        const [oldest] = this.unacknowledged;
        assert.equal(packet.packetId, oldest?.packetId, "PUBACKs come in the order of the messages");
        this.acknowledged.add(oldest?.topic ?? "");
        this.unacknowledged.shift();
        this.#sent -= 1;
        return this.pump();
      }
      case "subscribe":
        return [{ type: "suback", packetId: packet.packetId, reasonCodes: packet.subscriptions.map(() => 1) }];
      case "pingreq":
        return [{ type: "pingresp" }];
      default:
        return [];
    }
  }

  pump(): MqttPacket[] {
    const packets: MqttPacket[] = [];
    for (; this.#sent < this.unacknowledged.length; this.#sent++) {
      const message = this.unacknowledged[this.#sent];
      if (message !== undefined) packets.push(publishOf(message.packetId, message.topic, true));
    }
    while (this.unacknowledged.length < this.#window && this.waiting.length > 0) {
      const topic = this.waiting.shift() ?? "";
      const packetId = this.#nextId;
      this.#nextId = this.#nextId === 65535 ? 1 : this.#nextId + 1;
      this.unacknowledged.push({ packetId, topic });
      this.#sent += 1;
      packets.push(publishOf(packetId, topic, false));
    }
    return packets;
  }

  connected(isSessionPresent: boolean): MqttPacket[] {
    this.#sent = 0;
    if (!isSessionPresent) this.unacknowledged = [];
    return [{ type: "connack", isSessionPresent, reasonCode: 0 }, ...this.pump()];
  }
}

function publishOf(packetId: number, topic: string, isDuplicate: boolean): MqttPacket {
  return { type: "publish", topic, payload: new Uint8Array(0), qos: 1, isRetained: false, isDuplicate, packetId };
}

type Op =
  | "publish1"
  | "publish0"
  | "subscribe"
  | "toBroker"
  | "toClient"
  | "break"
  | "loseSession"
  | "pass"
  | "brokerPublish"
  | "hold"
  | "release"
  | "settle"
  | "choke"
  | "drain";

interface Step {
  op: Op;
  count: number;
}

class World {
  readonly client: RecordedSession;
  readonly broker: ReferenceBroker;
  readonly #window: number;
  #toBroker: MqttPacket[] = [];
  #toClient: MqttPacket[] = [];
  readonly #topics = new Map<number, string>();
  /** What the client has sent under an identifier and not seen acknowledged. */
  readonly #used = new Map<number, string>();
  #inWindow = 0;
  #connectionNumber = 0;
  #hasSession = false;
  #published = 0;
  readonly #order: string[] = [];
  readonly #unsettled: { packetId: number; connectionNumber: number }[] = [];
  #delivered = 0;
  /** Messages of the broker on this connection: whether the application is done with them. */
  readonly #handled = new Map<number, boolean>();

  constructor(version: MqttVersion, window: number, receiveMaximum: number) {
    this.#window = window;
    this.client = new RecordedSession({
      version,
      inflightMax: window,
      receiveMaximum,
      queueMax: 50,
      keepAliveSeconds: 30,
      ackTimeoutMs: 3_600_000,
    });
    this.broker = new ReferenceBroker(receiveMaximum);
    this.#connect();
  }

  run({ op, count }: Step): void {
    switch (op) {
      case "publish1":
        for (let sent = 0; sent < count; sent++) this.#publish(1);
        break;
      case "publish0":
        if (this.client.session.state === "connected") this.#publish(0);
        break;
      case "subscribe":
        if (this.client.session.state === "connected") this.client.subscribe("f");
        break;
      case "toBroker":
        this.#deliverToBroker(count);
        break;
      case "toClient":
        this.#deliverToClient(count);
        break;
      case "break":
        this.#break();
        break;
      case "loseSession":
        this.#hasSession = false;
        this.#break();
        break;
      case "pass":
        this.client.pass(count * 5000);
        break;
      case "brokerPublish":
        for (let sent = 0; sent < count; sent++) this.broker.waiting.push(`down/${this.#published++}`);
        this.#toClient.push(...this.broker.pump());
        break;
      case "hold":
        this.client.disposition = "pending";
        break;
      case "release":
        this.client.disposition = "settled";
        break;
      case "settle":
        this.#settle(count);
        break;
      case "choke":
        this.client.session.setWritable(false, this.client.nowMs);
        break;
      case "drain":
        this.client.session.setWritable(true, this.client.nowMs);
        break;
    }
    this.#look();
  }

  /** A quiet end: everything is delivered, and nothing may be left over. */
  finish(): void {
    this.client.disposition = "settled";
    this.client.session.setWritable(true, this.client.nowMs);
    for (let round = 0; round < 1000; round++) {
      this.#settle(100);
      this.#look();
      if (this.#toBroker.length + this.#toClient.length === 0) break;
      this.#deliverToBroker(1000);
      this.#deliverToClient(1000);
    }
    assert.equal(this.client.session.pendingCount, 0, "every QoS 1 message is acknowledged in the end");
    assert.equal(this.broker.unacknowledged.length + this.broker.waiting.length, 0);
    for (const [owner, topic] of this.#topics) {
      assert.ok(this.client.settled.has(owner) && this.client.settled.get(owner) === undefined, topic);
    }
    assert.equal(this.#delivered, this.client.messages.length);
  }

  #publish(qos: 0 | 1): void {
    const topic = `up/${this.#published++}`;
    try {
      const owner = this.client.publish(topic, { qos });
      if (qos === 1) {
        this.#topics.set(owner, topic);
        this.#order.push(topic);
      }
    } catch (error) {
      assert.equal((error as { code?: string }).code, "LIMIT_EXCEEDED");
    }
  }

  #deliverToBroker(count: number): void {
    for (const packet of this.#toBroker.splice(0, count)) this.#toClient.push(...this.broker.receive(packet));
  }

  #deliverToClient(count: number): void {
    for (const packet of this.#toClient.splice(0, count)) {
      if (packet.type === "puback") {
        assert.ok(this.#used.delete(packet.packetId));
        this.#inWindow -= 1;
      }
      this.client.receive(packet);
      this.#look();
    }
  }

  #settle(count: number): void {
    // From either end: handlers finish in any order.
    const settled = count % 2 === 0 ? this.#unsettled.splice(-count) : this.#unsettled.splice(0, count);
    for (const { packetId, connectionNumber } of settled) {
      if (connectionNumber === this.#connectionNumber) this.#handled.set(packetId, true);
      this.client.session.settle(packetId, connectionNumber, this.client.nowMs);
    }
  }

  #break(): void {
    this.#toBroker = [];
    this.#toClient = [];
    this.client.session.connectionClosed(this.client.nowMs);
    this.#look();
    this.#connect();
  }

  #connect(): void {
    this.#inWindow = 0;
    this.#connectionNumber += 1;
    this.#handled.clear();
    const isSessionPresent = this.#hasSession;
    this.#hasSession = true;
    if (!isSessionPresent) this.#used.clear();
    this.client.closed = undefined;
    this.client.session.connectionOpened(this.client.nowMs);
    this.#look();
    assert.equal(this.#toBroker.shift()?.type, "connect");
    this.#toClient.push(...this.broker.connected(isSessionPresent));
    this.#deliverToClient(1);
  }

  /** Takes what the client did, and holds it against the rules. */
  #look(): void {
    const { client } = this;
    for (; this.#delivered < client.messages.length; this.#delivered++) {
      const message = client.messages[this.#delivered];
      if (message === undefined) continue;
      const packetId = message.packet.packetId ?? 0;
      this.#handled.set(packetId, client.disposition === "settled");
      if (client.disposition === "pending") {
        this.#unsettled.push({ packetId, connectionNumber: message.connectionNumber });
      }
    }
    for (const packet of client.sent.splice(0)) {
      this.#toBroker.push(packet);
      if (packet.type === "puback") {
        assert.equal(
          this.#handled.get(packet.packetId),
          true,
          `${packet.packetId} is acknowledged before it is handled`,
        );
        this.#handled.delete(packet.packetId);
      }
      if (packet.type === "publish" && packet.qos === 1) this.#checkPublish(packet.packetId ?? 0, packet);
    }
    assert.deepEqual(client.warnings, []);
    for (const [owner, error] of client.settled) {
      if (error !== undefined || !this.#topics.has(owner)) continue;
      const topic = this.#topics.get(owner) ?? "";
      assert.ok(this.broker.received.includes(topic), `${topic} was reported as acknowledged and never arrived`);
      this.#topics.delete(owner);
    }
    const received = new Set(this.broker.received);
    assert.deepEqual(
      this.broker.received,
      this.#order.filter((topic) => received.has(topic)),
      "first arrivals are in the order of publishing",
    );
    if (client.closed !== undefined) {
      assert.equal(client.closed.error?.code, "CONNECTION_LOST");
      client.closed = undefined;
      this.#break();
    }
  }

  #checkPublish(packetId: number, packet: { topic: string; isDuplicate: boolean }): void {
    const before = this.#used.get(packetId);
    if (packet.isDuplicate)
      assert.equal(before, packet.topic, "DUP belongs to an earlier sending under this identifier");
    else assert.equal(before, undefined, `identifier ${packetId} of ${before} was used again for ${packet.topic}`);
    this.#used.set(packetId, packet.topic);
    this.#inWindow += 1;
    assert.ok(this.#inWindow <= this.#window, "the window is never exceeded");
  }
}

const op = fc.oneof(
  { weight: 8, arbitrary: fc.constant<Op>("publish1") },
  { weight: 8, arbitrary: fc.constant<Op>("toBroker") },
  { weight: 8, arbitrary: fc.constant<Op>("toClient") },
  { weight: 8, arbitrary: fc.constantFrom<Op>("brokerPublish", "settle", "break") },
  {
    weight: 12,
    arbitrary: fc.constantFrom<Op>("publish0", "subscribe", "loseSession", "pass", "hold", "release", "choke", "drain"),
  },
);
const step = fc.record({ op, count: fc.integer({ min: 1, max: 6 }) });
const isLong = process.env["THINGLINE_TEST_LONG"] === "1";

test("acknowledged messages are never lost, identifiers never shared, windows never exceeded, whatever breaks", () => {
  const world = fc.record({
    version: fc.constantFrom<MqttVersion>(4, 5),
    window: fc.integer({ min: 1, max: 5 }),
    receiveMaximum: fc.integer({ min: 1, max: 5 }),
    holds: fc.boolean(),
    steps: fc.array(step, { minLength: 20, maxLength: 100 }),
  });
  fc.assert(
    fc.property(world, ({ version, window, receiveMaximum, holds, steps }) => {
      const run = new World(version, window, receiveMaximum);
      if (holds) run.run({ op: "hold", count: 1 });
      for (const each of steps) run.run(each);
      run.finish();
    }),
    { numRuns: isLong ? 3000 : 100 },
  );
});
