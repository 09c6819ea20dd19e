import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { sourceOf } from "@thingline/protocol/image";
import { flashArea } from "@thingline/transport";
import { createNodeImageCrypto } from "@thingline/transport/node/firmware";
import { createVirtualFlash, type VirtualFlash } from "@thingline/transport/virtual";
import { boardLayout } from "./board-layout.js";
import { type Board, type BoardOptions, createBoard } from "./board.js";
import { makeSimulatedFirmware, readSimulatedProgram, simulatedProgramBytesMax } from "./firmware.js";
import { type BoardApplication, runBoard } from "./run-board.js";

const crypto = createNodeImageCrypto();
const { privateKeyPem, publicKeyPem } = await crypto.generateKey("ecdsa-p256");
const keys = [crypto.publicKeyOf(publicKeyPem)];
const signal = new AbortController().signal;
const firmware = { crypto, privateKeyPem, sizeBytes: 9_000 };
const factoryImage = await makeSimulatedFirmware({ ...firmware, version: "1.0.0", program: { name: "old" } });
const update = await makeSimulatedFirmware({ ...firmware, version: "1.1.0", program: { name: "new" } });

const flashOf = (): VirtualFlash => createVirtualFlash({ sizeBytes: 49 * 1_024, pageBytes: 1_024 });
const boardOn = (flash: VirtualFlash, more: Partial<BoardOptions> = {}): Promise<Board> =>
  createBoard({ flash, crypto, keys, factoryImage, sectorsMax: 32, ...more });

async function install(board: Board, image: Uint8Array): Promise<void> {
  const target = board.target();
  await target.begin({ sizeBytes: image.length }, { signal });
  await target.write(0, image);
  await target.sync();
  const verdict = await target.verify({ sizeBytes: image.length }, { signal });
  assert.equal(verdict.isAccepted, true, JSON.stringify(verdict));
  await target.schedule();
}

test("a new board runs its factory image, and stays as it is when it is made again", async () => {
  const flash = flashOf();
  const { runs, swapType } = await (await boardOn(flash)).boot();
  assert.deepEqual([runs?.version, runs?.program, swapType], ["1.0.0+0", { name: "old" }, "none"]);
  const operations = flash.operationCount;
  const again = await boardOn(flash, { factoryImage: update });
  assert.equal((await again.boot()).runs?.version, "1.0.0+0");
  assert.equal(flash.operationCount, operations);
});

test("programming that was interrupted is done again", async () => {
  const whole = flashOf();
  await boardOn(whole);
  for (let atOperation = 1; atOperation <= whole.operationCount; atOperation++) {
    const cut = flashOf();
    cut.powerLoss({ atOperation, part: 0.5 });
    await assert.rejects(boardOn(cut), (error) => isThinglineError(error, "FLASH_FAILED"));
    assert.equal((await (await boardOn(cut.restart())).boot()).runs?.version, "1.0.0+0", `cut at ${atOperation}`);
  }
});

for (const mode of ["move", "scratch", "offset", "overwrite"] as const) {
  test(`${mode}: what the target installs, the bootloader runs, and both name it alike`, async () => {
    const flash = flashOf();
    const board = await boardOn(flash, { mode });
    await board.boot();
    const target = board.target();
    assert.equal(await target.capacityBytes(), board.imageBytesMax);
    await install(board, update);
    assert.equal((await target.state()).isScheduled, true);
    const { runs } = await board.boot();
    const { running, isScheduled } = await target.state();
    assert.deepEqual([runs?.version, runs?.program, isScheduled], ["1.1.0+0", { name: "new" }, false]);
    assert.deepEqual([running.version, running.imageId], ["1.1.0+0", runs?.imageId]);
    assert.equal(running.trial, mode === "overwrite" ? "confirmed" : "onTrial");
    if (mode === "overwrite") return;
    const back = await board.boot();
    assert.deepEqual([back.runs?.version, (await target.state()).running.trial], ["1.0.0+0", "reverted"]);
    await install(board, update);
    await board.boot();
    await target.confirm();
    assert.deepEqual(
      [(await board.boot()).runs?.version, (await target.state()).running.trial],
      ["1.1.0+0", "confirmed"],
    );
  });
}

test("a board that power leaves in the middle of a swap is not programmed anew", async () => {
  for (const mode of ["move", "scratch", "offset", "overwrite"] as const) {
    const start = flashOf();
    const board = await boardOn(start, { mode });
    await install(board, update);
    const whole = start.restart();
    await (await boardOn(whole, { mode })).boot();
    for (let atOperation = 1; atOperation < whole.operationCount; atOperation += 7) {
      const cut = start.restart({ powerLoss: { atOperation } });
      await assert.rejects((await boardOn(cut, { mode })).boot());
      const { runs } = await (await boardOn(cut.restart(), { mode })).boot();
      assert.equal(runs?.version, "1.1.0+0", `${mode}, cut at ${atOperation}`);
    }
  }
});

