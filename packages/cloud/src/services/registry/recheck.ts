import { iterate } from "../../store/iterate.js";
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

/** The first things after `after`; a wake-up goes on with the others. */
async function recheckGroup(
  context: Reader & Pick<OperationContext, "nowMs">,
  thingGroupId: string,
  after: string | undefined,
): Promise<Effect[]> {
  const { thingNames, next } = await pageBelow(context, { thingGroupId, after, limit: recheckedThingsMax });
  const effects: Effect[] = [];
  for (const thingName of thingNames) effects.push(...(await recheckThing(context, thingName)));
  if (next !== undefined) effects.push(recheckWake(thingGroupId, next, context.nowMs));
  return effects;
}

const wakePrefix = "recheck/";

function recheckWake(thingGroupId: string, after: string, nowMs: number): Effect {
  return {
    type: "wakeAt",
    service: registryServiceName,
    name: `${wakePrefix}${thingGroupId}/${after}`,
    atUnixMs: nowMs,
  };
}

/** What a wake-up of {@link recheckGroup} asks for; undefined for one of another kind. */
export function readRecheckWake(name: string): { thingGroupId: string; after: string } | undefined {
  if (!name.startsWith(wakePrefix)) return undefined;
  const [thingGroupId = "", after = ""] = name.slice(wakePrefix.length).split("/");
  return { thingGroupId, after };
}

export const continueRecheck: Operation<{ thingGroupId: string; after: string }, void> = async (context, input) => ({
  result: undefined,
  operations: [],
  effects: await recheckGroup(context, input.thingGroupId, input.after),
});
