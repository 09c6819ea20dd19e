import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { Keys, Random } from "@thingline/transport";
import { createVirtualClock, type VirtualClock } from "@thingline/transport/virtual";
import type { Log } from "../log.js";
import { createMemoryStore } from "../store/memory.js";
import type { Store, StoreReader } from "../store/store.js";
import type { Effect, Operation, Scope } from "./operation.js";
import { effectAttemptsMax, type EffectPerformer } from "./outbox.js";
import { defaultPendingEffectsMax, openOperationRunner, type EffectRunner } from "./runner.js";
import type { WakeHandler } from "./wake-ups.js";

const scope: Scope = { account: "123456789012", region: "us-east-1" };

interface World {
  store: Store;
  time: VirtualClock;
  performed: string[];
  logged: string[];
  runner: EffectRunner;
  performer: EffectPerformer;
}

async function openWorld(
  options: { store?: Store; time?: VirtualClock; pendingEffectsMax?: number } = {},
): Promise<World> {
  const store = options.store ?? createMemoryStore();
  const time = options.time ?? createVirtualClock({ unixMs: 1_000_000 });
  const performed: string[] = [];
  const logged: string[] = [];
  const note = (event: string) => void logged.push(event);
  const log: Log = { debug: note, info: note, warn: note, error: note };
  const unused = {} as Random & Keys;
  const performer: EffectPerformer = {
    publish: async (_scope, { topic }) => void performed.push(topic),
    disconnect: async (_scope, { clientId }) => void performed.push(`disconnect ${clientId}`),
    recheckPrincipal: async (_scope, { certificateId }) => void performed.push(`recheck ${certificateId}`),
  };
  const deps = { store, clock: time, random: unused, keys: unused, log };
  const runner = await openOperationRunner(deps, options);
  return { store, time, performed, logged, runner, performer };
}

const publish = (topic: string): Effect => ({ type: "publish", topic, payload: new Uint8Array(), qos: 1 });

/** Writes `name` and publishes it. */
const remember: Operation<string, string> = async (_context, name) => ({
  result: `did ${name}`,
  operations: [{ key: ["state", name], value: name }],
  effects: [publish(name)],
});
const announce: Operation<string, void> = async (_context, name) => ({
  result: undefined,
  operations: [],
  effects: [publish(name)],
});
const increment: Operation<void, number> = async ({ store }) => {
  const entry = await store.get<number>(["counter"]);
  const value = (entry?.value ?? 0) + 1;
  const operation = { key: ["counter"], expectedRevision: entry?.revision ?? 0, value };
  return { result: value, operations: [operation], effects: [] };
};
const outboxOf = (store: Store) => store.list(["", "", "outbox"], { limit: 100 });

test("effects are performed after the commit, in order, and their records are forgotten", async () => {
  const { runner, performer, performed, store } = await openWorld();
  const seenAtPublish: unknown[] = [];
  await runner.start({
    performer: {
      ...performer,
      publish: async (_scope, { topic }) => {
        performed.push(topic);
        seenAtPublish.push((await store.get(["state", topic]))?.value);
      },
    },
  });
  const results = await Promise.all(["a", "b", "c"].map((name) => runner.run(scope, remember, name)));
  assert.deepEqual(results, ["did a", "did b", "did c"]);
  await runner.idle();
  assert.deepEqual(performed, ["a", "b", "c"]);
  assert.deepEqual(seenAtPublish, ["a", "b", "c"]);
  assert.deepEqual(await outboxOf(store), []);
  await runner.close();
});

