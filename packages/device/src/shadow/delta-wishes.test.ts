import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { JsonObject, JsonValue } from "@thingline/protocol/shadow";
import { decodeAnswer, levelsMax, viewOf } from "./answers.js";
import type { ShadowDelta } from "./delta-view.js";
import { versionJumpMax } from "./delta-view.js";
import { defaultReportRetriesMax } from "./shadow-client.js";
import { ShadowWorld } from "./shadow-world.test.support.js";

interface Seen {
  world: ShadowWorld;
  read: ShadowDelta[];
  errors: unknown[];
  settle(): Promise<void>;
}

/** A device that answers every delta as `answer` says, with the version of the delta, as in the README. */
function device(answer: (state: JsonObject, world: ShadowWorld) => unknown, { isDelayed = false } = {}): Seen {
  const world = new ShadowWorld();
  world.isDelayed = isDelayed;
  const read: ShadowDelta[] = [];
  const errors: unknown[] = [];
  void (async () => {
    for await (const delta of world.client.deltas()) {
      read.push(delta);
      await Promise.resolve(answer(delta.state as JsonObject, world)).catch((error: unknown) => errors.push(error));
    }
  })();
  const settle = async (): Promise<void> => {
    for (let round = 0; round < 30; round++) {
      await world.clock.advance(0);
      world.arrive();
    }
  };
  return { world, read, errors, settle };
}

const states = ({ read }: Seen): unknown[] => read.map(({ state }) => state);
const updates = ({ world }: Seen): number => world.published.filter((topic) => topic.endsWith("/update")).length;
const clamp = ({ interval }: JsonObject, world: ShadowWorld) =>
  interval === undefined ? undefined : world.client.report({ interval: Math.min(interval as number, 3600) });

