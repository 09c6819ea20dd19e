import { ThinglineError } from "@thingline/protocol";
import type { StoreOperation, StoreReader } from "../../store/store.js";
import { awsOperation, type InputOf } from "../aws-operation.js";
import { answer, type OperationContext, type Outcome, type Scope } from "../operation.js";
import { lastName, readPage } from "../page.js";
import { findBillingGroup, requireBillingGroup } from "./billing-groups.js";
import { readName, readThingName } from "./given-names.js";
import { arnOf, billingGroupOfArn, registryKeys, type ThingRecord } from "./model.js";
import { requireThing } from "./thing-directory.js";

// Which billing group a thing is in: at most one, which stands in the thing's record and is listed by the group's id.

type Reader = Pick<OperationContext, "store" | "scope">;
type Nothing = Readonly<Record<never, never>>;

const members = ["billingGroupName", "billingGroupArn", "thingName", "thingArn"] as const;

/** A thing that is in another billing group is refused: it has to be taken out of that one first. */
export const addThingToBillingGroup = awsOperation("iot", "AddThingToBillingGroup", members, async (context, input) => {
  const { thingName, billingGroupName } = readNames(context.scope, input);
  const { key, value: thing, revision } = await requireThing(context, thingName);
  const current = await billingGroupOf(context.store, context.scope, thing);
  const { operations, membership } = await joinBillingGroup(context, thing, billingGroupName);
  if (current === billingGroupName) return answer({});
  if (current !== undefined) {
    const message = `Thing ${thingName} cannot be added to billing group ${billingGroupName}: it belongs to ${current}, and a thing can be in one only`;
    throw new ThinglineError("REQUEST_INVALID", message);
  }
  const value: ThingRecord = { ...thing, ...membership };
  return { result: {}, operations: [{ key, expectedRevision: revision, value }, ...operations], effects: [] };
});

/** Nothing happens to a thing that is not in the group. */
export const removeThingFromBillingGroup = awsOperation(
  "iot",
  "RemoveThingFromBillingGroup",
  members,
  async (context, input): Promise<Outcome<Nothing>> => {
    const { scope, store } = context;
    const { thingName, billingGroupName } = readNames(scope, input);
    const { key, value: thing, revision } = await requireThing(context, thingName);
    await requireBillingGroup(context, billingGroupName);
    if ((await billingGroupOf(store, scope, thing)) !== billingGroupName) return answer({});
    const { billingGroupName: _name, billingGroupId: _id, ...value } = thing;
    const operations = [{ key, expectedRevision: revision, value }, ...leaveBillingGroup(scope, thing)];
    return { result: {}, operations, effects: [] };
  },
);

export const listThingsInBillingGroup = awsOperation(
  "iot",
  "ListThingsInBillingGroup",
  ["billingGroupName", "nextToken", "maxResults"],
  async (context, input) => {
    const { scope, store } = context;
    const { value: group } = await requireBillingGroup(context, input.billingGroupName);
    const { entries, nextToken } = await readPage(store, {
      prefix: registryKeys.thingsOfBillingGroup(scope, group.billingGroupId),
      token: input.nextToken,
      size: input.maxResults,
    });
    const things = entries.map(({ key }) => lastName(key));
    return answer({ things, ...(nextToken !== undefined && { nextToken }) });
  },
);

function readNames(scope: Scope, input: InputOf<"iot", "AddThingToBillingGroup">) {
  const { billingGroupName, billingGroupArn } = input;
  const ofArn = billingGroupArn === undefined ? undefined : billingGroupOfArn(scope, billingGroupArn);
  const expectedArn = arnOf.billingGroup(scope, "<billingGroupName>");
  return {
    thingName: readThingName(scope, input),
    billingGroupName: readName("billingGroup", expectedArn, [billingGroupName, billingGroupArn, ofArn]),
  };
}

/** The name of the thing's billing group; undefined as well while the thing still names one that was deleted. Reads nothing for a thing without one. */
export async function billingGroupOf(
  store: StoreReader,
  scope: Scope,
  { billingGroupName: name, billingGroupId }: Pick<ThingRecord, "billingGroupName" | "billingGroupId">,
): Promise<string | undefined> {
  if (name === undefined) return undefined;
  const group = await findBillingGroup(store, scope, name);
  return group?.value.billingGroupId === billingGroupId ? name : undefined;
}

/**
 * What is written with a thing that joins the group, besides its own record. The group cannot be deleted meanwhile.
 * @throws {ThinglineError} RESOURCE_NOT_FOUND
 */
export async function joinBillingGroup(
  context: Reader,
  thing: Pick<ThingRecord, "thingName" | "billingGroupId">,
  name: string,
): Promise<{ operations: StoreOperation[]; membership: Pick<ThingRecord, "billingGroupName" | "billingGroupId"> }> {
  const { scope } = context;
  const { key, value: group, revision } = await requireBillingGroup(context, name);
  const { billingGroupName, billingGroupId } = group;
  return {
    operations: [
      ...leaveBillingGroup(scope, thing),
      { key, expectedRevision: revision, check: true },
      { key: registryKeys.guard(scope, "billingGroup", name), value: null },
      { key: registryKeys.thingOfBillingGroup(scope, billingGroupId, thing.thingName), value: null },
    ],
    membership: { billingGroupName, billingGroupId },
  };
}

/** Also of a group that was deleted. */
export function leaveBillingGroup(
  scope: Scope,
  { thingName, billingGroupId }: Pick<ThingRecord, "thingName" | "billingGroupId">,
): StoreOperation[] {
  if (billingGroupId === undefined) return [];
  return [{ key: registryKeys.thingOfBillingGroup(scope, billingGroupId, thingName), delete: true }];
}
