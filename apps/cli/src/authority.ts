import { join } from "node:path";
import { ThinglineError } from "@thingline/protocol";
import {
  createCertificate,
  parseCertificateRequest,
  parseCertificates,
  readCertificateSignature,
  readRequestSignature,
  requireCa,
  type DistinguishedName,
} from "@thingline/protocol/x509";
import { makePrivateFolder, type Clock, type Files, type KeyKind, type Keys, type Random } from "@thingline/transport";
import { credentialFileBytesMax } from "./credentials-folder.js";
import { readTextFile } from "./text-file.js";

/** A CA of one's own: what it signs is a device's certificate. */
export interface Authority {
  certificatePem: string;
  privateKeyPem: string;
}

export const authorityFileNames = { certificatePem: "ca.pem", privateKeyPem: "ca-key.pem" } as const;

export interface AuthorityTools {
  keys: Keys;
  random: Random;
  clock: Clock;
}

const daySeconds = 86_400;
/** Clocks differ. */
const notBeforeSeconds = 300;

function validity(clock: Clock, days: number) {
  const now = Math.floor(clock.unixMs() / 1000);
  return { notBefore: now - notBeforeSeconds, notAfter: now + days * daySeconds };
}

/** 16 bytes, positive. */
function serialNumber(random: Random): Uint8Array {
  const bytes = random.bytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes;
}

export async function createAuthority(
  { keys, random, clock }: AuthorityTools,
  options: { subject: DistinguishedName; days: number; keyKind: KeyKind },
): Promise<Authority> {
  const { privateKeyPem } = await keys.generate(options.keyKind);
  const { pem } = await createCertificate({
    ...{ subject: options.subject, publicKey: keys.publicKeyOf(privateKeyPem), isCa: true },
    ...{ serialNumber: serialNumber(random), ...validity(clock, options.days) },
    sha256: (data) => keys.sha256(data),
    sign: (data) => keys.sign(privateKeyPem, data),
  });
  return { certificatePem: pem, privateKeyPem };
}

/** A certificate of a key, signed by the CA. */
export async function signCertificate(
  { keys, random, clock }: AuthorityTools,
  authority: Authority,
  /** The subject of a request is its DER. */
  options: { subject: DistinguishedName | Uint8Array; publicKey: Uint8Array; days: number },
): Promise<string> {
  const [ca] = parseCertificates(authority.certificatePem, "the CA");
  const { pem } = await createCertificate({
    ...{ subject: options.subject, publicKey: options.publicKey },
    issuer: {
      name: readCertificateSignature(ca.der, "the CA").subjectName,
      publicKey: keys.certificatePublicKey(authority.certificatePem),
    },
    ...{ serialNumber: serialNumber(random), ...validity(clock, options.days) },
    sha256: (data) => keys.sha256(data),
    sign: (data) => keys.sign(authority.privateKeyPem, data),
  });
  return pem;
}

/** @throws {ThinglineError} FILE_EXISTS: a CA's key that is written over is lost, and with it all that it would have signed. */
export async function writeAuthority(files: Files, folder: string, authority: Authority): Promise<void> {
  for (const name of Object.values(authorityFileNames)) {
    const file = join(folder, name);
    if (!(await files.exists(file))) continue;
    throw new ThinglineError("FILE_EXISTS", `${file} is already there; choose another folder`, { details: { file } });
  }
  await makePrivateFolder(files, folder);
  const encode = (text: string) => new TextEncoder().encode(text);
  await files.replace(join(folder, authorityFileNames.privateKeyPem), encode(authority.privateKeyPem));
  const path = join(folder, authorityFileNames.certificatePem);
  await files.replace(path, encode(authority.certificatePem), { mode: 0o644 });
}

/**
 * Reads a CA, and sees that it is one.
 *
 * @throws {ThinglineError} FILE_NOT_FOUND, CERTIFICATE_INVALID, KEY_MISMATCH.
 */
export async function readAuthority(files: Files, keys: Keys, folder: string): Promise<Authority> {
  const certificatePem = await readAuthorityCertificate(files, folder);
  const keyFile = join(folder, authorityFileNames.privateKeyPem);
  const privateKeyPem = await readTextFile(files, keyFile, { bytesMax: credentialFileBytesMax });
  const own = keys.publicKeyOf(privateKeyPem);
  const certified = keys.certificatePublicKey(certificatePem);
  if (own.length === certified.length && own.every((byte, at) => byte === certified[at])) {
    return { certificatePem, privateKeyPem };
  }
  const message = `the private key in ${folder} does not belong to its CA certificate`;
  throw new ThinglineError("KEY_MISMATCH", message, { details: { folder } });
}

/**
 * The certificate alone, of a CA whose key is somewhere else.
 *
 * @param place its folder, or the file itself
 * @throws {ThinglineError} FILE_NOT_FOUND, CERTIFICATE_INVALID
 */
export async function readAuthorityCertificate(files: Files, place: string): Promise<string> {
  const name = /\.(?:pem|crt|cer)$/u.test(place) ? place : join(place, authorityFileNames.certificatePem);
  const certificatePem = await readTextFile(files, name, { bytesMax: credentialFileBytesMax });
  requireCa(parseCertificates(certificatePem, name), name);
  return certificatePem;
}

/**
 * What a request asks for: whoever made it has the key that it names.
 *
 * @throws {ThinglineError} CERTIFICATE_INVALID
 */
export function readRequest(keys: Keys, pem: string, what: string): { subject: Uint8Array; publicKey: Uint8Array } {
  const { der, publicKey } = parseCertificateRequest(pem, what);
  const { algorithm, signed: data, signature, subjectName } = readRequestSignature(der, what);
  if (algorithm !== undefined && keys.verify({ publicKey, algorithm, data, signature })) {
    return { subject: subjectName, publicKey };
  }
  throw new ThinglineError("CERTIFICATE_INVALID", `${what} is not signed by the key that it names`);
}
