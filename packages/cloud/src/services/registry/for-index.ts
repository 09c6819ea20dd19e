import type { StoreReader } from "../../store/store.js";
import type { Scope } from "../operation.js";
import { registryKeys, type ThingGroupRecord, type ThingRecord } from "./model.js";

// What is indexed of the registry: records as they are.

export type RegisteredThing = Readonly<ThingRecord>;
export type RegisteredGroup = Readonly<ThingGroupRecord>;

export interface RegistryPage<Record> {
  readonly records: readonly Record[];
  /** Undefined on the last page. */
  readonly next: string | undefined;
}

export async function findRegisteredThing(store: StoreReader, scope: Scope, thingName: string) {
  return (await store.get<ThingRecord>(registryKeys.thing(scope, thingName)))?.value satisfies
    | RegisteredThing
    | undefined;
}

export async function findRegisteredGroup(store: StoreReader, scope: Scope, thingGroupName: string) {
  return (await store.get<ThingGroupRecord>(registryKeys.thingGroup(scope, thingGroupName)))?.value satisfies
    | RegisteredGroup
    | undefined;
}

type PageAfter = { after: string | undefined; limit: number };

export async function listRegisteredThings(
  store: StoreReader,
  scope: Scope,
  { after, limit }: PageAfter,
): Promise<RegistryPage<RegisteredThing>> {
  const key = after === undefined ? {} : { after: registryKeys.thing(scope, after) };
  const entries = await store.list<ThingRecord>(registryKeys.things(scope), { limit, ...key });
  const records = entries.map(({ value }) => value);
  return { records, next: entries.length < limit ? undefined : records.at(-1)?.thingName };
}

export async function listRegisteredGroups(
  store: StoreReader,
  scope: Scope,
  { after, limit }: PageAfter,
): Promise<RegistryPage<RegisteredGroup>> {
  const key = after === undefined ? {} : { after: registryKeys.thingGroup(scope, after) };
  const entries = await store.list<ThingGroupRecord>(registryKeys.thingGroups(scope), { limit, ...key });
  const records = entries.map(({ value }) => value);
  return { records, next: entries.length < limit ? undefined : records.at(-1)?.thingGroupName };
}

/** What a change of a record with this key is about; undefined for other records. */
export function registeredIn(
  key: readonly (string | number)[],
): { thing: string } | { thingGroup: string } | undefined {
  if (key[2] === "thing") return { thing: String(key[3]) };
  return key[2] === "thingGroup" ? { thingGroup: String(key[3]) } : undefined;
}
