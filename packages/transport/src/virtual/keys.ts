import { checkOptionTypes, concatBytes, ThinglineError } from "@thingline/protocol";
import {
  derTags,
  encodedNull,
  encodeDer,
  encodeObjectIdentifier,
  encodePem,
  encodeSequence,
} from "@thingline/protocol/x509";
import type { KeyPair, Keys, SignedData } from "../keys.js";
import { randomOption } from "../option-types.js";
import type { Random } from "../random.js";
import { readCertificates } from "./certificate.js";
import {
  type PrivateKey,
  publicKeyOf,
  readPrivateKey,
  readPublicKey,
  rsaKeyOf,
  writePrivateKey,
} from "./key-formats.js";
import { publicTestPrimes } from "./key-pool.js";
import { bigIntOfBytes, bytesOfBigInt, mod, modPow } from "./modular.js";
import { p256Order, p256Sign, p256Verify } from "./p256.js";
import { hmacSha256, sha256 } from "./sha256.js";

/** As many RSA keys as there are pairs in the pool. */
export const virtualRsaKeysMax = (publicTestPrimes.length * (publicTestPrimes.length - 1)) / 2;

/**
 * Real keys and signatures, repeatable from `random`: EC keys are drawn, RSA keys are pairs out of a pool of PUBLIC
 * primes, in an order that `random` decides. For tests and simulations only.
 *
 * `generate` throws {@link ThinglineError} LIMIT_EXCEEDED after {@link virtualRsaKeysMax} RSA keys.
 */
export function createVirtualKeys(options: { random: Random }): Keys {
  checkOptionTypes(options, { random: randomOption }, { of: "createVirtualKeys()", required: ["random"] });
  const { random } = options;
  const pairs = shuffledPairs(random);

  function generateKey(kind: "rsa-2048" | "ec-p256"): PrivateKey {
    if (kind === "ec-p256") {
      return { kind: "ec", secret: mod(bigIntOfBytes(random.bytes(40)), p256Order - 1n) + 1n };
    }
    const pair = pairs.pop();
    if (pair === undefined) {
      const message = `the pool gives ${virtualRsaKeysMax} RSA keys, and all are taken`;
      throw new ThinglineError("LIMIT_EXCEEDED", message, { details: { limit: virtualRsaKeysMax } });
    }
    return rsaKeyOf(...pair);
  }

  return {
    async generate(kind): Promise<KeyPair> {
      const key = generateKey(kind);
      return { privateKeyPem: writePrivateKey(key), publicKeyPem: encodePem("PUBLIC KEY", publicKeyOf(key)) };
    },
    async sign(privateKeyPem, data) {
      const key = readPrivateKey(privateKeyPem);
      const digest = sha256(data);
      return key.kind === "rsa" ? signRsa(key, digest) : signEc(key.secret, digest);
    },
    verify,
    publicKeyOf: (privateKeyPem) => publicKeyOf(readPrivateKey(privateKeyPem)),
    certificatePublicKey: (certificatePem) => readCertificates(certificatePem)[0].publicKey,
    sha256,
    hmacSha256,
  };
}

function shuffledPairs(random: Random): [bigint, bigint][] {
  const pairs = publicTestPrimes.flatMap((p, index) =>
    publicTestPrimes.slice(index + 1).map((q): [bigint, bigint] => (p > q ? [p, q] : [q, p])),
  );
  for (let index = pairs.length - 1; index > 0; index--) {
    const other = random.integer(index + 1);
    [pairs[index], pairs[other]] = [pairs[other] as [bigint, bigint], pairs[index] as [bigint, bigint]];
  }
  return pairs;
}

const sha256Info = encodeSequence(encodeObjectIdentifier("2.16.840.1.101.3.4.2.1"), encodedNull);

/** Only the algorithms of its own keys: PKCS#1 v1.5 and ECDSA on P-256, with SHA-256. */
function verify({ publicKey, algorithm, data, signature }: SignedData): boolean {
  const key = readPublicKey(publicKey);
  if (key === undefined || algorithm.hash !== "sha256") return false;
  const digest = sha256(data);
  if (key.kind === "ec") return algorithm.kind === "ecdsa" && p256Verify(key.point, bigIntOfBytes(digest), signature);
  if (algorithm.kind !== "rsa" || signature.length !== lengthOf(key.modulus)) return false;
  return modPow(bigIntOfBytes(signature), key.exponent, key.modulus) === paddedDigest(key.modulus, digest);
}

const lengthOf = (modulus: bigint) => Math.ceil(modulus.toString(16).length / 2);

/** EMSA-PKCS1-v1_5 (RFC 8017 §9.2) as a number. */
function paddedDigest(modulus: bigint, digest: Uint8Array): bigint {
  const info = encodeSequence(sha256Info, encodeDer(derTags.octetString, digest));
  const padding = new Uint8Array(lengthOf(modulus) - info.length - 3).fill(0xff);
  return bigIntOfBytes(concatBytes([Uint8Array.of(0, 1), padding, Uint8Array.of(0), info]));
}

/** RSASSA-PKCS1-v1_5 (RFC 8017 §8.2.1), by the Chinese remainder theorem. */
function signRsa({ modulus, secret, p, q }: Extract<PrivateKey, { kind: "rsa" }>, digest: Uint8Array): Uint8Array {
  const lengthBytes = lengthOf(modulus);
  const message = paddedDigest(modulus, digest);
  const [atP, atQ] = [modPow(message, secret % (p - 1n), p), modPow(message, secret % (q - 1n), q)];
  const signature = atQ + q * mod((atP - atQ) * modPow(q, p - 2n, p), p);
  return bytesOfBigInt(signature, lengthBytes);
}

/** The nonce comes from key and digest, so a signature is repeatable. */
function signEc(secret: bigint, digest: Uint8Array): Uint8Array {
  const nonce = mod(bigIntOfBytes(hmacSha256(bytesOfBigInt(secret, 32), digest)), p256Order - 1n) + 1n;
  return p256Sign(secret, bigIntOfBytes(digest), nonce);
}
