import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isThinglineError, ThinglineError } from "../errors.js";
import { RecordedSession } from "./client-session.test.support.js";
import { controlPacketsMax } from "./client-session-types.js";
import type { ConnackPacket, ConnectPacket, MqttPacket, PublishPacket } from "./packets.js";

const payload = new Uint8Array(0);
const arrived: PublishPacket = { type: "publish", topic: "in", payload, qos: 0, isRetained: false, isDuplicate: false };

function closedCode(client: RecordedSession): string | undefined {
  return client.closed?.error?.code;
}

describe("connecting", () => {
  test("CONNECT of 3.1.1 carries what was asked for and no properties", () => {
    const will = { topic: "w", payload: new Uint8Array([1]), qos: 0, isRetained: true } as const;
    const client = new RecordedSession({ will, username: "u", password: new Uint8Array([2]), keepAliveSeconds: 1200 });
    client.session.connectionOpened(0);
    const connect = client.sent[0] as ConnectPacket;
    assert.equal(connect.type, "connect");
    assert.deepEqual(
      [connect.version, connect.clientId, connect.isCleanStart, connect.keepAliveSeconds, connect.username],
      [4, "c", false, 1200, "u"],
    );
    assert.deepEqual(connect.will, will);
    assert.equal(connect.properties, undefined);
  });

  test("CONNECT of MQTT 5 announces receive maximum, packet size and topic aliases", () => {
    const client = new RecordedSession({
      version: 5,
      receiveMaximum: 7,
      maximumPacketBytes: 2000,
      topicAliasMaximum: 3,
      properties: { sessionExpirySeconds: 60 },
    });
    client.session.connectionOpened(0);
    assert.deepEqual((client.sent[0] as ConnectPacket).properties, {
      sessionExpirySeconds: 60,
      receiveMaximum: 7,
      maximumPacketBytes: 2000,
      topicAliasMaximum: 3,
    });
  });

  test("nothing is sent before CONNACK", () => {
    const client = new RecordedSession();
    client.session.connectionOpened(0);
    client.take();
    client.publish("t");
    assert.throws(
      () => client.subscribe("a"),
      (error) => isThinglineError(error, "CONNECTION_LOST"),
    );
    assert.deepEqual(client.take(), []);
    client.receive({ type: "connack", isSessionPresent: false, reasonCode: 0 });
    assert.deepEqual(client.take(), ["publish 1 t"]);
  });

  test("no CONNACK within connackTimeoutMs ends the connection with TIMEOUT, and not earlier", () => {
    const client = new RecordedSession({ connackTimeoutMs: 500 });
    client.session.connectionOpened(0);
    client.pass(499);
    assert.equal(client.closed, undefined);
    client.pass(1);
    assert.equal(closedCode(client), "TIMEOUT");
    assert.equal(client.session.wakeAtMs, Infinity);
  });

  for (const version of [4, 5] as const) {
    for (const reasonCode of version === 4 ? [1, 2, 3, 4, 5, 6, 255] : [0x80, 0x85, 0x86, 0x87, 0x90, 0x97, 0x9b]) {
      test(`CONNACK ${reasonCode} of version ${version} ends the attempt and says what it means`, () => {
        const client = new RecordedSession({ version });
        client.connect({ reasonCode });
        assert.equal(closedCode(client), "MQTT_CONNECT_REFUSED");
        assert.equal(client.closed?.error?.details["reasonCode"], reasonCode);
        assert.match(client.closed?.error?.message ?? "", /refused the connection: [a-zQ]/);
        assert.equal(client.terms, undefined);
        assert.deepEqual(client.take(), []);
      });
    }
  }

  test("a session present after a clean start is a protocol error", () => {
    const client = new RecordedSession({ isCleanSession: true }).connect({ isSessionPresent: true });
    assert.equal(closedCode(client), "MQTT_PROTOCOL_ERROR");
  });

  test("the terms are CONNACK's, with the defaults of MQTT", () => {
    const bare = new RecordedSession({ version: 5, inflightMax: 20 }).connect();
    assert.deepEqual(
      { ...bare.terms, properties: undefined },
      {
        isSessionPresent: false,
        keepAliveSeconds: 60,
        inflightMax: 20,
        maximumPacketBytes: Infinity,
        maximumQos: 2,
        isRetainAvailable: true,
        clientId: "c",
        properties: undefined,
      },
    );
    const properties: ConnackPacket["properties"] = {
      serverKeepAliveSeconds: 30,
      receiveMaximum: 5,
      maximumPacketBytes: 100,
      maximumQos: 1,
      retainAvailable: 0,
      assignedClientId: "given",
    };
    const told = new RecordedSession({ version: 5 }).connect({ properties });
    assert.deepEqual(
      { ...told.terms, properties: undefined },
      {
        isSessionPresent: false,
        keepAliveSeconds: 30,
        inflightMax: 5,
        maximumPacketBytes: 100,
        maximumQos: 1,
        isRetainAvailable: false,
        clientId: "given",
        properties: undefined,
      },
    );
  });
});

