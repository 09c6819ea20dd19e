import assert from "node:assert/strict";
import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { createCertificateRequest } from "@thingline/protocol/x509";
import type { Files } from "@thingline/transport";
import { createNodeKeys, createNodeRandom } from "@thingline/transport/node";
import { createCertificateIssuer, openDeviceAuthority } from "./certificate-issuer.js";
import { createKeyPool } from "../../key-pool.js";
import { loadServerCertificateIssuer } from "./server-certificates.js";
import { loadX509Library } from "./x509-writer.js";

const keys = createNodeKeys();
const random = createNodeRandom();
const nowMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const authority = openDeviceAuthority({ keys, random, nowMs: () => nowMs });
const issuer = createCertificateIssuer({ keys, random, authority });

test("a certificate for a key looks like one of AWS IoT", async () => {
  const pair = await keys.generate("rsa-2048");
  assert.match(pair.privateKeyPem, /^-----BEGIN RSA PRIVATE KEY-----\n/);
  const issued = await issuer.issueForKey({ publicKeyPem: pair.publicKeyPem, nowMs });
  const certificate = new X509Certificate(issued.certificatePem);
  assert.equal(certificate.subject, "CN=AWS IoT Certificate");
  assert.equal(certificate.issuer, "OU=Amazon Web Services O=Amazon.com Inc. L=Seattle ST=Washington C=US");
  assert.equal(Date.parse(certificate.validTo), Date.UTC(2049, 11, 31, 23, 59, 59));
  assert.equal(Date.parse(certificate.validFrom), Date.UTC(2026, 0, 2, 3, 2, 5));
  assert.equal(issued.notBeforeMs, Date.parse(certificate.validFrom));
  assert.equal(issued.notAfterMs, Date.parse(certificate.validTo));
  assert.equal(certificate.ca, false);
  assert.ok(certificate.checkPrivateKey(createPrivateKey(pair.privateKeyPem)));
  assert.ok(certificate.verify(new X509Certificate((await authority()).certificatePem).publicKey));
  assert.equal(issued.certificateId, createHash("sha256").update(certificate.raw).digest("hex"));
  assert.match(issued.certificatePem, /^-----BEGIN CERTIFICATE-----\n[^\r]*\n-----END CERTIFICATE-----\n$/);
  // sha256WithRSAEncryption, basicConstraints critical, keyUsage critical digitalSignature
  const hex = certificate.raw.toString("hex");
  assert.ok(hex.includes("2a864886f70d01010b"));
  assert.ok(hex.includes("0603551d130101ff04023000"));
  assert.ok(hex.includes("0603551d0f0101ff040403020780"));
});

const requestFor = (privateKeyPem: string) =>
  createCertificateRequest({
    subject: [["CN", "pump-7"]],
    publicKey: keys.publicKeyOf(privateKeyPem),
    sign: (data) => keys.sign(privateKeyPem, data),
  });

test("a request keeps its subject and key, and each time gives another certificate", async () => {
  const { privateKeyPem } = await keys.generate("ec-p256");
  const { pem } = await requestFor(privateKeyPem);
  const first = await issuer.issueForRequest({ certificateSigningRequest: pem, nowMs });
  const second = await issuer.issueForRequest({ certificateSigningRequest: pem, nowMs });
  assert.notEqual(first.certificateId, second.certificateId);
  const certificate = new X509Certificate(first.certificatePem);
  assert.equal(certificate.subject, "CN=pump-7");
  assert.ok(certificate.checkPrivateKey(createPrivateKey(privateKeyPem)));
});

test("another reader finds in a certificate what stands in it, whoever signs", async () => {
  const x509 = await loadX509Library();
  const servers = await loadServerCertificateIssuer({ keys, random, kind: "ec-p256" });
  const ecAuthority = await servers.createRoot({ notBeforeMs: nowMs, notAfterMs: nowMs + 1_000_000 });
  const { publicKeyPem } = await keys.generate("ec-p256");
  for (const open of [authority, () => Promise.resolve(ecAuthority)]) {
    const { certificatePem } = await createCertificateIssuer({ keys, random, authority: open }).issueForKey({
      publicKeyPem,
      nowMs,
    });
    const [read, ca] = [certificatePem, (await open()).certificatePem].map((pem) => new x509.X509Certificate(pem));
    const keyIds = [read!.getExtension(x509.AuthorityKeyIdentifierExtension)?.keyId];
    keyIds.push(ca!.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId);
    assert.ok(keyIds[0] !== undefined && keyIds[0] === keyIds[1]);
    assert.equal(read!.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId.length, 40);
    assert.equal(read!.extensions.length, 4);
    assert.equal(read!.issuer, ca!.subject);
    assert.match(read!.serialNumber, /^[4-7][0-9a-f]{39}$/);
    assert.ok(new X509Certificate(certificatePem).verify(new X509Certificate((await open()).certificatePem).publicKey));
  }
});

