// Every bit of small signed images is changed, one at a time: header, payload and TLVs. None is accepted.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ImageKeyType,
  imageRefusals,
  inspectImage,
  type McubootBuild,
  mcubootVerdict,
  signImage,
  type SignImageOptions,
  sourceOf,
  verifyImage,
} from "@thingline/protocol/image";
import { createNodeImageCrypto } from "@thingline/transport/node/firmware";
import { fixtureKey } from "./image-fixtures.test.support.js";

const crypto = createNodeImageCrypto();
const isLong = process.env["THINGLINE_TEST_LONG"] === "1";

interface Flipped {
  readonly name: string;
  readonly key: ImageKeyType;
  readonly options?: Partial<SignImageOptions>;
  readonly build?: McubootBuild;
  /** Every how many bits, in the ordinary run: some curves are slow. Default 1. */
  readonly step?: number;
}

const flipped: readonly Flipped[] = [
  { name: "Ed25519", key: "ed25519" },
  {
    name: "Ed25519 with protected TLVs",
    key: "ed25519",
    options: {
      securityCounter: 3,
      dependencies: [{ imageNumber: 1, version: { major: 1, minor: 2, revision: 3, build: 4 } }],
      customTlvs: [{ type: 0xa0, value: Uint8Array.of(1, 2, 3) }],
    },
    step: 7,
  },
  { name: "Ed25519 over SHA-512", key: "ed25519", options: { hash: "sha512" }, build: { isSha512: true }, step: 11 },
  {
    name: "Ed25519 over the image",
    key: "ed25519",
    options: { isPure: true },
    build: { isPure: true, isSha512: true },
    step: 11,
  },
  { name: "Ed25519 with its whole key", key: "ed25519", options: { publicKeyFormat: "full" }, step: 11 },
  { name: "P-256", key: "ecdsa-p256", step: 3 },
  { name: "P-256, filled up", key: "ecdsa-p256", options: { padsSignature: true }, step: 11 },
  { name: "P-384", key: "ecdsa-p384", step: 29 },
  { name: "RSA-2048", key: "rsa-2048", step: 17 },
  { name: "RSA-3072", key: "rsa-3072", step: 29 },
];

const payload = Uint8Array.from({ length: 40 }, (_none, at) => at * 5);

for (const { name, key, options = {}, build = {}, step = 1 } of flipped) {
  test(`${name}: no changed bit is accepted${isLong || step === 1 ? "" : `; one in ${step} is tried`}`, async () => {
    const privateKeyPem = await fixtureKey(key);
    const version = { major: 1, minor: 2, revision: 3, build: 4 };
    const sealed = { crypto, privateKeyPem, version, headerBytes: 36, padsHeader: true };
    const image = await signImage(payload, { ...sealed, ...options });
    const source = sourceOf(image);
    const judged = { crypto, keys: [crypto.publicKeyOf(privateKeyPem)] };
    assert.ok((await verifyImage(source, judged)).isAccepted);
    const { imageBytes, facts } = await inspectImage(source);
    assert.equal(imageBytes, image.length);

    const passed: number[] = [];
    const overlooked: number[] = [];
    const codes = new Set<string>();
    for (let bit = 0; bit < image.length * 8; bit += isLong ? 1 : step) {
      image[bit >> 3]! ^= 1 << (bit & 7);
      const verdict = await verifyImage(source, judged);
      if (verdict.isAccepted) passed.push(bit);
      else codes.add(verdict.refusal.code);
      const boot = await mcubootVerdict(source, { ...judged, build: { keyType: key, ...build } });
      if (boot.isAccepted) overlooked.push(bit >> 3);
      image[bit >> 3]! ^= 1 << (bit & 7);
    }
    assert.deepEqual(passed, []);
    for (const code of codes) assert.ok(Object.hasOwn(imageRefusals, code), code);
    // What a bootloader overlooks lies where no hash covers it.
    const open = image.length - (facts?.unprotectedTlvBytes ?? 0);
    assert.deepEqual(
      overlooked.filter((offset) => offset < open),
      [],
    );
  });
}
