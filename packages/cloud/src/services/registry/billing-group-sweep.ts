import type { StoreOperation } from "../../store/store.js";
import type { Effect, Operation, OperationContext } from "../operation.js";
import { lastName } from "../page.js";
import type { DeletedBillingGroupRecord } from "./billing-group-model.js";
import { registryKeys, registryServiceName, type ThingRecord } from "./model.js";

// A billing group that is deleted may have had any number of things, which leave it as those of a thing group do (`group-sweep.ts`): the
// first ones in the same commit, the others in commits of their own by wake-ups. Until then a thing names a group that is gone, which counts
// for nothing.

/** Things that leave a deleted billing group in one commit. */
export const clearedBillingThingsMax = 100;

interface Cleared {
  operations: StoreOperation[];
  effects: Effect[];
}

/** The first part of it, for the commit that deletes the group. */
export async function clearBillingGroup(
  context: OperationContext,
  { billingGroupName, billingGroupId }: DeletedBillingGroupRecord,
): Promise<Cleared> {
  const { operations, hasMore } = await clearThings(context, billingGroupId);
  if (!hasMore) return { operations, effects: [] };
  const value: DeletedBillingGroupRecord = { billingGroupName, billingGroupId };
  operations.push({ key: registryKeys.deletedBillingGroup(context.scope, billingGroupId), value });
  return { operations, effects: [sweepWake(billingGroupId, context.nowMs)] };
}

async function clearThings({ store, scope }: OperationContext, billingGroupId: string) {
  const prefix = registryKeys.thingsOfBillingGroup(scope, billingGroupId);
  const listed = await store.list(prefix, { limit: clearedBillingThingsMax + 1 });
  const operations: StoreOperation[] = [];
  for (const { key, revision } of listed.slice(0, clearedBillingThingsMax)) {
    operations.push({ key, expectedRevision: revision, delete: true });
    const thing = await store.get<ThingRecord>(registryKeys.thing(scope, lastName(key)));
    // A thing that is deleted or joins another group leaves this list, so this one is there and in no other.
    if (thing?.value.billingGroupId !== billingGroupId) continue;
    const { billingGroupName: _name, billingGroupId: _id, ...value } = thing.value;
    operations.push({ key: thing.key, expectedRevision: thing.revision, value });
  }
  return { operations, hasMore: listed.length > clearedBillingThingsMax };
}

const wakePrefix = "billingSweep/";

function sweepWake(billingGroupId: string, nowMs: number): Effect {
  return { type: "wakeAt", service: registryServiceName, name: wakePrefix + billingGroupId, atUnixMs: nowMs };
}

/** The deleted billing group that a wake-up is about; undefined for a wake-up of another kind. */
export function billingGroupOfSweepWake(name: string): string | undefined {
  return name.startsWith(wakePrefix) ? name.slice(wakePrefix.length) : undefined;
}

/** The next part; its last commit forgets the group. */
export const continueBillingSweep: Operation<{ billingGroupId: string }, void> = async (context, input) => {
  const { billingGroupId } = input;
  const key = registryKeys.deletedBillingGroup(context.scope, billingGroupId);
  const group = await context.store.get<DeletedBillingGroupRecord>(key);
  if (group === undefined) return { result: undefined, operations: [], effects: [] };
  const { operations, hasMore } = await clearThings(context, billingGroupId);
  if (!hasMore) operations.push({ key, expectedRevision: group.revision, delete: true });
  return {
    result: undefined,
    operations,
    effects: hasMore ? [sweepWake(billingGroupId, context.nowMs)] : [],
  };
};
