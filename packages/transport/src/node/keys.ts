import {
  constants,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type KeyObject,
  sign,
  verify,
  X509Certificate,
} from "node:crypto";
import { promisify } from "node:util";
import { BoundedMap, concatBytes, isThinglineError, ThinglineError } from "@thingline/protocol";
import { encodePem, parseCertificates, parsePrivateKey, type Pem, pemText } from "@thingline/protocol/x509";
import type { KeyKind, KeyPair, Keys, SignedData } from "../keys.js";

const generateAsync = promisify(generateKeyPair);
const signAsync = promisify(sign);

/** `node:crypto`. RSA keys are made off the event loop. */
export function createNodeKeys(): Keys {
  return {
    generate,
    sign: async (privateKeyPem, data) =>
      new Uint8Array(await signAsync("sha256", data, { key: readPrivateKey(privateKeyPem), dsaEncoding: "der" })),
    verify: verifySignature,
    publicKeyOf,
    certificatePublicKey,
    sha256: (data) => new Uint8Array(createHash("sha256").update(data).digest()),
    hmacSha256: (key, data) => new Uint8Array(createHmac("sha256", key).update(data).digest()),
  };
}

/**
 * OpenSSL takes up to a millisecond to find out what a PEM is, and a device that is provisioned asks for its keys' public halves half a dozen
 * times, in this file and for TLS. What is kept is the public key by a digest of the text: a cache is no place for private keys.
 */
class PublicKeys {
  readonly #found = new BoundedMap<string, Uint8Array>(publicKeysRememberedMax);

  /** @param read what to do where it is not known */
  of(pem: string, read: () => KeyObject): Uint8Array {
    const known = this.#found.get(digestOf(pem));
    if (known !== undefined) return known.slice();
    const publicKey = spki(read());
    this.remember(pem, publicKey);
    return publicKey.slice();
  }

  remember(pem: string, publicKey: Uint8Array): void {
    this.#found.set(digestOf(pem), publicKey);
  }
}

const digestOf = (pem: string): string => createHash("sha256").update(pem).digest("base64");

/** Of private keys, and of certificates. */
export const publicKeysRememberedMax = 64;

const [ofPrivateKeys, ofCertificates] = [new PublicKeys(), new PublicKeys()];

/** SubjectPublicKeyInfo. @throws {ThinglineError} KEY_INVALID */
export function publicKeyOf(privateKeyPem: string, what?: string): Uint8Array {
  const fault = () =>
    new ThinglineError("KEY_INVALID", `${what ?? "the private key"}: OpenSSL makes no public key of it`);
  return asThingline(
    () => ofPrivateKeys.of(privateKeyPem, () => createPublicKey(readPrivateKey(privateKeyPem, what))),
    fault,
  );
}

/** Of the first certificate. @throws {ThinglineError} CERTIFICATE_INVALID */
export function certificatePublicKey(certificatePem: string, what?: string): Uint8Array {
  const fault = () =>
    new ThinglineError("CERTIFICATE_INVALID", `${what ?? "the certificate"}: OpenSSL cannot read the public key in it`);
  return asThingline(
    () => ofCertificates.of(certificatePem, () => readCertificate(certificatePem, what).publicKey),
    fault,
  );
}

/** OpenSSL looks into a key only when somebody asks for it: a text that it has taken may still be damaged there. */
function asThingline<Result>(read: () => Result, fault: () => ThinglineError): Result {
  try {
    return read();
  } catch (error) {
    throw isThinglineError(error) ? error : fault();
  }
}

/** Which keys OpenSSL may try an algorithm with: it would take an RSA key for a DSA signature to no end. */
const keyTypes = { rsa: ["rsa"], "rsa-pss": ["rsa", "rsa-pss"], ecdsa: ["ec"], dsa: ["dsa"] } as const;

function verifySignature({ publicKey, algorithm, data, signature }: SignedData): boolean {
  try {
    const key = readPublicKey(publicKey);
    const types: readonly string[] = keyTypes[algorithm.kind];
    if (!types.includes(key.asymmetricKeyType ?? "")) return false;
    const options =
      algorithm.kind === "rsa-pss"
        ? { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: algorithm.saltBytes }
        : { key, dsaEncoding: "der" as const };
    return verify(algorithm.hash, data, options, signature);
  } catch {
    return false; // OpenSSL cannot read the key or the signature
  }
}

