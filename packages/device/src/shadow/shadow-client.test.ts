import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorCode, isThinglineError, ThinglineError } from "@thingline/protocol";
import { shadowRequestsInFlightMax, shadowRequestsWaitingMax } from "./request-gate.js";
import { defaultShadowTimeoutMs, shadowAsksMax } from "./shadow-requests.js";
import { copyState, stateValuesMax } from "./shadow-state.js";
import { ShadowWorld } from "./shadow-world.test.support.js";

async function fails(promise: Promise<unknown>, code: ErrorCode, details: Record<string, unknown> = {}): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof ThinglineError, String(error));
    assert.equal(error.code, code, error.message);
    for (const [name, value] of Object.entries(details)) assert.equal(error.details[name], value);
    return true;
  });
}

test("get, update, report and delete are answered, each by its token", async () => {
  const { client, ...world } = new ShadowWorld();
  await fails(client.get(), "SHADOW_NOT_FOUND", { status: 404 });
  assert.deepEqual(await client.update({ desired: { on: true, mode: "a" } }), { version: 1, timestamp: 1_767_225_600 });
  const [first, second] = await Promise.all([
    client.report({ on: true }),
    client.report({ mode: "b" }, { version: 2 }),
  ]);
  assert.deepEqual([first.version, second.version], [2, 3]);
  const { state, version } = await client.get();
  assert.deepEqual(state, {
    desired: { on: true, mode: "a" },
    reported: { on: true, mode: "b" },
    delta: { mode: "a" },
  });
  assert.equal(version, 3);
  await client.update({ desired: null, reported: { mode: null } });
  assert.deepEqual((await client.get()).state, { reported: { on: true } });
  assert.equal((await client.delete()).version, 4);
  await fails(client.delete(), "SHADOW_NOT_FOUND");
  assert.equal(world.clock.timerCount, 0);
  assert.deepEqual(world.subscribed.length, 6);
});

test("what the cloud refuses has a code and the cloud's own status", async () => {
  const world = new ShadowWorld();
  const cases: [number, ErrorCode][] = [
    [400, "SHADOW_DOCUMENT_INVALID"],
    [403, "SHADOW_DOCUMENT_INVALID"],
    [409, "SHADOW_VERSION_CONFLICT"],
    [413, "SHADOW_TOO_LARGE"],
    [415, "SHADOW_ENCODING_UNSUPPORTED"],
    [429, "THROTTLED"],
    [500, "INTERNAL_FAILURE"],
  ];
  for (const [status, code] of cases) {
    world.refusals.push({ code: status, message: "no" });
    await fails(world.client.report({ on: true }), code, { status });
  }
  await fails(world.client.report({ a: [1, { t: NaN }] }), "OPTION_INVALID", { option: "reported.a[1].t" });
  await fails(world.client.update({ desired: { a: 1n as never } }), "OPTION_INVALID", { option: "desired.a" });
  await fails(world.client.update({ state: {} } as never), "OPTION_INVALID", { option: "state" });
  await fails(
    world.client.modify(() => ({ reported: [1] as never })),
    "OPTION_INVALID",
    { option: "reported" },
  );
  await fails(world.client.report({}, { timeout: 1 } as never), "OPTION_INVALID", {
    option: "timeout",
    nearest: "timeoutMs",
  });
  await fails(world.client.report({}, { version: 1.5 }), "OPTION_INVALID", { option: "version" });
  await fails(world.client.get({ timeoutMs: 0 }), "OPTION_INVALID", { option: "timeoutMs" });
  await fails(
    world.client.modify(() => ({}), { attemptsMax: 0 }),
    "OPTION_INVALID",
    { option: "attemptsMax" },
  );
});

test("a change that is no plain request, or cannot be read, is refused and not sent as an empty one", async () => {
  const world = new ShadowWorld();
  world.write({ reported: { on: false } });
  const boom = (): never => {
    throw new TypeError("boom");
  };
  const requests: object[] = [
    new Map([["reported", { on: true }]]),
    Promise.resolve({ reported: { on: true } }),
    new Date(),
    new Proxy({}, { ownKeys: boom }),
    Object.defineProperty({}, "reported", { enumerable: true, get: boom }),
  ];
  for (const request of requests) {
    await assert.rejects(world.client.update(request), (error) => isThinglineError(error, "OPTION_INVALID"));
  }
  assert.equal(world.document?.version, 1);
  await world.client.modify(async (document) => {
    await Promise.resolve();
    return { reported: { on: document?.state.reported?.["on"] === false } };
  });
  assert.deepEqual(world.document?.state, { reported: { on: true } });
  assert.equal(await world.client.modify(() => Promise.resolve(undefined)), undefined);
});

