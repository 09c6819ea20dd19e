import type { SignatureAlgorithm } from "@thingline/protocol/x509";

export type KeyKind = "rsa-2048" | "ec-p256";

export interface KeyPair {
  /** PKCS#1 (`RSA PRIVATE KEY`) for RSA, as AWS IoT hands out; SEC1 (`EC PRIVATE KEY`) for EC. LF line ends. */
  privateKeyPem: string;
  /** SubjectPublicKeyInfo (`PUBLIC KEY`). */
  publicKeyPem: string;
}

/** Cryptography that is neither repeatable nor synchronous enough for a seeded world, so it comes from outside. */
export interface Keys {
  generate(kind: KeyKind): Promise<KeyPair>;
  /** Signs with SHA-256; RSA is PKCS#1 v1.5, EC is a DER `SEQUENCE { r, s }`. */
  sign(privateKeyPem: string, data: Uint8Array): Promise<Uint8Array>;
  /**
   * Whether a signature is of this key, as certificates are signed. ECDSA and DSA are a DER `SEQUENCE { r, s }`. A key of another kind than
   * the algorithm's, one that cannot be read, and an algorithm that the adapter does not have, verify nothing; it never throws.
   */
  verify(signed: SignedData): boolean;
  /** SubjectPublicKeyInfo DER of a private key. @throws {ThinglineError} KEY_INVALID */
  publicKeyOf(privateKeyPem: string): Uint8Array;
  /** SubjectPublicKeyInfo DER of a PEM certificate (the first one in the text). @throws {ThinglineError} CERTIFICATE_INVALID */
  certificatePublicKey(certificatePem: string): Uint8Array;
  sha256(data: Uint8Array): Uint8Array;
  hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array;
}

/** Data, its signature, and who is said to have made it. */
export interface SignedData {
  /** SubjectPublicKeyInfo DER. */
  publicKey: Uint8Array;
  algorithm: SignatureAlgorithm;
  data: Uint8Array;
  signature: Uint8Array;
}
