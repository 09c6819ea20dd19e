import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { createVirtualClock } from "@thingline/transport/virtual";
import { LifecycleHook, lifecycleInFlightMax, lifecycleQueuedEventsMax } from "./lifecycle-hook.js";
import type { LifecycleEvent } from "./services/lifecycle.js";
import type { OperationRunner } from "./services/operation.js";

const eventOf = (clientId: string) => ({ clientId }) as LifecycleEvent;

function createWorld(onLifecycle: (event: LifecycleEvent) => void | Promise<void>) {
  const clock = createVirtualClock();
  const lines: [string, unknown][] = [];
  const write = (event: string, facts?: unknown) => void lines.push([event, facts]);
  const log = { debug: write, info: write, warn: write, error: write };
  const hook = new LifecycleHook({ name: "slow", onLifecycle }, {} as OperationRunner, { clock, log });
  return { hook, clock, lines };
}

test("a slow hook works on so many events, so many wait in order, and one more is dropped and told", async () => {
  const begun: string[] = [];
  const waiting: (() => void)[] = [];
  const { hook, clock, lines } = createWorld(({ clientId }) => {
    begun.push(clientId);
    return new Promise((resolve) => waiting.push(resolve));
  });
  const room = lifecycleInFlightMax + lifecycleQueuedEventsMax;
  for (let at = 0; at < room; at++) hook.hear(eventOf(String(at)));
  assert.deepEqual([begun.length, lines], [lifecycleInFlightMax, []]);
  for (const clientId of ["too late", "as well"]) hook.hear(eventOf(clientId));
  const told = { limit: "lifecycleQueuedEventsMax", service: "slow" };
  assert.deepEqual(lines, [["limitHit", { ...told, dropped: 1 }]]);
  clock.advanceNow(1_000);
  hook.hear(eventOf("and this"));
  assert.deepEqual(lines.at(-1), ["limitHit", { ...told, dropped: 2 }]);
  while (waiting.length > 0) {
    for (const done of waiting.splice(0)) done();
    await setImmediate();
  }
  assert.deepEqual(
    begun,
    Array.from({ length: room }, (_, at) => String(at)),
  );
  hook.hear(eventOf("there is room again"));
  assert.equal(begun.at(-1), "there is room again");
});

test("a hook that throws or rejects is logged with the client, and hears the next event", async () => {
  const heard: string[] = [];
  const { hook, lines } = createWorld(({ clientId }) => {
    heard.push(clientId);
    if (clientId === "throws") throw new Error("defect");
    return clientId === "rejects" ? Promise.reject(new Error("defect")) : undefined;
  });
  for (const clientId of ["throws", "rejects", "works"]) hook.hear(eventOf(clientId));
  await setImmediate();
  assert.deepEqual(heard, ["throws", "rejects", "works"]);
  assert.deepEqual(
    lines,
    ["throws", "rejects"].map((clientId) => ["lifecycleFailed", { service: "slow", clientId, error: "Error: defect" }]),
  );
});