test("the security counter has a page of its own, and survives updates", async () => {
  const flash = flashOf();
  const layout = boardLayout(flash, { hasSecurityCounter: true });
  const image = (version: string, securityCounter: number): Promise<Uint8Array> =>
    makeSimulatedFirmware({ ...firmware, version, securityCounter });
  const board = await boardOn(flash, { layout, factoryImage: await image("1.0.0", 3) });
  assert.equal((await board.boot()).runs?.version, "1.0.0+0");
  await install(board, await image("2.0.0", 2));
  const { runs, refusals } = await board.boot();
  assert.deepEqual([runs?.version, refusals[0]?.code], ["1.0.0+0", "SECURITY_COUNTER_LOWER"]);
});

test("a flash is shared out without a gap", () => {
  for (const mode of ["move", "scratch", "offset", "overwrite"] as const) {
    for (const hasSecurityCounter of [false, true]) {
      for (const pages of [8, 9]) {
        const flash = { sizeBytes: pages * 1_024, pageBytes: 1_024 };
        const { primary, secondary, scratch, securityCounter } = boardLayout(flash, { mode, hasSecurityCounter });
        const ranges = [primary, secondary, scratch, securityCounter].filter((range) => range !== undefined);
        let end = 0;
        for (const { offsetBytes, sizeBytes } of ranges) {
          assert.equal(offsetBytes, end);
          end += sizeBytes;
        }
        assert.ok(end === flash.sizeBytes || end === flash.sizeBytes - 1_024);
      }
    }
  }
  assert.throws(
    () => boardLayout({ sizeBytes: 3_072, pageBytes: 1_024 }),
    (error) => isThinglineError(error, "OPTION_INVALID"),
  );
});

test("the application is that of the image, and a reboot is a boot", async () => {
  const board = await boardOn(flashOf());
  const seen: string[] = [];
  const application: BoardApplication = async ({ version, program, isOnTrial }, { reboot, signal: life }) => {
    seen.push(`${version} ${String(program["name"])}${isOnTrial ? " on trial" : ""}`);
    if (seen.length === 1) await install(board, update);
    if (seen.length === 4) return;
    reboot();
    assert.ok(life.aborted);
    throw new Error("what an application does when it is told to end does not matter");
  };
  await runBoard(board, application, { signal });
  assert.deepEqual(seen, ["1.0.0+0 old", "1.1.0+0 new on trial", "1.0.0+0 old", "1.0.0+0 old"]);
});

test("a board is switched off by its signal, and what its application throws comes through", async () => {
  const board = await boardOn(flashOf());
  const off = new AbortController();
  const running = runBoard(
    board,
    (_, { signal: life }) => new Promise((resolve) => life.addEventListener("abort", () => resolve())),
    off,
  );
  setImmediate(() => off.abort());
  await running;
  await assert.rejects(
    runBoard(board, () => Promise.reject(new Error("crash")), { signal }),
    /crash/,
  );
});

test("a board on which nothing may run says why", async () => {
  const flash = flashOf();
  const board = await boardOn(flash);
  await flash.write(2_048, new Uint8Array(4));
  const wrong = (error: unknown): boolean =>
    isThinglineError(error, "IMAGE_INVALID") && error.details["reason"] === "HASH_MISMATCH";
  await assert.rejects(
    runBoard(board, async () => undefined, { signal }),
    wrong,
  );
});

test("firmware has its size, its program and its version, and another version other bytes", async () => {
  assert.ok(update.length <= 9_000 && update.length > 8_400);
  assert.deepEqual(await readSimulatedProgram(sourceOf(update)), { name: "new" });
  assert.notDeepEqual(update.subarray(2_000, 4_000), factoryImage.subarray(2_000, 4_000));
  const empty = flashArea(flashOf(), { offsetBytes: 0, sizeBytes: 1_024 });
  assert.deepEqual(await readSimulatedProgram(empty), {});
  const refused = (error: unknown): boolean => isThinglineError(error, "OPTION_INVALID");
  const text = "x".repeat(simulatedProgramBytesMax - 11);
  assert.equal((await makeSimulatedFirmware({ ...firmware, version: "1", program: { text } })).length <= 9_000, true);
  for (const wrong of [
    { version: "one" },
    { version: "1", program: { text: `${text}x` } },
    { version: "1", sizeBytes: 500 },
  ]) {
    await assert.rejects(makeSimulatedFirmware({ ...firmware, ...wrong }), refused);
  }
});
