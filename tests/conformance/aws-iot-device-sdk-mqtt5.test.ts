// The MQTT 5 client of AWS's device SDK for JavaScript (v2), unmodified, with its native TLS, over mutual TLS.
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { CreateThingTypeCommand, UpdateThingCommand } from "@aws-sdk/client-iot";
import type { mqtt5 as Mqtt5 } from "aws-iot-device-sdk-v2";
import { startLocalCloud, subtests, type LocalCloud, type ThingFiles } from "./local-cloud.test.support.js";
import type { Command, Events, Report } from "./mqtt5-sdk-process.test.support.js";

const sdk = await import("aws-iot-device-sdk-v2").catch(() => undefined);
const skip = sdk === undefined && "needs the native library of aws-crt for this platform";

test("AWS IoT Device SDK v2: the MQTT 5 client", { skip }, async (t) => {
  const { mqtt5 } = sdk as { mqtt5: typeof Mqtt5 };
  const check = subtests(t);
  const cloud = await startLocalCloud(t);
  const thing = await cloud.createThing("pump");
  const clients = startSdk(t, cloud, thing);
  const qos = mqtt5.QoS.AtLeastOnce;

  await check("is told what AWS's CONNACK tells", async () => {
    const client = await clients.open("pump");
    const { settings } = await client.connected;
    assert.deepEqual(
      {
        clientId: settings.clientId,
        maximumQos: settings.maximumQos,
        retain: settings.retainAvailable,
        wildcards: settings.wildcardSubscriptionsAvailable,
        shared: settings.sharedSubscriptionsAvailable,
        identifiers: settings.subscriptionIdentifiersAvailable,
        receiveMaximum: settings.receiveMaximumFromServer,
        topicAliasMaximum: settings.topicAliasMaximumToServer,
        keepAlive: settings.serverKeepAlive,
        packet: settings.maximumPacketSizeToServer,
        rejoined: settings.rejoinedSession,
      },
      {
        ...{ clientId: "pump", maximumQos: mqtt5.QoS.AtLeastOnce, retain: true, wildcards: true, shared: true },
        ...{ identifiers: false, receiveMaximum: 100, topicAliasMaximum: 8, keepAlive: 1200, packet: 149_504 },
        rejoined: false,
      },
    );
    await client.stop();
  });

  await check("publishes at QoS 0 and 1 with properties", async () => {
    const client = await clients.open("pump.pubsub");
    const { reasonCodes } = await client.subscribe({ subscriptions: [{ topicFilter: "pump/a/#", qos }] });
    assert.deepEqual(reasonCodes, [mqtt5.SubackReasonCode.GrantedQoS1]);
    const zero = client.next("messageReceived");
    await client.publish({ topicName: "pump/a/zero", qos: mqtt5.QoS.AtMostOnce, payload: "zero" });
    const { topicName, qos: granted, payload } = await zero;
    assert.deepEqual([topicName, granted, text(payload)], ["pump/a/zero", 0, "zero"]);
    const one = client.next("messageReceived");
    const properties = {
      ...{ topicName: "pump/a/one", qos, contentType: "text/plain", responseTopic: "pump/a/answer" },
      ...{ payloadFormat: mqtt5.PayloadFormatIndicator.Utf8, userProperties: [{ name: "unit", value: "bar" }] },
    };
    const sent = {
      ...properties,
      payload: "one",
      correlationData: Buffer.from("42"),
      messageExpiryIntervalSeconds: 60,
    };
    assert.equal((await client.publish(sent)).reasonCode, mqtt5.PubackReasonCode.Success);
    const received = await one;
    for (const [name, value] of Object.entries(properties)) {
      assert.deepEqual(received[name as keyof Mqtt5.PublishPacket], value, name);
    }
    assert.deepEqual([text(received.payload), text(received.correlationData)], ["one", "42"]);
    assert.ok((received.messageExpiryIntervalSeconds ?? 99) <= 60);
    await client.stop();
  });

  await check("gets the attributes that a thing type adds to messages", async () => {
    const propagatingAttributes = [
      { userPropertyKey: "site", thingAttribute: "site" },
      { userPropertyKey: "id", connectionAttribute: "iot:ClientId" },
    ];
    const thingTypeProperties = { mqtt5Configuration: { propagatingAttributes } };
    await cloud.iot.send(new CreateThingTypeCommand({ thingTypeName: "pump", thingTypeProperties }));
    const attributePayload = { attributes: { site: "north" } };
    await cloud.iot.send(new UpdateThingCommand({ thingName: "pump", thingTypeName: "pump", attributePayload }));
    const client = await clients.open("pump.typed");
    await client.subscribe({ subscriptions: [{ topicFilter: "pump/typed", qos }] });
    const message = client.next("messageReceived");
    await client.publish({ topicName: "pump/typed", qos, payload: "x" });
    assert.deepEqual((await message).userProperties, [
      { name: "site", value: "north" },
      { name: "id", value: "pump.typed" },
    ]);
    await client.stop();
    await cloud.iot.send(new UpdateThingCommand({ thingName: "pump", removeThingType: true }));
  });

  await check("resumes its session and gets what came while it was away", async () => {
    const session = { sessionExpirySeconds: 300 };
    const first = await clients.open("pump.session", session);
    await first.subscribe({ subscriptions: [{ topicFilter: "pump/queue", qos }] });
    await first.stop();
    const other = await clients.open("pump.other");
    for (const payload of ["one", "two"]) await other.publish({ topicName: "pump/queue", qos, payload });
    await other.stop();
    const second = await clients.open("pump.session", session);
    assert.equal((await second.connected).settings.rejoinedSession, true);
    assert.equal(text((await second.next("messageReceived")).payload), "one");
    assert.equal(text((await second.next("messageReceived")).payload), "two");
    await second.stop();
  });

  await check("a denied topic is PUBACK 0x87, a denied filter SUBACK 0x87, and the connection stays", async () => {
    const client = await clients.open("pump.denied");
    const denied = await client.publish({ topicName: "other/x", qos, payload: "x" });
    assert.equal(denied.reasonCode, mqtt5.PubackReasonCode.NotAuthorized);
    const subscriptions = ["other/#", "pump/b"].map((topicFilter) => ({ topicFilter, qos }));
    const { reasonCodes } = await client.subscribe({ subscriptions });
    assert.deepEqual(reasonCodes, [mqtt5.SubackReasonCode.NotAuthorized, mqtt5.SubackReasonCode.GrantedQoS1]);
    const allowed = await client.publish({ topicName: "pump/x", qos, payload: "x" });
    assert.equal(allowed.reasonCode, mqtt5.PubackReasonCode.Success);
    await cloud.logLine("denied", "iot:Publish", "pump.denied", "no statement allows iot:Publish on");
    await client.stop();
  });

  await check("a denied topic at QoS 0, which has no answer, is DISCONNECT 0x87", async () => {
    const client = await clients.open("pump.denied-zero");
    const gone = client.next("disconnection");
    await client.publish({ topicName: "other/x", qos: mqtt5.QoS.AtMostOnce, payload: "x" });
    assert.equal((await gone).reasonCode, mqtt5.DisconnectReasonCode.NotAuthorized);
    await client.stop();
  });

  await check("a client id that no statement allows gets CONNACK 0x87", async () => {
    const client = clients.start("stranger");
    const { reasonCode } = await client.next("connectionFailure");
    assert.equal(reasonCode, mqtt5.ConnectReasonCode.NotAuthorized);
    await client.stop();
  });

  await check("a client whose client id is taken over is told so with DISCONNECT 0x8E", async (t) => {
    const client = await clients.open("pump.twin");
    const elsewhere = startSdk(t, cloud, thing);
    const twin = await elsewhere.open("pump.twin");
    assert.equal((await client.next("disconnection")).reasonCode, mqtt5.DisconnectReasonCode.SessionTakenOver);
    await client.stop();
    await twin.stop();
  });

  await check("reconnects with its session after the cloud was restarted, on the ALPN port", async () => {
    const client = await clients.open("pump.restart", { sessionExpirySeconds: 300, port: cloud.httpsPort });
    await client.connected;
    await client.subscribe({ subscriptions: [{ topicFilter: "pump/restart", qos }] });
    await cloud.stop();
    await client.next("disconnection");
    const back = client.next("connectionSuccess");
    await cloud.start();
    assert.equal((await back).settings.rejoinedSession, true);
    await client.publish({ topicName: "pump/restart", qos, payload: "back" });
    assert.equal(text((await client.next("messageReceived")).payload), "back");
    await client.stop();
  });
});

