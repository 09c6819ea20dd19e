import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCertificates } from "@thingline/protocol/x509";
import { makeTestCertificates } from "@thingline/transport/contract";
import { createNodeKeys } from "@thingline/transport/node";
import { createVirtualClock, createVirtualFiles } from "@thingline/transport/virtual";
import { UsageError } from "../failure.js";
import { prepareCredentials, type SourceOptions } from "./prepare.js";

const keys = createNodeKeys();
const { ca, client, server } = await makeTestCertificates(keys);
const [{ notBefore, notAfter }] = parseCertificates(client.certificatePem);
const json = (members: object) =>
  JSON.stringify({ caCert: ca.certificatePem.trim(), clientCert: client.certificatePem, privateKey: "", ...members });
const content = {
  "/number.json": json({ secTag: 77 }),
  "/text.json": json({ secTag: "16842753", clientId: "nrf-1" }),
  "/none.json": json({}),
  "/ca.pem": ca.certificatePem,
  "/cert.pem": client.certificatePem.replaceAll("\n", "\r\n"),
  "/key.pem": client.privateKeyPem,
  "/other.pem": server.privateKeyPem,
};

const prepare = (options: SourceOptions, unixSeconds = (notBefore + notAfter) / 2) =>
  prepareCredentials(
    { files: createVirtualFiles({ content }), keys, clock: createVirtualClock({ unixMs: unixSeconds * 1000 }) },
    options,
  );

test("Nordic's JSON says the tag, leaves out what is empty, and an option goes before it", async () => {
  const { secTag, credentials, remarks } = await prepare({ from: "/number.json" });
  assert.equal(secTag, 77);
  assert.deepEqual(credentials, { ca: ca.certificatePem, certificate: client.certificatePem });
  assert.deepEqual(remarks, ["/number.json: caCert: the missing line end behind its last line was added"]);
  const other = await prepare({ from: "/number.json", secTag: 42 });
  assert.equal(other.secTag, 42);
  assert.match(other.remarks[0] ?? "", /names security tag 77; --sec-tag 42 goes before it/);
  await assert.rejects(
    prepare({ from: "/none.json" }),
    (error) => error instanceof UsageError && /--sec-tag/.test(error.message),
  );
});

test("the tag of nRF Cloud needs force, and what nRF Cloud writes beside the credentials is named", async () => {
  await assert.rejects(prepare({ from: "/text.json" }), { code: "CREDENTIAL_REFUSED" });
  const { secTag, remarks } = await prepare({ from: "/text.json", force: true });
  assert.equal(secTag, 16_842_753);
  assert.ok(remarks.includes("not for the modem: clientId"));
});

test("line ends are as wanted, with what that means", async () => {
  const lf = await prepare({ secTag: 42, cert: "/cert.pem" });
  assert.deepEqual(
    [lf.credentials.certificate, lf.remarks],
    [client.certificatePem, ["/cert.pem: its line ends became LF"]],
  );
  const crlf = await prepare({ secTag: 42, cert: "/cert.pem", lineEnds: "crlf" });
  assert.equal(crlf.credentials.certificate, content["/cert.pem"]);
  assert.match(crlf.remarks.join(), /digests are others/);
});

test("what no handshake would take is refused before any board is asked, and a warning with force", async () => {
  const mixed = { secTag: 42, cert: "/cert.pem", key: "/other.pem" };
  await assert.rejects(prepare(mixed), { code: "KEY_MISMATCH", message: /nothing was written/ });
  assert.match((await prepare({ ...mixed, force: true })).doubts.join(), /does not belong/);
  const late = notAfter + 1;
  await assert.rejects(prepare({ secTag: 42, cert: "/cert.pem" }, late), {
    code: "CERTIFICATE_INVALID",
    message: /expired/,
  });
  assert.match((await prepare({ secTag: 42, cert: "/cert.pem", force: true }, late)).doubts.join(), /expired/);
  await assert.rejects(
    prepare({ secTag: 42 }),
    (error) => error instanceof UsageError && /say what to write/.test(error.message),
  );
});
