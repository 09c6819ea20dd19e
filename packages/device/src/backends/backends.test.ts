import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import { createVirtualRandom } from "@thingline/transport/virtual";
import { agree, failureOf, FakeCloud, testPems, watch } from "../client/fake-cloud.test.support.js";
import { connectResultOf } from "../connection/result.js";
import { type AwsIotBackendOptions, createAwsIotBackend } from "./aws-iot.js";
import { createCloudBackend } from "./backend.js";
import { createMqttBackend, type MqttBackendOptions } from "./mqtt.js";
import { createBackendRegistry } from "./registry.js";
import type { CloudBackend, CloudEvent, CloudMessage } from "./types.js";

const nothing = (): void => undefined;

/** A backend of either kind at a fake cloud, its events in short. */
class World {
  readonly cloud = new FakeCloud({ answer: agree });
  readonly events: string[] = [];
  readonly topics: string[] = [];

  common() {
    const { cloud } = this;
    return { dialer: cloud, clock: cloud.clock, random: createVirtualRandom(1), clientId: "pump-7" };
  }

  awsIot(options: Partial<AwsIotBackendOptions> = {}): CloudBackend {
    return createAwsIotBackend({ host: "cloud.test", ...this.common(), ...options });
  }

  mqtt(options: Partial<MqttBackendOptions> = {}): CloudBackend {
    return createMqttBackend({ host: "broker.test", ...this.common(), ...options });
  }

  readonly handler = (event: CloudEvent): void => {
    const code = "resultCode" in event ? event.resultCode : "reasonCode" in event ? event.reasonCode : undefined;
    this.events.push(code === undefined ? event.type : `${event.type} ${code}`);
    if (event.type === "dataReceived") this.topics.push(event.message.endpoint.topic);
  };

  /** Lets what was asked for happen. */
  async run<Result>(work: Promise<Result>): Promise<Result> {
    work.catch(nothing);
    await this.cloud.clock.settle();
    return work;
  }

  async start(backend: CloudBackend): Promise<CloudBackend> {
    await this.run(backend.init(this.handler));
    await this.run(backend.connect());
    this.cloud.packets.length = 0;
    return backend;
  }

  async end(backend: CloudBackend): Promise<void> {
    await this.run(backend.uninit());
    assert.equal(this.cloud.clock.timerCount, 0);
    assert.ok(!this.cloud.connection.isStarted || this.cloud.connection.isEnded);
  }
}

const refusal = async (work: () => unknown): Promise<[string, string]> => {
  try {
    await work();
  } catch (error) {
    assert.ok(error instanceof ThinglineError);
    return [error.code, connectResultOf(error)];
  }
  return ["nothing", ""];
};

const callsOf = (backend: CloudBackend): (() => unknown)[] => [
  () => backend.connect(),
  () => backend.disconnect(),
  () => backend.send({ endpoint: { topic: "a" }, payload: "" }),
  () => backend.poll(),
  () => backend.input(),
  () => backend.subscriptionsAdd([{ topic: "a" }]),
  () => backend.subscriptionsRemove([{ topic: "a" }]),
  () => backend.uninit(),
];

describe("a backend", () => {
  test("refuses every operation that it does not have with one code, and ping succeeds without one", async () => {
    const backend = createCloudBackend("bare", { init: nothing });
    await backend.init(nothing);
    for (const call of callsOf(backend)) {
      assert.deepEqual(await refusal(call), ["BACKEND_UNSUPPORTED", "invalidParameter"], String(call));
      if (!backend.isInitialised) await backend.init(nothing);
    }
    backend.ping();
    assert.equal(backend.keepAliveTimeLeftMs(), Infinity);
  });

  test("is initialised once, before anything else, and again after uninit()", async () => {
    let failures = 1;
    const init = (): void => {
      if (failures-- > 0) throw new ThinglineError("OPTION_INVALID", "not yet");
    };
    const backend = createCloudBackend("own", { init, uninit: nothing });
    const refused = [...callsOf(backend), () => backend.ping(), () => backend.keepAliveTimeLeftMs()];
    for (const call of refused) assert.deepEqual(await refusal(call), ["NOT_INITIALISED", "notInitialised"]);
    assert.equal((await refusal(() => backend.init(undefined as never)))[0], "OPTION_INVALID");
    assert.equal((await refusal(() => backend.init(nothing)))[0], "OPTION_INVALID");
    await backend.init(nothing);
    assert.equal((await refusal(() => backend.init(nothing)))[0], "ALREADY_INITIALISED");
    await backend.uninit();
    assert.equal(backend.isInitialised, false);
    await backend.init(nothing);
  });

  test("keeps the application's data, and has a name", () => {
    const backend = createCloudBackend("own", { init: nothing });
    backend.userData = 7;
    assert.equal(backend.userData, 7);
    assert.throws(() => (backend.userData = undefined), { code: "OPTION_INVALID" });
    assert.throws(() => createCloudBackend("", { init: nothing }), { code: "OPTION_INVALID" });
  });
});

