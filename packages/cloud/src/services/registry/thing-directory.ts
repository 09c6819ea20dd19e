import { ThinglineError } from "@thingline/protocol";
import type { StoreEntry, StoreReader } from "../../store/store.js";
import type { Operation, OperationContext, Scope } from "../operation.js";
import { registryKeys, type ThingRecord } from "./model.js";

/** @throws {ThinglineError} RESOURCE_NOT_FOUND */
export async function requireThing(
  { store, scope }: Pick<OperationContext, "store" | "scope">,
  name: string,
): Promise<StoreEntry<ThingRecord>> {
  const entry = await store.get<ThingRecord>(registryKeys.thing(scope, name));
  if (entry !== undefined) return entry;
  throw new ThinglineError("RESOURCE_NOT_FOUND", `Thing ${name} not found.`);
}

/**
 * Makes the commit depend on the thing: for services whose records need one. Not AWS's.
 * @throws {ThinglineError} RESOURCE_NOT_FOUND
 */
export const requireExistingThing: Operation<{ thingName: string }, { thingId: string }> = async (context, input) => {
  const { key, revision, value } = await requireThing(context, input.thingName);
  return {
    result: { thingId: value.thingId },
    operations: [{ key, expectedRevision: revision, check: true }],
    effects: [],
  };
};

/** Whether there is one, for who only wants to know. */
export async function isThing(store: StoreReader, scope: Scope, thingName: string): Promise<boolean> {
  return (await store.get(registryKeys.thing(scope, thingName))) !== undefined;
}
