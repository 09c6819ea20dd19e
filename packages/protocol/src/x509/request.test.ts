import "reflect-metadata";
import assert from "node:assert/strict";
import { createPrivateKey, createSign, generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { isThinglineError } from "../errors.js";
import type { DistinguishedName } from "./name.js";
import { nameValueCharactersMax } from "./name.js";
import { readPem } from "./pem.js";
import { createCertificateRequest } from "./request.js";

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
