import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type ConnectPacket, encodeToBytes, type PublishPacket, type SubscribePacket } from "@thingline/protocol/mqtt";
import type { SecTagDialer, SecTagDialTarget } from "@thingline/transport";
import { createVirtualRandom } from "@thingline/transport/virtual";
import { createDevice } from "../client/create-device.js";
import {
  agree,
  type Answer,
  FakeCloud,
  type FakeSettings,
  testPems,
  watch,
} from "../client/fake-cloud.test.support.js";
import { nrfCloudSecTag } from "../client/options.js";
import { TlsSessionCache } from "./tls-sessions.js";

const resumed: Answer = (packet, self) =>
  packet.type === "connect"
    ? self.send({ type: "connack", isSessionPresent: true, reasonCode: 0 })
    : agree(packet, self);

/** What was sent, in short, with the moment of `ready`. */
function recording(cloud: FakeCloud): string[] {
  const log: string[] = [];
  const answer = cloud.answer;
  cloud.answer = (packet, self) => {
    if (packet.type === "subscribe") log.push(`subscribe ${packet.subscriptions.map(({ filter }) => filter).join()}`);
    else if (packet.type === "publish") log.push(`publish${packet.qos} ${packet.topic} ${packet.payload.length}`);
    else log.push(packet.type);
    answer(packet, self);
  };
  return log;
}

describe("shadow topics", () => {
  const shadow = "$aws/things/pump-7/shadow";

  test("are subscribed in a packet of their own after the application topics, and ready needs both", async () => {
    const cloud = new FakeCloud({ answer: (packet, self) => packet.type === "connect" && agree(packet, self) });
    const log = recording(cloud);
    const connecting = watch(
      cloud.connect({
        applicationTopics: ["app"],
        shadowTopics: ["get/accepted", "update/delta"],
        requestsShadow: true,
      }),
    );
    await cloud.clock.settle();
    assert.deepEqual(log, ["connect", "subscribe app", `subscribe ${shadow}/get/accepted,${shadow}/update/delta`]);
    agree(cloud.packets[2] as SubscribePacket, cloud);
    await cloud.clock.settle();
    assert.equal(connecting.state, "pending");
    agree(cloud.packets[1] as SubscribePacket, cloud);
    await cloud.clock.settle();
    assert.equal(connecting.state, "done");
    assert.deepEqual(log.slice(3), [`publish0 ${shadow}/get 0`]);
  });

  for (const [name, answer, expected] of [
    ["a new session", agree, ["publish", "ready"]],
    ["a resumed session", resumed, ["ready", "publish"]],
  ] as const) {
    test(`the automatic request of ${name} comes in the original's order`, async () => {
      const cloud = new FakeCloud({ answer });
      const order: string[] = [];
      const reserve = cloud.connection.reserve.bind(cloud.connection);
      let frames = 0;
      cloud.connection.reserve = (lengthBytes) => {
        frames += 1;
        // CONNECT, SUBSCRIBE in a new session, then the request.
        if (frames === (expected[0] === "ready" ? 2 : 3)) order.push("publish");
        return reserve(lengthBytes);
      };
      await cloud.connected({
        shadowTopics: ["get/accepted"],
        requestsShadow: true,
        on: { ready: () => void order.push("ready") },
      });
      assert.deepEqual(order, expected);
      assert.equal((cloud.packets.at(-1) as PublishPacket).topic, `${shadow}/get`);
    });
  }

  test("their messages are data, also next to a run-time subscription", async () => {
    const cloud = new FakeCloud();
    const device = await cloud.connected({ shadowTopics: ["update/delta"] });
    const got: string[] = [];
    device.on("data", ({ topic }) => void got.push(`data ${topic}`));
    const subscribing = device.subscribe(`${shadow}/update/delta`, () => void got.push("own"));
    await cloud.clock.settle();
    await subscribing;
    cloud.send(cloud.message(`${shadow}/update/delta`));
    await cloud.clock.settle();
    assert.deepEqual(got, [`data ${shadow}/update/delta`, "own"]);
  });

  test("the request is made with every connection, and not when a listener of ready disconnects", async () => {
    const cloud = new FakeCloud({ answer: resumed });
    const device = cloud.create({ requestsShadow: true });
    const connecting = device.connect();
    await cloud.clock.settle();
    await connecting;
    cloud.connection.end();
    await cloud.clock.advance(2000);
    assert.deepEqual(cloud.types(), ["connect", "publish", "connect", "publish"]);
    device.on("ready", () => void device.close());
    cloud.connection.end();
    await cloud.clock.advance(5000);
    assert.deepEqual(cloud.types(), ["connect", "disconnect"]);
    assert.equal(device.state, "closed");
  });
});