describe("a wish that was answered is told again only when it changes", () => {
  for (const isDelayed of [false, true]) {
    test(`a device that can only clamp reports once, messages ${isDelayed ? "in any turn" : "at once"}`, async () => {
      const seen = device(clamp, { isDelayed });
      await seen.settle();
      seen.world.write({ desired: { interval: 99_999 } });
      await seen.settle();
      assert.deepEqual(states(seen), [{ interval: 99_999 }]);
      assert.equal(updates(seen), 1);
      // A new loop is told once, and the connection is none.
      seen.world.disconnect();
      seen.world.connect();
      await seen.settle();
      assert.equal(updates(seen), 1);
      const again: unknown[] = [];
      const other = seen.world.client.deltas();
      void other.next().then(({ value }) => again.push(value?.state));
      await seen.settle();
      assert.deepEqual(again, [{ interval: 99_999 }]);
      for (const interval of [88_888, 60, 99_999]) {
        seen.world.write({ desired: { interval } });
        await seen.settle();
      }
      assert.deepEqual(states(seen).slice(1), [{ interval: 88_888 }, { interval: 60 }, { interval: 99_999 }]);
      assert.equal(updates(seen), 4);
    });
  }

  test("deltas that come ahead of the answer to the report are not told either", async () => {
    const seen = device(clamp, { isDelayed: true });
    await seen.settle();
    seen.world.write({ desired: { interval: 99_999 } });
    for (let round = 0; round < 30; round++) {
      await seen.world.clock.advance(0);
      seen.world.arrive((messages) => messages.toReversed());
    }
    assert.equal(updates(seen), 1);
  });

  test("of two wishes the one that was not answered is told again, once", async () => {
    const seen = device((state, world) => ("a" in state ? world.client.report({ a: 0 }) : world.client.report({})));
    await seen.settle();
    seen.world.write({ desired: { a: 1, b: { c: 2, d: [1] } } });
    await seen.settle();
    assert.deepEqual(states(seen), [{ a: 1, b: { c: 2, d: [1] } }, { b: { c: 2, d: [1] } }]);
    assert.deepEqual(seen.read[1]?.metadata, { b: seen.read[0]?.metadata["b"] });
    seen.world.write({ desired: { b: { c: 3 } } });
    await seen.settle();
    assert.deepEqual(states(seen).slice(2), [{ b: { c: 3 } }], "d was told, and met with a report");
  });

  test("a wish that was done, and is undone by the device itself, is told again", async () => {
    const seen = device((state, world) => world.client.report(state));
    await seen.settle();
    seen.world.write({ desired: { a: 1 } });
    await seen.settle();
    await seen.world.client.report({ a: 5 });
    await seen.settle();
    assert.deepEqual(states(seen), [{ a: 1 }, { a: 1 }]);
    assert.deepEqual(seen.world.document?.state.reported, { a: 1 });
  });

  test("decline() says no, without a message; a part of a wish may be declined", async () => {
    const seen = device((state, world) => world.client.decline("b" in state ? { b: state["b"] } : state));
    await seen.settle();
    seen.world.write({ desired: { a: 1, b: 2 } });
    await seen.settle();
    seen.world.write({ desired: { c: 3 } });
    await seen.settle();
    assert.deepEqual(states(seen), [
      { a: 1, b: 2 },
      { a: 1, c: 3 },
    ]);
    assert.equal(updates(seen), 0);
    seen.world.write({ desired: { b: 3 } });
    await seen.settle();
    assert.deepEqual(states(seen).slice(2), [{ b: 3 }]);
    assert.throws(() => seen.world.client.decline(undefined as never), { code: "OPTION_INVALID" });
  });

  test("a report that was refused answers nothing, and a conflict brings the wish again", async () => {
    let attempts = 0;
    const seen = device(async (_, world) => {
      attempts += 1;
      const { version } = seen.read.at(-1) ?? {};
      // Somebody writes in between, and so does the device itself, about something else.
      if (attempts === 1) await world.client.report({ telemetry: 1 });
      await world.client.report({ a: 0 }, { version: version ?? 0 });
    });
    await seen.settle();
    seen.world.write({ desired: { a: 1 } });
    await seen.settle();
    assert.deepEqual(states(seen), [{ a: 1 }, { a: 1 }]);
    assert.ok(isThinglineError(seen.errors[0], "SHADOW_VERSION_CONFLICT"), String(seen.errors[0]));
    assert.equal(seen.errors.length, 1);
    assert.equal(seen.world.document?.state.reported?.["a"], 0);
    seen.world.refusals.push({ code: 413, message: "" });
    seen.world.write({ desired: { a: 2 } });
    await seen.settle();
    assert.equal(seen.errors.length, 2);
    seen.world.write({ desired: { b: 1 } });
    await seen.settle();
    assert.deepEqual(states(seen).slice(-2), [{ a: 2, b: 1 }, { b: 1 }], "a was not answered before");
  });

  test("a throttled report is made again while there is a loop, and its signal ends that", async () => {
    const seen = device(clamp);
    await seen.settle();
    const throttled = { code: 429, message: "Too Many Requests" };
    seen.world.refusals.push(throttled, throttled, throttled);
    seen.world.write({ desired: { interval: 99_999 } });
    await seen.settle();
    await seen.world.clock.advance(60_000);
    assert.deepEqual(seen.errors, []);
    assert.equal(seen.world.document?.state.reported?.["interval"], 3600);
    seen.world.refusals.push(...Array.from({ length: 20 }, () => throttled));
    const abort = new AbortController();
    const reporting = seen.world.client.report({ a: 1 }, { signal: abort.signal });
    await seen.settle();
    abort.abort();
    await assert.rejects(reporting, { code: "ABORTED" });
    const before = updates(seen);
    const bounded = assert.rejects(seen.world.client.report({ a: 1 }), { code: "THROTTLED" });
    for (let round = 0; round < 20; round++) await seen.world.clock.advance(10_000);
    await bounded;
    assert.equal(updates(seen) - before, 1 + defaultReportRetriesMax);
  });
});

/** So many objects, the outermost counted. */
function nested(levels: number, leaf: JsonValue = 1): JsonObject {
  let state: JsonObject = { a: leaf };
  for (let level = 1; level < levels; level++) state = { a: state };
  return state;
}

