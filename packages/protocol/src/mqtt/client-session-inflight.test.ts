import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PacketIdTable } from "./client-session-inflight.js";

test("identifiers are 1..65535, never shared, and found again, however they are freed", () => {
  const choices = fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 50, maxLength: 300 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), choices, (entriesMax, wishes) => {
      const table = new PacketIdTable<{ packetId: number | undefined }>(entriesMax);
      // Most of the way round, so that the end of the range is met.
      for (let warmUp = 0; warmUp < 65_400; warmUp++) table.release(table.add({ packetId: undefined }));
      const held = new Map<number, object>();
      for (const wish of wishes) {
        if (wish % 3 !== 0 && !table.isFull) {
          const entry = { packetId: undefined };
          const packetId = table.add(entry);
          assert.ok(packetId >= 1 && packetId <= 65_535);
          assert.ok(!held.has(packetId), `${packetId} is in use`);
          held.set(packetId, entry);
        } else {
          const packetId = [...held.keys()][wish % Math.max(1, held.size)];
          if (packetId === undefined) continue;
          table.release(packetId);
          held.delete(packetId);
          assert.equal(table.get(packetId), undefined);
        }
        assert.equal(table.count, held.size);
        for (const [packetId, entry] of held) assert.equal(table.get(packetId), entry);
      }
      assert.equal([...table.entries()].length, held.size);
    }),
    { numRuns: process.env["THINGLINE_TEST_LONG"] === "1" ? 1000 : 20 },
  );
});

test("a table of all identifiers can be filled", () => {
  const table = new PacketIdTable<{ packetId: number | undefined }>(65_535);
  const seen = new Set<number>();
  while (!table.isFull) seen.add(table.add({ packetId: undefined }));
  assert.equal(seen.size, 65_535);
  table.release(777);
  assert.equal(table.add({ packetId: undefined }), 777);
});
