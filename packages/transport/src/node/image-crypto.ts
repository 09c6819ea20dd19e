import {
  constants,
  createHash,
  createPrivateKey,
  createPublicKey,
  createSign,
  createVerify,
  generateKeyPair,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { promisify } from "node:util";
import { ThinglineError } from "@thingline/protocol";
import {
  canSignOver,
  type HashAlgorithm,
  type ImageCrypto,
  type ImageKeyPair,
  type ImageKeyType,
  type ImagePublicKey,
  pureRegionBytesMax,
  type SignatureSigner,
  type SignatureVerifier,
  type SignedOver,
} from "@thingline/protocol/image";
import { readPem } from "@thingline/protocol/x509";

const generateAsync = promisify(generateKeyPair);

/** What MCUboot reads: the salt is as long as the hash. */
const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 } as const;

/** `node:crypto` for images. Keys are made off the event loop; all else is done at once, as one step of a seeded world. */
export function createNodeImageCrypto(): ImageCrypto {
  return {
    createHash: (algorithm) => {
      const hash = createHash(algorithm);
      return { update: (bytes) => void hash.update(bytes), digest: () => new Uint8Array(hash.digest()) };
    },
    createVerifier: (key, over) => createVerifier(readPublicKey(key), key.type, over),
    createSigner,
    publicKeyOf: (pem) => publicKeyOf(readKey(pem)),
    generateKey,
  };
}

function createVerifier(key: KeyObject, type: ImageKeyType, over: SignedOver): SignatureVerifier {
  requireSigns(type, over);
  if (type === "ed25519") {
    const message = messageOf(over);
    return {
      update: message.update,
      verify: async (signature) => signature.length === 64 && verify(null, message.whole(), key, signature),
    };
  }
  const verifier = createVerify(over);
  const options = type.startsWith("rsa") ? { key, ...pss } : { key, dsaEncoding: "der" as const };
  return {
    update: (bytes) => void verifier.update(bytes),
    verify: async (signature) => verifier.verify(options, signature),
  };
}

function createSigner(privateKeyPem: string, over: SignedOver): SignatureSigner {
  const key = readKey(privateKeyPem);
  if (key.type !== "private") throw new ThinglineError("KEY_INVALID", "a public key cannot sign");
  const type = typeOf(key);
  requireSigns(type, over);
  if (type === "ed25519") {
    const message = messageOf(over);
    return { update: message.update, sign: async () => new Uint8Array(sign(null, message.whole(), key)) };
  }
  const signer = createSign(over);
  const options = type.startsWith("rsa") ? { key, ...pss } : { key, dsaEncoding: "der" as const };
  return { update: (bytes) => void signer.update(bytes), sign: async () => new Uint8Array(signer.sign(options)) };
}

/** What Ed25519 signs: the digest of what it is fed, or all of that. */
function messageOf(over: SignedOver): { update: (bytes: Uint8Array) => void; whole: () => Uint8Array } {
  if (over !== "pure") return digestMessage(over);
  const pieces: Uint8Array[] = [];
  let length = 0;
  return {
    update: (bytes) => {
      length += bytes.length;
      if (length > pureRegionBytesMax) {
        const message = `an image that is signed as a whole has ${pureRegionBytesMax} bytes at the most`;
        throw new ThinglineError("LIMIT_EXCEEDED", message, { details: { bytesMax: pureRegionBytesMax } });
      }
      // Whoever feeds it may use its bytes again.
      pieces.push(Uint8Array.from(bytes));
    },
    whole: () => Buffer.concat(pieces),
  };
}

function digestMessage(algorithm: HashAlgorithm): ReturnType<typeof messageOf> {
  const hash = createHash(algorithm);
  return { update: (bytes) => void hash.update(bytes), whole: () => hash.digest() };
}

function requireSigns(type: ImageKeyType, over: SignedOver): void {
  if (canSignOver(type, over)) return;
  throw new ThinglineError("KEY_INVALID", `an ${type} key does not sign over ${over}`, { details: { type, over } });
}

