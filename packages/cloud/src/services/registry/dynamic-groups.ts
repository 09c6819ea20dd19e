import { ThinglineError } from "@thingline/protocol";
import type { ThingGroupProperties } from "../../model/types/iot.js";
import { answer, type Operation, type OperationContext, type Outcome } from "../operation.js";
import { hasTags, tagsOfNew, type GivenTags } from "../tags/index.js";
import { isSame, withoutEmpty } from "./attributes.js";
import { groupEvent, publishEvents } from "./events.js";
import { findGroup, livingMemberships, requireGroup } from "./group-directory.js";
import { byAge, moveThing, type Member } from "./group-membership.js";
import { placesOfGroup } from "./group-records.js";
import {
  dynamicGroupsMax,
  groupsPerThingMax,
  registryKeys,
  type DynamicGroupQuery,
  type ThingGroupRecord,
  type ThingRecord,
} from "./model.js";
import {
  deleteGroup,
  describeCreated,
  groupExists,
  requireFewAttributes,
  requireVersion,
  withProperties,
} from "./thing-groups.js";

// Dynamic groups as the registry keeps them. Whoever searches says which things are in them, by `followDynamicGroups`.

export interface NewDynamicGroup extends DynamicGroupQuery {
  readonly thingGroupName: string;
  readonly thingGroupProperties: ThingGroupProperties | undefined;
  readonly tags: GivenTags | undefined;
}

/** The same again is as good as the first time. */
export const createDynamicGroup: Operation<NewDynamicGroup, ReturnType<typeof describeCreated>> = async (
  context,
  { thingGroupName: name, thingGroupProperties: properties, tags, indexName, queryString, queryVersion },
) => {
  const { scope, store, nowMs, random } = context;
  const attributes = withoutEmpty(properties?.attributePayload?.attributes ?? {});
  requireFewAttributes(attributes);
  const key = registryKeys.thingGroup(scope, name);
  const existing = await findGroup(store, scope, name);
  if (existing !== undefined) {
    const { description, dynamic } = existing.value;
    const isSameGroup =
      dynamic?.queryString === queryString &&
      description === properties?.thingGroupDescription &&
      isSame(existing.value.attributes, attributes) &&
      (await hasTags(context, existing.key, tags));
    if (!isSameGroup) throw groupExists(scope, existing.value);
    return answer(describeCreated(scope, existing.value));
  }
  const guardKey = registryKeys.dynamicGroupsGuard(scope);
  const guardRevision = (await store.get(guardKey))?.revision ?? 0;
  if ((await store.list(registryKeys.dynamicGroups(scope), { limit: dynamicGroupsMax })).length >= dynamicGroupsMax) {
    const message = `There are ${dynamicGroupsMax} dynamic thing groups, which is the maximum`;
    throw new ThinglineError("QUOTA_EXCEEDED", message, { details: { dynamicGroupsMax } });
  }
  const group: ThingGroupRecord = {
    ...{ thingGroupName: name, thingGroupId: random.uuid(), ancestors: [] },
    ...(properties?.thingGroupDescription !== undefined && { description: properties.thingGroupDescription }),
    ...{ attributes, version: 1, createdAtMs: nowMs },
    dynamic: { indexName, queryString, queryVersion, queryId: random.uuid(), status: "BUILDING" },
  };
  return {
    result: describeCreated(scope, group),
    operations: [
      { key, expectedRevision: 0, value: group },
      ...tagsOfNew(key, tags),
      ...placesOfGroup(scope, group).map((place) => ({ key: place, value: null })),
      { key: registryKeys.dynamicGroup(scope, name), value: null },
      // Two that are made at once do not exceed the maximum together.
      { key: guardKey, expectedRevision: guardRevision, value: null },
    ],
    effects: await publishEvents(context, [groupEvent(scope, "CREATED", group)]),
  };
};

export interface DynamicGroupChange {
  readonly thingGroupName: string;
  readonly thingGroupProperties: ThingGroupProperties;
  readonly expectedVersion: number | undefined;
  /** Undefined: as it was. */
  readonly query: Partial<DynamicGroupQuery>;
}

/** @throws {ThinglineError} REQUEST_INVALID for a static group, and for one whose things are being looked for */
export const updateDynamicGroup: Operation<DynamicGroupChange, { version: number }> = async (context, input) => {
  const { key, value: group, revision } = await requireDynamic(context, input.thingGroupName);
  requireVersion(group, input.expectedVersion);
  const { dynamic } = group;
  if (dynamic.status !== "ACTIVE") {
    const message = `Dynamic thing group ${group.thingGroupName} cannot be updated while it is ${dynamic.status}`;
    throw new ThinglineError("REQUEST_INVALID", message);
  }
  const changed = { ...dynamic, ...input.query };
  const isSameQuery = changed.queryString === dynamic.queryString;
  const value: ThingGroupRecord = {
    ...withProperties(group, input.thingGroupProperties),
    dynamic: isSameQuery ? changed : { ...changed, queryId: context.random.uuid(), status: "REBUILDING" },
  };
  return {
    result: { version: value.version },
    operations: [{ key, expectedRevision: revision, value }],
    effects: await publishEvents(context, [groupEvent(context.scope, "UPDATED", value)]),
  };
};

