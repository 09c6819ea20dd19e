import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { parseCertificates, parsePrivateKey, pemCharactersMax } from "@thingline/protocol/x509";
import type { Files, Keys } from "@thingline/transport";
import { readCertificateFacts } from "../../policy/certificate-facts.js";
import type { CertificateWithKey } from "./certificate-with-key.js";

/** A certificate and its key in two files of a data directory. */
export interface PairFiles {
  certificatePath: string;
  keyPath: string;
  /** It signs others: its key has a form that we can sign with. */
  isCa: boolean;
  /** What a person can do about a damaged one; a sentence. */
  advice: string;
}

export interface CertificatePair extends CertificateWithKey {
  subject: string;
  issuer: string;
  notBeforeMs: number;
  notAfterMs: number;
  der: Uint8Array;
}

/** The files of a data directory that have certificates and keys. */
export const pairFiles = {
  root: (folder: string): PairFiles => ({
    certificatePath: `${folder}/ca.pem`,
    keyPath: `${folder}/ca-key.pem`,
    isCa: true,
    advice:
      "Put ca.pem and ca-key.pem back from a copy of the directory. To go on with a new CA, which every device has to be given, " +
      "remove ca.pem, ca-key.pem and directory.json",
  }),
  server: (folder: string): PairFiles => ({
    certificatePath: `${folder}/server.pem`,
    keyPath: `${folder}/server-key.pem`,
    isCa: false,
    advice: "Remove server.pem and server-key.pem: the next start makes them anew",
  }),
  issuing: (folder: string): PairFiles => ({
    certificatePath: `${folder}/issuing-ca.pem`,
    keyPath: `${folder}/issuing-ca-key.pem`,
    isCa: true,
    advice:
      "Put issuing-ca.pem and issuing-ca-key.pem back from a copy of the directory. To go on with a new issuing CA remove them and " +
      "directory.json; certificates that were issued before stay good",
  }),
} as const;

/**
 * Reads a pair and makes sure that it can be used: sizes, PEM, kinds, and that the key is the certificate's.
 *
 * @returns undefined when there is no certificate. A key alone is what an interrupted start leaves.
 * @throws {ThinglineError} FILE_UNREADABLE, FILE_NOT_FOUND, FILE_TOO_LARGE, CERTIFICATE_INVALID, KEY_INVALID, KEY_MISMATCH, each naming
 * the file, what is wrong with it, and what to do.
 */
export async function readCertificatePair(
  { files, keys }: { files: Files; keys: Pick<Keys, "publicKeyOf"> },
  pair: PairFiles,
): Promise<CertificatePair | undefined> {
  if (!(await files.exists(pair.certificatePath))) return undefined;
  try {
    return await read(files, keys, pair);
  } catch (error) {
    if (!isThinglineError(error)) throw error;
    const path = error.message.includes(named(pair.keyPath)) ? pair.keyPath : pair.certificatePath;
    const details = { path, ...error.details };
    throw new ThinglineError(error.code, `${error.message}. ${pair.advice}`, { details, cause: error });
  }
}

async function read(files: Files, keys: Pick<Keys, "publicKeyOf">, pair: PairFiles): Promise<CertificatePair> {
  const { certificatePath, keyPath, isCa } = pair;
  const [certificate] = parseCertificates(
    await files.read(certificatePath, { bytesMax: pemCharactersMax }),
    named(certificatePath),
  );
  const invalid = (reason: string) =>
    new ThinglineError("CERTIFICATE_INVALID", `${named(certificatePath)} ${reason}`, {
      details: { path: certificatePath },
    });
  const facts = await inFile(certificatePath, () => readCertificateFacts(certificate.der));
  if (facts.isCa !== isCa) {
    throw invalid(
      isCa
        ? "is the certificate of a server or device, expected that of a CA"
        : "is a CA, expected the certificate of a server",
    );
  }
  const key = parsePrivateKey(await files.read(keyPath, { bytesMax: pemCharactersMax }), named(keyPath));
  const canSign =
    (key.format === "pkcs1" && key.algorithm === "rsa") || (key.format === "sec1" && key.algorithm === "ec-p256");
  if (isCa && !canSign) {
    const message = `${named(keyPath)} must be an "RSA PRIVATE KEY" or an "EC PRIVATE KEY" on P-256`;
    throw new ThinglineError("KEY_INVALID", message, { details: { path: keyPath } });
  }
  const publicKey = await inFile(keyPath, () => keys.publicKeyOf(key.pem));
  if (!isEqual(publicKey, certificate.publicKey)) {
    const message = `${named(keyPath)} is not the key of ${named(certificatePath)}`;
    throw new ThinglineError("KEY_MISMATCH", message, { details: { path: keyPath, certificatePath } });
  }
  return {
    certificatePem: certificate.pem,
    privateKeyPem: key.pem,
    subject: certificate.subject,
    issuer: certificate.issuer,
    notBeforeMs: certificate.notBefore * 1000,
    notAfterMs: certificate.notAfter * 1000,
    der: certificate.der,
  };
}

/** What other parsers say, with the file in front. */
async function inFile<Result>(path: string, run: () => Result | Promise<Result>): Promise<Result> {
  try {
    return await run();
  } catch (error) {
    if (!isThinglineError(error)) throw error;
    throw new ThinglineError(error.code, `${named(path)}: ${error.message}`, { details: { path }, cause: error });
  }
}

const named = (path: string) => `"${path}"`;

const isEqual = (a: Uint8Array, b: Uint8Array) => a.length === b.length && a.every((byte, at) => byte === b[at]);

/**
 * A certificate that cannot be used now.
 *
 * @throws {ThinglineError} CERTIFICATE_INVALID
 */
export function requireValidNow({ notBeforeMs, notAfterMs }: CertificatePair, pair: PairFiles, nowMs: number): void {
  const day = (ms: number) => new Date(ms).toISOString().slice(0, 10);
  if (nowMs >= notBeforeMs && nowMs <= notAfterMs) return;
  const reason = nowMs < notBeforeMs ? `is valid from ${day(notBeforeMs)} only` : `was valid until ${day(notAfterMs)}`;
  const message = `${named(pair.certificatePath)} ${reason}, and the clock says ${day(nowMs)}. Is the clock right? ${pair.advice}`;
  throw new ThinglineError("CERTIFICATE_INVALID", message, { details: { path: pair.certificatePath } });
}
