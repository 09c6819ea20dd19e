import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { createVirtualRandom } from "@thingline/transport/virtual";
import type { Random } from "@thingline/transport";
import type { Store, StoreKey, StoreOperation } from "../store/store.js";
import { callDepthMax } from "./draft-context.js";
import { operationAttemptsMax, type Effect, type Operation } from "./operation.js";
import { saga } from "./saga.js";
import { openServiceWorld, type ServiceWorld } from "./world.test.support.js";

const key = (name: string): StoreKey => ["a", "r", name];
const publish = (topic: string): Effect => ({ type: "publish", topic, payload: new Uint8Array(), qos: 1 });
const topicsOf = async (world: ServiceWorld) =>
  (await world.takeEffects()).map((effect) => (effect.type === "publish" ? effect.topic : effect.type));
const conflict = (error: unknown) => isThinglineError(error, "STORE_CONFLICT");

/** Creates a record and tells it. */
const create: Operation<string, string> = async ({ store }, name) => {
  if ((await store.get(key(name))) !== undefined) throw new ThinglineError("RESOURCE_EXISTS", name);
  return {
    result: `made ${name}`,
    operations: [{ key: key(name), expectedRevision: 0, value: name }],
    effects: [publish(`created ${name}`)],
  };
};

test("an operation and those that it calls are one commit, in which each sees what came before", async () => {
  const world = await openServiceWorld();
  const commits: number[] = [];
  const commit = world.store.commit.bind(world.store);
  world.store.commit = (operations) => {
    commits.push(operations.filter(({ key: [account] }) => account === "a").length);
    return commit(operations);
  };
  const both: Operation<void, unknown> = async (context) => {
    const { store } = context;
    const results = [await context.call(create, "one"), await context.call(create, "two")];
    assert.equal((await store.get(key("one")))?.value, "one");
    assert.deepEqual(
      (await store.list(["a", "r"], { limit: 9 })).map(({ value }) => value),
      ["one", "two"],
    );
    assert.equal(store.peek?.(key("two"))?.value, "two");
    const revision = (await store.get(key("two")))?.revision ?? NaN;
    return {
      result: results,
      operations: [{ key: key("two"), expectedRevision: revision, value: "changed" }],
      effects: [publish("both")],
    };
  };
  assert.deepEqual(await world.run(both, undefined), ["made one", "made two"]);
  assert.deepEqual(await topicsOf(world), ["created one", "created two", "both"]);
  assert.deepEqual(
    commits.filter((count) => count > 0),
    [2],
  );
  assert.equal((await world.store.get(key("two")))?.value, "changed");
});

test("what a called operation decided is gone when it throws, and with it what it had called itself", async () => {
  const world = await openServiceWorld();
  const failing: Operation<string, void> = async (context, name) => {
    await context.call(create, `${name} inner`);
    throw new ThinglineError("REQUEST_INVALID", "no");
  };
  const caught: Operation<void, string> = async (context) => {
    await context.call(create, "first");
    const error = await context.call(failing, "second").catch((thrown: unknown) => String(thrown));
    assert.equal(await context.store.get(key("second inner")), undefined);
    await context.call(create, "second inner");
    return { result: error as string, operations: [], effects: [] };
  };
  assert.match(await world.run(caught, undefined), /no/);
  assert.deepEqual(await topicsOf(world), ["created first", "created second inner"]);
  const uncaught: Operation<void, void> = async (context) => {
    await context.call(create, "third");
    await context.call(failing, "fourth");
    return { result: undefined, operations: [], effects: [] };
  };
  await assert.rejects(world.run(uncaught, undefined), (error) => isThinglineError(error, "REQUEST_INVALID"));
  assert.deepEqual(await topicsOf(world), []);
  assert.equal((await world.store.list(["a"], { limit: 9 })).length, 2);
});

test("whoever interferes with what was called is found at the commit, and all of it runs again", async () => {
  const world = await openServiceWorld();
  let runs = 0;
  const raced: Operation<void, number> = async (context) => {
    await context.call(create, "called");
    if (++runs === 1) await world.store.commit([{ key: key("called"), value: "somebody else's" }]);
    return { result: runs, operations: [{ key: key("own"), value: runs }], effects: [publish("own")] };
  };
  await assert.rejects(world.run(raced, undefined), (error) => isThinglineError(error, "RESOURCE_EXISTS"));
  assert.equal(runs, 1, "the second time it is there already");
  assert.equal(await world.store.get(key("own")), undefined);
  assert.deepEqual(await topicsOf(world), []);
});

