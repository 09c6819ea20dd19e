import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { ThinglineError } from "@thingline/protocol";
import { SlabPool, StreamConnection, type Connection, type ListenOptions, type Network } from "@thingline/transport";
import { makeTestCertificate } from "@thingline/transport/contract";
import { createVirtualClock, createVirtualKeys, createVirtualRandom } from "@thingline/transport/virtual";
import type { ConnectionIdentity } from "../policy/authorizer.js";
import { connectionsTotalMax, openGateway, type PrincipalDirectory } from "./gateway.js";

const keys = createVirtualKeys({ random: createVirtualRandom(1) });
const { certificateDer } = await makeTestCertificate(keys, { commonName: "device" });

const handshake = {
  protocol: "TLSv1.3",
  cipher: "TLS_AES_256_GCM_SHA384",
  serverName: "localhost",
  alpnProtocol: undefined,
  isResumed: false,
} as const;

/** A gateway whose listeners are in the hands of the test. */
async function openWorld(principals: Partial<PrincipalDirectory> = {}, options: { connectionsMax?: number } = {}) {
  const listeners: {
    options: ListenOptions;
    onConnection: (connection: Connection) => void;
    isClosed: boolean;
    connectionCount: number;
  }[] = [];
  const network = {
    async listen(options: ListenOptions, onConnection: (connection: Connection) => void) {
      const { host, port } = options;
      const close = async () => void (listener.isClosed = true);
      const listener = { options, onConnection, isClosed: false, connectionCount: 0, address: { host, port }, close };
      listeners.push(listener);
      return listener;
    },
  } as unknown as Network;
  const accepted: ConnectionIdentity[] = [];
  const lines: Readonly<Record<string, unknown>>[] = [];
  const write = (_event: string, facts = {}) => void lines.push(facts);
  const address = (port: number) => ({ host: "10.0.0.1", port, optionName: "port" });
  const clock = createVirtualClock();
  const gateway = await openGateway({
    network,
    clock,
    log: { debug: write, info: write, warn: write, error: write },
    fingerprint: () => "ab".repeat(32),
    principals: {
      findStatus: async () => "ACTIVE",
      findElsewhere: async () => undefined,
      authorizeConnect: () => Promise.reject(new Error("not asked")),
      authorizeOther: () => Promise.reject(new Error("not asked")),
      ...principals,
    },
    accept: (_connection, identity) => void accepted.push(identity),
    server: { certificate: "certificate", privateKey: "key" },
    upgradeFault: () => undefined,
    mqtts: address(8883),
    https: address(8443),
    mqtt: address(1883),
    ...options,
  });
  const arrive = async (port: number) => {
    const state = { isDestroyed: false };
    const secure = port === 1883 ? undefined : { ...handshake, peerCertificate: certificateDer };
    const listener = listeners.find(({ options }) => options.port === port);
    assert.ok(listener);
    const destroy = () => {
      if (!state.isDestroyed) listener.connectionCount--;
      state.isDestroyed = true;
    };
    const local = { host: "localhost", port };
    const remote = { host: "10.0.0.2", port: 50_000 };
    const connection = new StreamConnection({ clock, pool: new SlabPool(), secure, local, remote });
    connection.destroy = destroy;
    listener.connectionCount++;
    listener.onConnection(connection);
    await setImmediate();
    return Object.assign(state, { destroy });
  };
  return { gateway, listeners, accepted, lines, arrive };
}

test("a known certificate becomes an identity, before any MQTT", async () => {
  const { accepted, arrive, gateway } = await openWorld();
  assert.equal((await arrive(8883)).isDestroyed, false);
  assert.equal((await arrive(8443)).isDestroyed, false);
  assert.deepEqual(
    accepted.map(({ certificateId }) => certificateId),
    ["ab".repeat(32), "ab".repeat(32)],
  );
  assert.equal(gateway.stats().connectionsAccepted, 2);
});

test("the plain port is anonymous and allows everything", async () => {
  const { accepted, arrive } = await openWorld();
  await arrive(1883);
  const [identity] = accepted;
  assert.equal(identity?.certificateId, undefined);
  const request = { clientId: "a", wantsPersistentSession: true, will: { topic: "t", isRetained: true } };
  const answer = await identity?.authorizeConnect(request);
  assert.equal(answer?.decision.isAllowed, true);
  assert.equal(answer?.authorizer.authorize("iot:Publish", "topic/x").isAllowed, true);
});

