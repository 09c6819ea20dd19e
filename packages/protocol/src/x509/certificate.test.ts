import "reflect-metadata";
import assert from "node:assert/strict";
import { createHash, createPublicKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { rootCertificates } from "node:tls";
import fc from "fast-check";
import { isThinglineError } from "../errors.js";
import { parseCertificateDer, parseCertificates } from "./certificate.js";
import { DerError, DerReader, decodeObjectIdentifier } from "./der.js";
import { encodeDer, encodeObjectIdentifier } from "./der-writer.js";
import { parsePrivateKey } from "./private-key.js";
import { readPem } from "./pem.js";

const fixture = (name: string) =>
  readFileSync(new URL(`../../../../tests/fixtures/x509/${name}`, import.meta.url), "utf8");
const spki = (name: string) => {
  const result = readPem(fixture(name));
  assert.ok("blocks" in result);
  return result.blocks[0].der;
};

test("an RSA certificate of openssl is told by its essentials", () => {
  const [certificate, ...others] = parseCertificates(fixture("rsa-2048.cert.pem"));
  assert.equal(others.length, 0);
  assert.equal(certificate.version, 3);
  assert.equal(certificate.serialNumber, "F00D0123456789ABCDEF");
  assert.equal(certificate.subject, "C=SE, OU=Field+O=Acme\\, Inc., CN=pump-7");
  assert.equal(certificate.issuer, certificate.subject);
  assert.equal(certificate.notBefore, Date.UTC(2026, 10, 23, 0, 42, 39) / 1000);
  assert.equal(certificate.notAfter, Date.UTC(2126, 9, 30, 0, 42, 39) / 1000);
  assert.deepEqual(certificate.publicKey, spki("rsa-2048.spki.pem"));
});

test("a P-256 certificate with text around it and an UTF-8 name is told by its essentials", () => {
  const [certificate] = parseCertificates(fixture("ec-p256.cert.pem"));
  assert.equal(certificate.serialNumber, "01");
  assert.equal(certificate.subject, "CN=Pumpe ö, serialNumber=42");
  assert.equal(certificate.notAfter, Date.UTC(2026, 11, 13, 0, 42, 39) / 1000);
  assert.deepEqual(certificate.publicKey, spki("ec-p256.spki.pem"));
});

test("every root certificate that Node trusts is read as Node reads it", () => {
  assert.ok(rootCertificates.length > 50);
  for (const pem of rootCertificates) {
    const peer = new X509Certificate(pem);
    const [certificate] = parseCertificates(pem);
    assert.equal(certificate.serialNumber, peer.serialNumber.padStart(2, "0"));
    assert.equal(certificate.notBefore, Date.parse(peer.validFrom) / 1000);
    assert.equal(certificate.notAfter, Date.parse(peer.validTo) / 1000);
    assert.deepEqual(certificate.publicKey, new Uint8Array(peer.publicKey.export({ type: "spki", format: "der" })));
    assert.equal(
      createHash("sha256").update(certificate.der).digest("hex"),
      peer.fingerprint256.replaceAll(":", "").toLowerCase(),
    );
  }
});

test("names agree with @peculiar/x509 for the roots that Node trusts", async () => {
  const { X509Certificate: PeerCertificate } = await import("@peculiar/x509");
  const values = (name: string) => name.split(", ").map((part) => part.slice(part.indexOf("=") + 1));
  for (const pem of rootCertificates.slice(0, 60)) {
    const peer = new PeerCertificate(pem);
    const [certificate] = parseCertificates(pem);
    if (/[\\+#]/u.test(certificate.subject + peer.subject)) continue;
    assert.deepEqual(values(certificate.subject), values(peer.subject));
    assert.deepEqual(values(certificate.issuer), values(peer.issuer));
  }
});

test("a text with something else than certificates is refused with the label", () => {
  const cases: [pem: string, reason: RegExp][] = [
    ["", /client-cert\.pem is not a PEM: it is empty/],
    [fixture("rsa-2048.pkcs1.pem"), /client-cert\.pem must be a PEM "CERTIFICATE", got "RSA PRIVATE KEY"/],
    [fixture("rsa-2048.cert.pem") + fixture("rsa-2048.csr.pem"), /got "CERTIFICATE REQUEST"/],
    [fixture("rsa-2048.spki.pem").replaceAll("PUBLIC KEY", "CERTIFICATE"), /client-cert\.pem is not valid DER/],
  ];
  for (const [pem, expected] of cases) {
    assert.throws(
      () => parseCertificates(pem, "client-cert.pem"),
      (error) => isThinglineError(error, "CERTIFICATE_INVALID") && expected.test(error.message),
    );
  }
});

test("a certificate that is cut, longer or changed in one byte is read or refused, never anything else", () => {
  const [{ der }] = parseCertificates(fixture("ec-p256.cert.pem"));
  const read = (bytes: Uint8Array) => {
    try {
      parseCertificateDer(bytes);
      return "read";
    } catch (error) {
      if (isThinglineError(error, "CERTIFICATE_INVALID")) return "refused";
      throw error;
    }
  };
  for (let length = 0; length < der.length; length++) assert.equal(read(der.subarray(0, length)), "refused");
  assert.equal(read(Uint8Array.of(...der, 0)), "refused");
  for (let index = 0; index < der.length; index++) {
    for (const change of [0x01, 0x80, 0xff]) read(der.map((byte, place) => (place === index ? byte ^ change : byte)));
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void read(bytes)));
});

test("DER with indefinite, long or needlessly long lengths is refused", () => {
  const cases = [
    [0x30],
    [0x30, 0x80, 0, 0],
    [0x30, 0x81, 0x01, 0],
    [0x30, 0x82, 0x00, 0x80, ...new Array<number>(128).fill(0)],
    [0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
    [0x30, 0x83, 0xff, 0xff, 0xff],
    [0x1f, 0x81, 0x01, 0],
  ];
  for (const bytes of cases) assert.throws(() => new DerReader(Uint8Array.from(bytes)).read(), DerError);
  assert.throws(() => new DerReader(new Uint8Array(70_000)), DerError);
});

test("object identifiers and lengths read back as they were written", () => {
  for (const id of ["2.5.4.3", "1.2.840.113549.1.1.11", "2.999.3", "0.9.2342.19200300.100.1.25"]) {
    assert.equal(decodeObjectIdentifier(new DerReader(encodeObjectIdentifier(id)).read(6).content), id);
  }
  for (const bytes of [[], [0x80, 1], [0x2a, 0x86], [0x2a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]]) {
    assert.throws(() => decodeObjectIdentifier(Uint8Array.from(bytes)), DerError);
  }
  for (const length of [0, 1, 127, 128, 255, 256, 60_000]) {
    assert.equal(new DerReader(encodeDer(4, new Uint8Array(length))).read(4).content.length, length);
  }
});

test("the three forms of a private key are told apart, with algorithm and size", () => {
  const cases: [file: string, format: string, algorithm: string, modulusBits: number | undefined][] = [
    ["rsa-2048.pkcs1.pem", "pkcs1", "rsa", 2048],
    ["rsa-2048.pkcs8.pem", "pkcs8", "rsa", 2048],
    ["ec-p256.sec1.pem", "sec1", "ec-p256", undefined],
    ["ec-p256.pkcs8.pem", "pkcs8", "ec-p256", undefined],
  ];
  for (const [file, format, algorithm, modulusBits] of cases) {
    const key = parsePrivateKey(fixture(file).replaceAll("\n", "\r\n"));
    assert.deepEqual([key.format, key.algorithm, key.modulusBits], [format, algorithm, modulusBits], file);
    const expected = createPublicKey(fixture(file)).export({ type: "spki", format: "pem" });
    assert.equal(createPublicKey(key.pem).export({ type: "spki", format: "pem" }), expected);
  }
});

test("what is no single unencrypted private key is refused with the reason", () => {
  const cases: [pem: string, reason: RegExp][] = [
    ["nothing", /private-key\.pem is not a PEM/],
    [fixture("rsa-2048.cert.pem"), /must be one of RSA PRIVATE KEY, EC PRIVATE KEY, PRIVATE KEY, got "CERTIFICATE"/],
    [fixture("rsa-2048.pkcs1.pem") + fixture("ec-p256.pkcs8.pem"), /exactly one key, got 2/],
    [fixture("ec-p256.encrypted.pem"), /is encrypted; .*`openssl pkey -in FILE`/],
    [fixture("ec-p256.encrypted.pkcs8.pem"), /is encrypted; .*`openssl pkey -in FILE`/],
    [fixture("rsa-2048.spki.pem").replaceAll("PUBLIC", "PRIVATE"), /is not valid DER/],
  ];
  for (const [pem, expected] of cases) {
    assert.throws(
      () => parsePrivateKey(pem, "private-key.pem"),
      (error) => isThinglineError(error, "KEY_INVALID") && expected.test(error.message),
    );
  }
});
