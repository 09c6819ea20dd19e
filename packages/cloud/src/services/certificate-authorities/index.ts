import type { CloudService } from "../service.js";
import { taggable } from "../taggable.js";
import { caKeys } from "./model.js";
import {
  certificateAuthoritiesName,
  createAuthorities,
  createFirstConnections,
  type CertificateAuthorities,
  type CertificateAuthoritiesDependencies,
  type FirstConnections,
} from "./service.js";

// What other services may know of this one.
export { registerSignedCertificate } from "./register-certificate.js";
export type { RegisterSignedInput } from "./register-certificate.js";
export { findCaOfTemplate } from "./registration-config.js";
export type { FindTemplate, NamedTemplate } from "./registration-config.js";
export type { FirstConnectionInput, FirstConnectionVerdict } from "./first-connection.js";
export type { CertificateAuthorities, CertificateAuthoritiesDependencies, FirstConnections } from "./service.js";

export interface CertificateAuthoritiesService extends CloudService<CertificateAuthorities> {
  /** What the gateway asks before and at the CONNECT of a certificate that is not ACTIVE. */
  readonly firstConnections: FirstConnections;
}

/** CAs of the account: registration of what they sign, by request and at the first connection. */
export function createCertificateAuthoritiesService(
  deps: CertificateAuthoritiesDependencies,
  options: { isLimited: boolean },
): CertificateAuthoritiesService {
  const operations = createAuthorities(deps);
  return {
    name: certificateAuthoritiesName,
    operations,
    rest: Object.values(operations),
    taggable: [taggable("cacert", caKeys.ca)],
    firstConnections: createFirstConnections(deps, options),
  };
}
