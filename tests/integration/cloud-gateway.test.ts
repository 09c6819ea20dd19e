import assert from "node:assert/strict";
import { createHash, createHmac, type Hash, type Hmac } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Duplex } from "node:stream";
import { test, type TestContext } from "node:test";
import { connect as connectTls } from "node:tls";
import { createCloud, createMemoryStore, type CloudOptions } from "@thingline/cloud";
import {
  createNodeClock,
  createNodeFiles,
  createNodeKeys,
  createNodeNetwork,
  createNodeRandom,
} from "@thingline/transport/node";
import { SignatureV4 } from "@smithy/signature-v4";
import mqtt from "mqtt";
import {
  createDevice,
  nextEvent,
  openWorld,
  portOf,
  RecordingLog,
  type Credentials,
  type World,
} from "./cloud-world.test.support.js";

/** MQTT.js on the port that HTTP uses too. */
function dialHttps(context: TestContext, { started }: World, options: mqtt.IClientOptions): mqtt.MqttClient {
  const client = mqtt.connect({
    host: "localhost",
    port: portOf(started.addresses.https),
    ca: started.caPem,
    clientId: "a",
    reconnectPeriod: 0,
    ...options,
  });
  client.on("error", () => undefined);
  context.after(() => client.end(true));
  return client;
}

const certified = ({ certificatePem, privateKey }: Credentials) => ({ cert: certificatePem, key: privateKey });

test("ALPN x-amzn-mqtt-ca on the HTTPS port is MQTT without WebSocket", async (context) => {
  const world = await openWorld(context);
  const device = await createDevice(world.iot);
  const options = { protocol: "mqtts" as const, ALPNProtocols: ["x-amzn-mqtt-ca"], ...certified(device) };
  const client = dialHttps(context, world, options);
  await nextEvent(client, "connect");
  await client.publishAsync("a", "b", { qos: 1 });
});

test("MQTT over WebSocket with a client certificate", async (context) => {
  const world = await openWorld(context);
  const device = await createDevice(world.iot);
  const client = dialHttps(context, world, {
    protocol: "wss",
    path: "/mqtt",
    wsOptions: { ca: world.started.caPem, ...certified(device) },
  });
  await nextEvent(client, "connect");
  await client.publishAsync("a", "b", { qos: 1 });
});

test("MQTT over WebSocket without a certificate, or on another path, is refused", async (context) => {
  const world = await openWorld(context);
  const device = await createDevice(world.iot);
  const anonymous = dialHttps(context, world, { protocol: "wss", path: "/mqtt" });
  await nextEvent(anonymous, "close");
  await world.log.line(({ facts }) => facts["reason"] === "noCertificate");
  const wsOptions = { ca: world.started.caPem, ...certified(device) };
  const lost = dialHttps(context, world, { protocol: "wss", path: "/other", wsOptions });
  await nextEvent(lost, "close");
  await world.log.line(({ facts }) => facts["reason"] === "upgradeRefused");
});