describe("protocol violations", () => {
  const connack: MqttPacket = { type: "connack", isSessionPresent: false, reasonCode: 0 };
  const publish2: MqttPacket = { ...arrived, qos: 2, packetId: 1 };
  const cases: [name: string, packet: MqttPacket][] = [
    ["a second CONNACK", connack],
    ["PUBREC", { type: "pubrec", packetId: 1, reasonCode: 0 }],
    ["PUBREL", { type: "pubrel", packetId: 1, reasonCode: 0 }],
    ["PUBCOMP", { type: "pubcomp", packetId: 1, reasonCode: 0 }],
    ["a QoS 2 PUBLISH", publish2],
    ["AUTH", { type: "auth", reasonCode: 0 }],
    ["CONNECT", { type: "connect", version: 4, clientId: "x", isCleanStart: true, keepAliveSeconds: 1 }],
    ["SUBSCRIBE", { type: "subscribe", packetId: 1, subscriptions: [{ filter: "a", qos: 0 }] }],
    ["UNSUBSCRIBE", { type: "unsubscribe", packetId: 1, filters: ["a"] }],
    ["PINGREQ", { type: "pingreq" }],
  ];
  for (const [name, packet] of cases) {
    test(`${name} ends a 3.1.1 connection without a word`, () => {
      const client = new RecordedSession().connect();
      client.receive(packet);
      assert.equal(closedCode(client), "MQTT_PROTOCOL_ERROR");
      assert.deepEqual(client.take(), []);
      assert.deepEqual(client.messages, []);
    });
    test(`${name} ends an MQTT 5 connection with its reason`, () => {
      const client = new RecordedSession({ version: 5 }).connect();
      client.receive(packet);
      assert.equal(closedCode(client), "MQTT_PROTOCOL_ERROR");
      assert.deepEqual(client.take(), [packet === publish2 ? "disconnect 155" : "disconnect 130"]);
    });
  }

  for (const packet of [arrived, { type: "pingresp" }, { type: "puback", packetId: 1, reasonCode: 0 }] as const) {
    test(`${packet.type} before CONNACK ends the connection, without DISCONNECT`, () => {
      const client = new RecordedSession({ version: 5 });
      client.session.connectionOpened(0);
      client.take();
      client.receive(packet);
      assert.equal(closedCode(client), "MQTT_PROTOCOL_ERROR");
      assert.deepEqual(client.take(), []);
    });
  }

  test("a 3.1.1 server's DISCONNECT is a protocol error, an MQTT 5 server's tells its reason", () => {
    const old = new RecordedSession().connect().receive({ type: "disconnect", reasonCode: 0 });
    assert.equal(closedCode(old), "MQTT_PROTOCOL_ERROR");
    const properties = { reasonString: "bye" };
    const client = new RecordedSession({ version: 5 }).connect();
    client.receive({ type: "disconnect", reasonCode: 0x8e, properties });
    assert.equal(closedCode(client), "MQTT_DISCONNECTED");
    assert.match(client.closed?.error?.message ?? "", /session taken over \(0x8e\): bye/);
    assert.deepEqual(client.take(), []);
  });

  test("acknowledgements that nothing waits for are reported and survived", () => {
    const client = new RecordedSession().connect();
    client.publish();
    client.puback(1, 1, 99);
    client.receive({ type: "suback", packetId: 7, reasonCodes: [0] });
    client.receive({ type: "unsuback", packetId: 8, reasonCodes: [] }, { type: "pingresp" });
    assert.equal(client.warnings.length, 5);
    assert.equal(client.closed, undefined);
    assert.equal(client.session.inFlightCount, 0);
  });

  const crossed: [name: string, packet: MqttPacket][] = [
    ["PUBACK for a SUBSCRIBE", { type: "puback", packetId: 2, reasonCode: 0 }],
    ["SUBACK for a PUBLISH", { type: "suback", packetId: 1, reasonCodes: [0] }],
    ["SUBACK with a code too many", { type: "suback", packetId: 2, reasonCodes: [0, 0] }],
    ["SUBACK for an UNSUBSCRIBE", { type: "suback", packetId: 3, reasonCodes: [0] }],
    ["UNSUBACK for a SUBSCRIBE", { type: "unsuback", packetId: 2, reasonCodes: [0] }],
    ["UNSUBACK of MQTT 5 with a code missing", { type: "unsuback", packetId: 3, reasonCodes: [] }],
  ];
  for (const [name, packet] of crossed) {
    test(`${name} is a protocol error`, () => {
      const client = new RecordedSession({ version: 5 }).connect();
      client.publish();
      client.subscribe("a");
      client.unsubscribe("b");
      client.receive(packet);
      assert.equal(closedCode(client), "MQTT_PROTOCOL_ERROR");
    });
  }

  test("after the end nothing is taken any more", () => {
    const client = new RecordedSession().connect();
    client.session.disconnect(0);
    client.take();
    client.message(1).puback(1);
    assert.deepEqual([client.messages, client.warnings, client.take()], [[], [], []]);
  });
});

