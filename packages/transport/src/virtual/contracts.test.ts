import assert from "node:assert/strict";
import { verify } from "node:crypto";
import { test } from "node:test";
import { clockContract } from "../contract/clock-contract.js";
import { filesContract } from "../contract/files-contract.js";
import { flashContract } from "../contract/flash-contract.js";
import { httpContract } from "../contract/http-contract.js";
import { keysContract } from "../contract/keys-contract.js";
import { randomContract } from "../contract/random-contract.js";
import { createVirtualClock } from "./clock.js";
import { createVirtualFiles } from "./files.js";
import { createVirtualFlash } from "./flash.js";
import { createVirtualHttp } from "./http.js";
import { createVirtualKeys } from "./keys.js";
import { createProcessClock } from "./process-clock.js";
import { createVirtualRandom } from "./random.js";

const harness = { test, assert };

clockContract(harness, "virtual clock", async () => {
  const clock = createVirtualClock();
  return { clock, wait: (promise) => clock.until(promise) };
});

clockContract(harness, "virtual clock of microtasks", async () => {
  const clock = createVirtualClock({ settlesBy: "microtasks" });
  return { clock, wait: (promise) => clock.until(promise) };
});

clockContract(harness, "clock of a process", async () => {
  const clock = createVirtualClock();
  return { clock: createProcessClock(clock), wait: (promise) => clock.until(promise) };
});

randomContract(harness, "virtual random", () => createVirtualRandom("contract"));

filesContract(harness, "virtual files", async () => ({
  files: createVirtualFiles(),
  folder: "/work",
  close: async () => undefined,
}));

for (const writeBytes of [1, 4, 16]) {
  flashContract(harness, `virtual flash, written in units of ${writeBytes}`, async () => ({
    flash: createVirtualFlash({ sizeBytes: 8 * 256, pageBytes: 256, writeBytes }),
    close: async () => undefined,
  }));
}

keysContract(harness, "virtual keys", async () => ({
  keys: createVirtualKeys({ random: createVirtualRandom("contract") }),
  verify: (publicKeyPem, data, signature) => verify("sha256", data, publicKeyPem, signature),
}));

httpContract(harness, "virtual HTTP", async () => {
  const clock = createVirtualClock();
  const http = createVirtualHttp({ clock });
  return {
    http,
    wait: (promise) => clock.until(promise),
    async serve(handler) {
      const origin = "http://server.test:8080";
      const stop = http.serve(origin, handler);
      return { origin, close: async () => void stop() };
    },
  };
});