test("MQTT over WebSocket with a signed URL needs no certificate; its principal is the access key", async (context) => {
  const world = await openWorld(context);
  const port = portOf(world.started.addresses.https);
  const presigned = async (secretAccessKey: string) => {
    const signer = new SignatureV4({
      ...{ service: "iotdevicegateway", region: "us-east-1", credentials: { accessKeyId: "test", secretAccessKey } },
      sha256: class {
        readonly #hash: Hmac | Hash;
        constructor(secret?: string | Uint8Array) {
          this.#hash = secret === undefined ? createHash("sha256") : createHmac("sha256", secret);
        }
        update(data: Uint8Array | string) {
          this.#hash.update(data);
        }
        digest = async () => new Uint8Array(this.#hash.digest());
      } as never,
    });
    const host = `localhost:${port}`;
    const request = { method: "GET", protocol: "wss:", hostname: "localhost", port, path: "/mqtt", headers: { host } };
    const { query = {} } = await signer.presign(request, { expiresIn: 60 });
    const words = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
    return `/mqtt?${words.join("&")}`;
  };
  const watcher = dialHttps(context, world, { protocol: "wss", path: await presigned("test"), clientId: "watcher" });
  await nextEvent(watcher, "connect");
  await watcher.subscribeAsync("$aws/events/presence/connected/signed", { qos: 1 });
  const event = nextEvent(watcher, "message") as Promise<[string, Buffer]>;
  const signed = dialHttps(context, world, { protocol: "wss", path: await presigned("test"), clientId: "signed" });
  await nextEvent(signed, "connect");
  const { principalIdentifier } = JSON.parse((await event)[1].toString()) as { principalIdentifier?: string };
  assert.equal(principalIdentifier, "test");
  const wrong = dialHttps(context, world, { protocol: "wss", path: await presigned("other") });
  await nextEvent(wrong, "close");
  const { facts } = await world.log.line(({ facts: { reason } }) => reason === "upgradeRefused");
  assert.match(String(facts["explanation"]), /403.*signature does not match/);
});

const upgrades: readonly [headers: string, status: number][] = [
  ["Host: localhost", 101],
  ["Host: cloud.plant.lan:8443", 101],
  ["Host: cloud.plant.lan\r\nOrigin: https://cloud.plant.lan", 101],
  ["Host: cloud.plant.lan\r\nOrigin: https://evil.com", 403],
  ["Host: localhost\r\nOrigin: null", 403],
  ["Host: localhost\r\nOrigin: https://localhost\r\nOrigin: https://evil.com", 403],
  ["Host: evil.com", 403],
  ["Host: evil.com\\.localhost", 403],
  ["Host: localhost\r\nHost: evil.com", 403],
];

test("a WebSocket upgrade is for a name of the cloud and from no foreign page, certificate or not", async (context) => {
  const world = await openWorld(context, { memory: true, serverNames: ["cloud.plant.lan"] });
  const device = await createDevice(world.iot);
  const port = portOf(world.started.addresses.https);
  for (const [headers, expected] of upgrades) {
    const socket = connectTls({ port, ca: world.started.caPem, servername: "localhost", ...certified(device) });
    socket.on("error", () => undefined);
    const fixed =
      "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt";
    socket.write(`GET /mqtt HTTP/1.1\r\n${headers}\r\n${fixed}\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`);
    const [answer] = (await once(socket, "data")) as [Buffer];
    socket.destroy();
    assert.equal(Number(answer.toString("latin1").split(" ")[1]), expected, headers);
  }
  await world.log.line(({ facts }) => /other origins are refused/.test(String(facts["explanation"])));
});

/** TLS 1.2's handshake is not encrypted: what the server sends before the client's certificate can be read. */
function readCertificateRequest(bytes: Buffer): { authoritiesBytes: number } | undefined {
  const messages: Buffer[] = [];
  for (let at = 0; at + 5 <= bytes.length; at += 5 + bytes.readUInt16BE(at + 3))
    if (bytes[at] === 22) messages.push(bytes.subarray(at + 5, at + 5 + bytes.readUInt16BE(at + 3)));
  const handshake = Buffer.concat(messages);
  for (let at = 0; at + 4 <= handshake.length; at += 4 + handshake.readUIntBE(at + 1, 3)) {
    // RFC 5246 §7.4.4: certificate types, signature algorithms, authorities.
    if (handshake[at] !== 13) continue;
    const algorithmsAt = at + 4 + 1 + (handshake[at + 4] ?? 0);
    return { authoritiesBytes: handshake.readUInt16BE(algorithmsAt + 2 + handshake.readUInt16BE(algorithmsAt)) };
  }
  return undefined;
}

test("the server asks for a certificate and names no authorities", async (context) => {
  const { started } = await openWorld(context);
  const raw = connectTcp(portOf(started.addresses.mqtts), "127.0.0.1");
  context.after(() => raw.destroy());
  const received: Buffer[] = [];
  const tapped = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => void raw.write(chunk, () => done()),
  });
  raw.on("data", (chunk) => {
    received.push(chunk);
    tapped.push(chunk);
  });
  raw.on("error", () => undefined);
  const socket = connectTls({ socket: tapped, ca: started.caPem, servername: "localhost", maxVersion: "TLSv1.2" });
  socket.on("error", () => undefined);
  // Without a certificate it ends here.
  await new Promise((resolve) => raw.once("close", resolve));
  assert.deepEqual(readCertificateRequest(Buffer.concat(received)), { authoritiesBytes: 0 });
});

interface Custom {
  clock?: { unixMs(): number };
  options?: Partial<CloudOptions>;
}

