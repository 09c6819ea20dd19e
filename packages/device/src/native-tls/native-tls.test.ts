import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorCode, isThinglineError } from "@thingline/protocol";
import { createConnectionPair, type Connection, type Dialer, type DialTarget } from "@thingline/transport";
import { makeTestCertificates } from "@thingline/transport/contract";
import { createNodeKeys } from "@thingline/transport/node";
import { createVirtualClock, createVirtualFiles } from "@thingline/transport/virtual";
import { tlsSessionsMax } from "../connection/tls-sessions.js";
import { createNativeTlsDialer } from "./dialer.js";
import { loadNativeTlsCredentials } from "./load.js";
import {
  createNativeCredentialStore,
  nativeCredentialBytesMax,
  nativeSecTagsMax,
  type NativeCredentialStore,
} from "./store.js";

const keys = createNodeKeys();
const pki = await makeTestCertificates(keys);
const fails =
  (code: ErrorCode, text = /./u) =>
  (error: unknown) =>
    isThinglineError(error, code) && text.test(error.message);

async function fill(store: NativeCredentialStore, secTag: number, client = pki.client): Promise<void> {
  await store.write(secTag, "ca", pki.ca.certificatePem);
  await store.write(secTag, "certificate", client.certificatePem);
  await store.write(secTag, "privateKey", client.privateKeyPem);
}

for (const kind of ["in memory", "in a folder"] as const) {
  const open = (files = createVirtualFiles()) => {
    return createNativeCredentialStore(kind === "in memory" ? { keys } : { keys, files, folder: "data/credentials" });
  };

  test(`credentials ${kind} are written, listed, compared and deleted`, async () => {
    const store = open();
    await fill(store, 43);
    await store.write(7, "psk", "00ff");
    assert.deepEqual(
      (await store.list()).map(({ secTag, type }) => [secTag, type]),
      [
        [7, "psk"],
        [43, "ca"],
        [43, "certificate"],
        [43, "privateKey"],
      ],
    );
    assert.equal(await store.read(43, "ca"), pki.ca.certificatePem);
    assert.equal(await store.read(44, "ca"), undefined);
    assert.ok(await store.compare(43, "privateKey", pki.client.privateKeyPem));
    assert.ok(!(await store.compare(43, "privateKey", pki.otherClient.privateKeyPem)));
    assert.match((await store.digest(43, "certificate")) ?? "", /^[0-9a-f]{64}$/u);
    await store.delete(43, "ca");
    await store.delete(43, "ca");
    assert.ok(!(await store.exists(43, "ca")));
    assert.equal((await store.list()).length, 3);
  });

  test(`secrets ${kind} are not read back, and useless content is refused`, async () => {
    const store = open();
    await fill(store, 43);
    await assert.rejects(store.read(43, "privateKey"), fails("CREDENTIAL_REFUSED"));
    await assert.rejects(store.write(43, "ca", ""), fails("CREDENTIAL_REFUSED", /empty/));
    await assert.rejects(store.write(43, "ca", "hello"), fails("CREDENTIAL_REFUSED", /not a PEM/));
    await assert.rejects(
      store.write(43, "privateKey", pki.ca.certificatePem),
      fails("CREDENTIAL_REFUSED", /must be one of/),
    );
    const large = "x".repeat(nativeCredentialBytesMax);
    await store.write(43, "psk", large);
    await assert.rejects(store.write(43, "psk", `${large}x`), fails("CREDENTIAL_REFUSED", /more than 16384/));
    await store.delete(43, "psk");
    for (const secTag of [-1, 1.5, 2 ** 31]) {
      await assert.rejects(store.write(secTag, "ca", pki.ca.certificatePem), fails("OPTION_INVALID"));
    }
    // A type is part of a file's name.
    for (const type of ["CA", "/../../other", undefined, 0] as never[]) {
      await assert.rejects(store.write(1, type, pki.ca.certificatePem), fails("OPTION_INVALID"));
      for (const call of ["digest", "read", "delete", "exists"] as const) {
        await assert.rejects(store[call](1, type), fails("OPTION_INVALID"));
      }
    }
    for (const content of [undefined, null, 5, {}] as never[]) {
      await assert.rejects(store.write(1, "ca", content), fails("OPTION_INVALID"));
      await assert.rejects(store.compare(1, "ca", content), fails("OPTION_INVALID"));
    }
    await store.write(43, "ca", new TextEncoder().encode(pki.ca.certificatePem) as never);
    assert.equal(await store.read(43, "ca"), pki.ca.certificatePem);
  });

  test(`an incomplete tag ${kind} or a key that does not fit is told before any handshake`, async () => {
    const store = open();
    await store.write(50, "privateKey", pki.client.privateKeyPem);
    await assert.rejects(store.credentials(50), fails("CREDENTIAL_MISSING", /security tag 50 .* no ca, certificate/));
    await fill(store, 51);
    await store.write(51, "privateKey", pki.otherClient.privateKeyPem);
    await assert.rejects(store.credentials(51), fails("KEY_MISMATCH"));
  });
}