for (const kind of ["awsIot", "mqtt"] as const) {
  describe(`the backend ${kind}`, () => {
    test("connects, sends and receives, with events in the original's words", async () => {
      const world = new World();
      const backend = await world.start(world[kind]({ applicationTopics: ["a/#"] }));
      assert.deepEqual(world.events.splice(0), ["connecting 0", "connected", "ready"]);
      const sent = watch(backend.send({ endpoint: { topic: "a/b" }, payload: "hello", qos: 1 }));
      await world.cloud.clock.settle();
      assert.equal(sent.state, "done");
      await world.run(backend.send({ endpoint: { type: "message", topic: "a/c" }, payload: new Uint8Array(1) }));
      world.cloud.send(world.cloud.message("a/d", { qos: 1 }));
      await world.cloud.clock.settle();
      backend.ping();
      await world.cloud.clock.settle();
      assert.ok(backend.keepAliveTimeLeftMs() > 0);
      assert.deepEqual(world.cloud.types(), ["publish", "publish", "puback", "pingreq"]);
      assert.deepEqual([world.events.splice(0), world.topics], [["dataSent", "dataReceived"], ["a/d"]]);
      await world.run(backend.disconnect());
      assert.deepEqual(world.events.splice(0), ["disconnected 0"]);
      await world.run(backend.connect());
      await world.end(backend);
      assert.equal((await refusal(() => backend.connect()))[0], "NOT_INITIALISED");
      await world.start(backend);
      await world.end(backend);
    });

    test("a failed connect has a result", async () => {
      const world = new World();
      const backend = world[kind]();
      await backend.init(world.handler);
      world.cloud.dialError = new ThinglineError("HOST_NOT_FOUND", "no such name");
      const error = await failureOf(world.cloud, backend.connect());
      assert.equal(connectResultOf(error), "network");
      assert.deepEqual(world.events, ["connecting 0", "connecting -3"]);
      await world.end(backend);
    });

    test("topics are wanted at once when it is connected, else with the next connection, and until they are removed", async () => {
      const world = new World();
      const backend = world[kind]();
      await backend.init(world.handler);
      await backend.subscriptionsAdd([{ type: "state", topic: "early/#" }]);
      await world.run(backend.connect());
      assert.deepEqual(world.cloud.types(), ["connect", "subscribe"]);
      await world.run(backend.subscriptionsAdd([{ topic: "late" }]));
      assert.deepEqual(world.cloud.types(), ["subscribe"]);
      world.cloud.send(world.cloud.message("early/a"), world.cloud.message("late"));
      await world.cloud.clock.settle();
      assert.deepEqual(world.topics, ["early/a", "late"]);
      await world.run(backend.subscriptionsAdd([{ topic: "early/+" }]));
      world.cloud.send(world.cloud.message("early/b"));
      await world.cloud.clock.settle();
      // Once, although two of the topics fit.
      assert.deepEqual(world.topics.splice(0), ["early/a", "late", "early/b"]);
      world.cloud.types();
      const all = ["early/#", "late", "early/+"].map((topic) => ({ topic }));
      await world.run(backend.subscriptionsRemove(all));
      assert.deepEqual(world.cloud.types(), ["unsubscribe"]);
      await world.run(backend.disconnect());
      await world.run(backend.connect());
      assert.deepEqual(world.cloud.types(), ["disconnect", "connect"]);
      for (const topic of ["", undefined, "a/#/b"]) {
        const [code] = await refusal(() => backend.subscriptionsAdd([topic === undefined ? {} : { topic }]));
        assert.match(code, /OPTION_INVALID|TOPIC_FILTER_INVALID/);
      }
      await world.end(backend);
    });

    test("the client id may be the application's at run time", async () => {
      const world = new World();
      const backend = world[kind]({ clientId: undefined });
      assert.equal((await refusal(() => backend.init(world.handler)))[0], "OPTION_INVALID");
      assert.equal((await refusal(() => backend.init(world.handler, { clientId: "" })))[0], "OPTION_INVALID");
      await backend.init(world.handler, { clientId: "pump-8" });
      await world.run(backend.connect());
      const [connect] = world.cloud.packets;
      assert.equal(connect?.type === "connect" && connect.clientId, "pump-8");
      await world.end(backend);
    });

    test("the application may drive it", async () => {
      const world = new World();
      const backend = world[kind]({ driver: "application" });
      await world.start(backend);
      assert.deepEqual(world.events, []);
      assert.equal(await world.run(backend.poll()), "readable");
      backend.input();
      assert.deepEqual(world.events, ["connected", "ready"]);
      await world.end(backend);
    });

    test("refuses messages that it cannot send", async () => {
      const world = new World();
      const backend = await world.start(world[kind]());
      const cases: [CloudMessage, string][] = [
        [{ endpoint: {}, payload: "" }, "OPTION_INVALID"],
        [{ endpoint: { topic: "" }, payload: "" }, "OPTION_INVALID"],
        [{ endpoint: { type: "other" as "state" }, payload: "" }, "OPTION_INVALID"],
        [{ endpoint: { topic: "a/+" }, payload: "" }, "TOPIC_NAME_INVALID"],
        [{ endpoint: { topic: "a" }, payload: "", qos: 2 }, "BACKEND_UNSUPPORTED"],
        [{ endpoint: { type: "pair" }, payload: "" }, "BACKEND_UNSUPPORTED"],
      ];
      for (const [message, code] of cases) assert.equal((await refusal(() => backend.send(message)))[0], code);
      assert.deepEqual(world.cloud.types(), []);
      await world.end(backend);
    });

    test("bad options are found when it is made", () => {
      const world = new World();
      assert.throws(() => world[kind]({ keepAliveSeconds: 0 }), { code: "OPTION_INVALID" });
    });
  });
}