type DynamicGroupRecord = ThingGroupRecord & { dynamic: NonNullable<ThingGroupRecord["dynamic"]> };

async function requireDynamic(context: OperationContext, name: string) {
  const { key, value, revision } = await requireGroup(context, name);
  if (value.dynamic !== undefined) return { key, value: value as DynamicGroupRecord, revision };
  throw new ThinglineError("REQUEST_INVALID", `Thing group ${name} is not a dynamic thing group`);
}

export interface DynamicGroupOperations {
  deleteDynamicGroup: Operation<
    { thingGroupName: string; expectedVersion: number | undefined },
    Readonly<Record<never, never>>
  >;
  followDynamicGroups: Operation<FollowedThing, FollowedGroups>;
}

export interface FollowedThing {
  readonly thingName: string;
  /** Of every dynamic group whose query the thing meets. */
  readonly groups: readonly { readonly thingGroupName: string; readonly queryId: string }[];
  /** Of every query that the thing was held against. What it has of groups with others, of another node or newer, it keeps. */
  readonly queryIds: ReadonlySet<string>;
}

export interface FollowedGroups {
  /** Groups that had no room for the thing. */
  readonly refused: readonly string[];
}

/** @param watchers services that hear of each thing */
export function dynamicGroupOperations(watchers: readonly string[]): DynamicGroupOperations {
  return {
    /** A group that there is not is deleted. */
    async deleteDynamicGroup(context, { thingGroupName, expectedVersion }) {
      if ((await findGroup(context.store, context.scope, thingGroupName)) === undefined) return answer({});
      const entry = await requireDynamic(context, thingGroupName);
      requireVersion(entry.value, expectedVersion);
      return deleteGroup(context, entry, watchers);
    },
    followDynamicGroups: (context, input) => follow(context, input, watchers),
  };
}

/** Static groups stay. Where there is no room for all, the oldest dynamic groups have it, as on AWS. */
async function follow(
  context: OperationContext,
  { thingName, groups, queryIds }: FollowedThing,
  watchers: readonly string[],
): Promise<Outcome<FollowedGroups>> {
  const { store, scope, random } = context;
  const entry = await store.get<ThingRecord>(registryKeys.thing(scope, thingName));
  if (entry === undefined) return answer({ refused: [] });
  const living: Member[] = await livingMemberships(store, scope, entry.value);
  const met: Member[] = [];
  const checks = [];
  for (const { thingGroupName, queryId } of groups) {
    const found = await findGroup(store, scope, thingGroupName);
    // Another query is looked for by then.
    if (found?.value.dynamic?.queryId !== queryId) continue;
    const { thingGroupId } = found.value;
    const member = living.find(({ group }) => group.thingGroupId === thingGroupId);
    const membership = member?.membership ?? { thingGroupName, thingGroupId, membershipId: random.uuid() };
    met.push(member ?? { group: found.value, membership });
    checks.push({ key: found.key, expectedRevision: found.revision, check: true as const });
  }
  const fixed = living.filter(({ group }) => group.dynamic === undefined || !queryIds.has(group.dynamic.queryId));
  const room = Math.max(0, groupsPerThingMax - fixed.length);
  const byAgeMet = met.toSorted(byAge);
  const members = [...fixed, ...byAgeMet.slice(0, room)];
  const refused = byAgeMet.slice(room).map(({ group }) => group.thingGroupName);
  if (members.length === living.length && members.every((member) => living.includes(member)))
    return answer({ refused });
  const { operations, effects } = await moveThing(context, entry, { living, members, watchers });
  return { result: { refused }, operations: [...operations, ...checks], effects };
}

/** All things that meet the query have been found. */
export const completeDynamicGroup: Operation<{ thingGroupName: string; queryId: string }, void> = async (
  { store, scope },
  { thingGroupName, queryId },
) => {
  const entry = await findGroup(store, scope, thingGroupName);
  const dynamic = entry?.value.dynamic;
  if (entry === undefined || dynamic?.queryId !== queryId || dynamic.status === "ACTIVE") return answer(undefined);
  const value: ThingGroupRecord = { ...entry.value, dynamic: { ...dynamic, status: "ACTIVE" } };
  return { result: undefined, operations: [{ key: entry.key, expectedRevision: entry.revision, value }], effects: [] };
};

/** Whether there is one. */
export const hasDynamicGroups: Operation<void, boolean> = async ({ store, scope }) =>
  answer((await store.list(registryKeys.dynamicGroups(scope), { limit: 1 })).length > 0);
