import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { createNodeFiles } from "@thingline/transport/node";
import { claimFactsName, readClaimFolder, writeClaimFacts } from "./claim-folder.js";
import { credentialFileNames } from "./credentials-folder.js";

const files = createNodeFiles();
const fixture = (name: string) =>
  readFile(fileURLToPath(new URL(`../../../tests/fixtures/x509/${name}`, import.meta.url)), "utf8");
const certificatePem = await fixture("ec-p256.cert.pem");
const privateKeyPem = await fixture("ec-p256.pkcs8.pem");

async function folderWith(t: TestContext, texts: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "thingline-claim-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(texts)) await writeFile(join(folder, name), text);
  return folder;
}

const pair = {
  [credentialFileNames.certificatePem]: certificatePem,
  [credentialFileNames.privateKeyPem]: privateKeyPem,
};

test("a claim comes with its template and its end, where it has them", async (t) => {
  const folder = await folderWith(t, pair);
  assert.deepEqual(await readClaimFolder(files, folder), {
    claim: { certificatePem, privateKeyPem },
    templateName: undefined,
  });
  await writeClaimFacts(files, folder, { templateName: "fleet", certificateId: "c" });
  assert.equal((await stat(join(folder, claimFactsName))).mode & 0o777, 0o600);
  assert.equal((await readClaimFolder(files, folder)).templateName, "fleet");
  const expiresAt = new Date("2026-11-30T00:05:00Z");
  await writeClaimFacts(files, folder, { templateName: "fleet", certificateId: "c", expiresAt });
  const { claim } = await readClaimFolder(files, folder);
  assert.equal(claim.expiresAtUnixMs, expiresAt.getTime());
});

test("what is no whole claim is refused, without showing its key", async (t) => {
  const only = await folderWith(t, { [credentialFileNames.certificatePem]: certificatePem });
  await assert.rejects(readClaimFolder(files, only), { code: "CREDENTIAL_MISSING", message: /has no privateKey/ });
  for (const text of ["{", "[]", '{"templateName":1}', '{"templateName":"fleet","expiresAt":"soon"}']) {
    const folder = await folderWith(t, { ...pair, [claimFactsName]: text });
    await assert.rejects(readClaimFolder(files, folder), { code: "CREDENTIAL_FILE_INVALID" });
  }
});