test("what is no request is refused", async () => {
  const { privateKeyPem } = await keys.generate("ec-p256");
  const { pem } = await requestFor(privateKeyPem);
  const body = pem.split("\n").slice(1, -2).join("");
  const der = Buffer.from(body, "base64");
  der[der.length - 1] = (der.at(-1) ?? 0) ^ 1;
  const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString("base64")}\n-----END CERTIFICATE REQUEST-----\n`;
  for (const certificateSigningRequest of ["", "text", "x".repeat(5_000), pem.slice(0, 100), forged]) {
    await assert.rejects(issuer.issueForRequest({ certificateSigningRequest, nowMs }), (error) =>
      isThinglineError(error, "REQUEST_INVALID"),
    );
  }
});

test("the issuing authority is made once, kept in files for the owner alone, and used again", async () => {
  const kept = new Map<string, { content: Uint8Array; mode: number }>();
  const files = {
    exists: async (path: string) => kept.has(path),
    read: async (path: string) => kept.get(path)?.content ?? new Uint8Array(),
    replace: async (path: string, content: Uint8Array, options?: { mode?: number }) =>
      void kept.set(path, { content, mode: options?.mode ?? 0o600 }),
  } as unknown as Files;
  const open = () => openDeviceAuthority({ storage: { files, folder: "data" }, keys, random, nowMs: () => nowMs });
  const [first, again] = [open(), open()];
  const made = await first();
  assert.deepEqual(await first(), made);
  assert.deepEqual(await again(), made);
  assert.equal(kept.get("data/issuing-ca-key.pem")?.mode, 0o600);
  assert.equal(new X509Certificate(made.certificatePem).ca, true);
});

for (const kind of ["ec-p256", "rsa-2048"] as const) {
  test(`a server certificate with ${kind} is verified by its root and for its names`, async () => {
    const servers = await loadServerCertificateIssuer({ keys, random, kind });
    const validity = { notBeforeMs: nowMs, notAfterMs: nowMs + 1_000_000 };
    const root = await servers.createRoot(validity);
    const server = await servers.createServer({ root, names: ["localhost", "127.0.0.1", "::1"], ...validity });
    const certificate = new X509Certificate(server.certificatePem);
    const rootCertificate = new X509Certificate(root.certificatePem);
    assert.ok(certificate.checkIssued(rootCertificate));
    assert.ok(certificate.verify(rootCertificate.publicKey));
    assert.ok(certificate.checkPrivateKey(createPrivateKey(server.privateKeyPem)));
    assert.equal(certificate.checkHost("localhost"), "localhost");
    assert.equal(certificate.checkIP("127.0.0.1"), "127.0.0.1");
    assert.equal(certificate.checkIP("::1"), "::1");
    assert.equal(certificate.checkHost("example.com"), undefined);
    assert.equal(rootCertificate.ca, true);
    assert.equal(certificate.ca, false);
  });
}

test("a key pool gives each key out once and stops when it is closed", async () => {
  let made = 0;
  const counting = { ...keys, generate: async () => ({ privateKeyPem: `key ${++made}`, publicKeyPem: "" }) };
  const pool = createKeyPool(counting, { size: 2 });
  const given = new Set<string>();
  for (let count = 0; count < 5; count++) given.add((await pool.generate("rsa-2048")).privateKeyPem);
  assert.equal(given.size, 5);
  await pool.close();
  const before = made;
  await pool.generate("rsa-2048");
  assert.equal(made, before + 1);
  assert.throws(
    () => createKeyPool(keys, { size: -1 }),
    (error) => isThinglineError(error, "OPTION_INVALID"),
  );
});
