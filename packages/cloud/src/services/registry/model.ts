import type { StoreKey, StoreReader } from "../../store/store.js";
import type { Scope } from "../operation.js";

/** Of its sagas. */
export const registryServiceName = "registry";

/** What makes or registers certificates: an operation of AWS by its name, or a way of provisioning. */
export type CertificateSource =
  | "CreateKeysAndCertificate"
  | "CreateCertificateFromCsr"
  | "RegisterCertificate"
  | "RegisterCertificateWithoutCA"
  /** With keys of the cloud or for a request, over MQTT. */
  | "fleet-provisioning"
  /** The short-lived claim of a trusted user. */
  | "provisioning-claim"
  /** A certificate resource of a template: by RegisterThing, or by a registration task. */
  | "RegisterThing"
  | "bulk-registration"
  /** The first connection with a certificate of a registered CA. */
  | "just-in-time-registration"
  | "just-in-time-provisioning"
  | "split-provisioning"
  /** Another account of the same cloud gave it away. */
  | "TransferCertificate"
  | "rotation";

/** Where a certificate came from: nothing that may connect stays unexplained. */
export type CertificateOrigin = {
  source: CertificateSource;
  atMs: number;
  /** Who asked, when a device did. */
  clientId?: string;
  /** The certificate that the asking device was connected with. */
  claimCertificateId?: string;
  /** The provisioning template that made it, or that it was registered by. */
  templateName?: string;
  /** The registration task of `bulk-registration`. */
  taskId?: string;
  /** Who signed it instead of the local cloud's own CA. */
  certificateProviderName?: string;
  /** Of `TransferCertificate`: whose it was. */
  fromAccount?: string;
};

export type CertificateStatus =
  | "ACTIVE"
  | "INACTIVE"
  | "REVOKED"
  | "PENDING_TRANSFER"
  | "REGISTER_INACTIVE"
  | "PENDING_ACTIVATION";

export type CertificateRecord = {
  certificateId: string;
  certificatePem: string;
  /** Only ACTIVE may connect. */
  status: CertificateStatus;
  certificateMode: "DEFAULT" | "SNI_ONLY";
  notBeforeMs: number;
  notAfterMs: number;
  createdAtMs: number;
  modifiedAtMs: number;
  generationId: string;
  customerVersion: number;
  origin: CertificateOrigin;
  /** The registered CA that signed it, where that was looked at: RegisterCertificate, and registration at the first connection. */
  caCertificateId?: string;
  /** All that it may do besides what its policies say. Only one that ends soon has it: it stands in no list. */
  temporaryPolicyDocument?: string;
  /**
   * Unix time of the first connection with it that was accepted: only then does anybody know that its holder has the key. `null`: issued
   * and never proved. Absent: made by a version that kept no proofs, so nobody knows.
   */
  provedAtMs?: number | null;
  /** Of a connection, to the day: the next one is only written after `lastConnectionKeptMs`. */
  lastConnectedAtMs?: number;
  /** On its way to another account or from one, or what became of that. */
  transfer?: CertificateTransfer;
  /** Another certificate of the same thing took its place, and this one ends being ACTIVE. */
  replacedBy?: CertificateReplacement;
};

export type CertificateTransfer = {
  atMs: number;
  message?: string;
  /** Where it goes: on the side of the account that gives it away, while that is not decided. */
  toAccount?: string;
  /** Where it came from: on the side of the account that gets it, also afterwards. */
  fromAccount?: string;
  acceptedAtMs?: number;
  rejectedAtMs?: number;
  rejectReason?: string;
};

/** Set when the new certificate was proved. */
export type CertificateReplacement = {
  certificateId: string;
  atMs: number;
  /** When the old one is set INACTIVE, if the new one is still ACTIVE then. */
  inactiveAtMs: number;
};

/** A connection of a certificate is written at most once in so long. */
export const lastConnectionKeptMs = 86_400_000;

/** Certificates whose lives one answer tells. */
export const certificateLivesPageMax = 250;

/** Both certificates of a rotation are ACTIVE for so long after the new one was proved. */
export const rotationOverlapDefaultMs = 3_600_000;

