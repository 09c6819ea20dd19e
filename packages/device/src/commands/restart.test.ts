import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualFiles } from "@thingline/transport/virtual";
import { CommandsWorld, target } from "./commands-world.test.support.js";
import { commandCallsMax, type CommandHandler } from "./index.js";
import { commandsRecordBytesMax, decodeRemembered, encodeRemembered } from "./record.js";
import type { Remembered } from "./types.js";

const folder = "/commands";
const open = () => {
  const world = new CommandsWorld();
  let files = createVirtualFiles();
  const run = (handlers: Record<string, CommandHandler>) => world.run(handlers, { files, folder });
  return {
    world,
    run,
    files: () => files,
    crash: () => {
      world.die();
      if (files.isPowered) files.cutPower();
      files = files.restart();
    },
  };
};

test("what a process did not survive is FAILED by the next one, and not done again", async () => {
  const { world, run, crash } = open();
  let calls = 0;
  await run({ x: () => new Promise(() => void calls++) });
  const id = world.start({ operation: "x" });
  await world.settle();
  assert.equal(calls, 1);
  crash();
  await run({ x: async () => void calls++ });
  world.start({ operation: "x" }, { id });
  await world.settle();
  assert.equal(calls, 1);
  assert.match(world.history, /e1 FAILED INTERRUPTED$/u);
});

test("what it came to is told by the next process, and its message is known again after that", async () => {
  const { world, run, crash } = open();
  let calls = 0;
  world.rule = () => "silence";
  await run({
    x: async () => (calls++, { status: "SUCCEEDED", reasonCode: "OK", result: { a: "b", raw: Uint8Array.of(1) } }),
  });
  const id = world.start({ operation: "x" });
  await world.settle();
  crash();
  world.rule = () => undefined;
  await run({ x: async () => void calls++ });
  await world.settle();
  const [, { result }] = world.told.at(-1) ?? assert.fail();
  assert.deepEqual(
    [...(result ?? [])],
    [
      ["a", "b"],
      ["raw", Uint8Array.of(1)],
    ],
  );
  assert.equal(world.states.get(id)?.status, "SUCCEEDED");
  crash();
  await run({ x: async () => void calls++ });
  world.start({ operation: "x" }, { id });
  await world.settle();
  assert.equal(calls, 1);
});

test("one that goes on after a restart is called again with its payload, commandCallsMax times in all", async () => {
  const { world, run, crash } = open();
  const seen: unknown[] = [];
  const reboot: CommandHandler = async ({ isResumed, document }) => {
    seen.push([isResumed, document]);
    return { status: "IN_PROGRESS" };
  };
  const { runner } = await run({ reboot });
  world.start({ operation: "reboot", n: 1 });
  await world.settle();
  await runner.close();
  crash();
  await run({ reboot: async ({ isResumed, document }) => void seen.push([isResumed, document]) });
  await world.settle();
  const document = { operation: "reboot", n: 1 };
  assert.deepEqual(seen, [
    [false, document],
    [true, document],
  ]);
  assert.equal(world.states.get("e1")?.status, "SUCCEEDED");
  world.start({ operation: "reboot" });
  await world.settle();
  let calls = 0;
  world.start({ operation: "reboot" }, { id: "loop" });
  for (let count = 0; count < commandCallsMax + 2; count++) {
    crash();
    await run({ reboot: async () => (calls++, { status: "IN_PROGRESS" }) });
    if (count === 0) world.start({ operation: "reboot" }, { id: "loop" });
    await world.settle();
  }
  assert.equal(calls, commandCallsMax);
  assert.match(world.history, /loop FAILED TOO_MANY_CALLS/u);
});

test("power that goes before any write leaves no command done twice in one boot, nor one that is told what it was not", async () => {
  for (let cut = 1; cut <= 6; cut++) {
    const { world, run, files, crash } = open();
    let calls = 0;
    const x: CommandHandler = async () => void calls++;
    await run({ x });
    files().powerLossBeforeWrite(cut);
    const id = world.start({ operation: "x" });
    await world.settle();
    crash();
    await run({ x });
    world.start({ operation: "x" }, { id });
    await world.settle(60_000);
    const state = world.states.get(id);
    assert.ok(calls <= 2, `cut ${cut}`);
    assert.ok(state?.status === "SUCCEEDED" || state?.status === "FAILED", `cut ${cut}: ${state?.status}`);
    if (state.status === "SUCCEEDED") assert.ok(calls >= 1, `cut ${cut}`);
  }
});

test("a file is read as it was written; what is none is kept and told", async () => {
  const remembered: Remembered = {
    records: [
      { executionId: "a", phase: "begun" },
      {
        executionId: "b",
        phase: "ended",
        told: { status: "FAILED", statusReason: { reasonCode: "X" }, result: { r: true } },
      },
      {
        ...{ executionId: "c", phase: "parked", calls: 2 },
        command: { executionId: "c", payload: Uint8Array.of(1, 2), format: "cbor", contentType: "a/b" },
      },
    ],
    finished: ["d"],
  };
  const bytes = encodeRemembered(target, remembered);
  assert.ok(bytes.length < commandsRecordBytesMax);
  assert.deepEqual(decodeRemembered(bytes, target), remembered);
  assert.deepEqual(decodeRemembered(bytes, { ...target, id: "other" }), { records: [], finished: [] });
  const text = new TextDecoder().decode(bytes);
  const change = (from: string, to: string) =>
    decodeRemembered(new TextEncoder().encode(text.replace(from, to)), target);
  assert.equal(change('"version":1', '"version":2'), "newer");
  for (const [from, to] of [
    ['"a"', '"../a"'],
    ["begun", "other"],
    ["FAILED", "IN_PROGRESS"],
    ['"AQI="', '"?"'],
    ['["d"]', '["a/b"]'],
    ["{", ""],
  ] as const) {
    assert.equal(change(from, to), "unreadable", from);
  }
  const { world, run, files } = open();
  await files().makeFolder(folder);
  await files().replace(`${folder}/commands.json`, Uint8Array.of(1));
  const { errors } = await run({});
  assert.deepEqual(
    errors.map(({ code }) => code),
    ["STORE_CORRUPT"],
  );
  assert.deepEqual(files().snapshot()[`${folder}/commands.json.unreadable`], Uint8Array.of(1));
  await world.settle();
});
