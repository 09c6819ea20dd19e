import assert from "node:assert/strict";
import { createHash, createHmac, createPrivateKey, createPublicKey, verify, X509Certificate } from "node:crypto";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { makeTestCertificates } from "../contract/test-certificates.js";
import { createVirtualKeys, virtualRsaKeysMax } from "./keys.js";
import { createVirtualRandom } from "./random.js";

for (const kind of ["rsa-2048", "ec-p256"] as const) {
  test(`${kind}: keys, signatures and certificates are what node:crypto takes for real`, async () => {
    const keys = createVirtualKeys({ random: createVirtualRandom(1) });
    const pair = await keys.generate(kind);
    const publicKey = createPublicKey(pair.publicKeyPem);
    assert.equal(createPublicKey(createPrivateKey(pair.privateKeyPem)).equals(publicKey), true);
    const data = Uint8Array.of(1, 2, 3);
    assert.equal(verify("sha256", data, publicKey, await keys.sign(pair.privateKeyPem, data)), true);
    assert.deepEqual(
      keys.publicKeyOf(pair.privateKeyPem),
      new Uint8Array(publicKey.export({ type: "spki", format: "der" })),
    );
    const { ca, client } = await makeTestCertificates(keys, kind);
    assert.equal(new X509Certificate(client.certificatePem).verify(createPublicKey(ca.publicKeyPem)), true);
    assert.deepEqual(keys.certificatePublicKey(client.certificatePem), keys.publicKeyOf(client.privateKeyPem));
  });
}

test("the same seed makes the same keys, and the pool has an end", async () => {
  const make = () => createVirtualKeys({ random: createVirtualRandom("seed") });
  assert.deepEqual(await make().generate("rsa-2048"), await make().generate("rsa-2048"));
  assert.deepEqual(await make().generate("ec-p256"), await make().generate("ec-p256"));
  const keys = make();
  const seen = new Set<string>();
  for (let count = 0; count < virtualRsaKeysMax; count++) seen.add((await keys.generate("rsa-2048")).publicKeyPem);
  assert.equal(seen.size, virtualRsaKeysMax);
  await assert.rejects(keys.generate("rsa-2048"), (error) => isThinglineError(error, "LIMIT_EXCEEDED"));
});

test("digests are those of node:crypto around every block boundary", () => {
  const keys = createVirtualKeys({ random: createVirtualRandom(1) });
  for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 1_000]) {
    const data = new Uint8Array(length).map((_, index) => index);
    assert.deepEqual(keys.sha256(data), new Uint8Array(createHash("sha256").update(data).digest()));
    assert.deepEqual(keys.hmacSha256(data, data), new Uint8Array(createHmac("sha256", data).update(data).digest()));
  }
});
