import { parseCertificates } from "@thingline/protocol/x509";
import type { Clock, Files } from "@thingline/transport";
import { readCertificateFacts } from "../policy/certificate-facts.js";
import type { CertificateFacts } from "../policy/certificate-facts.js";
import type { ServerCertificateIssuer } from "../services/registry/server-certificates.js";
import type { CertificateWithKey } from "../services/registry/x509-writer.js";

export interface ServerIdentityOptions {
  files: Files;
  clock: Clock;
  /** Where the files are kept: `ca.pem`, `ca-key.pem`, `server.pem`, `server-key.pem`. */
  folder: string;
  /** Further DNS names and IP addresses besides {@link alwaysNames}. */
  extraNames: readonly string[];
  /** Asked only when something has to be made. */
  loadIssuer(): Promise<ServerCertificateIssuer>;
}

export interface ServerIdentity {
  /** What clients have to trust. */
  caPem: string;
  caFile: string;
  certificate: string;
  privateKey: string;
  /** What was made now: clients have to be given a new root. */
  made: readonly ("root" | "server")[];
}

export const alwaysNames = ["localhost", "127.0.0.1", "::1"] as const;
/** Roots live long: every device that trusts one would have to be told. */
export const rootDays = 20 * 365;
/** Short enough for clients that refuse longer ones. */
export const serverDays = 397;
/** A server certificate is made anew when it has less than this left. */
export const renewalDays = 30;

const dayMs = 24 * 60 * 60 * 1000;
/** Devices have clocks that are behind. */
const backdatedMs = dayMs;

/**
 * The root CA and server certificate of a data folder: made on the first start, used again later. A root is only
 * made anew when it is gone or about to expire, because clients have it in their trust stores.
 *
 * @throws {ThinglineError} FILE_UNREADABLE, CERTIFICATE_INVALID when somebody else wrote the files.
 */
export async function openServerIdentity(options: ServerIdentityOptions): Promise<ServerIdentity> {
  const { files, clock, folder } = options;
  const nowMs = clock.unixMs();
  const path = (name: string) => `${folder}/${name}`;
  const names = [...new Set([...alwaysNames, ...options.extraNames])];

  const made: ("root" | "server")[] = [];
  let root = await readPair(files, path("ca.pem"), path("ca-key.pem"));
  if (root === undefined || remainingDays(root, nowMs) < serverDays) {
    const issuer = await options.loadIssuer();
    root = await issuer.createRoot({ notBeforeMs: nowMs - backdatedMs, notAfterMs: nowMs + rootDays * dayMs });
    await writePair(files, path("ca.pem"), path("ca-key.pem"), root);
    made.push("root");
    // It was signed by the root before.
    await files.remove(path("server.pem"));
  }
  let server = await readPair(files, path("server.pem"), path("server-key.pem"));
  if (server === undefined || remainingDays(server, nowMs) < renewalDays || !covers(server, names)) {
    const issuer = await options.loadIssuer();
    server = await issuer.createServer({
      root,
      names,
      notBeforeMs: nowMs - backdatedMs,
      notAfterMs: nowMs + serverDays * dayMs,
    });
    await writePair(files, path("server.pem"), path("server-key.pem"), server);
    made.push("server");
  }
  return {
    caPem: root.certificatePem,
    caFile: path("ca.pem"),
    certificate: server.certificatePem,
    privateKey: server.privateKeyPem,
    made,
  };
}

async function readPair(files: Files, certificate: string, key: string): Promise<CertificateWithKey | undefined> {
  if (!(await files.exists(certificate)) || !(await files.exists(key))) return undefined;
  const [certificatePem, privateKeyPem] = await Promise.all([files.read(certificate), files.read(key)]);
  const decoder = new TextDecoder();
  return { certificatePem: decoder.decode(certificatePem), privateKeyPem: decoder.decode(privateKeyPem) };
}

/** The key first: a certificate without its key would be taken for a pair that somebody tore apart. */
async function writePair(files: Files, certificate: string, key: string, pair: CertificateWithKey): Promise<void> {
  const encoder = new TextEncoder();
  await files.remove(certificate);
  await files.replace(key, encoder.encode(pair.privateKeyPem), { mode: 0o600 });
  await files.replace(certificate, encoder.encode(pair.certificatePem), { mode: 0o644 });
}

function remainingDays({ certificatePem }: CertificateWithKey, nowMs: number): number {
  return (readFacts(certificatePem).notAfterMs - nowMs) / dayMs;
}

function covers({ certificatePem }: CertificateWithKey, names: readonly string[]): boolean {
  const { subjectAlternativeNames } = readFacts(certificatePem);
  const present = new Set([
    ...(subjectAlternativeNames.get("DNSName") ?? []),
    ...(subjectAlternativeNames.get("IPAddress") ?? []).map(shortenAddress),
  ]);
  return names.every((name) => present.has(shortenAddress(name)));
}

/** `0:0:0:0:0:0:0:1` and `::1` are one address. */
function shortenAddress(name: string): string {
  return /^[0-9a-f:]+$/i.test(name) && name.includes(":") ? new URL(`http://[${name}]`).hostname.slice(1, -1) : name;
}

/** @throws {ThinglineError} CERTIFICATE_INVALID */
function readFacts(certificatePem: string): CertificateFacts {
  const [{ der }] = parseCertificates(certificatePem, "the certificate in the data folder");
  return readCertificateFacts(der);
}
