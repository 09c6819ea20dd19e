import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonValue } from "../json.js";
import {
  readRotatedDetails,
  readRotationDocument,
  rotationOverlapSecondsMax,
  writeRotatedDetails,
  writeRotationDocument,
} from "./rotation.js";

test("what one end writes of a rotation, the other reads", () => {
  for (const order of [{}, { overlapSeconds: 0 }, { overlapSeconds: rotationOverlapSecondsMax, issuedBefore: 7 }]) {
    assert.deepEqual(readRotationDocument(writeRotationDocument(order)), order);
  }
  const details = { certificateId: "a".repeat(64), overlapUntil: 1_700_000_000 };
  for (const rotated of [details, { ...details, replacedCertificateId: "b".repeat(64) }]) {
    assert.deepEqual(readRotatedDetails(writeRotatedDetails(rotated)), rotated);
  }
});

test("a document that cannot be followed is refused with the member that is wrong", () => {
  const operation = "rotateCertificate";
  const cases: [JsonValue, RegExp][] = [
    [null, /no object/],
    [[], /no object/],
    [{}, /operation/],
    [{ operation: "other" }, /operation/],
    [{ operation, overlapSeconds: -1 }, /overlapSeconds/],
    [{ operation, overlapSeconds: rotationOverlapSecondsMax + 1 }, /overlapSeconds/],
    [{ operation, overlapSeconds: "60" }, /overlapSeconds/],
    [{ operation, issuedBefore: 1.5 }, /issuedBefore/],
  ];
  for (const [document, message] of cases) {
    assert.throws(() => readRotationDocument(document), { code: "REQUEST_INVALID", message });
  }
  assert.deepEqual(readRotationDocument({ operation, later: true }), {}, "members of later versions are no obstacle");
});

test("details that tell of no rotation are none", () => {
  const good = { certificateId: "a".repeat(64), overlapUntil: "1" };
  const bad = [
    {},
    { ...good, certificateId: "A".repeat(64) },
    { ...good, overlapUntil: "-1" },
    { ...good, overlapUntil: "1".repeat(13) },
    { ...good, replacedCertificateId: "../x" },
  ];
  for (const details of bad) assert.equal(readRotatedDetails(details), undefined);
});
