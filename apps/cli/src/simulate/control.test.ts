import assert from "node:assert/strict";
import { test } from "node:test";
import { modemBehaviourPresets } from "@thingline/modem/simulator";
import { UsageError } from "../failure.js";
import { parseControlLine } from "./control.js";

const words = { presets: modemBehaviourPresets, events: ["unplug", "cutPower"] };
const unplug = { steps: [{ atMs: 0, do: "unplug" }] };

for (const [line, command] of [
  ["noSim", { type: "apply", name: "noSim", behaviour: modemBehaviourPresets.noSim }],
  ["  unplug  2 ", { type: "apply", modem: 2, name: "unplug", behaviour: unplug }],
  ["cutPower", { type: "apply", name: "cutPower", behaviour: { steps: [{ atMs: 0, do: "cutPower" }] } }],
  ["status", { type: "status" }],
  ['{"status":true,"modem":3}', { type: "status", modem: 3 }],
  ['{"set":{"sim":"absent"}}', { type: "apply", name: "document", behaviour: { set: { sim: "absent" } } }],
  [
    `{"steps":${JSON.stringify(unplug.steps)},"seed":4}`,
    { type: "apply", name: "document", behaviour: { ...unplug, seed: 4 } },
  ],
  [
    '{"apply":"cutPower","backAfterMs":500,"modem":1}',
    {
      type: "apply",
      modem: 1,
      backAfterMs: 500,
      name: "cutPower",
      behaviour: { steps: [{ atMs: 0, do: "cutPower" }] },
    },
  ],
] as const) {
  test(`the control line ${line} is understood`, () => assert.deepEqual(parseControlLine(line, words), command));
}

for (const line of [
  "nosim",
  "noSim two",
  "noSim 0",
  "noSim 1 2",
  "toString",
  "{",
  "{}",
  '{"modem":1}',
  '{"set":{},"sett":{}}',
  '{"apply":"noSim","set":{}}',
  '{"apply":7}',
  '{"status":true,"set":{"sim":"absent"}}',
  '{"status":true,"apply":"noSim"}',
  '{"status":false}',
  '{"apply":"noSim","backAfterMs":-1}',
  '{"apply":"noSim","modem":"1"}',
]) {
  test(`the control line ${line} is refused as wrong usage`, () => {
    assert.throws(() => parseControlLine(line, words), UsageError);
  });
}
