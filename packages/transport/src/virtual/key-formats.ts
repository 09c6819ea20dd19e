import { ThinglineError } from "@thingline/protocol";
import {
  bigIntOfBytes,
  bytesOfBigInt,
  decodePem,
  der,
  derBitString,
  type DerElement,
  derInteger,
  derNull,
  derOid,
  derSequence,
  encodePem,
  readDer,
  readDerSeries,
} from "../der.js";
import { modInverse } from "./modular.js";
import { p256PublicPoint } from "./p256.js";

export const publicExponent = 65_537n;

export type PrivateKey =
  | { kind: "rsa"; modulus: bigint; exponent: bigint; secret: bigint; p: bigint; q: bigint }
  | { kind: "ec"; secret: bigint };

const rsaAlgorithm = derSequence(derOid("1.2.840.113549.1.1.1"), derNull);
const curve = derOid("1.2.840.10045.3.1.7");
const ecAlgorithm = derSequence(derOid("1.2.840.10045.2.1"), curve);

/** PKCS#1, SEC1 or PKCS#8, unencrypted. @throws {ThinglineError} KEY_INVALID */
export function readPrivateKey(pem: string): PrivateKey {
  const block = decodePem(pem).find(({ label }) => label.endsWith("PRIVATE KEY"));
  if (block !== undefined) {
    const key =
      block.label === "RSA PRIVATE KEY"
        ? readPkcs1(block.bytes)
        : block.label === "EC PRIVATE KEY"
          ? readSec1(block.bytes)
          : block.label === "PRIVATE KEY"
            ? readPkcs8(block.bytes)
            : undefined;
    if (key !== undefined) return key;
  }
  const message = /ENCRYPTED/.test(pem)
    ? "the private key is encrypted; expected one without a passphrase"
    : "expected an unencrypted private key in PEM (RSA or EC), got text that is none";
  throw new ThinglineError("KEY_INVALID", message);
}

export function writePrivateKey(key: PrivateKey): string {
  if (key.kind === "ec") {
    const point = derBitString(p256PublicPoint(key.secret));
    const secret = der(0x04, bytesOfBigInt(key.secret, 32));
    return encodePem("EC PRIVATE KEY", derSequence(derInteger(1n), secret, der(0xa0, curve), der(0xa1, point)));
  }
  const { modulus, exponent, secret, p, q } = key;
  const numbers = [0n, modulus, exponent, secret, p, q, secret % (p - 1n), secret % (q - 1n), modInverse(q, p)];
  return encodePem("RSA PRIVATE KEY", derSequence(...numbers.map(derInteger)));
}

/** SubjectPublicKeyInfo DER. */
export function publicKeyOf(key: PrivateKey): Uint8Array {
  if (key.kind === "ec") return derSequence(ecAlgorithm, derBitString(p256PublicPoint(key.secret)));
  const numbers = derSequence(derInteger(key.modulus), derInteger(key.exponent));
  return derSequence(rsaAlgorithm, derBitString(numbers));
}

export function rsaKeyOf(p: bigint, q: bigint): PrivateKey {
  const secret = modInverse(publicExponent, (p - 1n) * (q - 1n));
  return { kind: "rsa", modulus: p * q, exponent: publicExponent, secret, p, q };
}

function seriesOf(bytes: Uint8Array): DerElement[] | undefined {
  const whole = readDer(bytes);
  return whole?.tag === 0x30 ? readDerSeries(whole.content) : undefined;
}

function readPkcs1(bytes: Uint8Array): PrivateKey | undefined {
  const series = seriesOf(bytes);
  if (series === undefined || series.length < 9 || series.some(({ tag }) => tag !== 0x02)) return undefined;
  const [, modulus = 0n, exponent = 0n, secret = 0n, p = 0n, q = 0n] = series.map(({ content }) =>
    bigIntOfBytes(content),
  );
  return p * q === modulus ? { kind: "rsa", modulus, exponent, secret, p, q } : undefined;
}

function readSec1(bytes: Uint8Array): PrivateKey | undefined {
  const secret = seriesOf(bytes)?.[1];
  return secret?.tag === 0x04 && secret.content.length === 32
    ? { kind: "ec", secret: bigIntOfBytes(secret.content) }
    : undefined;
}

function readPkcs8(bytes: Uint8Array): PrivateKey | undefined {
  const [, algorithm, inner] = seriesOf(bytes) ?? [];
  if (algorithm === undefined || inner?.tag !== 0x04) return undefined;
  return readDerSeries(algorithm.content)?.length === 2 && algorithm.whole.length === rsaAlgorithm.length
    ? readPkcs1(inner.content)
    : readSec1(inner.content);
}
