import assert from "node:assert/strict";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connectDevice, createDevice } from "@thingline/device";
import { createLinkControl, createModemCredentialStore, openModemSession } from "@thingline/modem";
import type { SimulatedModemOptions } from "@thingline/modem/simulator";
import { createSimulatedModem } from "@thingline/modem/simulator";
import type { ThinglineError } from "@thingline/protocol";
import { isThinglineError } from "@thingline/protocol";
import { encodeToBytes, type MqttPacket, PacketDecoder } from "@thingline/protocol/mqtt";
import type { Connection, Listener } from "@thingline/transport";
import { makeTestCertificates } from "@thingline/transport/contract";
import {
  createNodeClock,
  createNodeFiles,
  createNodeKeys,
  createNodeNetwork,
  createNodeRandom,
} from "@thingline/transport/node";

const keys = createNodeKeys();
const clock = createNodeClock();
const network = createNodeNetwork();
// RSA, as AWS IoT hands out.
const certificates = await makeTestCertificates(keys, "rsa-2048");
const claimTag = 43;

/** A TLS server, a registered modem with credentials under {@link claimTag}, and what closes both. */
async function openWorld(options: Partial<SimulatedModemOptions> = {}) {
  const accepted: Connection[] = [];
  let onAccepted: (connection: Connection) => void = () => undefined;
  const listener: Listener = await network.listen(
    {
      host: "127.0.0.1",
      port: 0,
      tls: {
        certificate: certificates.server.certificatePem,
        privateKey: certificates.server.privateKeyPem,
        requestsClientCertificate: true,
      },
    },
    (connection) => {
      accepted.push(connection);
      onAccepted(connection);
    },
  );
  const modem = await createSimulatedModem({
    network,
    clock,
    random: createNodeRandom(),
    keys,
    lte: { searchMs: 1, attachMs: 1, detachMs: 1 },
    ...options,
  });
  const session = openModemSession(modem.openPort(), { clock });
  const credentials = createModemCredentialStore(session, { keys });
  const link = createLinkControl(session, { clock });
  await credentials.write(claimTag, "ca", certificates.ca.certificatePem);
  await credentials.write(claimTag, "certificate", certificates.client.certificatePem);
  await credentials.write(claimTag, "privateKey", certificates.client.privateKeyPem);
  await link.connect();
  const target = { host: "localhost", port: listener.address.port, secTag: claimTag, family: 4 as const };
  const connect = async (handshake: "full" | "resume" = "full") => {
    const server = new Promise<Connection>((resolve) => (onAccepted = resolve));
    const client = await modem.secTagDialer.dial({ ...target, handshake });
    return { client: watch(client), server: watch(await server) };
  };
  return {
    modem,
    credentials,
    link,
    target,
    connect,
    onConnection: (handler: (connection: Connection) => void) => void (onAccepted = handler),
    async close() {
      link.close();
      await session.close();
      await modem.close();
      await listener.close();
    },
  };
}

/** Counts what a connection received and waits for its end. */
function watch(connection: Connection) {
  const chunkBytes: number[] = [];
  let receivedBytes = 0;
  let waiting: { bytes: number; resolve: () => void } | undefined;
  const ended = new Promise<ThinglineError | undefined>((resolve) => {
    connection.start({
      data: (bytes) => {
        chunkBytes.push(bytes.length);
        receivedBytes += bytes.length;
        if (waiting !== undefined && receivedBytes >= waiting.bytes) waiting.resolve();
      },
      closed: resolve,
    });
  });
  const received = (bytes: number) =>
    new Promise<void>((resolve) => {
      waiting = { bytes, resolve };
      if (receivedBytes >= bytes) resolve();
    });
  return { connection, chunkBytes, ended, received };
}

test("a modem does mutual TLS 1.2 with the credentials of a security tag", async () => {
  const world = await openWorld();
  const { client, server } = await world.connect();
  assert.equal(client.connection.secure?.protocol, "TLSv1.2");
  assert.match(client.connection.secure.cipher, /^TLS_ECDHE_RSA_WITH_AES_(128|256)_/);
  assert.deepEqual(server.connection.secure?.peerCertificate, certificates.client.certificateDer);
  assert.equal(server.connection.secure.serverName, "localhost");
  await client.connection.close();
  assert.equal(await server.ended, undefined);
  await world.close();
});

test("a message of 4.5 KB in one record kills the modem's socket", async () => {
  const world = await openWorld();
  const { client, server } = await world.connect();
  server.connection.write(new Uint8Array(4500));
  const error = await client.ended;
  assert.ok(isThinglineError(error, "TLS_RECORD_TOO_LARGE"), String(error));
  assert.deepEqual(client.chunkBytes, []);
  await server.ended;
  await world.close();
});

