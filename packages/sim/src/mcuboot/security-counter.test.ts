import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { createVirtualFlash } from "@thingline/transport/virtual";
import { createFlashCounter } from "./security-counter.js";

const sizes = { sizeBytes: 256, pageBytes: 256, writeBytes: 4 };

test("a counter begins at 0, goes up only, and is there after a restart", async () => {
  const flash = createVirtualFlash(sizes);
  const counter = createFlashCounter(flash);
  assert.equal(await counter.read(), 0);
  await counter.raiseTo(5);
  await counter.raiseTo(3);
  await counter.raiseTo(5);
  assert.equal(flash.operationCount, 1);
  await counter.raiseTo(0xffff_ffff);
  assert.equal(await createFlashCounter(flash.restart()).read(), 0xffff_ffff);
});

test("power that goes in a raise leaves the old value or the new", async () => {
  for (const part of [0, 0.2, 0.5, 0.8, 0.99]) {
    const flash = createVirtualFlash(sizes);
    await createFlashCounter(flash).raiseTo(7);
    const cut = flash.restart({ powerLoss: { atOperation: 1, part } });
    await assert.rejects(createFlashCounter(cut).raiseTo(0x0102_0304), (error) =>
      isThinglineError(error, "FLASH_FAILED"),
    );
    const counter = createFlashCounter(cut.restart());
    assert.equal(await counter.read(), 7);
    await counter.raiseTo(9);
    assert.equal(await counter.read(), 9);
  }
});

test("when every place is taken, the counter cannot be raised", async () => {
  const counter = createFlashCounter(createVirtualFlash(sizes));
  for (let value = 1; value <= 32; value++) await counter.raiseTo(value);
  await assert.rejects(counter.raiseTo(33), (error) => isThinglineError(error, "LIMIT_EXCEEDED"));
  assert.equal(await counter.read(), 32);
});