test("a message that nobody would get is not stored; whoever subscribes until the commit gets it", async () => {
  const { runner, performer, performed, store } = await openWorld();
  let commits = 0;
  const wanted = new Set(["b"]);
  let atCommit = (): void => undefined;
  const watched: Store = {
    ...store,
    commit: (operations) => {
      commits += operations.length;
      atCommit();
      return store.commit(operations);
    },
  };
  const deps = { clock: createVirtualClock({ unixMs: 1_000_000 }), random: {} as Random, keys: {} as Keys };
  const quiet = (): void => undefined;
  const log: Log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
  const other = await openOperationRunner({ ...deps, store: watched, log });
  await other.start({ performer: { ...performer, isWanted: (_scope, topic) => wanted.has(topic) } });
  await other.run(scope, remember, "a");
  await other.idle();
  assert.deepEqual([performed, commits], [[], 1]);
  await other.run(scope, remember, "b");
  await other.idle();
  // State and effect, and the forgetting of the effect.
  assert.deepEqual([performed, commits], [["b"], 4]);
  atCommit = () => void wanted.add("c");
  await other.run(scope, remember, "c");
  await other.idle();
  assert.deepEqual([performed, commits], [["b", "c"], 5]);
  await other.run(scope, announce, "d");
  assert.deepEqual(performed, ["b", "c"]);
  const retained: Effect = { type: "publish", topic: "e", payload: new Uint8Array(), qos: 1, isRetained: true };
  await other.run(scope, async () => ({ result: 0, operations: [], effects: [retained] }), undefined);
  assert.deepEqual(performed, ["b", "c", "e"]);
  assert.equal(other.pendingEffectCount, 0);
  await other.close();
  await runner.close();
});

test("every kind of effect reaches its performer with the scope of its operation", async () => {
  const { runner, performer, performed } = await openWorld();
  const scopes: Scope[] = [];
  await runner.start({ performer: { ...performer, publish: async (given) => void scopes.push(given) } });
  const effects: Effect[] = [
    publish("t"),
    { type: "disconnect", clientId: "c", reason: "r" },
    { type: "recheckPrincipal", certificateId: "i" },
  ];
  await runner.run(scope, async () => ({ result: 0, operations: [{ key: ["k"], value: 1 }], effects }), undefined);
  await runner.idle();
  assert.deepEqual(scopes, [scope]);
  assert.deepEqual(performed, ["disconnect c", "recheck i"]);
  await runner.close();
});

test("effects committed by a process that died are performed by the next one, bytes and all", async () => {
  const first = await openWorld();
  // Never started: as if killed between commit and hand-over.
  await first.runner.run(scope, remember, "a");
  await first.runner.run(scope, remember, "b");
  assert.equal((await outboxOf(first.store)).length, 2);
  const second = await openWorld({ store: first.store });
  await second.runner.start({ performer: second.performer });
  assert.deepEqual(second.performed, ["a", "b"]);
  await second.runner.run(scope, remember, "c");
  await second.runner.idle();
  assert.deepEqual(second.performed, ["a", "b", "c"]);
  assert.deepEqual(await outboxOf(first.store), []);
  await second.runner.close();
});

test("an operation that fails commits nothing and performs nothing", async () => {
  const { runner, performer, performed, store } = await openWorld();
  await runner.start({ performer });
  const refuse: Operation<void, void> = () => Promise.reject(new ThinglineError("REQUEST_INVALID", "no"));
  await assert.rejects(runner.run(scope, refuse, undefined), (error) => isThinglineError(error, "REQUEST_INVALID"));
  assert.deepEqual(await store.list([], { limit: 9 }), []);
  assert.deepEqual(performed, []);
  await runner.close();
});

test("a conflict runs the operation again; one that keeps conflicting fails and leaves no effect", async () => {
  const { runner, performer, performed } = await openWorld();
  await runner.start({ performer });
  const counts = await Promise.all(Array.from({ length: 10 }, () => runner.run(scope, increment, undefined)));
  assert.deepEqual(
    counts.sort((a, b) => a - b),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  );
  let attempts = 0;
  const hopeless: Operation<void, void> = async () => {
    attempts++;
    return { result: undefined, operations: [{ key: ["x"], expectedRevision: 99, value: 1 }], effects: [publish("x")] };
  };
  await assert.rejects(runner.run(scope, hopeless, undefined), (error) => isThinglineError(error, "STORE_CONFLICT"));
  assert.equal(attempts, 20);
  await runner.idle();
  assert.deepEqual(performed, []);
  await runner.close();
});

