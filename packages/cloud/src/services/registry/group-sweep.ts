import type { StoreOperation } from "../../store/store.js";
import type { Effect, Operation, OperationContext } from "../operation.js";
import { lastName } from "../page.js";
import { membershipEvent, publishEvents, type RegistryEvent } from "./events.js";
import { wakeWatchers } from "./membership-watchers.js";
import {
  registryKeys,
  registryServiceName,
  type DeletedGroupRecord,
  type ThingBelowGroupRecord,
  type ThingRecord,
} from "./model.js";
import { recheckThing } from "./recheck.js";

// A group that is deleted may have had any number of things. The first ones leave it in the same commit, the others in commits of their own,
// one after another by wake-ups. What is still to be done of them counts nowhere: a membership is void when its group is gone.

/** Things that leave a deleted group in one commit. */
export const clearedThingsMax = 50;

interface Cleared {
  operations: StoreOperation[];
  effects: Effect[];
  events: RegistryEvent[];
}

/** The first part of it, for the commit that deletes the group. */
export async function clearGroup(
  context: OperationContext,
  group: DeletedGroupRecord,
  watchers: readonly string[],
): Promise<Cleared> {
  const { scope, nowMs } = context;
  const { hasMore, ...cleared } = await clearThings(context, group, watchers);
  if (!hasMore) return cleared;
  const { thingGroupName, thingGroupId, ancestors } = group;
  const value: DeletedGroupRecord = { thingGroupName, thingGroupId, ancestors };
  cleared.operations.push({ key: registryKeys.deletedGroup(scope, thingGroupId), value });
  cleared.effects.push(sweepWake(thingGroupId, nowMs));
  return cleared;
}

async function clearThings(
  context: OperationContext,
  group: DeletedGroupRecord,
  watchers: readonly string[],
): Promise<Cleared & { hasMore: boolean }> {
  const { store, scope } = context;
  const prefix = registryKeys.thingsOfGroup(scope, group.thingGroupId);
  const listed = await store.list(prefix, { limit: clearedThingsMax + 1 });
  const cleared: Cleared = { operations: [], effects: [], events: [] };
  for (const { key } of listed.slice(0, clearedThingsMax)) {
    cleared.operations.push({ key, delete: true });
    await clearThing(context, { group, thingName: lastName(key), watchers }, cleared);
  }
  return { ...cleared, hasMore: listed.length > clearedThingsMax };
}

async function clearThing(
  { store, scope, nowMs }: OperationContext,
  { group, thingName, watchers }: { group: DeletedGroupRecord; thingName: string; watchers: readonly string[] },
  { operations, effects, events }: Cleared,
): Promise<void> {
  for (const { thingGroupId } of [group, ...group.ancestors]) {
    const below = await store.get<ThingBelowGroupRecord>(registryKeys.thingBelowGroup(scope, thingGroupId, thingName));
    // It may have joined another group of the hierarchy since then.
    if (below?.value.thingGroupId !== group.thingGroupId) continue;
    operations.push({ key: below.key, expectedRevision: below.revision, delete: true });
  }
  const thing = await store.get<ThingRecord>(registryKeys.thing(scope, thingName));
  const membership = thing?.value.groups?.find(({ thingGroupId }) => thingGroupId === group.thingGroupId);
  if (thing === undefined || membership === undefined) return;
  const { groups, ...rest } = thing.value;
  const left = (groups ?? []).filter((one) => one !== membership);
  const value: ThingRecord = left.length === 0 ? rest : { ...rest, groups: left };
  operations.push({ key: thing.key, expectedRevision: thing.revision, value });
  effects.push(...(await recheckThing({ store, scope }, thingName)), ...wakeWatchers(watchers, thingName, nowMs));
  events.push(membershipEvent(scope, "REMOVED", { thing: value, membership }));
}

const wakePrefix = "sweep/";

function sweepWake(thingGroupId: string, nowMs: number): Effect {
  return { type: "wakeAt", service: registryServiceName, name: wakePrefix + thingGroupId, atUnixMs: nowMs };
}

/** The deleted group that a wake-up is about; undefined for a wake-up of another kind. */
export function groupOfSweepWake(name: string): string | undefined {
  return name.startsWith(wakePrefix) ? name.slice(wakePrefix.length) : undefined;
}

/** The next part; its last commit forgets the group. */
export function continueSweep(watchers: readonly string[]): Operation<{ thingGroupId: string }, void> {
  return async (context, { thingGroupId }) => {
    const { store, scope, nowMs } = context;
    const key = registryKeys.deletedGroup(scope, thingGroupId);
    const group = await store.get<DeletedGroupRecord>(key);
    if (group === undefined) return { result: undefined, operations: [], effects: [] };
    const { operations, effects, events, hasMore } = await clearThings(context, group.value, watchers);
    if (!hasMore) operations.push({ key, expectedRevision: group.revision, delete: true });
    const more = hasMore ? [sweepWake(thingGroupId, nowMs)] : [];
    return {
      result: undefined,
      operations,
      effects: [...effects, ...(await publishEvents(context, events)), ...more],
    };
  };
}