function readPublicKey({ type, der }: ImagePublicKey): KeyObject {
  let key: KeyObject | undefined;
  try {
    const encoding = type.startsWith("rsa") ? "pkcs1" : "spki";
    key = createPublicKey({ key: Buffer.from(der), format: "der", type: encoding });
  } catch {
    // Falls through: Node's own message may quote what it was given.
  }
  if (key !== undefined && typeOf(key) === type) return key;
  throw new ThinglineError("KEY_INVALID", `the DER is not a public key of type ${type}`, { details: { type } });
}

/** A private or a public key. Node's own messages may quote the text, so they are not passed on. */
function readKey(pem: string): KeyObject {
  const result = readPem(pem);
  if ("reason" in result) throw new ThinglineError("KEY_INVALID", `the key is not a PEM: ${result.reason}`);
  const labels = result.blocks.map(({ label }) => label).filter((label) => label !== "EC PARAMETERS");
  const [label = ""] = labels;
  if (label.startsWith("ENCRYPTED")) {
    throw new ThinglineError("KEY_INVALID", "the key is encrypted; expected one without a passphrase");
  }
  if (labels.length !== 1 || !/^(?:(?:RSA |EC )?PRIVATE KEY|(?:RSA )?PUBLIC KEY)$/.test(label)) {
    const message = `expected one private or public key, got ${labels.map((each) => `"${each}"`).join(", ") || "none"}`;
    throw new ThinglineError("KEY_INVALID", message);
  }
  try {
    return label.endsWith("PRIVATE KEY") ? createPrivateKey(pem) : createPublicKey(pem);
  } catch {
    throw new ThinglineError("KEY_INVALID", "OpenSSL cannot read the key, although it looks like one in PEM");
  }
}

function typeOf(key: KeyObject): ImageKeyType {
  const { asymmetricKeyType, asymmetricKeyDetails: details } = key;
  const size = `${asymmetricKeyType ?? "unknown"} ${details?.modulusLength ?? details?.namedCurve ?? ""}`.trim();
  const type = types.get(size);
  if (type !== undefined) return type;
  const message = `MCUboot has no keys of type ${size}; expected one of ${[...types.values()].join(", ")}`;
  throw new ThinglineError("KEY_INVALID", message, { details: { type: size } });
}

const types: ReadonlyMap<string, ImageKeyType> = new Map([
  ["rsa 2048", "rsa-2048"],
  ["rsa 3072", "rsa-3072"],
  ["ec prime256v1", "ecdsa-p256"],
  ["ec secp384r1", "ecdsa-p384"],
  ["ed25519", "ed25519"],
]);

function publicKeyOf(key: KeyObject): ImagePublicKey {
  const type = typeOf(key);
  const publicKey = key.type === "private" ? createPublicKey(key) : key;
  const encoding = type.startsWith("rsa") ? "pkcs1" : "spki";
  return { type, der: new Uint8Array(publicKey.export({ type: encoding, format: "der" })) };
}

async function generateKey(type: ImageKeyType): Promise<ImageKeyPair> {
  const { privateKey, publicKey } = await generatePair(type);
  return {
    privateKeyPem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    publicKeyPem: publicKey.export({ type: "spki", format: "pem" }).toString(),
  };
}

function generatePair(type: ImageKeyType): Promise<{ privateKey: KeyObject; publicKey: KeyObject }> {
  switch (type) {
    case "rsa-2048":
      return generateAsync("rsa", { modulusLength: 2048 });
    case "rsa-3072":
      return generateAsync("rsa", { modulusLength: 3072 });
    case "ecdsa-p256":
      return generateAsync("ec", { namedCurve: "P-256" });
    case "ecdsa-p384":
      return generateAsync("ec", { namedCurve: "P-384" });
    case "ed25519":
      return generateAsync("ed25519");
  }
}