const text = (payload: unknown): string => new TextDecoder().decode(payload as ArrayBuffer);

/** A process with SDK clients in it, killed when the test is over. */
function startSdk(t: TestContext, cloud: LocalCloud, { caFile, certificateFile, keyFile }: ThingFiles) {
  const program = fileURLToPath(new URL("mqtt5-sdk-process.test.support.js", import.meta.url));
  const child = fork(program, { serialization: "advanced", execArgv: [] });
  t.after(() => child.kill("SIGKILL"));
  const answers = new Map<number, { resolve: (answer: never) => void; reject: (error: Error) => void }>();
  const clients = new Map<string, SdkClient>();
  child.on("message", (report: Report) => {
    if ("clientId" in report) return clients.get(report.clientId)?.took(report.event, report.value);
    const answer = answers.get(report.id);
    if ("error" in report) answer?.reject(new Error(report.error));
    else answer?.resolve(report.answer as never);
  });
  let lastId = 0;
  const send: Send = (command) =>
    new Promise((resolve, reject) => {
      const id = ++lastId;
      answers.set(id, { resolve, reject });
      child.send({ ...command, id });
    });
  const start = (clientId: string, options: { port?: number; sessionExpirySeconds?: number } = {}) => {
    const client = new SdkClient(clientId, send);
    clients.set(clientId, client);
    const { port = cloud.port, sessionExpirySeconds = 0 } = options;
    void send({ clientId, do: "start", options: { port, caFile, certificateFile, keyFile, sessionExpirySeconds } });
    return client;
  };
  return {
    start,
    async open(...args: Parameters<typeof start>) {
      const client = start(...args);
      await client.connected;
      return client;
    },
  };
}

