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
import { BoundedMap, ThinglineError } from "@thingline/protocol";
import { parseCertificates, parsePrivateKey, type Pem, pemText } from "@thingline/protocol/x509";
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
    publicKeyOf: remembering((privateKeyPem) => spki(createPublicKey(readPrivateKey(privateKeyPem)))),
    certificatePublicKey: remembering((certificatePem) => spki(readCertificate(certificatePem).publicKey)),
    sha256: (data) => new Uint8Array(createHash("sha256").update(data).digest()),
    hmacSha256: (key, data) => new Uint8Array(createHmac("sha256", key).update(data).digest()),
  };
}

/**
 * OpenSSL takes up to a millisecond to find out what a PEM is, and a device that is provisioned asks for its keys' public halves half a dozen
 * times. What is kept is the public key by a digest of the text: a cache is no place for private keys.
 */
function remembering(read: (pem: string) => Uint8Array): (pem: string) => Uint8Array {
  const found = new BoundedMap<string, Uint8Array>(publicKeysRememberedMax);
  return (pem) => {
    const digest = createHash("sha256").update(pem).digest("base64");
    const known = found.get(digest);
    if (known !== undefined) return known.slice();
    const publicKey = read(pem);
    found.set(digest, publicKey);
    return publicKey.slice();
  };
}

/** Of private keys, and of certificates. */
export const publicKeysRememberedMax = 64;

/** Which keys OpenSSL may try an algorithm with: it would take an RSA key for a DSA signature to no end. */
const keyTypes = { rsa: ["rsa"], "rsa-pss": ["rsa", "rsa-pss"], ecdsa: ["ec"], dsa: ["dsa"] } as const;

function verifySignature({ publicKey, algorithm, data, signature }: SignedData): boolean {
  try {
    const key = createPublicKey({ key: Buffer.from(publicKey), format: "der", type: "spki" });
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
  const publicKeyEncoding = { type: "spki", format: "pem" } as const;
  const { privateKey, publicKey } =
    kind === "rsa-2048"
      ? await generateAsync("rsa", {
          modulusLength: 2048,
          publicKeyEncoding,
          privateKeyEncoding: { type: "pkcs1", format: "pem" },
        })
      : await generateAsync("ec", {
          namedCurve: "P-256",
          publicKeyEncoding,
          privateKeyEncoding: { type: "sec1", format: "pem" },
        });
  return { privateKeyPem: privateKey, publicKeyPem: publicKey };
}

/** Node's own messages may quote the input, so neither they nor the error itself are passed on. */
export function readPrivateKey(pem: Pem, what = "the private key"): KeyObject {
  const text = pemText(pem);
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: text, format: "pem" });
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

function spki(key: KeyObject): Uint8Array {
  return new Uint8Array(key.export({ type: "spki", format: "der" }));
}