describe("publishing", () => {
  test("QoS 0 is sent at once and settles nothing", () => {
    const client = new RecordedSession().connect();
    client.publish("t", { qos: 0 });
    assert.deepEqual(client.take(), ["publish0 t"]);
    assert.equal(client.session.pendingCount, 0);
  });

  test("QoS 0 without a connection is refused, QoS 1 waits for one", () => {
    const client = new RecordedSession();
    assert.throws(
      () => client.publish("t", { qos: 0 }),
      (error) => isThinglineError(error, "CONNECTION_LOST"),
    );
    const owner = client.publish("t");
    client.connect();
    assert.deepEqual(client.take(), ["publish 1 t"]);
    client.puback(1);
    assert.deepEqual([...client.settled], [[owner, undefined]]);
    assert.deepEqual(client.pubacks, [1]);
  });

  test("the window of the server is never exceeded, and everything keeps its order behind it", () => {
    const client = new RecordedSession({ version: 5 }).connect({ properties: { receiveMaximum: 2 } });
    for (const topic of ["a", "b", "c", "d"]) client.publish(topic);
    client.publish("e", { qos: 0 });
    assert.deepEqual(client.take(), ["publish 1 a", "publish 2 b"]);
    assert.equal(client.session.waitingCount, 3);
    client.puback(2);
    assert.deepEqual(client.take(), ["publish 3 c"]);
    client.puback(1);
    assert.deepEqual(client.take(), ["publish 4 d", "publish0 e"]);
    assert.equal(client.session.waitingCount, 0);
  });

  test("a refused message is settled with the reason and its place is free again", () => {
    const client = new RecordedSession({ version: 5 }).connect({ properties: { receiveMaximum: 1 } });
    const owner = client.publish("t");
    client.publish("u");
    client.receive({ type: "puback", packetId: 1, reasonCode: 0x87, properties: { reasonString: "no" } });
    const error = client.settled.get(owner);
    assert.equal(error?.code, "MQTT_PUBLISH_REFUSED");
    assert.match(error?.message ?? "", /"t": not authorized \(0x87\): no/);
    assert.deepEqual(client.take(), ["publish 1 t", "publish 2 u"]);
  });

  test("PUBACK 0x10 is a success: nobody subscribed", () => {
    const client = new RecordedSession({ version: 5 }).connect();
    const owner = client.publish();
    client.receive({ type: "puback", packetId: 1, reasonCode: 0x10 });
    assert.deepEqual([...client.settled], [[owner, undefined]]);
  });

  test("controlPacketsMax SUBSCRIBEs wait for their answers, and one more is refused", () => {
    const client = new RecordedSession().connect();
    for (let count = 0; count < controlPacketsMax; count++) client.subscribe(`f/${count}`);
    assert.throws(
      () => client.subscribe("one/more"),
      (error) => isThinglineError(error, "LIMIT_EXCEEDED"),
    );
    client.receive({ type: "suback", packetId: 1, reasonCodes: [0] });
    client.subscribe("one/more");
  });

  test("the queue is bounded in messages and in bytes", () => {
    const client = new RecordedSession({ inflightMax: 1, queueMax: 2, queueBytesMax: 100 }).connect();
    const isFull = (error: unknown): boolean => isThinglineError(error, "LIMIT_EXCEEDED");
    client.publish("sent");
    client.publish("a", { payloadBytes: 60 });
    assert.throws(() => client.publish("b", { payloadBytes: 41 }), isFull);
    client.publish("b", { payloadBytes: 40 });
    assert.throws(() => client.publish("c", { payloadBytes: 0 }), isFull);
    client.puback(1, 2);
    client.publish("c", { payloadBytes: 100 });
  });

  test("what the server announced that it cannot take is refused before it is sent", () => {
    const properties = { maximumQos: 0, retainAvailable: 0, maximumPacketBytes: 20 } as const;
    const client = new RecordedSession({ version: 5 }).connect({ properties });
    const refusal = (code: "MQTT_UNSUPPORTED" | "MQTT_PACKET_TOO_LARGE") => (error: unknown) =>
      isThinglineError(error, code);
    assert.throws(() => client.publish("t", { qos: 1 }), refusal("MQTT_UNSUPPORTED"));
    assert.throws(() => client.publish("t", { qos: 0, isRetained: true }), refusal("MQTT_UNSUPPORTED"));
    assert.throws(() => client.publish("t", { qos: 0, payloadBytes: 15 }), refusal("MQTT_PACKET_TOO_LARGE"));
    assert.throws(() => client.subscribe("a/long/topic/filter"), refusal("MQTT_PACKET_TOO_LARGE"));
    assert.equal(client.session.pendingCount, 0);
    client.publish("t", { qos: 0, payloadBytes: 14 });
    client.subscribe("f");
    assert.deepEqual(client.take(), ["publish0 t", "subscribe 2 f"]);
  });

  test("what waited for a connection whose server cannot take it is settled with the reason", () => {
    const client = new RecordedSession({ version: 5 });
    const owner = client.publish("t");
    client.connect({ properties: { maximumQos: 0 } });
    assert.equal(client.settled.get(owner)?.code, "MQTT_UNSUPPORTED");
    assert.deepEqual(client.take(), []);
  });

  test("no PUBACK in time settles with TIMEOUT; the identifier stays in use until PUBACK comes", () => {
    const client = new RecordedSession({ inflightMax: 1, ackTimeoutMs: 1000 }).connect();
    const first = client.publish("a");
    client.pass(400);
    const second = client.publish("b");
    client.pass(599);
    assert.equal(client.settled.size, 0);
    client.pass(1);
    assert.equal(client.settled.get(first)?.code, "TIMEOUT");
    assert.equal(client.settled.has(second), false);
    client.pass(400);
    assert.match(client.settled.get(second)?.message ?? "", /chance to send it/);
    client.publish("c");
    assert.deepEqual(client.take(), ["publish 1 a"]);
    client.puback(1);
    assert.deepEqual(client.take(), ["publish 2 c"]);
    assert.equal(client.warnings.length, 0);
  });

  test("an abandoned message that waits is dropped, one in flight is only silent", () => {
    const client = new RecordedSession({ inflightMax: 1 }).connect();
    const session = client.session;
    const publishes = ["a", "b"].map((topic) => client.publish(topic));
    assert.deepEqual(publishes, [1, 2]);
    assert.equal(session.pendingCount, 2);
    client.session.discard(new ThinglineError("CLOSED", "over"));
    assert.equal(session.pendingCount, 0);
    assert.equal(client.settled.size, 2);
  });

  test("while the transport is full messages wait, and go on in order when it drains", () => {
    const client = new RecordedSession().connect();
    client.session.setWritable(false, 0);
    client.publish("a", { qos: 0 });
    client.publish("b");
    assert.deepEqual(client.take(), []);
    client.session.setWritable(true, 0);
    assert.deepEqual(client.take(), ["publish0 a", "publish 1 b"]);
    assert.deepEqual([...client.settled], [[1, undefined]]);
  });

  test("packet identifiers go round and skip those still in use", () => {
    const client = new RecordedSession({ inflightMax: 3 }).connect();
    client.publish("stuck");
    for (let sent = 0; sent < 70_000; sent++) {
      client.publish("t");
      const packet = client.sent.at(-1) as PublishPacket;
      const packetId = packet.packetId ?? 0;
      assert.ok(packetId >= 2 && packetId <= 65535);
      client.sent.length = 0;
      client.puback(packetId);
    }
    assert.equal(client.session.pendingCount, 1);
    assert.equal(client.warnings.length, 0);
  });
});

