import { ThinglineError, toHex } from "@thingline/protocol";
import {
  derElements,
  encodeName,
  encodePem,
  firstDerElement,
  parseCertificateRequest,
  parseCertificates,
  readCertificateSignature,
  readPublicKeyKind,
  readRequestSignature,
  type RequestSignature,
} from "@thingline/protocol/x509";
import type { Files, Keys, Random } from "@thingline/transport";
import { pairFiles, readCertificatePair, requireValidNow, type CertificatePair } from "./certificate-files.js";
import { writeDeviceCertificate } from "./certificate-writer.js";
import {
  certificateIdOf,
  decodeBody,
  importSigningKey,
  loadSigner,
  loadX509Library,
  randomSerialNumber,
  subjectKeyIdOf,
} from "./x509-writer.js";
import type { CertificateWithKey } from "./certificate-with-key.js";

export interface IssuedCertificate {
  certificateId: string;
  /** PEM, LF line ends, one at the end. */
  certificatePem: string;
  notBeforeMs: number;
  notAfterMs: number;
}

/** Issues device certificates, as AWS IoT does. */
export interface CertificateIssuer {
  /** For a key pair of the caller; the subject is `CN=AWS IoT Certificate`. */
  issueForKey(options: {
    publicKeyPem: string;
    nowMs: number;
    /** Default: when all others end. */
    notAfterMs?: number;
  }): Promise<IssuedCertificate>;
  /**
   * For a PKCS#10 request; keeps its subject.
   * @throws {ThinglineError} REQUEST_INVALID for what is no request, a wrong signature, or a key that AWS refuses.
   */
  issueForRequest(options: { certificateSigningRequest: string; nowMs: number }): Promise<IssuedCertificate>;
}

/** AWS's issuer is one OU attribute with this whole text. */
const issuerText = "Amazon Web Services O=Amazon.com Inc. L=Seattle ST=Washington C=US";
const deviceSubject = "AWS IoT Certificate";
/** When certificates of AWS IoT end. */
export const deviceCertificateNotAfterMs = Date.UTC(2049, 11, 31, 23, 59, 59);
/** Devices have clocks that are behind. */
const backdatedMs = 2 * 60 * 1000;
export const requestCharactersMax = 4_096;

export interface CertificateIssuerOptions {
  keys: Keys;
  random: Random;
  /** Certificate and key of the issuing CA: {@link openDeviceAuthority}. */
  authority: () => Promise<CertificateWithKey>;
}

/** Loads the authority when the first certificate is asked for. */
export function createCertificateIssuer({ keys, random, authority }: CertificateIssuerOptions): CertificateIssuer {
  const load = async () => {
    const { certificatePem, privateKeyPem } = await authority();
    const [{ der }] = parseCertificates(certificatePem);
    const issuerName = readCertificateSignature(der).subjectName;
    return { issuerName, authorityKeyId: subjectKeyIdOf(der), signer: await loadSigner(privateKeyPem) };
  };
  let loading: ReturnType<typeof load> | undefined;

  const issue = async (
    subjectName: Uint8Array,
    publicKey: Uint8Array,
    { nowMs, notAfterMs = deviceCertificateNotAfterMs }: { nowMs: number; notAfterMs?: number },
  ): Promise<IssuedCertificate> => {
    loading ??= load().catch((error: unknown) => {
      loading = undefined; // a folder that could not be read may be readable the next time
      throw error;
    });
    const { signer, ...authorityFacts } = await loading;
    const notBeforeMs = Math.floor((nowMs - backdatedMs) / 1000) * 1000;
    const serialNumber = randomSerialNumber(random);
    const subjectKeyId = keyIdOf(keys, publicKey);
    const facts = { ...authorityFacts, serialNumber, subjectName, publicKey, subjectKeyId, notBeforeMs, notAfterMs };
    const der = await writeDeviceCertificate(facts, signer);
    const certificatePem = encodePem("CERTIFICATE", der);
    return { certificateId: certificateIdOf(keys, der), certificatePem, notBeforeMs, notAfterMs };
  };

  return {
    issueForKey: ({ publicKeyPem, ...validity }) => issue(keySubject, decodeBody(publicKeyPem), validity),

    async issueForRequest({ certificateSigningRequest, nowMs }) {
      const { subjectName, publicKey } = requireSoundRequest(keys, certificateSigningRequest);
      return issue(subjectName, publicKey, { nowMs });
    },
  };
}

const keySubject = encodeName([["CN", deviceSubject]]);

/** RFC 7093, 2 (1): the first 160 bits of SHA-256 over the key's bits. */
function keyIdOf(keys: Keys, publicKey: Uint8Array): Uint8Array {
  const elements = derElements(firstDerElement(publicKey)?.content ?? publicKey) ?? [];
  const bits = elements.at(-1)?.content.subarray(1) ?? publicKey;
  return keys.sha256(bits).subarray(0, 20);
}