export type ThingRecord = {
  thingName: string;
  thingId: string;
  thingTypeName?: string;
  /** Counts while there is a group of that name with the id of {@link billingGroupId}. */
  billingGroupName?: string;
  billingGroupId?: string;
  attributes: { [name: string]: string };
  version: number;
  createdAtMs: number;
  /**
   * The groups that it was put into, in the order of its doing so, at most `groupsPerThingMax` that live: one that names a group that
   * is gone, or another of the same name, is void. They stand here because whoever connects reads the thing anyway.
   */
  groups?: readonly ThingMembership[];
};

export type ThingMembership = { thingGroupName: string; thingGroupId: string; membershipId: string };

/** By what a dynamic group has its things. */
export type DynamicGroupQuery = { indexName: string; queryString: string; queryVersion: string };

/** A thing group. Its place in the hierarchy is for life. */
export type ThingGroupRecord = {
  thingGroupName: string;
  thingGroupId: string;
  /** From the root down to its parent. */
  ancestors: readonly { thingGroupName: string; thingGroupId: string }[];
  description?: string;
  attributes: { [name: string]: string };
  version: number;
  createdAtMs: number;
  /** Of a dynamic group; `queryId` is another with each query, so that what was found for one before does not count. */
  dynamic?: DynamicGroupQuery & { queryId: string; status: "BUILDING" | "REBUILDING" | "ACTIVE" };
};

/** Where a thing is below a group: in which one it is itself. */
export type ThingBelowGroupRecord = { thingGroupId: string };

export type DeletedGroupRecord = Pick<ThingGroupRecord, "thingGroupName" | "thingGroupId" | "ancestors">;

export type PolicyRecord = {
  policyName: string;
  defaultVersionId: string;
  /** The number that the next version gets; never used twice. */
  nextVersion: number;
  createdAtMs: number;
  modifiedAtMs: number;
  generationId: string;
};

export type PolicyVersionRecord = { versionId: string; policyDocument: string; createdAtMs: number };

export type ThingPrincipalType = "EXCLUSIVE_THING" | "NON_EXCLUSIVE_THING";
export type ThingPrincipalRecord = { thingPrincipalType: ThingPrincipalType };

export const policyVersionsMax = 5;
export const policiesPerTargetMax = 10;
export const policiesPerGroupMax = 2;
export const attributesWithoutTypeMax = 3;
export const attributesWithTypeMax = 50;
export const attributesPerGroupMax = 50;
export const groupsPerThingMax = 10;
/** Levels of a hierarchy of groups, the root's included. */
export const groupLevelsMax = 7;
export const childGroupsMax = 100;
export const dynamicGroupsMax = 100;

const key = (scope: Scope, ...rest: (string | number)[]): StoreKey => [scope.account, scope.region, ...rest];

type GuardedKind = "thing" | "certificate" | "policy" | "thingGroup" | "thingType" | "billingGroup";

/**
 * Every key of the registry. A guard is a record without content: who adds a child of a record writes the record's
 * guard, who deletes the record expects the guard's revision. So nothing is attached to what is being deleted, and
 * two that attach do not get in each other's way.
 */
