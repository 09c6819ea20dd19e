import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import {
  flagWrite,
  magicMark,
  magicWrite,
  signImage,
  swapInfoWrite,
  type SwapMode,
  trailerLayout,
  type TrailerLayout,
  type TrailerWrite,
} from "@thingline/protocol/image";
import { type Flash, flashArea } from "@thingline/transport";
import { createNodeImageCrypto } from "@thingline/transport/node/firmware";
import { createVirtualFlash, type VirtualFlash } from "@thingline/transport/virtual";
import { firmwareHeadBytes, type FirmwareTarget } from "../target.js";
import { createMcubootTarget, type McubootTargetOptions } from "./mcuboot-slots.js";
import { slotBufferBytes } from "./slot-writer.js";

const crypto = createNodeImageCrypto();
const { privateKeyPem, publicKeyPem } = await crypto.generateKey("ecdsa-p256");
const keys = [crypto.publicKeyOf(publicKeyPem)];
const signal = new AbortController().signal;

const pageBytes = 1_024;
const slotPages = 10;
const primary = { offsetBytes: 0, sizeBytes: slotPages * pageBytes };
const secondary = { offsetBytes: primary.sizeBytes, sizeBytes: slotPages * pageBytes };
const sectorsMax = 16;

const imageOf = (major: number, payloadBytes = 5_000, securityCounter?: number): Promise<Uint8Array> => {
  const payload = Uint8Array.from({ length: payloadBytes }, (_, index) => (index * 7 + major) & 0xff);
  const version = { major, minor: 2, revision: 3, build: 4 };
  return signImage(payload, { crypto, privateKeyPem, version, headerBytes: 64, padsHeader: true, securityCounter });
};
const [running, update] = [await imageOf(1), await imageOf(2)];

async function flashWithImage(image = running): Promise<VirtualFlash> {
  const flash = createVirtualFlash({ sizeBytes: 2 * primary.sizeBytes, pageBytes, writesPerUnitMax: 2 });
  await flash.write(0, wholeUnits(image));
  // Something old lies in the secondary slot, with a request.
  await flash.write(secondary.offsetBytes, new Uint8Array(secondary.sizeBytes - 16).fill(0x5a));
  return flash;
}

function wholeUnits(bytes: Uint8Array): Uint8Array {
  const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4).fill(0xff);
  padded.set(bytes);
  return padded;
}

const targetOn = (flash: Flash, more: Partial<McubootTargetOptions> = {}): FirmwareTarget =>
  createMcubootTarget({ flash, primary, secondary, crypto, keys, sectorsMax, ...more });

const layoutOf = (mode: SwapMode = "move"): TrailerLayout =>
  trailerLayout({ areaBytes: primary.sizeBytes, mode, writeBytes: 4, sectorsMax });

async function put(flash: Flash, slot: typeof primary, ...writes: TrailerWrite[]): Promise<void> {
  for (const { offset, bytes } of writes) await flash.write(slot.offsetBytes + offset, bytes);
}

/** What a bootloader leaves in the primary slot after a test swap. */
const putOnTrial = (flash: Flash): Promise<void> =>
  put(
    flash,
    primary,
    swapInfoWrite(layoutOf(), { swapType: "test" }),
    flagWrite(layoutOf(), "copyDone"),
    magicWrite(layoutOf()),
  );

async function install(target: FirmwareTarget, image: Uint8Array, chunkBytes = 700, from = 0): Promise<void> {
  for (let at = from; at < image.length; at += chunkBytes) await target.write(at, image.subarray(at, at + chunkBytes));
  assert.equal(await target.sync(), image.length);
}

const sizeOf = (image: Uint8Array): { sizeBytes: number } => ({ sizeBytes: image.length });
const withCode =
  (code: "FIRMWARE_ON_TRIAL" | "FLASH_FAILED" | "OPTION_INVALID" | "ABORTED" | "IMAGE_INVALID") =>
  (error: unknown): boolean =>
    isThinglineError(error, code);

test("an image of MCUboot is recognised by its first bytes, and nothing else is", async () => {
  const target = targetOn(await flashWithImage());
  assert.deepEqual([target.name, target.canRevert], ["mcuboot", true]);
  assert.equal(target.recognises(update.subarray(0, firmwareHeadBytes)), true);
  assert.equal(target.recognises(update.subarray(0, 8)), false);
  assert.equal(target.recognises(update.subarray(1, 1 + firmwareHeadBytes)), false);
  assert.equal(target.recognises(new Uint8Array(0)), false);
});

