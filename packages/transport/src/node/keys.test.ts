import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from "node:crypto";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { encodePem } from "@thingline/protocol/x509";
import { makeTestCertificates } from "../contract/test-certificates.js";
import type { KeyPair } from "../keys.js";
import { createNodeKeys, publicKeysRememberedMax, readPrivateKey } from "./keys.js";

test("a public key is found again as it was, whatever a caller did to it, also after many others", async () => {
  const keys = createNodeKeys();
  const pairs: KeyPair[] = [];
  for (let count = 0; count < publicKeysRememberedMax + 2; count++) pairs.push(await keys.generate("ec-p256"));
  for (let round = 0; round < 2; round++) {
    for (const { privateKeyPem, publicKeyPem } of pairs) {
      const expected = new Uint8Array(createPublicKey(publicKeyPem).export({ type: "spki", format: "der" }));
      const found = keys.publicKeyOf(privateKeyPem);
      assert.deepEqual(found, expected);
      found.fill(0);
      assert.deepEqual(keys.publicKeyOf(privateKeyPem), expected);
    }
  }
});

test("what is no key is refused each time", () => {
  const keys = createNodeKeys();
  for (let round = 0; round < 2; round++) {
    assert.throws(
      () => keys.publicKeyOf("text"),
      (error) => isThinglineError(error, "KEY_INVALID"),
    );
    assert.throws(
      () => keys.certificatePublicKey("text"),
      (error) => isThinglineError(error, "CERTIFICATE_INVALID"),
    );
  }
});

test("a certificate with a public key that OpenSSL cannot read is refused as such", async () => {
  const keys = createNodeKeys();
  const { client } = await makeTestCertificates(keys);
  const der = Buffer.from(client.certificatePem.replaceAll(/-----[^-]+-----|\s/g, ""), "base64");
  const curve = Buffer.from("06082a8648ce3d030107", "hex");
  // The last byte of the curve's name: no curve that anybody knows.
  der[der.indexOf(curve) + curve.length - 1] = 0x7f;
  assert.throws(
    () => keys.certificatePublicKey(encodePem("CERTIFICATE", der)),
    (error) => isThinglineError(error, "CERTIFICATE_INVALID"),
  );
});

const { privateKey: ecKey, publicKey: ecPublicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const { privateKey: rsaKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const { privateKey: largerEcKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
const pemOf = (key: typeof ecKey, type: "sec1" | "pkcs1" | "pkcs8"): string =>
  key.export({ type, format: "pem" }).toString();

test("a private key is read alike however it is written, and its public half is written as OpenSSL writes it", () => {
  const sec1 = pemOf(ecKey, "sec1");
  const parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
  const texts = [sec1, sec1.replaceAll("\n", "\r\n"), `a key\n${sec1}`, parameters + sec1, pemOf(ecKey, "pkcs8")];
  for (const key of [rsaKey, largerEcKey]) {
    texts.push(pemOf(key, key === rsaKey ? "pkcs1" : "sec1"), pemOf(key, "pkcs8"));
  }
  const keys = createNodeKeys();
  for (const text of texts) {
    const expected = createPrivateKey(text);
    assert.ok(readPrivateKey(text).equals(expected));
    const spki = createPublicKey(expected).export({ type: "spki", format: "der" });
    assert.deepEqual(keys.publicKeyOf(text), new Uint8Array(spki));
  }
});

test("what only looks like a private key is refused as it is by OpenSSL", () => {
  const body = Buffer.alloc(120, 0x30).toString("base64").replace(/.{64}/g, "$&\n");
  for (const kind of ["EC", "RSA"]) {
    assert.throws(
      () => readPrivateKey(`-----BEGIN ${kind} PRIVATE KEY-----\n${body}\n-----END ${kind} PRIVATE KEY-----\n`),
      (error) => isThinglineError(error, "KEY_INVALID"),
    );
  }
});

test("a signature is verified with a P-256 key as it stands in a request; with a point off the curve nothing is", async () => {
  const keys = createNodeKeys();
  const data = new TextEncoder().encode("signed");
  const publicKey = new Uint8Array(ecPublicKey.export({ type: "spki", format: "der" }));
  const algorithm = { kind: "ecdsa", hash: "sha256" } as const;
  const signature = await keys.sign(pemOf(ecKey, "sec1"), data);
  assert.ok(verify("sha256", data, ecPublicKey, signature));
  assert.ok(keys.verify({ publicKey, algorithm, data, signature: sign("sha256", data, ecKey) }));
  assert.ok(!keys.verify({ publicKey, algorithm, data: data.subarray(1), signature }));
  const offCurve = publicKey.slice();
  offCurve[offCurve.length - 1]! ^= 1;
  assert.ok(!keys.verify({ publicKey: offCurve, algorithm, data, signature }));
});
