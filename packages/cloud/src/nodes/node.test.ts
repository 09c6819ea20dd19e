import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { createVirtualClock, createVirtualRandom } from "@thingline/transport/virtual";
import type { Log } from "../log.js";
import { createMemoryStore } from "../store/memory.js";
import type { Store } from "../store/store.js";
import { nodeLeaseMarginMs, nodeLeaseMs, nodeRenewMs, nodesMax, openClusterNode } from "./cluster-node.js";
import { isEpochOpen, nodeKeys, soleNode, type CloudNode, type Estate } from "./node.js";

const note = (): void => undefined;
const log: Log = { debug: note, info: note, warn: note, error: note };
const conflict = (error: unknown) => isThinglineError(error, "STORE_CONFLICT");
/** In this time a silent node is over for all others, whenever they look. */
const deathMs = nodeLeaseMs + nodeLeaseMarginMs + 2 * nodeRenewMs;

function openWorld() {
  const clock = createVirtualClock();
  const random = createVirtualRandom(5);
  const store = createMemoryStore();
  let isSilent = false;
  /** The store of a node that can be cut off from it. */
  const silenced: Store = {
    ...store,
    commit: (operations) =>
      isSilent ? Promise.reject(new ThinglineError("STORE_UNWRITABLE", "cut off")) : store.commit(operations),
  };
  const open = async (over: Store = store) => openClusterNode({ store: over, clock, random, log });
  const write = (node: CloudNode, key: string) =>
    store.commit([{ key: [key], value: null }, ...(node.guard === undefined ? [] : [node.guard])]);
  return {
    clock,
    random,
    store,
    silenced,
    open,
    write,
    silence: () => void (isSilent = true),
    hear: () => void (isSilent = false),
  };
}

test("a node that is alone has no record, no guard and no timer", async () => {
  const { guard, isAlone, isOver } = soleNode;
  assert.deepEqual(
    [guard, isAlone, isOver, soleNode.mayAct(), await soleNode.regained()],
    [undefined, true, false, true, true],
  );
});

test("a node keeps its lease as long as it lives, and others leave it alone", async () => {
  const { clock, open, write } = openWorld();
  const [one, two] = [await open(), await open()];
  await Promise.all([one.start(), two.start()]);
  await clock.advance(10 * deathMs);
  assert.deepEqual([one.isOver, two.isOver, one.mayAct(), two.mayAct()], [false, false, true, true]);
  assert.deepEqual([one.others(), two.others()], [[two.id], [one.id]]);
  await Promise.all([write(one, "a"), write(two, "b")]);
  await Promise.all([one.close(), two.close()]);
  assert.equal(clock.timerCount, 0);
});

test("a node that falls silent stops to act before another takes what it had, and can write no more", async () => {
  const { clock, store, silenced, open, write, silence } = openWorld();
  const lost = await open(silenced);
  const heir = await open();
  const estates: Estate[] = [];
  let isActing: boolean | undefined;
  heir.onEstate(async (estate) => {
    isActing = lost.mayAct();
    estates.push(estate);
  });
  const gone: string[] = [];
  heir.onGone((id) => void gone.push(id));
  let overs = 0;
  lost.onOver(() => void overs++);
  await Promise.all([lost.start(), heir.start()]);
  await clock.advance(nodeRenewMs);
  silence();
  await clock.advance(nodeLeaseMs);
  assert.deepEqual([lost.mayAct(), lost.isOver], [false, false]);
  await write(lost, "still its own");
  await clock.advance(deathMs - nodeLeaseMs);
  assert.deepEqual([isActing, estates.map(({ id }) => id), gone], [false, [lost.id], [lost.id]]);
  await assert.rejects(write(lost, "too late"), conflict);
  assert.equal(await isEpochOpen(store, { node: lost.id, epoch: lost.epoch }), false);
  assert.deepEqual([await lost.verify(), lost.isOver, overs], [true, true, 1]);
  assert.equal(await lost.regained(), false);
  assert.deepEqual(await store.list(nodeKeys.beats, { limit: 9 }).then((list) => list.length), 1);
  await Promise.all([lost.close(), heir.close()]);
});

test("a lease that is renewed late is regained, and nobody is declared over", async () => {
  const { clock, silenced, open, silence, hear } = openWorld();
  const node = await open(silenced);
  await node.start();
  silence();
  await clock.advance(nodeLeaseMs + 500);
  const regained = node.regained();
  assert.equal(node.mayAct(), false);
  hear();
  await clock.advance(nodeRenewMs);
  assert.deepEqual([await regained, node.mayAct()], [true, true]);
  await node.close();
});

test("an estate has one heir at a time; when the heir is over, the next one begins again", async () => {
  const { clock, store, silenced, open, silence } = openWorld();
  const dead = await open();
  await dead.start();
  await store.commit([{ key: nodeKeys.beat(dead.id), value: "as if it had stopped" }]);
  await dead.close();
  const [first, second, third] = [await open(silenced), await open(), await open()];
  const taken: string[] = [];
  const hold = (name: string, work: () => Promise<void>) => async (estate: Estate) => {
    if (estate.id !== dead.id) return;
    taken.push(name);
    await store.commit([{ key: ["taken", name], value: null }, ...estate.guards]);
    await work();
  };
  first.onEstate(hold("first", () => new Promise(() => undefined)));
  second.onEstate(hold("second", async () => undefined));
  third.onEstate(hold("third", async () => undefined));
  await first.start();
  await clock.advance(0);
  await Promise.all([second.start(), third.start()]);
  await clock.advance(2 * nodeRenewMs);
  assert.deepEqual(taken, ["first"]);
  silence();
  await clock.advance(2 * deathMs);
  assert.equal(taken.length, 2, String(taken));
  assert.deepEqual(await store.list(nodeKeys.nodes, { limit: 9 }).then((list) => list.length), 2);
  await Promise.all([second.close(), third.close()]);
});

test("an estate whose adopter fails is tried again with the next look", async () => {
  const { clock, open } = openWorld();
  const [dead, heir] = [await open(), await open()];
  let attempts = 0;
  heir.onEstate(async ({ id }) => {
    if (id === dead.id && ++attempts < 3) throw new Error("not now");
  });
  await heir.start();
  await dead.close();
  await clock.advance(5 * nodeRenewMs);
  assert.deepEqual([attempts, heir.others()], [3, []]);
  await heir.close();
});

test("more than nodesMax nodes are refused", async () => {
  const { clock, store, open } = openWorld();
  for (let count = 0; count < nodesMax; count++) await store.commit([{ key: nodeKeys.node(`n${count}`), value: {} }]);
  await assert.rejects(open(), (error) => isThinglineError(error, "LIMIT_EXCEEDED"));
  await store.commit([{ key: nodeKeys.node("n0"), delete: true }]);
  await (await open()).close();
  assert.equal(clock.timerCount, 0);
});
