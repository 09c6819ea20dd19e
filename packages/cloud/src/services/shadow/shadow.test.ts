import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { loadModel } from "../../model/model.js";
import type { PlainShape } from "../../model/shapes.js";
import { shadowKey } from "./model.js";
import { nameShapes } from "./service.js";
import { encode, openShadowWorld, pump, type Published, type ShadowWorld } from "./shadow-world.test.support.js";
import { awsShadowLimits } from "./throttle.js";
import { scope } from "../world.test.support.js";

const hourMs = 60 * 60 * 1000;
const topicsOf = (published: readonly Published[]) => published.map(({ topic }) => topic);
const seconds = (world: ShadowWorld) => Math.floor(world.clock.unixMs() / 1000);
const named = { thingName: "pump-7", shadowName: "settings" };

test("an update is accepted, then its delta and both documents are published", async () => {
  const world = await openShadowWorld();
  const timestamp = seconds(world);
  const at = { timestamp };
  const first = await world.exchange("update", { state: { desired: { color: "red" } }, clientToken: "one" });
  const current = { state: { desired: { color: "red" } }, metadata: { desired: { color: at } }, version: 1 };
  assert.deepEqual(first, [
    { topic: "update/accepted", message: { ...current, timestamp, clientToken: "one" } },
    {
      topic: "update/delta",
      message: { version: 1, timestamp, state: { color: "red" }, metadata: { color: at }, clientToken: "one" },
    },
    { topic: "update/documents", message: { previous: null, current, timestamp, clientToken: "one" } },
  ]);
  const second = await world.exchange("update", { state: { reported: { color: "red" } } });
  assert.deepEqual(topicsOf(second), ["update/accepted", "update/documents"], "there is no difference any more");
  assert.deepEqual(second[1]?.message["previous"], current);
  // A report that leaves an old difference tells it again.
  await world.exchange("update", { state: { desired: { speed: 2 } } });
  const third = await world.exchange("update", { state: { reported: { level: 1 } } });
  assert.deepEqual(topicsOf(third), ["update/accepted", "update/delta", "update/documents"]);
  assert.deepEqual(third[1]?.message["state"], { speed: 2 });
  assert.equal(third[1]?.message["version"], third[0]?.message["version"]);
});

test("messages are QoS 1 and not retained", async () => {
  const world = await openShadowWorld();
  await world.ask("update", { state: {} });
  for (const effect of await world.takeEffects()) {
    assert.ok(effect.type === "publish");
    assert.deepEqual([effect.qos, effect.isRetained, effect.onlyToClientId], [1, undefined, undefined]);
  }
});

test("get answers with the whole shadow, and with 404 without a time when there is none", async () => {
  const world = await openShadowWorld();
  assert.deepEqual(await world.exchange("get", { clientToken: "t" }), [
    {
      topic: "get/rejected",
      message: { code: 404, message: "No shadow exists with name: 'pump-7'", clientToken: "t" },
    },
  ]);
  assert.deepEqual(await world.exchange("get", undefined, { id: named }), [
    {
      topic: "name/settings/get/rejected",
      message: { code: 404, message: "No shadow exists with name: 'pump-7~settings'" },
    },
  ]);
  await world.exchange("update", { state: { desired: { a: 1 }, reported: { a: 1 } } });
  await world.clock.advance(5_000);
  const [got] = await world.exchange("get");
  assert.equal(got?.topic, "get/accepted");
  assert.deepEqual(got.message["state"], { desired: { a: 1 }, reported: { a: 1 } });
  assert.equal(got.message["timestamp"], seconds(world));
  assert.ok(!("clientToken" in got.message));
});

test("classic and named shadows of a thing are apart", async () => {
  const world = await openShadowWorld();
  await world.exchange("update", { state: { desired: { a: 1 } } });
  const update = await world.exchange("update", { state: { desired: { b: 1 } } }, { id: named });
  assert.deepEqual(topicsOf(update), [
    "name/settings/update/accepted",
    "name/settings/update/delta",
    "name/settings/update/documents",
  ]);
  assert.equal(update[0]?.message["version"], 1);
  await world.exchange("delete", undefined, { id: named });
  const [classic] = await world.exchange("get");
  assert.deepEqual(classic?.message["state"], { desired: { a: 1 }, delta: { a: 1 } });
});

