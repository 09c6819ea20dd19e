import { arnOf, certificateIdOfArn, registryKeys } from "./services/registry/model.js";
import type { CertificateRecord, PolicyRecord } from "./services/registry/model.js";
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

  const seeCertificate = (key: StoreKey, { certificateId, certificatePem, createdAtMs }: CertificateRecord) => {
    const scope = scopeOf(key);
    wanted.push([registryKeys.certificateByTime(scope, createdAtMs, certificateId), key]);
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
      if (kind === "certificate" && key.length === 4) seeCertificate(key, value as CertificateRecord);
      else if (kind === "certificateByTime") want(registryKeys.certificate(scope, other));
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
      } else if (kind === "targetOfPolicy") want(registryKeys.policyOfTarget(scope, other, name));
      else if (kind === "principalOfThing") {
        want(registryKeys.thingOfPrincipal(scope, other, name));
        want(registryKeys.thing(scope, name));
        wantCertificate(scope, other, want);
      } else if (kind === "thingOfPrincipal") want(registryKeys.principalOfThing(scope, other, name));
    },

    *dangling() {
      yield* faults;
      for (const [other, from] of wanted) {
        if (!seen.has(show(other))) yield `the record ${show(from)} refers to ${show(other)}, which is not there`;
      }
    },
  };
}

function wantCertificate(scope: ReturnType<typeof scopeOf>, target: string, want: (other: StoreKey) => void): void {
  if (!target.startsWith(arnOf.certificate(scope, ""))) return;
  const certificateId = certificateIdOfArn(scope, target);
  want(registryKeys.certificate(scope, certificateId ?? target));
}

const scopeOf = ([account, region]: StoreKey) => ({ account: String(account), region: String(region) });
const show = (key: StoreKey) => JSON.stringify(key);
