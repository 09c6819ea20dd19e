import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { CurrentDevice } from "./current-device.js";

/** A device that acknowledges when it is told to. */
function fakeDevice() {
  const published: string[] = [];
  const acknowledge: (() => void)[] = [];
  return {
    published,
    acknowledge,
    publish: (_topic: string, payload: string | Uint8Array, { signal }: { signal?: AbortSignal } = {}) =>
      new Promise<void>((resolve, reject) => {
        published.push(String(payload));
        acknowledge.push(resolve);
        signal?.addEventListener("abort", () => reject(new ThinglineError("ABORTED", "aborted")));
      }),
  };
}

test("what was under way when the device rebooted is published by the next one, and what came in between as well", async () => {
  const current = new CurrentDevice();
  const early = current.publish("t", "early");
  const [first, second] = [fakeDevice(), fakeDevice()];
  const [life, next] = [new AbortController(), new AbortController()];
  current.set(first, life.signal);
  await Promise.resolve();
  const acknowledged = current.publish("t", "acknowledged");
  const lost = current.publish("t", "lost");
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(first.published.sort(), ["acknowledged", "early", "lost"]);
  for (const [at, payload] of first.published.entries()) if (payload !== "lost") first.acknowledge[at]?.();
  // Sorted above: the order of acknowledgements does not matter.
  await Promise.race([early, acknowledged]);
  life.abort();
  const between = current.publish("t", "between");
  await new Promise((resolve) => setImmediate(resolve));
  current.set(second, next.signal);
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(second.published.includes("between") && second.published.length >= 2);
  for (const acknowledge of second.acknowledge) acknowledge();
  await Promise.all([early, acknowledged, lost, between]);
});

test("an error of the device itself is the caller's, and so is an abort while there is no device", async () => {
  const current = new CurrentDevice();
  const stop = new AbortController();
  const waiting = current.publish("t", "x", { signal: stop.signal });
  stop.abort();
  await assert.rejects(waiting, (error) => isThinglineError(error, "ABORTED"));
  const refusing = { publish: () => Promise.reject(new ThinglineError("TOPIC_NAME_INVALID", "no")) };
  current.set(refusing, new AbortController().signal);
  await assert.rejects(current.publish("t", "x"), (error) => isThinglineError(error, "TOPIC_NAME_INVALID"));
});
