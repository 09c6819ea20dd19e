import type * as x509Library from "@peculiar/x509";
import { toHex } from "@thingline/protocol";
import {
  derTags,
  encodedNull,
  encodeDer,
  encodeInteger,
  encodeObjectIdentifier,
  encodeSequence,
} from "@thingline/protocol/x509";
import type { Keys, Random } from "@thingline/transport";

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

/** The bytes of a PEM that we made ourselves: a private key, or the SubjectPublicKeyInfo of a `PUBLIC KEY`. */
export function decodeBody(pem: string): Uint8Array<ArrayBuffer> {
  const body = pem.replace(/-----[A-Z ]+-----|\s/g, "");
  return Uint8Array.from(atob(body), (character) => character.charCodeAt(0));
}

/** 20 bytes, positive and without leading zeros (RFC 5280, 4.1.2.2). */
export function randomSerialNumber(random: Random): string {
  const bytes = random.bytes(20);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return toHex(bytes);
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
