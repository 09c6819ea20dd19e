import assert from "node:assert/strict";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { X509Certificate } from "node:crypto";
import { createNodeClock, createNodeFiles, createNodeKeys, createNodeRandom } from "@thingline/transport/node";
import {
  authorityFileNames,
  createAuthority,
  readAuthority,
  signCertificate,
  writeAuthority,
  type Authority,
} from "./authority.js";

const files = createNodeFiles();
const tools = { keys: createNodeKeys(), random: createNodeRandom(), clock: createNodeClock() };

async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "thingline-ca-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return join(folder, "ca");
}

const make = (commonName: string): Promise<Authority> =>
  createAuthority(tools, {
    ...{ subject: [["CN", commonName]], days: 10, keyKind: "ec-p256" },
  });

test("a CA signs certificates that another implementation takes", async () => {
  const authority = await make("Acme devices");
  const { privateKeyPem } = await tools.keys.generate("ec-p256");
  const publicKey = tools.keys.publicKeyOf(privateKeyPem);
  const pem = await signCertificate(tools, authority, { subject: [["CN", "SN-1"]], publicKey, days: 5 });
  const [ca, leaf] = [new X509Certificate(authority.certificatePem), new X509Certificate(pem)];
  assert.equal(ca.ca, true);
  assert.equal(leaf.ca, false);
  assert.equal(leaf.subject, "CN=SN-1");
  assert.equal(leaf.checkIssued(ca), true);
  assert.equal(leaf.verify(ca.publicKey), true);
  assert.equal(ca.verify(ca.publicKey), true);
  assert.ok(Date.parse(leaf.validTo) - Date.now() > 4.9 * 86_400_000);
});

test("a CA's key is for its owner alone, is never written over, and has to belong to its certificate", async (t) => {
  const folder = await folderFor(t);
  const authority = await make("One");
  await writeAuthority(files, folder, authority);
  assert.equal((await stat(join(folder, authorityFileNames.privateKeyPem))).mode & 0o777, 0o600);
  assert.deepEqual(await readAuthority(files, tools.keys, folder), authority);
  const other = await make("Two");
  await assert.rejects(writeAuthority(files, folder, other), { code: "FILE_EXISTS" });
  const path = join(folder, authorityFileNames.certificatePem);
  await files.replace(path, new TextEncoder().encode(other.certificatePem));
  await assert.rejects(readAuthority(files, tools.keys, folder), { code: "KEY_MISMATCH" });
});