test("a throttled request is made again when that was asked for, with growing waits", async () => {
  const world = new ShadowWorld();
  const throttled = { code: 429, message: "Too Many Requests" };
  world.refusals.push(throttled, throttled);
  const updating = world.client.report({ on: true }, { throttledRetriesMax: 2 });
  assert.equal((await world.clock.until(updating)).version, 1);
  assert.equal(world.published.length, 3);
  world.refusals.push(throttled, throttled);
  await fails(world.clock.until(world.client.report({}, { throttledRetriesMax: 1 })), "THROTTLED");
});

test("an answer that does not come is a time-out, counted from PUBACK; a late one harms nobody", async () => {
  const world = new ShadowWorld();
  world.isSilent = true;
  await fails(world.clock.until(world.client.get()), "TIMEOUT", { waitedMs: defaultShadowTimeoutMs });
  world.send("get/accepted", { state: {}, metadata: {}, version: 1, timestamp: 1, clientToken: "late" });
  const controller = new AbortController();
  const waiting = world.client.get({ signal: controller.signal });
  await world.clock.advance(0);
  controller.abort();
  await fails(waiting, "ABORTED");
  assert.equal(world.clock.timerCount, 0);
});

test("modify reads again when somebody wrote in between, and gives up after its attempts", async () => {
  const world = new ShadowWorld();
  world.write({ reported: { count: 1 } });
  let calls = 0;
  const accepted = await world.client.modify((document) => {
    if (++calls === 1) world.write({ reported: { count: 10 } });
    const count = Number(document?.state.reported?.["count"] ?? 0);
    return { reported: { count: count + 1 } };
  });
  assert.deepEqual([calls, accepted?.version], [2, 3]);
  assert.deepEqual(world.document?.state.reported, { count: 11 });
  const disturbed = world.client.modify(
    () => {
      world.write({ reported: { other: world.clock.monotonicMs() } });
      return { reported: { count: 0 } };
    },
    { attemptsMax: 3 },
  );
  await fails(disturbed, "SHADOW_VERSION_CONFLICT");
  assert.equal(await world.client.modify(() => undefined), undefined);
});

test("at most ten requests of a device are under way; the line behind them has an end", async () => {
  const world = new ShadowWorld();
  world.isSilent = true;
  const requests = Array.from({ length: shadowRequestsInFlightMax + shadowRequestsWaitingMax }, () =>
    world.client.get(),
  );
  const settled = Promise.allSettled(requests);
  await world.clock.advance(0);
  assert.equal(world.published.length, shadowRequestsInFlightMax);
  await fails(world.client.get(), "LIMIT_EXCEEDED");
  world.client.end(new ThinglineError("CLOSED", "closed"));
  assert.ok((await settled).every(({ status }) => status === "rejected"));
  assert.equal(world.published.length, shadowRequestsInFlightMax);
  await fails(world.client.get(), "CLOSED");
});

test("deltas begin with the difference that there is, come once each, and the newest takes the place of unread ones", async () => {
  const world = new ShadowWorld();
  world.write({ desired: { on: true } });
  world.copies = () => 2;
  const deltas = world.client.deltas();
  const first = await deltas.next();
  assert.deepEqual([first.value?.version, first.value?.state], [1, { on: true }]);
  // The version of `update/accepted` is that of the delta behind it, which must not pass for known.
  await world.client.update({ desired: { mode: "a" } });
  world.write({ desired: { mode: "b" } });
  const second = await deltas.next();
  assert.deepEqual([second.value?.version, second.value?.state], [3, { on: true, mode: "b" }]);
  world.write({ reported: { on: true } });
  await world.client.report({ mode: "b" });
  const waiting = deltas.next();
  await world.clock.advance(0);
  // Only version 4 had a difference left; version 5 has none.
  assert.equal((await waiting).value?.version, 4);
  const end = deltas.next();
  await deltas.return?.();
  assert.deepEqual(await end, { done: true, value: undefined });
});

test("what was missed without a connection is told after it, and what is gone by then is not", async () => {
  const world = new ShadowWorld();
  const deltas = world.client.deltas();
  await world.clock.advance(0);
  world.write({ desired: { on: true } });
  assert.equal((await deltas.next()).value?.version, 1);
  world.disconnect();
  world.write({ desired: { on: false } });
  world.connect();
  assert.deepEqual((await deltas.next()).value?.state, { on: false });
  world.write({ desired: { on: true } });
  world.disconnect();
  world.write({ reported: { on: true } });
  world.connect();
  await world.clock.advance(0);
  world.write({ desired: { mode: "c" } });
  assert.deepEqual((await deltas.next()).value?.state, { mode: "c" });
  assert.deepEqual(world.reported, []);
});

