import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { checkCertificate } from "./certificate-check.js";
import type { CertificateCheckOptions } from "./certificate-check.js";

// P-256, valid from 2024-01-01 to 2025-01-01, made with openssl 3.0.
const base64 = [
  "MIIBCDCBrgIBATAKBggqhkjOPQQDAjAQMQ4wDAYDVQQDDAVjaGVjazAeFw0yNDAxMDEwMDAwMDBaFw0yNTAxMDEwMDAwMDBaMBAxDjAMBgNVBA",
  "MMBWNoZWNrMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqL3lx/g5xd+minGGYiP7Ub8NfipIByve1Zm7oiwDXY7lQVLtNBm/DqFxXrRKkw/u",
  "LqPCPVOLcQWGlmcs145VIzAKBggqhkjOPQQDAgNJADBGAiEApwjNLe8goYCthzECjylw8/79p2WhPcHXfCKFR2hicR0CIQConS0FPzFrbkM+aF",
  "Uw+4SEw+kGz99xU9qTCt2eoGTn7g==",
].join("");
const certificate = new Uint8Array(Buffer.from(base64, "base64"));
const certificateId = createHash("sha256").update(certificate).digest("hex");
const duringMs = Date.parse("2024-06-01T00:00:00Z");

async function check(options: Partial<CertificateCheckOptions>): Promise<string> {
  const result = await checkCertificate({
    certificate,
    nowMs: duringMs,
    fingerprint: (der) => createHash("sha256").update(der).digest("hex"),
    findStatus: async () => "ACTIVE",
    findElsewhere: async () => undefined,
    ...options,
  });
  return "refusal" in result ? result.refusal.reason : result.certificateId;
}

test("an active certificate within its validity passes, and its id is the SHA-256 of its DER", async () => {
  assert.equal(await check({}), certificateId);
});

test("the registry is asked for the fingerprint", async () => {
  const asked: string[] = [];
  const findStatus = async (id: string) => {
    asked.push(id);
    return undefined;
  };
  await check({ findStatus });
  assert.deepEqual(asked, [certificateId]);
});

const refusals: [name: string, options: Partial<CertificateCheckOptions>, reason: string][] = [
  ["no certificate", { certificate: undefined }, "noCertificate"],
  ["bytes that are no certificate", { certificate: new Uint8Array([0x30, 0x03, 1, 2, 3]) }, "certificateUnreadable"],
  ["an unknown certificate", { findStatus: async () => undefined }, "certificateUnknown"],
  ["an INACTIVE certificate", { findStatus: async () => "INACTIVE" }, "certificateNotActive"],
  ["a REVOKED certificate", { findStatus: async () => "REVOKED" }, "certificateNotActive"],
  ["a PENDING_ACTIVATION certificate", { findStatus: async () => "PENDING_ACTIVATION" }, "certificateNotActive"],
  ["a PENDING_TRANSFER certificate", { findStatus: async () => "PENDING_TRANSFER" }, "certificateNotActive"],
  ["a certificate before its time", { nowMs: Date.parse("2023-12-31T23:59:59Z") }, "certificateNotYetValid"],
  ["a certificate after its time", { nowMs: Date.parse("2025-01-01T00:00:01Z") }, "certificateExpired"],
];
for (const [name, options, reason] of refusals) {
  test(`${name} is refused as ${reason}`, async () => assert.equal(await check(options), reason));
}

test("one that may connect is asked nothing more, and one that was INACTIVE or REVOKED is not registered again", async () => {
  for (const status of ["ACTIVE", "INACTIVE", "REVOKED", "PENDING_TRANSFER"]) {
    const judgeFirst = () => Promise.reject(new Error(`${status} was judged`));
    await check({ findStatus: async () => status, judgeFirst });
  }
});

test("one of a registered CA comes to its CONNECT, unless its time is over", async () => {
  const caCertificateId = "ca".repeat(32);
  const options = {
    certificate,
    fingerprint: () => certificateId,
    findElsewhere: async () => undefined,
    judgeFirst: async () => ({ caCertificateId }),
  };
  for (const status of [undefined, "PENDING_ACTIVATION"]) {
    const findStatus = async () => status;
    const result = await checkCertificate({ ...options, findStatus, nowMs: duringMs });
    assert.ok("certificateId" in result);
    assert.equal(result.caCertificateId, caCertificateId);
    const late = await checkCertificate({ ...options, findStatus, nowMs: Date.parse("2026-01-01T00:00:00Z") });
    assert.equal("refusal" in late && late.refusal.reason, "certificateExpired");
  }
});

test("what a registered CA says against it stands in the refusal", async () => {
  const judgeFirst = async () => ({ caCertificateId: undefined, reason: "its CA is INACTIVE" });
  const options = {
    certificate,
    nowMs: duringMs,
    fingerprint: () => certificateId,
    findElsewhere: async () => undefined,
  };
  for (const [status, reason, says] of [
    [undefined, "certificateUnknown", /not? such certificate is registered here, and its CA is INACTIVE/],
    ["PENDING_ACTIVATION", "certificateNotActive", /activate it .*its CA is INACTIVE/],
  ] as const) {
    const result = await checkCertificate({ ...options, findStatus: async () => status, judgeFirst });
    assert.ok("refusal" in result);
    assert.equal(result.refusal.reason, reason);
    assert.match(result.refusal.explanation, says);
  }
});
