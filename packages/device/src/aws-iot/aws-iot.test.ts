import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import { awsIotSettings, loadKconfig } from "@thingline/protocol/kconfig";
import type { SecTagDialer } from "@thingline/transport";
import { createVirtualRandom } from "@thingline/transport/virtual";
import { agree, type Answer, failureOf, FakeCloud, watch } from "../client/fake-cloud.test.support.js";
import { connectResultOf } from "../connection/result.js";
import { type AwsIot, type AwsIotOptions, createAwsIot } from "./aws-iot.js";
import { type AwsIotEvent, awsIotEventTypes } from "./events.js";

const settingsOf = (...lines: string[]) => {
  const base = ["CONFIG_AWS_IOT=y", 'CONFIG_AWS_IOT_BROKER_HOST_NAME="cloud.test"', "CONFIG_AWS_IOT_SEC_TAG=43"];
  const text = [...base, ...lines].map((line) => `${line}\n`).join("");
  return awsIotSettings(loadKconfig([{ file: "prj.conf", text }]).config);
};

class World {
  readonly cloud: FakeCloud;
  readonly secTags: number[] = [];
  readonly events: AwsIotEvent[] = [];
  readonly awsIot: AwsIot;

  constructor(lines: string[] = [], { answer = agree, ...options }: AwsIotOptions & { answer?: Answer } = {}) {
    this.cloud = new FakeCloud({ answer });
    const secTagDialer: SecTagDialer = {
      name: "fake modem",
      dial: ({ secTag, host, port }, signal) => {
        this.secTags.push(secTag);
        return this.cloud.dial({ host, port }, signal);
      },
    };
    const random = createVirtualRandom(1);
    this.awsIot = createAwsIot(settingsOf(...lines), { secTagDialer, clock: this.cloud.clock, random }, options);
  }

  init(clientId?: string): AwsIot {
    this.awsIot.init(clientId === undefined ? undefined : { clientId }, (event) => void this.events.push(event));
    return this.awsIot;
  }

  async connect(config?: { secTag?: number }): Promise<void> {
    const connecting = this.awsIot.connect(config);
    await this.cloud.clock.settle();
    await connecting;
  }

  /** Ends it, and sees that nothing is left. */
  async close(): Promise<void> {
    const closing = this.awsIot.close();
    await this.cloud.clock.settle();
    await closing;
    assert.equal(this.cloud.clock.timerCount, 0);
  }

  /** `type`, with the number that the original would give. */
  types(): string[] {
    return this.events.splice(0).map((event) => {
      if (event.type === "connecting") return `connecting ${event.resultCode}`;
      if (event.type === "disconnected") return `disconnected ${event.reasonCode}`;
      if (event.type === "error") return `error ${event.connackCode ?? "-"}`;
      return event.type;
    });
  }
}

const textOf = (payload: Uint8Array): string => new TextDecoder().decode(payload);