test("a deleted shadow's version goes on for 48 hours, and the deletion counts as one", async () => {
  const world = await openShadowWorld();
  for (let version = 1; version <= 11; version++) await world.exchange("update", { state: { desired: { version } } });
  assert.deepEqual(await world.exchange("delete", { clientToken: "t" }), [
    { topic: "delete/accepted", message: { version: 11, timestamp: seconds(world), clientToken: "t" } },
  ]);
  const [again] = await world.exchange("delete", "not even JSON");
  assert.deepEqual([again?.topic, again?.message["code"]], ["delete/rejected", 404]);
  await world.clock.advance(48 * hourMs - 1_000);
  const [conflict] = await world.exchange("update", { state: {}, version: 11 });
  assert.deepEqual([conflict?.topic, conflict?.message["code"]], ["update/rejected", 409]);
  const recreated = await world.exchange("update", { state: { reported: { a: 1 } }, version: 12 });
  assert.deepEqual([recreated[0]?.topic, recreated[0]?.message["version"]], ["update/accepted", 13]);
  assert.equal(recreated.at(-1)?.message["previous"], null);
  // The wake-up of the first deletion leaves a living shadow alone.
  await world.clock.advance(3 * hourMs);
  assert.equal((await world.exchange("get"))[0]?.message["version"], 13);
  await world.exchange("delete");
  await world.clock.advance(48 * hourMs);
  assert.equal((await world.exchange("update", { state: {} }))[0]?.message["version"], 1);
});

test("what is remembered of a deleted shadow is forgotten in the end", async () => {
  const world = await openShadowWorld();
  for (const id of [pump, named]) {
    for (let round = 0; round < 3; round++) {
      await world.exchange("update", { state: {} }, { id });
      await world.exchange("delete", undefined, { id });
    }
    assert.ok(await world.store.get(shadowKey(scope, id)));
  }
  assert.equal((await world.store.list(["", "", "wake"], { limit: 9 })).length, 2, "one wake-up for each shadow");
  await world.clock.advance(49 * hourMs);
  for (const id of [pump, named]) assert.equal(await world.store.get(shadowKey(scope, id)), undefined);
  assert.deepEqual(await world.store.list(["", "", "wake"], { limit: 9 }), []);
});

test("what is refused changes nothing and says why, with the client token and the time", async () => {
  const world = await openShadowWorld();
  await world.exchange("update", { state: { desired: { a: 1 } } });
  const timestamp = seconds(world);
  const longName = "s".repeat(65);
  const cases: [payload: unknown, code: number, message: string | RegExp, id?: typeof named][] = [
    [undefined, 400, "Missing update payload"],
    ["{", 400, "Invalid JSON"],
    [new Uint8Array([0xff]), 415, "Unsupported documented encoding; supported encoding is UTF-8"],
    [{ state: 1, clientToken: "t" }, 400, "State node must be an object"],
    [{ state: {}, version: 7, clientToken: "t" }, 409, "Version conflict"],
    [
      { state: { desired: { b: "x".repeat(8192) } }, clientToken: "t" },
      413,
      "The payload exceeds the maximum size allowed",
    ],
    [{ state: {}, clientToken: "t" }, 400, /'thingName' failed to satisfy constraint/, { ...named, thingName: "a b" }],
    [{ state: {}, clientToken: "t" }, 400, /'shadowName' failed to satisfy/, { ...named, shadowName: longName }],
  ];
  for (const [payload, code, text, id] of cases) {
    const published = await world.exchange("update", payload, { ...(id && { id }) });
    assert.equal(published.length, 1);
    const [{ topic, message }] = published as [Published];
    assert.ok(topic.endsWith("update/rejected"), topic);
    const { message: told, ...rest } = message;
    assert.match(String(told), typeof text === "string" ? new RegExp(`^${text}$`) : text);
    const isTokenSent = JSON.stringify(payload ?? "").includes("clientToken");
    assert.deepEqual(rest, { code, timestamp, ...(isTokenSent && { clientToken: "t" }) });
  }
  assert.ok(world.logged.filter((event) => event === "shadowRequestRejected").length >= cases.length);
  const [kept] = await world.exchange("get");
  assert.deepEqual([kept?.message["version"], kept?.message["state"]], [1, { desired: { a: 1 }, delta: { a: 1 } }]);
});

