import type { StoreKey } from "../../store/store.js";
import type { Scope } from "../operation.js";

/** A name by which devices assume a role without knowing it. */
export type RoleAliasRecord = {
  roleAlias: string;
  roleArn: string;
  /** How long credentials are good that are issued from now on. */
  credentialDurationSeconds: number;
  createdAtMs: number;
  modifiedAtMs: number;
};

/** What session credentials of an account and region are made with: who has it can make them. */
export type SessionKeyRecord = { key: Uint8Array };

/** When CreateRoleAlias does not say. @see AWS IoT API reference, CreateRoleAlias */
export const credentialDurationSecondsDefault = 3_600;

/** Of an account and region. @see AWS General Reference, "AWS IoT Core endpoints and quotas", role aliases */
export const roleAliasesMax = 100;

const key = (scope: Scope, ...rest: string[]): StoreKey => [scope.account, scope.region, ...rest];

export const roleAliasKeys = {
  all: (scope: Scope) => key(scope, "roleAlias"),
  one: (scope: Scope, roleAlias: string) => key(scope, "roleAlias", roleAlias),
  /** Whoever adds one expects its revision, so that two at once are not one too many. */
  guard: (scope: Scope) => key(scope, "guard", "roleAliases"),
  sessionKey: (scope: Scope) => key(scope, "sessionKey"),
};

export const roleAliasArn = ({ region, account }: Scope, roleAlias: string): string =>
  `arn:aws:iot:${region}:${account}:rolealias/${roleAlias}`;