describe("init()", () => {
  test("every other call before it is refused with one code, and close() is not", async () => {
    const { awsIot, cloud } = new World();
    const calls: (() => unknown)[] = [
      () => awsIot.connect(),
      () => awsIot.disconnect(),
      () => awsIot.send({ topic: "a" }),
      () => awsIot.input(),
      () => awsIot.poll(),
      () => awsIot.ping(),
      () => awsIot.keepAliveTimeLeftMs(),
      () => awsIot.subscriptionTopicsAdd(["a"]),
      () => awsIot.subscriptionTopicsClear(),
      () => awsIot.subscribe("a"),
      () => awsIot.unsubscribe("a"),
      () => awsIot.device,
    ];
    for (const call of calls) {
      const error = await failureOf(cloud, (async () => call())());
      assert.deepEqual([error.code, connectResultOf(error)], ["NOT_INITIALISED", "notInitialised"], String(call));
    }
    await awsIot.close();
    for (const call of calls) assert.equal((await failureOf(cloud, (async () => call())())).code, "CLOSED");
  });

  test("succeeds once; after a failure it may be called again", async () => {
    const world = new World(["CONFIG_AWS_IOT_CLIENT_ID_APP=y", "CONFIG_AWS_IOT_CLIENT_ID_MAX_LEN=8"]);
    const invalid = { code: "OPTION_INVALID" };
    assert.throws(() => world.awsIot.init(undefined, () => undefined), invalid);
    assert.throws(() => world.init(""), invalid);
    assert.throws(() => world.init("12345678"), invalid);
    assert.throws(() => world.awsIot.init({ clientId: "pump-7" }, undefined as never), invalid);
    assert.throws(() => world.awsIot.ping(), { code: "NOT_INITIALISED" });
    world.init("pump-7");
    assert.equal(world.awsIot.device.clientId, "pump-7");
    assert.throws(() => world.init("pump-8"), { code: "ALREADY_INITIALISED" });
    assert.equal(world.awsIot.device.clientId, "pump-7");
    await world.awsIot.close();
  });

  test("a client id is not looked at unless the configuration leaves it to the application", async () => {
    const awsIot = new World(['CONFIG_AWS_IOT_CLIENT_ID_STATIC="pump-7"']).init("other");
    assert.equal(awsIot.device.clientId, "pump-7");
    await awsIot.close();
  });
});

describe("connecting", () => {
  test("events come in the original's order and with its numbers", async () => {
    const world = new World(["CONFIG_AWS_IOT_TOPIC_GET_ACCEPTED_SUBSCRIBE=y"]);
    const awsIot = world.init();
    await world.connect();
    assert.deepEqual(world.types(), ["connecting 0", "connected", "ready"]);
    // The automatic request goes out before READY.
    assert.deepEqual(world.cloud.types(), ["connect", "subscribe", "publish"]);
    const again = await failureOf(world.cloud, awsIot.connect());
    assert.deepEqual([again.code, connectResultOf(again)], ["ALREADY_CONNECTED", "alreadyConnected"]);
    awsIot.ping();
    world.cloud.send(world.cloud.message("a/b", { payload: "hello", qos: 1 }));
    await world.cloud.clock.settle();
    const data = world.events.find((event) => event.type === "dataReceived");
    assert.deepEqual([data?.message.topic, textOf(data?.message.payload ?? new Uint8Array())], ["a/b", "hello"]);
    assert.deepEqual(world.types().sort(), ["dataReceived", "pingresp"]);
    const ending = awsIot.disconnect();
    await world.cloud.clock.settle();
    await ending;
    assert.deepEqual(world.types(), ["disconnected 0"]);
    assert.equal((await failureOf(world.cloud, awsIot.disconnect())).code, "CONNECTION_LOST");
    await world.close();
  });

  test("a failed attempt is CONNECTING with a negative result, and nothing follows", async () => {
    const world = new World();
    const awsIot = world.init();
    world.cloud.dialError = new ThinglineError("HOST_NOT_FOUND", "no such name");
    const error = await failureOf(world.cloud, awsIot.connect());
    // The original reports -10 here, "SIM out of data".
    assert.equal(connectResultOf(error), "network");
    await world.cloud.clock.advance(600_000);
    assert.deepEqual(world.types(), ["connecting 0", "connecting -3"]);
    assert.equal(world.cloud.dialCount, 1);
    await world.close();
  });

  test("a refused CONNACK is ERROR with its code, then DISCONNECTED, once", async () => {
    const answer: Answer = (_, self) => self.send({ type: "connack", isSessionPresent: false, reasonCode: 5 });
    const world = new World([], { answer });
    const awsIot = world.init();
    assert.equal(connectResultOf(await failureOf(world.cloud, awsIot.connect())), "refused");
    assert.deepEqual(world.types(), ["connecting 0", "error 5", "disconnected 3"]);
    await world.close();
  });

  test("the server that ends the connection is DISCONNECTED once; the library stays away until connect()", async () => {
    const world = new World();
    world.init();
    await world.connect();
    world.types();
    world.cloud.connection.end();
    await world.cloud.clock.advance(600_000);
    assert.deepEqual([world.types(), world.cloud.dialCount], [["disconnected 1"], 1]);
    await world.connect();
    assert.deepEqual(world.types(), ["connecting 0", "connected", "ready"]);
    await world.close();
  });

  test("the option reconnect makes it come back", async () => {
    const world = new World([], { reconnect: {} });
    world.init();
    await world.connect();
    world.types();
    world.cloud.connection.end();
    await world.cloud.clock.advance(10_000);
    assert.deepEqual(world.types(), ["disconnected 1", "connecting 0", "connected", "ready"]);
    await world.close();
  });

  test("a security tag given to connect() stays for later calls, and a reserved one is a warning", async () => {
    const world = new World();
    const awsIot = world.init();
    const reconnect = async (config?: { secTag?: number }) => {
      await world.connect(config);
      const ending = awsIot.disconnect();
      await world.cloud.clock.settle();
      await ending;
    };
    await reconnect();
    await reconnect({ secTag: 50 });
    await reconnect();
    world.types();
    await reconnect({ secTag: 16_842_753 });
    assert.deepEqual(world.secTags, [43, 50, 50, 16_842_753]);
    assert.equal(world.types()[0], "warning");
    assert.equal((await failureOf(world.cloud, awsIot.connect({ secTag: -1 }))).code, "OPTION_INVALID");
    await world.close();
  });

  test("without a poll thread the application drives, and no CONNECTING comes", async () => {
    const world = new World(["CONFIG_AWS_IOT_CONNECTION_POLL_THREAD=n"]);
    const awsIot = world.init();
    await world.connect();
    assert.deepEqual(world.types(), []);
    const polling = awsIot.poll();
    await world.cloud.clock.settle();
    assert.equal(await polling, "readable");
    awsIot.input();
    assert.deepEqual(world.types(), ["connected", "ready"]);
    assert.ok(awsIot.keepAliveTimeLeftMs() > 0);
    await world.close();
  });
});

