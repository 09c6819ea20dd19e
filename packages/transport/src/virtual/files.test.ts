import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { codeOf } from "../contract/harness.js";
import { defaultListedNamesMax } from "../files.js";
import { createVirtualFiles } from "./files.js";
import { createVirtualRandom } from "./random.js";

const text = (content: string): Uint8Array => new TextEncoder().encode(content);
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

test("without an option a folder is listed up to defaultListedNamesMax", async () => {
  const empty = new Uint8Array();
  const names = Array.from({ length: defaultListedNamesMax + 1 }, (_, index): [string, Uint8Array] => [
    `/full/${index}`,
    empty,
  ]);
  const files = createVirtualFiles({ content: Object.fromEntries(names) });
  assert.equal(await codeOf(files.list("/full")), "LIMIT_EXCEEDED");
  await files.remove("/full/0");
  assert.equal((await files.list("/full")).length, defaultListedNamesMax);
});

test("a power cut at any write of a replace leaves the old content or the new", async () => {
  const seen = new Set<string>();
  for (let seed = 0; seed < 20; seed++) {
    for (let cut = 1; cut <= 4; cut++) {
      const random = createVirtualRandom(seed);
      const files = createVirtualFiles({ content: { "/a": "old" }, random, powerLossBeforeWrite: cut });
      const outcome = await codeOf(files.replace("/a", text("new")));
      assert.equal(outcome, cut <= 3 ? "FILE_UNREADABLE" : "none");
      const after = textOf(await files.restart().read("/a", { bytesMax: 1000 }));
      if (cut <= 2) assert.equal(after, "old");
      if (cut === 4) assert.equal(after, "new");
      if (cut === 3) seen.add(after);
    }
  }
  assert.deepEqual([...seen].sort(), ["new", "old"], "between rename and flush of the folder, either");
});

test("what was appended and not flushed survives in part, and never out of order", async () => {
  const lengths = new Set<number>();
  for (let seed = 0; seed < 50; seed++) {
    const files = createVirtualFiles({ random: createVirtualRandom(seed) });
    await files.append("/log", text("0123"));
    await files.flush("/log");
    await files.append("/log", text("456789"));
    const after = textOf(await files.restart().read("/log", { bytesMax: 1000 }));
    assert.ok("0123456789".startsWith(after) && after.length >= 4);
    lengths.add(after.length);
  }
  assert.ok(lengths.size > 3);
});

test("without chance a power cut takes all that was not flushed", async () => {
  const files = createVirtualFiles();
  await files.append("/log", text("lost"));
  await files.replace("/kept", text("kept"));
  const after = files.restart();
  assert.equal(await after.exists("/log"), false);
  assert.equal(textOf(await after.read("/kept", { bytesMax: 1000 })), "kept");
});

test("a killed process loses nothing that it wrote, and its locks are gone", async () => {
  const files = createVirtualFiles();
  await files.lock("/data");
  await files.append("/data/log", text("kept"));
  const after = files.restartProcess();
  assert.equal(textOf(await after.read("/data/log", { bytesMax: 1000 })), "kept");
  await after.lock("/data");
  assert.equal(
    await codeOf(files.read("/data/log", { bytesMax: 1000 })),
    "FILE_UNREADABLE",
    "the dead process does nothing more",
  );
  const later = after.restart();
  assert.equal(await later.exists("/data/log"), false, "it was never flushed");
});

test("after a cut nothing works until the restart, and the world is told once", async () => {
  let cuts = 0;
  const files = createVirtualFiles({ powerLossBeforeWrite: 2, onPowerLoss: () => (cuts += 1) });
  await files.append("/a", text("1"));
  const attempts = [
    () => files.append("/a", text("2")),
    () => files.flush("/a"),
    () => files.read("/a", { bytesMax: 1000 }),
    () => files.lock("/"),
  ];
  for (const attempt of attempts) {
    await assert.rejects(attempt, (error) => isThinglineError(error, "FILE_UNREADABLE"));
  }
  assert.equal(cuts, 1);
  assert.equal(files.isPowered, false);
  assert.equal(files.writeCount, 1);
  const after = files.restart({ powerLossBeforeWrite: 5 });
  await after.replace("/b", text("x"), { mode: 0o644 });
  assert.equal(after.modeOf("/b"), 0o644);
  assert.equal(after.writeCount, 3);
  assert.deepEqual(Object.keys(after.snapshot()), ["/b"]);
});

test("a removal is undone by a power cut before its folder is flushed", async () => {
  const files = createVirtualFiles({ content: { "/a": "x" }, powerLossBeforeWrite: 2 });
  assert.equal(await codeOf(files.remove("/a")), "FILE_UNREADABLE");
  assert.equal(textOf(await files.restart().read("/a", { bytesMax: 1000 })), "x");
});
