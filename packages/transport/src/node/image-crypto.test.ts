import assert from "node:assert/strict";
import { constants, createPrivateKey, createPublicKey, sign, verify } from "node:crypto";
import { test } from "node:test";
import { fromHex, isThinglineError, toHex } from "@thingline/protocol";
import { canSignOver, type ImageKeyType, pureRegionBytesMax, type SignedOver } from "@thingline/protocol/image";
import { createNodeImageCrypto } from "./image-crypto.js";

const crypto = createNodeImageCrypto();
const text = (content: string): Uint8Array => new TextEncoder().encode(content);
const message = text("header, payload and protected TLVs");

// RSA-3072 takes its time to make and is RSA-2048 in all else; tests/integration has one that was made before.
const types: readonly ImageKeyType[] = ["rsa-2048", "ecdsa-p256", "ecdsa-p384", "ed25519"];
const pairs = new Map(await Promise.all(types.map(async (type) => [type, await crypto.generateKey(type)] as const)));

function pairOf(type: ImageKeyType) {
  return pairs.get(type) ?? assert.fail(type);
}

async function signed(type: ImageKeyType, over: SignedOver, bytes = message): Promise<Uint8Array> {
  const signer = crypto.createSigner(pairOf(type).privateKeyPem, over);
  // In pieces, which may be used again.
  for (const byte of bytes) signer.update(Uint8Array.of(byte));
  return signer.sign();
}

async function isValid(type: ImageKeyType, over: SignedOver, signature: Uint8Array, bytes = message): Promise<boolean> {
  const verifier = crypto.createVerifier(crypto.publicKeyOf(pairOf(type).publicKeyPem), over);
  const piece = new Uint8Array(1);
  for (const byte of bytes) {
    piece[0] = byte;
    verifier.update(piece);
  }
  return verifier.verify(signature);
}

const schemes = types.flatMap((type) =>
  (["sha256", "sha384", "sha512", "pure"] as const)
    .filter((over) => canSignOver(type, over))
    .map((over) => ({ type, over })),
);

for (const { type, over } of schemes) {
  test(`${type} over ${over}: what is signed verifies, and nothing else`, async () => {
    const signature = await signed(type, over);
    assert.equal(await isValid(type, over, signature), true);
    assert.equal(await isValid(type, over, signature, text("another")), false);
    for (const wrong of [
      signature.subarray(0, -1),
      Uint8Array.of(...signature, 0),
      signature.map((byte, at) => (at === signature.length - 1 ? byte ^ 1 : byte)),
      new Uint8Array(),
      new Uint8Array(1000),
    ]) {
      assert.equal(await isValid(type, over, wrong), false);
    }
  });

  test(`${type} over ${over}: OpenSSL takes the signature for what MCUboot asks for`, async () => {
    const signature = await signed(type, over);
    const key = createPublicKey(pairOf(type).publicKeyPem);
    if (type === "ed25519") {
      const hash = over === "pure" ? undefined : crypto.createHash(over);
      hash?.update(message);
      assert.equal(verify(null, hash?.digest() ?? message, key, signature), true);
    } else {
      const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
      assert.equal(verify(over, message, type.startsWith("rsa") ? { key, ...pss } : key, signature), true);
    }
  });
}

test("a signature of RSA with a salt of another length is not valid", async () => {
  const key = createPrivateKey(pairOf("rsa-2048").privateKeyPem);
  const salted = (saltLength: number) =>
    new Uint8Array(sign("sha256", message, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }));
  assert.equal(await isValid("rsa-2048", "sha256", salted(32)), true);
  for (const saltLength of [0, 20, 222]) assert.equal(await isValid("rsa-2048", "sha256", salted(saltLength)), false);
});

test("Ed25519 signs as RFC 8032, 7.1, test 3 says", async () => {
  const der = fromHex(
    `302e020100300506032b657004220420c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7`,
  );
  const pem = createPrivateKey({ key: Buffer.from(der ?? []), format: "der", type: "pkcs8" }).export({
    type: "pkcs8",
    format: "pem",
  });
  const signer = crypto.createSigner(pem.toString(), "pure");
  signer.update(Uint8Array.of(0xaf, 0x82));
  const expected =
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a";
  assert.equal(toHex(await signer.sign()), expected);
});

