import { ThinglineError } from "@thingline/protocol";
import type { StoreEntry } from "../../store/store.js";
import { awsOperation } from "../aws-operation.js";
import { answer, type OperationContext } from "../operation.js";
import { lastName, readPage } from "../page.js";
import { tagsGone, tagsOfNew } from "../tags/index.js";
import {
  credentialDurationSecondsDefault,
  roleAliasArn,
  roleAliasesMax,
  roleAliasKeys,
  type RoleAliasRecord,
} from "./model.js";

type Reader = Pick<OperationContext, "store" | "scope">;

/** @throws {ThinglineError} RESOURCE_NOT_FOUND */
export async function requireRoleAlias({ store, scope }: Reader, name: string): Promise<StoreEntry<RoleAliasRecord>> {
  const entry = await store.get<RoleAliasRecord>(roleAliasKeys.one(scope, name));
  if (entry !== undefined) return entry;
  throw new ThinglineError("RESOURCE_NOT_FOUND", `Role alias ${name} does not exist`);
}

/** AWS looks the role up; here it has to look like one. */
function requireRoleArn(roleArn: string): void {
  if (/^arn:aws[a-z-]*:iam::\d{12}:role\/[\x21-\x7e]+$/.test(roleArn)) return;
  throw new ThinglineError(
    "REQUEST_INVALID",
    "roleArn is not the ARN of an IAM role: arn:aws:iam::<account>:role/<name>",
  );
}

export type RoleAliases = ReturnType<typeof createRoleAliases>;

/** Role aliases. Members are the operations of AWS IoT by their names. */
export function createRoleAliases({ isLimited }: { isLimited: boolean }) {
  return {
    createRoleAlias: createRoleAliasOperation(isLimited),
    describeRoleAlias,
    updateRoleAlias,
    deleteRoleAlias,
    listRoleAliases,
  };
}

function createRoleAliasOperation(isLimited: boolean) {
  return awsOperation(
    "iot",
    "CreateRoleAlias",
    ["roleAlias", "roleArn", "credentialDurationSeconds", "tags.Key", "tags.Value"],
    async ({ store, scope, nowMs }, input) => {
      const { roleAlias, roleArn, credentialDurationSeconds = credentialDurationSecondsDefault } = input;
      requireRoleArn(roleArn);
      const resourceArn = roleAliasArn(scope, roleAlias);
      if ((await store.get(roleAliasKeys.one(scope, roleAlias))) !== undefined) {
        const details = { resourceId: roleAlias, resourceArn };
        throw new ThinglineError("RESOURCE_EXISTS", `Role alias ${roleAlias} already exists`, { details });
      }
      const guard = roleAliasKeys.guard(scope);
      const expectedRevision = (await store.get(guard))?.revision ?? 0;
      if (isLimited) {
        const all = await store.list(roleAliasKeys.all(scope), { limit: roleAliasesMax });
        if (all.length >= roleAliasesMax) {
          const message = `An account has ${roleAliasesMax} role aliases at the most`;
          throw new ThinglineError("QUOTA_EXCEEDED", message, { details: { roleAliasesMax } });
        }
      }
      const value: RoleAliasRecord = {
        ...{ roleAlias, roleArn, credentialDurationSeconds },
        ...{ createdAtMs: nowMs, modifiedAtMs: nowMs },
      };
      const key = roleAliasKeys.one(scope, roleAlias);
      const operations = [
        { key, expectedRevision: 0, value },
        { key: guard, expectedRevision, value: null },
        ...tagsOfNew(key, input.tags),
      ];
      return { result: { roleAlias, roleAliasArn: resourceArn }, operations, effects: [] };
    },
  );
}

export const describeRoleAlias = awsOperation("iot", "DescribeRoleAlias", ["roleAlias"], async (context, input) => {
  const { value } = await requireRoleAlias(context, input.roleAlias);
  const { roleAlias, roleArn, credentialDurationSeconds, createdAtMs, modifiedAtMs } = value;
  return answer({
    roleAliasDescription: {
      ...{ roleAlias, roleArn, credentialDurationSeconds },
      roleAliasArn: roleAliasArn(context.scope, roleAlias),
      owner: context.scope.account,
      creationDate: createdAtMs / 1_000,
      lastModifiedDate: modifiedAtMs / 1_000,
    },
  });
});

/** Credentials that were issued stay as they are. */
export const updateRoleAlias = awsOperation(
  "iot",
  "UpdateRoleAlias",
  ["roleAlias", "roleArn", "credentialDurationSeconds"],
  async (context, input) => {
    const { key, value: before, revision } = await requireRoleAlias(context, input.roleAlias);
    const { roleArn = before.roleArn, credentialDurationSeconds = before.credentialDurationSeconds } = input;
    requireRoleArn(roleArn);
    const { roleAlias } = before;
    const value: RoleAliasRecord = { ...before, roleArn, credentialDurationSeconds, modifiedAtMs: context.nowMs };
    const result = { roleAlias, roleAliasArn: roleAliasArn(context.scope, roleAlias) };
    return { result, operations: [{ key, expectedRevision: revision, value }], effects: [] };
  },
);

export const deleteRoleAlias = awsOperation("iot", "DeleteRoleAlias", ["roleAlias"], async (context, input) => {
  const { key, revision } = await requireRoleAlias(context, input.roleAlias);
  const operations = [{ key, expectedRevision: revision, delete: true as const }, tagsGone(key)];
  return { result: {}, operations, effects: [] };
});

/** By name. AWS says what ascending order is, and nothing of the other: it is the default. */
export const listRoleAliases = awsOperation(
  "iot",
  "ListRoleAliases",
  ["pageSize", "marker", "ascendingOrder"],
  async ({ store, scope }, { pageSize, marker, ascendingOrder }) => {
    const { entries, nextToken } = await readPage<RoleAliasRecord>(store, {
      prefix: roleAliasKeys.all(scope),
      token: marker,
      tokenName: "marker",
      size: pageSize,
      order: ascendingOrder === true ? "ascending" : "descending",
    });
    const roleAliases = entries.map(({ key }) => lastName(key));
    return answer({ roleAliases, ...(nextToken !== undefined && { nextMarker: nextToken }) });
  },
);