test("operations of one lane run in their order, however many want the same record", async () => {
  const { runner, performer } = await openWorld();
  await runner.start({ performer });
  const inLane: Operation<void, number> = Object.assign(increment.bind(undefined), { lane: () => "counter" });
  const counts = await Promise.all(Array.from({ length: 200 }, () => runner.run(scope, inLane, undefined)));
  assert.deepEqual(
    counts,
    Array.from({ length: 200 }, (_none, index) => index + 1),
  );
  const last = Promise.all([runner.run(scope, inLane, undefined), runner.run(scope, inLane, undefined)]);
  await runner.close();
  assert.deepEqual(await last, [201, 202], "what was asked for before close() is done");
});

test("what waits for a lane shares a commit; what cannot be stored fails alone", async () => {
  const inner = createMemoryStore();
  const commits: string[][] = [];
  let failNext = false;
  const store: Store = {
    ...inner,
    commit: (operations) => {
      commits.push(operations.filter(({ key }) => key[0] !== "").map(({ key }) => key.join("/")));
      if (failNext && commits.length === 1)
        return Promise.reject(new ThinglineError("STORE_CONFLICT", "somebody else"));
      return inner.commit(operations);
    },
  };
  const { runner, performer, performed } = await openWorld({ store });
  await runner.start({ performer });
  type Step = { name: string; value?: unknown; fail?: boolean; list?: boolean; expect?: number };
  const seen: string[] = [];
  const lane = () => "one";
  const step: Operation<Step, number> = Object.assign(
    async ({ store: view }: { store: StoreReader }, { name, value = name, fail, list, expect }: Step) => {
      if (fail === true) throw new ThinglineError("REQUEST_INVALID", name);
      const known = list === true ? await view.list(["state"], { limit: 99 }) : [];
      const entry = await view.get<string>(["state", "shared"]);
      seen.push(`${name} after ${String(entry?.value)}`);
      const expectedRevision = expect ?? entry?.revision ?? 0;
      const operations = [
        { key: ["state", "shared"], expectedRevision, value: name },
        { key: ["state", name], value: value as never },
      ];
      return { result: known.length, operations, effects: [publish(name)] };
    },
    { lane },
  );
  const ask = (steps: Step[]) => Promise.allSettled(steps.map((one) => runner.run(scope, step, one)));
  const told = (results: PromiseSettledResult<number>[]) =>
    results.map((one) => (one.status === "fulfilled" ? one.value : (one.reason as ThinglineError).code));

  // One commit for three, and the one that fails does not get in the way.
  const first = await ask([{ name: "a" }, { name: "b", fail: true }, { name: "c" }, { name: "d" }]);
  await runner.idle();
  assert.deepEqual(told(first), [0, "REQUEST_INVALID", 0, 0]);
  assert.deepEqual(seen.splice(0), ["a after undefined", "c after a", "d after c"]);
  assert.deepEqual(
    commits.splice(0).filter(({ length }) => length > 0),
    [["state/shared", "state/a", "state/c", "state/d"]],
  );
  assert.deepEqual(performed.splice(0), ["a", "c", "d"]);

  // A list needs all that came before to be there: it waits for its own commit.
  assert.deepEqual(told(await ask([{ name: "e" }, { name: "f", list: true }, { name: "g" }])), [0, 5, 0]);
  assert.deepEqual((await inner.get(["state", "shared"]))?.value, "g");
  seen.splice(0);
  await runner.idle();
  performed.splice(0);

  // What the store refuses concerns its own operation, also when only the commit tells.
  const bad = await ask([{ name: "h" }, { name: "i", value: NaN }, { name: "x".repeat(2_000) }, { name: "j" }]);
  assert.deepEqual(told(bad), [0, "OPTION_INVALID", "OPTION_INVALID", 0]);
  await runner.idle();
  assert.deepEqual(performed.splice(0), ["h", "j"]);

  // An expectation that fails within the batch is the store's to refuse.
  const stale = await ask([{ name: "k" }, { name: "l", expect: 0 }, { name: "m" }]);
  assert.deepEqual(told(stale), [0, "STORE_CONFLICT", 0]);
  await runner.idle();
  assert.deepEqual(performed.splice(0), ["k", "m"]);

  // Somebody else was faster: each runs again by itself.
  commits.splice(0);
  seen.splice(0);
  failNext = true;
  assert.deepEqual(told(await ask([{ name: "n" }, { name: "o" }])), [0, 0]);
  assert.deepEqual(seen, ["n after m", "o after n", "n after m", "o after n"]);
  await runner.idle();
  assert.deepEqual(performed, ["n", "o"]);
  await runner.close();
});

