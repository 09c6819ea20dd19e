import type { UserProperties } from "@thingline/protocol/mqtt";
import type { StoreReader } from "../../store/store.js";
import type { Scope } from "../operation.js";
import { lastName } from "../page.js";
import { livingMemberships } from "./group-directory.js";
import {
  arnOf,
  findCertificate,
  policiesPerTargetMax,
  registryKeys,
  type CertificateRecord,
  type PolicyRecord,
  type PolicyVersionRecord,
  type ThingPrincipalRecord,
  type ThingRecord,
} from "./model.js";
import { enrichmentOf } from "./thing-type-model.js";
import { findThingType } from "./thing-type-of-thing.js";

/** The default version of a policy that speaks for a connection. */
export interface PrincipalPolicy {
  policyName: string;
  versionId: string;
  document: string;
  /** The group of the thing, or one above it, that the policy is attached to; absent for one of the certificate. */
  thingGroupName?: string;
}

/** What a connection may be: its certificate, the policies that speak for it, and the thing that it is. */
export interface Principal {
  certificate: CertificateRecord;
  /** Those of the certificate first. A policy that is attached in several places stands there once. */
  policies: PrincipalPolicy[];
  /** See {@link loadPrincipal}. */
  thing:
    | {
        thingName: string;
        thingTypeName: string | undefined;
        attributes: Record<string, string>;
        /** The certificate is attached to it and to no other. */
        isExclusive: boolean;
      }
    | undefined;
  /** What the thing's type adds to the messages of the connection. */
  enrichment: UserProperties | undefined;
}

/** By which a denial names the policy of a certificate that ends soon: no policy of an account can be called so. */
export const temporaryPolicyName = "(temporary claim)";

/**
 * Loads a principal for one connection. The connection has a thing when the certificate is attached to a thing whose
 * name is the client id, or when it is attached exclusively to one thing, whatever the client id. The policies of that thing's groups,
 * and of all groups above those, speak for it as well.
 * Reads are not one transaction: who must know of later changes listens to `recheckPrincipal` effects.
 *
 * @returns undefined for a certificate that is not registered.
 * @see AWS IoT developer guide, "Thing policy variables", "Exclusive thing" and "Static thing groups"
 */
export async function loadPrincipal(
  store: StoreReader,
  scope: Scope,
  { certificateId, clientId }: { certificateId: string; clientId: string },
): Promise<Principal | undefined> {
  const certificate = await findCertificate(store, scope, certificateId);
  if (certificate === undefined) return undefined;
  const principal = arnOf.certificate(scope, certificateId);
  const policies = await policiesAttached(store, scope, principal);
  const { temporaryPolicyDocument: document } = certificate;
  if (document !== undefined) policies.push({ policyName: temporaryPolicyName, versionId: "1", document });
  const thing = await associatedThing(store, scope, principal, clientId);
  if (thing === undefined) return { certificate, policies, thing: undefined, enrichment: undefined };
  addMissing(policies, await policiesOfGroups(store, scope, thing));
  const { thingName, thingTypeName, attributes, isExclusive } = thing;
  const type = thingTypeName === undefined ? undefined : await findThingType(store, scope, thingTypeName);
  const enrichment = type === undefined ? undefined : enrichmentOf(type.value, thing, clientId);
  return { certificate, policies, thing: { thingName, thingTypeName, attributes, isExclusive }, enrichment };
}

export async function policiesAttached(store: StoreReader, scope: Scope, target: string): Promise<PrincipalPolicy[]> {
  const attached = await store.list(registryKeys.policiesOfTarget(scope, target), { limit: policiesPerTargetMax });
  const policies: PrincipalPolicy[] = [];
  for (const { key: attachment } of attached) {
    const policyName = lastName(attachment);
    const policy = await store.get<PolicyRecord>(registryKeys.policy(scope, policyName));
    if (policy === undefined) continue;
    const versionId = policy.value.defaultVersionId;
    const versionKey = registryKeys.policyVersion(scope, policyName, versionId);
    const version = await store.get<PolicyVersionRecord>(versionKey);
    if (version !== undefined) policies.push({ policyName, versionId, document: version.value.policyDocument });
  }
  return policies;
}

/** Reads nothing for a thing without groups. The group of the thing comes before those above it. */
export async function policiesOfGroups(
  store: StoreReader,
  scope: Scope,
  thing: Pick<ThingRecord, "groups">,
): Promise<PrincipalPolicy[]> {
  const policies: PrincipalPolicy[] = [];
  for (const { group } of await livingMemberships(store, scope, thing)) {
    const names = [...group.ancestors.map(({ thingGroupName: name }) => name), group.thingGroupName].reverse();
    for (const thingGroupName of names) {
      const attached = await policiesAttached(store, scope, arnOf.thingGroup(scope, thingGroupName));
      const ofGroup = attached.map((policy) => ({ ...policy, thingGroupName }));
      addMissing(policies, ofGroup);
    }
  }
  return policies;
}

export function addMissing(policies: PrincipalPolicy[], others: readonly PrincipalPolicy[]): void {
  for (const other of others) {
    if (!policies.some(({ policyName }) => policyName === other.policyName)) policies.push(other);
  }
}

async function associatedThing(
  store: StoreReader,
  scope: Scope,
  principal: string,
  clientId: string,
): Promise<(ThingRecord & { isExclusive: boolean }) | undefined> {
  const named = await store.get<ThingPrincipalRecord>(registryKeys.thingOfPrincipal(scope, principal, clientId));
  const thingName = named === undefined ? await exclusiveThing(store, scope, principal) : clientId;
  if (thingName === undefined) return undefined;
  const thing = await store.get<ThingRecord>(registryKeys.thing(scope, thingName));
  const isExclusive = named === undefined || named.value.thingPrincipalType === "EXCLUSIVE_THING";
  return thing && { ...thing.value, isExclusive };
}

async function exclusiveThing(store: StoreReader, scope: Scope, principal: string): Promise<string | undefined> {
  const prefix = registryKeys.thingsOfPrincipal(scope, principal);
  const [first] = await store.list<ThingPrincipalRecord>(prefix, { limit: 1 });
  return first?.value.thingPrincipalType === "EXCLUSIVE_THING" ? lastName(first.key) : undefined;
}
