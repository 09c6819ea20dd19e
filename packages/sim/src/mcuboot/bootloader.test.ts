import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { flagWrite, imageFlags, type SwapMode } from "@thingline/protocol/image";
import { flashArea } from "@thingline/transport";
import { createVirtualFlash, type VirtualFlash } from "@thingline/transport/virtual";
import {
  bootloaderOf,
  confirm,
  crypto,
  flashWith,
  imageOverheadBytes,
  layoutOf,
  padded,
  requestUpdate,
  roomOf,
  smallGeometry,
  trailerOf,
  unsignedImage,
} from "./boot-world.test.support.js";
import { createBootloader } from "./bootloader.js";
import { createFlashCounter } from "./security-counter.js";

const swapModes = ["move", "scratch", "offset"] as const satisfies SwapMode[];
const modes = [...swapModes, "overwrite"] as const;
const image = (major: number, more: { flags?: number; securityCounter?: number } = {}): Uint8Array =>
  unsignedImage({ major, payloadBytes: 1_000, ...more });

async function isErased(flash: VirtualFlash, mode: SwapMode): Promise<boolean> {
  const area = flashArea(flash, layoutOf(smallGeometry(mode)).secondary);
  return (await area.read(0, area.sizeBytes)).every((byte) => byte === 0xff);
}

for (const mode of swapModes) {
  const geometry = smallGeometry(mode);

  test(`${mode}: an update is tried, and gone back from when nobody confirms it`, async () => {
    const flash = await flashWith(geometry, image(1));
    const bootloader = bootloaderOf(flash, geometry);
    assert.deepEqual((await bootloader.boot()).runs?.version, "1.0.0+0");
    await requestUpdate(flash, geometry, image(2));
    const tried = await bootloader.boot();
    assert.deepEqual([tried.swapType, tried.runs?.version, tried.runs?.isOnTrial], ["test", "2.0.0+0", true]);
    const back = await bootloader.boot();
    assert.deepEqual([back.swapType, back.runs?.version, back.runs?.isOnTrial], ["revert", "1.0.0+0", false]);
    const quiet = await bootloader.boot();
    assert.deepEqual([quiet.swapType, quiet.runs?.version], ["none", "1.0.0+0"]);
  });

  test(`${mode}: a confirmed update stays, and the next one finds its way`, async () => {
    const flash = await flashWith(geometry, image(1));
    const bootloader = bootloaderOf(flash, geometry);
    for (const major of [2, 3, 1]) {
      await requestUpdate(flash, geometry, image(major));
      assert.equal((await bootloader.boot()).runs?.isOnTrial, true);
      await confirm(flash, geometry);
      const { swapType, runs } = await bootloader.boot();
      assert.deepEqual([swapType, runs?.version, runs?.isOnTrial], ["none", `${major}.0.0+0`, false]);
    }
  });

  test(`${mode}: the largest image has room, a larger one is refused`, async () => {
    const room = roomOf(geometry);
    for (const [bytes, version] of [
      [room, "2.0.0+0"],
      [room + 1, "1.0.0+0"],
    ] as const) {
      const flash = await flashWith(geometry, image(1));
      await requestUpdate(flash, geometry, unsignedImage({ major: 2, payloadBytes: bytes - imageOverheadBytes }));
      const { runs, refusals } = await bootloaderOf(flash, geometry).boot();
      assert.equal(runs?.version, version);
      assert.deepEqual(
        refusals.map(({ code }) => code),
        bytes > room ? ["IMAGE_TOO_LARGE"] : [],
      );
    }
  });
}

