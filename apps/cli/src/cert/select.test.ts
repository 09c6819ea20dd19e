import assert from "node:assert/strict";
import { test } from "node:test";
import type { CertLife } from "./life.js";
import { orphanReason, SoonestEnding } from "./select.js";

const base: CertLife = {
  ...{ certificateId: "a".repeat(64), status: "ACTIVE", createdAtMs: 1_000, notAfterMs: undefined },
  thingNames: ["pump-7"],
};
const rules = { nowMs: 10_000, olderThanMs: 5_000, includesIssued: false };

test("those that end first are kept, in that order, and the others are counted", () => {
  for (const max of [1, 3, 10]) {
    const soonest = new SoonestEnding(max);
    const ends = [50, undefined, 10, 30, 10, 20, undefined, 40];
    ends.forEach((notAfterMs, at) => soonest.add({ ...base, notAfterMs, createdAtMs: at }));
    const inOrder = [10, 10, 20, 30, 40, 50, undefined, undefined];
    assert.deepEqual(
      soonest.kept.map(({ notAfterMs }) => notAfterMs),
      inOrder.slice(0, max),
    );
    assert.equal(soonest.leftOut, Math.max(0, ends.length - max));
    const times = soonest.kept.map(({ createdAtMs }) => createdAtMs);
    assert.deepEqual(times.slice(0, 2), [2, 4].slice(0, Math.min(2, max)), "of one end, what was made first");
  }
});

test("in the local cloud an orphan is what a device asked for and never connected with", () => {
  const asked = { ...base, source: "fleet-provisioning", isAskedByDevice: true, provedAtMs: null };
  const cases: [life: CertLife, reason: string | undefined][] = [
    [asked, "neverConnected"],
    [{ ...asked, createdAtMs: 6_000 }, undefined],
    [{ ...asked, provedAtMs: 5 }, undefined],
    [{ ...asked, provedAtMs: undefined }, undefined],
    [{ ...asked, isAskedByDevice: false }, undefined],
    [{ ...asked, status: "PENDING_ACTIVATION", thingNames: [] }, "neverConnected"],
  ];
  for (const [life, reason] of cases) assert.equal(orphanReason(life, rules), reason, JSON.stringify(life));
  assert.equal(
    orphanReason({ ...asked, isAskedByDevice: false }, { ...rules, includesIssued: true }),
    "neverConnected",
    "also what was made for devices to come",
  );
});

test("on AWS an orphan is what cannot be used, or stands beside another one of its thing", () => {
  const attached = { ...base, policyNames: ["p"] };
  const cases: [life: CertLife, reason: string | undefined][] = [
    [attached, undefined],
    [{ ...attached, status: "PENDING_ACTIVATION" }, "pendingActivation"],
    [{ ...attached, thingNames: [] }, undefined],
    [{ ...attached, thingNames: [], policyNames: [] }, "attachedToNothing"],
    [{ ...attached, activeBeside: 1 }, "severalOfThing"],
    [{ ...attached, activeBeside: 1, status: "INACTIVE" }, undefined],
    [{ ...attached, activeBeside: 0 }, undefined],
  ];
  for (const [life, reason] of cases) assert.equal(orphanReason(life, rules), reason, JSON.stringify(life));
});