async function generate(kind: KeyKind): Promise<KeyPair> {
  const { privateKey, publicKey } =
    kind === "rsa-2048"
      ? await generateAsync("rsa", { modulusLength: 2048 })
      : await generateAsync("ec", { namedCurve: "P-256" });
  const type = kind === "rsa-2048" ? "pkcs1" : "sec1";
  const privateKeyPem = privateKey.export({ type, format: "pem" }).toString();
  const publicKeyDer = spki(publicKey);
  // Who makes a key asks for its public half next.
  ofPrivateKeys.remember(privateKeyPem, publicKeyDer);
  return { privateKeyPem, publicKeyPem: encodePem("PUBLIC KEY", publicKeyDer) };
}

/** Node's own messages may quote the input, so neither they nor the error itself are passed on. */
export function readPrivateKey(pem: Pem, what = "the private key"): KeyObject {
  const text = pemText(pem);
  let key: KeyObject;
  try {
    key = readPlainKey(text) ?? createPrivateKey({ key: text, format: "pem" });
  } catch {
    if (/ENCRYPTED/.test(text)) {
      throw new ThinglineError("KEY_INVALID", `${what} is encrypted; expected one without a passphrase`);
    }
    parsePrivateKey(pem, what);
    throw new ThinglineError("KEY_INVALID", `${what}: OpenSSL cannot read it, although it looks like a key in PEM`);
  }
  const type = key.asymmetricKeyType ?? "unknown";
  if (type !== "rsa" && type !== "ec") {
    const message = `the private key must be RSA or EC, got ${type}`;
    throw new ThinglineError("KEY_INVALID", message, { details: { type } });
  }
  return key;
}

const plainKey =
  /^-----BEGIN (EC|RSA) PRIVATE KEY-----\r?\n((?:[A-Za-z0-9+/=]{1,76}\r?\n)+)-----END \1 PRIVATE KEY-----\s*$/;

/** A key alone and as `Keys` writes it: OpenSSL takes three times as long to find that out of a PEM. Undefined for any other. */
function readPlainKey(text: string): KeyObject | undefined {
  const [, kind, body = ""] = plainKey.exec(text) ?? [];
  if (kind === undefined) return undefined;
  try {
    return createPrivateKey({
      key: Buffer.from(body, "base64"),
      format: "der",
      type: kind === "EC" ? "sec1" : "pkcs1",
    });
  } catch {
    return undefined;
  }
}

/** The first certificate in the text. */
export function readCertificate(pem: Pem, what = "the certificate"): X509Certificate {
  const block = certificateBlocks(pemText(pem))[0];
  try {
    if (block !== undefined) return new X509Certificate(block);
  } catch {
    // Falls through to the one error for both.
  }
  parseCertificates(pem, what);
  throw new ThinglineError(
    "CERTIFICATE_INVALID",
    `${what}: OpenSSL cannot read it, although it looks like a certificate in PEM`,
  );
}

export function certificateBlocks(pem: string): string[] {
  return (
    pem.match(/-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]*-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g) ?? []
  );
}

/** What stands before the two coordinates of a P-256 key in its SubjectPublicKeyInfo, and how long all of it is. */
const p256Head = Buffer.from("3059301306072a8648ce3d020106082a8648ce3d03010703420004", "hex");
const [p256Bytes, coordinateBytes] = [91, 32];

/** OpenSSL's writer of DER takes twenty times as long as its JWK. */
function spki(key: KeyObject): Uint8Array {
  if (key.asymmetricKeyDetails?.namedCurve !== "prime256v1") {
    return new Uint8Array(key.export({ type: "spki", format: "der" }));
  }
  const { x = "", y = "" } = key.export({ format: "jwk" });
  return concatBytes([p256Head, Buffer.from(x, "base64url"), Buffer.from(y, "base64url")]);
}

/** @throws what OpenSSL throws */
function readPublicKey(publicKey: Uint8Array): KeyObject {
  const der = Buffer.from(publicKey);
  if (der.length !== p256Bytes || !der.subarray(0, p256Head.length).equals(p256Head)) {
    return createPublicKey({ key: der, format: "der", type: "spki" });
  }
  const at = p256Head.length;
  const x = der.toString("base64url", at, at + coordinateBytes);
  const y = der.toString("base64url", at + coordinateBytes);
  return createPublicKey({ key: { kty: "EC", crv: "P-256", x, y }, format: "jwk" });
}
