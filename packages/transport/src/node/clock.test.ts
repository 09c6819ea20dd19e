import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createNodeClock } from "./clock.js";

test("a callback that throws at the end of a turn does not take the others with it", () => {
  const modulePath = fileURLToPath(new URL("./clock.js", import.meta.url));
  // In a process of its own: the test runner takes uncaught errors for its own.
  const script = `
    const { createNodeClock } = await import(${JSON.stringify(modulePath)});
    process.on("uncaughtException", (error) => console.log(error.message));
    const clock = createNodeClock();
    clock.afterTurn(() => { throw new Error("mine"); });
    clock.afterTurn(() => console.log("others"));
  `;
  const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  assert.deepEqual(stdout.split("\n"), ["mine", "others", ""]);
});

test("a delay longer than a system timer can take does not fire at once", async () => {
  const clock = createNodeClock();
  let isFired = false;
  const timer = clock.setTimer(2 ** 32, () => (isFired = true));
  await clock.sleep(5);
  timer.cancel();
  assert.equal(isFired, false);
});
