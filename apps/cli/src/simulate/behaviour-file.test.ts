import assert from "node:assert/strict";
import { test } from "node:test";
import { modemBehaviourPresets } from "@thingline/modem/simulator";
import { codeOf } from "@thingline/transport/contract";
import { createVirtualFiles } from "@thingline/transport/virtual";
import { UsageError } from "../failure.js";
import { behaviourBytesMax, joinBehaviours, readBehaviour } from "./behaviour-file.js";

const files = createVirtualFiles();
const write = (path: string, text: string) => files.replace(path, new TextEncoder().encode(text));

test("a behaviour is a preset or a JSON file, checked whole, up to its limit", async () => {
  assert.equal(await readBehaviour(files, "noSim"), modemBehaviourPresets.noSim);
  const document = { steps: [{ atMs: 5, do: "unplug" }] };
  const text = JSON.stringify(document);
  await write("mine.json", text.padEnd(behaviourBytesMax));
  assert.deepEqual(await readBehaviour(files, "mine.json"), document);
  await write("mine.json", text.padEnd(behaviourBytesMax + 1));
  assert.equal(await codeOf(readBehaviour(files, "mine.json")), "FILE_TOO_LARGE");
  await write("mine.json", '{"set":{"sim":"none"}}');
  await assert.rejects(readBehaviour(files, "mine.json"), /mine\.json: set\.sim/);
  await write("mine.json", "{");
  await assert.rejects(readBehaviour(files, "mine.json"), UsageError);
  await assert.rejects(readBehaviour(files, "nosim"), UsageError);
  assert.equal(await codeOf(readBehaviour(files, "./nosim.json")), "FILE_NOT_FOUND");
});

test("of several behaviours the last one's settings hold, and all steps", () => {
  assert.equal(joinBehaviours([]), undefined);
  const { roaming, weakSignal, unplug, noSim } = modemBehaviourPresets;
  assert.deepEqual(joinBehaviours([roaming, weakSignal, unplug]), {
    set: { ...roaming.set, ...weakSignal.set, cell: { ...roaming.set.cell, ...weakSignal.set.cell } },
    steps: [...weakSignal.steps, ...unplug.steps],
  });
  assert.deepEqual(joinBehaviours([noSim, { set: { sim: "ready" } }]), { set: { sim: "ready" }, steps: [] });
});
