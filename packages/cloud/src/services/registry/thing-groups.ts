import { ThinglineError } from "@thingline/protocol";
import type { StoreEntry, StoreOperation, StoreValue } from "../../store/store.js";
import type { ThingGroupProperties } from "../../model/types/iot.js";
import { awsOperation, type InputOf } from "../aws-operation.js";
import { answer, type OperationContext, type Outcome, type Scope } from "../operation.js";
import { lastName, readPage } from "../page.js";
import { hasTags, tagsGone, tagsOfNew } from "../tags/index.js";
import { isSame, updateAttributes, withoutEmpty } from "./attributes.js";
import { groupEvent, hierarchyEvents, publishEvents } from "./events.js";
import { findGroup, requireGroup } from "./group-directory.js";
import { placesOfGroup } from "./group-records.js";
import { clearGroup } from "./group-sweep.js";
import {
  arnOf,
  attributesPerGroupMax,
  childGroupsMax,
  groupLevelsMax,
  policiesPerGroupMax,
  registryKeys,
  type ThingGroupRecord,
} from "./model.js";
import { recheckTarget } from "./recheck.js";
import { detachPolicyOperations } from "./records.js";

const invalid = (message: string, details = {}) => new ThinglineError("REQUEST_INVALID", message, { details });

export const createThingGroup = awsOperation(
  "iot",
  "CreateThingGroup",
  [
    "thingGroupName",
    "parentGroupName",
    "thingGroupProperties.thingGroupDescription",
    "thingGroupProperties.attributePayload.attributes",
    "thingGroupProperties.attributePayload.merge",
    ...(["tags.Key", "tags.Value"] as const),
  ],
  async (context, input) => {
    const { scope, store, nowMs, random } = context;
    const { thingGroupName: name, parentGroupName, thingGroupProperties: properties } = input;
    const attributes = withoutEmpty(properties?.attributePayload?.attributes ?? {});
    requireFewAttributes(attributes);
    const parent = parentGroupName === undefined ? undefined : await requireGroup(context, parentGroupName);
    const existing = await findGroup(store, scope, name);
    if (existing !== undefined) {
      const { description, ancestors } = existing.value;
      const isSameGroup =
        existing.value.dynamic === undefined &&
        ancestors.at(-1)?.thingGroupName === parentGroupName &&
        description === properties?.thingGroupDescription &&
        isSame(existing.value.attributes, attributes) &&
        (await hasTags(context, existing.key, input.tags));
      if (!isSameGroup) throw groupExists(scope, existing.value);
      return answer(describeCreated(scope, existing.value));
    }
    const group: ThingGroupRecord = {
      thingGroupName: name,
      thingGroupId: random.uuid(),
      ancestors: parent === undefined ? [] : [...parent.value.ancestors, nameAndId(parent.value)],
      ...(properties?.thingGroupDescription !== undefined && { description: properties.thingGroupDescription }),
      attributes,
      version: 1,
      createdAtMs: nowMs,
    };
    const events = [groupEvent(scope, "CREATED", group), ...hierarchyEvents("ADDED", group)];
    return {
      result: describeCreated(scope, group),
      operations: [
        { key: registryKeys.thingGroup(scope, name), expectedRevision: 0, value: group },
        ...tagsOfNew(registryKeys.thingGroup(scope, name), input.tags),
        ...placesOfGroup(scope, group).map((key) => ({ key, value: null })),
        ...(parent === undefined ? [] : await belowParent(context, parent)),
      ],
      effects: await publishEvents(context, events),
    };
  },
);

const nameAndId = ({ thingGroupName, thingGroupId }: ThingGroupRecord) => ({ thingGroupName, thingGroupId });