for (const mode of ["move", "scratch", "offset", "overwrite"] as const) {
  test(`${mode}: an update is written in any pieces, verified where it lies, and asked for`, async () => {
    for (const chunkBytes of [1, 3, slotBufferBytes, 700, 100_000]) {
      const flash = await flashWithImage();
      const target = targetOn(flash, { mode });
      const before = await target.state();
      assert.deepEqual(
        [before.running.version, before.running.trial, before.isScheduled],
        ["1.2.3+4", "confirmed", false],
      );
      await target.begin(sizeOf(update), { signal });
      await install(target, update, chunkBytes);
      const start = secondary.offsetBytes + (mode === "offset" ? pageBytes : 0);
      assert.deepEqual(await flash.read(start, update.length), update);
      assert.deepEqual(await target.read(100, 50), update.slice(100, 150));
      assert.equal((await target.read(secondary.sizeBytes - 10, 50)).length, mode === "offset" ? 0 : 10);
      const verdict = await target.verify(sizeOf(update), { signal });
      assert.deepEqual(verdict.isAccepted && verdict.version, "2.2.3+4");
      assert.equal((await target.state()).isScheduled, false);
      await target.schedule();
      await target.schedule();
      assert.equal((await target.state()).isScheduled, true);
      assert.deepEqual((await target.state()).running, before.running);
      assert.equal(verdict.isAccepted && verdict.imageId === before.running.imageId, false);
    }
  });
}

test("the largest file has room, one more byte has not", async () => {
  const target = targetOn(await flashWithImage());
  const capacity = await target.capacityBytes();
  // Move keeps a free sector, and the trailer has one of its own.
  assert.equal(capacity, (slotPages - 2) * pageBytes);
  await target.begin({ sizeBytes: capacity }, { signal });
  for (const sizeBytes of [capacity + 1, 0, 1.5, Number.NaN]) {
    await assert.rejects(target.begin({ sizeBytes }, { signal }), withCode("OPTION_INVALID"));
    await assert.rejects(target.resume({ sizeBytes, offset: 0 }, { signal }), withCode("OPTION_INVALID"));
  }
});

test("what begins takes request and header away first, and pages are erased when they are come to", async () => {
  const flash = await flashWithImage();
  await put(flash, secondary, magicWrite(layoutOf()));
  const target = targetOn(flash);
  const operations = flash.operationCount;
  await target.begin(sizeOf(update), { signal });
  assert.equal(flash.operationCount, operations + 2);
  assert.equal((await target.state()).isScheduled, false);
  await target.write(0, update.subarray(0, pageBytes));
  assert.equal(flash.operationCount, operations + 4, "two writes of the first page, which was erased");
  await target.write(pageBytes, update.subarray(pageBytes, pageBytes + slotBufferBytes));
  assert.equal(flash.operationCount, operations + 6, "an erasure and a write");
  assert.equal(await target.sync(), pageBytes + slotBufferBytes);
});

test("a last part that does not fill a unit waits, and the end of the image does not", async () => {
  const flash = await flashWithImage();
  const target = targetOn(flash);
  await target.begin({ sizeBytes: 10 }, { signal });
  await target.write(0, update.subarray(0, 7));
  assert.equal(await target.sync(), 4);
  assert.equal(await target.sync(), 4);
  await target.write(7, update.subarray(7, 10));
  assert.equal(await target.sync(), 10);
  await assert.rejects(target.write(10, update.subarray(10, 11)), withCode("OPTION_INVALID"));
});

test("bytes that do not follow the last ones, or that nobody began, are refused", async () => {
  const target = targetOn(await flashWithImage());
  await assert.rejects(target.write(0, update), withCode("OPTION_INVALID"));
  await target.begin(sizeOf(update), { signal });
  await target.write(0, update.subarray(0, 100));
  for (const offset of [0, 99, 101]) {
    await assert.rejects(target.write(offset, update.subarray(0, 1)), withCode("OPTION_INVALID"));
  }
});