test("a failure of the service is answered with 500 and not acknowledged", async () => {
  const world = await openShadowWorld();
  world.store.peek = () => {
    throw new Error("the disk is on fire");
  };
  await assert.rejects(world.ask("update", { state: {}, clientToken: "t" }), /on fire/);
  const [rejected] = await world.take();
  assert.deepEqual(rejected, {
    topic: "update/rejected",
    message: { code: 500, message: "Internal service failure", timestamp: seconds(world), clientToken: "t" },
  });
});

test("a store that answers later is asked as well", async () => {
  const world = await openShadowWorld();
  delete world.store.peek;
  await Promise.all([1, 2, 3].map((at) => world.ask("update", { state: { desired: { [`k${at}`]: at } } })));
  const [got] = (await world.exchange("get")).slice(-1);
  assert.deepEqual(got?.message["version"], 3);
  assert.deepEqual((got.message["state"] as { desired: object }).desired, { k1: 1, k2: 2, k3: 3 });
});

test("a refusal amid requests that share a commit is answered, and nothing else is lost", async () => {
  const world = await openShadowWorld();
  const commits: number[] = [];
  const commit = world.store.commit.bind(world.store);
  world.store.commit = (operations) => {
    if (operations.some(({ key }) => key.includes("pump-7"))) commits.push(operations.length);
    return commit(operations);
  };
  await Promise.all([
    world.ask("update", { state: { desired: { a: 1 } }, version: 0, clientToken: "1" }),
    world.ask("update", { state: { desired: { b: 1 } }, version: 0, clientToken: "2" }),
    world.ask("update", "{"),
    world.ask("update", { state: { desired: { c: 1 } }, version: 1, clientToken: "4" }),
  ]);
  const answers = (await world.take()).filter(({ topic }) => !/delta|documents/.test(topic));
  assert.deepEqual(
    answers.map(({ topic, message }) => [topic, message["clientToken"], message["version"] ?? message["code"]]),
    [
      ["update/accepted", "1", 1],
      ["update/accepted", "4", 2],
      ["update/rejected", "2", 409],
      ["update/rejected", undefined, 400],
    ],
  );
  assert.equal(commits.length, 1, "one commit for all of them");
});

test("a hundred clients that update one shadow at once lose nothing", async () => {
  const world = await openShadowWorld();
  const all = Array.from({ length: 100 }, (_none, index) => index);
  await Promise.all(
    all.map((index) =>
      world.ask("update", { state: { reported: { [`k${index}`]: index } } }, { clientId: `c${index}` }),
    ),
  );
  const accepted = (await world.take()).filter(({ topic }) => topic === "update/accepted");
  assert.deepEqual(
    accepted.map(({ message }) => message["version"]),
    all.map((index) => index + 1),
  );
  const [{ message }] = (await world.exchange("get")) as [Published];
  assert.equal(Object.keys((message["state"] as { reported: object }).reported).length, 100);
});

test("requests of one client to one shadow are answered in their order", async () => {
  const world = await openShadowWorld();
  await Promise.all([
    world.ask("update", { state: { desired: { a: 1 } } }),
    world.ask("get"),
    world.ask("delete"),
    world.ask("update", { state: {} }),
  ]);
  assert.deepEqual(topicsOf(await world.take()), [
    ...["update/accepted", "update/delta", "update/documents", "get/accepted", "delete/accepted"],
    ...["update/accepted", "update/documents"],
  ]);
});

test("a cloud killed after the commit still publishes what it accepted", async () => {
  const world = await openShadowWorld({ isStarted: false });
  await world.run(world.shadows.updateThingShadow, { ...pump, payload: encode({ state: { desired: { a: 1 } } }) });
  assert.deepEqual(world.effects, []);
  await world.restart();
  assert.deepEqual(topicsOf(await world.take()), ["update/accepted", "update/delta", "update/documents"]);
});

