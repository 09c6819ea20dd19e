import { isThinglineError, toHex } from "@thingline/protocol";
import { parseCertificates } from "@thingline/protocol/x509";
import type { CredentialStore, Keys } from "@thingline/transport";
import { tagItems } from "../provisioning/types.js";
import type { CertificateFacts } from "./types.js";

// What the two tags of a device hold.

/** The certificate in a tag; undefined when there is none, or none that can be read. */
export async function readCertificate(
  store: CredentialStore,
  secTag: number,
  keys: Keys,
): Promise<CertificateFacts | undefined> {
  try {
    const pem = await store.read(secTag, "certificate");
    if (pem === undefined) return undefined;
    const [{ der, notBefore, notAfter }] = parseCertificates(pem);
    const certificateId = toHex(keys.sha256(der));
    return { certificateId, notBeforeMs: notBefore * 1000, notAfterMs: notAfter * 1000 };
  } catch (error) {
    // A modem may keep its certificates to itself.
    if (isThinglineError(error, "CREDENTIAL_REFUSED") || isThinglineError(error, "CERTIFICATE_INVALID"))
      return undefined;
    throw error;
  }
}

/** The first of the tags that holds a complete set; the first one when none does. */
export async function findTag(store: CredentialStore, tags: readonly [number, number]): Promise<number> {
  const entries = await store.list();
  const isComplete = (secTag: number) =>
    tagItems.every((item) => entries.some((entry) => entry.secTag === secTag && entry.type === item));
  return tags.find(isComplete) ?? tags[0];
}

export async function deleteCredentials(store: CredentialStore, secTag: number): Promise<void> {
  for (const item of tagItems) await store.delete(secTag, item);
}
