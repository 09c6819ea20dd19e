import assert from "node:assert/strict";
import { test } from "node:test";
import {
  firstConnectionsBurstMax,
  firstConnectionsInFlightMax,
  firstConnectionsPerSecond,
  FirstConnectionsGate,
  firstConnectionsRememberedMax,
  pendingConnectionsBurstMax,
} from "./first-connections-gate.js";

function openGate({ isLimited = true }: { isLimited?: boolean } = {}) {
  let nowMs = 0;
  const gate = new FirstConnectionsGate({ monotonicMs: () => nowMs, isLimited });
  return {
    gate,
    advance: (ms: number) => void (nowMs += ms),
    /** Whether it may go on; it is done at once. */
    isTaken: (certificateId: string, caCertificateId = "ca") => {
      const isTaken = gate.enter({ certificateId, caCertificateId }) === undefined;
      if (isTaken) gate.leave();
      return isTaken;
    },
  };
}

const countOf = (isTaken: () => boolean, tries: number) =>
  Array.from({ length: tries }, isTaken).filter(Boolean).length;

test("so many are worked on at once, whatever the quotas", () => {
  const { gate } = openGate({ isLimited: false });
  for (let count = 0; count < firstConnectionsInFlightMax; count++) {
    assert.equal(gate.enter({ certificateId: `${count}`, caCertificateId: "ca" }), undefined);
  }
  assert.match(gate.enter({ certificateId: "late", caCertificateId: "ca" }) ?? "", /64 first connections/);
  gate.leave();
  assert.equal(gate.enter({ certificateId: "late", caCertificateId: "ca" }), undefined);
});

test("a certificate that waits may come once a second, and a few times at once", () => {
  const { advance, isTaken } = openGate();
  assert.equal(
    countOf(() => isTaken("one"), 20),
    pendingConnectionsBurstMax,
  );
  advance(999);
  assert.equal(isTaken("one"), false);
  advance(1);
  assert.equal(
    countOf(() => isTaken("one"), 20),
    1,
  );
  advance(3_600_000);
  assert.equal(
    countOf(() => isTaken("one"), 20),
    pendingConnectionsBurstMax,
  );
});

test("a CA's certificates have a rate of their own", () => {
  const { advance, isTaken } = openGate();
  let next = 0;
  const another = (ca: string) => () => isTaken(`c${next++}`, ca);
  assert.equal(countOf(another("one"), 200), firstConnectionsBurstMax);
  assert.equal(countOf(another("two"), 200), firstConnectionsBurstMax);
  advance(1_000);
  assert.equal(countOf(another("one"), 200), firstConnectionsPerSecond);
});

test("so many certificates are remembered, and whoever came once goes first", () => {
  const { isTaken } = openGate();
  isTaken("one");
  for (let count = 0; count < firstConnectionsRememberedMax; count++) isTaken(`c${count}`, `ca${count}`);
  assert.equal(
    countOf(() => isTaken("one", "another"), 20),
    pendingConnectionsBurstMax,
    "as if it came for the first time",
  );
});

test("without quotas nothing but the number at once is bounded", () => {
  const { isTaken } = openGate({ isLimited: false });
  assert.equal(
    countOf(() => isTaken("one"), 1_000),
    1_000,
  );
});