describe("subscribing", () => {
  test("answers find their requests, in any order and with refused filters", () => {
    const client = new RecordedSession().connect();
    const first = client.subscribe("a", "b");
    const second = client.subscribe("c");
    const third = client.unsubscribe("d");
    assert.deepEqual(client.take(), ["subscribe 1 a,b", "subscribe 2 c", "unsubscribe 3 d"]);
    client.receive(
      { type: "unsuback", packetId: 3, reasonCodes: [] },
      { type: "suback", packetId: 2, reasonCodes: [1] },
      { type: "suback", packetId: 1, reasonCodes: [1, 0x80] },
    );
    assert.deepEqual(
      [first, second, third].map((owner) => client.answers.get(owner)),
      [[1, 0x80], [1], []],
    );
  });

  test("no answer in time is TIMEOUT, a late one is taken without a word", () => {
    const client = new RecordedSession({ ackTimeoutMs: 1000 }).connect();
    const first = client.subscribe("a");
    client.pass(500);
    const second = client.unsubscribe("b");
    client.pass(500);
    const outcome = client.answers.get(first);
    assert.ok(outcome instanceof Error && outcome.message.includes("SUBACK"));
    assert.equal(client.answers.has(second), false);
    client.receive({ type: "suback", packetId: 1, reasonCodes: [1] });
    client.pass(500);
    assert.ok(client.answers.get(second) instanceof Error);
    assert.equal(client.answers.get(first), outcome);
    assert.equal(client.warnings.length, 0);
  });

  test("they end with the connection, and their identifiers are free again", () => {
    const client = new RecordedSession().connect();
    const owner = client.subscribe("a");
    client.session.connectionClosed(client.nowMs);
    assert.ok(isThinglineError(client.answers.get(owner), "CONNECTION_LOST"));
    client.connect({ isSessionPresent: true });
    assert.deepEqual(client.take(), []);
  });

  test("the number of unanswered ones is bounded", () => {
    const client = new RecordedSession().connect();
    for (let sent = 0; sent < 64; sent++) client.subscribe("a");
    assert.throws(
      () => client.subscribe("a"),
      (error) => isThinglineError(error, "LIMIT_EXCEEDED"),
    );
  });
});

