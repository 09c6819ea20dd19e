import { ThinglineError } from "@thingline/protocol";
import { answer, type Operation, type OperationContext } from "../operation.js";
import { lastName, readPage } from "../page.js";
import { arnOf, certificateLivesPageMax, registryKeys, type CertificateRecord } from "./model.js";

/** Things that are told of one certificate. */
const thingsToldMax = 10;

/** Not AWS's: what is known of the life of one certificate. Times are Unix milliseconds. */
export interface CertificateLife {
  certificateId: string;
  status: CertificateRecord["status"];
  createdAtMs: number;
  notAfterMs: number;
  origin: CertificateRecord["origin"];
  /** Of the first connection; `null`: issued and never proved; absent: made by a version that kept no proofs, and not connected since. */
  provedAtMs?: number | null;
  /** Of a connection, to the day. */
  lastConnectedAtMs?: number;
  replacedBy?: CertificateRecord["replacedBy"];
  /** The first ten. */
  thingNames: string[];
}

export interface CertificateLivesPage {
  certificates: CertificateLife[];
  /** Of the next page; absent on the last one. */
  nextToken?: string;
}

/** In the order in which they were made. */
export const listCertificateLives: Operation<{ nextToken?: string; pageSize?: number }, CertificateLivesPage> = async (
  context,
  { nextToken: token, pageSize = certificateLivesPageMax },
) => {
  const { scope, store } = context;
  if (!Number.isSafeInteger(pageSize) || pageSize < 1 || pageSize > certificateLivesPageMax) {
    throw new ThinglineError("REQUEST_INVALID", `pageSize must be 1 to ${certificateLivesPageMax}`);
  }
  const prefix = registryKeys.certificatesByTime(scope);
  const { entries, nextToken } = await readPage(store, { prefix, token, size: pageSize });
  const certificates: CertificateLife[] = [];
  for (const { key } of entries) {
    const entry = await store.get<CertificateRecord>(registryKeys.certificate(scope, lastName(key)));
    // Deleted between the two reads.
    if (entry !== undefined) certificates.push(await lifeOf(context, entry.value));
  }
  return answer({ certificates, ...(nextToken !== undefined && { nextToken }) });
};

export async function lifeOf(
  { scope, store }: Pick<OperationContext, "scope" | "store">,
  certificate: CertificateRecord,
): Promise<CertificateLife> {
  const { certificateId, status, createdAtMs, notAfterMs, origin } = certificate;
  const { provedAtMs, lastConnectedAtMs, replacedBy } = certificate;
  const arn = arnOf.certificate(scope, certificateId);
  const things = await store.list(registryKeys.thingsOfPrincipal(scope, arn), { limit: thingsToldMax });
  return {
    ...{ certificateId, status, createdAtMs, notAfterMs, origin },
    ...(provedAtMs !== undefined && { provedAtMs }),
    ...(lastConnectedAtMs !== undefined && { lastConnectedAtMs }),
    ...(replacedBy !== undefined && { replacedBy }),
    thingNames: things.map(({ key }) => lastName(key)),
  };
}

/** Whether a certificate is attached to a thing. */
export const isOfThing: Operation<{ certificateId: string; thingName: string }, boolean> = async (
  { scope, store },
  { certificateId, thingName },
) => {
  const arn = arnOf.certificate(scope, certificateId);
  return answer((await store.get(registryKeys.thingOfPrincipal(scope, arn, thingName))) !== undefined);
};
