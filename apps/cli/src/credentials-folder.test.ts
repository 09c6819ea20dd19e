import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { type ErrorCode, isThinglineError } from "@thingline/protocol";
import { awsIotSettings, loadKconfig } from "@thingline/protocol/kconfig";
import { createNodeFiles } from "@thingline/transport/node";
import {
  credentialFileBytesMax,
  kconfigLines,
  readCredentialFiles,
  writeCredentialsFolder,
} from "./credentials-folder.js";

const fixture = (name: string) =>
  readFile(fileURLToPath(new URL(`../../../tests/fixtures/x509/${name}`, import.meta.url)), "utf8");
const files = createNodeFiles();
const certificatePem = await fixture("ec-p256.cert.pem");
const caPem = await fixture("rsa-2048.cert.pem");
const privateKeyPem = await fixture("ec-p256.pkcs8.pem");
const set = { caPem, certificatePem, privateKeyPem };
const options = { secTag: 43, host: "localhost", port: 8883, clientId: "pump-7", force: false };

async function makeFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "thingline-credentials-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function failsWith(code: ErrorCode, pattern: RegExp) {
  return (error: unknown) => {
    assert.ok(isThinglineError(error, code), `expected ${code}, got ${String(error)}`);
    assert.match(error.message, pattern);
    assert.doesNotMatch(`${error.message} ${JSON.stringify(error.details)}`, /MIGH|BEGIN PRIVATE/, "a key is shown");
    return true;
  };
}

test("a written folder has the files, private ones for their owner alone, and reads back the same", async (t) => {
  const folder = join(await makeFolder(t), "pump-7");
  const { files: paths } = await writeCredentialsFolder(files, folder, set, options);
  const modes = Object.fromEntries(
    await Promise.all(
      Object.entries(paths).map(async ([name, path]) => [name, (await stat(path)).mode & 0o777] as const),
    ),
  );
  assert.deepEqual(modes, { caPem: 0o644, certificatePem: 0o644, privateKeyPem: 0o600, nordic: 0o600, conf: 0o644 });
  assert.equal((await stat(folder)).mode & 0o777, 0o700);

  const expected = { ca: caPem, certificate: certificatePem, privateKey: privateKeyPem };
  assert.deepEqual(await readCredentialFiles(files, { from: folder }), expected);
  assert.deepEqual(await readCredentialFiles(files, { from: paths.nordic }), expected);
  const nordic = JSON.parse(await readFile(paths.nordic, "utf8")) as unknown;
  assert.deepEqual(nordic, { caCert: caPem, clientCert: certificatePem, privateKey: privateKeyPem, secTag: 43 });
});

test("a private key that is there already is only written over with force", async (t) => {
  const folder = await makeFolder(t);
  await writeCredentialsFolder(files, folder, set, options);
  const other = { ...set, privateKeyPem: await fixture("rsa-2048.pkcs8.pem") };
  await assert.rejects(
    writeCredentialsFolder(files, folder, other, options),
    failsWith("FILE_EXISTS", /private-key\.pem/),
  );
  assert.equal(await readFile(join(folder, "private-key.pem"), "utf8"), privateKeyPem);
  await writeCredentialsFolder(files, folder, other, { ...options, force: true });
  assert.equal(await readFile(join(folder, "private-key.pem"), "utf8"), other.privateKeyPem);
});

test("our own Kconfig parser takes the lines without a warning and finds everything in them", () => {
  for (const clientId of ["pump-7", "x".repeat(128), 'odd "quoted" \\ name']) {
    const text = kconfigLines({ secTag: 201, host: "192.0.2.7", port: 44023, clientId });
    const { config, warnings } = loadKconfig([{ file: "prj.conf", text }]);
    assert.deepEqual(warnings, []);
    const settings = awsIotSettings(config);
    const { host, port, secTag } = settings;
    assert.deepEqual([host, port, secTag, settings.clientId], ["192.0.2.7", 44023, 201, clientId]);
  }
});

test("without PEM files the folder's certificate JSON is read; single files win over both", async (t) => {
  const folder = await makeFolder(t);
  await writeFile(
    join(folder, "certificate.json"),
    JSON.stringify({ caCert: caPem, clientCert: "", privateKey: null }),
  );
  assert.deepEqual(await readCredentialFiles(files, { from: folder }), { ca: caPem });
  await writeFile(join(folder, "client-cert.pem"), certificatePem);
  assert.deepEqual(await readCredentialFiles(files, { from: folder }), { certificate: certificatePem });
  const other = join(folder, "other.pem");
  await writeFile(other, caPem);
  assert.deepEqual(await readCredentialFiles(files, { from: folder, cert: other }), { certificate: caPem });
});

