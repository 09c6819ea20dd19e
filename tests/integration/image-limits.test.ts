// Images at their bounds and one past them, from sources that make their bytes when they are read.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  encodeImageHeader,
  imageReadBytes,
  imageSignaturesMax,
  type ImageSource,
  mcubootVerdict,
  parseVersion,
  partOf,
  pureRegionBytesMax,
  signImage,
  sourceOf,
  verifyImage,
} from "@thingline/protocol/image";
import { createNodeImageCrypto } from "@thingline/transport/node/firmware";
import { rawImage, tlvMaker } from "./image-builder.test.support.js";
import { fixtureImage, fixtureKey } from "./image-fixtures.test.support.js";

const crypto = createNodeImageCrypto();
const make = tlvMaker(crypto);
const version = parseVersion("1.2.3") ?? assert.fail();

/** Watches how a source is read. */
function watched(source: ImageSource): ImageSource & { longest: number } {
  const seen = {
    sizeBytes: source.sizeBytes,
    longest: 0,
    read: async (offset: number, length: number) => {
      assert.ok(Number.isSafeInteger(offset) && offset >= 0 && length >= 0 && offset + length <= source.sizeBytes);
      seen.longest = Math.max(seen.longest, length);
      return source.read(offset, length);
    },
  };
  return seen;
}

/** One buffer for all reads, as a flash driver may have. */
function reusing(bytes: Uint8Array): ImageSource {
  const buffer = new Uint8Array(imageReadBytes);
  return {
    sizeBytes: bytes.length,
    read: async (offset, length) => {
      buffer.fill(0xee);
      buffer.set(bytes.subarray(offset, offset + length));
      return buffer.subarray(0, length);
    },
  };
}

test("an image is read in pieces of imageReadBytes, whatever its size", async () => {
  const privateKeyPem = await fixtureKey("ecdsa-p256");
  const keys = [crypto.publicKeyOf(privateKeyPem)];
  for (const payloadBytes of [imageReadBytes - 64, imageReadBytes - 63, 3 * 1024 * 1024 + 5]) {
    const payload = new Uint8Array(payloadBytes).fill(7);
    const image = await signImage(payload, { crypto, privateKeyPem, version, headerBytes: 64, padsHeader: true });
    const source = watched(reusing(image));
    assert.ok((await verifyImage(source, { crypto, keys })).isAccepted);
    assert.ok((await mcubootVerdict(source, { crypto, keys, build: { keyType: "ecdsa-p256" } })).isAccepted);
    assert.equal(source.longest, Math.min(imageReadBytes, 64 + payloadBytes));
  }
});

test("an image signed as a whole has pureRegionBytesMax bytes at the most", async () => {
  const privateKeyPem = await fixtureKey("ed25519");
  const options = { crypto, keys: [crypto.publicKeyOf(privateKeyPem)] };
  const build = { keyType: "ed25519", isPure: true, isSha512: true } as const;
  for (const [more, code] of [
    [0, undefined],
    [1, "PURE_REGION_TOO_LARGE"],
  ] as const) {
    const signed = (bytes: number) => {
      const payload = new Uint8Array(bytes - 32);
      return signImage(payload, { crypto, privateKeyPem, version, headerBytes: 32, padsHeader: true, isPure: true });
    };
    // One past the bound cannot be signed either: its header and TLVs are those of another.
    const small = await signed(pureRegionBytesMax);
    const tail = small.subarray(pureRegionBytesMax);
    const header = encodeImageHeader({
      loadAddress: 0,
      headerBytes: 32,
      protectedTlvBytes: 0,
      payloadBytes: pureRegionBytesMax - 32 + more,
      flags: 0,
      version,
    });
    const image = new Uint8Array(Buffer.concat([header, new Uint8Array(pureRegionBytesMax - 32 + more), tail]));
    for (const verdict of [
      await verifyImage(sourceOf(image), options),
      await mcubootVerdict(sourceOf(image), { ...options, build }),
    ]) {
      assert.equal(verdict.isAccepted ? undefined : verdict.refusal.code, code);
    }
  }
});

test("an image may have imageSignaturesMax signatures", async () => {
  const pem = await fixtureKey("ed25519");
  const options = { crypto, keys: [crypto.publicKeyOf(pem)] };
  for (const [count, code] of [
    [imageSignaturesMax, undefined],
    [imageSignaturesMax + 1, "SIGNATURES_TOO_MANY"],
  ] as const) {
    const image = await rawImage({
      open: async (region) => {
        const [hash, ...pair] = await make.signed(region, pem);
        assert.ok(hash);
        return [hash, ...Array.from({ length: count }, () => pair).flat()];
      },
    });
    const verdict = await verifyImage(sourceOf(image), options);
    assert.equal(verdict.isAccepted ? undefined : verdict.refusal.code, code);
  }
});

test("the protected TLVs of an image have tlvAreaBytesMax bytes at the most", async () => {
  const tlvAreaBytesMax = 65_535;
  const privateKeyPem = await fixtureKey("ed25519");
  const sign = (bytes: number) =>
    signImage(new Uint8Array(10), {
      ...{ crypto, privateKeyPem, version, headerBytes: 32, padsHeader: true },
      customTlvs: [{ type: 0xa0, value: new Uint8Array(bytes) }],
    });
  const image = await sign(tlvAreaBytesMax - 8);
  assert.ok((await verifyImage(sourceOf(image), { crypto, keys: [crypto.publicKeyOf(privateKeyPem)] })).isAccepted);
  await assert.rejects(sign(tlvAreaBytesMax - 7), { code: "OPTION_INVALID" });
});

test("a source that becomes shorter meanwhile is a truncated image", async () => {
  const image = await fixtureImage("ed25519");
  for (let left = 0; left < image.length; left += 7) {
    const source: ImageSource = {
      sizeBytes: image.length,
      read: async (offset, length) => image.subarray(0, left).subarray(offset, offset + length),
    };
    for (const verdict of [
      await verifyImage(source, { crypto }),
      await mcubootVerdict(source, { crypto, keys: [], build: {} }),
    ]) {
      assert.equal(!verdict.isAccepted && verdict.refusal.code, "IMAGE_TRUNCATED");
    }
  }
});

test("what a source throws comes through", async () => {
  const broken: ImageSource = { sizeBytes: 1000, read: () => Promise.reject(new Error("flash is gone")) };
  await assert.rejects(verifyImage(broken, { crypto }), /flash is gone/);
  await assert.rejects(mcubootVerdict(broken, { crypto, keys: [], build: {} }), /flash is gone/);
});

test("an image behind the first sector of a slot is judged where it lies", async () => {
  const image = await fixtureImage("ed25519");
  const slot = new Uint8Array(0x2000).fill(0xff);
  slot.set(image, 0x1000);
  const keys = [crypto.publicKeyOf(await fixtureKey("ed25519"))];
  assert.ok((await verifyImage(partOf(sourceOf(slot), 0x1000), { crypto, keys })).isAccepted);
  const first = await verifyImage(sourceOf(slot), { crypto, keys });
  assert.equal(!first.isAccepted && first.refusal.code, "IMAGE_ABSENT");
  const cut = await verifyImage(partOf(sourceOf(slot), 0x1000, image.length - 1), { crypto, keys });
  assert.equal(!cut.isAccepted && cut.refusal.code, "IMAGE_TRUNCATED");
  assert.equal(partOf(sourceOf(slot), 0x1800, 0x1000).sizeBytes, 0x800);
});
