import assert from "node:assert/strict";
import { test } from "node:test";
import { parseVersion, signImage, sourceOf, verifyImage } from "@thingline/protocol/image";
import { createNodeImageCrypto } from "@thingline/transport/node/firmware";
import { namesKey, unsignedMessage } from "./signers.js";

const crypto = createNodeImageCrypto();

test("an image names the key that signed it by its hash or whole, and no other", async () => {
  const version = parseVersion("1.0.0");
  assert.ok(version);
  for (const type of ["ecdsa-p256", "ecdsa-p384", "ed25519"] as const) {
    const { privateKeyPem } = await crypto.generateKey(type);
    const other = crypto.publicKeyOf((await crypto.generateKey(type)).publicKeyPem);
    const own = crypto.publicKeyOf(privateKeyPem);
    for (const more of [{}, { publicKeyFormat: "full" as const }, ...(type === "ed25519" ? [{ isPure: true }] : [])]) {
      const options = { crypto, privateKeyPem, version, headerBytes: 32, padsHeader: true, ...more };
      const verdict = await verifyImage(sourceOf(await signImage(new Uint8Array(64), options)), { crypto });
      assert.ok(verdict.isAccepted);
      assert.equal(namesKey(verdict.image, own, crypto), true);
      assert.equal(namesKey(verdict.image, other, crypto), false);
      assert.match(unsignedMessage(verdict.image), /nobody's signature was checked/);
    }
  }
  const plain = await signImage(new Uint8Array(64), { crypto, version, headerBytes: 32, padsHeader: true });
  const verdict = await verifyImage(sourceOf(plain), { crypto });
  assert.ok(verdict.isAccepted);
  const { publicKeyPem } = await crypto.generateKey("ecdsa-p256");
  assert.equal(namesKey(verdict.image, crypto.publicKeyOf(publicKeyPem), crypto), undefined);
  assert.match(unsignedMessage(verdict.image), /is not signed/);
});