export const registryKeys = {
  things: (scope: Scope) => key(scope, "thing"),
  thing: (scope: Scope, thingName: string) => key(scope, "thing", thingName),
  certificate: (scope: Scope, certificateId: string) => key(scope, "certificate", certificateId),
  certificatesByTime: (scope: Scope) => key(scope, "certificateByTime"),
  certificateByTime: (scope: Scope, createdAtMs: number, certificateId: string) =>
    key(scope, "certificateByTime", createdAtMs, certificateId),
  certificatesByCa: (scope: Scope, caCertificateId: string) => key(scope, "certificateByCa", caCertificateId),
  certificateByCa: (scope: Scope, caCertificateId: string, createdAtMs: number, certificateId: string) =>
    key(scope, "certificateByCa", caCertificateId, createdAtMs, certificateId),
  /** Given away, and not accepted yet. */
  outgoingCertificates: (scope: Scope) => key(scope, "outgoingCertificate"),
  outgoingCertificate: (scope: Scope, transferredAtMs: number, certificateId: string) =>
    key(scope, "outgoingCertificate", transferredAtMs, certificateId),
  /** That another account has it now, as long as it has it. */
  transferredCertificate: (scope: Scope, certificateId: string) => key(scope, "transferredCertificate", certificateId),
  certificateProviders: (scope: Scope) => key(scope, "certificateProvider"),
  certificateProvider: (scope: Scope, name: string) => key(scope, "certificateProvider", name),
  certificateProvidersGuard: (scope: Scope) => key(scope, "guard", "certificateProviders"),
  /** Those of a CA that wait for their activation. */
  pendingOfCa: (scope: Scope, caCertificateId: string) => key(scope, "pendingOfCa", caCertificateId),
  pendingCertificate: (scope: Scope, caCertificateId: string, certificateId: string) =>
    key(scope, "pendingOfCa", caCertificateId, certificateId),
  policy: (scope: Scope, policyName: string) => key(scope, "policy", policyName),
  policiesByTime: (scope: Scope) => key(scope, "policyByTime"),
  policyByTime: (scope: Scope, createdAtMs: number, policyName: string) =>
    key(scope, "policyByTime", createdAtMs, policyName),
  policyVersions: (scope: Scope, policyName: string) => key(scope, "policyVersion", policyName),
  policyVersion: (scope: Scope, policyName: string, versionId: string) =>
    key(scope, "policyVersion", policyName, Number(versionId)),
  policiesOfTarget: (scope: Scope, target: string) => key(scope, "policyOfTarget", target),
  policyOfTarget: (scope: Scope, target: string, policyName: string) =>
    key(scope, "policyOfTarget", target, policyName),
  targetsOfPolicy: (scope: Scope, policyName: string) => key(scope, "targetOfPolicy", policyName),
  targetOfPolicy: (scope: Scope, policyName: string, target: string) =>
    key(scope, "targetOfPolicy", policyName, target),
  principalsOfThing: (scope: Scope, thingName: string) => key(scope, "principalOfThing", thingName),
  principalOfThing: (scope: Scope, thingName: string, principal: string) =>
    key(scope, "principalOfThing", thingName, principal),
  thingsOfPrincipal: (scope: Scope, principal: string) => key(scope, "thingOfPrincipal", principal),
  thingOfPrincipal: (scope: Scope, principal: string, thingName: string) =>
    key(scope, "thingOfPrincipal", principal, thingName),
  thingGroups: (scope: Scope) => key(scope, "thingGroup"),
  thingGroup: (scope: Scope, thingGroupName: string) => key(scope, "thingGroup", thingGroupName),
  rootGroups: (scope: Scope) => key(scope, "rootGroup"),
  rootGroup: (scope: Scope, thingGroupName: string) => key(scope, "rootGroup", thingGroupName),
  childGroups: (scope: Scope, parentName: string) => key(scope, "childGroup", parentName),
  childGroup: (scope: Scope, parentName: string, thingGroupName: string) =>
    key(scope, "childGroup", parentName, thingGroupName),
  descendantGroups: (scope: Scope, ancestorName: string) => key(scope, "descendantGroup", ancestorName),
  descendantGroup: (scope: Scope, ancestorName: string, thingGroupName: string) =>
    key(scope, "descendantGroup", ancestorName, thingGroupName),
  dynamicGroups: (scope: Scope) => key(scope, "dynamicGroup"),
  dynamicGroup: (scope: Scope, thingGroupName: string) => key(scope, "dynamicGroup", thingGroupName),
  dynamicGroupsGuard: (scope: Scope) => key(scope, "guard", "dynamicGroups"),
  // By the id, as what a deleted group leaves behind is cleared away bit by bit, and its name may be another's then.
  thingsOfGroup: (scope: Scope, thingGroupId: string) => key(scope, "thingOfGroup", thingGroupId),
  thingOfGroup: (scope: Scope, thingGroupId: string, thingName: string) =>
    key(scope, "thingOfGroup", thingGroupId, thingName),
  /** Nothing is stored there: the list is made from the thing's record, and this is what its tokens are of. */
  groupsOfThing: (scope: Scope, thingName: string) => key(scope, "groupOfThing", thingName),
  /** Of the group and of every one below it. A thing is in one group of a hierarchy, so it is there once. */
  thingsBelowGroup: (scope: Scope, thingGroupId: string) => key(scope, "thingBelowGroup", thingGroupId),
  thingBelowGroup: (scope: Scope, thingGroupId: string, thingName: string) =>
    key(scope, "thingBelowGroup", thingGroupId, thingName),
  /** What there is still to clear away of a group. */
  deletedGroup: (scope: Scope, thingGroupId: string) => key(scope, "deletedGroup", thingGroupId),
  thingTypes: (scope: Scope) => key(scope, "thingType"),
  thingType: (scope: Scope, thingTypeName: string) => key(scope, "thingType", thingTypeName),
  thingsOfType: (scope: Scope, thingTypeName: string) => key(scope, "thingOfType", thingTypeName),
  thingOfType: (scope: Scope, thingTypeName: string, thingName: string) =>
    key(scope, "thingOfType", thingTypeName, thingName),
  billingGroups: (scope: Scope) => key(scope, "billingGroup"),
  billingGroup: (scope: Scope, billingGroupName: string) => key(scope, "billingGroup", billingGroupName),
  // By the id, as with thing groups.
  thingsOfBillingGroup: (scope: Scope, billingGroupId: string) => key(scope, "thingOfBillingGroup", billingGroupId),
  thingOfBillingGroup: (scope: Scope, billingGroupId: string, thingName: string) =>
    key(scope, "thingOfBillingGroup", billingGroupId, thingName),
  /** Things are still to be taken out of it. */
  deletedBillingGroup: (scope: Scope, billingGroupId: string) => key(scope, "deletedBillingGroup", billingGroupId),
  encryptionConfiguration: (scope: Scope) => key(scope, "encryptionConfiguration"),
  eventConfigurations: (scope: Scope) => key(scope, "eventConfigurations"),
  guard: (scope: Scope, kind: GuardedKind, name: string) => key(scope, "guard", kind, name),
};