test("overwrite: an update stays at once, and power that goes meanwhile does not matter", async () => {
  const geometry = smallGeometry("overwrite");
  const start = await flashWith(geometry, image(1));
  await requestUpdate(start, geometry, image(2));
  const whole = start.restart();
  assert.equal((await bootloaderOf(whole, geometry).boot()).swapType, "test");
  for (let atOperation = 1; atOperation <= whole.operationCount; atOperation++) {
    for (const part of [0, 0.5]) {
      const cut = start.restart({ powerLoss: { atOperation, part } });
      await assert.rejects(bootloaderOf(cut, geometry).boot(), (error) => isThinglineError(error, "FLASH_FAILED"));
      const after = cut.restart();
      const { runs } = await bootloaderOf(after, geometry).boot();
      assert.deepEqual([runs?.version, runs?.isOnTrial], ["2.0.0+0", false], `cut at ${atOperation}, ${part}`);
      assert.equal((await bootloaderOf(after, geometry).boot()).runs?.version, "2.0.0+0");
    }
  }
});

for (const mode of modes) {
  const geometry = smallGeometry(mode);
  const offset = mode === "offset" ? geometry.pageBytes : 0;

  test(`${mode}: an image that is damaged is erased, the reason told, and the old one runs`, async () => {
    const damaged = image(2);
    damaged[500] = (damaged[500] ?? 0) ^ 1;
    const flash = await flashWith(geometry, image(1));
    await requestUpdate(flash, geometry, damaged);
    const { runs, swapType, refusals } = await bootloaderOf(flash, geometry).boot();
    assert.deepEqual([runs?.version, swapType], ["1.0.0+0", "none"]);
    assert.deepEqual(
      refusals.map(({ slot, code }) => `${slot} ${code}`),
      ["secondary HASH_MISMATCH"],
    );
    assert.ok(await isErased(flash, mode));
  });

  test(`${mode}: an image without a signature is refused by a bootloader that has keys`, async () => {
    const { publicKeyPem } = await crypto.generateKey("ecdsa-p256");
    const flash = await flashWith(geometry, image(1));
    await requestUpdate(flash, geometry, image(2));
    const keys = [crypto.publicKeyOf(publicKeyPem)];
    const { runs, refusals } = await bootloaderOf(flash, geometry, { keys, validatesPrimary: false }).boot();
    assert.equal(runs?.version, "1.0.0+0");
    assert.deepEqual(
      refusals.map(({ code }) => code),
      ["SIGNATURE_MISSING"],
    );
    const both = await bootloaderOf(flash, geometry, { keys }).boot();
    assert.equal(both.runs, undefined, "what runs is verified as well");
    assert.deepEqual(
      both.refusals.map(({ slot }) => slot),
      ["primary"],
    );
  });

  test(`${mode}: a request without a bootable image is forgotten`, async () => {
    for (const update of [new Uint8Array(0), image(2, { flags: imageFlags.NON_BOOTABLE })]) {
      const flash = await flashWith(geometry, image(1));
      await requestUpdate(flash, geometry, update);
      assert.equal((await bootloaderOf(flash, geometry).boot()).runs?.version, "1.0.0+0");
      assert.equal((await bootloaderOf(flash, geometry).boot()).swapType, "none");
      const area = flashArea(flash, layoutOf(geometry).secondary);
      assert.ok((await area.read(area.sizeBytes - 16, 16)).every((byte) => byte === 0xff));
      await area.erase(0, area.sizeBytes);
    }
  });

  test(`${mode}: downgrade prevention erases what is older`, async () => {
    const flash = await flashWith(geometry, image(2));
    const bootloader = bootloaderOf(flash, geometry, { downgradePrevention: { by: "version" } });
    await requestUpdate(flash, geometry, image(1));
    const { runs, refusals } = await bootloader.boot();
    assert.deepEqual([runs?.version, refusals.map(({ code }) => code)], ["2.0.0+0", ["VERSION_LOWER"]]);
    assert.ok(await isErased(flash, mode));
    await requestUpdate(flash, geometry, image(3));
    assert.equal((await bootloader.boot()).runs?.version, "3.0.0+0");
  });

  test(`${mode}: an image with a lower security counter than was ever confirmed does not boot`, async () => {
    const flash = await flashWith(geometry, image(1, { securityCounter: 5 }));
    const counters = createVirtualFlash({ sizeBytes: 4_096 });
    const securityCounter = createFlashCounter(counters);
    const bootloader = bootloaderOf(flash, geometry, { securityCounter });
    assert.equal((await bootloader.boot()).runs?.version, "1.0.0+0");
    assert.equal(await securityCounter.read(), 5);
    for (const refused of [image(2, { securityCounter: 4 }), image(2)]) {
      await requestUpdate(flash, geometry, refused);
      const { runs, refusals } = await bootloader.boot();
      assert.equal(runs?.version, "1.0.0+0");
      assert.match(refusals[0]?.code ?? "", /^SECURITY_COUNTER_/);
    }
    await requestUpdate(flash, geometry, image(2, { securityCounter: 6 }));
    assert.equal((await bootloader.boot()).runs?.version, "2.0.0+0");
    assert.equal(await securityCounter.read(), mode === "overwrite" ? 6 : 5, "not before it is confirmed");
    await confirm(flash, geometry);
    await bootloader.boot();
    assert.equal(await securityCounter.read(), 6);
  });

  test(`${mode}: an image that runs and is damaged does not boot, unless nobody looks`, async () => {
    const flash = await flashWith(geometry, image(1));
    await flash.write(512, new Uint8Array(4));
    const { runs, refusals } = await bootloaderOf(flash, geometry).boot();
    assert.deepEqual([runs, refusals[0]?.slot, refusals[0]?.code], [undefined, "primary", "HASH_MISMATCH"]);
    const empty = createVirtualFlash({ sizeBytes: layoutOf(geometry).sizeBytes, pageBytes: geometry.pageBytes });
    const nothing = await bootloaderOf(empty, geometry).boot();
    assert.deepEqual([nothing.runs, nothing.refusals[0]?.code], [undefined, "IMAGE_ABSENT"]);
  });

  test(`${mode}: garbage with a request is not asked for again`, async () => {
    const flash = await flashWith(geometry, image(1));
    await requestUpdate(flash, geometry, new Uint8Array(600).fill(0x55), { offset });
    assert.equal((await bootloaderOf(flash, geometry).boot()).runs?.version, "1.0.0+0");
    const area = flashArea(flash, layoutOf(geometry).secondary);
    assert.ok((await area.read(area.sizeBytes - 16, 16)).every((byte) => byte === 0xff));
  });
}

