import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualClock } from "./clock.js";
import { createVirtualFiles } from "./files.js";
import { createVirtualHttp } from "./http.js";
import { createVirtualKeys } from "./keys.js";
import { createVirtualNetwork } from "./network.js";
import { createVirtualRandom } from "./random.js";

test("what is virtual checks its options at the call, as what is Node's does", () => {
  const clock = createVirtualClock();
  const rows: [name: string, make: () => unknown, option: string][] = [
    ["a clock of null", () => createVirtualClock(null as never), "options"],
    ["a clock's misspelt option", () => createVirtualClock({ unixMS: 1 } as never), "unixMS"],
    ["a clock's Date", () => createVirtualClock({ unixMs: new Date() } as never), "unixMs"],
    ["a clock that settles by chance", () => createVirtualClock({ settlesBy: "chance" } as never), "settlesBy"],
    ["files with a list", () => createVirtualFiles([] as never), "options"],
    ["files with a path", () => createVirtualFiles({ content: "/tmp" } as never), "content"],
    ["files with half a Random", () => createVirtualFiles({ random: { bytes: assert.fail } } as never), "random"],
    ["an Http of nothing", () => createVirtualHttp(undefined as never), "options"],
    ["an Http without clock", () => createVirtualHttp({} as never), "clock"],
    ["an Http with text as latency", () => createVirtualHttp({ clock, latencyMs: "2" } as never), "latencyMs"],
    ["keys of nothing", () => createVirtualKeys(undefined as never), "options"],
    ["keys without random", () => createVirtualKeys({} as never), "random"],
    ["a network without random", () => createVirtualNetwork({ clock } as never), "random"],
    [
      "a network without a pace",
      () => createVirtualNetwork({ clock, random: createVirtualRandom(1), bitsPerSecond: 0 }),
      "bitsPerSecond",
    ],
    ["randomness without seed", () => createVirtualRandom(undefined as never), "seed"],
  ];
  for (const [name, make, option] of rows) {
    assert.throws(make, (error) => (error as { details?: { option?: string } }).details?.option === option, name);
  }
});
