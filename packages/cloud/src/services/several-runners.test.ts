import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { Keys } from "@thingline/transport";
import { createVirtualClock, createVirtualRandom } from "@thingline/transport/virtual";
import type { Log } from "../log.js";
import { nodeLeaseMarginMs, nodeLeaseMs, nodeRenewMs, openClusterNode } from "../nodes/cluster-node.js";
import { nodeKeys, soleNode, type CloudNode } from "../nodes/node.js";
import { createMemoryStore } from "../store/memory.js";
import type { Store } from "../store/store.js";
import { systemKey } from "../store/system-keys.js";
import type { Effect, Operation, Scope } from "./operation.js";
import type { EffectId } from "./outbox.js";
import { movedEffectsMax } from "./outbox-records.js";
import { openOperationRunner, type EffectRunner } from "./runner.js";
import { wakePollMs, wakeRetryDelayMs } from "./wake-ups.js";

const scope: Scope = { account: "123456789012", region: "us-east-1" };
const note = (): void => undefined;
const log: Log = { debug: note, info: note, warn: note, error: note };
const deathMs = nodeLeaseMs + nodeLeaseMarginMs + 2 * nodeRenewMs;

interface Member {
  node: CloudNode;
  runner: EffectRunner;
  performed: string[];
  ids: (EffectId | undefined)[];
  woken: string[];
  /** Awaited by what the performer and the wake handler do. */
  hold: Promise<void>;
  /** Its store is gone, as for a process that is dead. */
  kill(): void;
}

function openWorld() {
  const clock = createVirtualClock();
  const random = createVirtualRandom(9);
  const store = createMemoryStore();
  const join = async (how: "alone" | "cluster" = "cluster", isStarted = true): Promise<Member> => {
    let isDead = false;
    const own: Store = {
      ...store,
      commit: (operations) =>
        isDead ? Promise.reject(new ThinglineError("STORE_UNWRITABLE", "dead")) : store.commit(operations),
    };
    const node = how === "alone" ? soleNode : await openClusterNode({ store: own, clock, random, log });
    const runner = await openOperationRunner({ store: own, clock, random, keys: {} as Keys, log, node });
    const member: Member = {
      ...{ node, runner, performed: [], ids: [], woken: [], hold: Promise.resolve() },
      kill: () => void (isDead = true),
    };
    const performer = {
      publish: async (_scope: Scope, { topic }: { topic: string }, id?: EffectId) => {
        member.performed.push(topic);
        member.ids.push(id);
        await member.hold;
      },
      disconnect: async () => undefined,
      recheckPrincipal: async () => undefined,
    };
    const wake = async (_scope: Scope, name: string) => {
      member.woken.push(name);
      await member.hold;
    };
    if (isStarted) await runner.start({ performer, wakeHandlers: new Map([["s", wake]]) });
    return member;
  };
  const outbox = () => store.list(systemKey("outbox"), { limit: 1_000 });
  return { clock, store, join, outbox };
}

const publish = (topic: string): Effect => ({ type: "publish", topic, payload: new Uint8Array(), qos: 1 });
const remember: Operation<string[], void> = async (_context, names) => ({
  result: undefined,
  operations: names.map((name) => ({ key: ["state", name], value: name })),
  effects: names.map(publish),
});
const wakeAt: Operation<{ name: string; atUnixMs: number }, void> = async (_context, wake) => ({
  result: undefined,
  operations: [],
  effects: [{ type: "wakeAt", service: "s", ...wake }],
});
const never = new Promise<void>(() => undefined);
const close = async ({ runner, node }: Member) => {
  await runner.close();
  await node.close();
};

test("two runners on one store do not touch each other's effects", async () => {
  const { clock, join, outbox } = openWorld();
  const [one, two] = [await join(), await join()];
  one.hold = never;
  await Promise.all([one.runner.run(scope, remember, ["a"]), two.runner.run(scope, remember, ["b"])]);
  await clock.advance(1);
  assert.deepEqual([one.performed, two.performed], [["a"], ["b"]]);
  assert.deepEqual(await outbox().then((left) => left.map(({ key }) => key.slice(3))), [[one.node.id, 1]]);
});

test("effects of a node that is over are performed by another, in order and under their own names", async () => {
  const { clock, join, outbox } = openWorld();
  const names = Array.from({ length: 2 * movedEffectsMax + 1 }, (_none, at) => `n${at}`);
  const [dead, heir] = [await join("cluster", false), await join()];
  await dead.runner.run(scope, remember, names);
  await dead.node.start();
  dead.kill();
  await heir.runner.run(scope, remember, ["own"]);
  await clock.advance(deathMs);
  assert.deepEqual(heir.performed, ["own", ...names]);
  assert.deepEqual(heir.ids.slice(0, 3), [
    { node: heir.node.id, sequence: 1 },
    { node: dead.node.id, sequence: 1 },
    { node: dead.node.id, sequence: 2 },
  ]);
  assert.deepEqual(await outbox(), []);
  await close(heir);
});

