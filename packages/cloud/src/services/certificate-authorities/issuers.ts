import type { StoreReader } from "../../store/store.js";
import { parseCertificates } from "@thingline/protocol/x509";
import type { OperationContext, Scope } from "../operation.js";
import { lastName } from "../page.js";
import { caKeys, casPerSubjectMax, type CaCertificateRecord } from "./model.js";
import { whyNotSignedBy, type SignedCertificate, type SigningKeys } from "./signing.js";

/** The registered CAs whose subject is the issuer of a certificate, whatever their keys. */
export async function casNamed(
  { store, scope }: Readonly<{ store: StoreReader; scope: Scope }>,
  issuerDigest: string,
): Promise<CaCertificateRecord[]> {
  const listed = await store.list(caKeys.bySubjects(scope, issuerDigest), { limit: casPerSubjectMax });
  const records: CaCertificateRecord[] = [];
  for (const { key } of listed) {
    const entry = await store.get<CaCertificateRecord>(caKeys.ca(scope, lastName(key)));
    if (entry !== undefined) records.push(entry.value);
  }
  return records;
}

/** Why a certificate is not by a registered CA, in words about "it"; undefined when it is. */
export function whyNotOf(
  keys: SigningKeys,
  certificate: SignedCertificate,
  { certificatePem }: Pick<CaCertificateRecord, "certificatePem">,
): string | undefined {
  return whyNotSignedBy(keys, certificate, parseCertificates(certificatePem)[0]);
}

/** Which of them signed it. */
export async function issuerOf(
  context: Pick<OperationContext, "store" | "scope"> & { keys: SigningKeys },
  certificate: SignedCertificate,
): Promise<{ ca: CaCertificateRecord } | { ca: undefined; reason: string | undefined }> {
  let reason: string | undefined;
  for (const ca of await casNamed(context, certificate.issuerDigest)) {
    const why = whyNotOf(context.keys, certificate, ca);
    if (why === undefined) return { ca };
    reason = why;
  }
  return { ca: undefined, reason };
}
