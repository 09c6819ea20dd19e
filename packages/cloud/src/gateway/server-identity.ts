import { ThinglineError } from "@thingline/protocol";
import { parseCertificates } from "@thingline/protocol/x509";
import type { Clock, Files, Keys } from "@thingline/transport";
import { readCertificateFacts } from "../policy/certificate-facts.js";
import type { CertificateFacts } from "../policy/certificate-facts.js";
import { pairFiles, readCertificatePair, requireValidNow } from "../services/registry/certificate-files.js";
import type { CertificatePair, PairFiles } from "../services/registry/certificate-files.js";
import type { ServerCertificateIssuer } from "../services/registry/server-certificates.js";
import type { CertificateWithKey } from "../services/registry/certificate-with-key.js";

export interface ServerIdentityOptions {
  files: Files;
  keys: Pick<Keys, "publicKeyOf">;
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
 * @throws {ThinglineError} what {@link readRoot} and {@link readServer} throw: a damaged file is named and left alone.
 */
export async function openServerIdentity(options: ServerIdentityOptions): Promise<ServerIdentity> {
  const { files, clock, folder } = options;
  const nowMs = clock.unixMs();
  const path = (name: string) => `${folder}/${name}`;
  const names = [...new Set([...alwaysNames, ...options.extraNames])];

  const made: ("root" | "server")[] = [];
  const rootFiles = pairFiles.root(folder);
  let root: CertificateWithKey | undefined = await readRoot(options);
  if (root === undefined || remainingDays(root, nowMs) < serverDays) {
    const issuer = await options.loadIssuer();
    root = await issuer.createRoot({ notBeforeMs: nowMs - backdatedMs, notAfterMs: nowMs + rootDays * dayMs });
    await writePair(files, rootFiles, root);
    made.push("root");
    // It was signed by the root before.
    await files.remove(path("server.pem"));
  }
  let server: CertificateWithKey | undefined = await readServer(options, root);
  if (server === undefined || remainingDays(server, nowMs) < renewalDays || !covers(server, names)) {
    const issuer = await options.loadIssuer();
    server = await issuer.createServer({
      root,
      names,
      notBeforeMs: nowMs - backdatedMs,
      notAfterMs: nowMs + serverDays * dayMs,
    });
    await writePair(files, pairFiles.server(folder), server);
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

/**
 * The root of a folder, if there is one. An expired one is as good as none: it is made anew.
 *
 * @throws {ThinglineError} what {@link readCertificatePair} throws; CERTIFICATE_INVALID when it is not yet valid.
 */
export async function readRoot(
  options: Pick<ServerIdentityOptions, "files" | "keys" | "clock" | "folder">,
): Promise<CertificatePair | undefined> {
  const rootFiles = pairFiles.root(options.folder);
  const root = await readCertificatePair(options, rootFiles);
  const nowMs = options.clock.unixMs();
  if (root !== undefined && nowMs < root.notBeforeMs) requireValidNow(root, rootFiles, nowMs);
  return root;
}

/**
 * The server certificate of a folder, if there is a whole one.
 *
 * @throws {ThinglineError} what {@link readCertificatePair} throws; CERTIFICATE_INVALID when another CA signed it.
 */
export async function readServer(
  { files, keys, folder }: Pick<ServerIdentityOptions, "files" | "keys" | "folder">,
  root: CertificateWithKey,
): Promise<CertificatePair | undefined> {
  const serverFiles = pairFiles.server(folder);
  // The certificate is made anew when it is gone; the key alone is what is left of that.
  if (!(await files.exists(serverFiles.keyPath))) return undefined;
  const server = await readCertificatePair({ files, keys }, serverFiles);
  if (server === undefined) return undefined;
  const [{ subject }] = parseCertificates(root.certificatePem);
  if (server.issuer === subject) return server;
  const message = `"${serverFiles.certificatePath}" was signed by "${server.issuer}", and the CA of this directory is "${subject}". ${serverFiles.advice}`;
  throw new ThinglineError("CERTIFICATE_INVALID", message, { details: { path: serverFiles.certificatePath } });
}

/**
 * A certificate for one more name, by the root of the folder. It is kept nowhere: clients trust the root.
 *
 * @throws {ThinglineError} what {@link readRoot} throws; CERTIFICATE_INVALID when there is no root
 */
export async function issueServerCertificate(
  options: Pick<ServerIdentityOptions, "files" | "keys" | "clock" | "folder">,
  name: string,
  loadIssuer: () => Promise<ServerCertificateIssuer>,
): Promise<{ certificate: string; privateKey: string }> {
  const root = await readRoot(options);
  if (root === undefined)
    throw new ThinglineError("CERTIFICATE_INVALID", "the CA of the cloud is gone from its folder");
  const nowMs = options.clock.unixMs();
  const { certificatePem, privateKeyPem } = await (
    await loadIssuer()
  ).createServer({ root, names: [name], notBeforeMs: nowMs - backdatedMs, notAfterMs: nowMs + serverDays * dayMs });
  return { certificate: certificatePem, privateKey: privateKeyPem };
}

/** The key first: a certificate without its key would be taken for a pair that somebody tore apart. */
async function writePair(
  files: Files,
  { certificatePath, keyPath }: PairFiles,
  pair: CertificateWithKey,
): Promise<void> {
  const encoder = new TextEncoder();
  await files.remove(certificatePath);
  await files.replace(keyPath, encoder.encode(pair.privateKeyPem), { mode: 0o600 });
  await files.replace(certificatePath, encoder.encode(pair.certificatePem), { mode: 0o644 });
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
