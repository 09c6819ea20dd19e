import type { StoreKey, StoreOperation } from "../../store/store.js";
import type { OperationContext, Scope } from "../operation.js";
import { membershipEvent, type RegistryEvent } from "./events.js";
import { livingMemberships } from "./group-directory.js";
import { registryKeys, type ThingBelowGroupRecord, type ThingGroupRecord, type ThingRecord } from "./model.js";

// What the lists of groups hold: of other groups, and of a thing. The thing's own record says in which groups it is, and is written in the same commit.

/** Where a group stands in the lists of others. */
export function placesOfGroup(
  scope: Scope,
  { thingGroupName: name, ancestors }: Pick<ThingGroupRecord, "thingGroupName" | "ancestors">,
): StoreKey[] {
  const parent = ancestors.at(-1);
  const place =
    parent === undefined
      ? registryKeys.rootGroup(scope, name)
      : registryKeys.childGroup(scope, parent.thingGroupName, name);
  return [place, ...ancestors.map((above) => registryKeys.descendantGroup(scope, above.thingGroupName, name))];
}

type Place = Pick<ThingGroupRecord, "thingGroupId" | "ancestors">;

export function joinOperations(scope: Scope, thingName: string, group: Place): StoreOperation[] {
  const { thingGroupId } = group;
  const value: ThingBelowGroupRecord = { thingGroupId };
  return [
    { key: registryKeys.thingOfGroup(scope, thingGroupId, thingName), value: null },
    ...[group, ...group.ancestors].map((above) => ({
      key: registryKeys.thingBelowGroup(scope, above.thingGroupId, thingName),
      value,
    })),
  ];
}

export function leaveOperations(scope: Scope, thingName: string, group: Place): StoreOperation[] {
  const { thingGroupId } = group;
  return [
    { key: registryKeys.thingOfGroup(scope, thingGroupId, thingName), delete: true },
    ...[group, ...group.ancestors].map((above) => ({
      key: registryKeys.thingBelowGroup(scope, above.thingGroupId, thingName),
      delete: true as const,
    })),
  ];
}

/** Of a thing that goes: out of every group. What groups that are gone still list of it goes with them. */
export async function leaveGroups(
  { store, scope }: OperationContext,
  thing: ThingRecord,
): Promise<{ operations: StoreOperation[]; events: RegistryEvent[] }> {
  const living = await livingMemberships(store, scope, thing);
  return {
    operations: living.flatMap(({ group }) => leaveOperations(scope, thing.thingName, group)),
    events: (thing.groups ?? []).map((membership) => membershipEvent(scope, "REMOVED", { thing, membership })),
  };
}