test("without state nothing is stored, and the caller waits for the hand-over", async () => {
  const { runner, performer, store, time } = await openWorld();
  let take: (() => void) | undefined;
  await runner.start({
    performer: { ...performer, publish: () => new Promise((resolve) => void (take = resolve)) },
  });
  let isResolved = false;
  const running = runner.run(scope, announce, "a").then(() => void (isResolved = true));
  await time.settle();
  assert.equal(isResolved, false);
  assert.deepEqual(await store.list([], { limit: 9 }), []);
  take?.();
  await running;
  await runner.close();
});

test("an effect that fails is offered again in its place, and dropped with an error in the end", async () => {
  const { runner, performer, performed, logged, time, store } = await openWorld();
  let failures = 0;
  await runner.start({
    performer: {
      ...performer,
      publish: async (_scope, { topic }) => {
        if (topic === "poison" || (topic === "late" && failures++ < 2)) throw new Error("not now");
        performed.push(topic);
      },
    },
  });
  await runner.run(scope, remember, "late");
  await time.advance(1_000);
  assert.deepEqual(performed, ["late"]);
  await runner.run(scope, remember, "poison");
  await runner.run(scope, remember, "after");
  await time.advance(5_000);
  await runner.idle();
  assert.deepEqual(performed, ["late", "after"]);
  assert.equal(logged.filter((event) => event === "effectDropped").length, 1);
  assert.equal(logged.filter((event) => event === "effectFailed").length, 2 + effectAttemptsMax - 1);
  assert.deepEqual(await outboxOf(store), []);
  await assert.rejects(
    Promise.all([runner.run(scope, announce, "poison"), time.advance(5_000)]),
    /not now/,
    "who waits for a hand-over hears that it failed",
  );
  await runner.close();
});

test("a full outbox holds operations back until there is room, in line", async () => {
  const { runner, performer, performed, store, time } = await openWorld({ pendingEffectsMax: 2 });
  const takes: (() => void)[] = [];
  await runner.start({
    performer: {
      ...performer,
      publish: (_scope, { topic }) => {
        performed.push(topic);
        return new Promise((resolve) => void takes.push(resolve));
      },
    },
  });
  await runner.run(scope, remember, "a");
  await runner.run(scope, remember, "b");
  const third = runner.run(scope, remember, "c");
  await time.settle();
  assert.equal(runner.pendingEffectCount, 2);
  assert.equal(await store.get(["state", "c"]), undefined);
  while (performed.length < 3 || takes.length > 0) {
    for (const take of takes.splice(0)) take();
    await time.settle();
  }
  assert.equal(await third, "did c");
  await runner.close();
});

test("defaultPendingEffectsMax effects may wait, and the operation after them waits for room", async () => {
  const { runner, performer, performed, store, time } = await openWorld();
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  await runner.start({
    performer: { ...performer, publish: (scopeOf, effect) => held.then(() => performer.publish(scopeOf, effect)) },
  });
  const many: Operation<number, void> = async (_context, count) => ({
    result: undefined,
    operations: [{ key: ["state", "many", count], value: null }],
    effects: Array.from({ length: count }, () => publish("t")),
  });
  await runner.run(scope, many, defaultPendingEffectsMax - 1);
  await runner.run(scope, remember, "last");
  assert.equal(runner.pendingEffectCount, defaultPendingEffectsMax);
  const waiting = runner.run(scope, remember, "one more");
  await time.settle();
  assert.equal(await store.get(["state", "one more"]), undefined);
  release();
  assert.equal(await waiting, "did one more");
  await runner.close();
  assert.equal(performed.length, defaultPendingEffectsMax + 1);
});

