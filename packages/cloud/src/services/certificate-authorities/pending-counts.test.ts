import assert from "node:assert/strict";
import { test } from "node:test";
import { fullRecountMs, pendingCountsRememberedMax, pendingRecountMs, PendingCounts } from "./pending-counts.js";

test("certificates that wait are counted in the store seldom, and never beyond their number", async () => {
  const max = 100;
  const counts = new PendingCounts(max);
  let [stored, reads, nowMs] = [0, 0, 1_000_000];
  const come = async (caCertificateId = "one") => {
    const hasRoom = await counts.take(caCertificateId, nowMs, async () => (reads++, Math.min(stored, max)));
    if (hasRoom && caCertificateId === "one") stored++;
    return hasRoom;
  };
  for (let count = 0; count < max; count++) assert.equal(await come(), true);
  assert.deepEqual([stored, reads], [max, 1]);
  assert.equal(await come(), false);
  assert.equal(reads, 1);
  assert.equal(await come("other"), false, "each CA has its own count");
  // Somebody activates one.
  stored--;
  nowMs += fullRecountMs - 1;
  assert.equal(await come(), false);
  nowMs++;
  assert.deepEqual([await come(), await come(), stored], [true, false, max]);
  // Another process registers the rest.
  stored = 50;
  nowMs += fullRecountMs;
  assert.equal(await come(), true);
  stored = max;
  nowMs += pendingRecountMs - 1;
  assert.equal(await come(), true);
  nowMs++;
  assert.equal(await come(), false);
  // A clock that was set back does not keep a count for good.
  stored = 0;
  nowMs -= 1_000_000;
  assert.equal(await come(), true);
});

test("so many CAs have a count that is remembered", async () => {
  const counts = new PendingCounts(9);
  let reads = 0;
  const come = (ca: number) => counts.take(String(ca), 0, async () => (reads++, 0));
  for (let ca = 0; ca <= pendingCountsRememberedMax; ca++) await come(ca);
  await come(pendingCountsRememberedMax);
  assert.equal(reads, pendingCountsRememberedMax + 1);
  await come(0);
  assert.equal(reads, pendingCountsRememberedMax + 2, "the first one is forgotten");
});