test("a PEM file and a JSON file may have credentialFileBytesMax", async (t) => {
  const folder = await makeFolder(t);
  const [pem, json] = [join(folder, "large.pem"), join(folder, "large.json")];
  const text = caPem.padEnd(credentialFileBytesMax, "\n");
  await writeFile(pem, text);
  assert.deepEqual(await readCredentialFiles(files, { ca: pem }), { ca: text });
  await writeFile(json, JSON.stringify({ caCert: caPem }).padEnd(credentialFileBytesMax));
  assert.deepEqual(await readCredentialFiles(files, { from: json }), { ca: caPem });
});

test("what cannot be read says which file, what was expected and what was found", async (t) => {
  const folder = await makeFolder(t);
  const at = (name: string) => join(folder, name);
  await writeFile(at("text.pem"), "hello\n");
  await writeFile(at("der.bin"), Uint8Array.of(0x30, 0x82, 0xff, 0xfe));
  await writeFile(at("cert.pem"), certificatePem);
  await writeFile(at("key.pem"), privateKeyPem);
  await writeFile(at("large.pem"), caPem.padEnd(credentialFileBytesMax + 1, "\n"));
  await writeFile(at("large.json"), JSON.stringify({ caCert: caPem }).padEnd(credentialFileBytesMax + 1));
  await writeFile(at("encrypted.pem"), await fixture("ec-p256.encrypted.pkcs8.pem"));
  await mkdir(at("empty"));
  const cases: [Parameters<typeof readCredentialFiles>[1], ErrorCode, RegExp][] = [
    [{ cert: at("text.pem") }, "CERTIFICATE_INVALID", /text\.pem is not a PEM/],
    [{ cert: at("key.pem") }, "CERTIFICATE_INVALID", /key\.pem .*"CERTIFICATE", got "PRIVATE KEY"/],
    [{ key: at("cert.pem") }, "KEY_INVALID", /cert\.pem .*got "CERTIFICATE"/],
    [{ key: at("encrypted.pem") }, "KEY_INVALID", /encrypted/],
    [{ cert: at("der.bin") }, "CERTIFICATE_INVALID", /der\.bin is no PEM.*openssl x509 -inform der/],
    [{ key: at("der.bin") }, "KEY_INVALID", /der\.bin is no PEM.*openssl pkey -inform der/],
    [{ ca: at("large.pem") }, "FILE_TOO_LARGE", /large\.pem" is too large: it has 65537 bytes, and at most 65536/],
    [{ from: at("large.json") }, "FILE_TOO_LARGE", /large\.json" is too large: it has 65537 bytes/],
    [{ ca: at("absent.pem") }, "FILE_NOT_FOUND", /absent\.pem/],
    [{ from: at("absent") }, "FILE_NOT_FOUND", /absent is an empty folder, or not there/],
    [{ from: at("empty") }, "FILE_NOT_FOUND", /empty folder/],
    [{ from: at("cert.pem") }, "FILE_NOT_FOUND", /cert\.pem is a file; expected a folder, or a \.json file/],
    [
      { from: folder },
      "FILE_NOT_FOUND",
      /has none of ca-cert\.pem, client-cert\.pem, private-key\.pem, certificate\.json/,
    ],
  ];
  for (const [from, code, pattern] of cases) {
    await assert.rejects(readCredentialFiles(files, from), failsWith(code, pattern));
  }
});

test("a JSON file that is not in Nordic's format is refused without quoting it", async (t) => {
  const file = join(await makeFolder(t), "certificate.json");
  const cases: [string, ErrorCode, RegExp][] = [
    ["{", "CREDENTIAL_FILE_INVALID", /is no JSON/],
    [privateKeyPem, "CREDENTIAL_FILE_INVALID", /is no JSON/],
    ["[]", "CREDENTIAL_FILE_INVALID", /holds no JSON object; expected .*caCert, clientCert, privateKey/],
    ["null", "CREDENTIAL_FILE_INVALID", /holds no JSON object/],
    ["{}", "CREDENTIAL_FILE_INVALID", /has none of them/],
    ['{"caCert":7}', "CREDENTIAL_FILE_INVALID", /has a caCert that is no text/],
    ['{"caCert":"hello"}', "CERTIFICATE_INVALID", /certificate\.json: caCert/],
    [JSON.stringify({ privateKey: certificatePem }), "KEY_INVALID", /certificate\.json: privateKey/],
  ];
  for (const [text, code, pattern] of cases) {
    await writeFile(file, text);
    await assert.rejects(readCredentialFiles(files, { from: file }), failsWith(code, pattern));
  }
});