describe("send()", () => {
  test("a type is the topic of the shadow; none needs a topic", async () => {
    const world = new World(["CONFIG_AWS_IOT_AUTO_DEVICE_SHADOW_REQUEST=n"]);
    const awsIot = world.init();
    await world.connect();
    world.types();
    world.cloud.packets.length = 0;
    const sent = [
      awsIot.send({ type: "get", topic: "ignored" }),
      awsIot.send({ type: "update", payload: "{}", qos: 1 }),
      awsIot.send({ type: "delete" }),
      awsIot.send({ topic: "a/b", payload: new Uint8Array([1]), isRetained: true }),
    ].map(watch);
    await world.cloud.clock.settle();
    assert.deepEqual(
      sent.map(({ state }) => state),
      ["done", "done", "done", "done"],
    );
    assert.deepEqual(
      world.cloud.packets.map((packet) => packet.type === "publish" && [packet.topic, packet.qos, packet.isRetained]),
      [
        ["$aws/things/my-thing/shadow/get", 0, false],
        ["$aws/things/my-thing/shadow/update", 1, false],
        ["$aws/things/my-thing/shadow/delete", 0, false],
        ["a/b", 0, true],
      ],
    );
    assert.deepEqual(world.types(), ["puback"]);
    for (const message of [{}, { type: "other" as "get" }, { topic: "a/+" }]) {
      const { code } = await failureOf(world.cloud, awsIot.send(message));
      assert.match(code, /^(OPTION_INVALID|TOPIC_NAME_INVALID)$/);
    }
    await world.close();
    assert.equal((await failureOf(world.cloud, awsIot.send({ topic: "a" }))).code, "CLOSED");
  });
});

