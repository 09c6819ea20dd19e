import type { StoreOperation } from "../../store/store.js";
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
  generationId: string;
  nowMs: number;
}): StoreOperation[] {
  const { scope, issued, status, certificateMode, origin, generationId, nowMs } = options;
  const record: CertificateRecord = {
    ...issued,
    status,
    certificateMode,
    createdAtMs: nowMs,
    modifiedAtMs: nowMs,
    generationId,
    customerVersion: 1,
    origin,
  };
  return [
    { key: registryKeys.certificate(scope, issued.certificateId), expectedRevision: 0, value: record },
    { key: registryKeys.certificateByTime(scope, nowMs, issued.certificateId), value: null },
  ];
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
