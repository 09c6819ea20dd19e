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

export interface FoundTags {
  secTag: number;
  /** Holds a complete set as well, which may be the one that the cloud takes. */
  otherTag: number | undefined;
}

/**
 * The tag to begin with when nothing is remembered: the one that holds a complete set, of two the one with the later certificate, the first
 * one when none does.
 */
export async function findTag(store: CredentialStore, tags: readonly [number, number], keys: Keys): Promise<FoundTags> {
  const isComplete = await completeness(store);
  const [one, other] = tags;
  if (!isComplete(one) || !isComplete(other)) return { secTag: isComplete(other) ? other : one, otherTag: undefined };
  const begins = async (secTag: number) => (await readCertificate(store, secTag, keys))?.notBeforeMs ?? 0;
  const isOtherLater = (await begins(other)) > (await begins(one));
  return isOtherLater ? { secTag: other, otherTag: one } : { secTag: one, otherTag: other };
}

/** Where one tag is remembered: somebody may have provisioned the device anew since, to the other one. */
export async function findOther(
  store: CredentialStore,
  tags: readonly [number, number],
  secTag: number,
): Promise<FoundTags> {
  const isComplete = await completeness(store);
  return { secTag, otherTag: tags.find((tag) => tag !== secTag && isComplete(tag)) };
}

async function completeness(store: CredentialStore): Promise<(secTag: number) => boolean> {
  const entries = await store.list();
  return (secTag) => tagItems.every((item) => entries.some((entry) => entry.secTag === secTag && entry.type === item));
}

export async function deleteCredentials(store: CredentialStore, secTag: number): Promise<void> {
  for (const item of tagItems) await store.delete(secTag, item);
}