export const arnOf = {
  thing: (scope: Scope, thingName: string) => arn(scope, `thing/${thingName}`),
  certificate: (scope: Scope, certificateId: string) => arn(scope, `cert/${certificateId}`),
  caCertificate: (scope: Scope, caCertificateId: string) => arn(scope, `cacert/${caCertificateId}`),
  certificateProvider: (scope: Scope, name: string) => arn(scope, `certificateprovider:${name}`),
  policy: (scope: Scope, policyName: string) => arn(scope, `policy/${policyName}`),
  thingGroup: (scope: Scope, thingGroupName: string) => arn(scope, `thinggroup/${thingGroupName}`),
  thingType: (scope: Scope, thingTypeName: string) => arn(scope, `thingtype/${thingTypeName}`),
  billingGroup: (scope: Scope, billingGroupName: string) => arn(scope, `billinggroup/${billingGroupName}`),
};

const arn = (scope: Scope, resource: string) => `arn:aws:iot:${scope.region}:${scope.account}:${resource}`;

/** The certificate id of a principal ARN of this account and region, or undefined. */
export function certificateIdOfArn(scope: Scope, principal: string): string | undefined {
  const prefix = arnOf.certificate(scope, "");
  const certificateId = principal.startsWith(prefix) ? principal.slice(prefix.length) : "";
  return /^[a-f0-9]{64}$/.test(certificateId) ? certificateId : undefined;
}

/** The name of a group by an ARN of this account and region, or undefined. */
export function thingGroupOfArn(scope: Scope, arn: string): string | undefined {
  const prefix = arnOf.thingGroup(scope, "");
  return arn.startsWith(prefix) && arn.length > prefix.length ? arn.slice(prefix.length) : undefined;
}

/** The name of a billing group by an ARN of this account and region, or undefined. */
export function billingGroupOfArn(scope: Scope, arn: string): string | undefined {
  const prefix = arnOf.billingGroup(scope, "");
  return arn.startsWith(prefix) && arn.length > prefix.length ? arn.slice(prefix.length) : undefined;
}

/** Looks a certificate up by its id: the lower-case hex SHA-256 of its DER. */
export async function findCertificate(
  store: StoreReader,
  scope: Scope,
  certificateId: string,
): Promise<CertificateRecord | undefined> {
  return (await store.get<CertificateRecord>(registryKeys.certificate(scope, certificateId)))?.value;
}