test("a state of levelsMax levels is told; one with one more is reported, and the document asked for", async () => {
  const seen = device(() => undefined);
  const { world } = seen;
  await seen.settle();
  const deltaOf = (version: number, levels: number) => {
    const timestamp = world.nowSeconds;
    return { version, timestamp, state: nested(levels), metadata: nested(levels, { timestamp }) };
  };
  const gets = () => world.published.filter((topic) => topic.endsWith("/get")).length;
  const before = gets();
  world.send("update/delta", deltaOf(1, levelsMax));
  await seen.settle();
  assert.deepEqual(states(seen), [nested(levelsMax)]);
  assert.deepEqual([world.reported.length, gets()], [0, before]);
  world.send("update/delta", deltaOf(2, levelsMax + 1));
  await seen.settle();
  assert.equal(seen.read.length, 1);
  assert.deepEqual(
    world.reported.map(({ code }) => code),
    ["SHADOW_DOCUMENT_INVALID"],
  );
  assert.equal(gets(), before + 1);
  const answerOf = (levels: number) => {
    const { state, metadata, ...rest } = deltaOf(1, levels);
    const answer = { ...rest, state: { reported: state }, metadata: { reported: metadata } };
    return viewOf("get/accepted", decodeAnswer("get/accepted", new TextEncoder().encode(JSON.stringify(answer))));
  };
  assert.deepEqual(answerOf(levelsMax).state.reported, nested(levelsMax));
  assert.throws(() => answerOf(levelsMax + 1), { code: "SHADOW_DOCUMENT_INVALID" });
});

describe("a cloud that tells nonsense does not make the loop deaf", () => {
  const now = 1_700_000_000;
  const lies: [name: string, lie: unknown][] = [
    ["the highest version", { version: Number.MAX_SAFE_INTEGER, timestamp: now, state: { a: -1 }, metadata: {} }],
    [
      "a later time as well",
      { version: Number.MAX_SAFE_INTEGER, timestamp: Number.MAX_SAFE_INTEGER, state: { a: -1 }, metadata: {} },
    ],
    ["a version that is far ahead", { version: versionJumpMax + 100, timestamp: now, state: { a: -1 }, metadata: {} }],
    ["a version that is a little ahead", { version: 90, timestamp: now * 2, state: { a: -1 }, metadata: {} }],
    ["version 0 and a later time", { version: 0, timestamp: now * 2, state: { a: -1 }, metadata: {} }],
    ["the next version with another state", { version: 2, timestamp: now, state: { a: -1 }, metadata: {} }],
    ["no version", { timestamp: now, state: { a: -1 }, metadata: {} }],
    ["a version as text", { version: "2", timestamp: now, state: { a: -1 }, metadata: {} }],
    ["a fraction", { version: 1.5, timestamp: now, state: {}, metadata: {} }],
    ["a negative version", { version: -1, timestamp: now, state: {}, metadata: {} }],
    ["a version that no integer holds", { version: 1e300, timestamp: now, state: {}, metadata: {} }],
    ["a time of text", { version: 2, timestamp: "x", state: {}, metadata: {} }],
    ["no state", { version: 2, timestamp: now }],
    ["a state of null", { version: 2, timestamp: now, state: null }],
    ["an array as state", { version: 2, timestamp: now, state: [1] }],
    ["metadata of text", { version: 2, timestamp: now, state: { a: 1 }, metadata: "x" }],
    ["an array", [1]],
    ["no JSON", new TextEncoder().encode("{")],
    ["no UTF-8", Uint8Array.of(0x22, 0xff, 0x22)],
    [
      "levels that no stack holds",
      new TextEncoder().encode(`{"version":2,"timestamp":1,"state":{"a":${"[".repeat(50_000)}${"]".repeat(50_000)}}}`),
    ],
  ];
  for (const [name, lie] of lies) {
    test(`${name}: what is wanted after it is told, and what was wanted before is not lost`, async () => {
      const seen = device(() => undefined);
      await seen.settle();
      seen.world.write({ desired: { a: 1 } });
      await seen.settle();
      seen.world.send("update/delta", lie);
      await seen.settle();
      seen.world.write({ desired: { a: 2 } });
      await seen.settle();
      assert.deepEqual(seen.read.at(-1)?.state, { a: 2 });
      assert.equal(seen.read.at(-1)?.version, 2);
      assert.ok(seen.world.published.length < 20, `${seen.world.published.length} requests`);
      seen.world.write({ desired: { a: 3 } });
      await seen.settle();
      assert.deepEqual(seen.read.at(-1)?.state, { a: 3 });
      seen.world.client.end(new ThinglineError("CLOSED", "closed"));
    });
  }

  test("a delta that skips versionJumpMax versions is believed, and of one more the document is asked for", async () => {
    const seen = device(() => undefined);
    await seen.settle();
    seen.world.write({ desired: { a: 1 } });
    await seen.settle();
    const gets = () => seen.world.published.filter((topic) => topic.endsWith("/get")).length;
    const before = gets();
    const lie = (version: number) => ({
      version,
      timestamp: seen.world.nowSeconds,
      state: { a: version },
      metadata: {},
    });
    seen.world.send("update/delta", lie(1 + versionJumpMax));
    assert.deepEqual([gets() - before, seen.world.reported], [0, []]);
    await seen.settle();
    assert.equal(seen.read.at(-1)?.version, 1 + versionJumpMax);
    const { length } = seen.read;
    seen.world.send("update/delta", lie(2 + 2 * versionJumpMax));
    await seen.settle();
    assert.ok(gets() > before);
    assert.ok(
      seen.read.slice(length).every(({ version }) => version === 1),
      "the document's, and not the delta's",
    );
    seen.world.client.end(new ThinglineError("CLOSED", "closed"));
  });

  test("a get that is answered with nonsense is asked again", async () => {
    const world = new ShadowWorld();
    world.isSilent = true;
    const deltas = world.client.deltas();
    const next = deltas.next();
    await world.clock.advance(0);
    world.isSilent = false;
    world.write({ desired: { a: 1 } });
    assert.deepEqual((await world.clock.until(next)).value?.state, { a: 1 });
    world.client.end(new ThinglineError("CLOSED", "closed"));
  });
});