test("calls at one time are done one after another; who does not wait for them is told", async () => {
  const world = await openServiceWorld();
  const together: Operation<void, unknown> = async (context) => {
    const calls = ["x", "x", "y"].map((name) => context.call(create, name).catch((error: Error) => error.message));
    return { result: await Promise.all(calls), operations: [], effects: [] };
  };
  assert.deepEqual(await world.run(together, undefined), ["made x", "x", "made y"]);
  assert.deepEqual(await topicsOf(world), ["created x", "created y"]);
  const hasty: Operation<void, void> = async (context) => {
    void context.call(create, "late");
    return { result: undefined, operations: [], effects: [] };
  };
  await assert.rejects(world.run(hasty, undefined), /before those that it had called/);
  const inner: Operation<void, void> = async (context) => {
    await context.call(hasty, undefined);
    return { result: undefined, operations: [], effects: [] };
  };
  await assert.rejects(world.run(inner, undefined), /before those that it had called/);
  let kept: Parameters<typeof create>[0] | undefined;
  await world.run(async (context) => {
    kept = context;
    return { result: 0, operations: [], effects: [] };
  }, undefined);
  await assert.rejects(kept!.call(create, "later"), /had decided already/);
  assert.equal(await world.store.get(key("late")), undefined);
});

test("calls go callDepthMax deep, and no saga is called", async () => {
  const world = await openServiceWorld();
  const deep: Operation<number, number> = async (context, depth) => {
    const result = depth === 0 ? 0 : 1 + (await context.call(deep, depth - 1));
    return { result, operations: [{ key: key(`depth ${depth}`), value: depth }], effects: [] };
  };
  assert.equal(await world.run(deep, callDepthMax), callDepthMax);
  await assert.rejects(world.run(deep, callDepthMax + 1), (error) => isThinglineError(error, "LIMIT_EXCEEDED"));
  const waits = saga("test", async () => 1);
  const calls: Operation<void, number> = async (context) => {
    return { result: await context.call(waits, undefined), operations: [], effects: [] };
  };
  await assert.rejects(world.run(calls, undefined), /a saga waits/);
});

test("a saga runs operations of its own, also while the runner closes, and holds a lane up for nobody", async () => {
  const world = await openServiceWorld();
  let go: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (go = resolve));
  const waiting = saga("test", async ({ run, blobs }, name: string) => {
    await gate;
    await blobs.put(name, [new TextEncoder().encode(name)], { bytesMax: 99 });
    return [await run(create, name), (await blobs.list({ limit: 9 })).map(({ key: of }) => of)];
  });
  const running = world.run(waiting, "slow");
  await world.run(create, "fast");
  const closing = world.runner.close();
  go();
  assert.deepEqual(await running, ["made slow", [["123456789012", "us-east-1", "test", "slow"]]]);
  await closing;
  await assert.rejects(world.run(waiting, "later"), (error) => isThinglineError(error, "CLOSED"));
  const failing = saga("test", () => Promise.reject(new Error("gone wrong")));
  const other = await openServiceWorld();
  await assert.rejects(other.run(failing, undefined), /gone wrong/);
});

// Random programs: operations that read, list, write and call each other, held against a model that does one after the other.

const names = ["p", "q", "r", "list/a", "list/b", "list/c", "list/d"];
const keyOf = (name: string): StoreKey => ["a", "r", ...name.split("/")];

type Write = { name: string; kind: "value" | "delete" | "check"; expects: "now" | "before" | "nothing" };
interface Program {
  id: string;
  steps: (
    | { type: "get"; name: string }
    | { type: "list"; limit: number; order: "ascending" | "descending"; after: string | undefined }
    | { type: "call"; program: Program; isCaught: boolean }
  )[];
  writes: Write[];
  throws: boolean;
}

