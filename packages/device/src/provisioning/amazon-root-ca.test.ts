import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { test } from "node:test";
import { rootCertificates } from "node:tls";
import { amazonRootCa1 } from "./amazon-root-ca.js";

test("the built-in Amazon Root CA 1 is the one that Node trusts, in the form that an nRF91 lists", () => {
  const digest = createHash("sha256").update(amazonRootCa1).digest("hex").toUpperCase();
  assert.equal(digest, "2C43952EE9E000FF2ACC4E2ED0897C0A72AD5FA72C3D934E81741CBD54F05BD1");
  const fingerprint = new X509Certificate(amazonRootCa1).fingerprint256;
  assert.ok(rootCertificates.some((pem) => new X509Certificate(pem).fingerprint256 === fingerprint));
});
