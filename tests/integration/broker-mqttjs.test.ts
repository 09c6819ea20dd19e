// Our broker on real sockets, judged by MQTT.js.
import assert from "node:assert/strict";
import { fork, type ChildProcess } from "node:child_process";
import { once, type EventEmitter } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { awsLimits, createBroker, createMemoryStore, type Broker, type Log } from "@thingline/cloud";
import type { Listener } from "@thingline/transport";
import { createNodeClock, createNodeNetwork, createNodeRandom } from "@thingline/transport/node";
import mqtt, { type IClientOptions, type MqttClient } from "mqtt";

const quiet = (): void => undefined;
const scope = { account: "123456789012", region: "us-east-1" };

interface Message {
  topic: string;
  text: string;
  isRetained: boolean;
  properties: Record<string, unknown> | undefined;
}

/** A client with what it received, and a way to wait for it. */
class Client {
  readonly mqtt: MqttClient;
  readonly messages: Message[] = [];
  isSessionPresent = false;
  private waiting: (() => void) | undefined;

  constructor(client: MqttClient) {
    this.mqtt = client;
    client.on("connect", ({ sessionPresent }) => (this.isSessionPresent = sessionPresent));
    client.on("error", quiet);
    client.on("message", (topic, payload, { retain, properties }) => {
      const plain = properties === undefined ? undefined : { ...properties };
      this.messages.push({ topic, text: payload.toString(), isRetained: retain, properties: plain });
      this.waiting?.();
    });
  }
  async received(count: number): Promise<string[]> {
    while (this.messages.length < count) await new Promise<void>((resolve) => (this.waiting = resolve));
    return this.messages.map(({ topic, text }) => `${topic}=${text}`);
  }
}

function emitted(client: Client, event: string): Promise<unknown[]> {
  // Not events.once(), which rejects when an "error" comes first.
  const emitter = client.mqtt as unknown as EventEmitter;
  return new Promise((resolve) => emitter.once(event, (...values: unknown[]) => resolve(values)));
}

function open(port: number, clientId: string, options: IClientOptions = {}): Client {
  return new Client(mqtt.connect({ host: "127.0.0.1", port, clientId, reconnectPeriod: 0, ...options }));
}

async function connected(port: number, clientId: string, options: IClientOptions = {}): Promise<Client> {
  const client = open(port, clientId, options);
  await emitted(client, "connect");
  return client;
}