function randomProgram(random: Random, id: string, depth: number): Program {
  const pick = <T>(from: readonly T[]): T => from[random.integer(from.length)]!;
  const steps: Program["steps"] = [];
  for (let count = random.integer(4); count > 0; count--) {
    const kind = random.integer(depth > 0 ? 4 : 2);
    if (kind === 0) steps.push({ type: "get", name: pick(names) });
    else if (kind === 1) {
      const after = pick([undefined, "a", "b", "bb", "d"]);
      steps.push({ type: "list", limit: 1 + random.integer(4), order: pick(["ascending", "descending"]), after });
    } else {
      const program = randomProgram(random, `${id}.${steps.length}`, depth - 1);
      steps.push({ type: "call", program, isCaught: random.integer(2) === 0 });
    }
  }
  const writes = names
    .filter(() => random.integer(4) === 0)
    .map((name): Write => {
      const kind = pick(["value", "value", "delete", "check"] as const);
      return { name, kind, expects: pick(kind === "check" ? ["now", "before"] : ["now", "now", "before", "nothing"]) };
    });
  return { id, steps, writes, throws: random.integer(8) === 0 };
}

/** What a program saw and did, one line each. */
type Trace = string[];

function operationOf(lane: string | undefined): Operation<{ program: Program; trace: Trace }, void> {
  const interpret: Operation<{ program: Program; trace: Trace }, void> = async (context, { program, trace }) => {
    const { store } = context;
    const before = new Map<string, number>();
    // An operation may run several times: only the last counts.
    if (!program.id.includes(".")) trace.length = 0;
    for (const { name } of program.writes) before.set(name, (await store.get(keyOf(name)))?.revision ?? 0);
    for (const step of program.steps) {
      if (step.type === "get")
        trace.push(`get ${step.name}: ${String((await store.get<string>(keyOf(step.name)))?.value)}`);
      else if (step.type === "list") {
        const { limit, order, after } = step;
        const options = { limit, order, ...(after !== undefined && { after: keyOf(`list/${after}`) }) };
        const found = await store.list<string>(keyOf("list"), options);
        trace.push(`list: ${found.map(({ key: of, value }) => `${of.at(-1)}=${value}`).join(" ")}`);
      } else {
        try {
          await context.call(interpret, { program: step.program, trace });
          trace.push(`called ${step.program.id}`);
        } catch (error) {
          trace.push(`${step.program.id} failed: ${(error as ThinglineError).code}`);
          if (!step.isCaught) throw error;
        }
      }
    }
    if (program.throws) throw new ThinglineError("REQUEST_INVALID", program.id);
    const operations: StoreOperation[] = [];
    for (const { name, kind, expects } of program.writes) {
      const now = (await store.get(keyOf(name)))?.revision ?? 0;
      const expectedRevision = expects === "now" ? now : (before.get(name) ?? 0);
      const expected = expects === "nothing" ? {} : { expectedRevision };
      if (kind === "check") operations.push({ key: keyOf(name), expectedRevision, check: true });
      else if (kind === "delete") operations.push({ key: keyOf(name), ...expected, delete: true });
      else operations.push({ key: keyOf(name), ...expected, value: program.id });
    }
    return { result: undefined, operations, effects: [publish(program.id)] };
  };
  return lane === undefined ? interpret : Object.assign(interpret, { lane: () => lane });
}

/** The same, said plainly: whatever fails is undone by going back to a copy. */
class Model {
  values = new Map<string, { value: string; version: number }>();
  effects: string[] = [];
  #version = 0;

  run(program: Program, trace: Trace): void {
    const [values, effects] = [new Map(this.values), [...this.effects]];
    try {
      this.#steps(program, trace);
    } catch (error) {
      [this.values, this.effects] = [values, effects];
      throw error;
    }
  }

  #steps(program: Program, trace: Trace): void {
    const versionOf = (name: string) => this.values.get(name)?.version ?? 0;
    const before = new Map(program.writes.map(({ name }) => [name, versionOf(name)]));
    for (const step of program.steps) {
      if (step.type === "get") trace.push(`get ${step.name}: ${String(this.values.get(step.name)?.value)}`);
      else if (step.type === "list") trace.push(`list: ${this.#list(step).join(" ")}`);
      else {
        try {
          this.run(step.program, trace);
          trace.push(`called ${step.program.id}`);
        } catch (error) {
          trace.push(`${step.program.id} failed: ${(error as ThinglineError).code}`);
          if (!step.isCaught) throw error;
        }
      }
    }
    if (program.throws) throw new ThinglineError("REQUEST_INVALID", program.id);
    for (const { name, expects } of program.writes) {
      if (expects === "before" && before.get(name) !== versionOf(name))
        throw new ThinglineError("STORE_CONFLICT", name);
    }
    for (const { name, kind } of program.writes) {
      if (kind === "delete") this.values.delete(name);
      else if (kind === "value") this.values.set(name, { value: program.id, version: ++this.#version });
    }
    this.effects.push(program.id);
  }

  #list({ limit, order, after }: Extract<Program["steps"][number], { type: "list" }>): string[] {
    const found = [...this.values]
      .filter(([name]) => name.startsWith("list/"))
      .map(([name, { value }]) => [name.slice(5), value] as const)
      .sort(([left], [right]) => (left < right ? -1 : 1));
    if (order === "descending") found.reverse();
    const isAfter = (name: string) => after === undefined || (order === "ascending" ? name > after : name < after);
    return found
      .filter(([name]) => isAfter(name))
      .slice(0, limit)
      .map(([name, value]) => `${name}=${value}`);
  }
}

