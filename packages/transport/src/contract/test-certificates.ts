import {
  derTags,
  encodeBitString,
  encodedNull,
  encodeDer,
  encodedTrue,
  encodeInteger,
  encodeObjectIdentifier,
  encodePem,
  encodeSequence,
} from "@thingline/protocol/x509";
import type { KeyKind, KeyPair, Keys } from "../keys.js";

/** A certificate with its key, for tests only. */
export interface TestCertificate extends KeyPair {
  certificatePem: string;
  certificateDer: Uint8Array;
  commonName: string;
}

export interface TestCertificateOptions {
  commonName: string;
  /** Signs the certificate; without one it signs itself. */
  issuer?: TestCertificate;
  isCa?: boolean;
  /** Names and IP addresses for the host name check. */
  hosts?: readonly string[];
  /** Default: 2020-01-01T00:00:00Z to 2049-12-31T23:59:59Z. */
  notBefore?: Date;
  notAfter?: Date;
  kind?: KeyKind;
  /** Certify this key instead of a new one. */
  keyPair?: KeyPair;
  /** Certify this key, of which nothing else is known: SubjectPublicKeyInfo, DER. `issuer` is needed, and `keyPair`, which stands for it. */
  publicKey?: Uint8Array;
  /** Default 1. Give different ones to tell certificates of one key and name apart. */
  serial?: number;
}

export interface TestCertificates {
  ca: TestCertificate;
  /** For localhost, 127.0.0.1 and ::1, signed by `ca`. */
  server: TestCertificate;
  /** For second.test, signed by `ca`. */
  second: TestCertificate;
  /** Signed by `ca`. */
  client: TestCertificate;
  /** Another key and name, signed by `ca`. */
  otherClient: TestCertificate;
  /** Nobody vouches for this one. */
  selfSigned: TestCertificate;
}

/** A CA with a server and clients, made without openssl. EC keys, because they cost a millisecond. */
export async function makeTestCertificates(keys: Keys, kind: KeyKind = "ec-p256"): Promise<TestCertificates> {
  const ca = await makeTestCertificate(keys, { commonName: "Thingline Test CA", isCa: true, kind });
  const hosts = ["localhost", "127.0.0.1", "::1"];
  return {
    ca,
    server: await makeTestCertificate(keys, { commonName: "localhost", issuer: ca, hosts, kind, serial: 2 }),
    second: await makeTestCertificate(keys, {
      commonName: "second.test",
      issuer: ca,
      kind,
      serial: 6,
      hosts: ["second.test"],
    }),
    client: await makeTestCertificate(keys, { commonName: "client", issuer: ca, kind, serial: 3 }),
    otherClient: await makeTestCertificate(keys, { commonName: "other client", issuer: ca, kind, serial: 4 }),
    selfSigned: await makeTestCertificate(keys, { commonName: "self-signed", kind, serial: 5 }),
  };
}

export async function makeTestCertificate(keys: Keys, options: TestCertificateOptions): Promise<TestCertificate> {
  const { commonName, issuer, kind = "ec-p256" } = options;
  const keyPair = options.keyPair ?? (await keys.generate(kind));
  const issuerKey = issuer?.privateKeyPem ?? keyPair.privateKeyPem;
  const algorithm = signatureAlgorithm(issuerKey);
  const toBeSigned = encodeSequence(
    encodeDer(0xa0, encodeInteger(2n)),
    encodeInteger(BigInt(options.serial ?? 1)),
    algorithm,
    name(issuer?.commonName ?? commonName),
    encodeSequence(
      time(options.notBefore ?? new Date("2020-01-01T00:00:00Z")),
      time(options.notAfter ?? new Date("2049-12-31T23:59:59Z")),
    ),
    name(commonName),
    options.publicKey ?? keys.publicKeyOf(keyPair.privateKeyPem),
    encodeDer(0xa3, encodeSequence(...extensions(options))),
  );
  const signature = await keys.sign(issuerKey, toBeSigned);
  const certificateDer = encodeSequence(toBeSigned, algorithm, encodeBitString(signature));
  return { ...keyPair, commonName, certificateDer, certificatePem: encodePem("CERTIFICATE", certificateDer) };
}

function extensions({ isCa = false, hosts = [] }: TestCertificateOptions): Uint8Array[] {
  const basicConstraints = encodeSequence(...(isCa ? [encodedTrue] : []));
  const list = [extension("2.5.29.19", basicConstraints, true)];
  if (isCa) list.push(extension("2.5.29.15", Uint8Array.of(0x03, 2, 1, 0b0000_0110), true));
  if (hosts.length > 0) list.push(extension("2.5.29.17", encodeSequence(...hosts.map(hostName))));
  return list;
}

function extension(id: string, value: Uint8Array, isCritical = false): Uint8Array {
  return encodeSequence(
    encodeObjectIdentifier(id),
    ...(isCritical ? [encodedTrue] : []),
    encodeDer(derTags.octetString, value),
  );
}

function hostName(host: string): Uint8Array {
  if (/^\d+\.\d+\.\d+\.\d+$/.test(host)) return encodeDer(0x87, Uint8Array.from(host.split("."), Number));
  if (host === "::1")
    return encodeDer(
      0x87,
      Uint8Array.from({ length: 16 }, (_, index) => (index === 15 ? 1 : 0)),
    );
  return encodeDer(0x82, new TextEncoder().encode(host));
}

function signatureAlgorithm(privateKeyPem: string): Uint8Array {
  return privateKeyPem.includes("RSA")
    ? encodeSequence(encodeObjectIdentifier("1.2.840.113549.1.1.11"), encodedNull)
    : encodeSequence(encodeObjectIdentifier("1.2.840.10045.4.3.2"));
}

function name(commonName: string): Uint8Array {
  const attribute = encodeSequence(
    encodeObjectIdentifier("2.5.4.3"),
    encodeDer(derTags.utf8String, new TextEncoder().encode(commonName)),
  );
  return encodeSequence(encodeDer(derTags.set, attribute));
}

/** UTCTime up to 2049, GeneralizedTime from 2050 (RFC 5280 §4.1.2.5). */
function time(date: Date): Uint8Array {
  const digits = `${date.toISOString().slice(0, 19).replace(/[-:T]/g, "")}Z`;
  const isUtcTime = date.getUTCFullYear() < 2050;
  return encodeDer(
    isUtcTime ? derTags.utcTime : derTags.generalizedTime,
    new TextEncoder().encode(isUtcTime ? digits.slice(2) : digits),
  );
}
