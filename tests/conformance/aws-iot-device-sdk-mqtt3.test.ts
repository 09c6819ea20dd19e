// The MQTT 3.1.1 client of AWS's device SDK for JavaScript (v2), unmodified, with its native TLS, over mutual TLS.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test, type TestContext } from "node:test";
import type { CrtError, iot as iotModule, mqtt as mqttModule } from "aws-iot-device-sdk-v2";
import { startLocalCloud, subtests, type LocalCloud, type ThingFiles } from "./local-cloud.test.support.js";

interface Sdk {
  iot: typeof iotModule;
  mqtt: typeof mqttModule;
}

/** The SDK is CommonJS around a native library, which is not there for every platform. */
const sdk = await import("aws-iot-device-sdk-v2").catch(() => undefined);
const skip = sdk === undefined && "needs the native library of aws-crt for this platform";

test("AWS IoT Device SDK v2: the MQTT 3.1.1 client", { skip }, async (t) => {
  const { mqtt } = sdk as Sdk;
  const check = subtests(t);
  const cloud = await startLocalCloud(t);
  const thing = await cloud.createThing("pump");

  await check("connects, subscribes and publishes at QoS 0 and 1", async (t) => {
    const connection = open311(t, cloud, thing, "pump");
    assert.equal(await connection.connect(), false, "no session is present");
    const received = collect(connection, 3);
    const granted = await connection.subscribe("pump/a/#", mqtt.QoS.AtLeastOnce);
    assert.deepEqual([granted.qos, granted.error_code], [mqtt.QoS.AtLeastOnce, 0]);
    await connection.publish("pump/a/zero", "zero", mqtt.QoS.AtMostOnce);
    await connection.publish("pump/a/one", "one", mqtt.QoS.AtLeastOnce);
    await connection.publish("pump/a/json", { is: "JSON" }, mqtt.QoS.AtLeastOnce);
    assert.deepEqual(await received, ["pump/a/zero 0 zero", "pump/a/one 1 one", 'pump/a/json 1 {"is":"JSON"}']);
    await connection.unsubscribe("pump/a/#");
    await connection.disconnect();
  });

  await check("connects by ALPN to the port that HTTP shares", async (t) => {
    const connection = open311(t, cloud, thing, "pump.alpn", { port: cloud.httpsPort });
    await connection.connect();
    await connection.publish("pump/x", "x", mqtt.QoS.AtLeastOnce);
    await connection.disconnect();
  });

  await check("resumes its session and gets what came while it was away", async (t) => {
    const first = open311(t, cloud, thing, "pump.session", { isClean: false });
    assert.equal(await first.connect(), false);
    await first.subscribe("pump/queue", mqtt.QoS.AtLeastOnce);
    await first.disconnect();
    const other = open311(t, cloud, thing, "pump.other");
    await other.connect();
    for (const text of ["one", "two"]) await other.publish("pump/queue", text, mqtt.QoS.AtLeastOnce);
    await other.disconnect();
    const second = open311(t, cloud, thing, "pump.session", { isClean: false });
    const received = collect(second, 2);
    assert.equal(await second.connect(), true, "the session is present");
    assert.deepEqual(await received, ["pump/queue 1 one", "pump/queue 1 two"]);
    await second.disconnect();
  });

  await check("the will is sent when another connection takes over the client id", async (t) => {
    const watcher = open311(t, cloud, thing, "pump.watcher");
    await watcher.connect();
    const received = collect(watcher, 1);
    await watcher.subscribe("pump/will", mqtt.QoS.AtLeastOnce);
    const will = { topic: "pump/will", payload: "gone", qos: mqtt.QoS.AtLeastOnce, retain: false };
    const mortal = open311(t, cloud, thing, "pump.mortal", { will, reconnectSeconds: 2 });
    await mortal.connect();
    const interrupted = once(mortal, "interrupt");
    const heir = open311(t, cloud, thing, "pump.mortal");
    await heir.connect();
    await interrupted;
    assert.deepEqual(await received, ["pump/will 1 gone"]);
    await Promise.all([watcher.disconnect(), heir.disconnect(), mortal.disconnect()]);
  });

  await check("a denied filter is 0x80 in the SUBACK, and the connection stays", async (t) => {
    const connection = open311(t, cloud, thing, "pump.filter");
    await connection.connect();
    const refused = await connection.subscribe("other/#", mqtt.QoS.AtLeastOnce);
    assert.equal(Number(refused.qos), 0x80);
    await cloud.logLine("denied", "iot:Subscribe", "topicfilter/other/#", "pump.filter");
    await connection.publish("pump/x", "still here", mqtt.QoS.AtLeastOnce);
    await connection.disconnect();
  });

  await check("a denied topic interrupts the connection", async (t) => {
    const connection = open311(t, cloud, thing, "pump.denied", { reconnectSeconds: 2 });
    await connection.connect();
    // Not events.once: it fails on the error event that the SDK emits for the publish.
    const interrupted = new Promise<CrtError>((resolve) => connection.on("interrupt", resolve));
    const refused = assert.rejects(connection.publish("other/x", "x", mqtt.QoS.AtLeastOnce));
    assert.match(String((await interrupted).error_name), /AWS_ERROR_MQTT_UNEXPECTED_HANGUP|SOCKET_CLOSED/);
    await cloud.logLine("denied", "iot:Publish", "pump.denied", "no statement allows iot:Publish on");
    await connection.disconnect();
    await refused;
  });

  await check("a client id that no statement allows is not connected", async (t) => {
    const connection = open311(t, cloud, thing, "stranger");
    await assert.rejects(connection.connect(), /hangup|closed/i);
    await cloud.logLine("connectDenied", "stranger");
  });

  await check("reconnects with its session after the cloud was killed and started again", async (t) => {
    const connection = open311(t, cloud, thing, "pump.restart", { isClean: false });
    await connection.connect();
    await connection.subscribe("pump/restart", mqtt.QoS.AtLeastOnce);
    const interrupted = once(connection, "interrupt");
    await cloud.stop("SIGKILL");
    await interrupted;
    const resumed = once(connection, "resume");
    await cloud.start();
    const [returnCode, isPresent] = (await resumed) as [number, boolean];
    assert.deepEqual([returnCode, isPresent], [0, true]);
    const received = collect(connection, 1);
    await connection.publish("pump/restart", "back", mqtt.QoS.AtLeastOnce);
    assert.deepEqual(await received, ["pump/restart 1 back"]);
    await connection.disconnect();
  });
});