/** A cloud on Node's adapters without REST, whose clock and limits a test sets. */
async function openCustom(context: TestContext, { clock, options }: Custom) {
  const folder = await mkdtemp(join(tmpdir(), "thingline-gateway-"));
  const log = new RecordingLog();
  const nodeClock = createNodeClock();
  const cloud = await createCloud(
    {
      network: createNodeNetwork(),
      clock: { ...nodeClock, ...clock },
      random: createNodeRandom(),
      files: createNodeFiles(),
      keys: createNodeKeys(),
      store: createMemoryStore(),
      log,
    },
    {
      folder,
      mqtts: { host: "localhost", port: 0, optionName: "mqttsPort" },
      https: { host: "localhost", port: 0, optionName: "httpsPort" },
      ...options,
    },
  );
  context.after(async () => {
    await cloud.close();
    await rm(folder, { recursive: true });
  });
  return { cloud, log };
}

test("an expired certificate is refused by the clock of the cloud, and the log says when it expired", async (context) => {
  let offsetMs = 0;
  const nodeClock = createNodeClock();
  const { cloud, log } = await openCustom(context, { clock: { unixMs: () => nodeClock.unixMs() + offsetMs } });
  const { certificatePem, keyPair } = await cloud.run(cloud.registry.createKeysAndCertificate, { setAsActive: true });
  offsetMs = Date.UTC(2050, 0, 1) - nodeClock.unixMs();
  const client = mqtt.connect({
    protocol: "mqtts",
    host: "localhost",
    port: cloud.addresses.mqtts.port,
    ca: cloud.caPem,
    cert: certificatePem,
    key: keyPair.PrivateKey,
    reconnectPeriod: 0,
  });
  client.on("error", () => undefined);
  context.after(() => client.end(true));
  await nextEvent(client, "close");
  const { facts } = await log.line(({ event }) => event === "connectionRefused");
  assert.equal(facts["reason"], "certificateExpired");
  assert.match(String(facts["explanation"]), /expired at 2049-12-31T23:59:59/);
});

test("a peer that does not finish its handshake is dropped and counted", async (context) => {
  const { cloud, log } = await openCustom(context, { options: { handshakeTimeoutMs: 100 } });
  const socket = connectTcp(cloud.addresses.mqtts.port, "127.0.0.1");
  context.after(() => socket.destroy());
  socket.on("error", () => undefined);
  await new Promise((resolve) => socket.once("close", resolve));
  await log.line(({ facts }) => facts["reason"] === "handshakeTimeout");
  assert.equal(cloud.stats().gateway.connectionsRefused.handshakeTimeout, 1);
});

test("more connections than allowed are refused and counted", async (context) => {
  const refusals: string[] = [];
  const { cloud, log } = await openCustom(context, {
    options: { connectionsMax: 1, onConnectionRefused: ({ reason }) => refusals.push(reason) },
  });
  const open = () => {
    const socket = connectTcp(cloud.addresses.mqtts.port, "127.0.0.1");
    socket.on("error", () => undefined);
    context.after(() => socket.destroy());
    return socket;
  };
  const first = open();
  await new Promise((resolve) => first.once("connect", resolve));
  open();
  await log.line(({ facts }) => facts["reason"] === "connectionLimit");
  assert.deepEqual(refusals, ["connectionLimit"]);
});

test("connectionsMax counts the connections of the other ports, too", async (context) => {
  const plain = { host: "localhost", port: 0, optionName: "mqttPort" };
  const { cloud, log } = await openCustom(context, { options: { connectionsMax: 1, mqtt: plain } });
  const { mqtt: plainAddress, https } = cloud.addresses;
  assert.ok(plainAddress);
  const first = connectTcp(plainAddress.port, "127.0.0.1");
  context.after(() => first.destroy());
  await new Promise((resolve) => first.once("connect", resolve));
  const options = { port: https.port, host: "127.0.0.1", rejectUnauthorized: false, ALPNProtocols: ["x-amzn-mqtt-ca"] };
  const second = connectTls(options);
  context.after(() => second.destroy());
  second.on("error", () => undefined);
  const { facts } = await log.line(({ event }) => event === "connectionRefused");
  assert.equal(facts["reason"], "connectionLimit");
  assert.match(String(facts["explanation"]), /all listeners together/);
  assert.equal(cloud.stats().gateway.connectionsRefused.connectionLimit, 1);
});
