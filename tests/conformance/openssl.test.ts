// openssl judges the handshake and the certificates of `thingline cloud start`.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { UpdateCertificateCommand } from "@aws-sdk/client-iot";
import {
  missing,
  start,
  startLocalCloud,
  subtests,
  type LocalCloud,
  type ThingFiles,
} from "./local-cloud.test.support.js";

/** OpenSSL wants `version`, not `--version`; `missing` only asks whether it starts. */
const skip = missing("openssl", "openssl");

test("openssl s_client", { skip }, async (t) => {
  const check = subtests(t);
  const cloud = await startLocalCloud(t);
  const pump = await cloud.createThing("pump");

  for (const [host, verified] of [
    ["localhost", ["-verify_hostname", "localhost"]],
    ["127.0.0.1", ["-verify_ip", "127.0.0.1"]],
    ["[::1]", ["-verify_ip", "::1"]],
  ] as const) {
    await check(`the server's certificate verifies against ca.pem for ${host}`, async (t) => {
      const words = ["-verify_return_error", ...verified, "-CAfile", cloud.caFile];
      const { output } = await client(t, cloud, words, { host, thing: pump }).ended;
      assert.match(output, /Verification: OK/);
      if (host === "localhost") assert.match(output, /Verified peername: localhost/);
    });
  }

  await check("the server's certificate does not verify for another name", async (t) => {
    const words = ["-verify_return_error", "-verify_hostname", "example.com", "-CAfile", cloud.caFile];
    const { code, output } = await client(t, cloud, words, { thing: pump }).ended;
    assert.notEqual(code, 0);
    assert.match(output, /hostname mismatch/i);
  });

  for (const version of ["1.2", "1.3"]) {
    const tls = `-tls${version.replace(".", "_")}`;
    await check(`TLS ${version}: ALPN is negotiated, on both ports, and no CA is named`, async (t) => {
      for (const port of [cloud.port, cloud.httpsPort]) {
        const words = [tls, "-alpn", "x-amzn-mqtt-ca"];
        const { code, output } = await client(t, cloud, words, { thing: pump, port }).ended;
        assert.equal(code, 0, output);
        assert.match(output, /^ALPN protocol: x-amzn-mqtt-ca$/m);
        assert.match(output, /^No client certificate CA names sent$/m);
        assert.match(output, new RegExp(`New, TLSv${version}, Cipher is`));
      }
    });

    await check(`TLS ${version}: without a certificate the connection is closed before any MQTT`, async (t) => {
      const stranger = client(t, cloud, [tls], { input: undefined });
      await cloud.logLine("connectionRefused", "noCertificate");
      await closedByServer(stranger);
    });

    await check(`TLS ${version}: a certificate that the cloud does not know is refused before any MQTT`, async (t) => {
      const unknown = await selfSigned(t, cloud, `unknown-${version}`);
      const stranger = client(t, cloud, [tls], { thing: unknown, input: undefined });
      await cloud.logLine("connectionRefused", "certificateUnknown", unknown.certificateId);
      await closedByServer(stranger);
    });
  }

  for (const version of ["-tls1", "-tls1_1"]) {
    await check(`${version} is refused with an alert`, async (t) => {
      const old = [version, "-cipher", "ALL:@SECLEVEL=0"];
      const { code, output } = await client(t, cloud, old, { thing: pump }).ended;
      assert.notEqual(code, 0);
      assert.match(output, /alert protocol version/);
    });
  }

  await check("renegotiation is refused", async (t) => {
    // A line with R alone asks s_client to renegotiate.
    const { output } = await client(t, cloud, ["-tls1_2"], { thing: pump, input: "R\n" }).ended;
    assert.match(output, /^RENEGOTIATING$/m);
    assert.match(output, /no renegotiation/);
  });

  await check("a session is resumed, but not for a certificate that is no longer active", async (t) => {
    const valve = await cloud.createThing("valve");
    const versions = ["-tls1_2", "-tls1_3"];
    const resuming = (version: string) => [version, "-sess_in", join(cloud.folder, `session${version}`)];
    for (const version of versions) {
      // The server ends it, because like AWS it takes nothing before its CONNACK. So s_client stays for the ticket,
      // which TLS 1.3 sends after the handshake.
      const words = [version, "-sess_out", join(cloud.folder, `session${version}`), "-ign_eof"];
      const input = mqttConnect(`valve-${version}`) + mqttDisconnect;
      await client(t, cloud, words, { thing: valve, input }).ended;
      await cloud.logLine("protocolError", `valve-${version}`, "before CONNACK");
      assert.match((await client(t, cloud, resuming(version), { thing: valve }).ended).output, /^Reused, TLSv/m);
    }
    await cloud.iot.send(new UpdateCertificateCommand({ certificateId: valve.certificateId, newStatus: "INACTIVE" }));
    for (const version of versions) {
      const refused = client(t, cloud, resuming(version), { thing: valve, input: undefined });
      const { output } = await refused.ended;
      assert.match(output, /^Reused, TLSv/m);
      await cloud.logLine("connectionRefused", "certificateNotActive", valve.certificateId.slice(0, 10));
    }
  });
});