const stateTypes = ["state", "stateGet", "stateDelete"] as const;

test("options of a backend may be of a class of the application's", async () => {
  const world = new World();
  const common = world.common();
  class Settings {
    get host(): string {
      return "class.test";
    }
    get dialer(): FakeCloud {
      return common.dialer;
    }
  }
  for (const create of [createAwsIotBackend, createMqttBackend]) {
    const { clientId, clock, random } = common;
    const options = Object.assign(new Settings(), { clientId, clock, random });
    const backend = create(options);
    await backend.init(world.handler);
    const connecting = watch(backend.connect());
    await world.cloud.clock.settle();
    assert.deepEqual([connecting.state, world.cloud.target?.host], ["done", "class.test"]);
    await world.end(backend);
  }
});

describe("state endpoints", () => {
  const topicsSent = async (world: World, backend: CloudBackend): Promise<unknown[]> => {
    for (const type of stateTypes)
      await world.run(backend.send({ endpoint: { type, topic: "ignored" }, payload: "{}" }));
    return world.cloud.packets.map((packet) => packet.type === "publish" && packet.topic);
  };

  test("are the classic shadow of AWS IoT", async () => {
    const world = new World();
    const backend = await world.start(world.awsIot());
    assert.deepEqual(await topicsSent(world, backend), [
      "$aws/things/pump-7/shadow/update",
      "$aws/things/pump-7/shadow/get",
      "$aws/things/pump-7/shadow/delete",
    ]);
    await world.end(backend);
  });

  test("are topics of choice at a broker, and its answers are subscribed", async () => {
    const world = new World();
    const stateTopics = {
      state: "devices/{clientId}/state",
      stateGet: "devices/{clientId}/state/get",
      stateDelete: "devices/{clientId}/state/delete",
      subscribe: ["devices/{clientId}/wanted"],
    };
    const backend = world.mqtt({ stateTopics });
    await backend.init(world.handler);
    await world.run(backend.connect());
    const subscribe = world.cloud.packets.find((packet) => packet.type === "subscribe");
    assert.deepEqual(subscribe?.subscriptions, [{ filter: "devices/pump-7/wanted", qos: 1 }]);
    world.cloud.packets.length = 0;
    assert.deepEqual(await topicsSent(world, backend), [
      "devices/pump-7/state",
      "devices/pump-7/state/get",
      "devices/pump-7/state/delete",
    ]);
    await world.end(backend);
  });

  test("are not supported by a broker without them", async () => {
    const world = new World();
    const backend = await world.start(world.mqtt());
    for (const type of stateTypes) {
      const [code] = await refusal(() => backend.send({ endpoint: { type }, payload: "" }));
      assert.equal(code, "BACKEND_UNSUPPORTED");
    }
    await world.end(backend);
    assert.throws(() => world.mqtt({ stateTopics: { state: "a/#" } }), { code: "OPTION_INVALID" });
    assert.throws(() => world.mqtt({ stateTopics: { subscribe: ["a/#/b"] } }), { code: "OPTION_INVALID" });
  });
});

