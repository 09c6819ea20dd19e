import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import {
  createVirtualClock,
  createVirtualFiles,
  createVirtualKeys,
  createVirtualNetwork,
  createVirtualRandom,
} from "@thingline/transport/virtual";
import { checkAccountAndRegion } from "./account-region.js";
import { createCloud } from "./cloud.js";
import { createMemoryStore } from "./store/memory.js";
import { startCloud } from "./node.js";
import { silentLog } from "./log.js";

const cases: [name: string, start: () => Promise<unknown>, option: string][] = [
  ["startCloud() without options", () => startCloud(undefined as never), "options"],
  ["a misspelt name", () => startCloud({ memory: true, mqttPorts: 1 } as never), "mqttPorts"],
  ["a port as text", () => startCloud({ memory: true, mqttsPort: "8883" } as never), "mqttsPort"],
  ["a log without levels", () => startCloud({ memory: true, log: () => undefined } as never), "log"],
  ["memory as text", () => startCloud({ memory: "yes" } as never), "memory"],
  ["createCloud() without adapters", () => createCloud({} as never, {} as never), "network"],
];

const adapters = {
  network: createVirtualNetwork({ clock: createVirtualClock(), random: createVirtualRandom(1) }),
  clock: createVirtualClock(),
  random: createVirtualRandom(1),
  files: createVirtualFiles(),
  keys: createVirtualKeys({ random: createVirtualRandom(1) }),
  store: createMemoryStore(),
  log: silentLog,
};
const address = { host: "localhost", port: 0, optionName: "port" };
const wrong: [option: string, values: unknown[]][] = [
  ["account", ["", "12345678901", "1234567890123", "12345678901x", " 123456789012", "١٢٣٤٥٦٧٨٩٠١٢", 123456789012]],
  [
    "region",
    [
      "",
      "us",
      "us-east",
      "us-east-",
      "us-east-100",
      "US-EAST-1",
      "us_east_1",
      "us-east-1 ",
      "../..",
      "x-y-1",
      `us${"-east".repeat(9)}-1`,
    ],
  ],
  ["signatures", ["verfy"]],
  ["unsignedRequests", ["yes"]],
  ["sessionOwner", ["clientid", ""]],
  ["vending", ["on", "", null, {}, { function: "" }]],
  ["shadowsOfUnknownThings", ["accept"]],
];
for (const [option, values] of wrong) {
  for (const value of values) {
    const options = { folder: "/cloud", mqtts: address, https: address, [option]: value };
    cases.push([`${option} ${JSON.stringify(value)}`, () => createCloud(adapters, options), option]);
    if (option === "account" || option === "region") {
      const start = () => startCloud({ memory: true, [option]: value });
      cases.push([`${option} ${JSON.stringify(value)} of startCloud()`, start, option]);
    }
  }
}

test("accounts and regions of AWS are taken", () => {
  const regions = [
    "us-east-1",
    "us-gov-west-1",
    "cn-north-1",
    "ap-southeast-2",
    "us-isob-east-1",
    "eu-isoe-west-1",
    "mx-central-1",
  ];
  for (const region of regions) checkAccountAndRegion({ account: "000000000000", region });
  checkAccountAndRegion({});
});

for (const [name, start, option] of cases) {
  test(`${name} is refused by name, before anything is opened`, async () => {
    await assert.rejects(start(), (error) => {
      assert.ok(isThinglineError(error, "OPTION_INVALID"), String(error));
      assert.equal(error.details["option"], option);
      return true;
    });
  });
}
