import assert from "node:assert/strict";
import { test } from "node:test";
import { Lanes } from "./lanes.js";

test("work of one lane is done in its order, also after a failure, and other lanes do not wait", async () => {
  const lanes = new Lanes();
  const done: string[] = [];
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  const note = (name: string) => async () => void done.push(name);
  const first = lanes.run("a", async () => {
    await held;
    done.push("a1");
    throw new Error("a1 failed");
  });
  const second = lanes.run("a", note("a2"));
  const third = lanes.run("a", note("a3"));
  await lanes.run("b", note("b1"));
  assert.deepEqual(done, ["b1"]);
  assert.equal(lanes.count, 1);
  release();
  await assert.rejects(first, /a1 failed/);
  await Promise.all([second, third]);
  assert.deepEqual(done, ["b1", "a1", "a2", "a3"]);
  await Promise.resolve();
  assert.equal(lanes.count, 0, "nothing of an idle lane is kept");
});
