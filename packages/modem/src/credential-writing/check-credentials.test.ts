import assert from "node:assert/strict";
import { test } from "node:test";
import { readFileSync } from "node:fs";
import { generateKeyPairSync } from "node:crypto";
import { makeTestCertificates } from "@thingline/transport/contract";
import { encodeInteger, encodePem, encodeSequence, parseCertificates } from "@thingline/protocol/x509";
import { createNodeKeys } from "@thingline/transport/node";
import { checkCredentials } from "./check-credentials.js";

const keys = createNodeKeys();
const { ca, client, server } = await makeTestCertificates(keys);
const [{ notBefore, notAfter }] = parseCertificates(client.certificatePem);
const nowSeconds = (notBefore + notAfter) / 2;
const good = { ca: ca.certificatePem, certificate: client.certificatePem, privateKey: client.privateKeyPem };
const keyOf = (kind: "p384" | "ed25519") => {
  const { privateKey } =
    kind === "p384" ? generateKeyPairSync("ec", { namedCurve: "P-384" }) : generateKeyPairSync("ed25519");
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
};
/** With a modulus of so many bits and nothing behind it: making a real one takes its time. */
const rsaOf = (bits: number) => {
  const numbers = [0n, (1n << BigInt(bits)) - 1n, 65_537n, 1n];
  return encodePem("RSA PRIVATE KEY", encodeSequence(...numbers.map(encodeInteger)));
};
const fixture = (name: string) =>
  readFileSync(new URL(`../../../../tests/fixtures/x509/${name}`, import.meta.url), "utf8");

test("a set that fits together has neither problems nor doubts", () => {
  assert.deepEqual(checkCredentials(good, { keys, nowSeconds }), { problems: [], doubts: [] });
  assert.deepEqual(checkCredentials({}, { keys, nowSeconds }), { problems: [], doubts: [] });
  const rsa = { privateKey: fixture("rsa-2048.pkcs1.pem") };
  assert.deepEqual(checkCredentials(rsa, { keys, nowSeconds }), { problems: [], doubts: [] });
});

const problems: [what: string, texts: Parameters<typeof checkCredentials>[0], code: string, message: RegExp][] = [
  ["the key of another certificate", { ...good, privateKey: server.privateKeyPem }, "KEY_MISMATCH", /does not belong/],
  ["a device's certificate for a CA", { ca: client.certificatePem }, "CERTIFICATE_INVALID", /is no CA/],
  [
    "a chain that is none",
    { certificate: client.certificatePem + server.certificatePem },
    "CERTIFICATE_INVALID",
    /is no chain/,
  ],
  ["a key that is neither RSA nor EC", { privateKey: keyOf("ed25519") }, "KEY_INVALID", /neither RSA nor/],
  ["a small RSA key", { privateKey: rsaOf(1024) }, "KEY_INVALID", /RSA of 1024 bits/],
];
for (const [what, texts, code, message] of problems) {
  test(`${what} is a problem`, () => {
    const found = checkCredentials(texts, { keys, nowSeconds }).problems;
    assert.deepEqual(
      found.map((each) => each.code),
      [code],
    );
    assert.match(found[0]?.message ?? "", message);
  });
}

for (const [kind, privateKey] of [
  ["RSA 3072", rsaOf(3072)],
  ["P-384", keyOf("p384")],
] as const) {
  test(`a key of ${kind} is doubted`, () => {
    const { problems: found, doubts } = checkCredentials({ privateKey }, { keys, nowSeconds });
    assert.deepEqual(found, []);
    assert.match(doubts.join(), /not known whether every modem firmware takes it/);
  });
}

test("certificates that have expired, or are not valid for long, are problems; a clock that goes a little ahead is a doubt", () => {
  const at = (seconds: number) => {
    const { problems: found, doubts } = checkCredentials(
      { certificate: good.certificate },
      { keys, nowSeconds: seconds },
    );
    return [found.length, doubts.length];
  };
  assert.deepEqual(at(notAfter), [0, 0]);
  assert.deepEqual(at(notAfter + 1), [1, 0]);
  assert.deepEqual(at(notBefore - 3_600), [0, 1]);
  assert.deepEqual(at(notBefore - 86_400), [1, 0]);
});
