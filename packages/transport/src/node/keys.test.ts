import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import type { KeyPair } from "../keys.js";
import { createNodeKeys, publicKeysRememberedMax } from "./keys.js";

test("a public key is found again as it was, whatever a caller did to it, also after many others", async () => {
  const keys = createNodeKeys();
  const pairs: KeyPair[] = [];
  for (let count = 0; count < publicKeysRememberedMax + 2; count++) pairs.push(await keys.generate("ec-p256"));
  for (let round = 0; round < 2; round++) {
    for (const { privateKeyPem, publicKeyPem } of pairs) {
      const expected = new Uint8Array(createPublicKey(publicKeyPem).export({ type: "spki", format: "der" }));
      const found = keys.publicKeyOf(privateKeyPem);
      assert.deepEqual(found, expected);
      found.fill(0);
      assert.deepEqual(keys.publicKeyOf(privateKeyPem), expected);
    }
  }
});

test("what is no key is refused each time", () => {
  const keys = createNodeKeys();
  for (let round = 0; round < 2; round++) {
    assert.throws(
      () => keys.publicKeyOf("text"),
      (error) => isThinglineError(error, "KEY_INVALID"),
    );
    assert.throws(
      () => keys.certificatePublicKey("text"),
      (error) => isThinglineError(error, "CERTIFICATE_INVALID"),
    );
  }
});
