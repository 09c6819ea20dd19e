import { authorizerKeys } from "./services/authorizers/model.js";
import { domainKeys, type DomainConfigurationRecord } from "./services/domain-configurations/model.js";
import { caKeys, placesOfCa, type CaCertificateRecord } from "./services/certificate-authorities/model.js";
import { resourceOfTags } from "./services/tags/model.js";
import { commandKeys } from "./services/commands/model.js";
import { templateKeys, type TemplateRecord } from "./services/fleet-provisioning/model.js";
import { packageKeys, type PackageRecord, type PackageVersionRecord } from "./services/packages/model.js";
import { sbomKeys, type SbomValidation } from "./services/packages/sbom-model.js";
import { pendingKeys, type PendingOfClientRecord } from "./services/fleet-provisioning/pending-model.js";
import type { BillingGroupRecord } from "./services/registry/billing-group-model.js";
import { listKeysOf } from "./services/registry/records.js";
import { placesOfGroup } from "./services/registry/group-records.js";
import { arnOf, certificateIdOfArn, registryKeys, thingGroupOfArn } from "./services/registry/model.js";
import type {
  CertificateRecord,
  PolicyRecord,
  ThingBelowGroupRecord,
  ThingGroupRecord,
  ThingRecord,
} from "./services/registry/model.js";
import { ruleKeys, type DestinationRecord } from "./services/rules/model.js";
import type { StoreEntry, StoreKey } from "./store/store.js";

/** Remembers what refers to what in the registry, entry by entry, and tells what leads nowhere. */
export interface ReferenceCheck {
  see(entry: StoreEntry): void;
  /** One sentence for each. */
  dangling(): Iterable<string>;
}

/**
 * @param certificateIdOf the id that the PEM of a certificate record should have; throws for what is no certificate.
 */
