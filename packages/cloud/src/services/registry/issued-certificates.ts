import { ThinglineError } from "@thingline/protocol";
import { iterate } from "../../store/iterate.js";
import type { StoreOperation } from "../../store/store.js";
import type { Operation, OperationContext } from "../operation.js";
import { lastName } from "../page.js";
import type { IssuedCertificate } from "./certificate-issuer.js";
import { arnOf, registryKeys, type CertificateOrigin, type CertificateRecord } from "./model.js";
import { policiesOf, requirePolicy } from "./policies.js";
import {
  attachPolicyOperations,
  attachThingOperations,
  detachPolicyOperations,
  detachThingOperations,
  newCertificate,
  unlistCertificate,
} from "./records.js";
import { requireThing } from "./thing-directory.js";
import { endTransfer } from "./transfer-records.js";

// Operations that AWS does not have: for services of the cloud that issue certificates and let go of them. They are called with what a
// service decided, never with what a client sent.

export interface AddCertificateInput {
  issued: IssuedCertificate;
  status: CertificateRecord["status"];
  origin: Omit<CertificateOrigin, "atMs">;
  /** Default `DEFAULT`. */
  certificateMode?: CertificateRecord["certificateMode"];
  /** The registered CA that signed it. */
  caCertificateId?: string | undefined;
  /**
   * All that may be done with it, besides what it is attached to: for one that whoever issues it will discard. It stands in no list, and
   * neither does the policy.
   */
  temporaryPolicyDocument?: string;
  /** What it is attached to from the beginning. */
  policyName?: string;
  thingName?: string;
}

/**
 * A certificate that was issued a moment ago, or was seen for the first time: nobody can be connected with it, so nobody's rights are
 * looked at again. The one door by which services add certificates.
 *
 * @throws {ThinglineError} RESOURCE_EXISTS with AWS's `resourceId` and `resourceArn`, RESOURCE_NOT_FOUND for its policy or thing.
 */
export const addCertificate: Operation<AddCertificateInput, void> = async (context, input) => {
  const { scope, random, nowMs } = context;
  const { issued, status, origin, certificateMode = "DEFAULT", caCertificateId, policyName, thingName } = input;
  const { temporaryPolicyDocument } = input;
  await requireNoCertificate(context, issued.certificateId);
  const arn = arnOf.certificate(scope, issued.certificateId);
  const operations = newCertificate({
    ...{ scope, issued, status, nowMs, certificateMode, caCertificateId, temporaryPolicyDocument },
    origin: { ...origin, atMs: nowMs },
    generationId: random.uuid(),
  });
  if (policyName !== undefined) {
    const { key, revision } = await requirePolicy(context, policyName);
    operations.push(
      { key, expectedRevision: revision, check: true },
      ...attachPolicyOperations(scope, policyName, arn),
    );
  }
  if (thingName !== undefined) {
    const { key, revision } = await requireThing(context, thingName);
    operations.push({ key, expectedRevision: revision, check: true });
    operations.push(...attachThingOperations(scope, thingName, arn, "NON_EXCLUSIVE_THING"));
  }
  return { result: undefined, operations, effects: [] };
};

/** @throws {ThinglineError} RESOURCE_EXISTS */
export async function requireNoCertificate(
  { store, scope }: Pick<OperationContext, "store" | "scope">,
  certificateId: string,
): Promise<void> {
  if ((await store.get(registryKeys.certificate(scope, certificateId))) === undefined) return;
  const details = { resourceId: certificateId, resourceArn: arnOf.certificate(scope, certificateId) };
  throw new ThinglineError("RESOURCE_EXISTS", "The certificate is already provisioned or registered", { details });
}

/**
 * A certificate and all its attachments, whatever its status. Nothing happens when somebody deleted it before. Not AWS's: for services of
 * the cloud that let go of a certificate of their own.
 */
export const discardCertificate: Operation<{ certificateId: string }, void> = async (context, { certificateId }) => {
  const { scope, store } = context;
  const entry = await store.get<CertificateRecord>(registryKeys.certificate(scope, certificateId));
  if (entry === undefined) return { result: undefined, operations: [], effects: [] };
  const arn = arnOf.certificate(scope, certificateId);
  const guardKey = registryKeys.guard(scope, "certificate", certificateId);
  const guardRevision = (await store.get(guardKey))?.revision ?? 0;
  const operations: StoreOperation[] = [
    { key: registryKeys.certificate(scope, certificateId), expectedRevision: entry.revision, delete: true },
    ...unlistCertificate(scope, entry.value),
    ...(await endTransfer(context, entry.value)),
    { key: guardKey, expectedRevision: guardRevision, delete: true },
  ];
  for (const name of await policiesOf(context, arn)) operations.push(...detachPolicyOperations(scope, name, arn));
  for await (const { key } of iterate(store, registryKeys.thingsOfPrincipal(scope, arn))) {
    operations.push(...detachThingOperations(scope, lastName(key), arn));
  }
  return { result: undefined, operations, effects: [{ type: "recheckPrincipal", certificateId }] };
};

/** How many certificates of a CA wait for their activation, up to a number. */
export async function countPending(
  { store, scope }: Pick<OperationContext, "store" | "scope">,
  caCertificateId: string,
  countMax: number,
): Promise<number> {
  return (await store.list(registryKeys.pendingOfCa(scope, caCertificateId), { limit: countMax })).length;
}