test("listeners ask for client certificates, and only the HTTPS port speaks WebSocket", async () => {
  const { listeners } = await openWorld();
  const [mqtts, https, mqtt] = listeners.map(({ options }) => options);
  assert.equal(mqtts?.tls?.requestsClientCertificate, true);
  assert.deepEqual(mqtts?.tls?.alpnProtocols, ["x-amzn-mqtt-ca", "mqtt"]);
  assert.equal(mqtts?.webSocket, undefined);
  assert.equal(https?.tls?.requestsClientCertificate, true);
  assert.equal(https?.webSocket?.path, "/mqtt");
  assert.equal(typeof https.webSocket.faultOf, "function");
  assert.deepEqual(https?.rawAlpnProtocols, ["x-amzn-mqtt-ca", "mqtt"]);
  assert.equal(mqtt?.tls, undefined);
});

test("connectionsMax holds for all listeners together, and what has gone makes room", async () => {
  assert.equal(connectionsTotalMax, 100_000);
  const { accepted, arrive, gateway, lines } = await openWorld({}, { connectionsMax: 2 });
  const first = await arrive(8883);
  assert.equal((await arrive(1883)).isDestroyed, false);
  for (const port of [8443, 1883, 8883]) assert.equal((await arrive(port)).isDestroyed, true, `port ${port}`);
  assert.equal(accepted.length, 2);
  assert.equal(gateway.stats().connectionsRefused.connectionLimit, 3);
  assert.equal(gateway.stats().connectionsOpen, 2);
  assert.deepEqual(
    lines.map(({ reason, explanation }) => `${String(reason)}: ${String(explanation)}`),
    Array(3).fill("connectionLimit: 2 connections are open already, those of all listeners together"),
  );
  first.destroy();
  assert.equal((await arrive(8443)).isDestroyed, false);
});

test("when the registry cannot be asked, nobody gets in", async () => {
  const { accepted, arrive, gateway, lines } = await openWorld({
    findStatus: () => Promise.reject(new Error("disk on fire")),
  });
  assert.equal((await arrive(8883)).isDestroyed, true);
  assert.equal(accepted.length, 0);
  assert.equal(gateway.stats().connectionsRefused.registryFailed, 1);
  assert.match(String(lines[0]?.["explanation"]), /disk on fire/);
});

test("after stop() whoever comes is dropped, one whose certificate is being looked up too", async () => {
  let answer: (status: string) => void = () => undefined;
  const { accepted, arrive, gateway, listeners } = await openWorld({
    findStatus: () => new Promise((resolve) => (answer = resolve)),
  });
  const waiting = await arrive(8883);
  gateway.stop();
  answer("ACTIVE");
  await setImmediate();
  assert.equal(waiting.isDestroyed, true);
  assert.equal((await arrive(1883)).isDestroyed, true);
  assert.equal((await arrive(8883)).isDestroyed, true);
  assert.equal(accepted.length, 0);
  await gateway.close();
  assert.ok(listeners.every(({ isClosed }) => isClosed));
});

const failures: [error: ThinglineError, reason: string][] = [
  [new ThinglineError("TIMEOUT", "the TLS handshake took too long"), "handshakeTimeout"],
  [new ThinglineError("LIMIT_EXCEEDED", "full"), "connectionLimit"],
  [new ThinglineError("CONNECTION_REFUSED", "no upgrade"), "upgradeRefused"],
  [new ThinglineError("TLS_HANDSHAKE_FAILED", "alert unknown_ca"), "handshakeFailed"],
  [new ThinglineError("CONNECTION_LOST", "reset"), "handshakeFailed"],
];
for (const [error, reason] of failures) {
  test(`a peer that failed with ${error.code} is counted as ${reason}`, async () => {
    const { gateway, lines, listeners } = await openWorld();
    listeners[0]?.options.onRefused?.(error, { host: "10.0.0.2", port: 1 });
    const counters: Readonly<Record<string, number>> = gateway.stats().connectionsRefused;
    assert.equal(counters[reason], 1);
    assert.deepEqual(lines, [{ reason, explanation: error.message, remote: "10.0.0.2:1" }]);
  });
}

test("of a client that does not trust the server the log says what to do", async () => {
  const { lines, listeners } = await openWorld();
  const error = new ThinglineError("TLS_HANDSHAKE_FAILED", "alert unknown_ca", { details: { alert: "unknown_ca" } });
  listeners[0]?.options.onRefused?.(error, { host: "10.0.0.2", port: 1 });
  assert.match(String(lines[0]?.["explanation"]), /give it the CA file of this cloud/);
});
