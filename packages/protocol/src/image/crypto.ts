/** Of the hash TLV. `details` name it so as well. */
export type HashAlgorithm = "sha256" | "sha384" | "sha512";

/** The keys that MCUboot can be built with. */
export type ImageKeyType = "rsa-2048" | "rsa-3072" | "ecdsa-p256" | "ecdsa-p384" | "ed25519";

/**
 * What a signature is over: the hash of the hash region, or the region itself. `pure` is Ed25519's alone; the region is then kept in
 * memory, {@link pureRegionBytesMax} at the most.
 */
export type SignedOver = HashAlgorithm | "pure";

/** A public key as a bootloader has it. */
export interface ImagePublicKey {
  readonly type: ImageKeyType;
  /** As MCUboot embeds it, and as KEYHASH hashes it: RSAPublicKey of PKCS#1 for RSA, SubjectPublicKeyInfo for all others. */
  readonly der: Uint8Array;
}

export interface ImageKeyPair {
  /** PKCS#8 (`PRIVATE KEY`), as MCUboot's tool writes it. LF line ends. */
  readonly privateKeyPem: string;
  /** SubjectPublicKeyInfo (`PUBLIC KEY`). */
  readonly publicKeyPem: string;
}

/** Is fed the hash region, in any pieces. One digest each. */
export interface Hasher {
  update(bytes: Uint8Array): void;
  digest(): Uint8Array;
}

/** Is fed the hash region, in any pieces. One verdict each. */
export interface SignatureVerifier {
  update(bytes: Uint8Array): void;
  /**
   * A signature of the wrong length or encoding is not valid, and never throws. ECDSA is the DER of r and s and nothing behind it; RSA is
   * PSS with SHA-256, MGF1 of SHA-256 and a salt of 32 bytes.
   */
  verify(signature: Uint8Array): Promise<boolean>;
}

/** Is fed the hash region, in any pieces. One signature each. */
export interface SignatureSigner {
  update(bytes: Uint8Array): void;
  sign(): Promise<Uint8Array>;
}

/** The cryptography of images comes from outside: Node's is `createNodeImageCrypto()` of `@thingline/transport/node/firmware`. */
export interface ImageCrypto {
  createHash(algorithm: HashAlgorithm): Hasher;
  /** @throws {ThinglineError} KEY_INVALID when the DER is no key of its type, or the type cannot sign over this. */
  createVerifier(key: ImagePublicKey, over: SignedOver): SignatureVerifier;
  /** @throws {ThinglineError} KEY_INVALID as `publicKeyOf`, for a public key, and when the type cannot sign over this. */
  createSigner(privateKeyPem: string, over: SignedOver): SignatureSigner;
  /**
   * The public key of a PEM that holds a private or a public one.
   *
   * @throws {ThinglineError} KEY_INVALID when it is neither, encrypted, or of a type or size that MCUboot has not.
   */
  publicKeyOf(pem: string): ImagePublicKey;
  generateKey(type: ImageKeyType): Promise<ImageKeyPair>;
}

/** A pure signature is over the region itself, which must be in memory as a whole: 16 MiB. */
export const pureRegionBytesMax = 16 * 1024 * 1024;

/** Bytes of each hash. */
export const hashBytes: Readonly<Record<HashAlgorithm, number>> = { sha256: 32, sha384: 48, sha512: 64 };

/** Which hash a key of each type signs, the usual one first: as MCUboot's tool allows, and its bootloader verifies. */
export const hashesOfKey: Readonly<Record<ImageKeyType, readonly [HashAlgorithm, ...HashAlgorithm[]]>> = {
  "rsa-2048": ["sha256"],
  "rsa-3072": ["sha256"],
  "ecdsa-p256": ["sha256"],
  "ecdsa-p384": ["sha384"],
  ed25519: ["sha256", "sha512"],
};

/** Every type, in the order in which they are listed to people. */
export const imageKeyTypes = Object.keys(hashesOfKey) as readonly ImageKeyType[];

/** Whether a key of this type can sign over this. */
export function canSignOver(type: ImageKeyType, over: SignedOver): boolean {
  return over === "pure" ? type === "ed25519" : hashesOfKey[type].includes(over);
}