test("more than ten requests in flight, or twenty a second to one thing, are rejected with 429", async () => {
  const world = await openShadowWorld({ limits: awsShadowLimits });
  await world.exchange("update", { state: {} });
  const count = async (clients: (request: number) => string, requests: number) => {
    await Promise.all(
      Array.from({ length: requests }, (_none, at) => world.ask("get", undefined, { clientId: clients(at) })),
    );
    const published = await world.take();
    const rejected = published.filter(({ message }) => message["code"] === 429);
    assert.equal(published.length, requests);
    for (const { message } of rejected) assert.equal(message["message"], "Too Many Requests");
    return rejected.length;
  };
  assert.equal(await count(() => "one", awsShadowLimits.requestsInFlightMax + 1), 1);
  await world.clock.advance(1_000);
  assert.equal(await count((at) => `client-${at % 5}`, 25), 5);
  assert.equal(await count(() => "one", 1), 1);
  await world.clock.advance(1_000);
  assert.equal(await count(() => "one", 1), 0);
});

test("with unknown things refused, a shadow needs its thing", async () => {
  const world = await openShadowWorld({ unknownThings: "refused" });
  for (const type of ["get", "update", "delete"] as const) {
    const [rejected] = await world.exchange(type, type === "update" ? { state: {} } : undefined);
    assert.deepEqual([rejected?.topic, rejected?.message["message"]], [`${type}/rejected`, "Thing not found"]);
    assert.equal(rejected?.message["code"], 404);
  }
  await assert.rejects(world.run(world.shadows.listNamedShadowsForThing, { thingName: "pump-7" }), (error) =>
    isThinglineError(error, "RESOURCE_NOT_FOUND"),
  );
  await world.run(world.registry.createThing, { thingName: "pump-7" });
  assert.equal((await world.exchange("update", { state: {} }))[0]?.topic, "update/accepted");
  assert.equal((await world.exchange("get"))[0]?.topic, "get/accepted");
  assert.equal((await world.exchange("delete"))[0]?.topic, "delete/accepted");
});

test("named shadows are listed page by page, without the classic one and deleted ones", async () => {
  const world = await openShadowWorld();
  const names = ["$a", "b", "c-1", "d:2", "e_3"];
  assert.deepEqual(await world.run(world.shadows.listNamedShadowsForThing, pump), {
    results: [],
    timestamp: seconds(world),
  });
  for (const shadowName of names) await world.exchange("update", { state: {} }, { id: { ...pump, shadowName } });
  await world.exchange("update", { state: {} });
  await world.exchange("update", { state: {} }, { id: { thingName: "pump-70", shadowName: "other" } });
  await world.exchange("delete", undefined, { id: { ...pump, shadowName: "c-1" } });
  const found: string[] = [];
  let nextToken: string | undefined;
  let pages = 0;
  do {
    const input = { ...pump, pageSize: 2, ...(nextToken !== undefined && { nextToken }) };
    const page = await world.run(world.shadows.listNamedShadowsForThing, input);
    assert.ok(page.results.length <= 2);
    found.push(...page.results);
    ({ nextToken } = page);
    pages++;
  } while (nextToken !== undefined);
  assert.deepEqual(found, ["$a", "b", "d:2", "e_3"]);
  assert.equal(pages, 2);
  for (const input of [{ pageSize: 0 }, { pageSize: 101 }, { nextToken: "what" }]) {
    await assert.rejects(world.run(world.shadows.listNamedShadowsForThing, { ...pump, ...input }), (error) =>
      isThinglineError(error, "REQUEST_INVALID"),
    );
  }
});

test("names of topics are checked by the shapes of AWS's model", async () => {
  const { input } = (await loadModel()).operation("iot-data", "GetThingShadow");
  for (const [name, shape] of Object.entries(nameShapes)) {
    const { type, min, max, pattern } = input.members.get(name)!.shape as PlainShape;
    assert.deepEqual(
      [shape.type, shape.min, shape.max, shape.pattern?.source],
      [type, min, max, pattern?.source],
      name,
    );
  }
});
