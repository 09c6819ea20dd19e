import { toHex } from "@thingline/protocol";
import type { KeyKind, Keys } from "../keys.js";
import { codeOf, type ContractHarness } from "./harness.js";
import { makeTestCertificates } from "./test-certificates.js";

export interface KeysWorld {
  keys: Keys;
  /** Judges a signature with another implementation. */
  verify: (publicKeyPem: string, data: Uint8Array, signature: Uint8Array) => boolean;
}

const labels: Record<KeyKind, string> = { "rsa-2048": "RSA PRIVATE KEY", "ec-p256": "EC PRIVATE KEY" };
const text = (content: string): Uint8Array => new TextEncoder().encode(content);

/** Holds {@link Keys} to the interface. */
export function keysContract({ test, assert }: ContractHarness, name: string, open: () => Promise<KeysWorld>): void {
  for (const kind of ["rsa-2048", "ec-p256"] as const) {
    test(`${name}: ${kind} keys have the form that AWS IoT hands out, and sign`, async () => {
      const { keys, verify } = await open();
      const pair = await keys.generate(kind);
      assert.ok(pair.privateKeyPem.startsWith(`-----BEGIN ${labels[kind]}-----\n`));
      assert.ok(pair.privateKeyPem.endsWith(`-----END ${labels[kind]}-----\n`));
      assert.ok(pair.publicKeyPem.startsWith("-----BEGIN PUBLIC KEY-----\n"));
      assert.ok(!pair.privateKeyPem.includes("\r"));
      assert.equal(base64Of(pair.publicKeyPem), btoa(String.fromCharCode(...keys.publicKeyOf(pair.privateKeyPem))));
      const signature = await keys.sign(pair.privateKeyPem, text("data"));
      assert.equal(verify(pair.publicKeyPem, text("data"), signature), true);
      assert.equal(verify(pair.publicKeyPem, text("other"), signature), false);
      const other = await keys.generate(kind);
      assert.ok(other.privateKeyPem !== pair.privateKeyPem);
    });

    test(`${name}: a signature by a ${kind} key is verified, and no other`, async () => {
      const { keys } = await open();
      const pair = await keys.generate(kind);
      const other = await keys.generate(kind);
      const algorithm = { kind: kind === "rsa-2048" ? "rsa" : "ecdsa", hash: "sha256" } as const;
      const signature = await keys.sign(pair.privateKeyPem, text("data"));
      const signed = { publicKey: keys.publicKeyOf(pair.privateKeyPem), algorithm, data: text("data"), signature };
      assert.equal(keys.verify(signed), true);
      assert.equal(keys.verify({ ...signed, data: text("other") }), false);
      assert.equal(keys.verify({ ...signed, publicKey: keys.publicKeyOf(other.privateKeyPem) }), false);
      const otherKind = kind === "rsa-2048" ? "ecdsa" : "rsa";
      assert.equal(keys.verify({ ...signed, algorithm: { ...algorithm, kind: otherKind } }), false);
      for (const wrong of [Uint8Array.of(), signature.subarray(1), new Uint8Array(signature.length)]) {
        assert.equal(keys.verify({ ...signed, signature: wrong }), false);
        assert.equal(keys.verify({ ...signed, publicKey: wrong }), false);
      }
    });

    test(`${name}: the public key of a ${kind} certificate is its key's`, async () => {
      const { keys } = await open();
      const { client, otherClient } = await makeTestCertificates(keys, kind);
      const publicKey = keys.publicKeyOf(client.privateKeyPem);
      assert.deepEqual(keys.certificatePublicKey(client.certificatePem), publicKey);
      assert.deepEqual(
        keys.certificatePublicKey(`x\n${client.certificatePem}${otherClient.certificatePem}`),
        publicKey,
      );
    });
  }

  test(`${name}: texts that are no keys or certificates are refused, and not quoted`, async () => {
    const { keys } = await open();
    const { client } = await makeTestCertificates(keys);
    const secret = "c2VjcmV0c2VjcmV0";
    const wrong = [
      "",
      secret,
      client.publicKeyPem,
      client.certificatePem,
      client.privateKeyPem.replace(/\n[^-].*/, `\n${secret}`),
      `-----BEGIN ENCRYPTED PRIVATE KEY-----\n${secret}\n-----END ENCRYPTED PRIVATE KEY-----\n`,
    ];
    for (const pem of wrong) {
      const error = await keys.sign(pem, text("")).catch((failure: unknown) => failure);
      assert.ok(error instanceof Error && "code" in error && error.code === "KEY_INVALID", String(error));
      assert.ok(error instanceof Error && !error.message.includes(secret) && error.cause === undefined);
      const code = await codeOf(Promise.resolve().then(() => keys.publicKeyOf(pem)));
      assert.equal(code, "KEY_INVALID");
    }
    for (const pem of ["", secret, client.privateKeyPem, client.certificatePem.replace(/\n[^-].*/, `\n${secret}`)]) {
      const code = await codeOf(Promise.resolve().then(() => keys.certificatePublicKey(pem)));
      assert.equal(code, "CERTIFICATE_INVALID");
    }
  });

  test(`${name}: digests are those of the standards`, async () => {
    const { keys } = await open();
    // FIPS 180-4, appendix B.1; RFC 4231, test case 2.
    const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert.equal(toHex(keys.sha256(text("abc"))), abc);
    const mac = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    assert.equal(toHex(keys.hmacSha256(text("Jefe"), text("what do ya want for nothing?"))), mac);
  });
}

function base64Of(pem: string): string {
  return pem.replace(/-----[^-]+-----|\s/g, "");
}
