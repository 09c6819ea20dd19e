import { iterate } from "../../store/iterate.js";
import type { StoreKey, StoreOperation } from "../../store/store.js";
import type { Effect, Operation, OperationContext } from "../operation.js";
import { lastName } from "../page.js";
import { findGroup, pageBelow } from "./group-directory.js";
import { certificateIdOfArn, registryKeys, registryServiceName, thingGroupOfArn } from "./model.js";

// Which live connections a change may concern.

type Reader = Pick<OperationContext, "store" | "scope">;

/** Things of a group whose connections one commit looks at; the others follow in commits of their own. */
export const recheckedThingsMax = 50;

export const recheck = (certificateId: string): Effect => ({ type: "recheckPrincipal", certificateId });

/** Policies may ask for a thing's attributes, and those of its groups count, so a change concerns its live connections. */
export async function recheckThing({ store, scope }: Reader, thingName: string): Promise<Effect[]> {
  const effects: Effect[] = [];
  for await (const { key } of iterate(store, registryKeys.principalsOfThing(scope, thingName))) {
    const certificateId = certificateIdOfArn(scope, lastName(key));
    if (certificateId !== undefined) effects.push(recheck(certificateId));
  }
  return effects;
}

/** Makes a commit depend on a guard: on nobody having joined what was listed. */
export async function unchanged({ store }: Reader, guard: StoreKey): Promise<StoreOperation> {
  return { key: guard, expectedRevision: (await store.get(guard))?.revision ?? 0, check: true };
}

export async function recheckPolicy(
  context: Reader & Pick<OperationContext, "nowMs">,
  policyName: string,
): Promise<Effect[]> {
  const { store, scope } = context;
  const effects: Effect[] = [];
  for await (const { key } of iterate(store, registryKeys.targetsOfPolicy(scope, policyName))) {
    effects.push(...(await recheckTarget(context, lastName(key))));
  }
  return effects;
}

/** @param target what a policy is, or was, attached to */
export async function recheckTarget(
  context: Reader & Pick<OperationContext, "nowMs">,
  target: string,
): Promise<Effect[]> {
  const { store, scope } = context;
  const certificateId = certificateIdOfArn(scope, target);
  if (certificateId !== undefined) return [recheck(certificateId)];
  const name = thingGroupOfArn(scope, target);
  const group = name === undefined ? undefined : await findGroup(store, scope, name);
  return group === undefined ? [] : recheckGroup(context, group.value.thingGroupId, undefined);
}

/** What messages are enriched with is of the thing's type: the first of its things, and a wake-up goes on with the others. */
export async function recheckType(
  context: Reader & Pick<OperationContext, "nowMs">,
  thingTypeName: string,
  after?: string,
): Promise<Effect[]> {
  const { store, scope, nowMs } = context;
  const listed = await store.list(registryKeys.thingsOfType(scope, thingTypeName), {
    limit: recheckedThingsMax + 1,
    ...(after !== undefined && { after: registryKeys.thingOfType(scope, thingTypeName, after) }),
  });
  const thingNames = listed.slice(0, recheckedThingsMax).map(({ key }) => lastName(key));
  const effects: Effect[] = [];
  for (const thingName of thingNames) effects.push(...(await recheckThing(context, thingName)));
  const last = thingNames.at(-1);
  if (listed.length > recheckedThingsMax && last !== undefined) {
    effects.push(wake(`${typeWakePrefix}${thingTypeName}/${last}`, nowMs));
  }
  return effects;
}

/** The first things after `after`; a wake-up goes on with the others. */
async function recheckGroup(
  context: Reader & Pick<OperationContext, "nowMs">,
  thingGroupId: string,
  after: string | undefined,
): Promise<Effect[]> {
  const { thingNames, next } = await pageBelow(context, { thingGroupId, after, limit: recheckedThingsMax });
  const effects: Effect[] = [];
  for (const thingName of thingNames) effects.push(...(await recheckThing(context, thingName)));
  if (next !== undefined) effects.push(wake(`${groupWakePrefix}${thingGroupId}/${next}`, context.nowMs));
  return effects;
}

const groupWakePrefix = "recheck/";
const typeWakePrefix = "recheckType/";

const wake = (name: string, nowMs: number): Effect => ({
  ...{ type: "wakeAt", service: registryServiceName, name },
  atUnixMs: nowMs,
});

/** Of which list of things a wake-up goes on, and after which of them. */
interface Recheck {
  of: "group" | "type";
  /** The id of the group, or the name of the type. */
  name: string;
  after: string;
}

/** What a wake-up of {@link recheckGroup} or {@link recheckType} asks for; undefined for one of another kind. */
export function readRecheckWake(name: string): Recheck | undefined {
  const of = name.startsWith(groupWakePrefix) ? "group" : name.startsWith(typeWakePrefix) ? "type" : undefined;
  if (of === undefined) return undefined;
  const [, list = "", after = ""] = name.split("/");
  return { of, name: list, after };
}

export const continueRecheck: Operation<Recheck, void> = async (context, { of, name, after }) => ({
  result: undefined,
  operations: [],
  effects: await (of === "group" ? recheckGroup : recheckType)(context, name, after),
});
