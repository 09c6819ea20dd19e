import assert from "node:assert/strict";
import { test } from "node:test";
import { codeOf } from "../contract/harness.js";
import { createVirtualClock } from "./clock.js";
import { createVirtualFlash } from "./flash.js";
import { createVirtualRandom } from "./random.js";

const sizes = { sizeBytes: 1_024, pageBytes: 256, writeBytes: 4 };
const count = (bytes: Uint8Array, wanted: number): number => bytes.filter((byte) => byte === wanted).length;

test("power that goes before an operation leaves nothing of it, and every call fails until the restart", async () => {
  let cuts = 0;
  const flash = createVirtualFlash({ ...sizes, powerLoss: { atOperation: 2 }, onPowerLoss: () => (cuts += 1) });
  await flash.write(0, new Uint8Array(8));
  assert.equal(await codeOf(flash.write(8, new Uint8Array(8))), "FLASH_FAILED");
  assert.deepEqual([flash.isPowered, cuts, flash.operationCount], [false, 1, 2]);
  assert.equal(await codeOf(flash.read(0, 1)), "FLASH_FAILED");
  assert.equal(await codeOf(flash.erase(0, 256)), "FLASH_FAILED");
  const after = flash.restart();
  assert.equal(await codeOf(flash.read(0, 1)), "FLASH_FAILED", "the old machine stays without power");
  assert.equal(count(after.snapshot(), 0), 8);
  await after.write(8, new Uint8Array(8));
  assert.equal(count(await after.read(0, 16), 0), 16);
  assert.equal(cuts, 1);
});

test("power that goes within a write leaves a first part of its bytes", async () => {
  for (const [part, left] of [
    [0.01, 0],
    [0.5, 16],
    [0.99, 31],
  ] as const) {
    const flash = createVirtualFlash({ ...sizes, powerLoss: { atOperation: 1, part } });
    assert.equal(await codeOf(flash.write(0, new Uint8Array(32))), "FLASH_FAILED");
    const after = flash.snapshot();
    assert.equal(count(after, 0), left);
    assert.equal(count(after.subarray(0, left), 0), left);
  }
});

test("each page of an erasure is an operation, and the page in which power goes is between old and erased", async () => {
  for (const random of [undefined, createVirtualRandom("torn")]) {
    const content = new Uint8Array(1_024);
    const powerLoss = { atOperation: 2, part: 0.5 };
    const flash = createVirtualFlash({ ...sizes, content, powerLoss, ...(random !== undefined && { random }) });
    assert.equal(await codeOf(flash.erase(0, 768)), "FLASH_FAILED");
    const after = flash.snapshot();
    assert.equal(count(after.subarray(0, 256), 0xff), 256);
    assert.equal(count(after.subarray(512), 0), 512);
    const torn = [...after.subarray(256, 512)];
    const setBits = torn.reduce((sum, byte) => sum + byte.toString(2).replaceAll("0", "").length, 0);
    assert.ok(setBits > 800 && setBits < 1_250, `about a half of 2048 bits: ${setBits}`);
    assert.ok(new Set(torn).size > 60, "all over the page");
  }
});

test("a unit is written so often as the flash allows between two erasures", async () => {
  const flash = createVirtualFlash({ ...sizes, writesPerUnitMax: 2 });
  const write = (offset: number, length: number): Promise<string> =>
    codeOf(flash.write(offset, new Uint8Array(length)));
  assert.deepEqual([await write(0, 4), await write(0, 8)], ["none", "none"]);
  assert.equal(await write(0, 4), "FLASH_NOT_ERASED");
  assert.equal(await write(4, 4), "none");
  assert.equal(await write(4, 8), "FLASH_NOT_ERASED");
  assert.equal(count(flash.snapshot(), 0), 8, "the refused write wrote nothing");
  const again = flash.restart();
  assert.equal(await codeOf(again.write(0, new Uint8Array(4))), "FLASH_NOT_ERASED", "a restart forgets nothing");
  await again.erase(0, 256);
  await again.write(0, new Uint8Array(4));
});

test("an erasure takes its time, and what is called meanwhile waits for it", async () => {
  const clock = createVirtualClock();
  const flash = createVirtualFlash({ ...sizes, clock, pageEraseMs: 85 });
  const order: string[] = [];
  const erasing = flash.erase(0, 512).then(() => order.push(`erased at ${clock.monotonicMs()}`));
  const writing = flash.write(0, new Uint8Array(4)).then(() => order.push("written"));
  const reading = flash.read(0, 4).then((bytes) => order.push(`read ${bytes.join()}`));
  await clock.until(Promise.all([erasing, writing, reading]));
  assert.deepEqual(order, ["erased at 170", "written", "read 0,0,0,0"]);
});

test("power that goes while an erasure takes its time leaves the page torn", async () => {
  const clock = createVirtualClock();
  const content = new Uint8Array(512);
  const flash = createVirtualFlash({ ...sizes, content, clock, pageEraseMs: 85 });
  clock.setTimer(100, () => flash.cutPower());
  assert.equal(await clock.until(codeOf(flash.erase(0, 512))), "FLASH_FAILED");
  const after = flash.restart().snapshot();
  assert.equal(count(after.subarray(0, 256), 0xff), 256);
  assert.ok(new Set(after.subarray(256, 512)).size > 60);
});

test("options that do not fit are refused", async () => {
  const codes = [
    { ...sizes, content: new Uint8Array(1_025) },
    { ...sizes, powerLoss: { atOperation: 0 } },
    { ...sizes, powerLoss: { atOperation: 1, part: 1 } },
    { ...sizes, pageBytes: 255 },
  ].map((options) => codeOf(Promise.resolve().then(() => createVirtualFlash(options))));
  assert.deepEqual(new Set(await Promise.all(codes)), new Set(["OPTION_INVALID"]));
});