/** A whole update in one process that power may end, and in another that goes on; as the updater does it. */
async function updateOver(
  flash: VirtualFlash,
  mode: SwapMode,
  progress: { synced: number; isWritten: boolean },
): Promise<void> {
  const target = targetOn(flash, { mode });
  if (!progress.isWritten) {
    let at = 0;
    if (progress.synced === 0) await target.begin(sizeOf(update), { signal });
    else at = await target.resume({ ...sizeOf(update), offset: progress.synced }, { signal });
    assert.ok(at <= progress.synced && at % pageBytes === 0);
    for (; at < update.length; at += 900) {
      await target.write(at, update.subarray(at, at + 900));
      progress.synced = Math.max(progress.synced, await target.sync());
    }
    progress.isWritten = true;
  }
  const verdict = await target.verify(sizeOf(update), { signal });
  assert.equal(verdict.isAccepted, true, JSON.stringify(verdict));
  await target.schedule();
}

for (const mode of ["move", "scratch", "offset"] as const) {
  test(`${mode}: power may go before and within every operation of an update`, async () => {
    const start = await flashWithImage();
    const whole = start.restart();
    await updateOver(whole, mode, { synced: 0, isWritten: false });
    for (let atOperation = 1; atOperation <= whole.operationCount; atOperation++) {
      for (const part of [0, 0.5]) {
        const cut = start.restart({ powerLoss: { atOperation, part } });
        const progress = { synced: 0, isWritten: false };
        await assert.rejects(updateOver(cut, mode, progress), withCode("FLASH_FAILED"));
        const flash = cut.restart();
        await updateOver(flash, mode, progress);
        assert.equal((await targetOn(flash, { mode }).state()).isScheduled, true, `cut at ${atOperation}, ${part}`);
        assert.equal((await targetOn(flash, { mode }).state()).running.version, "1.2.3+4");
      }
    }
  });
}

test("an image is refused for what lies on flash, with a stable reason", async () => {
  const other = await crypto.generateKey("ecdsa-p256");
  const strangers = [crypto.publicKeyOf(other.publicKeyPem)];
  const reasonOf = async (image: Uint8Array, more: Partial<McubootTargetOptions> = {}): Promise<string> => {
    const target = targetOn(await flashWithImage(), more);
    await target.begin(sizeOf(image), { signal });
    await install(target, image);
    const verdict = await target.verify(sizeOf(image), { signal });
    return verdict.isAccepted ? "accepted" : verdict.reason;
  };
  const flipped = update.slice();
  flipped[1_000] = (flipped[1_000] ?? 0) ^ 0x10;
  assert.equal(await reasonOf(update), "accepted");
  assert.equal(await reasonOf(flipped), "hashMismatch");
  assert.equal(await reasonOf(update.subarray(0, 3_000)), "imageTruncated");
  assert.equal(await reasonOf(update, { keys: strangers }), "keyUnknown");
  assert.equal(await reasonOf(new Uint8Array(100).fill(1)), "imageMagicInvalid");
  assert.equal(await reasonOf(await imageOf(0), { downgradePrevention: { by: "version" } }), "versionLower");
  assert.equal(await reasonOf(await imageOf(0)), "accepted");
  assert.equal(await reasonOf(update, { policy: { securityCounterMin: 3 } }), "securityCounterMissing");
});

test("what the flash changed after it was written is found", async () => {
  const flash = await flashWithImage();
  const target = targetOn(flash);
  await target.begin(sizeOf(update), { signal });
  await install(target, update);
  await flash.write(secondary.offsetBytes + 2_048, new Uint8Array(4));
  const verdict = await target.verify(sizeOf(update), { signal });
  assert.equal(verdict.isAccepted || verdict.reason, "hashMismatch");
});

test("a request that was cut is written to its end, by the next process, too", async () => {
  for (const part of [0.01, 0.3, 0.6, 0.99]) {
    const flash = await flashWithImage();
    const target = targetOn(flash);
    await target.begin(sizeOf(update), { signal });
    await install(target, update);
    const cut = flash.restart({ powerLoss: { atOperation: 1, part } });
    await assert.rejects(targetOn(cut).schedule(), withCode("FLASH_FAILED"));
    const after = cut.restart();
    assert.equal((await targetOn(after).state()).isScheduled, false);
    await targetOn(after).schedule();
    assert.equal((await targetOn(after).state()).isScheduled, true);
    assert.equal((await targetOn(after).verify(sizeOf(update), { signal })).isAccepted, true);
  }
});

