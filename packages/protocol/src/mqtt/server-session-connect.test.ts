import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConnectPacket } from "./packets.js";
import { connackProperties, negotiateConnect, type ServerConnectLimits } from "./server-session-connect.js";

const limits: ServerConnectLimits = {
  clientIdBytesMax: 128,
  keepAliveSecondsMin: 30,
  keepAliveSecondsMax: 1_200,
  sessionExpirySecondsMax: 3_600,
  inboundInflightMax: 100,
  outboundInflightMax: 100,
  packetBytesMax: 149_504,
  clientPacketBytesMin: 512,
  topicAliasMax: 8,
};

function connect(fields: Partial<ConnectPacket>): ConnectPacket {
  return { type: "connect", version: 4, clientId: "c", isCleanStart: true, keepAliveSeconds: 60, ...fields };
}

function termsOf(fields: Partial<ConnectPacket>) {
  const negotiation = negotiateConnect(connect(fields), limits);
  assert.ok("terms" in negotiation);
  return negotiation.terms;
}

function returnCodeOf(fields: Partial<ConnectPacket>): number | "closed" {
  const negotiation = negotiateConnect(connect(fields), limits);
  assert.ok("refusal" in negotiation);
  return negotiation.refusal.returnCode ?? "closed";
}

test("3.1.1 sessions last an hour, unless they are clean", () => {
  assert.equal(termsOf({ isCleanStart: true }).sessionExpirySeconds, 0);
  assert.equal(termsOf({ isCleanStart: false }).sessionExpirySeconds, 3_600);
});

test("MQTT 5 sessions last as long as asked, an hour at most, and without asking not at all", () => {
  const expiryOf = (sessionExpirySeconds?: number): number =>
    termsOf({
      version: 5,
      isCleanStart: false,
      ...(sessionExpirySeconds === undefined ? {} : { properties: { sessionExpirySeconds } }),
    }).sessionExpirySeconds;
  assert.deepEqual([expiryOf(), expiryOf(0), expiryOf(60), expiryOf(0xffffffff)], [0, 0, 60, 3_600]);
});

test("the client's Receive Maximum narrows the window, and never widens it", () => {
  const windowOf = (receiveMaximum: number): number =>
    termsOf({ version: 5, properties: { receiveMaximum } }).outboundWindowMax;
  assert.deepEqual([windowOf(10), windowOf(1_000), termsOf({}).outboundWindowMax], [10, 100, 100]);
});

const will = { topic: "w", payload: new Uint8Array(), qos: 2, isRetained: false } as const;
const refusals: [name: string, fields: Partial<ConnectPacket>, v4: number | "closed", v5: number | "closed"][] = [
  ["129 bytes of client id", { clientId: "x".repeat(129) }, 2, 0x85],
  ["43 euro signs of client id", { clientId: "€".repeat(43) }, 2, 0x85],
  ["a client id with $", { clientId: "$GEN/1" }, 2, 0x85],
  ["a will of QoS 2", { will }, "closed", 0x9b],
];
for (const [name, fields, v4, v5] of refusals) {
  test(`${name} is refused`, () => {
    assert.equal(returnCodeOf({ ...fields, version: 4 }), v4);
    assert.equal(returnCodeOf({ ...fields, version: 5 }), v5);
  });
}

test("128 bytes of client id are accepted", () => {
  assert.equal(termsOf({ clientId: "x".repeat(128) }).clientId.length, 128);
});

test("an empty client id is for clean sessions only in 3.1.1", () => {
  assert.equal(returnCodeOf({ clientId: "", isCleanStart: false }), 2);
  assert.equal(termsOf({ clientId: "" }).clientId, "");
  assert.equal(termsOf({ version: 5, clientId: "", isCleanStart: false }).clientId, "");
});

test("enhanced authentication and tiny packets are refused", () => {
  assert.equal(returnCodeOf({ version: 5, properties: { authenticationMethod: "SCRAM" } }), 0x8c);
  assert.equal(returnCodeOf({ version: 5, properties: { maximumPacketBytes: 511 } }), 0x80);
  assert.equal(termsOf({ version: 5, properties: { maximumPacketBytes: 512 } }).clientPacketBytesMax, 512);
});

test("CONNACK tells what AWS tells", () => {
  const terms = termsOf({ version: 5, properties: { sessionExpirySeconds: 60 } });
  assert.deepEqual(connackProperties(terms, limits, "$GEN/1"), {
    sessionExpirySeconds: 60,
    receiveMaximum: 100,
    maximumQos: 1,
    retainAvailable: 1,
    maximumPacketBytes: 149_504,
    assignedClientId: "$GEN/1",
    topicAliasMaximum: 8,
    wildcardSubscriptionAvailable: 1,
    subscriptionIdentifiersAvailable: 0,
    sharedSubscriptionAvailable: 1,
    serverKeepAliveSeconds: 60,
  });
});
