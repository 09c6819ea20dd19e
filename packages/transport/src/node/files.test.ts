import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { createNodeFiles } from "./files.js";

test(
  "a folder that cannot be made is an error, not an endless loop",
  { skip: existsSync("/proc/self") ? false : "needs Linux's /proc, where no folder can be made" },
  async () => {
    const files = createNodeFiles();
    for (const path of ["/proc/thingline", "/proc/thingline/data", "/proc/self/status/data"]) {
      await assert.rejects(files.makeFolder(path), (error) => isThinglineError(error, "FILE_UNREADABLE"), path);
    }
  },
);

test("a file without an end is read up to the limit", { skip: process.platform === "win32" }, async () => {
  const read = createNodeFiles().read("/dev/zero", { bytesMax: 200_000 });
  await assert.rejects(
    read,
    (error) => isThinglineError(error, "LIMIT_EXCEEDED") && error.message.includes("/dev/zero"),
  );
});
