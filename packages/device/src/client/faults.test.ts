import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeToBytes, type MqttPacket, type MqttVersion, PacketDecoder } from "@thingline/protocol/mqtt";
import type { Connection } from "@thingline/transport";
import {
  createVirtualClock,
  createVirtualNetwork,
  createVirtualRandom,
  type LinkFaults,
  type Side,
  type VirtualClock,
  type VirtualNetwork,
} from "@thingline/transport/virtual";
import { createDevice } from "./create-device.js";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";

/** A broker with one persistent session that can be looked into. */
class Broker {
  readonly filters = new Set<string>();
  /** Payloads of QoS 1 messages, as often as they came. */
  readonly received: string[] = [];
  isDownAcknowledged = false;
  #hasSession = false;
  readonly #version: MqttVersion;

  constructor(version: MqttVersion) {
    this.#version = version;
  }

  accept(connection: Connection): void {
    const decoder = new PacketDecoder({ receiver: "server", packetBytesMax: 100_000 });
    connection.start({
      data: (bytes) => {
        decoder.push(bytes);
        for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) {
          for (const answer of this.#answers(packet)) connection.write(encodeToBytes(answer, this.#version));
          if (packet.type === "disconnect") void connection.close();
        }
      },
      closed: () => undefined,
    });
  }

  #answers(packet: MqttPacket): MqttPacket[] {
    switch (packet.type) {
      case "connect": {
        const isSessionPresent = this.#hasSession;
        this.#hasSession = true;
        const connack = { type: "connack", isSessionPresent, reasonCode: 0 } as const;
        return isSessionPresent ? [connack, ...this.#down()] : [connack];
      }
      case "subscribe": {
        for (const { filter } of packet.subscriptions) this.filters.add(filter);
        const reasonCodes = packet.subscriptions.map(({ qos }) => qos);
        return [{ type: "suback", packetId: packet.packetId, reasonCodes }, ...this.#down()];
      }
      case "unsubscribe":
        for (const filter of packet.filters) this.filters.delete(filter);
        return [
          {
            type: "unsuback",
            packetId: packet.packetId,
            reasonCodes: this.#version === 4 ? [] : packet.filters.map(() => 0),
          },
        ];
      case "publish":
        if (packet.qos !== 1) return [];
        this.received.push(new TextDecoder().decode(packet.payload));
        return [{ type: "puback", packetId: packet.packetId ?? 0, reasonCode: 0 }];
      case "puback":
        this.isDownAcknowledged = true;
        return [];
      case "pingreq":
        return [{ type: "pingresp" }];
      default:
        return [];
    }
  }

  /** One message that has to get through. */
  #down(): MqttPacket[] {
    if (this.isDownAcknowledged || !this.filters.has("app")) return [];
    const payload = new TextEncoder().encode("down");
    return [{ type: "publish", topic: "app", payload, qos: 1, isRetained: false, isDuplicate: false, packetId: 1 }];
  }
}

interface World {
  clock: VirtualClock;
  network: VirtualNetwork;
  /** Bytes that went each way on the first connection. */
  bytes: Record<Side, number>;
}

/** Connects, subscribes, publishes and receives over a first connection with this fault; checks that all of it happened. */
async function run(version: MqttVersion, seed: number, faults: LinkFaults, dialsWithFault = 1): Promise<World> {
  const clock = createVirtualClock();
  const random = createVirtualRandom(seed);
  const network = createVirtualNetwork({
    clock,
    random,
    faults: ({ count }) => (count <= dialsWithFault ? faults : undefined),
  });
  const broker = new Broker(version);
  const listener = await network.listen({ host: "cloud.test", port: 8883 }, (connection) => broker.accept(connection));
  const got: string[] = [];
  const device = createDevice({
    endpoint: "cloud.test:8883",
    clientId: "d",
    clock,
    random,
    dialer: network,
    version,
    keepAliveSeconds: 30,
    connectTimeoutMs: 5000,
    ackTimeoutMs: 600_000,
    applicationTopics: ["app"],
    reconnect: { firstAttempt: "retry" },
    on: { data: ({ payload }) => void got.push(new TextDecoder().decode(payload)) },
  });
  let first: { deliveredBytes: Readonly<Record<Side, number>> } | undefined;
  device.on("connected", () => void (first ??= network.links[0]));
  const connecting = device.connect();
  const publishing = Promise.all(["1", "2", "3"].map((payload) => device.publish("up", payload)));
  // It may be in flight when the connection breaks, and then it is the caller's to try again.
  const subscribing = (async () => {
    for (;;) {
      try {
        return await device.subscribe("own");
      } catch {
        await clock.sleep(100);
      }
    }
  })();
  await clock.until(Promise.all([connecting, publishing, subscribing]), { limitMs: 600_000 });
  for (let seconds = 0; seconds < 120 && !(broker.isDownAcknowledged && device.state === "ready"); seconds++) {
    await clock.advance(1000);
  }
  assert.equal(device.state, "ready");
  assert.deepEqual([...new Set(broker.received)].sort(), ["1", "2", "3"]);
  assert.deepEqual([...new Set(got)], ["down"]);
  assert.deepEqual([...broker.filters].sort(), ["app", "own"]);
  const bytes = { ...(first?.deliveredBytes ?? { client: 0, server: 0 }) };
  const closing = device.close();
  await clock.until(closing);
  await clock.until(listener.close());
  assert.equal(clock.timerCount, 0, "a timer is left");
  assert.equal(network.links.length, 0, "a connection is left");
  return { clock, network, bytes };
}

