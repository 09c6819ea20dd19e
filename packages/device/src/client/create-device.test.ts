import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type ErrorCode, ThinglineError } from "@thingline/protocol";
import { type ConnectPacket, encodeToBytes, type MqttVersion, type SubscribePacket } from "@thingline/protocol/mqtt";
import type { SecTagDialer, SecTagDialTarget, SecureInfo } from "@thingline/transport";
import { createVirtualRandom } from "@thingline/transport/virtual";
import { type ConnectResult, connectResultOf } from "../connection/result.js";
import { connectDevice } from "./create-device.js";
import { agree, failureOf, FakeCloud, testPems } from "./fake-cloud.test.support.js";

const tls13: SecureInfo = {
  protocol: "TLSv1.3",
  cipher: "TLS_AES_128_GCM_SHA256",
  peerCertificate: undefined,
  serverName: "cloud.test",
  alpnProtocol: undefined,
  isResumed: false,
};

function nothingIsLeft(cloud: FakeCloud): void {
  assert.equal(cloud.clock.timerCount, 0, "a timer is left");
}

describe("connecting", () => {
  test("the events come in the original's order, and the device is ready when the call returns", async () => {
    const cloud = new FakeCloud();
    const device = await cloud.connected({
      applicationTopics: ["a/+", "b"],
      isCleanSession: true,
      keepAliveSeconds: 30,
    });
    assert.deepEqual(cloud.events, ["connecting", "connected", "ready"]);
    assert.deepEqual([device.isConnected, device.isPersistentSession, device.refusedFilters], [true, false, []]);
    const [connect, subscribe] = cloud.packets as [ConnectPacket, SubscribePacket];
    assert.deepEqual([connect.clientId, connect.isCleanStart, connect.keepAliveSeconds], ["pump-7", true, 30]);
    assert.deepEqual(
      subscribe.subscriptions.map(({ filter, qos }) => [filter, qos]),
      [
        ["a/+", 1],
        ["b", 1],
      ],
    );
  });

  test("without topics nothing is subscribed and ready follows at once", async () => {
    const cloud = new FakeCloud();
    await cloud.connected();
    assert.deepEqual(cloud.types(), ["connect"]);
    assert.deepEqual(cloud.events, ["connecting", "connected", "ready"]);
  });

  test("a resumed session is not subscribed again", async () => {
    const cloud = new FakeCloud({
      answer: (packet, self) => {
        if (packet.type === "connect") self.send({ type: "connack", isSessionPresent: true, reasonCode: 0 });
      },
    });
    const device = await cloud.connected({ applicationTopics: ["a"] });
    assert.equal(device.isPersistentSession, true);
    assert.deepEqual(cloud.types(), ["connect"]);
    assert.deepEqual(cloud.events, ["connecting", "connected persistent", "ready"]);
  });

  test("no SUBSCRIBE has more than 8 filters, and ready waits for the last SUBACK", async () => {
    const cloud = new FakeCloud({ answer: (packet, self) => packet.type === "connect" && agree(packet, self) });
    const applicationTopics = Array.from({ length: 20 }, (_, index) => `t/${index}`);
    const connecting = cloud.connect({ applicationTopics });
    await cloud.clock.settle();
    const subscribes = cloud.packets.slice(1) as SubscribePacket[];
    assert.deepEqual(
      subscribes.map(({ subscriptions }) => subscriptions.length),
      [8, 8, 4],
    );
    agree(subscribes[2]!, cloud);
    agree(subscribes[0]!, cloud);
    await cloud.clock.settle();
    assert.deepEqual(cloud.events, ["connecting", "connected"]);
    agree(subscribes[1]!, cloud);
    await cloud.clock.settle();
    assert.deepEqual(cloud.events, ["connecting", "connected", "ready"]);
    await connecting;
  });

  test("a refused application topic is an error event and told with ready; the device works all the same", async () => {
    const cloud = new FakeCloud({
      answer: (packet, self) => {
        if (packet.type !== "subscribe") return agree(packet, self);
        self.send({ type: "suback", packetId: packet.packetId, reasonCodes: [1, 0x80] });
      },
    });
    const device = await cloud.connected({ applicationTopics: ["a", "secret"] });
    assert.deepEqual(cloud.events, ["connecting", "connected", "error MQTT_SUBSCRIPTION_REFUSED", "ready secret"]);
    assert.deepEqual(device.refusedFilters, [{ filter: "secret", reasonCode: 0x80, meaning: "unspecified error" }]);
    assert.match(cloud.errors[0]?.message ?? "", /"secret".*iot:Subscribe/);
  });

  test("the dialer is given address, TLS options, the time-out and, on port 443, ALPN", async () => {
    const cloud = new FakeCloud();
    const tls = { ca: testPems.ca };
    await cloud.connected({ port: 443, tls: tls as never, serverName: "sni.test", connectTimeoutMs: 7, family: 6 });
    assert.deepEqual(cloud.target, {
      host: "cloud.test",
      port: 443,
      connectTimeoutMs: 7,
      family: 6,
      tls: { ca: testPems.ca, serverName: "sni.test", alpnProtocols: ["x-amzn-mqtt-ca"] },
    });
  });

  test("a security tag is dialed with a full handshake unless asked otherwise", async () => {
    const cloud = new FakeCloud();
    cloud.connection.secure = tls13;
    let target: SecTagDialTarget | undefined;
    const secTagDialer: SecTagDialer = {
      name: "modem TLS",
      dial: async (asked) => {
        target = asked;
        return cloud.connection;
      },
    };
    const connecting = connectDevice({
      endpoint: "cloud.test:8884",
      clientId: "pump-7",
      clock: cloud.clock,
      random: createVirtualRandom(1),
      secTagDialer,
      secTag: 43,
    });
    await cloud.clock.settle();
    const device = await connecting;
    assert.deepEqual(target, { host: "cloud.test", port: 8884, secTag: 43, handshake: "full" });
    assert.equal(device.connection?.secure?.isResumed, false);
  });
});

