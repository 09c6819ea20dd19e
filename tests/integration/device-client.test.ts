import assert from "node:assert/strict";
import { createServer, type Server } from "node:net";
import { after, before, describe, test } from "node:test";
import { connectDevice, type DeviceMessage } from "@thingline/device";
import { createNodeClock, createNodeNetwork, createNodeRandom } from "@thingline/transport/node";
import { Aedes } from "aedes";
import type { MqttVersion } from "@thingline/protocol/mqtt";

describe("the device library against aedes over TCP", () => {
  const clock = createNodeClock();
  const random = createNodeRandom();
  const dialer = createNodeNetwork({ clock });
  let server: Server;
  let broker: Aedes;
  let port = 0;

  before(async () => {
    broker = await Aedes.createBroker();
    server = createServer((socket) => broker.handle(socket));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    port = (server.address() as { port: number }).port;
  });

  after(async () => {
    await new Promise<void>((resolve) => broker.close(resolve));
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });

  const version: MqttVersion = 4;

  test("connects, gets ready, publishes at QoS 0 and 1, receives, disconnects", async () => {
    const events: string[] = [];
    const device = await connectDevice({
      host: "127.0.0.1",
      port,
      clientId: "device-1",
      clock,
      random,
      dialer,
      version,
      isCleanSession: true,
      applicationTopics: ["down/#"],
      on: {
        connecting: () => void events.push("connecting"),
        connected: ({ isPersistentSession }) => void events.push(`connected ${isPersistentSession}`),
        ready: ({ refusedFilters }) => void events.push(`ready ${refusedFilters.length}`),
        puback: () => void events.push("puback"),
        disconnected: ({ reason }) => void events.push(`disconnected ${reason}`),
      },
    });
    const got: DeviceMessage[] = [];
    const both = new Promise<void>((resolve) => {
      device.on("data", (message) => {
        got.push(message);
        if (got.length === 2) resolve();
      });
    });
    await device.publish("down/a", "zero", { qos: 0 });
    await device.publish("down/b", "one");
    await both;
    assert.deepEqual(
      got.map(({ topic, payload }) => [topic, new TextDecoder().decode(payload)]),
      [
        ["down/a", "zero"],
        ["down/b", "one"],
      ],
    );
    await device.disconnect();
    assert.deepEqual(events, ["connecting", "connected false", "ready 0", "puback", "disconnected userRequest"]);
  });

  test("a run-time subscription is an iterable, and leaving it unsubscribes", async () => {
    await using device = await connectDevice({ host: "127.0.0.1", port, clientId: "device-2", clock, random, dialer });
    const subscription = await device.subscribe("news/+");
    await device.publish("news/1", "a");
    await device.publish("news/2", "b");
    const topics: string[] = [];
    for await (const message of subscription) {
      topics.push(message.topic);
      if (topics.length === 2) break;
    }
    assert.deepEqual(topics, ["news/1", "news/2"]);
  });
});