const text = (payload: unknown): string => new TextDecoder().decode(payload as ArrayBuffer);

interface Options311 {
  port?: number;
  isClean?: boolean;
  will?: mqttModule.MqttWill;
  /** The first wait before a reconnect. Default 1. */
  reconnectSeconds?: number;
}

function open311(t: TestContext, cloud: LocalCloud, thing: ThingFiles, clientId: string, options: Options311 = {}) {
  const { iot, mqtt } = sdk as Sdk;
  const { port = cloud.port, isClean = true, will, reconnectSeconds = 1 } = options;
  const builder = iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder_from_path(thing.certificateFile, thing.keyFile)
    .with_certificate_authority_from_path(undefined, thing.caFile)
    .with_endpoint("localhost")
    .with_port(port)
    .with_client_id(clientId)
    .with_clean_session(isClean)
    .with_reconnect_min_sec(reconnectSeconds)
    .with_reconnect_max_sec(reconnectSeconds);
  if (will) builder.with_will(will);
  const connection = new mqtt.MqttClient().new_connection(builder.build());
  connection.on("error", () => undefined); // Failures reach the caller of the operation as well.
  t.after(() => connection.disconnect().catch(() => undefined));
  return connection;
}

/** The next messages, as `topic qos payload`. */
function collect(connection: mqttModule.MqttClientConnection, count: number): Promise<string[]> {
  const messages: string[] = [];
  return new Promise((resolve) => {
    connection.on("message", (topic, payload, _dup, qos) => {
      messages.push(`${topic} ${qos} ${text(payload)}`);
      if (messages.length === count) resolve(messages);
    });
  });
}
