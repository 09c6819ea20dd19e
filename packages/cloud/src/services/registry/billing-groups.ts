import { ThinglineError } from "@thingline/protocol";
import type { StoreEntry, StoreReader } from "../../store/store.js";
import { awsOperation } from "../aws-operation.js";
import { answer, type OperationContext, type Scope } from "../operation.js";
import { lastName, readPage } from "../page.js";
import { hasTags, tagsGone, tagsOfNew } from "../tags/index.js";
import type { BillingGroupRecord } from "./billing-group-model.js";
import { clearBillingGroup } from "./billing-group-sweep.js";
import { arnOf, registryKeys } from "./model.js";

export const createBillingGroup = awsOperation(
  "iot",
  "CreateBillingGroup",
  ["billingGroupName", "billingGroupProperties.billingGroupDescription", "tags.Key", "tags.Value"],
  async (context, { billingGroupName: name, billingGroupProperties, tags }) => {
    const { scope, store, nowMs, random } = context;
    const description = billingGroupProperties?.billingGroupDescription;
    const existing = await findBillingGroup(store, scope, name);
    if (existing !== undefined) {
      const isSameGroup = existing.value.description === description && (await hasTags(context, existing.key, tags));
      if (!isSameGroup) throw groupExists(scope, existing.value);
      return answer(describeCreated(scope, existing.value));
    }
    const group: BillingGroupRecord = {
      billingGroupName: name,
      billingGroupId: random.uuid(),
      ...(description !== undefined && { description }),
      version: 1,
      createdAtMs: nowMs,
    };
    const key = registryKeys.billingGroup(scope, name);
    return {
      result: describeCreated(scope, group),
      operations: [{ key, expectedRevision: 0, value: group }, ...tagsOfNew(key, tags)],
      effects: [],
    };
  },
);

export const describeBillingGroup = awsOperation(
  "iot",
  "DescribeBillingGroup",
  ["billingGroupName"],
  async (context, input) => {
    const { value: group } = await requireBillingGroup(context, input.billingGroupName);
    return answer({
      ...describeCreated(context.scope, group),
      version: group.version,
      billingGroupProperties: {
        ...(group.description !== undefined && { billingGroupDescription: group.description }),
      },
      billingGroupMetadata: { creationDate: group.createdAtMs / 1000 },
    });
  },
);

export const updateBillingGroup = awsOperation(
  "iot",
  "UpdateBillingGroup",
  ["billingGroupName", "billingGroupProperties.billingGroupDescription", "expectedVersion"],
  async (context, input) => {
    const { key, value: group, revision } = await requireBillingGroup(context, input.billingGroupName);
    requireVersion(group, input.expectedVersion);
    const { billingGroupDescription: description } = input.billingGroupProperties;
    const value: BillingGroupRecord = {
      ...group,
      ...(description !== undefined && { description }),
      version: group.version + 1,
    };
    return {
      result: { version: value.version },
      operations: [{ key, expectedRevision: revision, value }],
      effects: [],
    };
  },
);

/** Also one that has things: they leave it. */
export const deleteBillingGroup = awsOperation(
  "iot",
  "DeleteBillingGroup",
  ["billingGroupName", "expectedVersion"],
  async (context, input) => {
    const { scope, store } = context;
    const { billingGroupName: name } = input;
    const entry = await findBillingGroup(store, scope, name);
    if (entry === undefined) return answer({});
    const { key, value: group, revision } = entry;
    requireVersion(group, input.expectedVersion);
    const guardKey = registryKeys.guard(scope, "billingGroup", name);
    const guardRevision = (await store.get(guardKey))?.revision ?? 0;
    const cleared = await clearBillingGroup(context, group);
    return {
      result: {},
      operations: [
        { key, expectedRevision: revision, delete: true as const },
        tagsGone(key),
        { key: guardKey, expectedRevision: guardRevision, delete: true as const },
        ...cleared.operations,
      ],
      effects: cleared.effects,
    };
  },
);

export const listBillingGroups = awsOperation(
  "iot",
  "ListBillingGroups",
  ["nextToken", "maxResults", "namePrefixFilter"],
  async ({ scope, store }, input) => {
    const { entries, nextToken } = await readPage<BillingGroupRecord>(store, {
      prefix: registryKeys.billingGroups(scope),
      token: input.nextToken,
      size: input.maxResults,
      namePrefix: input.namePrefixFilter,
    });
    const billingGroups = entries.map(({ key }) => {
      const groupName = lastName(key);
      return { groupName, groupArn: arnOf.billingGroup(scope, groupName) };
    });
    return answer({ billingGroups, ...(nextToken !== undefined && { nextToken }) });
  },
);

export function findBillingGroup(
  store: StoreReader,
  scope: Scope,
  name: string,
): Promise<StoreEntry<BillingGroupRecord> | undefined> {
  return store.get<BillingGroupRecord>(registryKeys.billingGroup(scope, name));
}

/** @throws {ThinglineError} RESOURCE_NOT_FOUND */
export async function requireBillingGroup(
  { store, scope }: Pick<OperationContext, "store" | "scope">,
  name: string,
): Promise<StoreEntry<BillingGroupRecord>> {
  const entry = await findBillingGroup(store, scope, name);
  if (entry !== undefined) return entry;
  throw new ThinglineError("RESOURCE_NOT_FOUND", `Billing group ${name} not found.`);
}

function requireVersion({ billingGroupName: name, version }: BillingGroupRecord, expected: number | undefined): void {
  if (expected === undefined || expected === version) return;
  const message = `The version for billing group ${name} does not match the expected version.`;
  throw new ThinglineError("VERSION_CONFLICT", message, { details: { version, expected } });
}

function describeCreated(scope: Scope, { billingGroupName: name, billingGroupId }: BillingGroupRecord) {
  return { billingGroupName: name, billingGroupArn: arnOf.billingGroup(scope, name), billingGroupId };
}

function groupExists(scope: Scope, { billingGroupName: name, billingGroupId }: BillingGroupRecord): ThinglineError {
  const details = { resourceId: billingGroupId, resourceArn: arnOf.billingGroup(scope, name) };
  const message = `Billing Group ${name} already exists in current account with different properties`;
  return new ThinglineError("RESOURCE_EXISTS", message, { details });
}
