import { ThinglineError } from "@thingline/protocol";
import type { StoreEntry, StoreReader } from "../../store/store.js";
import { answer, type Operation, type OperationContext, type Scope } from "../operation.js";
import { lastName } from "../page.js";
import { arnOf, registryKeys, type ThingGroupRecord, type ThingMembership, type ThingRecord } from "./model.js";

// What other services ask about things and their groups, by `context.call`. Not AWS's.

type Reader = Pick<OperationContext, "store" | "scope">;

/** Things in one answer of {@link thingsBelowGroup}. */
export const thingsPerPageMax = 1_000;

export interface FoundThing {
  readonly thingName: string;
  readonly thingId: string;
  readonly thingArn: string;
}

export interface FoundThingGroup {
  readonly thingGroupName: string;
  /** Of this very group: one that is made after its deletion under its name has another. */
  readonly thingGroupId: string;
  readonly thingGroupArn: string;
}

export interface GroupOfThing extends FoundThingGroup {
  /** The thing was put into the group itself, not into one below it. */
  readonly isDirect: boolean;
}

export interface ThingsBelowGroup {
  readonly thingGroupName: string;
  /** The last name of the page before; absent for the first page. It need not exist any more. */
  readonly after?: string;
  /** At most {@link thingsPerPageMax}. */
  readonly limit: number;
}

export interface ThingsPage {
  /** In the order of their UTF-8 bytes, each once. */
  readonly thingNames: readonly string[];
  /** What to go on after; undefined on the last page. */
  readonly next: string | undefined;
}

/** The thing, or undefined where there is none. */
export const findThing: Operation<{ thingName: string }, FoundThing | undefined> = async (context, input) => {
  const { store, scope } = context;
  const entry = await store.get<ThingRecord>(registryKeys.thing(scope, input.thingName));
  if (entry === undefined) return answer(undefined);
  const { thingName, thingId } = entry.value;
  return answer({ thingName, thingId, thingArn: arnOf.thing(scope, thingName) });
};

/** The group, or undefined where there is none. */
export const findThingGroup: Operation<{ thingGroupName: string }, FoundThingGroup | undefined> = async (
  context,
  input,
) => {
  const entry = await findGroup(context.store, context.scope, input.thingGroupName);
  return answer(entry === undefined ? undefined : describeGroup(context.scope, entry.value));
};

/**
 * Makes the commit depend on the group.
 * @throws {ThinglineError} RESOURCE_NOT_FOUND
 */
export const requireExistingThingGroup: Operation<{ thingGroupName: string }, FoundThingGroup> = async (
  context,
  input,
) => {
  const { key, value, revision } = await requireGroup(context, input.thingGroupName);
  const result = describeGroup(context.scope, value);
  return { result, operations: [{ key, expectedRevision: revision, check: true }], effects: [] };
};

/**
 * One page of the things of a group and of all groups below it. Things that join or leave between two pages may be missed: whoever must not
 * miss them is a membership watcher.
 * @throws {ThinglineError} RESOURCE_NOT_FOUND, LIMIT_EXCEEDED for more than {@link thingsPerPageMax}.
 */
export const thingsBelowGroup: Operation<ThingsBelowGroup, ThingsPage> = async (context, input) => {
  const { limit } = input;
  if (limit > thingsPerPageMax) {
    const message = `A page has at most ${thingsPerPageMax} things, asked for ${limit}`;
    throw new ThinglineError("LIMIT_EXCEEDED", message, { details: { limit, thingsPerPageMax } });
  }
  const { value: group } = await requireGroup(context, input.thingGroupName);
  return answer(await pageBelow(context, { thingGroupId: group.thingGroupId, after: input.after, limit }));
};

/** The same for who has looked the group up. */
export async function pageBelow(
  { store, scope }: Reader,
  { thingGroupId, after, limit }: { thingGroupId: string; after: string | undefined; limit: number },
): Promise<ThingsPage> {
  const options = {
    limit: limit + 1,
    ...(after !== undefined && { after: registryKeys.thingBelowGroup(scope, thingGroupId, after) }),
  };
  const entries = await store.list(registryKeys.thingsBelowGroup(scope, thingGroupId), options);
  const thingNames = entries.slice(0, limit).map(({ key }) => lastName(key));
  return { thingNames, next: entries.length > limit ? thingNames.at(-1) : undefined };
}

/** Every group that a thing is in, and all groups above those; each once, nothing for a thing that does not exist. */
export const groupsOfThing: Operation<{ thingName: string }, readonly GroupOfThing[]> = async (context, input) => {
  const { store, scope } = context;
  const thing = await store.get<ThingRecord>(registryKeys.thing(scope, input.thingName));
  const groups: GroupOfThing[] = [];
  for (const { group } of await livingMemberships(store, scope, thing?.value)) {
    groups.push({ ...describeGroup(scope, group), isDirect: true });
    // Two groups of one thing are of two hierarchies, so none comes twice.
    for (const above of group.ancestors) groups.push({ ...describeGroup(scope, above), isDirect: false });
  }
  return answer(groups);
};

/** The memberships of a thing whose group there still is. */
export async function livingMemberships(
  store: StoreReader,
  scope: Scope,
  thing: Pick<ThingRecord, "groups"> | undefined,
): Promise<{ membership: ThingMembership; group: ThingGroupRecord }[]> {
  const living: { membership: ThingMembership; group: ThingGroupRecord }[] = [];
  for (const membership of thing?.groups ?? []) {
    const group = (await findGroup(store, scope, membership.thingGroupName))?.value;
    if (group?.thingGroupId === membership.thingGroupId) living.push({ membership, group });
  }
  return living;
}

export function findGroup(
  store: StoreReader,
  scope: Scope,
  name: string,
): Promise<StoreEntry<ThingGroupRecord> | undefined> {
  return store.get<ThingGroupRecord>(registryKeys.thingGroup(scope, name));
}

/** @throws {ThinglineError} RESOURCE_NOT_FOUND */
export async function requireGroup({ store, scope }: Reader, name: string): Promise<StoreEntry<ThingGroupRecord>> {
  const entry = await findGroup(store, scope, name);
  if (entry !== undefined) return entry;
  throw new ThinglineError("RESOURCE_NOT_FOUND", `Thing group ${name} not found.`);
}

function describeGroup(scope: Scope, group: { thingGroupName: string; thingGroupId: string }): FoundThingGroup {
  const { thingGroupName: name, thingGroupId } = group;
  return { thingGroupName: name, thingGroupId, thingGroupArn: arnOf.thingGroup(scope, name) };
}
