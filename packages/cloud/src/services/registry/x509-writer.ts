import type * as x509Library from "@peculiar/x509";
import { bytesEqual, ThinglineError, toHex } from "@thingline/protocol";
import {
  derElements,
  derTags,
  firstDerElement,
  encodedNull,
  encodeDer,
  encodeInteger,
  encodeObjectIdentifier,
  encodeSequence,
} from "@thingline/protocol/x509";
import type { Keys, Random } from "@thingline/transport";
import type { CertificateSigner } from "./certificate-writer.js";

/** The X.509 library and what it needs. It takes a tenth of a second to load, so only who makes certificates does. */
export type X509Library = typeof x509Library;

export async function loadX509Library(): Promise<X509Library> {
  await import("reflect-metadata");
  return import("@peculiar/x509");
}

type SigningAlgorithm = { name: string; hash: string; namedCurve?: string };

const rsaAlgorithm: SigningAlgorithm = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
const ecAlgorithm: SigningAlgorithm = { name: "ECDSA", hash: "SHA-256", namedCurve: "P-256" };

/** For a signer's private key, as `Keys` makes it: PKCS#1 or SEC1. Signatures are with SHA-256. */
export async function importSigningKey(privateKeyPem: string) {
  const isRsa = privateKeyPem.includes("BEGIN RSA PRIVATE KEY");
  const algorithm = isRsa ? rsaAlgorithm : ecAlgorithm;
  const der = decodeBody(privateKeyPem);
  const pkcs8 = isRsa ? wrapPkcs8(rsaIdentifier, der) : wrapPkcs8(ecP256Identifier, der);
  const key = await crypto.subtle.importKey("pkcs8", Uint8Array.from(pkcs8), algorithm, false, ["sign"]);
  return { key, algorithm };
}

/** Signs as certificates are signed. @param privateKeyPem as `Keys` makes it */
export async function loadSigner(privateKeyPem: string): Promise<CertificateSigner> {
  const { key, algorithm } = await importSigningKey(privateKeyPem);
  const signRaw = async (data: Uint8Array) =>
    new Uint8Array(await crypto.subtle.sign(algorithm, key, Uint8Array.from(data)));
  if (algorithm === rsaAlgorithm) return { kind: "rsa", sign: signRaw };
  return {
    kind: "ecdsa",
    // Web Crypto joins r and s, X.509 has a SEQUENCE of both.
    async sign(data) {
      const raw = await signRaw(data);
      const half = raw.length / 2;
      const part = (bytes: Uint8Array) => encodeInteger(BigInt(`0x${toHex(bytes)}`));
      return encodeSequence(part(raw.subarray(0, half)), part(raw.subarray(half)));
    },
  };
}

/** Of a CA's certificate, whose issued ones name it. */
export function subjectKeyIdOf(certificateDer: Uint8Array): Uint8Array {
  const [body] = derElements(firstDerElement(certificateDer)?.content ?? certificateDer) ?? [];
  const extensions = derElements(body?.content ?? certificateDer)?.find(({ tag }) => tag === 0xa3);
  const list = firstDerElement(extensions?.content ?? certificateDer);
  for (const { content } of derElements(list?.content ?? certificateDer) ?? []) {
    const parts = derElements(content) ?? [];
    if (parts[0] === undefined || !bytesEqual(parts[0].whole, subjectKeyIdentifier)) continue;
    const value = firstDerElement(parts.at(-1)?.content ?? content);
    if (value !== undefined) return value.content;
  }
  throw new ThinglineError("CERTIFICATE_INVALID", "the issuing CA has no subject key identifier");
}

const subjectKeyIdentifier = encodeObjectIdentifier("2.5.29.14");

/** The bytes of a PEM that we made ourselves: a private key, or the SubjectPublicKeyInfo of a `PUBLIC KEY`. */
export function decodeBody(pem: string): Uint8Array<ArrayBuffer> {
  const body = pem.replace(/-----[A-Z ]+-----|\s/g, "");
  return Uint8Array.from(atob(body), (character) => character.charCodeAt(0));
}

/** 20 bytes, positive and without leading zeros (RFC 5280, 4.1.2.2). */
export function randomSerialNumber(random: Random): Uint8Array {
  const bytes = random.bytes(20);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes;
}

/** The certificate id of AWS IoT: SHA-256 over the DER. */
export function certificateIdOf(keys: Keys, der: Uint8Array): string {
  return toHex(keys.sha256(der));
}

const rsaIdentifier = encodeSequence(encodeObjectIdentifier("1.2.840.113549.1.1.1"), encodedNull);
/** id-ecPublicKey with prime256v1. */
const ecP256Identifier = encodeSequence(
  encodeObjectIdentifier("1.2.840.10045.2.1"),
  encodeObjectIdentifier("1.2.840.10045.3.1.7"),
);

/** RFC 5208: version 0, algorithm, the key in an OCTET STRING. */
function wrapPkcs8(identifier: Uint8Array, key: Uint8Array): Uint8Array {
  return encodeSequence(encodeInteger(0n), identifier, encodeDer(derTags.octetString, key));
}