for (const version of [4, 5] as MqttVersion[]) {
  test(`MQTT ${version}: whatever byte the first connection breaks at, the device comes back and nothing is lost`, async () => {
    const { bytes } = await run(version, 1, {});
    assert.ok(bytes.client > 40 && bytes.server > 15);
    for (const from of ["client", "server"] as Side[]) {
      for (let at = 0; at <= bytes[from]; at++) {
        for (const fault of ["resetAfter", "silentAfter"] as const) {
          for (let seed = 0; seed < (isLong ? 30 : 1); seed++) {
            const dials = 1 + (seed % 4);
            await run(version, seed, { [fault]: { from, bytes: at } }, dials).catch((error: unknown) => {
              const where = `${fault} ${at} bytes from the ${from}, ${dials} times, seed ${seed}`;
              throw new Error(where, { cause: error });
            });
          }
        }
      }
    }
  });
}

test("dials that are refused or not answered, and bytes that come in pieces", async () => {
  await run(4, 1, { isRefused: true }, 5);
  await run(4, 2, { isUnanswered: true }, 3);
  for (let seed = 0; seed < 10; seed++) await run(5, seed, { splitsRandomly: true, latencyMs: { from: 1, to: 2000 } });
});

test("close() at any moment ends every promise, and leaves no timer and no connection", async () => {
  const scenes: [name: string, faults: LinkFaults | undefined, cutAtMs: number, untilMs: number, stepMs: number][] = [
    ["connecting", undefined, Infinity, 14, 1],
    ["after a cut", undefined, 20, 1100, 30],
    ["half-open", { silentAfter: { from: "server", bytes: 4 } }, Infinity, 50_000, 2500],
    ["not answered", { isUnanswered: true }, Infinity, 20_000, 1500],
    ["refused", { isRefused: true }, Infinity, 5000, 300],
  ];
  for (const [name, faults, cutAtMs, untilMs, stepMs] of scenes) {
    for (let closeAtMs = 0; closeAtMs <= untilMs; closeAtMs += stepMs) {
      const clock = createVirtualClock();
      const random = createVirtualRandom(closeAtMs);
      const network = createVirtualNetwork({ clock, random, faults: () => faults });
      const broker = new Broker(4);
      const listener = await network.listen({ host: "cloud.test", port: 8883 }, (link) => broker.accept(link));
      const device = createDevice({
        endpoint: "cloud.test:8883",
        clientId: "d",
        clock,
        random,
        dialer: network,
        keepAliveSeconds: 30,
        connectTimeoutMs: 5000,
        applicationTopics: ["app"],
        reconnect: { firstAttempt: "retry" },
      });
      const calls = [device.connect(), device.publish("up", "1"), device.subscribe("own")];
      const settled = Promise.allSettled(calls);
      if (closeAtMs > cutAtMs) {
        await clock.advance(cutAtMs);
        network.links[0]?.reset();
        await clock.advance(closeAtMs - cutAtMs);
      } else await clock.advance(closeAtMs);
      await clock.until(device.close());
      await clock.until(listener.close());
      await clock.until(settled, { limitMs: 1 });
      assert.equal(device.state, "closed");
      assert.equal(clock.timerCount, 0, `${name}, closed at ${closeAtMs} ms: a timer is left`);
      assert.equal(network.links.length, 0, `${name}, closed at ${closeAtMs} ms: a connection is left`);
    }
  }
});
