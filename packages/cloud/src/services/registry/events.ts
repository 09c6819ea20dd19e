import type { Effect, OperationContext, Scope } from "../operation.js";
import { enabledEvents, type EventType } from "./event-configurations.js";
import { arnOf, type ThingGroupRecord, type ThingMembership, type ThingRecord } from "./model.js";
import type { ThingTypeRecord } from "./thing-type-model.js";

// The registry's events, as AWS publishes them where UpdateEventConfigurations switched them on.

const encoder = new TextEncoder();

/** What happened, before anybody has looked whether somebody wants to know. */
export interface RegistryEvent {
  type: EventType;
  topic: string;
  /** Without what every event has. */
  body: Record<string, unknown>;
  /** AWS names the account in every event but those about a thing and its type. */
  isWithoutAccount?: true;
}

/** @see AWS IoT developer guide, "Registry events" */
export async function publishEvents(
  context: Pick<OperationContext, "store" | "scope" | "nowMs" | "random">,
  events: readonly RegistryEvent[],
): Promise<Effect[]> {
  if (events.length === 0) return [];
  const enabled = await enabledEvents(context.store, context.scope);
  if (enabled === undefined) return [];
  const wanted = events.filter(({ type }) => enabled[type] === true);
  return wanted.map(({ type, topic, body, isWithoutAccount = false }) => {
    const event = {
      eventType: `${type}_EVENT`,
      eventId: context.random.uuid(),
      timestamp: context.nowMs,
      ...body,
      ...(!isWithoutAccount && { accountId: context.scope.account }),
    };
    return { type: "publish", topic: `$aws/events/${topic}`, payload: encoder.encode(JSON.stringify(event)), qos: 1 };
  });
}

type Change = "CREATED" | "UPDATED" | "DELETED";
type Move = "ADDED" | "REMOVED";

export function thingEvent(operation: Change, thing: ThingRecord): RegistryEvent {
  const { thingName, thingId, version, thingTypeName, attributes } = thing;
  return {
    type: "THING",
    topic: `thing/${thingName}/${operation.toLowerCase()}`,
    body: {
      operation,
      thingId,
      thingName,
      versionNumber: version,
      thingTypeName: thingTypeName ?? null,
      attributes,
    },
  };
}

/** Deprecating and its undoing are updates. The date is in milliseconds, as the event's own time. */
export function thingTypeEvent(operation: Change, type: ThingTypeRecord): RegistryEvent {
  const { thingTypeId, thingTypeName, searchableAttributes, propagatingAttributes, description, deprecatedAtMs } = type;
  return {
    type: "THING_TYPE",
    topic: `thingType/${thingTypeName}/${operation.toLowerCase()}`,
    body: {
      operation,
      thingTypeId,
      thingTypeName,
      isDeprecated: deprecatedAtMs !== undefined,
      deprecationDate: deprecatedAtMs ?? null,
      searchableAttributes,
      propagatingAttributes: propagatingAttributes ?? [],
      description: description ?? null,
    },
  };
}

export function typeAssociationEvent(
  operation: Move,
  { thingName, thingId }: Pick<ThingRecord, "thingName" | "thingId">,
  thingTypeName: string,
): RegistryEvent {
  return {
    type: "THING_TYPE_ASSOCIATION",
    topic: `thingTypeAssociation/thing/${thingName}/thingType/${thingTypeName}/${operation.toLowerCase()}`,
    body: { operation, thingId, thingName, thingTypeName },
    isWithoutAccount: true,
  };
}

export function groupEvent(scope: Scope, operation: Change, group: ThingGroupRecord): RegistryEvent {
  const { thingGroupName, thingGroupId, version, ancestors, description, attributes } = group;
  const parent = ancestors.at(-1);
  return {
    type: "THING_GROUP",
    topic: `thingGroup/${thingGroupName}/${operation.toLowerCase()}`,
    body: {
      operation,
      thingGroupId,
      thingGroupName,
      versionNumber: version,
      parentGroupName: parent?.thingGroupName ?? null,
      parentGroupId: parent?.thingGroupId ?? null,
      description: description ?? null,
      rootToParentThingGroups: ancestors.map((above) => ({
        groupArn: arnOf.thingGroup(scope, above.thingGroupName),
        groupId: above.thingGroupId,
      })),
      attributes,
      dynamicGroupMappingId: null,
    },
  };
}

/** Nothing for a group without a parent. */
export function hierarchyEvents(operation: Move, group: ThingGroupRecord): RegistryEvent[] {
  const parent = group.ancestors.at(-1);
  if (parent === undefined) return [];
  const { thingGroupName: childGroupName, thingGroupId: childGroupId } = group;
  const topic = `thingGroupHierarchy/thingGroup/${parent.thingGroupName}/childThingGroup/${childGroupName}`;
  return [
    {
      type: "THING_GROUP_HIERARCHY",
      topic: `${topic}/${operation.toLowerCase()}`,
      body: { operation, ...parent, childGroupId, childGroupName },
    },
  ];
}

export function membershipEvent(
  scope: Scope,
  operation: Move,
  { thing, membership }: { thing: Pick<ThingRecord, "thingName" | "thingId">; membership: ThingMembership },
): RegistryEvent {
  const { thingGroupName, thingGroupId: groupId, membershipId } = membership;
  const { thingName, thingId } = thing;
  return {
    type: "THING_GROUP_MEMBERSHIP",
    topic: `thingGroupMembership/thingGroup/${thingGroupName}/thing/${thingName}/${operation.toLowerCase()}`,
    body: {
      operation,
      groupArn: arnOf.thingGroup(scope, thingGroupName),
      groupId,
      thingArn: arnOf.thing(scope, thingName),
      thingId,
      membershipId,
    },
  };
}
