import type { Random } from "../random.js";
import type { ContractHarness } from "./harness.js";

/** Holds a {@link Random} to the interface; what it says of fairness is true by a margin of ten standard deviations. */
export function randomContract({ test, assert }: ContractHarness, name: string, open: () => Random): void {
  test(`${name}: bytes come in the length asked for, and differ`, async () => {
    const random = open();
    assert.equal(random.bytes(0).length, 0);
    assert.equal(random.bytes(33).length, 33);
    assert.ok(String(random.bytes(16)) !== String(random.bytes(16)));
    const counts = new Array<number>(256).fill(0);
    for (const byte of random.bytes(65_536)) counts[byte] = (counts[byte] ?? 0) + 1;
    assert.ok(counts.every((count) => count > 96 && count < 416));
  });

  test(`${name}: fractions are from 0 to below 1`, async () => {
    const random = open();
    const drawn = Array.from({ length: 10_000 }, () => random.fraction());
    assert.ok(drawn.every((fraction) => fraction >= 0 && fraction < 1));
    const mean = drawn.reduce((sum, fraction) => sum + fraction, 0) / drawn.length;
    assert.ok(Math.abs(mean - 0.5) < 0.03);
  });

  test(`${name}: integers are whole, from 0 to below the limit, and fair`, async () => {
    const random = open();
    const counts = [0, 0, 0];
    for (let draw = 0; draw < 9_000; draw++) {
      const value = random.integer(3);
      counts[value] = (counts[value] ?? 0) + 1;
    }
    assert.equal(counts.length, 3);
    assert.ok(counts.every((count) => count > 2_550 && count < 3_450));
    assert.equal(random.integer(1), 0);
    assert.ok(Array.from({ length: 100 }, () => random.integer(2 ** 32)).some((value) => value >= 2 ** 31));
  });

  test(`${name}: a limit that is no limit is refused`, async () => {
    const random = open();
    for (const below of [0, -1, 1.5, 2 ** 32 + 1, NaN]) {
      let code = "none";
      try {
        random.integer(below);
      } catch (error) {
        code = error instanceof Error && "code" in error ? String(error.code) : String(error);
      }
      assert.equal(code, "OPTION_INVALID");
    }
  });

  test(`${name}: UUIDs are of version 4, lower case, and differ`, async () => {
    const random = open();
    const drawn = Array.from({ length: 50 }, () => random.uuid());
    const pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
    assert.ok(drawn.every((uuid) => pattern.test(uuid)));
    assert.equal(new Set(drawn).size, 50);
  });
}