test("wake-ups are stored by due time, survive a restart and are served once", async () => {
  const first = await openWorld();
  const at = (atUnixMs: number, name: string): Effect => ({ type: "wakeAt", service: "s", name, atUnixMs });
  const arm: Operation<Effect[], void> = async (_context, effects) => ({ result: undefined, operations: [], effects });
  await first.runner.start({ performer: first.performer, wakeHandlers: new Map() });
  await first.runner.run(scope, arm, [at(1_300_000, "late"), at(1_100_000, "early"), at(1_100_000, "early")]);
  await first.runner.close();
  assert.equal(first.time.timerCount, 0, "close leaves no timer");

  const { time } = first;
  const second = await openWorld({ store: first.store, time });
  const woken: string[] = [];
  const handler: WakeHandler = async (given, name, runner) => {
    assert.deepEqual(given, scope);
    woken.push(`${name} ${time.unixMs() >= 1_100_000}`);
    await runner.run(scope, remember, name);
  };
  await second.runner.start({ performer: second.performer, wakeHandlers: new Map([["s", handler]]) });
  await time.advance(99_999);
  assert.deepEqual(woken, []);
  await time.advance(1);
  await time.settle();
  assert.deepEqual(woken, ["early true"]);
  await second.runner.run(scope, arm, [at(1_150_000, "between")]);
  await time.advance(300_000);
  assert.deepEqual(woken, ["early true", "between true", "late true"]);
  assert.deepEqual(second.performed, ["early", "between", "late"]);
  assert.deepEqual(await second.store.list(["", "", "wake"], { limit: 9 }), []);
  await second.runner.close();
  assert.equal(time.timerCount, 0);
});

test("a wake-up whose handler fails comes again, one without a service is dropped with an error", async () => {
  const { runner, performer, time, logged, store } = await openWorld();
  let calls = 0;
  const handler: WakeHandler = async () => {
    if (++calls === 1) throw new Error("later");
  };
  await runner.start({ performer, wakeHandlers: new Map([["s", handler]]) });
  const arm: Operation<string, void> = async ({ nowMs }, service) => ({
    result: undefined,
    operations: [],
    effects: [{ type: "wakeAt", service, name: "n", atUnixMs: nowMs }],
  });
  await runner.run(scope, arm, "s");
  await runner.run(scope, arm, "unknown");
  await time.advance(0);
  assert.equal(calls, 1);
  assert.ok(logged.includes("wakeUpDropped"));
  await time.advance(60_000);
  assert.equal(calls, 2);
  assert.deepEqual(await store.list(["", "", "wake"], { limit: 9 }), []);
  await runner.close();
  assert.equal(time.timerCount, 0);
});

test("close performs what was committed and refuses what comes later", async () => {
  const { runner, performer, performed } = await openWorld();
  await runner.start({ performer });
  const running = runner.run(scope, remember, "a");
  await Promise.all([runner.close(), running]);
  await runner.close();
  assert.deepEqual(performed, ["a"]);
  await assert.rejects(runner.run(scope, remember, "b"), (error) => isThinglineError(error, "CLOSED"));
});

test("a runner that was never started can be closed; what it committed stays for the next one", async () => {
  const { runner, store, time } = await openWorld();
  await runner.run(scope, remember, "a");
  const waiting = runner.run(scope, announce, "b");
  await time.settle();
  const refused = assert.rejects(waiting, (error) => isThinglineError(error, "CLOSED"));
  await runner.close();
  await refused;
  assert.equal((await outboxOf(store)).length, 1);
});
