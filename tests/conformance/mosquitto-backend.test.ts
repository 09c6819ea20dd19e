// The backend for plain MQTT brokers against Debian's Mosquitto: TLS, a password file, MQTT 3.1.1 and 5, and the switch from
// AWS IoT to it and back in one process.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { connectResultOf } from "@thingline/device";
import {
  type CloudEvent,
  createAwsIotBackend,
  createBackendRegistry,
  createMqttBackend,
  type MqttBackendOptions,
} from "@thingline/device/backends";
import { createNodeClock, createNodeNetwork, createNodeRandom } from "@thingline/transport/node";
import { temporaryFolder } from "../integration/cli-process.test.support.js";
import { missing, start, startLocalCloud, subtests } from "./local-cloud.test.support.js";

// Not on the path of everybody.
const folders = `${process.env["PATH"] ?? ""}:/usr/sbin:/usr/local/sbin`;
const env = { ...process.env, PATH: folders } as Record<string, string>;
process.env["PATH"] = folders;
const skip = missing("mosquitto_passwd", "mosquitto") || missing("openssl", "openssl");

const adapters = { dialer: createNodeNetwork(), clock: createNodeClock(), random: createNodeRandom() };

function run(command: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: "utf8", env });
  assert.equal(status, 0, `${command} ${args.join(" ")}: ${stderr}`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Mosquitto with a CA, a certificate and a password file of its own. */
async function startMosquitto(t: TestContext): Promise<{ port: number; ca: string; log: () => string }> {
  const folder = await temporaryFolder(t);
  const file = (name: string): string => join(folder, name);
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  const caWords = ["-keyout", file("ca.key"), "-out", file("ca.pem"), "-subj", "/CN=A CA of the broker"];
  run("openssl", ["req", "-x509", ...newKey, ...caWords]);
  const server = ["-keyout", file("server.key"), "-out", file("server.pem"), "-subj", "/CN=localhost"];
  const signed = ["-CA", file("ca.pem"), "-CAkey", file("ca.key"), "-addext", "subjectAltName=DNS:localhost"];
  run("openssl", ["req", "-x509", ...newKey, ...server, ...signed]);
  run("mosquitto_passwd", ["-c", "-b", file("passwords"), "pump", "secret"]);
  const port = await freePort();
  await writeFile(
    file("mosquitto.conf"),
    [
      `listener ${port} 127.0.0.1`,
      "allow_anonymous false",
      `password_file ${file("passwords")}`,
      `certfile ${file("server.pem")}`,
      `keyfile ${file("server.key")}`,
      "user root",
      "",
    ].join("\n"),
  );
  const broker = start(t, "mosquitto", ["-v", "-c", file("mosquitto.conf")], { env });
  await broker.says(/mosquitto version [\d.]+ running/);
  return { port, ca: await readFile(file("ca.pem"), "utf8"), log: () => broker.output };
}

/** Events in short, to wait for. */
class Recorder {
  readonly seen: string[] = [];
  #waiting: { text: string; resolve: () => void }[] = [];

  readonly handler = (event: CloudEvent): void => {
    const message = event.type === "dataReceived" ? event.message : undefined;
    const text =
      message === undefined ? event.type : `${message.endpoint.topic} ${Buffer.from(message.payload).toString()}`;
    this.seen.push(text);
    const isIt = (waiting: { text: string }): boolean => text.startsWith(waiting.text);
    for (const { resolve } of this.#waiting.filter(isIt)) resolve();
    this.#waiting = this.#waiting.filter((waiting) => !isIt(waiting));
  };

  /** @param text how the event begins */
  async wait(text: string): Promise<void> {
    if (this.seen.some((line) => line.startsWith(text))) return;
    await new Promise<void>((resolve) => this.#waiting.push({ text, resolve }));
  }
}

test("the backend for plain brokers, with Mosquitto", { skip }, async (t) => {
  const check = subtests(t);
  const mosquitto = await startMosquitto(t);
  const options: MqttBackendOptions = {
    ...adapters,
    host: "localhost",
    port: mosquitto.port,
    family: 4,
    clientId: "pump-7",
    tls: { ca: mosquitto.ca },
    username: "pump",
    password: "secret",
    stateTopics: {
      state: "devices/{clientId}/state",
      stateGet: "devices/{clientId}/state/get",
      stateDelete: "devices/{clientId}/state/delete",
      subscribe: ["devices/{clientId}/#"],
    },
  };

  for (const version of [4, 5] as const) {
    await check(`messages and state go there and back, version ${version}`, async () => {
      const backend = createMqttBackend({ ...options, version, clientId: `pump-v${version}` });
      const recorder = new Recorder();
      await backend.init(recorder.handler);
      await backend.subscriptionsAdd([{ topic: "early/+" }]);
      await backend.connect();
      await backend.subscriptionsAdd([{ topic: "late/#" }]);
      for (const qos of [0, 1] as const) {
        await backend.send({ endpoint: { topic: "early/a" }, payload: `one ${qos}`, qos });
        await backend.send({ endpoint: { topic: "late/a/b" }, payload: `two ${qos}`, qos });
        await recorder.wait(`early/a one ${qos}`);
        await recorder.wait(`late/a/b two ${qos}`);
      }
      for (const type of ["state", "stateGet", "stateDelete"] as const) {
        await backend.send({ endpoint: { type }, payload: type, qos: 1 });
      }
      await recorder.wait(`devices/pump-v${version}/state state`);
      await recorder.wait(`devices/pump-v${version}/state/get stateGet`);
      await recorder.wait(`devices/pump-v${version}/state/delete stateDelete`);
      backend.ping();
      await backend.subscriptionsRemove([{ topic: "late/#" }]);
      await backend.disconnect();
      await recorder.wait("disconnected");
      await backend.connect();
      await backend.uninit();
      assert.deepEqual(recorder.seen.slice(0, 3), ["connecting", "connected", "ready"]);
      assert.ok(!recorder.seen.includes("error"), recorder.seen.join("\n"));
    });

    await check(`a wrong password is refused by CONNACK, version ${version}`, async () => {
      const backend = createMqttBackend({ ...options, version, password: "wrong", reconnect: false });
      await backend.init(() => undefined);
      await assert.rejects(backend.connect(), (error) => connectResultOf(error) === "refused");
      await backend.uninit();
    });
  }

  await check("a broker of another CA is not trusted", async () => {
    const cloud = await startLocalCloud(t);
    const backend = createMqttBackend({ ...options, tls: { ca: await readFile(cloud.caFile, "utf8") } });
    await backend.init(() => undefined);
    await assert.rejects(backend.connect(), (error) => connectResultOf(error) === "certificate");
    await backend.uninit();
  });

  await check("a large message is drained, acknowledged and reported, and the connection stays", async () => {
    const recorder = new Recorder();
    const backend = createMqttBackend({ ...options, payloadBytesMax: 1000 });
    const errors: string[] = [];
    await backend.init((event) => {
      recorder.handler(event);
      if (event.type === "error") errors.push(event.error.message);
    });
    await backend.connect();
    await backend.send({ endpoint: { topic: "devices/pump-7/large" }, payload: new Uint8Array(1_000_000), qos: 1 });
    await backend.send({ endpoint: { topic: "devices/pump-7/small" }, payload: "small", qos: 1 });
    await recorder.wait("devices/pump-7/small small");
    assert.match(errors.join("\n"), /1000000 payload bytes/);
    await backend.uninit();
    assert.ok(!recorder.seen.slice(0, -1).includes("disconnected"));
  });

  await check("an application moves from AWS IoT to the broker and back without a restart", async (t) => {
    const cloud = await startLocalCloud(t);
    const { ca, certificate, key: privateKey } = await cloud.createThing("pump-7");
    const tls = { ca, certificate, privateKey };
    const aws = createAwsIotBackend({
      ...adapters,
      host: "localhost",
      port: cloud.port,
      clientId: "pump-7",
      tls,
      shadowTopics: ["get/accepted", "update/accepted"],
      // AWS IoT takes one CONNECT a second for a client id.
      reconnect: { firstAttempt: "retry" },
    });
    await using backends = createBackendRegistry([aws, createMqttBackend(options)]);
    const answers = { AWS_IOT: "$aws/things/pump-7/shadow/update/accepted", MQTT: "devices/pump-7/state" };
    for (const name of ["AWS_IOT", "MQTT", "AWS_IOT", "MQTT"] as const) {
      const recorder = new Recorder();
      const backend = await backends.use(name, recorder.handler);
      await backend.connect();
      await backend.send({ endpoint: { type: "state" }, payload: '{"state":{"reported":{"a":1}}}', qos: 1 });
      await recorder.wait(answers[name]);
      await backend.disconnect();
    }
  });
});
