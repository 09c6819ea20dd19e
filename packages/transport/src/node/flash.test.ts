import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { codeOf } from "../contract/harness.js";
import { createVirtualClock } from "../virtual/clock.js";
import { openNodeFlash } from "./flash.js";

const folder = await mkdtemp(join(tmpdir(), "thingline-flash-"));
after(() => rm(folder, { recursive: true }));
const sizes = { sizeBytes: 1_024, pageBytes: 256 };

test("a flash is a private file of its size, and stays when it is opened again", async () => {
  const path = join(folder, "kept", "flash.bin");
  const flash = await openNodeFlash(path, { ...sizes, syncs: true });
  await flash.write(4, Uint8Array.of(1, 2, 3, 4));
  await Promise.all([flash.close(), flash.close()]);
  assert.equal(await codeOf(flash.read(0, 4)), "CLOSED");
  const found = await stat(path);
  assert.deepEqual([found.mode & 0o777, found.size], [0o600, 1_024]);
  await using again = await openNodeFlash(path, sizes);
  assert.deepEqual(await again.read(4, 4), Uint8Array.of(1, 2, 3, 4));
  assert.equal(await codeOf(again.write(4, Uint8Array.of(255, 2, 3, 4))), "FLASH_NOT_ERASED");
});

test("what is begun when the flash is closed is ended", async () => {
  const path = join(folder, "closing.bin");
  const flash = await openNodeFlash(path, sizes);
  const writing = flash.write(0, Uint8Array.of(1, 2, 3, 4));
  await flash.close();
  await writing;
  assert.deepEqual((await readFile(path)).subarray(0, 4), Buffer.from([1, 2, 3, 4]));
});

test("a file of another size, a folder and a link are no flash", async () => {
  const small = join(folder, "small");
  await writeFile(small, "x");
  const link = join(folder, "link");
  const target = join(folder, "target");
  await writeFile(target, new Uint8Array(1_024));
  await symlink(target, link);
  for (const path of [small, folder, link])
    assert.equal(await codeOf(openNodeFlash(path, sizes)), "FLASH_FAILED", path);
});

test("each page of an erasure takes its time by the clock", async () => {
  const slept: number[] = [];
  const clock = { ...createVirtualClock(), sleep: async (delayMs: number) => void slept.push(delayMs) };
  await using flash = await openNodeFlash(join(folder, "slow.bin"), { ...sizes, clock, pageEraseMs: 85 });
  await flash.erase(0, 512);
  assert.deepEqual(slept, [85, 85]);
});

/** Writes one unit after the other, for ever, and says after each how many there are. */
const writer = `
  const { openNodeFlash } = await import(process.env.MODULE);
  const flash = await openNodeFlash(process.env.FLASH, { sizeBytes: 1_048_576, pageBytes: 4_096 });
  for (let unit = 0; unit < 262_144; unit++) {
    await flash.write(4 * unit, Uint8Array.of(1, 2, 3, 4));
    process.stdout.write("x");
  }`;

test("kill -9 leaves everything that had resolved", async () => {
  const path = join(folder, "killed.bin");
  const env = { ...process.env, MODULE: new URL("flash.js", import.meta.url).href, FLASH: path };
  const child = spawn(process.execPath, ["--input-type=module", "-e", writer], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let resolved = 0;
  child.stdout.on("data", (chunk: Buffer) => {
    resolved += chunk.length;
    if (resolved >= 50) child.kill("SIGKILL");
  });
  await once(child, "close");
  const bytes = await readFile(path);
  const written = bytes.indexOf(0xff) / 4;
  assert.ok(written >= resolved, `${resolved} had resolved, ${written} are there`);
  assert.ok(bytes.subarray(4 * Math.ceil(written)).every((byte) => byte === 0xff));
});