test("openssl x509: what CreateKeysAndCertificate issues looks as AWS's", { skip }, async (t) => {
  const cloud = await startLocalCloud(t);
  const beforeMs = Date.now();
  const pump = await cloud.createThing("pump");
  const printed = await openssl(t, "x509", "-in", pump.certificateFile, "-noout", "-text", "-nameopt", "RFC2253");
  assert.match(printed, /Version: 3 \(0x2\)/);
  assert.match(printed, /Signature Algorithm: sha256WithRSAEncryption/);
  assert.match(printed, /Issuer: OU=Amazon Web Services O=Amazon\.com Inc\. L=Seattle ST=Washington C=US\n/);
  assert.match(printed, /Subject: CN=AWS IoT Certificate\n/);
  assert.match(printed, /Not After : Dec 31 23:59:59 2049 GMT/);
  const notBeforeMs = Date.parse(/Not Before: (.*)/.exec(printed)?.[1] ?? "");
  assert.ok(notBeforeMs <= beforeMs && notBeforeMs > beforeMs - 10 * 60_000, printed);
  assert.match(printed, /Public-Key: \(2048 bit\)/);
  assert.match(printed, /Exponent: 65537/);
  const extensions = [...printed.matchAll(/X509v3 (?!extensions)([\w ]+): ?(critical)?\s*\n\s+(.+)/g)].map(
    ([, name, critical = "", value = ""]) =>
      `${name} ${critical} ${value.replace(/^(keyid:)?([0-9A-F]{2}:){19}[0-9A-F]{2}$/, "<20 bytes>")}`,
  );
  assert.deepEqual(extensions, [
    "Authority Key Identifier  <20 bytes>",
    "Subject Key Identifier  <20 bytes>",
    "Basic Constraints critical CA:FALSE",
    "Key Usage critical Digital Signature",
  ]);
  const fingerprint = await openssl(t, "x509", "-in", pump.certificateFile, "-noout", "-fingerprint", "-sha256");
  assert.equal(fingerprint.trim().split("=")[1]?.replaceAll(":", "").toLowerCase(), pump.certificateId);
  assert.match(await openssl(t, "rsa", "-in", pump.keyFile, "-check", "-noout"), /RSA key ok/);
  const [ofCertificate, ofKey] = await Promise.all([
    openssl(t, "x509", "-in", pump.certificateFile, "-noout", "-pubkey"),
    openssl(t, "pkey", "-in", pump.keyFile, "-pubout"),
  ]);
  assert.equal(ofCertificate, ofKey);
});

/** A whole MQTT 3.1.1 CONNECT. */
function mqttConnect(clientId: string): string {
  const length = String.fromCharCode(12 + clientId.length);
  return `\x10${length}\0\x04MQTT\x04\x02\0\x3c\0${String.fromCharCode(clientId.length)}${clientId}`;
}

const mqttDisconnect = "\xe0\0";

interface ClientOptions {
  host?: string;
  port?: number;
  thing?: Pick<ThingFiles, "certificateFile" | "keyFile">;
  /** What it sends before it closes. Undefined: it stays until the server closes. Default: nothing. */
  input?: string | undefined;
}

function client(t: TestContext, cloud: LocalCloud, words: readonly string[], options: ClientOptions = {}) {
  const { host = "localhost", port = cloud.port, thing } = options;
  const credentials = thing === undefined ? [] : ["-cert", thing.certificateFile, "-key", thing.keyFile];
  const all = ["s_client", "-connect", `${host}:${port}`, ...credentials, ...words];
  const input = "input" in options ? options.input : "";
  // With -ign_eof it does not stop at the end of its own input.
  return input === undefined
    ? start(t, "openssl", [...all, "-ign_eof"], { input: "" })
    : start(t, "openssl", all, { input });
}

/** It ends by itself because the server closed, and it never got a byte of MQTT. */
async function closedByServer({ ended }: ReturnType<typeof start>): Promise<void> {
  const { output } = await ended;
  assert.match(output, /New, TLSv1|alert/);
  assert.ok(!output.includes("\x20\x02\0"), "no CONNACK");
}

async function openssl(t: TestContext, ...words: string[]): Promise<string> {
  const { code, output } = await start(t, "openssl", words).ended;
  assert.equal(code, 0, output);
  return output;
}

/** A certificate that proves possession of its key and that nobody registered. `certificateId`: its first 16 digits. */
async function selfSigned(t: TestContext, cloud: LocalCloud, name: string) {
  const [certificateFile, keyFile] = ["pem", "key"].map((ending) => join(cloud.folder, `${name}.${ending}`)) as [
    string,
    string,
  ];
  const words = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=stranger"];
  await openssl(t, "req", "-x509", ...words, "-keyout", keyFile, "-out", certificateFile, "-days", "2");
  const fingerprint = await openssl(t, "x509", "-in", certificateFile, "-noout", "-fingerprint", "-sha256");
  const certificateId = fingerprint.trim().split("=")[1]?.replaceAll(":", "").toLowerCase().slice(0, 10) ?? "";
  return { certificateFile, keyFile, certificateId };
}
