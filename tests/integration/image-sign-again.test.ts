import assert from "node:assert/strict";
import { test } from "node:test";
import {
  downgradeRefusal,
  formatVersion,
  type ImageFacts,
  inspectImage,
  parseVersion,
  signAgain,
  signImage,
  sourceOf,
  tlvTypes,
  verifyImage,
} from "@thingline/protocol/image";
import { createNodeImageCrypto } from "@thingline/transport/node/firmware";
import { flagsOf, imageCases } from "./image-cases.test.support.js";
import { fixtureImage, fixtureKey } from "./image-fixtures.test.support.js";

const crypto = createNodeImageCrypto();
const version = parseVersion("2.0.0+1") ?? assert.fail();

async function factsOf(image: Uint8Array): Promise<ImageFacts> {
  return (await inspectImage(sourceOf(image))).facts ?? assert.fail("no image");
}

const bootable = imageCases.filter((each) => flagsOf(each)["non-bootable"] !== true);

for (const each of bootable) {
  test(`${each.name}, signed again: the same firmware under another version`, async () => {
    const before = await fixtureImage(each.name);
    const privateKeyPem = await fixtureKey(each.key ?? "ed25519");
    const after = await signAgain(before, { crypto, privateKeyPem, version });
    const verdict = await verifyImage(sourceOf(after), { crypto, keys: [crypto.publicKeyOf(privateKeyPem)] });
    assert.ok(verdict.isAccepted, JSON.stringify(verdict));
    const [old, now] = [await factsOf(before), verdict.image];
    assert.equal(formatVersion(now.header.version), "2.0.0+1");
    assert.deepEqual({ ...now.header, version: old.header.version }, old.header);
    assert.deepEqual(
      [now.isPure, now.securityCounter, now.dependencies, now.vendorId, now.classId],
      [old.isPure, old.securityCounter, old.dependencies, old.vendorId, old.classId],
    );
    const end = old.header.headerBytes + old.header.payloadBytes;
    assert.deepEqual(after.subarray(32, end), before.subarray(32, end));
    assert.equal(after.length, now.imageBytes);
  });
}

test("signed again under its own version with the key that signed it, an image is the same to the last byte", async () => {
  for (const each of bootable.filter(({ key }) => key === "ed25519")) {
    const before = await fixtureImage(each.name);
    const { header, imageBytes } = await factsOf(before);
    const again = await signAgain(before, {
      crypto,
      privateKeyPem: await fixtureKey("ed25519"),
      version: header.version,
    });
    assert.deepEqual(again, before.subarray(0, imageBytes), each.name);
  }
});

test("the security counter is the image's own, a new one, or made from the version", async () => {
  const privateKeyPem = await fixtureKey("ed25519");
  const counterOf = async (name: string, securityCounter?: number | "auto") => {
    const image = await signAgain(await fixtureImage(name), { crypto, privateKeyPem, version, securityCounter });
    const counters = (await factsOf(image)).tlvs.filter(({ type }) => type === tlvTypes.SEC_CNT);
    assert.ok(counters.length <= 1);
    return (await factsOf(image)).securityCounter;
  };
  assert.equal(await counterOf("counter"), 7);
  assert.equal(await counterOf("counter", 9), 9);
  assert.equal(await counterOf("counter", "auto"), 2 * 2 ** 24);
  assert.equal(await counterOf("ed25519"), undefined);
  assert.equal(await counterOf("ed25519", 1), 1);
  assert.equal(await counterOf("everything-protected", 5), 5);
});

test("a boot record names the new version and signer", async () => {
  const privateKeyPem = await fixtureKey("ecdsa-p384");
  const again = await signAgain(await fixtureImage("boot-record"), { crypto, privateKeyPem, version });
  const fresh = await signImage(new Uint8Array(1), {
    ...{ crypto, privateKeyPem, version, headerBytes: 32, padsHeader: true },
    bootRecord: "ABCDEFGHIJKL",
  });
  const recordOf = async (image: Uint8Array) =>
    (await factsOf(image)).tlvs.find(({ type }) => type === tlvTypes.BOOT_RECORD);
  assert.deepEqual((await recordOf(again))?.value, (await recordOf(fresh))?.value);
});

test("another key signs over what it can", async () => {
  const pure = await fixtureImage("ed25519-pure");
  for (const [key, algorithm] of [
    ["ecdsa-p256", "sha256"],
    ["ecdsa-p384", "sha384"],
    ["rsa-2048", "sha256"],
  ] as const) {
    const privateKeyPem = await fixtureKey(key);
    const again = await signAgain(pure, { crypto, privateKeyPem, version });
    const { isPure, hash } = await factsOf(again);
    assert.deepEqual([isPure, hash?.algorithm], [false, algorithm]);
    assert.ok((await verifyImage(sourceOf(again), { crypto, keys: [crypto.publicKeyOf(privateKeyPem)] })).isAccepted);
  }
});

test("what is signed again may go where the old one was refused", async () => {
  const privateKeyPem = await fixtureKey("ed25519");
  const old = await fixtureImage("ed25519");
  const running = { version: parseVersion("1.9.0") ?? assert.fail() };
  const generation = async (image: Uint8Array) => ({ version: (await factsOf(image)).header.version });
  assert.equal(downgradeRefusal(running, await generation(old), { by: "version" })?.code, "VERSION_LOWER");
  const again = await signAgain(old, { crypto, privateKeyPem, version });
  assert.equal(downgradeRefusal(running, await generation(again), { by: "version" }), undefined);
});

test("only whole images are signed again", async () => {
  const privateKeyPem = await fixtureKey("ed25519");
  const damaged = Uint8Array.from(await fixtureImage("ed25519"));
  damaged[200]! ^= 1;
  const cases = [
    [damaged, "HASH_MISMATCH"],
    [await fixtureImage("non-bootable"), "IMAGE_NOT_BOOTABLE"],
    [new Uint8Array(100), "IMAGE_MAGIC_INVALID"],
  ] as const;
  for (const [image, reason] of cases) {
    await assert.rejects(signAgain(image, { crypto, privateKeyPem, version }), (error: Error) => {
      assert.ok("details" in error);
      assert.equal((error.details as Record<string, unknown>)["reason"], reason);
      return true;
    });
  }
  const tooLarge = { ...version, major: 256 };
  const good = await fixtureImage("ed25519");
  await assert.rejects(signAgain(good, { crypto, privateKeyPem, version: tooLarge }), { code: "OPTION_INVALID" });
  await assert.rejects(signAgain(good, { crypto, privateKeyPem, version, securityCounter: -1 }), {
    code: "OPTION_INVALID",
  });
});
