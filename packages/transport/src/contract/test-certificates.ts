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
  /** Default 1. Give different ones to tell certificates of one key and name apart. */
  serial?: number;
}

export interface TestCertificates {
  ca: TestCertificate;
  /** For localhost, 127.0.0.1 and ::1, signed by `ca`. */
  server: TestCertificate;
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
  const toBeSigned = sequence(
    tagged(0xa0, integer(2)),
    integer(options.serial ?? 1),
    algorithm,
    name(issuer?.commonName ?? commonName),
    sequence(
      time(options.notBefore ?? new Date("2020-01-01T00:00:00Z")),
      time(options.notAfter ?? new Date("2049-12-31T23:59:59Z")),
    ),
    name(commonName),
    keys.publicKeyOf(keyPair.privateKeyPem),
    tagged(0xa3, sequence(...extensions(options))),
  );
  const signature = await keys.sign(issuerKey, toBeSigned);
  const certificateDer = sequence(toBeSigned, algorithm, bitString(signature));
  return { ...keyPair, commonName, certificateDer, certificatePem: pem("CERTIFICATE", certificateDer) };
}

function extensions({ isCa = false, hosts = [] }: TestCertificateOptions): Uint8Array[] {
  const basicConstraints = sequence(...(isCa ? [Uint8Array.of(0x01, 1, 0xff)] : []));
  const list = [extension("2.5.29.19", basicConstraints, true)];
  if (isCa) list.push(extension("2.5.29.15", Uint8Array.of(0x03, 2, 1, 0b0000_0110), true));
  if (hosts.length > 0) list.push(extension("2.5.29.17", sequence(...hosts.map(hostName))));
  return list;
}

function extension(id: string, value: Uint8Array, isCritical = false): Uint8Array {
  return sequence(oid(id), ...(isCritical ? [Uint8Array.of(0x01, 1, 0xff)] : []), tagged(0x04, value));
}

function hostName(host: string): Uint8Array {
  if (/^\d+\.\d+\.\d+\.\d+$/.test(host)) return tagged(0x87, Uint8Array.from(host.split("."), Number));
  if (host === "::1")
    return tagged(
      0x87,
      Uint8Array.from({ length: 16 }, (_, index) => (index === 15 ? 1 : 0)),
    );
  return tagged(0x82, new TextEncoder().encode(host));
}

function signatureAlgorithm(privateKeyPem: string): Uint8Array {
  return privateKeyPem.includes("RSA")
    ? sequence(oid("1.2.840.113549.1.1.11"), Uint8Array.of(0x05, 0))
    : sequence(oid("1.2.840.10045.4.3.2"));
}

function name(commonName: string): Uint8Array {
  const attribute = sequence(oid("2.5.4.3"), tagged(0x0c, new TextEncoder().encode(commonName)));
  return sequence(tagged(0x31, attribute));
}

/** UTCTime up to 2049, GeneralizedTime from 2050 (RFC 5280 §4.1.2.5). */
function time(date: Date): Uint8Array {
  const digits = `${date.toISOString().slice(0, 19).replace(/[-:T]/g, "")}Z`;
  const isUtcTime = date.getUTCFullYear() < 2050;
  return tagged(isUtcTime ? 0x17 : 0x18, new TextEncoder().encode(isUtcTime ? digits.slice(2) : digits));
}

function oid(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const groups = [arc & 0x7f];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128))
      groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return tagged(0x06, Uint8Array.from(bytes));
}

function integer(value: number): Uint8Array {
  const bytes = [value & 0xff];
  for (let left = Math.floor(value / 256); left > 0; left = Math.floor(left / 256)) bytes.unshift(left & 0xff);
  if ((bytes[0] ?? 0) >= 0x80) bytes.unshift(0);
  return tagged(0x02, Uint8Array.from(bytes));
}

const bitString = (bytes: Uint8Array): Uint8Array => tagged(0x03, concat([Uint8Array.of(0), bytes]));
const sequence = (...parts: Uint8Array[]): Uint8Array => tagged(0x30, concat(parts));

function tagged(tag: number, content: Uint8Array): Uint8Array {
  const length =
    content.length < 0x80
      ? [content.length]
      : content.length < 0x100
        ? [0x81, content.length]
        : [0x82, content.length >> 8, content.length & 0xff];
  return concat([Uint8Array.of(tag, ...length), content]);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

function pem(label: string, der: Uint8Array): string {
  const base64 = btoa(String.fromCharCode(...der));
  return `-----BEGIN ${label}-----\n${base64.replace(/.{1,64}/g, "$&\n")}-----END ${label}-----\n`;
}