export function createReferenceCheck(certificateIdOf: (certificatePem: string) => string): ReferenceCheck {
  const seen = new Set<string>();
  /** What a record needs: the other's key, and its own. */
  const wanted: [other: StoreKey, from: StoreKey][] = [];
  const faults: string[] = [];

  const seeCertificate = (key: StoreKey, record: CertificateRecord) => {
    const { certificateId, certificatePem } = record;
    const scope = scopeOf(key);
    for (const place of listKeysOf(scope, record)) wanted.push([place, key]);
    const { toAccount, atMs = 0 } = record.transfer ?? {};
    if (toAccount !== undefined) {
      wanted.push([registryKeys.certificate({ ...scope, account: toAccount }, certificateId), key]);
      wanted.push([registryKeys.outgoingCertificate(scope, atMs, certificateId), key]);
    }
    try {
      if (certificateId !== key[3] || certificateIdOf(certificatePem) !== certificateId) {
        faults.push(`the record ${show(key)} has the certificate of another id`);
      }
    } catch {
      faults.push(`the record ${show(key)} has no certificate`);
    }
  };

  return {
    see({ key, value }) {
      seen.add(show(key));
      const [, , kind, first, second] = key;
      const scope = scopeOf(key);
      const want = (other: StoreKey) => wanted.push([other, key]);
      const name = String(first);
      const other = String(second);
      const tagged = resourceOfTags(key);
      if (tagged !== undefined) want(tagged);
      else if (kind === "certificate" && key.length === 4) seeCertificate(key, value as CertificateRecord);
      else if (kind === "topicRuleDestination") {
        want(ruleKeys.destinationByUrl(scope, (value as DestinationRecord).confirmationUrl));
      } else if (kind === "topicRuleDestinationUrl") want(ruleKeys.destination(scope, (value as { id: string }).id));
      else if (kind === "defaultAuthorizer") {
        want(authorizerKeys.one(scope, (value as { authorizerName: string }).authorizerName));
      } else if (kind === "domainConfiguration") {
        const { domainName, authorizerConfig } = value as DomainConfigurationRecord;
        if (domainName !== undefined) want(domainKeys.byName(scope, domainName));
        const authorizer = authorizerConfig?.defaultAuthorizerName;
        if (authorizer !== undefined) want(authorizerKeys.one(scope, authorizer));
      } else if (kind === "domainName") {
        want(domainKeys.one(scope, (value as { domainConfigurationName: string }).domainConfigurationName));
      } else if (kind === "certificateByTime") want(registryKeys.certificate(scope, other));
      else if (kind === "certificateByCa") want(registryKeys.certificate(scope, String(key[5])));
      else if (kind === "pendingOfCa" || kind === "outgoingCertificate") {
        want(registryKeys.certificate(scope, other));
      } else if (kind === "caCertificate") {
        for (const place of placesOfCa(scope, value as CaCertificateRecord)) want(place);
      } else if (kind === "caCertificateByTime" || kind === "caCertificateBySubject") want(caKeys.ca(scope, other));
      else if (kind === "caCertificateByTemplate") want(caKeys.ca(scope, String(key[5])));
      else if (kind === "commandByTime") want(commandKeys.command(scope, other));
      else if (kind === "commandToken") want(commandKeys.execution(scope, value as string));
      else if (executionLists.includes(String(kind))) want(commandKeys.execution(scope, String(key.at(-1))));
      else if (kind === "policy" && key.length === 4) {
        const { defaultVersionId, createdAtMs } = value as PolicyRecord;
        want(registryKeys.policyVersion(scope, name, defaultVersionId));
        want(registryKeys.policyByTime(scope, createdAtMs, name));
      } else if (kind === "policyByTime") want(registryKeys.policy(scope, other));
      else if (kind === "policyVersion") want(registryKeys.policy(scope, name));
      else if (kind === "policyOfTarget") {
        want(registryKeys.targetOfPolicy(scope, other, name));
        want(registryKeys.policy(scope, other));
        wantCertificate(scope, name, want);
        const group = thingGroupOfArn(scope, name);
        if (group !== undefined) want(registryKeys.thingGroup(scope, group));
      } else if (kind === "targetOfPolicy") want(registryKeys.policyOfTarget(scope, other, name));
      else if (kind === "principalOfThing") {
        want(registryKeys.thingOfPrincipal(scope, other, name));
        want(registryKeys.thing(scope, name));
        wantCertificate(scope, other, want);
      } else if (kind === "thingOfPrincipal") want(registryKeys.principalOfThing(scope, other, name));
      else if (kind === "thing" && key.length === 4) {
        const { groups = [], thingTypeName, billingGroupId } = value as ThingRecord;
        for (const { thingGroupId } of groups) want(registryKeys.thingOfGroup(scope, thingGroupId, name));
        if (thingTypeName !== undefined) {
          want(registryKeys.thingType(scope, thingTypeName));
          want(registryKeys.thingOfType(scope, thingTypeName, name));
        }
        if (billingGroupId !== undefined) want(registryKeys.thingOfBillingGroup(scope, billingGroupId, name));
      } else if (kind === "thingOfType") {
        want(registryKeys.thingType(scope, name));
        want(registryKeys.thing(scope, other));
      } else if (kind === "billingGroup") {
        seen.add(show(idOfBillingGroup(scope, (value as BillingGroupRecord).billingGroupId)));
      } else if (kind === "deletedBillingGroup") seen.add(show(idOfBillingGroup(scope, name)));
      else if (kind === "thingOfBillingGroup") {
        want(idOfBillingGroup(scope, name));
        want(registryKeys.thing(scope, other));
      } else if (kind === "thingGroup") {
        const group = value as ThingGroupRecord;
        seen.add(show(idOfGroup(scope, group.thingGroupId)));
        for (const place of placesOfGroup(scope, group)) want(place);
      } else if (kind === "deletedGroup") seen.add(show(idOfGroup(scope, name)));
      else if (kind === "rootGroup") want(registryKeys.thingGroup(scope, name));
      else if (kind === "childGroup" || kind === "descendantGroup") {
        want(registryKeys.thingGroup(scope, name));
        want(registryKeys.thingGroup(scope, other));
      } else if (kind === "thingOfGroup") want(idOfGroup(scope, name));
      else if (kind === "thingBelowGroup") {
        want(registryKeys.thingOfGroup(scope, (value as ThingBelowGroupRecord).thingGroupId, other));
      } else if (kind === "provisioningTemplate") {
        want(templateKeys.version(scope, name, (value as TemplateRecord).defaultVersionId));
      } else if (kind === "package") {
        const { defaultVersionName } = value as PackageRecord;
        if (defaultVersionName !== undefined) want(packageKeys.version(scope, name, defaultVersionName));
      } else if (kind === "packageVersion") {
        const { sbom } = value as PackageVersionRecord;
        want(packageKeys.package(scope, name));
        if (sbom?.status === "IN_PROGRESS") want(sbomKeys.validation(scope, sbom.id));
      } else if (kind === "sbomResult") want(packageKeys.version(scope, name, other));
      else if (kind === "sbomValidation") {
        const { packageName, versionName } = value as SbomValidation;
        want(packageKeys.version(scope, packageName, versionName));
      } else if (kind === "provisioningTemplateVersion") want(templateKeys.template(scope, name));
      else if (kind === "pendingOfClient") {
        for (const digest of value as PendingOfClientRecord) want(pendingKeys.token(scope, digest));
      }
    },

    *dangling() {
      yield* faults;
      for (const [other, from] of wanted) {
        if (!seen.has(show(other))) yield `the record ${show(from)} refers to ${show(other)}, which is not there`;
      }
    },
  };
}

/** Lists whose keys end with the id of a command's execution. */
const executionLists = ["commandExecutionByStart", "commandExecutionByEnd", "commandExecutionOpen"];

function wantCertificate(scope: ReturnType<typeof scopeOf>, target: string, want: (other: StoreKey) => void): void {
  if (!target.startsWith(arnOf.certificate(scope, ""))) return;
  const certificateId = certificateIdOfArn(scope, target);
  want(registryKeys.certificate(scope, certificateId ?? target));
}

/** No record has this key: it stands for the group with the id, which may be one that is still being cleared away. */
const idOfGroup = ({ account, region }: ReturnType<typeof scopeOf>, thingGroupId: string): StoreKey => [
  account,
  region,
  "thingGroupId",
  thingGroupId,
];

/** As {@link idOfGroup}, of a billing group. */
const idOfBillingGroup = ({ account, region }: ReturnType<typeof scopeOf>, billingGroupId: string): StoreKey => [
  account,
  region,
  "billingGroupId",
  billingGroupId,
];

const scopeOf = ([account, region]: StoreKey) => ({ account: String(account), region: String(region) });
const show = (key: StoreKey) => JSON.stringify(key);
