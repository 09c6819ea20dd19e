import { bytesEqual, ThinglineError } from "@thingline/protocol";
import {
  derElements,
  derTags,
  encodeBitString,
  encodedNull,
  encodeDer,
  encodeInteger,
  encodeObjectIdentifier,
  encodePem,
  encodeSequence,
  firstDerElement,
  readPem,
  type DerElement,
} from "@thingline/protocol/x509";
import { bigIntOfBytes, bytesOfBigInt, modInverse } from "./modular.js";
import { p256PublicPoint } from "./p256.js";

export const publicExponent = 65_537n;

export type PrivateKey =
  | { kind: "rsa"; modulus: bigint; exponent: bigint; secret: bigint; p: bigint; q: bigint }
  | { kind: "ec"; secret: bigint };

const rsaAlgorithm = encodeSequence(encodeObjectIdentifier("1.2.840.113549.1.1.1"), encodedNull);
const curve = encodeObjectIdentifier("1.2.840.10045.3.1.7");
const ecAlgorithm = encodeSequence(encodeObjectIdentifier("1.2.840.10045.2.1"), curve);

/** PKCS#1, SEC1 or PKCS#8, unencrypted. @throws {ThinglineError} KEY_INVALID */
export function readPrivateKey(pem: string): PrivateKey {
  const read = readPem(pem);
  const block = "blocks" in read ? read.blocks.find(({ label }) => label.endsWith("PRIVATE KEY")) : undefined;
  if (block !== undefined) {
    const key =
      block.label === "RSA PRIVATE KEY"
        ? readPkcs1(block.der)
        : block.label === "EC PRIVATE KEY"
          ? readSec1(block.der)
          : block.label === "PRIVATE KEY"
            ? readPkcs8(block.der)
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
    const point = encodeBitString(p256PublicPoint(key.secret));
    const secret = encodeDer(derTags.octetString, bytesOfBigInt(key.secret, 32));
    return encodePem(
      "EC PRIVATE KEY",
      encodeSequence(encodeInteger(1n), secret, encodeDer(0xa0, curve), encodeDer(0xa1, point)),
    );
  }
  const { modulus, exponent, secret, p, q } = key;
  const numbers = [0n, modulus, exponent, secret, p, q, secret % (p - 1n), secret % (q - 1n), modInverse(q, p)];
  return encodePem("RSA PRIVATE KEY", encodeSequence(...numbers.map(encodeInteger)));
}

/** SubjectPublicKeyInfo DER. */
export function publicKeyOf(key: PrivateKey): Uint8Array {
  if (key.kind === "ec") return encodeSequence(ecAlgorithm, encodeBitString(p256PublicPoint(key.secret)));
  const numbers = encodeSequence(encodeInteger(key.modulus), encodeInteger(key.exponent));
  return encodeSequence(rsaAlgorithm, encodeBitString(numbers));
}

export type PublicKey =
  | { kind: "rsa"; modulus: bigint; exponent: bigint }
  | { kind: "ec"; point: { x: bigint; y: bigint } };

/** SubjectPublicKeyInfo DER; undefined for another kind of key. */
export function readPublicKey(der: Uint8Array): PublicKey | undefined {
  const [algorithm, bits] = seriesOf(der) ?? [];
  if (algorithm === undefined || bits?.tag !== derTags.bitString || bits.content[0] !== 0) return undefined;
  const key = bits.content.subarray(1);
  if (bytesEqual(algorithm.whole, ecAlgorithm)) {
    if (key[0] !== 4 || key.length !== 65) return undefined;
    return { kind: "ec", point: { x: bigIntOfBytes(key.subarray(1, 33)), y: bigIntOfBytes(key.subarray(33)) } };
  }
  const numbers = bytesEqual(algorithm.whole, rsaAlgorithm) ? seriesOf(key) : undefined;
  if (numbers?.length !== 2) return undefined;
  const [modulus = 0n, exponent = 0n] = numbers.map(({ content }) => bigIntOfBytes(content));
  return modulus > 0n ? { kind: "rsa", modulus, exponent } : undefined;
}

export function rsaKeyOf(p: bigint, q: bigint): PrivateKey {
  const secret = modInverse(publicExponent, (p - 1n) * (q - 1n));
  return { kind: "rsa", modulus: p * q, exponent: publicExponent, secret, p, q };
}

function seriesOf(bytes: Uint8Array): DerElement[] | undefined {
  const whole = firstDerElement(bytes);
  return whole?.tag === derTags.sequence ? derElements(whole.content) : undefined;
}

function readPkcs1(bytes: Uint8Array): PrivateKey | undefined {
  const series = seriesOf(bytes);
  if (series === undefined || series.length < 9 || series.some(({ tag }) => tag !== derTags.integer)) return undefined;
  const [, modulus = 0n, exponent = 0n, secret = 0n, p = 0n, q = 0n] = series.map(({ content }) =>
    bigIntOfBytes(content),
  );
  return p * q === modulus ? { kind: "rsa", modulus, exponent, secret, p, q } : undefined;
}

function readSec1(bytes: Uint8Array): PrivateKey | undefined {
  const secret = seriesOf(bytes)?.[1];
  return secret?.tag === derTags.octetString && secret.content.length === 32
    ? { kind: "ec", secret: bigIntOfBytes(secret.content) }
    : undefined;
}

function readPkcs8(bytes: Uint8Array): PrivateKey | undefined {
  const [, algorithm, inner] = seriesOf(bytes) ?? [];
  if (algorithm === undefined || inner?.tag !== derTags.octetString) return undefined;
  return derElements(algorithm.content)?.length === 2 && algorithm.whole.length === rsaAlgorithm.length
    ? readPkcs1(inner.content)
    : readSec1(inner.content);
}
