import { ThinglineError } from "../errors.js";
import { decodeObjectIdentifier, DerReader, derTags, readDer } from "./der.js";
import { labelHint } from "./labels.js";
import { type Pem, type PemBlock, readPem } from "./pem.js";

export type PrivateKeyFormat = "pkcs1" | "sec1" | "pkcs8";
export type KeyAlgorithm = "rsa" | "ec-p256" | "ec-p384" | "ec-p521" | "other";

export interface PrivateKeyInfo {
  format: PrivateKeyFormat;
  algorithm: KeyAlgorithm;
  /** Of an RSA modulus; undefined for others. */
  modulusBits: number | undefined;
  /** The key alone, lines of 64 characters, LF, one trailing LF. */
  pem: string;
}

const formats: Readonly<Record<string, PrivateKeyFormat>> = {
  "RSA PRIVATE KEY": "pkcs1",
  "EC PRIVATE KEY": "sec1",
  "PRIVATE KEY": "pkcs8",
};
const curves: Readonly<Record<string, KeyAlgorithm>> = {
  "1.2.840.10045.3.1.7": "ec-p256",
  "1.3.132.0.34": "ec-p384",
  "1.3.132.0.35": "ec-p521",
};
const rsaEncryption = "1.2.840.113549.1.1.1";
const ecPublicKey = "1.2.840.10045.2.1";

/**
 * Tells what kind of private key a PEM text holds, without checking that it is a good one. `EC PARAMETERS`, which openssl
 * writes before a key, is skipped.
 *
 * @param what how to call the text in the error: "private-key.pem".
 * @throws {ThinglineError} KEY_INVALID when it is no PEM, no private key, encrypted, or more than one.
 */
export function parsePrivateKey(pem: Pem, what = "the private key"): PrivateKeyInfo {
  const result = readPem(pem);
  if ("reason" in result) throw new ThinglineError("KEY_INVALID", `${what} is not a PEM: ${result.reason}`);
  const blocks = result.blocks.filter(({ label }) => label !== "EC PARAMETERS");
  const [block] = blocks;
  if (!block || blocks.length > 1) {
    throw new ThinglineError("KEY_INVALID", `${what} must hold exactly one key, got ${blocks.length} PEM blocks`);
  }
  return keyOfBlock(block, what);
}

/** @throws {ThinglineError} KEY_INVALID */
export function keyOfBlock(block: PemBlock, what: string): PrivateKeyInfo {
  if (block.label === "ENCRYPTED PRIVATE KEY") {
    throw new ThinglineError(
      "KEY_INVALID",
      `${what} is encrypted; a device needs it without a passphrase, as \`openssl pkey -in FILE\` writes it`,
    );
  }
  const format = Object.hasOwn(formats, block.label) ? formats[block.label] : undefined;
  if (!format) {
    const message = `${what} must be one of ${Object.keys(formats).join(", ")}, got "${block.label}"${labelHint(block.label, "privateKey")}`;
    throw new ThinglineError("KEY_INVALID", message, { details: { label: block.label } });
  }
  return readDer("KEY_INVALID", what, () => ({ format, ...readKey(format, block.der), pem: block.pem }));
}

type Kind = Pick<PrivateKeyInfo, "algorithm" | "modulusBits">;

function readKey(format: PrivateKeyFormat, der: Uint8Array): Kind {
  const outer = new DerReader(der);
  const key = outer.enter();
  outer.end();
  key.read(derTags.integer);
  if (format === "pkcs1") return readRsa(key);
  if (format === "sec1") return readEc(key, undefined);
  const algorithm = key.enter();
  const identifier = decodeObjectIdentifier(algorithm.read(derTags.objectIdentifier).content);
  const inner = new DerReader(key.read(derTags.octetString).content);
  if (identifier === rsaEncryption) {
    const rsa = inner.enter();
    rsa.read(derTags.integer);
    return readRsa(rsa);
  }
  if (identifier !== ecPublicKey) return { algorithm: "other", modulusBits: undefined };
  const curve = decodeObjectIdentifier(algorithm.read(derTags.objectIdentifier).content);
  const ec = inner.enter();
  ec.read(derTags.integer);
  return readEc(ec, curve);
}

/** After the version: modulus, public exponent, and what a sender of good keys put behind them. */
function readRsa(key: DerReader): Kind {
  const modulus = key.read(derTags.integer).content;
  key.read(derTags.integer);
  key.read(derTags.integer);
  const start = modulus.findIndex((byte) => byte !== 0);
  const top = modulus[start] ?? 0;
  const modulusBits = start < 0 ? 0 : (modulus.length - start) * 8 - Math.clz32(top) + 24;
  return { algorithm: "rsa", modulusBits };
}

function readEc(key: DerReader, curve: string | undefined): Kind {
  key.read(derTags.octetString);
  const named =
    key.nextTag === 0xa0 ? decodeObjectIdentifier(key.enter(0xa0).read(derTags.objectIdentifier).content) : curve;
  const algorithm = named !== undefined && Object.hasOwn(curves, named) ? curves[named] : undefined;
  return { algorithm: algorithm ?? "other", modulusBits: undefined };
}
