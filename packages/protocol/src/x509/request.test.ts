import "reflect-metadata";
import assert from "node:assert/strict";
import { createPrivateKey, createSign, generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { toHex } from "../bytes.js";
import { isThinglineError } from "../errors.js";
import type { DistinguishedName } from "./name.js";
import { nameValueCharactersMax } from "./name.js";
import { readPem } from "./pem.js";
import { createCertificateRequest, parseCertificateRequest } from "./request.js";

const fixture = (name: string) =>
  readFileSync(new URL(`../../../../tests/fixtures/x509/${name}`, import.meta.url), "utf8");
const derOf = (pem: string) => {
  const result = readPem(pem);
  assert.ok("blocks" in result);
  return result.blocks[0].der;
};
const signer = (keyPem: string) => async (data: Uint8Array) =>
  new Uint8Array(createSign("sha256").update(data).sign(createPrivateKey(keyPem)));

test("a request for an RSA key is byte for byte what openssl writes", async () => {
  const { pem } = await createCertificateRequest({
    subject: [
      ["C", "SE"],
      ["O", "Acme, Inc."],
      ["CN", "pump-7"],
    ],
    publicKey: derOf(fixture("rsa-2048.spki.pem")),
    sign: signer(fixture("rsa-2048.pkcs1.pem")),
  });
  assert.equal(pem, fixture("rsa-2048.csr.pem"));
});

test("requests for RSA and P-256 keys are verified by @peculiar/x509", async () => {
  const { Pkcs10CertificateRequest } = await import("@peculiar/x509");
  for (const [publicKey, privateKey] of [
    ["rsa-2048.spki.pem", "rsa-2048.pkcs8.pem"],
    ["ec-p256.spki.pem", "ec-p256.sec1.pem"],
  ] as const) {
    const subject: DistinguishedName = [
      ["CN", "Pumpe ö"],
      ["serialNumber", "42"],
    ];
    const { pem } = await createCertificateRequest({
      subject,
      publicKey: derOf(fixture(publicKey)),
      sign: signer(fixture(privateKey)),
    });
    const request = new Pkcs10CertificateRequest(pem);
    assert.equal(await request.verify(), true);
    assert.match(request.subject, /CN=Pumpe ö/);
    assert.deepEqual(new Uint8Array(request.publicKey.rawData), derOf(fixture(publicKey)));
  }
});

test("other keys and bad subjects are refused", async () => {
  const sign = signer(fixture("ec-p256.sec1.pem"));
  const good = derOf(fixture("ec-p256.spki.pem"));
  const spki = (pair: { publicKey: { export(options: { type: "spki"; format: "der" }): Uint8Array } }) =>
    new Uint8Array(pair.publicKey.export({ type: "spki", format: "der" }));
  const keys = [
    spki(generateKeyPairSync("ed25519")),
    spki(generateKeyPairSync("ec", { namedCurve: "P-384" })),
    good.subarray(1),
  ];
  for (const publicKey of keys) {
    await assert.rejects(createCertificateRequest({ subject: [["CN", "x"]], publicKey, sign }), (error) =>
      isThinglineError(error, "KEY_INVALID"),
    );
  }
  const subjects: DistinguishedName[] = [
    [["CN", ""]],
    [["CN", "x".repeat(nameValueCharactersMax + 1)]],
    [["C", "Sweden"]],
    [["emailAddress", "ö@example.com"]],
  ];
  for (const subject of subjects) {
    await assert.rejects(createCertificateRequest({ subject, publicKey: good, sign }), (error) =>
      isThinglineError(error, "OPTION_INVALID"),
    );
  }
});

test("a request reads back as it was made, and one of an nRF91 without the NULL that it has too much", async () => {
  const publicKey = derOf(fixture("ec-p256.spki.pem"));
  const subject: DistinguishedName = [
    ["O", "Acme"],
    ["CN", "pump-7"],
  ];
  const made = await createCertificateRequest({ subject, publicKey, sign: signer(fixture("ec-p256.sec1.pem")) });
  const check = (given: Uint8Array | string) => {
    const { pem, der, ...read } = parseCertificateRequest(given);
    assert.deepEqual([pem, toHex(der)], [made.pem, toHex(made.der)]);
    assert.deepEqual([toHex(read.publicKey), read.subject], [toHex(publicKey), "O=Acme, CN=pump-7"]);
  };
  check(made.pem);
  check(made.der);
  const rsa = fixture("rsa-2048.csr.pem");
  assert.equal(parseCertificateRequest(rsa).pem, rsa, "the NULL of RSA belongs there");

  // 30 0a 06 08 <ecdsa-with-SHA256> becomes 30 0c 06 08 <...> 05 00.
  const at = Buffer.from(made.der).indexOf(Buffer.from("300a06082a8648ce3d040302", "hex"));
  const withNull = Buffer.concat([
    made.der.subarray(0, at + 12),
    Buffer.from("0500", "hex"),
    made.der.subarray(at + 12),
  ]);
  withNull[at + 1] = 0x0c;
  // The outer length is in two or three bytes; both have one byte of content that counts here.
  const lengthAt = made.der[1] === 0x81 ? 2 : 3;
  withNull[lengthAt] = (made.der[lengthAt] ?? 0) + 2;
  check(withNull);
});

test("what is no request is refused", async () => {
  const publicKey = derOf(fixture("ec-p256.spki.pem"));
  const sign = signer(fixture("ec-p256.sec1.pem"));
  const { der, pem } = await createCertificateRequest({ subject: [["CN", "a"]], publicKey, sign });
  const isRefused = (error: unknown) => isThinglineError(error, "CERTIFICATE_INVALID");
  for (let length = 0; length < der.length; length++) {
    assert.throws(() => parseCertificateRequest(der.subarray(0, length)), isRefused, `cut to ${length} bytes`);
  }
  for (const text of ["", "x", pem + pem, fixture("ec-p256.spki.pem")]) {
    assert.throws(() => parseCertificateRequest(text), isRefused);
  }
});