test("what its heir took and did not perform goes to the next heir, under the same names", async () => {
  const { clock, join } = openWorld();
  const dead = await join("cluster", false);
  await dead.runner.run(scope, remember, ["a", "b"]);
  const first = await join();
  first.hold = never;
  dead.kill();
  await clock.advance(deathMs);
  assert.deepEqual(first.performed, ["a", "b"]);
  const second = await join();
  first.kill();
  await clock.advance(deathMs);
  assert.deepEqual(second.performed, ["a", "b"]);
  assert.deepEqual(second.ids, first.ids);
});

test("records of a release without nodes are performed first, by a node that is alone and by one of several", async () => {
  for (const how of ["alone", "cluster"] as const) {
    const { clock, store, join, outbox } = openWorld();
    const effect = (topic: string) => ({
      ...scope,
      effect: { type: "publish", topic, payload: new Uint8Array(), qos: 1 },
    });
    await store.commit([
      { key: systemKey("outbox", 7), value: effect("old 7") },
      { key: systemKey("outbox", 12), value: effect("old 12") },
      { key: systemKey("outbox", "main", 2), value: effect("new 2") },
    ]);
    const member = await join(how);
    await clock.advance(nodeRenewMs);
    assert.deepEqual(member.performed, ["old 7", "old 12", "new 2"], how);
    await member.runner.run(scope, remember, ["later"]);
    await clock.advance(1);
    assert.deepEqual([member.performed.at(-1), await outbox()], ["later", []], how);
    await close(member);
    assert.equal(clock.timerCount, 0);
  }
});

test("a node that is alone after several performs what they left", async () => {
  const { clock, join, outbox } = openWorld();
  for (const name of ["a", "b"]) {
    const member = await join("cluster", false);
    await member.runner.run(scope, remember, [name]);
    await close(member);
  }
  const alone = await join("alone");
  await alone.runner.run(scope, remember, ["c"]);
  await clock.advance(1);
  assert.deepEqual([...alone.performed].sort(), ["a", "b", "c"]);
  assert.deepEqual(await outbox(), []);
});

test("a node that is over runs nothing and performs nothing any more", async () => {
  const { clock, store, join } = openWorld();
  const [lost, other] = [await join(), await join()];
  await store.commit([{ key: nodeKeys.node(lost.node.id), value: { startedAtMs: 0, isOver: true } }]);
  const over = (error: unknown) => isThinglineError(error, "NODE_OVER");
  await assert.rejects(lost.runner.run(scope, remember, ["a"]), over);
  await assert.rejects(lost.runner.run(scope, remember, ["b"]), over);
  assert.equal(await store.get(["state", "a"]), undefined);
  await clock.advance(deathMs);
  assert.deepEqual([lost.performed, other.performed], [[], []]);
  await Promise.all([close(lost), close(other)]);
  assert.equal(clock.timerCount, 0);
});

test("a wake-up fires in one node, found by the others without a hint", async () => {
  const { clock, store, join } = openWorld();
  const [one, two] = [await join(), await join()];
  one.hold = two.hold = clock.sleep(20_000);
  const nowMs = clock.unixMs();
  await one.runner.run(scope, wakeAt, { name: "a", atUnixMs: nowMs + 1_000 });
  await one.runner.run(scope, wakeAt, { name: "b", atUnixMs: nowMs + 1_001 });
  await clock.advance(2 * wakePollMs);
  // Each is at work on one of them, and leaves the other's alone.
  assert.deepEqual([...one.woken, ...two.woken].sort(), ["a", "b"]);
  assert.deepEqual([one.woken.length, two.woken.length], [1, 1]);
  await clock.advance(20_000);
  assert.deepEqual([one.woken.length, two.woken.length], [1, 1]);
  assert.deepEqual(await store.list(systemKey("wake"), { limit: 9 }), []);
  await Promise.all([close(one), close(two)]);
  assert.equal(clock.timerCount, 0);
});

test("a hint brings a wake-up of another node on time", async () => {
  const { clock, join } = openWorld();
  const [armer, other] = [await join("cluster", false), await join()];
  await clock.advance(wakePollMs + 1);
  const atUnixMs = clock.unixMs() + 100;
  await armer.runner.run(scope, wakeAt, { name: "a", atUnixMs });
  other.runner.expectWakeUp(atUnixMs);
  await clock.advance(99);
  assert.deepEqual(other.woken, []);
  await clock.advance(1);
  assert.deepEqual(other.woken, ["a"]);
  await close(other);
});

test("the claim of a node that is over is taken, that of a living one whose handler failed is its own again", async () => {
  const { clock, join } = openWorld();
  const [dead, other] = [await join(), await join()];
  dead.hold = never;
  await dead.runner.run(scope, wakeAt, { name: "a", atUnixMs: clock.unixMs() });
  await clock.advance(1);
  assert.deepEqual(dead.woken, ["a"]);
  await clock.advance(wakePollMs);
  assert.deepEqual(other.woken, []);
  dead.kill();
  await clock.advance(deathMs + wakePollMs);
  assert.deepEqual(other.woken, ["a"]);
  const failing = Promise.reject(new Error("not now"));
  failing.catch(() => undefined);
  other.hold = failing;
  await other.runner.run(scope, wakeAt, { name: "b", atUnixMs: clock.unixMs() });
  await clock.advance(1);
  other.hold = Promise.resolve();
  await clock.advance(wakeRetryDelayMs);
  assert.deepEqual(other.woken, ["a", "b", "b"]);
  await close(other);
});
