import type { CloudService } from "../service.js";
import { taggable } from "../taggable.js";
import { roleAliasKeys } from "./model.js";
import { createRoleAliases, type RoleAliases } from "./service.js";

// What the rest of the cloud may know of role aliases.
export { assumeRole, findSession } from "./credentials.js";
export type { AssumedRole, AssumeRoleInput, FoundSession, SessionQuestion } from "./credentials.js";
export { roleAliasArn } from "./model.js";
export type { RoleAliases } from "./service.js";
export type { SessionClaims } from "./session.js";

/** Role aliases, and credentials for the roles behind them. */
export function createRoleAliasService(options: { isLimited: boolean }): CloudService<RoleAliases> {
  const operations = createRoleAliases(options);
  return {
    name: "role-aliases",
    operations,
    rest: Object.values(operations),
    taggable: [taggable("rolealias", roleAliasKeys.one)],
  };
}
