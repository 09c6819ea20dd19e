import { isThinglineError } from "@thingline/protocol";
import { type Flash, flashArea } from "../flash.js";
import { codeOf, type ContractHarness } from "./harness.js";

export interface FlashWorld {
  /** Erased, with at least four pages. */
  flash: Flash;
  close(): Promise<void>;
}

/** What every {@link Flash} does. */
export function flashContract({ test, assert }: ContractHarness, name: string, open: () => Promise<FlashWorld>): void {
  const testOn = (title: string, body: (flash: Flash) => Promise<void>): unknown =>
    test(`${name}: ${title}`, async () => {
      const world = await open();
      try {
        await body(world.flash);
      } finally {
        await world.close();
      }
    });
  const units = (flash: Flash, count: number, first = 1): Uint8Array =>
    Uint8Array.from({ length: count * flash.writeBytes }, (_, index) => (first + index) & 0x7f);

  testOn("a new flash reads as erased, to its end", async (flash) => {
    const all = await flash.read(0, flash.sizeBytes);
    assert.equal(all.length, flash.sizeBytes);
    assert.ok(all.every((byte) => byte === flash.erasedByte));
    assert.equal(flash.sizeBytes % flash.pageBytes, 0);
    assert.equal(flash.pageBytes % flash.writeBytes, 0);
  });

  testOn("what was written is read, also in part and across pages", async (flash) => {
    const bytes = units(flash, (2 * flash.pageBytes) / flash.writeBytes);
    const offset = flash.pageBytes - flash.writeBytes;
    await flash.write(offset, bytes);
    assert.deepEqual(await flash.read(offset, bytes.length), bytes);
    assert.deepEqual(await flash.read(offset + 1, 5), bytes.subarray(1, 6));
    const around = await flash.read(offset - 1, bytes.length + 2);
    assert.deepEqual([around[0], around.at(-1)], [flash.erasedByte, flash.erasedByte]);
  });

  testOn("an erasure takes its pages, and no other", async (flash) => {
    const bytes = units(flash, (4 * flash.pageBytes) / flash.writeBytes);
    await flash.write(0, bytes);
    await flash.erase(flash.pageBytes, 2 * flash.pageBytes);
    assert.deepEqual(await flash.read(0, flash.pageBytes), bytes.subarray(0, flash.pageBytes));
    const erased = await flash.read(flash.pageBytes, 2 * flash.pageBytes);
    assert.ok(erased.every((byte) => byte === flash.erasedByte));
    const last = 3 * flash.pageBytes;
    assert.deepEqual(await flash.read(last, flash.pageBytes), bytes.subarray(last));
    await flash.write(flash.pageBytes, units(flash, 1));
  });

  testOn("a write only clears bits; one that would set any changes nothing", async (flash) => {
    const fill = (byte: number): Uint8Array => new Uint8Array(2 * flash.writeBytes).fill(byte);
    await flash.write(0, fill(0x0f));
    await flash.write(0, fill(0x03));
    await flash.write(0, fill(0x03));
    const mixed = fill(0x01);
    mixed[flash.writeBytes] = 0x04;
    const error = await flash.write(0, mixed).catch((failure: unknown) => failure);
    assert.ok(isThinglineError(error, "FLASH_NOT_ERASED"));
    assert.deepEqual(await flash.read(0, 2 * flash.writeBytes), fill(0x03));
  });

  testOn("an access that is not aligned or not within the flash is refused, and nothing happens", async (flash) => {
    const { sizeBytes, pageBytes, writeBytes } = flash;
    const one = units(flash, 1);
    await flash.write(0, one);
    const refused = [
      flash.read(-1, 1),
      flash.read(0, -1),
      flash.read(sizeBytes, 1),
      flash.read(0.5, 1),
      flash.read(Number.NaN, 1),
      flash.write(sizeBytes, one),
      flash.write(-writeBytes, one),
      flash.erase(sizeBytes, pageBytes),
      flash.erase(1, pageBytes),
      flash.erase(0, pageBytes - 1),
      flash.erase(0, sizeBytes + pageBytes),
      ...(writeBytes > 1 ? [flash.write(1, one), flash.write(writeBytes, one.subarray(1))] : []),
    ];
    for (const promise of refused) assert.equal(await codeOf(promise), "FLASH_ACCESS_INVALID");
    assert.deepEqual(await flash.read(0, writeBytes), one);
    assert.deepEqual(await flash.read(sizeBytes, 0), new Uint8Array(0));
    await flash.write(0, new Uint8Array(0));
    await flash.erase(pageBytes, 0);
  });

  testOn("calls that overlap take effect in their order, with the bytes that they were given", async (flash) => {
    const bytes = units(flash, 2);
    const [first, , second] = [flash.write(0, bytes), flash.erase(0, flash.pageBytes), flash.write(0, bytes)];
    const reading = flash.read(0, bytes.length);
    const kept = bytes.slice();
    bytes.fill(0);
    await Promise.all([first, second]);
    const read = await reading;
    assert.deepEqual(read, kept);
    read.fill(0);
    assert.deepEqual(await flash.read(0, kept.length), kept, "what was read is the caller's own");
  });

  testOn("a refused call does not hold up the next", async (flash) => {
    const bytes = units(flash, 1, 0);
    await flash.write(0, bytes);
    const set = new Uint8Array(flash.writeBytes).fill(flash.erasedByte);
    const [refused, next] = [flash.write(0, set), flash.read(0, flash.writeBytes)];
    assert.equal(await codeOf(refused), "FLASH_NOT_ERASED");
    assert.deepEqual(await next, bytes);
  });

  testOn("a range of it is a flash of its own", async (flash) => {
    const { pageBytes, writeBytes } = flash;
    const area = flashArea(flash, { offsetBytes: pageBytes, sizeBytes: 2 * pageBytes });
    assert.equal(area.sizeBytes, 2 * pageBytes);
    const one = units(flash, 1);
    await area.write(0, one);
    assert.deepEqual(await flash.read(pageBytes, writeBytes), one);
    await flash.write(0, one);
    await area.erase(0, 2 * pageBytes);
    assert.deepEqual(await flash.read(0, writeBytes), one);
    assert.equal(await codeOf(area.read(2 * pageBytes, 1)), "FLASH_ACCESS_INVALID");
    assert.equal(await codeOf(area.write(2 * pageBytes, one)), "FLASH_ACCESS_INVALID");
    assert.equal(await codeOf(area.erase(pageBytes, 2 * pageBytes)), "FLASH_ACCESS_INVALID");
    for (const range of [
      { offsetBytes: 1, sizeBytes: pageBytes },
      { offsetBytes: 0, sizeBytes: flash.sizeBytes + pageBytes },
    ]) {
      assert.equal(await codeOf(Promise.resolve().then(() => flashArea(flash, range))), "FLASH_ACCESS_INVALID");
    }
  });
}