describe("the application's topics", () => {
  test("the list has exactly the configured number, replaces the one before, and waits for the next connection", async () => {
    const world = new World(["CONFIG_AWS_IOT_APP_SUBSCRIPTION_LIST_COUNT=2"]);
    const awsIot = world.init();
    for (const topics of [[], ["a"], ["a", "b", "c"], ["a", "b/#/c"], ["a", 1 as unknown as string]]) {
      assert.throws(() => awsIot.subscriptionTopicsAdd(topics), { code: "OPTION_INVALID" });
    }
    awsIot.subscriptionTopicsAdd(["a", "b"]);
    awsIot.subscriptionTopicsAdd(["c", "d"]);
    assert.throws(() => awsIot.subscriptionTopicsAdd(["a"]), { code: "OPTION_INVALID" });
    await world.connect();
    const subscribe = world.cloud.packets.find((packet) => packet.type === "subscribe");
    assert.deepEqual(subscribe?.subscriptions, [
      { filter: "c", qos: 1 },
      { filter: "d", qos: 1 },
    ]);
    const ending = awsIot.disconnect();
    await world.cloud.clock.settle();
    await ending;
    world.cloud.types();
    awsIot.subscriptionTopicsClear();
    await world.connect();
    assert.deepEqual(world.cloud.types(), ["connect", "publish"]);
    await world.close();
  });

  test("a session that the cloud kept is told with the next connection that the list is empty", async () => {
    const answer: Answer = (packet, self) =>
      packet.type === "connect"
        ? self.send({ type: "connack", isSessionPresent: self.dialCount > 1, reasonCode: 0 })
        : agree(packet, self);
    const world = new World(["CONFIG_AWS_IOT_APP_SUBSCRIPTION_LIST_COUNT=1"], { answer });
    const awsIot = world.init();
    awsIot.subscriptionTopicsAdd(["a"]);
    await world.connect();
    awsIot.subscriptionTopicsClear();
    assert.ok(!world.cloud.types().includes("unsubscribe"));
    const ending = awsIot.disconnect();
    await world.cloud.clock.settle();
    await ending;
    await world.connect();
    assert.deepEqual(world.cloud.types(), ["disconnect", "connect", "unsubscribe", "publish"]);
    await world.close();
  });

  test("the default of the configuration refuses every list, as in the original; the option takes up to eight", async () => {
    const strict = new World();
    assert.throws(() => strict.init().subscriptionTopicsAdd(["a"]), { code: "OPTION_INVALID" });
    await strict.close();
    const free = new World([], { checksTopicCount: false });
    const awsIot = free.init();
    awsIot.subscriptionTopicsAdd(["a", "b", "c"]);
    assert.throws(() => awsIot.subscriptionTopicsAdd([..."abcdefghi"]), { code: "OPTION_INVALID" });
    await free.close();
  });

  test("subscribe() and unsubscribe() work at run time, and messages are events", async () => {
    const world = new World();
    const awsIot = world.init();
    await world.connect();
    const subscribing = awsIot.subscribe("a/+");
    await world.cloud.clock.settle();
    await subscribing;
    world.types();
    const overlapping = awsIot.subscribe("a/#");
    await world.cloud.clock.settle();
    await overlapping;
    world.cloud.send(world.cloud.message("a/b"));
    await world.cloud.clock.settle();
    assert.deepEqual(world.types(), ["dataReceived"]);
    const ending = awsIot.unsubscribe("a/+");
    await world.cloud.clock.settle();
    await ending;
    assert.equal(world.cloud.types().at(-1), "unsubscribe");
    await world.close();
  });
});

test("the numbers are those of the original's header", () => {
  const { warning, ...numbered } = awsIotEventTypes;
  assert.equal(warning, undefined);
  assert.deepEqual(
    Object.values(numbered),
    Array.from({ length: 14 }, (_, index) => index + 1),
  );
});