test("a folder keeps credentials over a restart, in files that only the owner may read", async () => {
  const files = createVirtualFiles();
  await fill(createNativeCredentialStore({ keys, files, folder: "data" }), 50);
  assert.deepEqual(Object.keys(files.snapshot()), [
    "data/.gitignore",
    "data/50-ca.pem",
    "data/50-certificate.pem",
    "data/50-privateKey.pem",
  ]);
  assert.equal(files.modeOf("data/50-privateKey.pem"), 0o600);
  const again = createNativeCredentialStore({ keys, files: files.restart(), folder: "data" });
  assert.equal((await again.credentials(50)).privateKey, pki.client.privateKeyPem);
  assert.throws(() => createNativeCredentialStore({ keys, folder: "data" }), fails("OPTION_INVALID"));
});

const certs = {
  "certs/ca-cert.pem": pki.ca.certificatePem.replaceAll("\n", "\r\n"),
  "certs/client-cert.pem": `subject: client\n${pki.client.certificatePem}`,
  "certs/private-key.pem": pki.client.privateKeyPem,
};

test("a file of the store that was damaged is named when it is needed, and not told as a lost connection", async () => {
  const damages: [name: string, content: string, code: ErrorCode][] = [
    ["50-ca.pem", "", "CERTIFICATE_INVALID"],
    ["50-certificate.pem", "\u0001\u00fe", "CERTIFICATE_INVALID"],
    ["50-certificate.pem", pki.client.privateKeyPem, "CERTIFICATE_INVALID"],
    ["50-privateKey.pem", "secret", "KEY_INVALID"],
    ["50-privateKey.pem", pki.ca.privateKeyPem, "KEY_MISMATCH"],
  ];
  for (const [name, content, code] of damages) {
    const files = createVirtualFiles();
    const store = createNativeCredentialStore({ keys, files, folder: "data" });
    await fill(store, 50);
    assert.ok(await files.exists(`data/${name}`), name);
    await files.replace(`data/${name}`, new TextEncoder().encode(content));
    await assert.rejects(store.credentials(50), fails(code, new RegExp(`data/${name.replace(".", "\\.")}`, "u")));
  }
});

test("the sample's three files are loaded under the configured tag, once", async () => {
  const store = createNativeCredentialStore({ keys });
  const options = { files: createVirtualFiles({ content: certs }), folder: "certs", store, secTag: 43, keys };
  await loadNativeTlsCredentials(options);
  const { ca, certificate, privateKey } = await store.credentials(43);
  assert.deepEqual(
    [ca, certificate, privateKey],
    [pki.ca.certificatePem, pki.client.certificatePem, pki.client.privateKeyPem],
  );
  const full = Object.assign(Object.create(store) as typeof store, { compare: async () => true, write: assert.fail });
  await loadNativeTlsCredentials({ ...options, store: full });
});

test("a file that is missing, no PEM or does not fit is named, and nothing is written", async () => {
  const cases: [change: Record<string, string | undefined>, code: ErrorCode, text: RegExp][] = [
    [{ "certs/ca-cert.pem": undefined }, "FILE_NOT_FOUND", /certs\/ca-cert\.pem is missing/],
    [{ "certs/private-key.pem": undefined }, "FILE_NOT_FOUND", /certs\/private-key\.pem is missing/],
    [{ "certs/client-cert.pem": "" }, "CERTIFICATE_INVALID", /certs\/client-cert\.pem is not a PEM: it is empty/],
    [{ "certs/private-key.pem": "secret" }, "KEY_INVALID", /certs\/private-key\.pem is not a PEM/],
    [{ "certs/private-key.pem": pki.ca.privateKeyPem }, "KEY_MISMATCH", /private-key\.pem and certs\/client-cert\.pem/],
  ];
  for (const [change, code, text] of cases) {
    const entries = Object.entries({ ...certs, ...change }).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    );
    const store = createNativeCredentialStore({ keys });
    const files = createVirtualFiles({ content: Object.fromEntries(entries) });
    await assert.rejects(
      loadNativeTlsCredentials({ files, folder: "certs", store, secTag: 43, keys }),
      fails(code, text),
    );
    assert.deepEqual(await store.list(), []);
  }
});

