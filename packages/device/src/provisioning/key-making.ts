import { ThinglineError, toHex } from "@thingline/protocol";
import { createCertificateRequest, type DistinguishedName } from "@thingline/protocol/x509";
import type { CredentialStore, KeyKind, KeyMaker, Keys } from "@thingline/transport";
import { digestOf } from "./inspect.js";
import type { DeviceKey } from "./progress.js";

export interface KeyMaking {
  secTag: number;
  subject: DistinguishedName;
  store: CredentialStore;
  keys: Keys;
  /** `modem`: inside it. Else here, and the store gets it. */
  maker: KeyMaker | KeyKind;
}

/** Makes a key pair under a security tag, and a request for a certificate. Nobody has the private key but the store. */
export async function makeDeviceKey({ secTag, subject, store, keys, maker }: KeyMaking): Promise<DeviceKey> {
  if (typeof maker !== "string") {
    const { requestPem, publicKey } = await maker.makeKey(secTag, { subject });
    const sha256 = await store.digest(secTag, "privateKey");
    if (sha256 === undefined) throw unlisted(secTag);
    return { secTag, sha256, publicKey: toHex(publicKey), requestPem };
  }
  const { privateKeyPem } = await keys.generate(maker);
  const publicKey = keys.publicKeyOf(privateKeyPem);
  const sign = (data: Uint8Array): Promise<Uint8Array> => keys.sign(privateKeyPem, data);
  const { pem: requestPem } = await createCertificateRequest({ subject, publicKey, sign });
  await store.write(secTag, "privateKey", privateKeyPem);
  const sha256 = digestOf(privateKeyPem, keys);
  if ((await store.digest(secTag, "privateKey")) !== sha256) throw unlisted(secTag);
  return { secTag, sha256, publicKey: toHex(publicKey), requestPem };
}

function unlisted(secTag: number): ThinglineError {
  const message = `a private key was made in security tag ${secTag}, but the store does not list it`;
  return new ThinglineError("CREDENTIAL_NOT_VERIFIED", message, {
    details: { secTag, item: "privateKey" },
  });
}
