import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { makeTestCertificate } from "@thingline/transport/contract";
import type { TestCertificate } from "@thingline/transport/contract";
import { createNodeClock, createNodeFiles, createNodeKeys } from "@thingline/transport/node";
import type { ServerCertificateIssuer } from "../services/registry/server-certificates.js";
import { alwaysNames, openServerIdentity, renewalDays, rootDays, serverDays } from "./server-identity.js";

const dayMs = 86_400_000;
const keys = createNodeKeys();
const files = createNodeFiles();

async function world(context: { after(callback: () => Promise<void>): void }) {
  const folder = await mkdtemp(join(tmpdir(), "thingline-identity-"));
  context.after(() => rm(folder, { recursive: true }));
  const made: string[] = [];
  let nowMs = Date.parse("2026-01-01T00:00:00Z");
  let serial = 0;
  const roots = new Map<string, TestCertificate>();
  const issuer: ServerCertificateIssuer = {
    async createRoot({ notBeforeMs, notAfterMs }) {
      made.push("root");
      const validity = { notBefore: new Date(notBeforeMs), notAfter: new Date(notAfterMs) };
      const root = await makeTestCertificate(keys, { commonName: "root", isCa: true, serial: ++serial, ...validity });
      roots.set(root.certificatePem, root);
      return root;
    },
    async createServer({ root, names, notBeforeMs, notAfterMs }) {
      made.push("server");
      const validity = { notBefore: new Date(notBeforeMs), notAfter: new Date(notAfterMs) };
      const issuedBy = roots.get(root.certificatePem);
      assert.ok(issuedBy);
      return makeTestCertificate(keys, {
        commonName: "localhost",
        issuer: issuedBy,
        hosts: names,
        serial: ++serial,
        ...validity,
      });
    },
  };
  const open = (extraNames: readonly string[] = []) =>
    openServerIdentity({
      files,
      keys,
      clock: { ...createNodeClock(), unixMs: () => nowMs },
      folder,
      extraNames,
      loadIssuer: async () => issuer,
    });
  return { folder, made, open, passDays: (days: number) => (nowMs += days * dayMs) };
}

test("root and server certificate are made on the first start and used again on the second", async (context) => {
  const { open, made } = await world(context);
  const first = await open();
  assert.deepEqual(made, ["root", "server"]);
  const server = new X509Certificate(first.certificate);
  assert.ok(server.verify(new X509Certificate(first.caPem).publicKey));
  for (const name of alwaysNames) assert.ok(name === "localhost" ? server.checkHost(name) : server.checkIP(name), name);
  assert.deepEqual(first.made, ["root", "server"]);
  assert.deepEqual(await open(), { ...first, made: [] });
  assert.deepEqual(made, ["root", "server"]);
});

test("keys are for their owner alone, the CA is for everybody", async (context) => {
  const { open, folder } = await world(context);
  await open();
  const mode = async (name: string) => ((await stat(join(folder, name))).mode & 0o777).toString(8);
  assert.equal(await mode("ca.pem"), "644");
  assert.equal(await mode("ca-key.pem"), "600");
  assert.equal(await mode("server-key.pem"), "600");
});

test("a further name makes a new server certificate under the same root", async (context) => {
  const { open, made } = await world(context);
  const first = await open();
  const second = await open(["cloud.example", "10.0.0.7", "FE80::0:1"]);
  assert.deepEqual(made, ["root", "server", "server"]);
  assert.equal(second.caPem, first.caPem);
  assert.ok(new X509Certificate(second.certificate).checkHost("cloud.example"));
  assert.deepEqual(await open(["10.0.0.7"]), { ...second, made: [] });
});

test("a server certificate is made anew before it expires, the root stays", async (context) => {
  const { open, made, passDays } = await world(context);
  const first = await open();
  passDays(serverDays - renewalDays - 1);
  await open();
  assert.equal(made.length, 2);
  passDays(2);
  const second = await open();
  assert.deepEqual(made, ["root", "server", "server"]);
  assert.equal(second.caPem, first.caPem);
});

test("a root that would not outlive its server certificate is made anew, and the server certificate with it", async (context) => {
  const { open, made, passDays } = await world(context);
  await open();
  passDays(rootDays - serverDays + 1);
  await open();
  assert.deepEqual(made, ["root", "server", "root", "server"]);
});

test("a root without its key is an error: devices trust it, and another is not made without a word", async (context) => {
  const { open, made, folder } = await world(context);
  await open();
  await files.remove(join(folder, "ca-key.pem"));
  await assert.rejects(
    open(),
    (error) => isThinglineError(error, "FILE_NOT_FOUND") && /ca-key\.pem/.test(error.message),
  );
  assert.deepEqual(made, ["root", "server"]);
});

test("a root of which only the key was written is made anew", async (context) => {
  const { open, made, folder } = await world(context);
  await open();
  await files.remove(join(folder, "ca.pem"));
  await open();
  assert.deepEqual(made, ["root", "server", "root", "server"]);
});

test("a file that is no certificate is an error and is not overwritten", async (context) => {
  const { open, folder } = await world(context);
  await open();
  await files.replace(join(folder, "ca.pem"), new TextEncoder().encode("mine"));
  await assert.rejects(open(), (error) => isThinglineError(error, "CERTIFICATE_INVALID"));
  assert.equal(new TextDecoder().decode(await files.read(join(folder, "ca.pem"), { bytesMax: 1000 })), "mine");
});
