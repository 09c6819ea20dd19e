// `thingline command`, as people and programs run it, against a running local cloud with a device.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startCloud } from "@thingline/cloud/node";
import { runCommands } from "@thingline/device/commands";
import { connectDevice } from "@thingline/device/node";
import { createNodeClock, createNodeRandom } from "@thingline/transport/node";
import { eventsOf, runCommandLine } from "./cli-process.test.support.js";

test("a command is made, started on a device, shown until it has ended, listed and deleted", async (context) => {
  const dataDir = await mkdtemp(join(tmpdir(), "thingline-test-"));
  context.after(() => rm(dataDir, { recursive: true, force: true }));
  const cloud = await startCloud({ dataDir, mqttsPort: 0, httpsPort: 0, apiPort: 0, limits: "none", keyPoolSize: 0 });
  context.after(() => cloud.close());
  const thing = await cloud.createThing("pump-7");
  const device = await connectDevice({ ...thing });
  context.after(() => device.close());
  await using runner = await runCommands(device, {
    ...{ clock: createNodeClock(), random: createNodeRandom() },
    handlers: {
      light: async ({ document }) => ({
        status: "SUCCEEDED",
        result: { level: String((document as { level: number }).level) },
      }),
    },
  });
  assert.equal(runner.executionCount, 0);
  const run = (...words: string[]) => runCommandLine({ words: ["command", ...words, "--data-dir", dataDir] });
  assert.match((await run("list")).stdout, /no commands in the local cloud/);
  const text = '{"operation":"light","level":"{level}"}';
  const made = await run("create", "Light", text, "--template", "--parameter", "level:INTEGER=5");
  assert.match(made.stdout, /created command Light in the local cloud[^\n]+\n[^]*command start Light --thing NAME/);
  await run("create", "Coffee", '{"operation":"coffee"}', "--display-name", "Espresso");
  const started = await run(
    "start",
    "Light",
    "--thing",
    "pump-7",
    "--parameter",
    "level=9",
    "--timeout",
    "60",
    "--json",
  );
  assert.equal(started.code, 0, started.stderr);
  const [first, ...states] = eventsOf(started) as {
    event: string;
    executionId: string;
    status: string;
    result: unknown;
  }[];
  assert.equal(first?.event, "commandStarted");
  const last = states.at(-1);
  assert.deepEqual([last?.event, last?.status, last?.result], ["commandExecution", "SUCCEEDED", { level: "9" }]);
  const refused = await run("start", "Coffee", "--thing", "pump-7");
  assert.equal(refused.code, 1);
  assert.match(
    refused.stdout,
    /Coffee {2}thing\/pump-7 {2}REJECTED {2}OPERATION_UNKNOWN: this device has no handler for "coffee"/,
  );
  assert.match(
    (await run("status", first?.executionId ?? "", "--thing", "pump-7")).stdout,
    /SUCCEEDED\n {2}level: 9\n/,
  );
  const listed = await run("status", "--thing", "pump-7", "--json");
  assert.deepEqual(
    eventsOf(listed).map((event) => (event as { status?: unknown }).status),
    ["REJECTED", "SUCCEEDED"],
  );
  assert.match((await run("list")).stdout, /^Coffee +Espresso\nLight *\n$/);
  assert.match((await run("delete", "Coffee")).stdout, /gone in 12 hours/);
  for (const [words, told] of [
    [["start", "Light"], /--thing NAME or --client ID/],
    [["start", "Light", "--thing", "pump-7", "--parameter", "level=x"], /level is a number, got "x"/],
    [["create", "X"], /a payload is needed/],
    [["create", "X", "x", "--parameter", "a"], /need --template/],
  ] as const) {
    const wrong = await run(...words);
    assert.match(wrong.stderr, told);
    assert.equal(wrong.code, 2);
  }
});