describe("a plain broker", () => {
  const targetOf = async (options: object): Promise<unknown> => {
    const world = new World();
    const backend = await world.start(world.mqtt({ host: undefined, ...options }));
    await world.end(backend);
    const { host, port, tls } = world.cloud.target ?? {};
    return [host, port, tls?.alpnProtocols];
  };
  const tls = { ca: testPems.ca };

  test("has port 1883 without TLS and 8883 with it", async () => {
    assert.deepEqual(await targetOf({ host: "b" }), ["b", 1883, undefined]);
    assert.deepEqual(await targetOf({ host: "b", tls }), ["b", 8883, undefined]);
    assert.deepEqual(await targetOf({ host: "b", port: 443, tls }), ["b", 443, ["mqtt"]]);
    // A server of WebSockets speaks HTTP first.
    assert.deepEqual(await targetOf({ host: "b", port: 443, tls, webSocket: { path: "/mqtt" } }), [
      "b",
      443,
      undefined,
    ]);
    const world = new World();
    const { host: _, ...rest } = { host: "", ...world.common() };
    for (const [endpoint, expected] of [
      ["b", 1883],
      ["b:7", 7],
      ["[::1]", 1883],
      ["[::1]:7", 7],
    ] as const) {
      const backend = await world.start(createMqttBackend({ endpoint, ...rest }));
      assert.equal(world.cloud.target?.port, expected, endpoint);
      await world.end(backend);
    }
  });

  test("gets a user name and password", async () => {
    const world = new World();
    const backend = world.mqtt({ username: "pump", password: "secret" });
    await backend.init(world.handler);
    await world.run(backend.connect());
    const [connect] = world.cloud.packets;
    assert.ok(connect?.type === "connect");
    assert.deepEqual([connect.username, new TextDecoder().decode(connect.password)], ["pump", "secret"]);
    await world.end(backend);
  });
});

describe("a registry", () => {
  test("finds backends by their exact name", () => {
    const world = new World();
    const registry = createBackendRegistry([world.awsIot(), world.mqtt()]);
    assert.deepEqual(registry.names, ["AWS_IOT", "MQTT"]);
    assert.equal(registry.get("MQTT").name, "MQTT");
    assert.throws(() => registry.get("mqtt"), { code: "BACKEND_UNKNOWN", message: /AWS_IOT, MQTT/ });
    assert.throws(() => createBackendRegistry([]), { code: "OPTION_INVALID" });
    assert.throws(() => createBackendRegistry([world.mqtt(), world.mqtt()]), { code: "OPTION_INVALID" });
  });

  test("switches from one to the other and back in one process, one after the other", async () => {
    const [first, second] = [new World(), new World()];
    const registry = createBackendRegistry([first.awsIot(), second.mqtt()]);
    const aws = await registry.use("AWS_IOT", first.handler);
    await first.run(aws.connect());
    assert.equal(registry.current, aws);
    await refusal(() => registry.use("NRF_CLOUD", first.handler));
    assert.equal(registry.current, aws);
    const switching = registry.use("MQTT", second.handler);
    const back = registry.use("AWS_IOT", first.handler);
    await first.cloud.clock.settle();
    const mqtt = await switching;
    assert.equal(mqtt.name, "MQTT");
    assert.deepEqual(first.events, ["connecting 0", "connected", "ready", "disconnected 0"]);
    assert.equal(await back, aws);
    assert.equal(mqtt.isInitialised, false);
    await first.run(registry.close());
    assert.equal(registry.current, undefined);
    assert.equal(aws.isInitialised, false);
    await registry.close();
  });

  test("has none in use when the next one cannot be initialised", async () => {
    const world = new World();
    const bad = createCloudBackend("bad", {
      init: () => {
        throw new ThinglineError("OPTION_INVALID", "no");
      },
    });
    const registry = createBackendRegistry([world.mqtt(), bad]);
    const mqtt = await registry.use("MQTT", world.handler);
    assert.equal((await refusal(() => world.run(registry.use("bad", nothing))))[0], "OPTION_INVALID");
    assert.deepEqual([registry.current, mqtt.isInitialised], [undefined, false]);
    await registry.use("MQTT", world.handler);
    await world.run(registry.close());
  });
});
