import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { copyBytesMax, freeSlabsMax, joinBytesMax, SlabPool, slabBytes, WritePlan } from "./write-plan.js";

/** Takes all batches and joins each. */
function drain(plan: WritePlan): number[][] {
  const batches: number[][] = [];
  for (let batch = plan.take(); batch !== undefined; batch = plan.take()) {
    assert.equal(
      batch.parts.reduce((sum, part) => sum + part.length, 0),
      batch.lengthBytes,
    );
    batches.push(batch.parts.flatMap((part) => [...part]));
    plan.done(batch);
  }
  return batches;
}

function lengthsOf(rule: keyof typeof joinBytesMax, packets: readonly number[]): number[] {
  const plan = new WritePlan(new SlabPool(), joinBytesMax[rule]);
  for (const lengthBytes of packets) plan.reserve(lengthBytes);
  return drain(plan).map(({ length }) => length);
}

test("plain TCP joins a whole turn", () => {
  assert.deepEqual(lengthsOf("plain", [1_704, 1_326, 100_000, 5]), [103_035]);
  assert.deepEqual(lengthsOf("plain", []), []);
});

test("TLS 1.2 joins while the sum stays within 2,048 bytes", () => {
  assert.deepEqual(lengthsOf("TLSv1.2", [1_704, 1_326]), [1_704, 1_326]);
  assert.deepEqual(lengthsOf("TLSv1.2", [1_024, 1_024]), [2_048]);
  assert.deepEqual(lengthsOf("TLSv1.2", [1_024, 1_025]), [1_024, 1_025]);
  assert.deepEqual(lengthsOf("TLSv1.2", [1, 2, 3, 2_043, 4]), [6, 2_047]);
});

test("under TLS 1.2 a larger packet goes alone and whole", () => {
  assert.deepEqual(lengthsOf("TLSv1.2", [10, 4_500, 10]), [10, 4_500, 10]);
  assert.deepEqual(lengthsOf("TLSv1.2", [100_000]), [100_000]);
});

test("TLS 1.3 joins up to 16 KB", () => {
  assert.deepEqual(lengthsOf("TLSv1.3", [1_704, 1_326]), [3_030]);
  assert.deepEqual(lengthsOf("TLSv1.3", [16_000, 384, 1]), [16_384, 1]);
});

test("small packets are copied, the body of a large one is handed on by reference", () => {
  const plan = new WritePlan(new SlabPool(), Infinity);
  const [small, large] = [new Uint8Array(100), new Uint8Array(copyBytesMax)];
  plan.add(Uint8Array.of(1), small);
  plan.add(Uint8Array.of(2), large);
  plan.add(Uint8Array.of(3));
  const batch = plan.take();
  assert.equal(batch?.parts.length, 4);
  assert.equal(batch.parts[0]?.length, 101);
  assert.equal(batch.parts[2], large);
  assert.equal(batch.lengthBytes, plan.bufferedBytes);
  plan.done(batch);
  assert.equal(plan.bufferedBytes, 0);
});

test("a slab goes back to the pool when the system has taken the last batch in it", () => {
  const pool = new SlabPool();
  const plan = new WritePlan(pool, joinBytesMax["TLSv1.2"]);
  plan.reserve(2_000);
  plan.reserve(2_000);
  const [first, second] = [plan.take(), plan.take()];
  assert.ok(first !== undefined && second !== undefined);
  assert.equal(first.parts[0]?.buffer, second.parts[0]?.buffer);
  plan.done(first);
  assert.equal(pool.freeBytes, 0);
  plan.done(second);
  assert.equal(pool.freeBytes, slabBytes.small);
  assert.equal(plan.slab.length, 0, "an idle connection holds none");
});

test("what is written while a batch is under way does not touch its memory", () => {
  const plan = new WritePlan(new SlabPool(), Infinity);
  plan.add(Uint8Array.of(1));
  const first = plan.take();
  plan.add(Uint8Array.of(2));
  const second = plan.take();
  assert.notEqual(first?.parts[0]?.buffer, second?.parts[0]?.buffer);
});

test("the pool keeps no more free slabs than stated", () => {
  const pool = new SlabPool();
  const plans = Array.from({ length: freeSlabsMax.small + 10 }, () => new WritePlan(pool, Infinity));
  const batches = plans.map((plan) => {
    plan.reserve(1);
    return plan.take();
  });
  plans.forEach((plan, index) => batches[index] && plan.done(batches[index]));
  assert.equal(pool.freeBytes, freeSlabsMax.small * slabBytes.small);
});

test("a closed plan takes nothing more and gives what it had", () => {
  const pool = new SlabPool();
  const plan = new WritePlan(pool, Infinity);
  plan.add(Uint8Array.of(1, 2));
  plan.close();
  for (const lengthBytes of [10, 5, 10]) {
    assert.equal(plan.reserve(lengthBytes), 0);
    assert.ok(plan.slab.length >= lengthBytes);
  }
  plan.add(new Uint8Array(100_000));
  plan.add(Uint8Array.of(1));
  assert.equal(plan.bufferedBytes, 2);
  assert.deepEqual(drain(plan), [[1, 2]]);
  assert.equal(pool.freeBytes, slabBytes.small);
});

test("a discarded plan is empty and gives its slabs back", () => {
  const pool = new SlabPool();
  const plan = new WritePlan(pool, joinBytesMax["TLSv1.2"]);
  for (let count = 0; count < 3; count++) plan.reserve(2_000);
  plan.discard();
  assert.equal(plan.bufferedBytes, 0);
  assert.equal(plan.take(), undefined);
  assert.ok(pool.freeBytes > 0);
});

const packets = fc.array(
  fc.record({
    length: fc.oneof(fc.nat(300), fc.nat(5_000), fc.nat(80_000)),
    how: fc.constantFrom("reserve", "add", "take"),
  }),
  { maxLength: 60 },
);

test("whatever the packets: their bytes come out once and in order, in batches that keep the rule", () => {
  const run = (max: number, steps: { length: number; how: string }[]): void => {
    const plan = new WritePlan(new SlabPool(), max);
    const sent: { length: number; mark: number }[] = [];
    const underWay: NonNullable<ReturnType<WritePlan["take"]>>[] = [];
    steps.forEach(({ length, how }, index) => {
      const mark = (index % 255) + 1;
      if (how === "take") {
        const batch = plan.take();
        if (batch !== undefined) underWay.push(batch);
        return;
      }
      if (how === "add") {
        const head = Math.min(length, 7);
        plan.add(new Uint8Array(head).fill(mark), new Uint8Array(length - head).fill(mark));
      } else {
        const offset = plan.reserve(length);
        plan.slab.fill(mark, offset, offset + length);
      }
      sent.push({ length, mark });
    });
    for (let batch = plan.take(); batch !== undefined; batch = plan.take()) underWay.push(batch);
    const bytes = Buffer.concat(underWay.flatMap(({ parts }) => parts));
    const wanted = Buffer.concat(sent.map(({ length, mark }) => Buffer.alloc(length, mark)));
    assert.equal(Buffer.compare(bytes, wanted), 0);
    for (const { lengthBytes } of underWay) {
      assert.ok(lengthBytes <= max || sent.some(({ length }) => length === lengthBytes));
    }
    for (const batch of underWay) plan.done(batch);
    assert.equal(plan.bufferedBytes, 0);
  };
  const numRuns = process.env["THINGLINE_TEST_LONG"] === "1" ? 2_000 : 60;
  fc.assert(fc.property(fc.constantFrom(Infinity, 16_384, 2_048), packets, run), { numRuns });
});