test("a key and a certificate that are sent in one turn pass as two records", async () => {
  const world = await openWorld();
  const { client, server } = await world.connect();
  // About what the sample publishes: an RSA key and a certificate, each with its MQTT header; joined, 3,030 bytes.
  server.connection.write(new Uint8Array(40), new Uint8Array(1675));
  server.connection.write(new Uint8Array(41), new Uint8Array(1274));
  await client.received(3030);
  assert.deepEqual(client.chunkBytes, [1715, 1315]);
  await client.connection.close();
  await world.close();
});

test("a record of exactly 2,048 bytes passes, one byte more does not", async () => {
  const world = await openWorld();
  const first = await world.connect();
  first.server.connection.write(new Uint8Array(2048));
  await first.client.received(2048);
  await first.client.connection.close();
  const second = await world.connect();
  second.server.connection.write(new Uint8Array(2049));
  assert.ok(isThinglineError(await second.client.ended, "TLS_RECORD_TOO_LARGE"));
  await world.close();
});

test("TLS above the modem's plain socket takes 4.5 KB: native TLS", async () => {
  const world = await openWorld();
  const { host, port } = world.target;
  const { ca, client: own } = certificates;
  const tls = { ca: ca.certificatePem, certificate: own.certificatePem, privateKey: own.privateKeyPem };
  const { listener, server } = await listenOnce();
  const client = watch(await world.modem.dialer.dial({ host, port: listener.address.port, tls, family: 4 }));
  (await server).write(new Uint8Array(4500));
  await client.received(4500);
  await client.connection.close();
  await listener.close();
  assert.ok(port > 0);
  await world.close();
});

async function listenOnce() {
  let resolve: (connection: Connection) => void = () => undefined;
  const server = new Promise<Connection>((done) => (resolve = done));
  const { certificatePem: certificate, privateKeyPem: privateKey } = certificates.server;
  const tls = { certificate, privateKey, requestsClientCertificate: true };
  const listener = await network.listen({ host: "127.0.0.1", port: 0, tls }, (connection) => {
    watch(connection);
    resolve(connection);
  });
  return { listener, server };
}

test("a server that the tag's CA did not sign is not trusted, nor one with another name", async () => {
  const world = await openWorld();
  await world.link.offline();
  await world.credentials.write(claimTag, "ca", certificates.selfSigned.certificatePem);
  await world.link.connect();
  await assert.rejects(world.modem.secTagDialer.dial(world.target), (error) =>
    isThinglineError(error, "TLS_PEER_UNTRUSTED"),
  );
  await world.link.offline();
  await world.credentials.write(claimTag, "ca", certificates.ca.certificatePem);
  await world.link.connect();
  await assert.rejects(world.modem.secTagDialer.dial({ ...world.target, serverName: "another.example" }), (error) =>
    isThinglineError(error, "TLS_PEER_UNTRUSTED"),
  );
  await world.close();
});

test("going offline kills the socket on both sides", async () => {
  const world = await openWorld();
  const { client, server } = await world.connect();
  await world.link.offline();
  assert.ok(isThinglineError(await client.ended, "CONNECTION_LOST"));
  await server.ended;
  await assert.rejects(world.modem.secTagDialer.dial(world.target), (error) => isThinglineError(error, "LINK_FAILED"));
  await world.close();
});

test("a session is resumed on request; new credentials are proved by a full handshake", async () => {
  const world = await openWorld();
  const isResumed = async (handshake: "full" | "resume") => {
    const { client, server } = await world.connect(handshake);
    // The server's ticket comes with the handshake's end; a byte proves that it was read.
    server.connection.write(Uint8Array.of(1));
    await client.received(1);
    const resumed = [client.connection.secure?.isResumed, server.connection.secure?.isResumed];
    assert.equal(resumed[0], resumed[1]);
    await client.connection.close();
    await server.ended;
    return resumed[0];
  };
  assert.equal(await isResumed("full"), false);
  assert.equal(await isResumed("resume"), false);
  assert.equal(await isResumed("resume"), true);
  assert.equal(await isResumed("full"), false);
  await world.link.offline();
  await world.credentials.write(claimTag, "certificate", certificates.otherClient.certificatePem);
  await world.credentials.write(claimTag, "privateKey", certificates.otherClient.privateKeyPem);
  await world.link.connect();
  assert.equal(await isResumed("resume"), false);
  await world.close();
});

