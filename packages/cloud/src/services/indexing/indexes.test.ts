import assert from "node:assert/strict";
import { test } from "node:test";
import type { Operation, OperationRunner } from "../operation.js";
import { dynamicGroupOperations } from "../registry/dynamic-groups.js";
import { createThing } from "../registry/things.js";
import { openServiceWorld, scope } from "../world.test.support.js";
import { changeConfiguration } from "./configuration.js";
import { FleetIndexes, indexedScopesMax, indexSettleMsMax } from "./indexes.js";

async function openWorld({ isAlone = true } = {}) {
  const world = await openServiceWorld();
  const indexes = new FleetIndexes({ ...world, dynamicGroups: dynamicGroupOperations([]) });
  let operationCount = 0;
  let held: Promise<void> | undefined;
  const runner: OperationRunner = {
    ...world.runner,
    run: async <Input, Result>(of: typeof scope, operation: Operation<Input, Result>, input: Input) => {
      operationCount++;
      await held;
      return world.runner.run(of, operation, input);
    },
  };
  indexes.opened({ scope, runner, isAlone });
  const wait = <T>(promise: Promise<T>) => world.clock.untilSettled(promise, { stepMs: 1 });
  const hold = () => {
    let release = () => {};
    held = new Promise((resolve) => (release = resolve));
    return release;
  };
  const on = { thingIndexingConfiguration: { thingIndexingMode: "REGISTRY" as const } };
  return { ...world, indexes, wait, hold, on, operations: () => operationCount };
}

const changed = (kind: string, name: string) => [{ key: [scope.account, scope.region, kind, name], value: null }];

test("while indexing is off, what is committed costs no operation", async () => {
  const { indexes, wait, operations } = await openWorld();
  await wait(indexes.of(scope) as Promise<unknown>);
  const before = operations();
  for (const kind of ["thing", "shadow", "thingGroup", "connectivity"]) indexes.committed(scope, changed(kind, "a"));
  assert.equal(indexes.settled(scope), undefined);
  assert.equal(operations(), before);
  await wait(indexes.closed());
});

test("an answer waits for the index no longer than its bound", async () => {
  const { indexes, wait, hold, run, on, clock } = await openWorld();
  await run(changeConfiguration, on);
  indexes.committed(scope, [{ key: [scope.account, scope.region, "indexing"], value: null }]);
  await wait(indexes.of(scope) as Promise<unknown>);
  const release = hold();
  await run(createThing, { thingName: "a" });
  indexes.committed(scope, changed("thing", "a"));
  const beganAtMs = clock.monotonicMs();
  await wait(indexes.settled(scope) ?? Promise.reject(new Error("nothing to wait for")));
  const tookMs = clock.monotonicMs() - beganAtMs;
  assert.ok(tookMs >= indexSettleMsMax && tookMs <= indexSettleMsMax + 5, String(tookMs));
  release();
  const index = await wait(indexes.of(scope) as Promise<{ things: { names(): readonly string[] } }>);
  assert.deepEqual(index.things.names(), ["a"]);
  await wait(indexes.closed());
  assert.equal(clock.timerCount, 0);
});

test("indexes of so many accounts and regions are kept, and one that was given up is made again", async () => {
  const { indexes, wait, runner, on } = await openWorld();
  const others = Array.from({ length: indexedScopesMax + 5 }, (_, at) => ({
    ...scope,
    account: String(at).padStart(12, "1"),
  }));
  const [first] = others as [typeof scope];
  await runner.run(first, changeConfiguration, on);
  for (const other of others) await wait(indexes.of(other) as Promise<unknown>);
  // Those that are off went first.
  assert.notEqual((await wait(indexes.of(first) as Promise<{ configuration: unknown }>)).configuration, undefined);
  await runner.run(first, createThing, { thingName: "theirs" });
  indexes.committed({ ...first }, [{ key: [first.account, first.region, "thing", "theirs"], value: null }]);
  const index = await wait(indexes.of(first) as Promise<{ things: { names(): readonly string[] } }>);
  assert.deepEqual(index.things.names(), ["theirs"]);
  await wait(indexes.closed());
});

test("where other nodes write as well, a search reads again what it may not have heard", async () => {
  const { indexes, wait, run, on, clock } = await openWorld({ isAlone: false });
  await run(changeConfiguration, on);
  const names = async () =>
    (await wait(indexes.of(scope) as Promise<{ things: { names(): readonly string[] } }>)).things.names();
  assert.deepEqual(await names(), []);
  await run(createThing, { thingName: "of-another-node" });
  await clock.advance(1_001);
  // Another account has an age of its own.
  await wait(indexes.of({ ...scope, account: "210987654321" }) as Promise<unknown>);
  assert.deepEqual(await names(), ["of-another-node"]);
  await wait(indexes.closed());
});