describe("receiving", () => {
  test("a QoS 1 message is acknowledged when its handler is done", () => {
    const client = new RecordedSession().connect();
    client.message(5);
    assert.deepEqual(client.take(), ["puback 5"]);
    client.disposition = "pending";
    client.message(6);
    assert.deepEqual(client.take(), []);
    client.session.settle(6, client.messages[1]?.connectionNumber ?? 0, 0);
    assert.deepEqual(client.take(), ["puback 6"]);
  });

  test("beforeHandler acknowledges first", () => {
    const client = new RecordedSession({ acknowledges: "beforeHandler" }).connect();
    client.disposition = "pending";
    client.message(5);
    assert.deepEqual(client.take(), ["puback 5"]);
    assert.equal(client.messages.length, 1);
  });

  test("acknowledgements leave in the order of the messages [MQTT-4.6.0-2]", () => {
    const client = new RecordedSession().connect();
    client.disposition = "pending";
    client.message(1).message(2);
    client.disposition = "settled";
    client.message(3);
    client.session.settle(2, 1, 0);
    assert.deepEqual(client.take(), []);
    client.session.settle(1, 1, 0);
    assert.deepEqual(client.take(), ["puback 1", "puback 2", "puback 3"]);
  });

  test("QoS 0 is never acknowledged", () => {
    const client = new RecordedSession().connect();
    client.message(0, { qos: 0 });
    assert.equal(client.messages.length, 1);
    assert.deepEqual(client.take(), []);
  });

  test("a message repeated before its PUBACK is not delivered twice", () => {
    const client = new RecordedSession().connect();
    client.disposition = "pending";
    client.message(1).message(1);
    assert.equal(client.messages.length, 1);
    client.session.settle(1, 1, 0);
    assert.deepEqual(client.take(), ["puback 1"]);
    client.message(1);
    assert.equal(client.messages.length, 2);
  });

  test("a message of an older connection is not acknowledged on a newer one", () => {
    const client = new RecordedSession().connect();
    client.disposition = "pending";
    client.message(1);
    client.session.connectionClosed(client.nowMs);
    client.connect({ isSessionPresent: true });
    client.message(1);
    client.session.settle(1, 1, 0);
    assert.deepEqual(client.take(), []);
    client.session.settle(1, 2, 0);
    assert.deepEqual(client.take(), ["puback 1"]);
  });

  test("an MQTT 5 server that exceeds the receive maximum is told so", () => {
    const client = new RecordedSession({ version: 5, receiveMaximum: 2 }).connect();
    client.disposition = "pending";
    client.message(1).message(2).message(3);
    assert.equal(closedCode(client), "MQTT_PROTOCOL_ERROR");
    assert.deepEqual(client.take(), ["disconnect 147"]);
  });

  test("before a 3.1.1 server that runs ahead the client stops reading, and silence is no death meanwhile", () => {
    const client = new RecordedSession({ receiveMaximum: 2, keepAliveSeconds: 10 }).connect();
    client.disposition = "pending";
    client.message(1).message(2);
    assert.deepEqual(client.reading, []);
    client.message(3);
    assert.deepEqual(client.reading, [false]);
    client.pass(60_000);
    assert.equal(client.closed, undefined);
    assert.equal(client.take().filter((packet) => packet === "pingreq").length, 6);
    for (const packetId of [1, 2, 3]) client.session.settle(packetId, 1, client.nowMs);
    assert.deepEqual(client.reading, [false, true]);
    client.pass(15_000);
    assert.equal(closedCode(client), "CONNECTION_LOST");
  });

  test("topic aliases are resolved, replaced, bounded and forgotten with the connection", () => {
    const client = new RecordedSession({ version: 5, topicAliasMaximum: 2 }).connect();
    const aliased = (topic: string, topicAlias: number): PublishPacket => ({
      ...arrived,
      topic,
      properties: { topicAlias },
    });
    client.receive(aliased("a", 1), aliased("", 1), aliased("b", 1), aliased("", 1), aliased("c", 2));
    assert.deepEqual(
      client.messages.map(({ packet }) => packet.topic),
      ["a", "a", "b", "b", "c"],
    );
    client.receive(aliased("d", 3));
    assert.deepEqual(client.take(), ["disconnect 148"]);
    client.connect();
    client.receive(aliased("", 1));
    assert.deepEqual(client.take(), ["disconnect 130"]);
  });
});

