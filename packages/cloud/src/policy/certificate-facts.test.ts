import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { readCertificateFacts } from "./certificate-facts.js";

// Made with openssl 3.0: P-256, every attribute that AWS IoT has a variable for, validity over 2050.
const base64 = [
  "MIIDfjCCAySgAwIBAgIJAJIShcu3peCGMAoGCCqGSM49BAMCMIHnMQswCQYDVQQGEwJVUzELMAkGA1UEBhMCREUxFDASBgNVBAoMC0lvVCBEZX",
  "ZpY2VzMRkwFwYDVQQLDBBMYW1wZSBmw7xyIEvDtmxuMQswCQYDVQQIDAJXQTESMBAGA1UEAwwJTGlnaHRCdWxiMQwwCgYDVQQFEwMxMjMxDDAK",
  "BgNVBAwMA1JHQjEOMAwGA1UEBAwFQ29sb3IxDTALBgNVBCoMBEJ1bGIxCzAJBgNVBCsMAlpaMRAwDgYDVQQuEwdCdWxiMDAxMRMwEQYDVQRBDA",
  "pSR0IgRGV2aWNlMQowCAYDVQQsDAE0MCAXDTI0MDMyNjAzMjU0MFoYDzIwOTkxMjMxMjM1OTU5WjCB5zELMAkGA1UEBhMCVVMxCzAJBgNVBAYT",
  "AkRFMRQwEgYDVQQKDAtJb1QgRGV2aWNlczEZMBcGA1UECwwQTGFtcGUgZsO8ciBLw7ZsbjELMAkGA1UECAwCV0ExEjAQBgNVBAMMCUxpZ2h0Qn",
  "VsYjEMMAoGA1UEBRMDMTIzMQwwCgYDVQQMDANSR0IxDjAMBgNVBAQMBUNvbG9yMQ0wCwYDVQQqDARCdWxiMQswCQYDVQQrDAJaWjEQMA4GA1UE",
  "LhMHQnVsYjAwMTETMBEGA1UEQQwKUkdCIERldmljZTEKMAgGA1UELAwBNDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABKi95cf4OcXfpopxhm",
  "Ij+1G/DX4qSAcr3tWZu6IsA12O5UFS7TQZvw6hcV60SpMP7i6jwj1Ti3EFhpZnLNeOVSOjgbQwgbEwdQYDVR0RBG4wbIILZXhhbXBsZS5jb22C",
  "DWIuZXhhbXBsZS5jb22HBAECAwSHECABDbgAAAAAAAAAAAAAAAGBDWFAZXhhbXBsZS5jb22GB3Vybjp4OjGkHjAcMQwwCgYDVQQDDANEaXIxDD",
  "AKBgNVBAoMA09yZzAZBgNVHRIEEjAQgg5pc3N1ZXIuZXhhbXBsZTAdBgNVHQ4EFgQUrLSQQKNIGTzu6eAps9Lq0U37wGIwCgYIKoZIzj0EAwID",
  "SAAwRQIhAM3nqKl+ic0CxzNz/kbkOZF2PKmRIvrvsO763IvKgHlOAiAmADTKHIfB/rEfFqAKJexSHXhcAIayNsIXbfA5i6g2jA==",
].join("");
const der = new Uint8Array(Buffer.from(base64, "base64"));

test("subject, issuer, serial number, validity and alternative names are read", () => {
  const facts = readCertificateFacts(der);
  assert.equal(facts.serialNumber, BigInt("0x921285cbb7a5e086").toString());
  assert.equal(facts.notBeforeMs, Date.parse("2024-03-26T03:25:40Z"));
  assert.equal(facts.notAfterMs, Date.parse("2099-12-31T23:59:59Z"));
  assert.deepEqual(Object.fromEntries(facts.subject), {
    Country: ["US", "DE"],
    Organization: ["IoT Devices"],
    OrganizationalUnit: ["Lampe für Köln"],
    State: ["WA"],
    CommonName: ["LightBulb"],
    SerialNumber: ["123"],
    Title: ["RGB"],
    Surname: ["Color"],
    GivenName: ["Bulb"],
    Initials: ["ZZ"],
    DistinguishedNameQualifier: ["Bulb001"],
    Pseudonym: ["RGB Device"],
    GenerationQualifier: ["4"],
  });
  assert.deepEqual(facts.issuer, facts.subject);
  assert.deepEqual(Object.fromEntries(facts.subjectAlternativeNames), {
    DNSName: ["example.com", "b.example.com"],
    IPAddress: ["1.2.3.4", "2001:db8:0:0:0:0:0:1"],
    RFC822Name: ["a@example.com"],
    UniformResourceIdentifier: ["urn:x:1"],
    DirectoryName: ["CommonName=Dir, Organization=Org"],
  });
  assert.deepEqual(Object.fromEntries(facts.issuerAlternativeNames), { DNSName: ["issuer.example"] });
});

test("a certificate that is cut anywhere is refused with a code, never with another error", () => {
  for (let length = 0; length < der.length; length++) {
    assert.throws(
      () => readCertificateFacts(der.subarray(0, length)),
      (error) => isThinglineError(error, "CERTIFICATE_INVALID"),
    );
  }
});

test("a certificate with any byte changed is read or refused with a code", () => {
  for (let offset = 0; offset < der.length; offset++) {
    const changed = der.slice();
    changed[offset] = (changed[offset] ?? 0) ^ 0xff;
    try {
      readCertificateFacts(changed);
    } catch (error) {
      assert.ok(isThinglineError(error, "CERTIFICATE_INVALID"), `offset ${offset}: ${String(error)}`);
    }
  }
});