test("digests are those of FIPS 180-4", () => {
  const digest = (algorithm: "sha256" | "sha384" | "sha512") => {
    const hash = crypto.createHash(algorithm);
    hash.update(text("a"));
    hash.update(text("bc"));
    return toHex(hash.digest()).slice(0, 16);
  };
  assert.deepEqual(
    [digest("sha256"), digest("sha384"), digest("sha512")],
    ["ba7816bf8f01cfea", "cb00753f45a35e8b", "ddaf35a193617aba"],
  );
});

test("the public key is the same of either half, in the form that MCUboot embeds", () => {
  for (const [type, pair] of pairs) {
    const key = crypto.publicKeyOf(pair.privateKeyPem);
    assert.deepEqual(crypto.publicKeyOf(pair.publicKeyPem), key);
    assert.equal(key.type, type);
    const encoding = type.startsWith("rsa") ? "pkcs1" : "spki";
    const der = createPublicKey(pair.publicKeyPem).export({ format: "der", type: encoding });
    assert.deepEqual(key.der, new Uint8Array(der));
    assert.match(pair.privateKeyPem, /^-----BEGIN PRIVATE KEY-----\n/);
  }
});

const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    assert.ok(isThinglineError(error), String(error));
    assert.ok(!error.message.includes(secret) && error.cause === undefined);
    return error.code;
  }
  return "none";
};
const secret = "c2VjcmV0c2VjcmV0";

test("texts that are no keys of MCUboot are refused, and not quoted", () => {
  const pair = pairOf("ed25519");
  const foreign = createPrivateKey(pairOf("ecdsa-p256").privateKeyPem);
  const pkcs8 = foreign.export({ format: "pem", type: "pkcs8", cipher: "aes-128-cbc", passphrase: "x" }).toString();
  const wrong = [
    "",
    secret,
    pair.privateKeyPem.replace(/\n[^-].*/, `\n${secret}`),
    pair.privateKeyPem + pair.publicKeyPem,
    `-----BEGIN CERTIFICATE-----\n${secret}\n-----END CERTIFICATE-----\n`,
    pkcs8,
    // X25519, which signs nothing.
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VuAyEAhSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=\n-----END PUBLIC KEY-----\n",
  ];
  for (const pem of wrong) {
    assert.equal(
      codeOf(() => crypto.publicKeyOf(pem)),
      "KEY_INVALID",
      pem,
    );
    assert.equal(
      codeOf(() => crypto.createSigner(pem, "sha256")),
      "KEY_INVALID",
      pem,
    );
  }
  assert.equal(
    codeOf(() => crypto.createSigner(pair.publicKeyPem, "sha256")),
    "KEY_INVALID",
  );
});

test("keys do not sign over what MCUboot does not verify with them", () => {
  for (const [type, pair] of pairs) {
    const key = crypto.publicKeyOf(pair.publicKeyPem);
    for (const over of ["sha256", "sha384", "sha512", "pure"] as const) {
      const expected = canSignOver(type, over) ? "none" : "KEY_INVALID";
      assert.equal(
        codeOf(() => crypto.createVerifier(key, over)),
        expected,
      );
      assert.equal(
        codeOf(() => crypto.createSigner(pair.privateKeyPem, over)),
        expected,
      );
    }
    assert.equal(
      codeOf(() => crypto.createVerifier({ ...key, der: key.der.subarray(1) }, "sha256")),
      "KEY_INVALID",
    );
    const other = type === "ed25519" ? "ecdsa-p256" : "ed25519";
    assert.equal(
      codeOf(() => crypto.createVerifier({ ...key, type: other }, "sha256")),
      "KEY_INVALID",
    );
  }
});

test("what is signed as a whole has pureRegionBytesMax bytes at the most", () => {
  const half = new Uint8Array(pureRegionBytesMax / 2);
  const verifier = crypto.createVerifier(crypto.publicKeyOf(pairOf("ed25519").publicKeyPem), "pure");
  verifier.update(half);
  verifier.update(half);
  assert.equal(
    codeOf(() => verifier.update(Uint8Array.of(1))),
    "LIMIT_EXCEEDED",
  );
});
