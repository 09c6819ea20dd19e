import type { StoreEntry, StoreKey, StoreOperation } from "../../store/store.js";
import type { Scope } from "../operation.js";
import type { IssuedCertificate } from "./certificate-issuer.js";
import { registryKeys, type CertificateOrigin, type CertificateRecord, type ThingPrincipalRecord } from "./model.js";

// What is written for what. Whoever writes it has looked before whether it may be.

/** The record of a certificate that was just issued or registered, and its place in the list. */
export function newCertificate(options: {
  scope: Scope;
  issued: IssuedCertificate;
  status: CertificateRecord["status"];
  certificateMode: CertificateRecord["certificateMode"];
  origin: CertificateOrigin;
  caCertificateId?: string | undefined;
  temporaryPolicyDocument?: string | undefined;
  generationId: string;
  nowMs: number;
}): StoreOperation[] {
  const { scope, issued, status, certificateMode, origin, caCertificateId, generationId, nowMs } = options;
  const { temporaryPolicyDocument } = options;
  const { certificateId } = issued;
  const record: CertificateRecord = {
    ...issued,
    status,
    certificateMode,
    createdAtMs: nowMs,
    modifiedAtMs: nowMs,
    generationId,
    customerVersion: 1,
    origin,
    ...(caCertificateId !== undefined && { caCertificateId }),
    ...(temporaryPolicyDocument !== undefined && { temporaryPolicyDocument }),
    provedAtMs: null,
  };
  const key = registryKeys.certificate(scope, certificateId);
  return [
    { key, expectedRevision: 0, value: record },
    ...listKeysOf(scope, record).map((listKey) => ({ key: listKey, value: null })),
    // One that the account gave away and registers again can be given away again.
    { key: registryKeys.transferredCertificate(scope, certificateId), delete: true },
  ];
}

/** What goes with the record of a certificate: its places in lists. */
export function unlistCertificate(scope: Scope, record: Listed): StoreOperation[] {
  return listKeysOf(scope, record).map((key) => ({ key, delete: true }));
}

/** A certificate gets another status. */
export function changeStatus(
  scope: Scope,
  { value: before, revision }: StoreEntry<CertificateRecord>,
  value: CertificateRecord,
): StoreOperation[] {
  const key = registryKeys.certificate(scope, value.certificateId);
  const pendingKey = pendingKeyOf(scope, before);
  return [
    { key, expectedRevision: revision, value },
    ...(pendingKey === undefined ? [] : [{ key: pendingKey, delete: true as const }]),
  ];
}

type Listed = Pick<
  CertificateRecord,
  "certificateId" | "createdAtMs" | "caCertificateId" | "status" | "temporaryPolicyDocument"
>;

/** The places of a certificate in lists; one that is not AWS's to list has none. */
export function listKeysOf(scope: Scope, record: Listed): StoreKey[] {
  const { certificateId, createdAtMs, caCertificateId, temporaryPolicyDocument } = record;
  if (temporaryPolicyDocument !== undefined) return [];
  const byTime = registryKeys.certificateByTime(scope, createdAtMs, certificateId);
  if (caCertificateId === undefined) return [byTime];
  const byCa = registryKeys.certificateByCa(scope, caCertificateId, createdAtMs, certificateId);
  const pending = pendingKeyOf(scope, record);
  return pending === undefined ? [byTime, byCa] : [byTime, byCa, pending];
}

/** A certificate never comes back to waiting for its activation. */
function pendingKeyOf(scope: Scope, { certificateId, caCertificateId, status }: Listed): StoreKey | undefined {
  if (caCertificateId === undefined || status !== "PENDING_ACTIVATION") return undefined;
  return registryKeys.pendingCertificate(scope, caCertificateId, certificateId);
}

/** The attachment both ways, and the policy's guard. */
export function attachPolicyOperations(scope: Scope, name: string, target: string): StoreOperation[] {
  return [
    { key: registryKeys.guard(scope, "policy", name), value: null },
    { key: registryKeys.policyOfTarget(scope, target, name), value: null },
    { key: registryKeys.targetOfPolicy(scope, name, target), value: null },
  ];
}

export function detachPolicyOperations(scope: Scope, policyName: string, target: string): StoreOperation[] {
  return [
    { key: registryKeys.policyOfTarget(scope, target, policyName), delete: true },
    { key: registryKeys.targetOfPolicy(scope, policyName, target), delete: true },
  ];
}

/** The attachment both ways, and the thing's guard. */
export function attachThingOperations(
  scope: Scope,
  name: string,
  arn: string,
  type: ThingPrincipalRecord["thingPrincipalType"],
): StoreOperation[] {
  const value: ThingPrincipalRecord = { thingPrincipalType: type };
  return [
    { key: registryKeys.guard(scope, "thing", name), value: null },
    { key: registryKeys.principalOfThing(scope, name, arn), value },
    { key: registryKeys.thingOfPrincipal(scope, arn, name), value },
  ];
}

export function detachThingOperations(scope: Scope, name: string, arn: string): StoreOperation[] {
  return [
    { key: registryKeys.principalOfThing(scope, name, arn), delete: true },
    { key: registryKeys.thingOfPrincipal(scope, arn, name), delete: true },
  ];
}
