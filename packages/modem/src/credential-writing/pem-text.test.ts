import assert from "node:assert/strict";
import { test } from "node:test";
import { makeTestCertificates } from "@thingline/transport/contract";
import { createNodeKeys } from "@thingline/transport/node";
import { normalizePem } from "./pem-text.js";

const { client, ca } = await makeTestCertificates(createNodeKeys());
const certificate = client.certificatePem;
const key = client.privateKeyPem;
const body = (pem: string) => pem.split("\n").filter((line) => line !== "" && !line.startsWith("-----"));
const label = /BEGIN ([A-Z ]+)-----/u.exec(key)?.[1] ?? "";
const ecParameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";

const cases: [what: string, text: string, kind: "certificates" | "privateKey", wanted: string, changes: RegExp[]][] = [
  ["a text in order", certificate, "certificates", certificate, []],
  ["a chain in order", certificate + ca.certificatePem, "certificates", certificate + ca.certificatePem, []],
  ["CR LF line ends", certificate.replaceAll("\n", "\r\n"), "certificates", certificate, [/line ends became LF/]],
  ["CR line ends", certificate.replaceAll("\n", "\r"), "certificates", certificate, [/line ends became LF/]],
  ["no last line end", certificate.trimEnd(), "certificates", certificate, [/missing line end .* was added/]],
  ["blank lines", `\n${certificate}\n\n`, "certificates", certificate, [/blank lines were left out/]],
  ["a byte order mark", `\uFEFF${certificate}`, "certificates", certificate, [/byte order mark/]],
  [
    "text around it",
    `subject=CN = a\nissuer=CN = b\n${certificate}end\n`,
    "certificates",
    certificate,
    [/text around it was left out \(3 lines\)/],
  ],
  [
    "blanks for line ends",
    certificate.trimEnd().replaceAll("\n", " "),
    "certificates",
    certificate,
    [/line ends were put/],
  ],
  ["no line ends", certificate.replaceAll("\n", ""), "certificates", certificate, [/line ends were put/]],
  ["\\n for line ends", certificate.replaceAll("\n", "\\n"), "certificates", certificate, [/\\n in the text became/]],
  [
    "\\r\\n for line ends",
    certificate.replaceAll("\n", "\\r\\n"),
    "certificates",
    certificate,
    [/\\n in the text became/],
  ],
  [
    "indented lines",
    certificate.replaceAll("\n", "\n  "),
    "certificates",
    certificate,
    [/missing line end/, /blanks around/],
  ],
  [
    "one long line between",
    `-----BEGIN CERTIFICATE-----\n${body(certificate).join("")}\n-----END CERTIFICATE-----\n`,
    "certificates",
    certificate,
    [/lines were cut to 64 characters/],
  ],
  [
    "two chains in one line",
    (certificate + ca.certificatePem).replaceAll("\n", " "),
    "certificates",
    certificate + ca.certificatePem,
    [/line ends were put/],
  ],
  ["a key in order", key, "privateKey", key, []],
  ["a key with blanks for line ends", key.replaceAll("\n", " ").trim(), "privateKey", key, [/line ends were put/]],
  ["EC parameters before a key", ecParameters + key, "privateKey", key, [/EC PARAMETERS before the key were left out/]],
];
for (const [what, text, kind, wanted, changes] of cases) {
  test(`${what}: what goes to the modem, and what is told`, () => {
    const normal = normalizePem(text, kind, { what: "file.pem" });
    assert.equal(normal.text, wanted);
    assert.equal(normal.changes.length, changes.length, normal.changes.join("; "));
    for (const [at, change] of changes.entries()) assert.match(normal.changes[at] ?? "", change);
    const crlf = normalizePem(text, kind, { what: "file.pem", lineEnds: "crlf" });
    assert.equal(crlf.text, wanted.replaceAll("\n", "\r\n"));
    assert.deepEqual(normalizePem(crlf.text, kind, { what: "again", lineEnds: "crlf" }).changes, []);
  });
}

const refused: [what: string, text: string, kind: "certificates" | "privateKey", code: string, message: RegExp][] = [
  ["nothing", "", "certificates", "CERTIFICATE_INVALID", /a\.pem is not a PEM: it is empty/],
  ["prose", "hello", "privateKey", "KEY_INVALID", /a\.pem is not a PEM/],
  ["a key for a certificate", key, "certificates", "CERTIFICATE_INVALID", /may be swapped/],
  ["a certificate for a key", certificate, "privateKey", "KEY_INVALID", /may be swapped/],
  ["two keys", key + key, "privateKey", "KEY_INVALID", /exactly one key/],
  ["an encrypted key", key.replaceAll(label, "ENCRYPTED PRIVATE KEY"), "privateKey", "KEY_INVALID", /is encrypted/],
  [
    "a key that was encrypted the old way",
    key.replace("-----\n", "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n"),
    "privateKey",
    "KEY_INVALID",
    /is encrypted/,
  ],
  [
    "a text that was cut off",
    certificate.slice(0, 300),
    "certificates",
    "CERTIFICATE_INVALID",
    /END line .* is missing/,
  ],
];
for (const [what, text, kind, code, message] of refused) {
  test(`${what} is refused, and nothing of it is quoted`, () => {
    assert.throws(
      () => normalizePem(text, kind, { what: "a.pem" }),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, code);
        assert.match(error.message, message);
        for (const line of body(text)) assert.ok(!error.message.includes(line));
        return true;
      },
    );
  });
}
