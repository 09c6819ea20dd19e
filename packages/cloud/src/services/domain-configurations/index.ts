import type { CloudService } from "../service.js";
import { domainConfigurationsServiceName, domainKeys, type DomainConfigurationRecord } from "./model.js";
import {
  createDomainConfigurations,
  type DomainConfigurations,
  type DomainConfigurationsDependencies,
} from "./service.js";

// What the gateway and other services may know of this one.
export { defaultDomainName, findDomain, findDomainOfAuthorizer } from "./model.js";
export type { DomainConfigurationRecord } from "./model.js";
export { defaultSecurityPolicy, securityPolicies } from "./security-policies.js";
export type { SecurityPolicy } from "./security-policies.js";
export type { DomainConfigurations } from "./service.js";

/** Domain configurations: what the server names of the endpoint stand for. */
export function createDomainConfigurationsService(
  deps: DomainConfigurationsDependencies,
): CloudService<DomainConfigurations> {
  const operations = createDomainConfigurations(deps);
  return {
    name: domainConfigurationsServiceName,
    operations,
    rest: Object.values(operations),
    taggable: [
      {
        resource: /^domainconfiguration\/([\w.:-]{1,128})(?:\/(\w{1,10}))?$/,
        keyOf: (scope, name) => domainKeys.one(scope, name),
        isOf: ({ arnSuffix }: DomainConfigurationRecord, _name, suffix) => arnSuffix === suffix,
      },
    ],
  };
}