test("offset: an update in the first sector is refused", async () => {
  const geometry = smallGeometry("offset");
  const flash = await flashWith(geometry, image(1));
  await requestUpdate(flash, geometry, image(2), { offset: 0 });
  const { runs, warnings } = await bootloaderOf(flash, geometry).boot();
  assert.deepEqual([runs?.version, warnings], ["1.0.0+0", ["updateInFirstSector"]]);
  assert.ok(await isErased(flash, "offset"));
});

test("a swap that was begun and whose update is gone leaves what runs, for good", async () => {
  const geometry = smallGeometry("move");
  const start = await flashWith(geometry, image(1));
  await requestUpdate(start, geometry, image(2));
  // Power goes after the status was begun and before anything was moved: the fifth operation erases the secondary's trailer.
  const cut = start.restart({ powerLoss: { atOperation: 6 } });
  await assert.rejects(bootloaderOf(cut, geometry).boot());
  const flash = cut.restart();
  await flashArea(flash, layoutOf(geometry).secondary).write(512, new Uint8Array(4));
  const { swapType, runs, refusals } = await bootloaderOf(flash, geometry).boot();
  assert.deepEqual([swapType, runs?.version, refusals[0]?.code], ["fail", "1.0.0+0", "HASH_MISMATCH"]);
  assert.equal((await bootloaderOf(flash, geometry).boot()).runs?.version, "1.0.0+0");
  await requestUpdate(flash, geometry, image(2));
  assert.equal((await bootloaderOf(flash, geometry).boot()).runs?.version, "2.0.0+0");
});