async function contentOf(store: Store): Promise<string[]> {
  const entries = await store.list<string>(["a", "r"], { limit: 99 });
  return entries.map(({ key: of, value }) => `${of.slice(2).join("/")}=${value}`).sort();
}

const worlds = process.env["THINGLINE_TEST_LONG"] === "1" ? 5_000 : 25;
for (const lane of [undefined, "one"]) {
  const how = lane === undefined ? "by itself" : "in batches of a lane";
  test(`${worlds} worlds of random operations that call each other, each ${how}, are as one after the other`, async () => {
    let called = 0;
    let conflicts = 0;
    for (let seed = 1; seed <= worlds; seed++) {
      const random = createVirtualRandom(seed);
      const world = await openServiceWorld();
      const model = new Model();
      const operation = operationOf(lane);
      const programs = Array.from({ length: 6 }, (_, at) => randomProgram(random, `${at}`, 3));
      const runs = programs.map((program) => ({ program, trace: [] as Trace }));
      const results: PromiseSettledResult<void>[] = [];
      if (lane !== undefined) results.push(...(await Promise.allSettled(runs.map((run) => world.run(operation, run)))));
      else for (const run of runs) results.push(...(await Promise.allSettled([world.run(operation, run)])));
      for (const [at, { program, trace }] of runs.entries()) {
        const expected: Trace = [];
        let code = "done";
        try {
          model.run(program, expected);
        } catch (error) {
          ({ code } = error as ThinglineError);
        }
        const result = results[at]!;
        const actual = result.status === "fulfilled" ? "done" : (result.reason as ThinglineError).code;
        const where = `seed ${seed}, program ${at}: ${JSON.stringify(program)}`;
        assert.equal(actual, code, where);
        assert.deepEqual(trace, expected, where);
        called += expected.filter((line) => line.startsWith("called")).length;
        if (code === "STORE_CONFLICT") conflicts++;
      }
      const expected = [...model.values].map(([name, { value }]) => `${name}=${value}`).sort();
      assert.deepEqual(await contentOf(world.store), expected, `seed ${seed}`);
      assert.deepEqual(await topicsOf(world), model.effects, `seed ${seed}`);
      await world.runner.close();
    }
    assert.ok(called > worlds && conflicts > worlds / 20, `${called} calls, ${conflicts} conflicts`);
  });
}

test("an expectation that its own calls have made wrong is a conflict, in a batch as by itself", async () => {
  const world = await openServiceWorld();
  let staleRuns = 0;
  const lane = Object.assign(
    (async (context, name) => {
      if (name === "stale") staleRuns++;
      const before = (await context.store.get(key("shared")))?.revision ?? 0;
      if (name === "stale") await context.call(create, "shared");
      return {
        result: undefined,
        operations: [{ key: key("shared"), expectedRevision: before, value: name }],
        effects: [publish(name)],
      };
    }) satisfies Operation<string, void>,
    { lane: () => "lane" },
  ) as Operation<string, void>;
  const results = await Promise.allSettled(["stale", "a", "b"].map((name) => world.run(lane, name)));
  assert.ok(results[0]?.status === "rejected" && conflict(results[0].reason));
  assert.deepEqual(
    results.slice(1).map(({ status }) => status),
    ["fulfilled", "fulfilled"],
  );
  assert.deepEqual(await topicsOf(world), ["a", "b"]);
  assert.equal(staleRuns, 1 + operationAttemptsMax, "in the batch, and then as often as anybody who conflicts");
});
