// The Device Shadow service of a whole local cloud: MQTT.js over mutual TLS and the unmodified AWS SDK, on real sockets.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import {
  ConflictException,
  DeleteThingShadowCommand,
  GetThingShadowCommand,
  InvalidRequestException,
  ListNamedShadowsForThingCommand,
  RequestEntityTooLargeException,
  ResourceNotFoundException,
  UnsupportedDocumentEncodingException,
  UpdateThingShadowCommand,
} from "@aws-sdk/client-iot-data-plane";
import type mqtt from "mqtt";
import { connectClient, createDevice, openDataPlane, openWorld, type World } from "./cloud-world.test.support.js";

type Message = Record<string, unknown>;

/** Messages in the order of their arrival, each taken once. */
class Inbox {
  readonly #messages: { topic: string; message: Message }[] = [];
  #arrived: () => void = () => undefined;

  constructor(client: mqtt.MqttClient) {
    client.on("message", (topic, payload) => {
      this.#messages.push({ topic, message: JSON.parse(payload.toString("utf8")) as Message });
      this.#arrived();
    });
  }

  /** The next message, which must be on this topic. */
  async next(topic: string): Promise<Message> {
    while (this.#messages.length === 0) await new Promise<void>((resolve) => (this.#arrived = resolve));
    const { topic: came, message } = this.#messages.shift()!;
    assert.equal(came, topic, JSON.stringify(message));
    return message;
  }

  get isEmpty(): boolean {
    return this.#messages.length === 0;
  }
}

async function connectThing(context: TestContext, world: World, thingName: string, prefix: string) {
  const credentials = await createDevice(world.iot, { thingName });
  const client = await connectClient(context, world.started, credentials, { clientId: thingName });
  const inbox = new Inbox(client);
  await client.subscribeAsync(
    ["get/+", "update/+", "delete/+"].map((tail) => `${prefix}/${tail}`),
    { qos: 1 },
  );
  const ask = (type: string, value?: unknown) =>
    client.publishAsync(`${prefix}/${type}`, value === undefined ? "" : JSON.stringify(value), { qos: 1 });
  return { client, inbox, ask };
}

const read = (payload: Uint8Array | undefined) => JSON.parse(new TextDecoder().decode(payload)) as Message;
const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

for (const shadowName of [undefined, "settings"]) {
  test(`a device works with its ${shadowName === undefined ? "classic" : "named"} shadow over MQTT`, async (context) => {
    const world = await openWorld(context);
    const prefix = `$aws/things/pump/shadow${shadowName === undefined ? "" : `/name/${shadowName}`}`;
    const { inbox, ask } = await connectThing(context, world, "pump", prefix);

    await ask("get", { clientToken: "1" });
    const missing = await inbox.next(`${prefix}/get/rejected`);
    assert.deepEqual([missing["code"], missing["clientToken"]], [404, "1"]);

    await ask("update", { state: { desired: { color: "red" }, reported: { color: "blue" } }, clientToken: "2" });
    const accepted = await inbox.next(`${prefix}/update/accepted`);
    assert.deepEqual([accepted["version"], accepted["clientToken"]], [1, "2"]);
    const delta = await inbox.next(`${prefix}/update/delta`);
    assert.deepEqual([delta["version"], delta["state"]], [1, { color: "red" }]);
    const documents = await inbox.next(`${prefix}/update/documents`);
    assert.equal(documents["previous"], null);

    await ask("update", { state: { reported: { color: "red" } }, version: 1 });
    assert.equal((await inbox.next(`${prefix}/update/accepted`))["version"], 2);
    await inbox.next(`${prefix}/update/documents`);

    await ask("update", { state: { reported: { color: "green" } }, version: 1 });
    assert.equal((await inbox.next(`${prefix}/update/rejected`))["code"], 409);

    await ask("get");
    const got = await inbox.next(`${prefix}/get/accepted`);
    assert.deepEqual(got["state"], { desired: { color: "red" }, reported: { color: "red" } });

    await ask("delete");
    assert.equal((await inbox.next(`${prefix}/delete/accepted`))["version"], 2);
    await ask("update", { state: { reported: { color: "red" } } });
    assert.equal((await inbox.next(`${prefix}/update/accepted`))["version"], 4);
    await inbox.next(`${prefix}/update/documents`);
    assert.ok(inbox.isEmpty);
  });
}

test("the unmodified AWS SDK reads and writes shadows, and devices see what it does", async (context) => {
  const world = await openWorld(context);
  const prefix = "$aws/things/pump/shadow";
  const { inbox, ask } = await connectThing(context, world, "pump", prefix);
  const data = openDataPlane(context, world);
  const thingName = "pump";

  await assert.rejects(data.send(new GetThingShadowCommand({ thingName })), ResourceNotFoundException);
  const update = (value: unknown) =>
    data.send(
      new UpdateThingShadowCommand({ thingName, payload: value instanceof Uint8Array ? value : encode(value) }),
    );
  const updated = await update({ state: { desired: { color: "red" } }, clientToken: "rest" });
  const accepted = await inbox.next(`${prefix}/update/accepted`);
  assert.deepEqual(read(updated.payload), accepted, "over MQTT as over HTTP");
  assert.deepEqual([accepted["version"], accepted["clientToken"]], [1, "rest"]);
  assert.deepEqual((await inbox.next(`${prefix}/update/delta`))["state"], { color: "red" });
  await inbox.next(`${prefix}/update/documents`);

  await ask("update", { state: { reported: { color: "red" } } });
  await inbox.next(`${prefix}/update/accepted`);
  await inbox.next(`${prefix}/update/documents`);
  const got = read((await data.send(new GetThingShadowCommand({ thingName }))).payload);
  assert.deepEqual(got["state"], { desired: { color: "red" }, reported: { color: "red" } });
  assert.equal(got["version"], 2);

  await assert.rejects(update({ state: {}, version: 1 }), (error) => {
    assert.ok(error instanceof ConflictException);
    assert.equal(error.message, "Version conflict");
    assert.equal(error.$metadata.httpStatusCode, 409);
    return true;
  });
  await assert.rejects(update({ state: 1 }), InvalidRequestException);
  await assert.rejects(update({ state: { desired: { a: "x".repeat(8192) } } }), RequestEntityTooLargeException);
  await assert.rejects(update(new Uint8Array([0xff])), UnsupportedDocumentEncodingException);

  const deleted = await data.send(new DeleteThingShadowCommand({ thingName }));
  assert.deepEqual(read(deleted.payload), await inbox.next(`${prefix}/delete/accepted`));
  await assert.rejects(data.send(new DeleteThingShadowCommand({ thingName })), ResourceNotFoundException);
  // Refusals of requests over HTTP are not told over MQTT: nothing else came.
  await ask("get");
  await inbox.next(`${prefix}/get/rejected`);
});

test("the AWS SDK lists named shadows page by page", async (context) => {
  const world = await openWorld(context);
  const data = openDataPlane(context, world);
  const thingName = "pump";
  const names = ["$a", "b:1", "c"];
  for (const shadowName of [undefined, ...names]) {
    const payload = encode({ state: { reported: { shadowName: shadowName ?? "classic" } } });
    await data.send(new UpdateThingShadowCommand({ thingName, shadowName, payload }));
    const got = await data.send(new GetThingShadowCommand({ thingName, shadowName }));
    assert.deepEqual(read(got.payload)["state"], { reported: { shadowName: shadowName ?? "classic" } });
  }
  const first = await data.send(new ListNamedShadowsForThingCommand({ thingName, pageSize: 2 }));
  assert.deepEqual(first.results, ["$a", "b:1"]);
  assert.ok(Math.abs((first.timestamp ?? 0) - Date.now() / 1000) < 60);
  const second = await data.send(new ListNamedShadowsForThingCommand({ thingName, nextToken: first.nextToken }));
  assert.deepEqual([second.results, second.nextToken], [["c"], undefined]);
});

test("updates of one shadow from devices and over HTTP at once are all kept, each with a version of its own", async (context) => {
  const world = await openWorld(context);
  const prefix = "$aws/things/shared/shadow";
  const observer = await connectThing(context, world, "shared", prefix);
  const data = openDataPlane(context, world);
  const devices = await Promise.all(
    ["one", "two", "three"].map(async (clientId) =>
      connectClient(context, world.started, await createDevice(world.iot), { clientId }),
    ),
  );
  const perWriter = 40;
  const writers = [
    ...devices.map(
      (device, writer) => (state: object) =>
        device.publishAsync(`${prefix}/update`, JSON.stringify({ state, clientToken: `${writer}` }), { qos: 1 }),
    ),
    (state: object) => data.send(new UpdateThingShadowCommand({ thingName: "shared", payload: encode({ state }) })),
  ];
  await Promise.all(
    writers.flatMap((write, writer) =>
      Array.from({ length: perWriter }, (_none, at) => write({ reported: { [`w${writer}-${at}`]: at } })),
    ),
  );
  for (let version = 1; version <= writers.length * perWriter; version++) {
    assert.equal((await observer.inbox.next(`${prefix}/update/accepted`))["version"], version);
    await observer.inbox.next(`${prefix}/update/documents`);
  }
  await observer.ask("get");
  const got = await observer.inbox.next(`${prefix}/get/accepted`);
  assert.equal(Object.keys((got["state"] as { reported: object }).reported).length, writers.length * perWriter);
});
