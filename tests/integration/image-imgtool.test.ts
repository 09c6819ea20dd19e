// Images that MCUboot's own tool made (tests/fixtures/mcuboot): ours are the same, and its are accepted.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ImageKeyType,
  type McubootBuild,
  mcubootVerdict,
  signImage,
  sourceOf,
  verifyImage,
} from "@thingline/protocol/image";
import { createNodeImageCrypto } from "@thingline/transport/node/firmware";
import { binaryOf, flagsOf, imageCases, isPadded, optionsOf } from "./image-cases.test.support.js";
import { withoutSignature } from "./image-compare.test.support.js";
import { fixtureImage, fixtureKey } from "./image-fixtures.test.support.js";

const crypto = createNodeImageCrypto();

function buildFor(keyType: ImageKeyType | undefined, flags: ReturnType<typeof flagsOf>): McubootBuild {
  return { keyType, isPure: flags["pure"] === true, isSha512: flags["sha"] === "512", hasAllowList: true };
}

for (const each of imageCases) {
  const flags = flagsOf(each);
  const isBootable = flags["non-bootable"] !== true;

  test(`imgtool's ${each.name}: made here, it is the same`, async () => {
    const privateKeyPem = each.key && (await fixtureKey(each.key));
    const ours = await signImage(binaryOf(each), { ...optionsOf(flags), crypto, privateKeyPem });
    const theirs = await fixtureImage(each.name);
    const padded = isPadded(flags);
    assert.deepEqual(await withoutSignature(ours, padded), await withoutSignature(theirs, padded));
    const keys = privateKeyPem === undefined ? undefined : [crypto.publicKeyOf(privateKeyPem)];
    for (const image of [ours, theirs]) {
      const verdict = await verifyImage(sourceOf(image), { crypto, keys });
      assert.equal(
        verdict.isAccepted ? "accepted" : verdict.refusal.code,
        isBootable ? "accepted" : "IMAGE_NOT_BOOTABLE",
      );
      if (verdict.isAccepted) assert.deepEqual(verdict.signedBy, keys ? [0] : []);
    }
  });

  // Without hardware keys a bootloader takes no key from the image; and its hash is the one that it was built with.
  const takesHash = each.key !== undefined || flags["sha"] !== "384";
  if (!isBootable || flags["public-key-format"] === "full" || !takesHash) continue;
  test(`imgtool's ${each.name}: the bootloader that it is for takes it`, async () => {
    const image = await fixtureImage(each.name);
    const keys = each.key ? [crypto.publicKeyOf(await fixtureKey(each.key))] : [];
    const build = buildFor(each.key, flags);
    const isSha512 = flags["pure"] === true || build.isSha512;
    const verdict = await mcubootVerdict(sourceOf(image), { crypto, keys, build: { ...build, isSha512 } });
    assert.ok(verdict.isAccepted, JSON.stringify(verdict));
  });
}
