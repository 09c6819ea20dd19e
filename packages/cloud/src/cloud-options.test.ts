import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { createCloud } from "./cloud.js";
import { startCloud } from "./node.js";

const cases: [name: string, start: () => Promise<unknown>, option: string][] = [
  ["startCloud() without options", () => startCloud(undefined as never), "options"],
  ["a misspelt name", () => startCloud({ memory: true, mqttPorts: 1 } as never), "mqttPorts"],
  ["a port as text", () => startCloud({ memory: true, mqttsPort: "8883" } as never), "mqttsPort"],
  ["a log without levels", () => startCloud({ memory: true, log: () => undefined } as never), "log"],
  ["memory as text", () => startCloud({ memory: "yes" } as never), "memory"],
  ["createCloud() without adapters", () => createCloud({} as never, {} as never), "network"],
];
for (const [name, start, option] of cases) {
  test(`${name} is refused by name, before anything is opened`, async () => {
    await assert.rejects(start(), (error) => {
      assert.ok(isThinglineError(error, "OPTION_INVALID"), String(error));
      assert.equal(error.details["option"], option);
      return true;
    });
  });
}