const issuerName = [{ OU: [issuerText] }];

/** Id and validity of the first certificate of a PEM text. @throws {ThinglineError} CERTIFICATE_INVALID */
export function describeCertificate(keys: Keys, certificatePem: string): IssuedCertificate {
  const [{ der, pem, notBefore, notAfter }] = parseCertificates(certificatePem);
  return {
    certificateId: certificateIdOf(keys, der),
    certificatePem: pem,
    notBeforeMs: notBefore * 1000,
    notAfterMs: notAfter * 1000,
  };
}

/** @throws {ThinglineError} REQUEST_INVALID for what AWS refuses */
export function requireSoundRequest(keys: Keys, pem: string): RequestSignature {
  if (pem.length > requestCharactersMax) throw badRequest(`longer than ${requestCharactersMax} characters`);
  const request = parsed(() => readRequestSignature(parseCertificateRequest(pem).der));
  const key = parsed(() => readPublicKeyKind(request.publicKey));
  const isTaken = (key.kind === "rsa" && key.bits >= 2048) || (key.kind === "ec" && key.curve !== "other");
  if (!isTaken) throw badRequest("the key must be RSA of at least 2048 bits, or EC P-256, P-384 or P-521");
  const { publicKey, algorithm, signed: data, signature } = request;
  if (algorithm === undefined || !keys.verify({ publicKey, algorithm, data, signature })) {
    throw badRequest("its signature is not by its own key");
  }
  return request;
}

function parsed<Result>(read: () => Result): Result {
  try {
    return read();
  } catch {
    throw badRequest("not a PKCS#10 request in PEM");
  }
}

const badRequest = (why: string) =>
  new ThinglineError("REQUEST_INVALID", `The certificate signing request is invalid: ${why}`);

export interface DeviceAuthorityOptions {
  /** Where `issuing-ca.pem` and `issuing-ca-key.pem` are kept; without it they live as long as the process. */
  storage?: { files: Files; folder: string };
  keys: Keys;
  random: Random;
  nowMs: () => number;
}

/**
 * The CA that issues device certificates: made when it is first needed, then the same for ever. Nothing trusts it:
 * devices are known by the fingerprints of their certificates.
 */
export function openDeviceAuthority(options: DeviceAuthorityOptions): () => Promise<CertificateWithKey> {
  let opening: Promise<CertificateWithKey> | undefined;
  return () => {
    opening ??= readOrCreate(options).catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    return opening;
  };
}

/**
 * The authority in a folder, if there is one.
 *
 * @throws {ThinglineError} what {@link readCertificatePair} throws; CERTIFICATE_INVALID when it has expired.
 */
export async function readDeviceAuthority(
  { files, folder }: { files: Files; folder: string },
  keys: Keys,
  nowMs: number,
): Promise<CertificatePair | undefined> {
  const found = await readCertificatePair({ files, keys }, pairFiles.issuing(folder));
  if (found !== undefined) requireValidNow(found, pairFiles.issuing(folder), nowMs);
  return found;
}

async function readOrCreate({ storage, keys, random, nowMs }: DeviceAuthorityOptions): Promise<CertificateWithKey> {
  if (storage === undefined) return createAuthority(keys, random, nowMs());
  const { files, folder } = storage;
  const found = await readDeviceAuthority(storage, keys, nowMs());
  if (found !== undefined) return { certificatePem: found.certificatePem, privateKeyPem: found.privateKeyPem };
  const { certificatePath, keyPath } = pairFiles.issuing(folder);
  const authority = await createAuthority(keys, random, nowMs());
  const encoder = new TextEncoder();
  // The certificate last: it says that the pair is complete.
  await files.replace(keyPath, encoder.encode(authority.privateKeyPem), { mode: 0o600 });
  await files.replace(certificatePath, encoder.encode(authority.certificatePem), { mode: 0o644 });
  return authority;
}

async function createAuthority(keys: Keys, random: Random, nowMs: number): Promise<CertificateWithKey> {
  const [x509, { privateKeyPem, publicKeyPem }] = await Promise.all([loadX509Library(), keys.generate("rsa-2048")]);
  const { key: signingKey, algorithm: signingAlgorithm } = await importSigningKey(privateKeyPem);
  const publicKey = new x509.PublicKey(decodeBody(publicKeyPem));
  const { keyCertSign, cRLSign } = x509.KeyUsageFlags;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: toHex(randomSerialNumber(random)),
    subject: issuerName,
    issuer: issuerName,
    notBefore: new Date(Math.floor((nowMs - backdatedMs) / 1000) * 1000),
    notAfter: new Date(deviceCertificateNotAfterMs),
    publicKey,
    signingKey,
    signingAlgorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(keyCertSign | cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
    ],
  });
  return { certificatePem: `${certificate.toString("pem").trim()}\n`, privateKeyPem };
}