type WithoutId<T> = T extends unknown ? Omit<T, "id"> : never;
type Send = <T>(command: WithoutId<Command>) => Promise<T>;

/** One client in that process. Events wait until they are asked for, in their order. */
class SdkClient {
  readonly connected: Promise<Events["connectionSuccess"]>;
  readonly #clientId: string;
  readonly #send: Send;
  readonly #seen: { event: keyof Events; value: unknown }[] = [];
  readonly #waiting: { event: keyof Events; resolve: (value: never) => void }[] = [];

  constructor(clientId: string, send: Send) {
    this.#clientId = clientId;
    this.#send = send;
    this.connected = this.next("connectionSuccess");
  }

  took(event: keyof Events, value: unknown): void {
    const at = this.#waiting.findIndex((waiter) => waiter.event === event);
    if (at < 0) this.#seen.push({ event, value });
    else this.#waiting.splice(at, 1)[0]?.resolve(value as never);
  }

  /** The first such event that nobody asked for yet. */
  next<E extends keyof Events>(event: E): Promise<Events[E]> {
    const at = this.#seen.findIndex((seen) => seen.event === event);
    if (at >= 0) return Promise.resolve(this.#seen.splice(at, 1)[0]?.value as Events[E]);
    return new Promise((resolve) => this.#waiting.push({ event, resolve }));
  }

  publish(packet: Mqtt5.PublishPacket): Promise<{ reasonCode?: number }> {
    return this.#send({ clientId: this.#clientId, do: "publish", packet });
  }

  subscribe(packet: Mqtt5.SubscribePacket): Promise<Mqtt5.SubackPacket> {
    return this.#send({ clientId: this.#clientId, do: "subscribe", packet });
  }

  async stop(): Promise<void> {
    const stopped = this.next("stopped");
    await this.#send({ clientId: this.#clientId, do: "stop" });
    await stopped;
  }
}
