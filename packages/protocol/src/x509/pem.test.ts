import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { decodeBase64, encodeBase64 } from "../base64.js";
import { encodePem, pemBlocksMax, pemCharactersMax, readPem } from "./pem.js";

const fixture = (name: string) =>
  readFileSync(new URL(`../../../../tests/fixtures/x509/${name}`, import.meta.url), "utf8");

test("base64 reads back what it wrote and agrees with Node", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      const text = encodeBase64(bytes);
      assert.equal(text, Buffer.from(bytes).toString("base64"));
      assert.deepEqual(decodeBase64(text), bytes);
    }),
  );
});

test("text that is almost base64 is refused", () => {
  for (const text of ["A", "AA", "AAA", "AB==", "AAB=", "A===", "====", "AA=A", "AA==AAAA", "A A=", "AA-_", "AAAA\n"]) {
    assert.equal(decodeBase64(text), undefined, text);
  }
});

test("a PEM is the same with LF, CRLF, CR, text around it and without its last line end", () => {
  const pem = fixture("rsa-2048.cert.pem");
  const variants = [
    pem,
    pem.trimEnd(),
    pem.replaceAll("\n", "\r\n"),
    pem.replaceAll("\n", "\r"),
    pem.replaceAll("\n", " \n"),
    `subject=pump\n\n${pem}\nbye\n`,
    `\uFEFF${pem}`.replace("\uFEFF", "\uFEFF\n"),
  ];
  for (const variant of variants) {
    const result = readPem(variant);
    assert.ok("blocks" in result);
    assert.equal(result.blocks.length, 1);
    assert.equal(result.blocks[0].pem, pem);
    assert.equal(result.blocks[0].label, "CERTIFICATE");
  }
});

test("several blocks come in their order", () => {
  const result = readPem(fixture("rsa-2048.cert.pem") + fixture("ec-p256.cert.pem") + fixture("ec-p256.sec1.pem"));
  assert.ok("blocks" in result);
  assert.deepEqual(
    result.blocks.map(({ label }) => label),
    ["CERTIFICATE", "CERTIFICATE", "EC PARAMETERS", "EC PRIVATE KEY"],
  );
});

test("text that is no PEM is refused with the reason and without its content", () => {
  const pem = fixture("ec-p256.pkcs8.pem");
  const cases: [text: string, reason: RegExp][] = [
    ["", /^it is empty$/],
    [" \r\n", /^it is empty$/],
    ["hello", /has no line "-----BEGIN/],
    ["0\x82\x01\0\0", /binary content/],
    [pem.replaceAll("\n", " "), /line ends are missing/],
    [pem.replaceAll("\n", "\\n"), /written as \\n/],
    [pem.replace(/-----END.*\n/u, ""), /the END line of "BEGIN PRIVATE KEY" is missing/],
    [pem.replace("END PRIVATE KEY", "END CERTIFICATE"), /"BEGIN PRIVATE KEY" is closed by "END CERTIFICATE"/],
    [pem.replace(/-----BEGIN.*\n/u, ""), /without its BEGIN line/],
    [pem.replace(/-----END.*\n/u, "") + pem, /a second BEGIN line/],
    [pem.replace(/KEY-----\nM/u, "KEY-----\n!"), /is not base64/],
    [pem.replace(/KEY-----\nM/u, "KEY-----\n"), /is not base64/],
    ["-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", /no content/],
    [fixture("ec-p256.encrypted.pem"), /its EC PRIVATE KEY is encrypted/],
    [encodePem("X509 CRL", Uint8Array.of(1)).replace("\n", "\nComment: x\n\n"), /has header lines/],
    ["x".repeat(pemCharactersMax + 1), /more than 65536/],
    [encodePem("A", Uint8Array.of(1)).repeat(pemBlocksMax + 1), /more than 16 blocks/],
  ];
  const block = encodePem("A", Uint8Array.of(1));
  for (const text of [block.padEnd(pemCharactersMax, "\n"), block.repeat(pemBlocksMax)])
    assert.ok(!("reason" in readPem(text)), "as much as may be");
  for (const [text, expected] of cases) {
    const result = readPem(text);
    assert.ok("reason" in result, `for ${expected}`);
    assert.match(result.reason, expected);
    const body = pem.split("\n")[1] ?? "";
    assert.ok(!result.reason.includes(body.slice(0, 12)));
  }
});

test("any text is either read or refused with a reason", () => {
  const words = fc.constantFrom(
    "-----BEGIN ",
    "-----END ",
    "CERTIFICATE",
    "-----",
    "\n",
    "\r",
    " ",
    "AAAA",
    "=",
    "Proc-Type: ",
  );
  fc.assert(
    fc.property(fc.array(words, { maxLength: 40 }), (parts) => {
      const result = readPem(parts.join(""));
      assert.ok("blocks" in result || result.reason.length > 0);
    }),
  );
});