/** The parent is still there, and two that are made below it at once do not exceed its maximum together. */
async function belowParent(
  { store, scope }: OperationContext,
  { key, value: parent, revision }: StoreEntry<ThingGroupRecord>,
): Promise<StoreOperation[]> {
  const { thingGroupName: name } = parent;
  if (parent.dynamic !== undefined) throw isDynamic(parent, "part of a hierarchy");
  const levels = parent.ancestors.length + 1;
  if (levels >= groupLevelsMax) {
    throw invalid(`A hierarchy of thing groups has at most ${groupLevelsMax} levels; ${name} is on the last one`, {
      groupLevelsMax,
    });
  }
  const guardKey = registryKeys.guard(scope, "thingGroup", name);
  const guardRevision = (await store.get(guardKey))?.revision ?? 0;
  const children = await store.list(registryKeys.childGroups(scope, name), { limit: childGroupsMax });
  if (children.length >= childGroupsMax) {
    throw invalid(`Thing group ${name} has the maximum of ${childGroupsMax} child groups`, { childGroupsMax });
  }
  return [
    { key, expectedRevision: revision, check: true },
    { key: guardKey, expectedRevision: guardRevision, value: null },
  ];
}

export const describeThingGroup = awsOperation(
  "iot",
  "DescribeThingGroup",
  ["thingGroupName"],
  async (context, input) => {
    const { scope } = context;
    const { value: group } = await requireGroup(context, input.thingGroupName);
    const parent = group.ancestors.at(-1);
    return answer({
      ...describeCreated(scope, group),
      version: group.version,
      thingGroupProperties: {
        ...(group.description !== undefined && { thingGroupDescription: group.description }),
        attributePayload: { attributes: group.attributes },
      },
      thingGroupMetadata: {
        ...(parent !== undefined && { parentGroupName: parent.thingGroupName }),
        rootToParentThingGroups: group.ancestors.map((above) => listed(scope, above.thingGroupName)),
        creationDate: group.createdAtMs / 1000,
      },
      ...(group.dynamic !== undefined && describeQuery(group.dynamic)),
    });
  },
);

export const updateThingGroup = awsOperation(
  "iot",
  "UpdateThingGroup",
  [
    "thingGroupName",
    "thingGroupProperties.thingGroupDescription",
    "thingGroupProperties.attributePayload.attributes",
    "thingGroupProperties.attributePayload.merge",
    "expectedVersion",
  ],
  async (context, input) => {
    const { key, value: group, revision } = await requireGroup(context, input.thingGroupName);
    if (group.dynamic !== undefined) throw isDynamic(group, "updated by UpdateThingGroup");
    requireVersion(group, input.expectedVersion);
    const value = withProperties(group, input.thingGroupProperties);
    return {
      result: { version: value.version },
      operations: [{ key, expectedRevision: revision, value }],
      effects: await publishEvents(context, [groupEvent(context.scope, "UPDATED", value)]),
    };
  },
);

/** With what an update says of it. */
export function withProperties(
  group: ThingGroupRecord,
  { thingGroupDescription: description, attributePayload }: ThingGroupProperties,
): ThingGroupRecord {
  const attributes = updateAttributes(group.attributes, attributePayload);
  requireFewAttributes(attributes);
  return { ...group, ...(description !== undefined && { description }), attributes, version: group.version + 1 };
}

/** Its things leave it, and its policies no longer count. @param watchers services that hear of each thing */
export function deleteThingGroupOperation(watchers: readonly string[]) {
  return awsOperation("iot", "DeleteThingGroup", ["thingGroupName", "expectedVersion"], async (context, input) => {
    const entry = await findGroup(context.store, context.scope, input.thingGroupName);
    if (entry === undefined) return answer({});
    if (entry.value.dynamic !== undefined) throw isDynamic(entry.value, "deleted by DeleteThingGroup");
    requireVersion(entry.value, input.expectedVersion);
    return deleteGroup(context, entry, watchers);
  });
}

/** Of a static group, or of a dynamic one. */
export async function deleteGroup(
  context: OperationContext,
  { key, value: group, revision }: StoreEntry<ThingGroupRecord>,
  watchers: readonly string[],
): Promise<Outcome<Readonly<Record<never, never>>>> {
  const { scope, store } = context;
  const { thingGroupName: name } = group;
  const guardKey = registryKeys.guard(scope, "thingGroup", name);
  const guardRevision = (await store.get(guardKey))?.revision ?? 0;
  const [child] = await store.list(registryKeys.childGroups(scope, name), { limit: 1 });
  if (child !== undefined) {
    throw invalid(`Cannot delete thing group : ${name} when there are still child groups attached to it`);
  }
  const policies = await policiesGone(context, name);
  const cleared = await clearGroup(context, group, watchers);
  const events = [...cleared.events, ...hierarchyEvents("REMOVED", group), groupEvent(scope, "DELETED", group)];
  return {
    result: {},
    operations: [
      { key, expectedRevision: revision, delete: true as const },
      tagsGone(key),
      { key: guardKey, expectedRevision: guardRevision, delete: true as const },
      ...placesOfGroup(scope, group).map((place) => ({ key: place, delete: true as const })),
      ...(group.dynamic === undefined ? [] : [{ key: registryKeys.dynamicGroup(scope, name), delete: true as const }]),
      ...policies.operations,
      ...cleared.operations,
    ],
    effects: [...policies.effects, ...cleared.effects, ...(await publishEvents(context, events))],
  };
}