/** A dialer that remembers what it was asked for, and hands out a session each time. */
function recordingDialer(): Dialer & { targets: DialTarget[] } {
  const targets: DialTarget[] = [];
  const dial = async (target: DialTarget): Promise<Connection> => {
    targets.push(target);
    target.tls?.onSession?.(Uint8Array.of(targets.length));
    return createConnectionPair({ clock: createVirtualClock() }).near;
  };
  return { targets, dial };
}

test("sessions are resumed only for the same endpoint and the same credentials, and only when asked for", async () => {
  const store = createNativeCredentialStore({ keys });
  await fill(store, 43);
  await fill(store, 50, pki.otherClient);
  const dialer = recordingDialer();
  const native = createNativeTlsDialer({ dialer, store });
  const sessionOf = async (target: object) => {
    await native.dial({ host: "a", port: 8883, secTag: 43, handshake: "resume", ...target });
    return dialer.targets.at(-1)?.tls?.session?.[0];
  };
  assert.equal(await sessionOf({}), undefined);
  assert.equal(await sessionOf({}), 1);
  assert.equal(await sessionOf({ handshake: "full" }), undefined);
  assert.equal(await sessionOf({ handshake: undefined }), undefined);
  assert.equal(await sessionOf({ secTag: 50 }), undefined);
  assert.equal(await sessionOf({ port: 8884 }), undefined);
  assert.equal(await sessionOf({ serverName: "b" }), undefined);
  assert.equal(await sessionOf({}), 2);
  // The tag is the same, what is in it is not.
  await fill(store, 43, pki.otherClient);
  assert.equal(await sessionOf({}), 5, "the same credentials under another tag are the same credentials");
  await store.write(43, "ca", pki.selfSigned.certificatePem);
  assert.equal(await sessionOf({}), undefined);
  for (let port = 1; port < tlsSessionsMax; port++) await sessionOf({ port });
  assert.notEqual(await sessionOf({}), undefined);
  for (let port = 1; port <= tlsSessionsMax; port++) await sessionOf({ port });
  assert.equal(await sessionOf({}), undefined);
});

test("a store takes nativeSecTagsMax security tags, and none more", async () => {
  const store = createNativeCredentialStore({ keys });
  for (let secTag = 0; secTag < nativeSecTagsMax; secTag++) await store.write(secTag, "psk", "abcd");
  await assert.rejects(store.write(nativeSecTagsMax, "psk", "abcd"), fails("CREDENTIAL_REFUSED", /100 security tags/));
  await store.write(0, "pskIdentity", "x");
  await store.delete(1, "psk");
  await store.write(nativeSecTagsMax, "psk", "abcd");
});

test("the dialer hands on what it was given and nothing else", async () => {
  const store = createNativeCredentialStore({ keys });
  await fill(store, 43);
  const dialer = recordingDialer();
  const onRecord = () => undefined;
  const native = createNativeTlsDialer({ dialer, store, receivedRecordBytesMax: 5120, onRecord });
  assert.equal(native.name, "native TLS");
  await native.dial({
    host: "::1",
    port: 1,
    secTag: 43,
    serverName: "s",
    alpnProtocols: ["x"],
    connectTimeoutMs: 5,
    family: 6,
  });
  const { certificatePem: certificate, privateKeyPem: privateKey } = pki.client;
  const tls = { ca: pki.ca.certificatePem, certificate, privateKey, serverName: "s", alpnProtocols: ["x"] };
  assert.deepEqual(dialer.targets, [
    { host: "::1", port: 1, connectTimeoutMs: 5, family: 6, tls: { ...tls, receivedRecordBytesMax: 5120, onRecord } },
  ]);
  await assert.rejects(native.dial({ host: "a", port: 1, secTag: 9 }), fails("CREDENTIAL_MISSING"));
});