test("a skipped version makes the loop ask for the document", async () => {
  const world = new ShadowWorld();
  world.write({ reported: { a: 1 } });
  const deltas = world.client.deltas();
  await world.clock.advance(0);
  world.copies = () => 0;
  world.write({ desired: { on: true } });
  world.copies = () => 1;
  world.isDelayed = true;
  const reporting = world.client.report({ a: 2 });
  await world.clock.advance(0);
  world.arrive((messages) => messages.filter(({ topic }) => !topic.endsWith("/delta")));
  world.isDelayed = false;
  await reporting;
  assert.deepEqual((await deltas.next()).value?.state, { on: true });
});

test("a shadow that was deleted, and made anew, is followed", async () => {
  const world = new ShadowWorld();
  world.write({ desired: { on: true } });
  const deltas = world.client.deltas();
  assert.equal((await deltas.next()).value?.version, 1);
  await world.client.delete();
  world.write({ desired: { on: true } });
  assert.equal((await deltas.next()).value?.version, 3);
  // After two days the version begins anew.
  await world.client.delete();
  world.deletedVersion = 0;
  await world.clock.advance(48 * 3600 * 1000);
  world.write({ desired: { on: false } });
  const made = await deltas.next();
  assert.deepEqual([made.value?.version, made.value?.state], [1, { on: false }]);
});

test("a synchronisation that fails is tried again; a refusal ends the loop", async () => {
  const world = new ShadowWorld();
  world.write({ desired: { on: true } });
  world.refusals.push({ code: 429, message: "" }, { code: 500, message: "" });
  const deltas = world.client.deltas();
  assert.equal((await world.clock.until(deltas.next())).value?.version, 1);
  assert.deepEqual(
    world.reported.map(({ code }) => code),
    ["THROTTLED", "INTERNAL_FAILURE"],
  );
  const refused = new ShadowWorld();
  refused.refusedFilter = "$aws/things/pump/shadow/update/delta";
  await fails(refused.client.deltas().next(), "MQTT_SUBSCRIPTION_REFUSED");
  const takenBack = new ShadowWorld();
  const loop = takenBack.client.deltas();
  const next = loop.next();
  await takenBack.clock.advance(0);
  takenBack.endSubscriptions(new ThinglineError("MQTT_SUBSCRIPTION_REFUSED", "not any more"));
  await fails(next, "MQTT_SUBSCRIPTION_REFUSED");
  assert.deepEqual(await loop.next(), { done: true, value: undefined });
});

test("without a connection a loop waits for one; the end of the device ends it, its timers too", async () => {
  const world = new ShadowWorld();
  world.disconnect();
  const deltas = world.client.deltas();
  const next = deltas.next();
  await world.clock.advance(0);
  world.write({ desired: { on: true } });
  world.connect();
  assert.equal((await next).value?.version, 1);
  world.refusals.push({ code: 500, message: "" });
  world.connect();
  await world.clock.advance(0);
  assert.equal(world.clock.timerCount, 1);
  const last = deltas.next();
  world.client.end(new ThinglineError("CLOSED", "closed"));
  assert.deepEqual(await last, { done: true, value: undefined });
  assert.equal(world.clock.timerCount, 0);
  await fails(world.client.deltas().next(), "CLOSED");
  const aborted = new AbortController();
  aborted.abort();
  await fails(new ShadowWorld().client.deltas({ signal: aborted.signal }).next(), "ABORTED");
});

test("what is no answer of a shadow service is reported, and hurts no request", async () => {
  const world = new ShadowWorld();
  const deltas = world.client.deltas();
  await world.clock.advance(0);
  const bytes = new Uint8Array([0xff, 0xfe]);
  const wrong = [bytes, [], { state: 1 }, { state: {}, version: -1, timestamp: 1 }, { state: {}, version: "2" }, null];
  for (const value of wrong) world.send("update/delta", value);
  world.send("get/accepted", bytes);
  assert.equal(world.reported.length, wrong.length + 1);
  assert.ok(world.reported.every(({ code }) => code === "SHADOW_DOCUMENT_INVALID"));
  world.write({ desired: { on: true } });
  assert.equal((await deltas.next()).value?.version, 1);
});

test("an update may have so many values, and not one more", () => {
  const update = (count: number) => copyState({ reported: { a: Array.from({ length: count }, () => 0) } });
  // The object and the array count as well.
  update(stateValuesMax - 2);
  assert.throws(() => update(stateValuesMax - 1), { code: "OPTION_INVALID" });
});

test("a get that no connection answers is asked so often, and not once more", async () => {
  const world = new ShadowWorld();
  world.isSilent = true;
  const asking = assert.rejects(world.client.get({ timeoutMs: 60_000 }), { code: "TIMEOUT" });
  await world.clock.advance(0);
  for (let count = 1; count <= shadowAsksMax; count++) {
    assert.equal(world.published.length, count);
    world.connect();
    await world.clock.advance(0);
  }
  await asking;
  assert.equal(world.published.length, shadowAsksMax);
  world.client.end(new ThinglineError("CLOSED", "closed"));
});
