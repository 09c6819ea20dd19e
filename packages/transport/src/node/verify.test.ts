import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parseCertificates, readCertificateSignature, readPublicKeyKind } from "@thingline/protocol/x509";
import { createVirtualKeys, createVirtualRandom } from "../virtual/index.js";
import { createNodeKeys } from "./keys.js";

const file = new URL("../../../../tests/fixtures/x509/signed-certificates.json", import.meta.url);
const certificates = JSON.parse(readFileSync(file, "utf8")) as Record<string, { ca: string; device: string }>;

const readPair = (name: string) => {
  const { ca = "", device = "" } = certificates[name] ?? {};
  return { ca: parseCertificates(ca)[0], device: parseCertificates(device)[0] };
};

const known: [name: string, algorithm: object, key: object][] = [
  ["rsa-sha256", { kind: "rsa", hash: "sha256" }, { kind: "rsa", bits: 2048 }],
  ["rsa-sha384", { kind: "rsa", hash: "sha384" }, { kind: "rsa", bits: 2048 }],
  ["rsa-sha512", { kind: "rsa", hash: "sha512" }, { kind: "rsa", bits: 2048 }],
  ["pss-sha256", { kind: "rsa-pss", hash: "sha256", saltBytes: 32 }, { kind: "rsa", bits: 2048 }],
  ["pss-sha512", { kind: "rsa-pss", hash: "sha512", saltBytes: 64 }, { kind: "rsa", bits: 2048 }],
  ["ec-p256", { kind: "ecdsa", hash: "sha256" }, { kind: "ec", curve: "P-256" }],
  ["ec-p384", { kind: "ecdsa", hash: "sha384" }, { kind: "ec", curve: "P-384" }],
  ["ec-p521", { kind: "ecdsa", hash: "sha512" }, { kind: "ec", curve: "P-521" }],
  ["dsa-sha256", { kind: "dsa", hash: "sha256" }, { kind: "other", name: "1.2.840.10040.4.1" }],
];

for (const [name, wanted, key] of known) {
  test(`${name}: a signature by openssl is read and verified, and one bit of anything makes it nobody's`, () => {
    const { ca, device } = readPair(name);
    const { algorithm, signed: data, signature, issuerName } = readCertificateSignature(device.der);
    assert.deepEqual(algorithm, wanted);
    assert.deepEqual(readPublicKeyKind(ca.publicKey), key);
    assert.deepEqual(issuerName, readCertificateSignature(ca.der).subjectName);
    assert.ok(algorithm);
    const keys = createNodeKeys();
    const signedData = { publicKey: ca.publicKey, algorithm, data, signature };
    assert.equal(keys.verify(signedData), true);
    const flipped = (bytes: Uint8Array, at = bytes.length - 1) =>
      bytes.map((byte, index) => (index === at ? byte ^ 1 : byte));
    assert.equal(keys.verify({ ...signedData, data: flipped(data) }), false);
    assert.equal(keys.verify({ ...signedData, signature: flipped(signature) }), false);
    assert.equal(keys.verify({ ...signedData, signature: signature.subarray(1) }), false);
    assert.equal(keys.verify({ ...signedData, publicKey: device.publicKey }), false);
    assert.equal(keys.verify({ ...signedData, publicKey: data }), false);
    const isTheirs = name === "rsa-sha256" || name === "ec-p256";
    const virtual = createVirtualKeys({ random: createVirtualRandom(1) });
    assert.equal(virtual.verify(signedData), isTheirs);
    assert.equal(virtual.verify({ ...signedData, signature: flipped(signature) }), false);
    assert.equal(virtual.verify({ ...signedData, publicKey: data }), false);
  });
}

test("what AWS does not take has a name and no algorithm", () => {
  const named = (name: string) => {
    const { algorithm, algorithmName } = readCertificateSignature(readPair(name).device.der);
    return [algorithm, algorithmName];
  };
  assert.deepEqual(named("rsa-sha1"), [undefined, "1.2.840.113549.1.1.5"]);
  assert.deepEqual(named("ed25519"), [undefined, "1.3.101.112"]);
});

test("an algorithm verifies nothing with a key of another kind", () => {
  const keys = createNodeKeys();
  for (const [name, algorithm] of known) {
    const { device } = readPair(name);
    const { signed: data, signature } = readCertificateSignature(device.der);
    for (const [other] of known) {
      if (other === name) continue;
      const { publicKey } = readPair(other).ca;
      const signedData = {
        publicKey,
        algorithm: algorithm as Parameters<typeof keys.verify>[0]["algorithm"],
        data,
        signature,
      };
      assert.equal(keys.verify(signedData), false, `${name} with the key of ${other}`);
    }
  }
});