describe("a wish is not lost with a report that conflicts", () => {
  const inBetween: [string, object][] = [
    ["another wish", { desired: { mode: "eco" } }],
    ["a report of somebody else's, with the same difference", { reported: { load: 7 } }],
    ["both", { desired: { mode: "eco" }, reported: { load: 7 } }],
  ];
  for (const [name, written] of inBetween) {
    test(`${name} is written while a throttled report waits for its turn`, async () => {
      const seen = device((state, { client }) => {
        const { version } = seen.read.at(-1) as ShadowDelta;
        if (state["interval"] !== undefined) return client.report({ interval: 3600 }, { version });
        return client.decline(state);
      });
      await seen.settle();
      seen.world.refusals.push({ code: 429, message: "Too Many Requests" });
      seen.world.write({ desired: { interval: 99_999 } });
      await seen.settle();
      seen.world.write(written);
      await seen.settle();
      await seen.world.clock.advance(6_000);
      await seen.settle();
      assert.deepEqual(
        seen.errors.map((error) => isThinglineError(error, "SHADOW_VERSION_CONFLICT")),
        [true],
      );
      assert.equal(seen.world.document?.state.reported?.["interval"], 3600);
      assert.ok(seen.read.length <= 3, `told ${seen.read.length} times`);
    });
  }

  test("a report with a version that is never right is not asked for again and again", async () => {
    const seen = device((_, { client }) => client.report({ interval: 3600 }, { version: 1 }));
    seen.world.write({ reported: { on: true } });
    seen.world.write({ reported: { on: false } });
    await seen.settle();
    seen.world.write({ desired: { interval: 99_999 } });
    await seen.settle();
    await seen.settle();
    assert.ok(seen.read.length <= 2, `told ${seen.read.length} times`);
    assert.ok(updates(seen) <= 2, `${updates(seen)} updates`);
  });
});
