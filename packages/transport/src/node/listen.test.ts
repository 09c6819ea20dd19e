import assert from "node:assert/strict";
import { test } from "node:test";
import { makeTestCertificates } from "../contract/test-certificates.js";
import { createNodeKeys } from "./keys.js";
import { contextsMax, sniCallback } from "./listen.js";

test("certificates for contextsMax server names are kept ready, and the oldest goes for one more", async () => {
  const { server } = await makeTestCertificates(createNodeKeys());
  let keyReads = 0;
  const callback = sniCallback((name) => ({
    // One certificate in as many texts as there are names.
    certificate: server.certificatePem + "\n".repeat(Number(name)),
    get privateKey() {
      keyReads += 1;
      return server.privateKeyPem;
    },
  }));
  /** Whether it was made: only then the key is looked at. */
  const isMade = (name: number): boolean => {
    const before = keyReads;
    callback(String(name), (error, context) => {
      assert.equal(error, null);
      assert.notEqual(context, undefined);
    });
    return keyReads > before;
  };
  const names = Array.from({ length: contextsMax }, (_, name) => name);
  assert.ok(names.every(isMade));
  assert.ok(!names.some(isMade), "all of them are ready");
  assert.ok(isMade(contextsMax));
  assert.ok(![...names.slice(1), contextsMax].some(isMade), "all but the oldest are ready");
  assert.ok(isMade(0), "the oldest is made again");
});