/** A static group's operations leave dynamic ones alone. */
export function isDynamic({ thingGroupName }: ThingGroupRecord, what: string): ThinglineError {
  return invalid(`Thing group ${thingGroupName} is a dynamic thing group, which cannot be ${what}`);
}

async function policiesGone(context: OperationContext, name: string) {
  const { scope, store } = context;
  const target = arnOf.thingGroup(scope, name);
  const attached = await store.list(registryKeys.policiesOfTarget(scope, target), { limit: policiesPerGroupMax });
  return {
    operations: attached.flatMap(({ key }) => detachPolicyOperations(scope, lastName(key), target)),
    effects: attached.length === 0 ? [] : await recheckTarget(context, target),
  };
}

/**
 * Without `parentGroup` every group, or those without a parent when `recursive` is false; with it those directly below, or all below when
 * `recursive` is true.
 */
export const listThingGroups = awsOperation(
  "iot",
  "ListThingGroups",
  ["nextToken", "maxResults", "parentGroup", "namePrefixFilter", "recursive"],
  async (context, input) => {
    const { scope, store } = context;
    if (input.parentGroup !== undefined) await requireGroup(context, input.parentGroup);
    const { entries, nextToken } = await readPage<StoreValue>(store, {
      prefix: listPrefix(scope, input),
      token: input.nextToken,
      size: input.maxResults,
      namePrefix: input.namePrefixFilter,
    });
    const thingGroups = entries.map(({ key }) => listed(scope, lastName(key)));
    return answer({ thingGroups, ...(nextToken !== undefined && { nextToken }) });
  },
);

function listPrefix(scope: Scope, { parentGroup, recursive }: InputOf<"iot", "ListThingGroups">) {
  if (parentGroup === undefined) {
    return recursive === false ? registryKeys.rootGroups(scope) : registryKeys.thingGroups(scope);
  }
  return recursive === true
    ? registryKeys.descendantGroups(scope, parentGroup)
    : registryKeys.childGroups(scope, parentGroup);
}

/** As lists of groups name one. */
export function listed(scope: Scope, name: string) {
  return { groupName: name, groupArn: arnOf.thingGroup(scope, name) };
}

function describeQuery({ indexName, queryString, queryVersion, status }: NonNullable<ThingGroupRecord["dynamic"]>) {
  return { indexName, queryString, queryVersion, status };
}

export function describeCreated(scope: Scope, { thingGroupName: name, thingGroupId }: ThingGroupRecord) {
  return { thingGroupName: name, thingGroupArn: arnOf.thingGroup(scope, name), thingGroupId };
}

export function requireFewAttributes(attributes: Record<string, string>): void {
  const count = Object.keys(attributes).length;
  if (count <= attributesPerGroupMax) return;
  throw invalid(`A thing group can have ${attributesPerGroupMax} attributes, got ${count}`, { count });
}

export function requireVersion(group: ThingGroupRecord, expected: number | undefined): void {
  if (expected === undefined || expected === group.version) return;
  const message = `The version for thing group ${group.thingGroupName} does not match the expected version.`;
  throw new ThinglineError("VERSION_CONFLICT", message, { details: { version: group.version, expected } });
}

export function groupExists(scope: Scope, { thingGroupName: name, thingGroupId }: ThingGroupRecord): ThinglineError {
  const details = { resourceId: thingGroupId, resourceArn: arnOf.thingGroup(scope, name) };
  const message = `Thing Group ${name} already exists in current account with different properties`;
  return new ThinglineError("RESOURCE_EXISTS", message, { details });
}