describe("a broker on plain TCP", () => {
  let broker: Broker;
  let listener: Listener;
  const warnings: { event: string; facts: Readonly<Record<string, unknown>> | undefined }[] = [];
  const port = (): number => listener.address.port;

  before(async () => {
    const clock = createNodeClock();
    const warn: Log["warn"] = (event, facts) => void warnings.push({ event, facts });
    const log: Log = { debug: quiet, info: quiet, warn, error: warn };
    const limits = { ...awsLimits, connectsPerSecondPerClientId: Infinity };
    const store = createMemoryStore();
    broker = await createBroker({ clock, random: createNodeRandom(), log, store, scope, limits });
    const authorizer = {
      authorize: (_: string, resource: string) => {
        const isAllowed = !resource.includes("denied");
        return { isAllowed, explanation: isAllowed ? "allowed" : `no statement allows ${resource}` };
      },
      generation: 1,
      thingName: undefined,
    };
    const identity = {
      certificateId: undefined,
      authorizeConnect: ({ clientId }: { clientId: string }) =>
        Promise.resolve({ decision: authorizer.authorize("iot:Connect", `client/${clientId}`), authorizer }),
    };
    listener = await createNodeNetwork({ clock }).listen({ host: "127.0.0.1", port: 0 }, (connection) =>
      broker.accept(connection, identity),
    );
  });

  after(async () => {
    await broker.close();
    await listener.close();
  });

  for (const protocolVersion of [4, 5] as const) {
    const name = protocolVersion === 4 ? "3.1.1" : "5";
    const sessionOptions: IClientOptions =
      protocolVersion === 4 ? { clean: false } : { clean: false, properties: { sessionExpiryInterval: 600 } };

    test(`MQTT.js ${name}: QoS 0 and 1, large and small`, async () => {
      const client = await connected(port(), `pubsub-${name}`, { protocolVersion });
      const granted = await client.mqtt
        .subscribeAsync({ "a/+": { qos: 1 }, denied: { qos: 1 } })
        .catch(() => undefined);
      assert.ok(granted === undefined || granted.some(({ qos }) => qos >= 128));
      await client.mqtt.publishAsync("a/0", "zero", { qos: 0 });
      await client.mqtt.publishAsync("a/1", "one", { qos: 1 });
      const large = "x".repeat(100_000);
      await client.mqtt.publishAsync("a/2", large, { qos: 1 });
      assert.deepEqual(await client.received(3), ["a/0=zero", "a/1=one", `a/2=${large}`]);
      await client.mqtt.endAsync();
    });

    test(`MQTT.js ${name}: a persistent session is resumed`, async () => {
      const options = { protocolVersion, ...sessionOptions };
      const first = await connected(port(), `session-${name}`, options);
      assert.equal(first.isSessionPresent, false);
      await first.mqtt.subscribeAsync(`s${name}`, { qos: 1 });
      await first.mqtt.endAsync();
      const publisher = await connected(port(), `publisher-${name}`, { protocolVersion });
      for (const text of ["1", "2", "3"]) await publisher.mqtt.publishAsync(`s${name}`, text, { qos: 1 });
      const second = await connected(port(), `session-${name}`, options);
      assert.equal(second.isSessionPresent, true);
      assert.deepEqual(await second.received(3), [`s${name}=1`, `s${name}=2`, `s${name}=3`]);
      await second.mqtt.endAsync();
      await publisher.mqtt.endAsync();
    });

    test(`MQTT.js ${name}: a watcher hears of a client's whole life`, async () => {
      const clientId = `life-${name}`;
      const watcher = await connected(port(), `watcher-${name}`, { protocolVersion });
      const filters = [`$aws/events/presence/+/${clientId}`, `$aws/events/subscriptions/+/${clientId}`];
      await watcher.mqtt.subscribeAsync(filters, { qos: 1 });
      const client = await connected(port(), clientId, { protocolVersion });
      await client.mqtt.subscribeAsync(["a", "b/+"], { qos: 1 });
      await client.mqtt.unsubscribeAsync("a");
      await client.mqtt.endAsync();
      const texts = await watcher.received(4);
      const events = texts.map((text) => JSON.parse(text.slice(text.indexOf("=") + 1)) as Record<string, unknown>);
      assert.deepEqual(
        events.map((event) => [event["eventType"], event["clientId"], event["versionNumber"], event["topics"]]),
        [
          ["connected", clientId, 0, undefined],
          ["subscribed", clientId, undefined, ["a", "b/+"]],
          ["unsubscribed", clientId, undefined, ["a"]],
          ["disconnected", clientId, 0, undefined],
        ],
      );
      assert.deepEqual(
        [events[0]?.["ipAddress"], events[3]?.["disconnectReason"]],
        ["127.0.0.1", "CLIENT_INITIATED_DISCONNECT"],
      );
      assert.equal(new Set(events.map((event) => event["sessionIdentifier"])).size, 1);
      await watcher.mqtt.endAsync();
    });

    test(`MQTT.js ${name}: a takeover ends the old connection`, async () => {
      const old = await connected(port(), `takeover-${name}`, { protocolVersion });
      const closed = emitted(old, "close");
      const told = protocolVersion === 5 ? emitted(old, "disconnect") : undefined;
      const young = await connected(port(), `takeover-${name}`, { protocolVersion });
      if (told !== undefined) assert.equal(((await told) as [{ reasonCode: number }])[0].reasonCode, 0x8e);
      await closed;
      await young.mqtt.publishAsync("t", "x", { qos: 1 });
      await young.mqtt.endAsync();
    });

    test(`MQTT.js ${name}: a denied publish behaves as at AWS, and the log explains it`, async () => {
      const client = await connected(port(), `publish-${name}`, { protocolVersion });
      if (protocolVersion === 4) {
        const closed = emitted(client, "close");
        client.mqtt.publish("denied", "x", { qos: 1 });
        await closed;
      } else {
        await assert.rejects(client.mqtt.publishAsync("denied", "x", { qos: 1 }), /Not authorized/);
        await client.mqtt.publishAsync("allowed", "x", { qos: 1 });
      }
      await client.mqtt.endAsync(true);
      const line = warnings.findLast(({ event }) => event === "denied");
      assert.deepEqual(line?.facts?.["explanation"], "no statement allows topic/denied");
    });

    test(`MQTT.js ${name}: a denied CONNECT`, async () => {
      const client = open(port(), "denied", { protocolVersion });
      const refused = protocolVersion === 5 ? emitted(client, "error") : undefined;
      await emitted(client, "close");
      if (refused !== undefined) assert.equal(((await refused) as [{ code?: number }])[0].code, 0x87);
      await client.mqtt.endAsync(true);
    });
  }

  test("MQTT.js: properties, retained messages, topic aliases and the will", async () => {
    const watcher = await connected(port(), "watcher", { protocolVersion: 5 });
    await watcher.mqtt.subscribeAsync({ will: { qos: 1 }, p: { qos: 1 } });
    const client = await connected(port(), "properties", {
      protocolVersion: 5,
      will: { topic: "will", payload: Buffer.from("gone"), qos: 1, retain: false },
      autoAssignTopicAlias: true,
    });
    const userProperties = { a: ["1", "2"] };
    await client.mqtt.publishAsync("p", "1", { qos: 1, properties: { contentType: "text/plain", userProperties } });
    await client.mqtt.publishAsync("p", "2", { qos: 1 });
    assert.deepEqual(await watcher.received(2), ["p=1", "p=2"]);
    assert.equal(watcher.messages[0]?.properties?.["contentType"], "text/plain");
    await client.mqtt.publishAsync("r", "kept", { qos: 1, retain: true });
    await watcher.mqtt.subscribeAsync("r", { qos: 1 });
    await watcher.received(3);
    assert.deepEqual([watcher.messages[2]?.text, watcher.messages[2]?.isRetained], ["kept", true]);
    client.mqtt.stream.destroy();
    assert.equal((await watcher.received(4))[3], "will=gone");
    await client.mqtt.endAsync(true);
    await watcher.mqtt.endAsync();
  });
});