describe("sending again on a live connection", () => {
  test("only with the option: after that long, with DUP, until PUBACK or the time-out", () => {
    const client = new RecordedSession({ resendAfterMs: 100, ackTimeoutMs: 350 }).connect();
    client.publish("a");
    client.pass(50);
    const second = client.publish("b");
    client.take();
    client.pass(50);
    assert.deepEqual(client.take(), ["publish 1 a dup"]);
    client.puback(1, 1);
    assert.equal(client.warnings.length, 0, "the second PUBACK answers the copy");
    client.pass(100);
    assert.deepEqual(client.take(), ["publish 2 b dup"]);
    client.pass(1000);
    assert.deepEqual(client.take(), ["publish 2 b dup", "publish 2 b dup"]);
    assert.ok(isThinglineError(client.settled.get(second), "TIMEOUT"));

    const plain = new RecordedSession().connect();
    plain.publish("a");
    plain.take();
    plain.pass(20_000);
    assert.deepEqual(plain.take(), []);
  });

  test("not while the transport is full, and counted anew on the next connection", () => {
    const client = new RecordedSession({ resendAfterMs: 100, ackTimeoutMs: 10_000 }).connect();
    client.publish("a");
    client.take();
    client.session.setWritable(false, client.nowMs);
    client.pass(500);
    assert.deepEqual(client.take(), []);
    client.session.setWritable(true, client.nowMs);
    client.pass(0);
    assert.deepEqual(client.take(), ["publish 1 a dup"]);
    client.session.connectionClosed(client.nowMs);
    client.pass(500);
    client.connect({ isSessionPresent: true });
    assert.deepEqual(client.take(), ["publish 1 a dup"]);
    client.pass(99);
    assert.deepEqual(client.take(), []);
    client.pass(1);
    assert.deepEqual(client.take(), ["publish 1 a dup"]);
  });

  test("never in MQTT 5", () => {
    const client = new RecordedSession({ version: 5, resendAfterMs: 100 }).connect();
    client.publish("a");
    client.take();
    client.pass(20_000);
    assert.deepEqual(client.take(), []);
  });
});