describe("where it dials", () => {
  test("a static address is dialed, and the host stays the name", async () => {
    const cloud = new FakeCloud();
    await cloud.connected({ staticAddress: "192.0.2.7", port: 443, tls: { ca: testPems.ca } as never });
    assert.deepEqual(cloud.target, {
      host: "192.0.2.7",
      port: 443,
      tls: { ca: testPems.ca, serverName: "cloud.test", alpnProtocols: ["x-amzn-mqtt-ca"] },
    });
    const overWebSocket = new FakeCloud();
    const webSocket = { path: "/mqtt", headers: { a: "b" } } as never;
    await overWebSocket.connected({ staticAddress: "2001:db8::7", ...{ webSocket } });
    assert.deepEqual(overWebSocket.target?.webSocket?.headers, { host: "cloud.test:8883", a: "b" });
  });

  test("with a security tag as well; the one of nRF Cloud is warned of, once", async () => {
    const cloud = new FakeCloud();
    let target: SecTagDialTarget | undefined;
    const secTagDialer: SecTagDialer = {
      name: "modem TLS",
      dial: (asked) => {
        target = asked;
        return cloud.dial(asked);
      },
    };
    const events: string[] = [];
    const device = createDevice({
      host: "cloud.test",
      staticAddress: "192.0.2.7",
      clientId: "pump-7",
      clock: cloud.clock,
      random: createVirtualRandom(1),
      secTagDialer,
      secTag: nrfCloudSecTag,
      on: {
        warning: ({ warning }) => void events.push(warning.code),
        connecting: () => void events.push("connecting"),
      },
    });
    for (let round = 0; round < 2; round++) {
      const connecting = device.connect();
      await cloud.clock.settle();
      await connecting;
      void device.disconnect();
      await cloud.clock.settle();
    }
    assert.deepEqual([target?.host, target?.serverName], ["192.0.2.7", "cloud.test"]);
    assert.deepEqual(events, ["SEC_TAG_RESERVED", "connecting", "connecting"]);
  });
});

describe("TLS sessions", () => {
  /** Each handshake hands out a session, numbered. */
  function handingOut(cloud: FakeCloud): (number | undefined)[] {
    const offered: (number | undefined)[] = [];
    const dial = cloud.dial.bind(cloud);
    cloud.dial = (target, options) => {
      offered.push(target.tls?.session?.[0]);
      target.tls?.onSession?.(new Uint8Array([offered.length]));
      return dial(target, options);
    };
    return offered;
  }

  test("are resumed by a reconnect when asked for, but not after an attempt that failed", async () => {
    for (const handshake of ["resume", "full"] as const) {
      const cloud = new FakeCloud();
      const offered = handingOut(cloud);
      const tls = { ca: testPems.ca, certificate: testPems.certificate, privateKey: testPems.privateKey };
      const device = createDevice({ ...cloud.options({ reconnect: {} }), dialer: cloud, tls, handshake });
      const connecting = device.connect();
      await cloud.clock.settle();
      await connecting;
      for (const fails of [false, true, false]) {
        cloud.answer = (packet, self) => {
          if (fails && packet.type === "connect") self.connection.end();
          else agree(packet, self);
          cloud.answer = agree;
        };
        cloud.connection.end();
        await cloud.clock.advance(10_000);
        assert.equal(device.state, "ready");
      }
      assert.deepEqual(offered, handshake === "full" ? Array(5).fill(undefined) : [undefined, 1, 2, undefined, 4]);
      void device.close();
      await cloud.clock.settle();
    }
  });

  test("shared by two devices, only the same endpoint, CA and certificate get one", async () => {
    const tlsSessions = new TlsSessionCache();
    const offers = async (tls: object, settings: FakeSettings = {}): Promise<number | undefined> => {
      const cloud = new FakeCloud();
      const offered = handingOut(cloud);
      const { ca, certificate, privateKey } = testPems;
      const whole = { ca, certificate, privateKey, ...tls };
      const options = {
        ...cloud.options(settings),
        dialer: cloud,
        tls: whole,
        handshake: "resume",
        tlsSessions,
      } as const;
      const device = createDevice(options);
      const connecting = device.connect();
      await cloud.clock.settle();
      await connecting;
      return offered[0];
    };
    assert.equal(await offers({}), undefined);
    assert.equal(await offers({}), 1);
    assert.equal(await offers({ ca: Buffer.from(testPems.ca) }), 1, "bytes are the same as their text");
    assert.equal(
      await offers({ certificate: testPems.otherCertificate, privateKey: testPems.otherPrivateKey }),
      undefined,
    );
    assert.equal(await offers({ ca: testPems.otherCa }), undefined);
    assert.equal(await offers({}, { host: "other.test" }), undefined);
    assert.equal(await offers({}, { port: 443 }), undefined);
    assert.equal(await offers({ session: new Uint8Array([9]) }), 9, "the caller's own goes before");
    assert.equal(tlsSessions.count, 5);
  });
});