describe("a broker that is killed", () => {
  const folder = mkdtempSync(join(tmpdir(), "thingline-broker-"));
  let child: ChildProcess | undefined;

  after(() => {
    child?.kill("SIGKILL");
    rmSync(folder, { recursive: true });
  });

  async function start(): Promise<number> {
    child = fork(fileURLToPath(new URL("broker-process.test.support.js", import.meta.url)), [folder]);
    const [message] = (await once(child, "message")) as [{ port: number }];
    return message.port;
  }

  test("what was acknowledged before kill -9 is delivered after the restart", async () => {
    let port = await start();
    const session: IClientOptions = { protocolVersion: 5, clean: false, properties: { sessionExpiryInterval: 3_600 } };
    const subscriber = await connected(port, "subscriber", session);
    await subscriber.mqtt.subscribeAsync("t/#", { qos: 1 });
    await subscriber.mqtt.endAsync();
    const publisher = await connected(port, "publisher", { protocolVersion: 5 });
    await publisher.mqtt.publishAsync("r", "kept", { qos: 1, retain: true });
    const acknowledged: string[] = [];
    const gone = once(child!, "exit");
    for (let count = 0; count < 300; count++) {
      publisher.mqtt.publish(`t/${count}`, "x", { qos: 1 }, (error) => {
        if (error !== undefined && error !== null) return;
        acknowledged.push(`t/${count}=x`);
        // In the middle of what is on its way.
        if (acknowledged.length === 100) child!.kill("SIGKILL");
      });
    }
    await gone;
    await publisher.mqtt.endAsync(true);
    assert.ok(acknowledged.length >= 100);
    port = await start();
    const again = await connected(port, "subscriber", session);
    assert.equal(again.isSessionPresent, true);
    const received = new Set(await again.received(acknowledged.length));
    assert.deepEqual(
      acknowledged.filter((message) => !received.has(message)),
      [],
    );
    const late = await connected(port, "late", { protocolVersion: 5 });
    await late.mqtt.subscribeAsync("r");
    assert.deepEqual(await late.received(1), ["r=kept"]);
    await again.mqtt.endAsync();
    await late.mqtt.endAsync();
  });
});