describe("resumption", () => {
  test("a session present: unacknowledged messages are sent again in order, with DUP, before new ones", () => {
    const client = new RecordedSession({ inflightMax: 3 }).connect();
    for (const topic of ["a", "b", "c", "d"]) client.publish(topic);
    client.puback(2);
    assert.deepEqual(client.take(), ["publish 1 a", "publish 2 b", "publish 3 c", "publish 4 d"]);
    client.session.connectionClosed(client.nowMs);
    client.publish("e");
    client.connect({ isSessionPresent: true });
    assert.deepEqual(client.take(), ["publish 1 a dup", "publish 3 c dup", "publish 4 d dup"]);
    client.puback(1);
    assert.deepEqual(client.take(), ["publish 5 e"]);
  });

  test("sending again keeps to a smaller window of the new connection", () => {
    const client = new RecordedSession({ version: 5 }).connect();
    for (const topic of ["a", "b", "c"]) client.publish(topic);
    client.session.connectionClosed(client.nowMs);
    client.take();
    client.connect({ isSessionPresent: true, properties: { receiveMaximum: 1 } });
    client.publish("d", { qos: 0 });
    assert.deepEqual(client.take(), ["publish 1 a dup"]);
    client.puback(1);
    assert.deepEqual(client.take(), ["publish 2 b dup"]);
    client.puback(2, 3);
    assert.deepEqual(client.take(), ["publish 3 c dup", "publish0 d"]);
  });

  test("a lost session: what was unacknowledged is published anew, in order, without DUP", () => {
    const client = new RecordedSession({ inflightMax: 2 }).connect();
    for (const topic of ["a", "b", "c"]) client.publish(topic);
    client.session.connectionClosed(client.nowMs);
    client.take();
    client.connect({ isSessionPresent: false });
    assert.deepEqual(client.take(), ["publish 3 a", "publish 4 b"]);
    client.puback(3, 4, 5);
    assert.deepEqual(
      [...client.settled].map(([owner, error]) => [owner, error]),
      [
        [1, undefined],
        [2, undefined],
        [3, undefined],
      ],
    );
  });

  test("a cautious connection sends what was in flight alone, one after the other, then as ever", () => {
    for (const isSessionPresent of [true, false]) {
      const client = new RecordedSession({ inflightMax: 3 }).connect();
      for (const topic of ["a", "b", "c", "d", "e"]) client.publish(topic);
      client.session.connectionClosed(client.nowMs);
      client.session.connectionOpened(client.nowMs, { isCautious: true });
      client.take();
      client.receive({ type: "connack", isSessionPresent, reasonCode: 0 });
      const seen: string[] = [];
      for (let rounds = 0; rounds < 3; rounds++) {
        const [packet, ...more] = client.sent.splice(0);
        assert.deepEqual(more, []);
        assert.ok(packet?.type === "publish");
        seen.push(packet.topic);
        client.puback(packet.packetId ?? 0);
      }
      assert.deepEqual(seen, ["a", "b", "c"]);
      assert.equal(client.take().length, 2, "d and e together");
    }
  });

  test("a reconnect can ask for the session although the first connection was clean", () => {
    const client = new RecordedSession({ isCleanSession: true }).connect();
    client.session.connectionClosed(client.nowMs);
    client.connect({ isSessionPresent: true }, { isCleanStart: false });
    assert.equal(client.closed, undefined);
    assert.equal(client.terms?.isSessionPresent, true);
  });

  test("the time without a connection does not count towards PUBACK, neither in flight nor waiting", () => {
    for (const isSessionPresent of [true, false]) {
      const client = new RecordedSession({ inflightMax: 2, ackTimeoutMs: 1000 }).connect();
      const early = [client.publish("a"), client.publish("b"), client.publish("c")];
      client.pass(400);
      client.session.connectionClosed(client.nowMs);
      client.pass(5000);
      const late = client.publish("d");
      client.pass(5000);
      assert.equal(client.session.wakeAtMs, Infinity);
      assert.equal(client.settled.size, 0);
      client.session.connectionOpened(client.nowMs);
      client.pass(5000);
      assert.equal(client.settled.size, 0, "the way to CONNACK does not count either");
      client.receive({ type: "connack", isSessionPresent, reasonCode: 0 });
      client.pass(599);
      assert.equal(client.settled.size, 0);
      client.pass(1);
      assert.deepEqual([...client.settled.keys()], early);
      client.pass(399);
      assert.equal(client.settled.has(late), false);
      client.pass(1);
      assert.ok(isThinglineError(client.settled.get(late), "TIMEOUT"));
    }
  });

  test("a message published before the first connection has all its time from CONNACK on", () => {
    const client = new RecordedSession({ ackTimeoutMs: 1000 });
    const owner = client.publish("a");
    client.pass(60_000).connect().pass(999);
    assert.equal(client.settled.has(owner), false);
    client.pass(1);
    assert.ok(isThinglineError(client.settled.get(owner), "TIMEOUT"));
  });

  test("discard settles everything with the error", () => {
    const client = new RecordedSession({ inflightMax: 1 }).connect();
    const owners = [client.publish("a"), client.publish("b"), client.subscribe("c")];
    client.session.connectionClosed(client.nowMs);
    client.session.discard(new ThinglineError("CLOSED", "over"));
    assert.equal(client.settled.size, 2);
    assert.equal(client.session.pendingCount, 0);
    assert.ok(client.answers.has(owners[2] ?? 0));
  });
});

describe("disconnecting", () => {
  test("says goodbye, once, and closes", () => {
    const client = new RecordedSession().connect();
    client.session.disconnect(0);
    client.session.disconnect(0);
    assert.deepEqual(client.take(), ["disconnect 0"]);
    assert.deepEqual(client.closed, { error: undefined });
    assert.equal(client.session.state, "offline");
  });

  test("before CONNACK nothing is said [AWS IoT wants nothing before CONNACK]", () => {
    const client = new RecordedSession();
    client.session.connectionOpened(0);
    client.take();
    client.session.disconnect(0);
    assert.deepEqual(client.take(), []);
    assert.deepEqual(client.closed, { error: undefined });
  });

  test("an MQTT 5 server learns why the driver gave up", () => {
    const client = new RecordedSession({ version: 5 }).connect();
    const error = new ThinglineError("MQTT_MALFORMED_PACKET", "no packet");
    client.session.fail(error, 0);
    assert.deepEqual(client.take(), ["disconnect 129"]);
    assert.equal(client.closed?.error, error);
  });
});
