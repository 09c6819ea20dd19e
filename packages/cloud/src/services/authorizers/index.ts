import type { CloudService } from "../service.js";
import { taggable } from "../taggable.js";
import { authorizerKeys, authorizersServiceName } from "./model.js";
import { createAuthorizers, type Authorizers, type AuthorizersDependencies } from "./service.js";

// What the gateway may know of this service.
export type { Authenticated } from "./answer.js";
export { authenticate, isAsItWas } from "./authenticate.js";
export type { AuthenticateDependencies, Authentication, AuthorizerChoice } from "./authenticate.js";
export { authorizerNameKey, Credentials } from "./credentials.js";
export type { Presented } from "./credentials.js";
export { authorizerKeys, claimAuthorizer, findAuthorizer, findDefaultAuthorizerName } from "./model.js";
export type { AuthorizerRecord } from "./model.js";
export type { Authorizers, FindDomainOfAuthorizer } from "./service.js";

/** Custom authorizers: functions that say who a client is. */
export function createAuthorizersService(deps: AuthorizersDependencies): CloudService<Authorizers> {
  const operations = createAuthorizers(deps);
  return {
    name: authorizersServiceName,
    operations,
    rest: Object.values(operations),
    taggable: [taggable("authorizer", authorizerKeys.one)],
  };
}