describe("output that does not leave", () => {
  test("ends the connection after sendTimeoutMs without progress, at most a quarter later", async () => {
    const cloud = new FakeCloud();
    const device = cloud.create({ sendTimeoutMs: 8000, keepAliveSeconds: 1200 });
    const connecting = device.connect();
    await cloud.clock.settle();
    await connecting;
    await cloud.clock.advance(20_000);
    assert.equal(cloud.clock.timerCount, 1, "an idle connection has its keep-alive timer only");
    cloud.connection.isStuck = true;
    const publishing = watch(device.publish("t", "x"));
    await cloud.clock.advance(7999);
    assert.equal(device.state, "ready");
    await cloud.clock.advance(2001);
    assert.ok(cloud.events.includes("disconnected misc TIMEOUT +"), cloud.events.join());
    await cloud.clock.advance(3000);
    assert.deepEqual([device.state, publishing.state], ["ready", "done"]);
    void device.close();
    await cloud.clock.settle();
    assert.equal(cloud.clock.timerCount, 0);
  });

  test("slow progress keeps it, and 0 turns the watch off", async () => {
    for (const sendTimeoutMs of [8000, 0]) {
      const cloud = new FakeCloud();
      const device = await cloud.connected({ sendTimeoutMs, keepAliveSeconds: 1200 });
      cloud.connection.isStuck = true;
      void device.publish("t", new Uint8Array(100), { qos: 0 });
      for (let step = 0; step < 10; step++) {
        await cloud.clock.advance(5000);
        if (sendTimeoutMs > 0) cloud.connection.takenBytes += 1;
      }
      assert.equal(device.isConnected, true);
    }
  });
});

test("a half-open link is noticed within 1.5 keep-alives although the device publishes all the time", async () => {
  for (const keepAliveSeconds of [30, 60, 1200]) {
    const cloud = new FakeCloud();
    const device = cloud.create({ keepAliveSeconds, sendTimeoutMs: 0 });
    const connecting = device.connect();
    await cloud.clock.settle();
    await connecting;
    await cloud.clock.advance(1000);
    cloud.answer = () => undefined;
    const lastHeardMs = cloud.clock.monotonicMs();
    let lostAtMs = 0;
    device.on("disconnected", () => {
      lostAtMs ||= cloud.clock.monotonicMs();
      cloud.answer = agree;
    });
    for (let second = 0; second < keepAliveSeconds * 1.5 && lostAtMs === 0; second += keepAliveSeconds / 30) {
      void device.publish("t", "x", { qos: 0 });
      await cloud.clock.advance((keepAliveSeconds / 30) * 1000);
    }
    assert.ok(lostAtMs > 0 && lostAtMs - lastHeardMs <= keepAliveSeconds * 1500, `${lostAtMs - lastHeardMs} ms`);
    assert.ok(cloud.types().includes("pingreq"));
    await cloud.clock.advance(3000);
    assert.equal(device.state, "ready");
    void device.close();
    await cloud.clock.settle();
  }
});

test("a CONNACK that comes byte by byte, on the third connection as on the first", async () => {
  const cloud = new FakeCloud({
    answer: (packet, self) => {
      if (packet.type !== "connect") return;
      const { connection } = self;
      for (const byte of encodeToBytes({ type: "connack", isSessionPresent: false, reasonCode: 0 }, 4)) {
        self.clock.afterTurn(() => connection.receive(new Uint8Array([byte])));
      }
    },
  });
  const device = cloud.create();
  const connecting = device.connect();
  await cloud.clock.settle();
  await connecting;
  for (let cut = 0; cut < 2; cut++) {
    cloud.connection.end();
    await cloud.clock.advance(5000);
    assert.equal(device.state, "ready");
  }
  assert.equal(cloud.packets.filter((packet): packet is ConnectPacket => packet.type === "connect").length, 3);
});

test("resendAfterMs sends an unacknowledged message again on the same connection", async () => {
  const cloud = new FakeCloud({ answer: (packet, self) => packet.type === "connect" && agree(packet, self) });
  const device = await cloud.connected({ resendAfterMs: 2000 });
  const publishing = watch(device.publish("t", "x"));
  await cloud.clock.advance(5000);
  const copies = cloud.packets.filter((packet): packet is PublishPacket => packet.type === "publish");
  assert.deepEqual(
    copies.map(({ isDuplicate, packetId }) => [isDuplicate, packetId]),
    [
      [false, 1],
      [true, 1],
      [true, 1],
    ],
  );
  for (const { packetId } of copies) cloud.send({ type: "puback", packetId: packetId ?? 0, reasonCode: 0 });
  await cloud.clock.settle();
  assert.equal(publishing.state, "done");
  assert.deepEqual(cloud.errors, []);
});