describe("attempts that fail", () => {
  const dialErrors: [code: ErrorCode, result: ConnectResult][] = [
    ["HOST_NOT_FOUND", "network"],
    ["CONNECTION_REFUSED", "network"],
    ["LINK_FAILED", "network"],
    ["TLS_PEER_UNTRUSTED", "certificate"],
    ["TLS_HANDSHAKE_FAILED", "certificate"],
    ["CERTIFICATE_INVALID", "certificate"],
    ["CREDENTIAL_MISSING", "certificateMisc"],
    ["KEY_INVALID", "privateKey"],
    ["KEY_MISMATCH", "privateKey"],
    ["TIMEOUT", "timeout"],
    ["CONNECTION_LOST", "closedByRemote"],
    ["FILE_NOT_FOUND", "misc"],
  ];
  for (const [code, result] of dialErrors) {
    test(`${code} of the dialer is ${result}: two connecting events, nothing else`, async () => {
      const cloud = new FakeCloud();
      cloud.dialError = new ThinglineError(code, "why", { details: { port: 1 } });
      const error = await failureOf(cloud, cloud.connect());
      assert.deepEqual(cloud.events, ["connecting", `connecting ${result}`]);
      assert.deepEqual([error.code, error.cause, connectResultOf(error)], [code, cloud.dialError, result]);
      assert.match(error.message, /cloud\.test:8883 with no client certificate: why/);
      nothingIsLeft(cloud);
    });
  }

  test("a handshake that the server ended tells what to check, when there was a client certificate", async () => {
    for (const code of ["TLS_HANDSHAKE_FAILED", "CONNECTION_LOST"] as const) {
      const cloud = new FakeCloud();
      cloud.dialError = new ThinglineError(code, "alert certificate_unknown");
      const { ca, certificate, privateKey } = testPems;
      const tls = { ca, certificate, privateKey };
      const error = await failureOf(cloud, cloud.connect({ tls: tls as never }));
      assert.match(error.message, /with the given certificate: alert.*registered and ACTIVE.*"pump-7"/);
      assert.doesNotMatch((await failureOf(cloud, cloud.connect())).message, /ACTIVE/);
    }
  });

  for (const [version, codes] of [
    [4, [1, 2, 3, 4, 5]],
    [5, [0x80, 0x81, 0x82, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x90, 0x97, 0x99, 0x9b, 0x9c, 0x9f]],
  ] as [MqttVersion, number[]][]) {
    for (const reasonCode of codes) {
      test(`CONNACK ${reasonCode} of version ${version}: error, disconnected, and the call fails with its meaning`, async () => {
        const cloud = new FakeCloud({
          version,
          answer: (_packet, self) => self.send({ type: "connack", isSessionPresent: false, reasonCode }),
        });
        const error = await failureOf(cloud, cloud.connect());
        assert.deepEqual(cloud.events, [
          "connecting",
          "error MQTT_CONNECT_REFUSED",
          "disconnected misc MQTT_CONNECT_REFUSED",
        ]);
        assert.deepEqual([connectResultOf(error), error.details["reasonCode"]], ["refused", reasonCode]);
        assert.match(error.message, /refused the connection: [a-zQ]+ /);
        assert.equal(/iot:Connect/.test(error.message), reasonCode === 5 || reasonCode === 0x87);
        nothingIsLeft(cloud);
      });
    }
  }

  test("closed without CONNACK: the error says that AWS denies so, and what to check", async () => {
    const cloud = new FakeCloud({ answer: (_packet, self) => self.connection.end() });
    const error = await failureOf(cloud, cloud.connect());
    assert.deepEqual([error.code, connectResultOf(error)], ["CONNECTION_LOST", "closedByRemote"]);
    assert.match(
      error.message,
      /without answering CONNECT, as AWS IoT does.*registered and ACTIVE.*iot:Connect.*"pump-7"/,
    );
    assert.doesNotMatch(error.message, /TLS 1\.3/);
    assert.deepEqual(cloud.events, ["connecting", "disconnected closedByRemote CONNECTION_LOST"]);
    nothingIsLeft(cloud);
  });

  test("closed without CONNACK under TLS 1.3: it may have been the certificate, too", async () => {
    const cloud = new FakeCloud({ answer: (_packet, self) => self.connection.end() });
    cloud.connection.secure = tls13;
    assert.match((await failureOf(cloud, cloud.connect())).message, /TLS 1\.3 a refused client certificate/);
  });

  test("a certificate refused after the handshake is a matter of the certificate", async () => {
    const alert = new ThinglineError("TLS_HANDSHAKE_FAILED", "alert certificate_unknown");
    const cloud = new FakeCloud({ answer: (_packet, self) => self.connection.end(alert) });
    const error = await failureOf(cloud, cloud.connect());
    assert.deepEqual([connectResultOf(error), error.cause], ["certificate", alert]);
    assert.match(error.message, /refused the client certificate.*certificate_unknown.*ACTIVE/);
  });

  test("no CONNACK in time", async () => {
    const cloud = new FakeCloud({ answer: () => undefined });
    const error = await failureOf(cloud, cloud.connect({ connackTimeoutMs: 1000 }), 2000);
    assert.deepEqual([error.code, connectResultOf(error)], ["TIMEOUT", "timeout"]);
    assert.deepEqual(cloud.events, ["connecting", "disconnected misc TIMEOUT"]);
    nothingIsLeft(cloud);
  });

  test("no SUBACK in time", async () => {
    const cloud = new FakeCloud({ answer: (packet, self) => packet.type === "connect" && agree(packet, self) });
    const error = await failureOf(cloud, cloud.connect({ applicationTopics: ["a"], ackTimeoutMs: 1000 }), 2000);
    assert.equal(error.code, "TIMEOUT");
    assert.deepEqual(cloud.events, ["connecting", "connected", "disconnected misc TIMEOUT"]);
    nothingIsLeft(cloud);
  });

  test("closed while subscribing, as AWS did when it denied a filter", async () => {
    const cloud = new FakeCloud({
      answer: (packet, self) => (packet.type === "subscribe" ? self.connection.end() : agree(packet, self)),
    });
    const error = await failureOf(cloud, cloud.connect({ applicationTopics: ["a"] }));
    assert.equal(error.code, "CONNECTION_LOST");
    assert.deepEqual(cloud.events, ["connecting", "connected", "disconnected closedByRemote CONNECTION_LOST"]);
  });

  const garbage: [name: string, bytes: number[], code: ErrorCode][] = [
    ["HTTP", [...new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n")], "MQTT_MALFORMED_PACKET"],
    ["zeros", [0, 0, 0, 0], "MQTT_MALFORMED_PACKET"],
    ["a length without end", [0x30, 0xff, 0xff, 0xff, 0xff], "MQTT_MALFORMED_PACKET"],
    ["a packet of 256 MB", [0x20, 0xff, 0xff, 0xff, 0x7f], "MQTT_PACKET_TOO_LARGE"],
    ["PUBACK before CONNACK", [0x40, 2, 0, 1], "MQTT_PROTOCOL_ERROR"],
  ];
  for (const [name, bytes, code] of garbage) {
    test(`${name} instead of CONNACK`, async () => {
      const cloud = new FakeCloud({
        answer: (_packet, self) => self.clock.afterTurn(() => self.connection.receive(new Uint8Array(bytes))),
      });
      const error = await failureOf(cloud, cloud.connect());
      assert.deepEqual([error.code, connectResultOf(error)], [code, "misc"]);
      assert.deepEqual(cloud.events, ["connecting", `disconnected misc ${code}`]);
      nothingIsLeft(cloud);
    });
  }
});

describe("aborting", () => {
  test("before it began", async () => {
    const cloud = new FakeCloud();
    const error = await failureOf(cloud, cloud.connect({ signal: AbortSignal.abort() }));
    assert.equal(error.code, "ABORTED");
    assert.deepEqual(cloud.events, ["connecting", "connecting aborted"]);
    assert.equal(cloud.target, undefined);
  });

  test("while dialing, also when the dialer does not care", async () => {
    const controller = new AbortController();
    const cloud = new FakeCloud();
    let dialed = (): void => undefined;
    cloud.dialing = new Promise((resolve) => (dialed = resolve));
    const connecting = cloud.connect({ signal: controller.signal });
    controller.abort(new Error("enough"));
    const error = await failureOf(cloud, connecting);
    assert.equal(error.code, "ABORTED");
    dialed();

    const deaf = new FakeCloud();
    const other = new AbortController();
    deaf.dial = async () => {
      other.abort();
      return deaf.connection;
    };
    assert.equal((await failureOf(deaf, deaf.connect({ signal: other.signal }))).code, "ABORTED");
    assert.equal(deaf.connection.isDestroyed, true);
    nothingIsLeft(deaf);
  });

  for (const [stage, answers] of [
    ["CONNACK", [] as string[]],
    ["SUBACK", ["connect"]],
  ] as const) {
    test(`while waiting for ${stage}`, async () => {
      const controller = new AbortController();
      const cloud = new FakeCloud({
        answer: (packet, self) => (answers as readonly string[]).includes(packet.type) && agree(packet, self),
      });
      const connecting = cloud.connect({ applicationTopics: ["a"], signal: controller.signal });
      connecting.catch(() => undefined);
      await cloud.clock.settle();
      controller.abort();
      const error = await failureOf(cloud, connecting);
      assert.equal(error.code, "ABORTED");
      assert.equal(cloud.events.at(-1), "disconnected userRequest ABORTED");
      // AWS IoT wants nothing before CONNACK, DISCONNECT included.
      assert.equal(cloud.types().includes("disconnect"), stage === "SUBACK");
      nothingIsLeft(cloud);
    });
  }

  test("after ready the signal means nothing any more", async () => {
    const controller = new AbortController();
    const cloud = new FakeCloud();
    const device = await cloud.connected({ signal: controller.signal });
    controller.abort();
    await cloud.clock.settle();
    assert.equal(device.isConnected, true);
  });
});

describe("the end", () => {
  test("disconnect sends DISCONNECT, raises one event and leaves nothing", async () => {
    const cloud = new FakeCloud();
    const device = await cloud.connected();
    const first = device.disconnect();
    const closing = device.close();
    assert.equal(device.close(), closing);
    assert.equal(device.state, "closing");
    await cloud.clock.settle();
    await Promise.all([first, closing, device.closed, device[Symbol.asyncDispose](), device.disconnect()]);
    assert.equal(device.state, "closed");
    assert.deepEqual(cloud.types(), ["connect", "disconnect"]);
    assert.deepEqual(cloud.events.slice(3), ["disconnected userRequest"]);
    nothingIsLeft(cloud);
    for (const call of [
      () => device.publish("t", "x"),
      () => device.publish("t", "x", { qos: 0 }),
      () => device.subscribe("t"),
      () => device.unsubscribe("t"),
      () => device.connect(),
    ]) {
      assert.equal((await failureOf(cloud, call())).code, "CLOSED");
    }
    assert.throws(() => device.ping(), /closed/);
    assert.equal(device.keepAliveTimeLeftMs(), Infinity);
  });

  test("disconnect waits for acknowledgements, then gives up after closeTimeoutMs", async () => {
    const cloud = new FakeCloud({ answer: (packet, self) => packet.type === "connect" && agree(packet, self) });
    const device = await cloud.connected({ closeTimeoutMs: 1000 });
    const first = device.publish("t", "1");
    const second = device.publish("t", "2");
    const closing = device.disconnect();
    await cloud.clock.settle();
    assert.deepEqual(cloud.types(), ["connect", "publish", "publish"]);
    cloud.send({ type: "puback", packetId: 1, reasonCode: 0 });
    await cloud.clock.settle();
    await first;
    assert.equal((await failureOf(cloud, second, 1000)).code, "CONNECTION_LOST");
    await closing;
    assert.equal(device.state, "idle");
    assert.deepEqual(cloud.types(), ["disconnect"]);
    nothingIsLeft(cloud);
  });

  test("a peer that does not end the connection is dropped after closeTimeoutMs", async () => {
    const cloud = new FakeCloud();
    const device = await cloud.connected({ closeTimeoutMs: 1000 });
    cloud.connection.isDeaf = true;
    const closing = device.disconnect();
    await cloud.clock.advance(999);
    assert.equal(cloud.connection.isDestroyed, false);
    await cloud.clock.advance(1);
    await closing;
    assert.equal(cloud.connection.isDestroyed, true);
    nothingIsLeft(cloud);
  });

  test("the cloud closes: one event, and waiting publishes fail with a hint", async () => {
    const cloud = new FakeCloud({ answer: (packet, self) => packet.type === "connect" && agree(packet, self) });
    const device = await cloud.connected();
    const publishing = device.publish("denied", "x");
    publishing.catch(() => undefined);
    await cloud.clock.settle();
    cloud.connection.end();
    const error = await failureOf(cloud, publishing);
    assert.equal(error.code, "CONNECTION_LOST");
    assert.match(error.message, /unacknowledged messages: 1.*policy denies a publish/);
    assert.equal(device.state, "idle");
    assert.deepEqual(cloud.events.slice(3), ["disconnected closedByRemote CONNECTION_LOST"]);
    await device.disconnect();
    assert.equal(cloud.events.length, 4);
    nothingIsLeft(cloud);
    assert.match((await failureOf(cloud, device.publish("t", "x"))).message, /not connected/);
  });

  for (const [reasonCode, reason] of [
    [0x8e, "closedByRemote"],
    [0x8b, "closedByRemote"],
    [0x87, "invalidRequest"],
    [0x9b, "invalidRequest"],
  ] as const) {
    test(`DISCONNECT ${reasonCode} of an MQTT 5 server is ${reason}`, async () => {
      const cloud = new FakeCloud({ version: 5 });
      const device = await cloud.connected();
      cloud.send({ type: "disconnect", reasonCode });
      await cloud.clock.settle();
      assert.equal(device.state, "idle");
      const code = reasonCode === 0x8e ? "MQTT_SESSION_TAKEN_OVER" : "MQTT_DISCONNECTED";
      assert.deepEqual(cloud.events.slice(3), [`disconnected ${reason} ${code}`]);
    });
  }

  test("garbage on a working connection ends it, with the reason for an MQTT 5 server", async () => {
    const cloud = new FakeCloud({ version: 5 });
    const device = await cloud.connected();
    cloud.connection.receive(new Uint8Array([0xff, 0xff]));
    await cloud.clock.settle();
    assert.equal(device.state, "idle");
    assert.deepEqual(cloud.types(), ["connect", "disconnect"]);
    assert.deepEqual(cloud.events.slice(3), ["disconnected misc MQTT_MALFORMED_PACKET"]);
  });

  test("packets behind the one that ended the connection are not looked at", async () => {
    const cloud = new FakeCloud();
    const device = await cloud.connected();
    cloud.send({ type: "connack", isSessionPresent: false, reasonCode: 0 }, cloud.message("t"));
    const got: string[] = [];
    device.on("data", ({ topic }) => void got.push(topic));
    await cloud.clock.settle();
    assert.equal(device.state, "idle");
    assert.deepEqual(got, []);
  });

  test("a half-open link is noticed within 1.5 keep-alives, and dropped without waiting for anybody", async () => {
    const cloud = new FakeCloud({ answer: (packet, self) => packet.type === "connect" && agree(packet, self) });
    const device = await cloud.connected({ keepAliveSeconds: 60 });
    cloud.connection.isDeaf = true;
    await cloud.clock.advance(90_000);
    assert.equal(device.state, "idle");
    assert.deepEqual(cloud.types(), ["connect", "pingreq"]);
    assert.deepEqual(cloud.events.slice(3), ["disconnected misc CONNECTION_LOST"]);
    assert.equal(cloud.connection.isDestroyed, true);
    nothingIsLeft(cloud);
  });

  test("a link that answers pings lives on", async () => {
    const cloud = new FakeCloud();
    const device = await cloud.connected({ keepAliveSeconds: 60 });
    await cloud.clock.advance(600_000);
    assert.equal(device.isConnected, true);
    assert.equal(cloud.events.filter((event) => event === "pingresp").length, 11);
    assert.ok(device.keepAliveTimeLeftMs() > 0);
    device.ping();
    assert.throws(() => device.ping(), /PINGREQ/);
  });
});

test("the last will goes with CONNECT", async () => {
  const cloud = new FakeCloud();
  await cloud.connected({ lastWill: { topic: "lastwilltopic", payload: '{"lastwill": "offline"}' } });
  const { will } = cloud.packets[0] as ConnectPacket;
  assert.deepEqual([will?.topic, will?.qos, will?.isRetained], ["lastwilltopic", 0, false]);
  assert.equal(new TextDecoder().decode(will?.payload), '{"lastwill": "offline"}');
});

test("MQTT 5 asks for a session of one hour, a clean session for none", async () => {
  for (const [isCleanSession, seconds] of [
    [false, 3600],
    [true, 0],
  ] as const) {
    const cloud = new FakeCloud({ version: 5 });
    await cloud.connected({ isCleanSession });
    const { properties } = cloud.packets[0] as ConnectPacket;
    assert.equal(properties?.sessionExpirySeconds, seconds);
    assert.equal(properties?.receiveMaximum, 100);
    assert.ok((properties?.maximumPacketBytes ?? 0) >= 149_504);
  }
});

test("bytes of one packet may come one by one", async () => {
  const cloud = new FakeCloud({
    answer: (packet, self) => {
      if (packet.type !== "connect") return;
      for (const byte of encodeToBytes({ type: "connack", isSessionPresent: false, reasonCode: 0 }, 4)) {
        self.clock.afterTurn(() => self.connection.receive(new Uint8Array([byte])));
      }
    },
  });
  assert.equal((await cloud.connected()).isConnected, true);
});
