import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { isThinglineError } from "../errors.js";
import { parseCertificates } from "./certificate.js";
import { readCertificateSignature, readPublicKeyKind } from "./signature.js";

const file = new URL("../../../../tests/fixtures/x509/signed-certificates.json", import.meta.url);
const certificates = JSON.parse(readFileSync(file, "utf8")) as Record<string, { ca: string; device: string }>;
const derOf = (name: string) => parseCertificates(certificates[name]?.device ?? "")[0].der;

// What is verified with these is in transport/src/node/verify.test.ts.

test("bytes cut anywhere are refused by name, and so are those with something behind", () => {
  const der = derOf("pss-sha256");
  const refused = (bytes: Uint8Array) => {
    assert.throws(
      () => readCertificateSignature(bytes),
      (error) => isThinglineError(error, "CERTIFICATE_INVALID"),
    );
  };
  for (let length = 0; length < der.length; length++) refused(der.subarray(0, length));
});

test("a certificate that states two algorithms is refused", () => {
  const der = derOf("ec-p256").slice();
  // ecdsa-with-SHA256, twice: the first is within what was signed.
  const name = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
  const at = der.findIndex((_, index) => name.every((byte, offset) => der[index + offset] === byte));
  der[at + 7] = 3;
  assert.throws(() => readCertificateSignature(der), /two signature algorithms/);
});

test("any one byte changed gives an answer or a refusal by name, never anything else", () => {
  for (const name of ["pss-sha256", "dsa-sha256"]) {
    const original = derOf(name);
    for (let at = 0; at < original.length; at++) {
      const der = original.slice();
      der[at] = (der[at] ?? 0) ^ 0x81;
      try {
        readCertificateSignature(der);
      } catch (error) {
        assert.ok(isThinglineError(error, "CERTIFICATE_INVALID"), String(error));
      }
    }
  }
});

test("a key says of which kind it is", () => {
  const { publicKey } = parseCertificates(certificates["rsa-sha256"]?.ca ?? "")[0];
  assert.deepEqual(readPublicKeyKind(publicKey), { kind: "rsa", bits: 2048 });
  assert.throws(
    () => readPublicKeyKind(Uint8Array.of(0x30, 0)),
    (error) => isThinglineError(error, "CERTIFICATE_INVALID"),
  );
  const ed = parseCertificates(certificates["ed25519"]?.ca ?? "")[0].publicKey;
  assert.deepEqual(readPublicKeyKind(ed), { kind: "other", name: "1.3.101.112" });
});
