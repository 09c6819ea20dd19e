import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "../errors.js";
import type { Certificate } from "./certificate.js";
import { requireCa, requireChainOrder, validityProblem } from "./trust.js";

function certificate(subject: string, issuer: string, more: Partial<Certificate> = {}): Certificate {
  const bytes = new Uint8Array();
  const [notBefore, notAfter] = [1_000_000_000, 2_000_000_000];
  const facts = { der: bytes, pem: "", version: 3, serialNumber: "01", publicKey: bytes, isCa: false };
  return { ...facts, subject, issuer, notBefore, notAfter, ...more };
}

const isInvalid = (message: RegExp) => (error: unknown) =>
  isThinglineError(error, "CERTIFICATE_INVALID") && message.test(error.message);

test("a leaf is no CA to trust; a CA, one that is its own issuer, and one of an old version are", () => {
  const taken = [
    certificate("CN=intermediate", "CN=root", { isCa: true }),
    certificate("CN=server", "CN=server"),
    certificate("CN=old", "CN=root", { version: 1 }),
  ];
  requireCa(taken, "ca.pem");
  const leaf = certificate("CN=pump-7", "CN=root");
  for (const certificates of [[leaf], [...taken, leaf]]) {
    assert.throws(() => requireCa(certificates, "ca.pem"), isInvalid(/^ca\.pem is no CA.*"CN=pump-7".*"CN=root"/));
  }
});

test("a chain goes from the leaf to the root", () => {
  const chain = [certificate("leaf", "middle"), certificate("middle", "root"), certificate("root", "root")] as const;
  requireChainOrder(chain, "the chain");
  requireChainOrder(chain.slice(0, 1), "the chain");
  for (const wrong of [
    [chain[1], chain[0]],
    [chain[0], chain[2]],
    [chain[0], chain[0]],
  ]) {
    assert.throws(() => requireChainOrder(wrong, "the chain"), isInvalid(/^the chain is no chain/));
  }
});

test("a certificate is valid from its first second to its last", () => {
  const each = certificate("CN=a", "CN=b");
  assert.equal(validityProblem(each, 1_000_000_000), undefined);
  assert.equal(validityProblem(each, 2_000_000_000), undefined);
  assert.match(validityProblem(each, 2_000_000_001) ?? "", /"CN=a" has expired on 2033-05-18/);
  assert.match(validityProblem(each, 999_999_999) ?? "", /"CN=a" is valid only from 2001-09-09 on/);
});
