import { ThinglineError } from "@thingline/protocol";
import type { StoreEntry, StoreOperation, StoreReader } from "../../store/store.js";
import type { OperationContext, Scope } from "../operation.js";
import { typeAssociationEvent, type RegistryEvent } from "./events.js";
import { attributesWithoutTypeMax, attributesWithTypeMax, registryKeys, type ThingRecord } from "./model.js";
import type { ThingTypeRecord } from "./thing-type-model.js";

// What a thing has to do with its type.

type Reader = Pick<OperationContext, "store" | "scope">;

export function findThingType(
  store: StoreReader,
  scope: Scope,
  name: string,
): Promise<StoreEntry<ThingTypeRecord> | undefined> {
  return store.get<ThingTypeRecord>(registryKeys.thingType(scope, name));
}

/** @throws {ThinglineError} RESOURCE_NOT_FOUND */
export async function requireThingType({ store, scope }: Reader, name: string): Promise<StoreEntry<ThingTypeRecord>> {
  const entry = await findThingType(store, scope, name);
  if (entry !== undefined) return entry;
  throw new ThinglineError("RESOURCE_NOT_FOUND", `Thing type ${name} not found.`);
}

interface TypeChange {
  operations: StoreOperation[];
  events: RegistryEvent[];
}

/**
 * What goes with a thing that gets a type, loses it, or gets another. The type cannot be deprecated meanwhile, and so it cannot be deleted: that
 * takes a deprecated one, and depends on its record, too.
 *
 * @param before undefined for a thing that is made
 * @param after undefined for a thing that is deleted
 * @throws {ThinglineError} RESOURCE_NOT_FOUND, REQUEST_INVALID for a deprecated type.
 */
export async function changeType(
  context: Reader,
  before: ThingRecord | undefined,
  after: ThingRecord | undefined,
): Promise<TypeChange> {
  const { scope } = context;
  const change: TypeChange = { operations: [], events: [] };
  const { thingTypeName: left } = before ?? {};
  const { thingTypeName: joined } = after ?? {};
  if (left === joined) return change;
  if (before !== undefined && left !== undefined) {
    change.operations.push({ key: registryKeys.thingOfType(scope, left, before.thingName), delete: true });
    change.events.push(typeAssociationEvent("REMOVED", before, left));
  }
  if (after !== undefined && joined !== undefined) {
    const { key, value: type, revision } = await requireThingType(context, joined);
    if (type.deprecatedAtMs !== undefined) throw deprecated(joined);
    change.operations.push(
      { key, expectedRevision: revision, check: true },
      // Who updates the type has listed its things for their live connections.
      { key: registryKeys.guard(scope, "thingType", joined), value: null },
      { key: registryKeys.thingOfType(scope, joined, after.thingName), value: null },
    );
    change.events.push(typeAssociationEvent("ADDED", after, joined));
  }
  return change;
}

/** In AWS's own words, and spelling. */
function deprecated(name: string): ThinglineError {
  return new ThinglineError("REQUEST_INVALID", `Can not create new thing with depreated thing type:${name}`);
}

/** @throws {ThinglineError} REQUEST_INVALID */
export function requireFewAttributes({ thingTypeName, attributes }: Pick<ThingRecord, "thingTypeName" | "attributes">) {
  const max = thingTypeName === undefined ? attributesWithoutTypeMax : attributesWithTypeMax;
  const count = Object.keys(attributes).length;
  if (count <= max) return;
  const which = thingTypeName === undefined ? "without" : "with";
  const message = `A thing ${which} a thing type can have ${max} attributes, got ${count}`;
  throw new ThinglineError("REQUEST_INVALID", message, { details: { count } });
}
