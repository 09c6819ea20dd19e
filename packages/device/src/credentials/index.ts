export {
  createRoleCredentials,
  roleCredentialsBytesMax,
  roleCredentialsRefreshMs,
  roleCredentialsTimeoutMsDefault,
} from "./role-credentials.js";
export type {
  RoleCredentials,
  RoleCredentialsOptions,
  RoleCredentialsProvider,
  RoleCredentialsRequest,
} from "./role-credentials.js";
export { customAuthorizer } from "./custom-authorizer.js";
export type { CustomAuthorizerOptions, CustomAuthorizerSettings } from "./custom-authorizer.js";