test("a stale trailer goes before the request, unless the image reaches into its page", async () => {
  for (const [mode, code] of [
    ["move", undefined],
    ["scratch", "FLASH_FAILED"],
  ] as const) {
    const flash = await flashWithImage();
    const target = targetOn(flash, { mode });
    const image = await imageOf(2, (await target.capacityBytes()) - 250);
    await target.begin(sizeOf(image), { signal });
    await install(target, image);
    await put(flash, secondary, flagWrite(layoutOf(mode), "copyDone"));
    if (code !== undefined) {
      await assert.rejects(target.schedule(), withCode(code));
      continue;
    }
    await target.schedule();
    const { magic } = layoutOf(mode);
    assert.equal(magicMark(await flash.read(secondary.offsetBytes + magic, 16), 8), "good");
    assert.equal((await target.verify(sizeOf(image), { signal })).isAccepted, true);
  }
});

test("what runs is on trial until it is confirmed, and meanwhile the way back is not touched", async () => {
  const flash = await flashWithImage();
  await putOnTrial(flash);
  const target = targetOn(flash);
  assert.equal((await target.state()).running.trial, "onTrial");
  const before = flash.snapshot();
  await assert.rejects(target.begin(sizeOf(update), { signal }), withCode("FIRMWARE_ON_TRIAL"));
  await assert.rejects(target.resume({ ...sizeOf(update), offset: 0 }, { signal }), withCode("FIRMWARE_ON_TRIAL"));
  await assert.rejects(target.schedule(), withCode("FIRMWARE_ON_TRIAL"));
  await assert.rejects(target.discard(), withCode("FIRMWARE_ON_TRIAL"));
  assert.deepEqual(flash.snapshot(), before);
  await target.confirm();
  await target.confirm();
  assert.equal((await target.state()).running.trial, "confirmed");
  assert.equal(flash.operationCount, (await flashWithImage()).operationCount + 4);
  await target.begin(sizeOf(update), { signal });
});

test("confirming what was programmed directly does nothing, and a damaged trailer is told", async () => {
  const flash = await flashWithImage();
  const operations = flash.operationCount;
  await targetOn(flash).confirm();
  assert.equal(flash.operationCount, operations);
  await flash.write(primary.offsetBytes + layoutOf().magic, new Uint8Array(4));
  await assert.rejects(targetOn(flash).confirm(), withCode("FLASH_FAILED"));
});

test("what was gone back to says so", async () => {
  const flash = await flashWithImage();
  const layout = layoutOf();
  await put(flash, primary, swapInfoWrite(layout, { swapType: "revert" }), flagWrite(layout, "imageOk"));
  await put(flash, primary, flagWrite(layout, "copyDone"), magicWrite(layout));
  assert.equal((await targetOn(flash).state()).running.trial, "reverted");
  assert.equal((await targetOn(flash, { mode: "overwrite" }).state()).running.trial, "confirmed");
});

test("what is given up is neither asked for nor an image, and giving up twice costs nothing", async () => {
  for (const mode of ["move", "offset"] as const) {
    const flash = await flashWithImage();
    const target = targetOn(flash, { mode });
    await target.begin(sizeOf(update), { signal });
    await install(target, update);
    await target.schedule();
    await target.discard();
    assert.equal((await target.state()).isScheduled, false);
    const area = flashArea(flash, secondary);
    const head = await area.read(0, (mode === "offset" ? 2 : 1) * pageBytes);
    assert.ok(head.every((byte) => byte === 0xff));
    const operations = flash.operationCount;
    await target.discard();
    assert.equal(flash.operationCount, operations);
    assert.equal((await target.state()).running.version, "1.2.3+4");
  }
});

test("a slot without an image, and a signal", async () => {
  const empty = createVirtualFlash({ sizeBytes: 2 * primary.sizeBytes, pageBytes });
  await assert.rejects(targetOn(empty).state(), withCode("IMAGE_INVALID"));
  const target = targetOn(await flashWithImage());
  const aborted = { signal: AbortSignal.abort() };
  await assert.rejects(target.begin(sizeOf(update), aborted), withCode("ABORTED"));
  await target.begin(sizeOf(update), { signal });
  await install(target, update);
  await assert.rejects(target.verify(sizeOf(update), aborted), withCode("ABORTED"));
  assert.throws(() => targetOn(empty, { mode: "copy" as SwapMode }), withCode("OPTION_INVALID"));
});