test("an image that is too large for the way there stays where it is", async () => {
  // What runs was programmed into sectors that the swap would need.
  const geometry = { ...smallGeometry("move"), sectors: 7 };
  const flash = await flashWith(geometry, unsignedImage({ major: 1, payloadBytes: roomOf(geometry) }));
  await requestUpdate(flash, geometry, image(2));
  const { swapType, warnings } = await bootloaderOf(flash, geometry, { validatesPrimary: false }).boot();
  assert.deepEqual([swapType, warnings], ["none", ["notEnoughSpace"]]);
});

test("slots that cannot be swapped are named, and what is there runs", async () => {
  const geometry = smallGeometry("move");
  const flash = await flashWith(geometry, image(1));
  const { primary, secondary } = layoutOf(geometry);
  const shorter = { ...secondary, sizeBytes: secondary.sizeBytes - 1_024 };
  const base = { flash, crypto, sectorsMax: 8 };
  const tried = [
    [createBootloader({ ...base, layout: { primary, secondary: shorter } }), "sectorCountsDiffer"],
    [createBootloader({ ...base, layout: { primary, secondary }, sectorsMax: 4 }), "tooManySectors"],
    [createBootloader({ ...base, layout: { primary, secondary: primary }, mode: "scratch" }), "scratchMissing"],
  ] as const;
  for (const [bootloader, problem] of tried) {
    const { runs, warnings } = await bootloader.boot();
    assert.deepEqual([runs?.version, warnings], ["1.0.0+0", [problem]]);
  }
});

test("scratch: noise that is taken for a status stops the bootloader", async () => {
  // An erasure of the primary's trailer that was nearly over: the magic reads as erased, one unit of the status does not.
  const geometry = smallGeometry("scratch");
  const flash = await flashWith(geometry, image(1));
  await flash.write(trailerOf(geometry, "primary").status, padded(Uint8Array.of(0xf7), 4));
  const { runs, warnings } = await bootloaderOf(flash, geometry).boot();
  assert.deepEqual([runs, warnings], [undefined, ["swapSizeUnreadable"]]);
});

test("a flag that is neither set nor erased is no request", async () => {
  const geometry = smallGeometry("move");
  const flash = await flashWith(geometry, image(1));
  await requestUpdate(flash, geometry, image(2));
  const { offset } = flagWrite(trailerOf(geometry, "secondary"), "imageOk");
  await flashArea(flash, layoutOf(geometry).secondary).write(offset, Uint8Array.of(0x41, 0xff, 0xff, 0xff));
  const { swapType, runs } = await bootloaderOf(flash, geometry).boot();
  assert.deepEqual([swapType, runs?.version], ["none", "1.0.0+0"]);
});

test("options that do not fit are refused by name", () => {
  const geometry = smallGeometry("move");
  const { sizeBytes, primary, secondary } = layoutOf(geometry);
  const flash = createVirtualFlash({ sizeBytes, pageBytes: geometry.pageBytes });
  const base = { flash, crypto, layout: { primary, secondary } };
  const refused = (option: string) => (error: unknown) =>
    isThinglineError(error, "OPTION_INVALID") && error.details["option"] === option;
  assert.throws(() => createBootloader({ ...base, mode: "copy" as SwapMode }), refused("mode"));
  assert.throws(() => createBootloader({ ...base, sectorsMax: 0 }), refused("sectorsMax"));
  assert.throws(() => createBootloader({ ...base, sectorsMax: 500 }), refused("layout.primary"));
  const outside = { offsetBytes: sizeBytes, sizeBytes: 512 };
  const outOfRange = (error: unknown): boolean => isThinglineError(error, "FLASH_ACCESS_INVALID");
  assert.throws(() => createBootloader({ ...base, layout: { primary, secondary: outside } }), outOfRange);
});
