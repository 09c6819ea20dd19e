import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { connectDevice } from "./client.js";
import { FakeCloud } from "./client.test.harness.js";

describe("a dialer of the application's that is at fault", () => {
  const faulty: [name: string, dial: () => unknown, code: string, message: RegExp][] = [
    [
      "throws a TypeError",
      () => (undefined as unknown as { x: 1 }).x,
      "ADAPTER_FAILED",
      /not the network: it threw TypeError: /,
    ],
    ["rejects with a RangeError", () => Promise.reject(new RangeError("no")), "ADAPTER_FAILED", /RangeError: no/],
    [
      "throws no error",
      () => new Promise((_, reject) => (reject as () => void)()),
      "ADAPTER_FAILED",
      /it threw nothing/,
    ],
    ["gives nothing", () => undefined, "ADAPTER_FAILED", /dial\(\) gave nothing instead of a Connection/],
    [
      "gives a socket",
      () => ({ write: () => true, close: () => 1 }),
      "ADAPTER_FAILED",
      /an object without start, reserve/,
    ],
    [
      "tells of the network",
      () => Promise.reject(Object.assign(new Error("x"), { code: "ECONNRESET" })),
      "CONNECTION_LOST",
      /: x$/,
    ],
    [
      "asks by fetch()",
      () => Promise.reject(new TypeError("fetch failed", { cause: new Error("ECONNREFUSED") })),
      "CONNECTION_LOST",
      /fetch failed/,
    ],
  ];
  for (const [name, dial, code, message] of faulty) {
    test(`one that ${name} is told as ${code}, and tried again only when it was the network`, async () => {
      const cloud = new FakeCloud();
      const isFinal = code === "ADAPTER_FAILED";
      const connecting = connectDevice({
        ...cloud.options({ reconnect: { firstAttempt: "retry", attemptsMax: isFinal ? 9 : 1 } }),
        dialer: { dial: async () => (await dial()) as never },
      });
      await assert.rejects(Promise.all([connecting, cloud.clock.flush()]), (error) => {
        assert.ok(isThinglineError(error), String(error));
        assert.equal(error.code, code);
        assert.match(error.message, message);
        return true;
      });
    });
  }
});