test("on a real disk the folder and its files are the owner's alone, and the modem starts again from them", async () => {
  const folder = await mkdtemp(join(tmpdir(), "thingline-modem-"));
  try {
    const place = { files: createNodeFiles(), folder: join(folder, "modem") };
    const first = await openWorld(place);
    const listed = await first.credentials.list();
    const { imei } = first.modem.identity;
    assert.equal(listed.length, 3);
    await first.close();
    const modeOf = async (path: string) => ((await stat(join(folder, path))).mode & 0o777).toString(8);
    assert.equal(await modeOf("modem"), "700");
    assert.equal(await modeOf("modem/credentials"), "700");
    assert.equal(await modeOf("modem/credentials/43-2.json"), "600");
    assert.equal(await modeOf("modem/identity.json"), "600");
    const again = await openWorld(place);
    assert.deepEqual(await again.credentials.list(), listed);
    assert.equal(again.modem.identity.imei, imei);
    await again.close();
  } finally {
    await rm(folder, { recursive: true });
  }
});

/** A server whose session for the device holds one message over 2 KB, until it is asked for a clean one. Events as they come. */
function serveMqtt(world: Awaited<ReturnType<typeof openWorld>>, version: 4 | 5) {
  const seen: string[] = [];
  let isPoisoned = true;
  world.onConnection((connection) => {
    const decoder = new PacketDecoder({ receiver: "server", packetBytesMax: 100_000 });
    const send = (packet: MqttPacket): void => void connection.write(encodeToBytes(packet, version));
    const answer = (packet: MqttPacket): void => {
      if (packet.type === "connect") {
        if (packet.isCleanStart) isPoisoned = false;
        seen.push(`connect ${packet.isCleanStart ? "clean" : "kept"} ${packet.properties?.maximumPacketBytes ?? ""}`);
        const isSessionPresent = isPoisoned;
        send({ type: "connack", isSessionPresent, reasonCode: 0 });
        const payload = new Uint8Array(3_000);
        const message = { topic: "in/a", payload, qos: 1, packetId: 1, isRetained: false, isDuplicate: false } as const;
        if (isPoisoned && version === 4) send({ type: "publish", ...message });
      }
      if (packet.type === "subscribe") send({ type: "suback", packetId: packet.packetId, reasonCodes: [1] });
      if (packet.type === "publish") send({ type: "puback", packetId: packet.packetId ?? 0, reasonCode: 0 });
      if (packet.type === "pingreq") send({ type: "pingresp" });
    };
    connection.start({
      data: (bytes) => {
        decoder.push(bytes);
        for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) answer(packet);
      },
      closed: () => undefined,
    });
  });
  return seen;
}

test("a device behind a modem gets rid of a session whose message never fits, and says so", async () => {
  const world = await openWorld();
  const seen = serveMqtt(world, 4);
  const given: string[] = [];
  const { host, port, secTag } = world.target;
  const device = createDevice({
    ...{ host, port, secTag, secTagDialer: world.modem.secTagDialer, clock, random: createNodeRandom(), family: 4 },
    clientId: "pump-7",
    applicationTopics: ["in/#"],
    // The application tries again at once, so that the test does not wait.
    reconnect: false,
    on: { recordTooLarge: ({ type, lengthBytes }) => void given.push(`${type} ${lengthBytes}`) },
  });
  for (let call = 0; call < 6; call++) {
    const ended = new Promise<void>((resolve) => device.on("disconnected", () => resolve()));
    const isReady = await device.connect().then(
      () => true,
      () => false,
    );
    // A resumed session is ready at once, and then the message comes.
    const answered = isReady
      ? device.publish("out/a", "x").then(
          () => true,
          () => false,
        )
      : false;
    const isAlive = await Promise.race([ended.then(() => false), answered]);
    if (isAlive && seen.length > 3) break;
    await ended;
  }
  assert.deepEqual(seen, ["connect kept ", "connect kept ", "connect kept ", "connect clean ", "connect kept "]);
  assert.deepEqual(given, ["sessionDiscarded 3011"]);
  assert.equal(device.state, "ready");
  await device.close();
  await world.close();
});

test("under MQTT 5 a device behind a modem announces what one record holds", async () => {
  const world = await openWorld();
  const seen = serveMqtt(world, 5);
  const { host, port, secTag } = world.target;
  const device = await connectDevice({
    ...{ host, port, secTag, secTagDialer: world.modem.secTagDialer, clock, random: createNodeRandom(), family: 4 },
    clientId: "pump-7",
    version: 5,
    reconnect: false,
  });
  assert.deepEqual(seen, ["connect kept 2048"]);
  await device.close();
  await world.close();
});
