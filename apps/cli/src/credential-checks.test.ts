import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { isThinglineError } from "@thingline/protocol";
import { parseCertificates } from "@thingline/protocol/x509";
import { createNodeKeys } from "@thingline/transport/node";
import { requireUsable, warnOfDoubts } from "./credential-checks.js";
import { createOutput } from "./output.js";

const fixture = (name: string) =>
  readFile(fileURLToPath(new URL(`../../../tests/fixtures/x509/${name}`, import.meta.url)), "utf8");
const keys = createNodeKeys();
const ec = { certificate: await fixture("ec-p256.cert.pem"), privateKey: await fixture("ec-p256.pkcs8.pem") };
const rsa = { certificate: await fixture("rsa-2048.cert.pem"), privateKey: await fixture("rsa-2048.pkcs8.pem") };
const withCrLf = (pem: string) => pem.replaceAll("\n", "\r\n");

test("a key belongs to its certificate in any of its forms and with any line ends", async () => {
  for (const privateKey of [ec.privateKey, await fixture("ec-p256.sec1.pem"), withCrLf(ec.privateKey)]) {
    requireUsable({ certificate: ec.certificate, privateKey }, keys);
    requireUsable({ certificate: withCrLf(ec.certificate), privateKey, ca: withCrLf(rsa.certificate) }, keys);
  }
  requireUsable({ ...rsa, privateKey: await fixture("rsa-2048.pkcs1.pem") }, keys);
});

test("a key of another kind, in either direction, is refused as one that does not match", () => {
  for (const texts of [
    { certificate: ec.certificate, privateKey: rsa.privateKey },
    { certificate: rsa.certificate, privateKey: ec.privateKey },
  ]) {
    assert.throws(
      () => requireUsable(texts, keys, { outcome: "; nothing was written" }),
      (error) =>
        isThinglineError(error, "KEY_MISMATCH") && /does not belong .*; nothing was written$/.test(error.message),
    );
  }
});

test("a certificate that is not valid now is a warning, with --json too", () => {
  const [certificate] = parseCertificates(ec.certificate);
  assert.ok(certificate);
  const warningsAt = (seconds: number) => {
    let [out, err] = ["", ""];
    const output = createOutput({
      isJson: true,
      out: { write: (text) => (out += text) },
      err: { write: (text) => (err += text) },
    });
    warnOfDoubts(output, ec, { unixMs: () => seconds * 1000 });
    return { out, err };
  };
  const expired = warningsAt(certificate.notAfter + 1);
  assert.match(expired.out, /^\{"event":"warning","message":"the certificate of .* has expired on /);
  assert.match(expired.err, /^warning: the certificate of /);
  assert.match(warningsAt(certificate.notBefore - 1).err, /is valid only from .* on/);
  assert.deepEqual(warningsAt(certificate.notBefore + 1), { out: "", err: "" });
});
