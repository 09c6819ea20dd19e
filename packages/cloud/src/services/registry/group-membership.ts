import { ThinglineError } from "@thingline/protocol";
import { encodeKey } from "../../store/key-encoding.js";
import type { StoreEntry, StoreKey, StoreOperation } from "../../store/store.js";
import { awsOperation, type InputOf } from "../aws-operation.js";
import { answer, type OperationContext, type Outcome, type Scope } from "../operation.js";
import { lastName, pageOf, readPage } from "../page.js";
import { membershipEvent, publishEvents, type RegistryEvent } from "./events.js";
import { readName, readThingName } from "./given-names.js";
import { livingMemberships, requireGroup } from "./group-directory.js";
import { joinOperations, leaveOperations } from "./group-records.js";
import { wakeWatchers } from "./membership-watchers.js";
import {
  arnOf,
  groupsPerThingMax,
  registryKeys,
  thingGroupOfArn,
  type ThingGroupRecord,
  type ThingMembership,
  type ThingRecord,
} from "./model.js";
import { recheckThing, unchanged } from "./recheck.js";
import { isDynamic, listed } from "./thing-groups.js";
import { requireThing } from "./thing-directory.js";

const invalid = (message: string, details = {}) => new ThinglineError("REQUEST_INVALID", message, { details });

type Nothing = Readonly<Record<never, never>>;
type Moved = InputOf<"iot", "RemoveThingFromThingGroup">;

interface Change {
  thingName: string;
  add: readonly string[];
  remove: readonly string[];
  /** For want of room the thing may leave dynamic groups. */
  overrideDynamicGroups: boolean | undefined;
}

export interface Member {
  membership: ThingMembership;
  group: ThingGroupRecord;
}

/** @param watchers services that hear of each thing */
export function membershipOperations(watchers: readonly string[]) {
  const change = (context: OperationContext, wanted: Change) => changeMemberships(context, watchers, wanted);
  return {
    addThingToThingGroup: awsOperation(
      "iot",
      "AddThingToThingGroup",
      ["thingGroupName", "thingGroupArn", "thingName", "thingArn", "overrideDynamicGroups"],
      async (context, input) => {
        const { thingName, thingGroupName } = readNames(context.scope, input);
        const { overrideDynamicGroups } = input;
        return change(context, { thingName, add: [thingGroupName], remove: [], overrideDynamicGroups });
      },
    ),
    removeThingFromThingGroup: awsOperation(
      "iot",
      "RemoveThingFromThingGroup",
      ["thingGroupName", "thingGroupArn", "thingName", "thingArn"],
      async (context, input) => {
        const { thingName, thingGroupName } = readNames(context.scope, input);
        return change(context, { thingName, add: [], remove: [thingGroupName], overrideDynamicGroups: undefined });
      },
    ),
    updateThingGroupsForThing: awsOperation(
      "iot",
      "UpdateThingGroupsForThing",
      ["thingName", "thingGroupsToAdd", "thingGroupsToRemove", "overrideDynamicGroups"],
      async (context, input) => {
        const {
          thingName,
          thingGroupsToAdd: add = [],
          thingGroupsToRemove: remove = [],
          overrideDynamicGroups,
        } = input;
        if (thingName === undefined) throw invalid("thingName is missing");
        const both = add.find((name) => remove.includes(name));
        if (both !== undefined) throw invalid(`Thing group ${both} is to be added and to be removed`);
        return change(context, { thingName, add, remove, overrideDynamicGroups });
      },
    ),
  };
}

function readNames(scope: Scope, { thingGroupName, thingGroupArn, ...thing }: Moved) {
  const ofArn = thingGroupArn === undefined ? undefined : thingGroupOfArn(scope, thingGroupArn);
  const expectedArn = arnOf.thingGroup(scope, "<thingGroupName>");
  return {
    thingName: readThingName(scope, thing),
    thingGroupName: readName("thingGroup", expectedArn, [thingGroupName, thingGroupArn, ofArn]),
  };
}

/** All of it or nothing. First out of groups, then into others, so that a thing can be moved within its hierarchy. */
async function changeMemberships(
  context: OperationContext,
  watchers: readonly string[],
  { thingName, add, remove, overrideDynamicGroups }: Change,
): Promise<Outcome<Nothing>> {
  const { scope, store, random } = context;
  const entry = await requireThing(context, thingName);
  for (const name of remove) await requireStatic(context, name);
  const living = await livingMemberships(store, scope, entry.value);
  const kept: Member[] = living.filter(({ group }) => !remove.includes(group.thingGroupName));
  const checks: StoreOperation[] = [];
  for (const name of new Set(add)) {
    const { key, value: group, revision } = await requireStatic(context, name);
    if (kept.some((member) => member.group.thingGroupName === name)) continue;
    requireOtherHierarchy(thingName, group, kept);
    const { thingGroupName, thingGroupId } = group;
    kept.push({ group, membership: { thingGroupName, thingGroupId, membershipId: random.uuid() } });
    checks.push({ key, expectedRevision: revision, check: true });
  }
  const hasLeft = living.length + checks.length > kept.length;
  if (checks.length === 0 && !hasLeft) return answer({});
  const members = overrideDynamicGroups === true && checks.length > 0 ? withRoom(kept) : kept;
  if (members.length > groupsPerThingMax) {
    throw invalid(`Thing ${thingName} can belong to at most ${groupsPerThingMax} thing groups`, { groupsPerThingMax });
  }
  const { operations, effects } = await moveThing(context, entry, { living, members, watchers });
  return { result: {}, operations: [...operations, ...checks], effects };
}

/** @throws {ThinglineError} REQUEST_INVALID for a dynamic group, whose things nobody moves */
async function requireStatic(context: OperationContext, name: string) {
  const entry = await requireGroup(context, name);
  if (entry.value.dynamic !== undefined) throw isDynamic(entry.value, "given things or deprived of them");
  return entry;
}

/** Out of the dynamic groups that were created last, as far as it takes. */
export function withRoom(members: readonly Member[]): Member[] {
  const excess = members.length - groupsPerThingMax;
  if (excess <= 0) return [...members];
  const dynamic = members.filter(({ group }) => group.dynamic !== undefined);
  const leaving = new Set(dynamic.toSorted((left, right) => -byAge(left, right)).slice(0, excess));
  return members.filter((member) => !leaving.has(member));
}

/** The oldest group first. */
export function byAge({ group: left }: Pick<Member, "group">, { group: right }: Pick<Member, "group">): number {
  return left.createdAtMs - right.createdAtMs || (left.thingGroupName < right.thingGroupName ? -1 : 1);
}

/** Writes that a thing is in these groups, and no longer in those where it was. What changes nothing is nothing. */
export async function moveThing(
  context: OperationContext,
  { key, value: thing, revision }: StoreEntry<ThingRecord>,
  { living, members, watchers }: { living: readonly Member[]; members: readonly Member[]; watchers: readonly string[] },
): Promise<Pick<Outcome<void>, "operations" | "effects">> {
  const { scope, nowMs } = context;
  const { thingName } = thing;
  const leaving = living.filter((member) => !members.includes(member));
  const joining = members.filter((member) => !living.includes(member));
  // Those whose group is gone leave the record as well.
  const left = (thing.groups ?? []).filter((membership) => !members.some((member) => member.membership === membership));
  const events: RegistryEvent[] = [
    ...left.map((membership) => membershipEvent(scope, "REMOVED", { thing, membership })),
    ...joining.map(({ membership }) => membershipEvent(scope, "ADDED", { thing, membership })),
  ];
  return {
    operations: [
      // Two that change the memberships of one thing at once get in each other's way here.
      { key, expectedRevision: revision, value: withGroups(thing, members) },
      // A certificate that is attached meanwhile has its connections looked at as well.
      await unchanged(context, registryKeys.guard(scope, "thing", thingName)),
      ...lastOfEach([
        ...leaving.flatMap(({ group }) => leaveOperations(scope, thingName, group)),
        ...joining.flatMap(({ group }) => [...joinOperations(scope, thingName, group), ...guardsOf(scope, group)]),
      ]),
    ],
    effects: [
      ...(await recheckThing(context, thingName)),
      ...(await publishEvents(context, events)),
      ...wakeWatchers(watchers, thingName, nowMs),
    ],
  };
}

/**
 * Who deletes a group, or changes the policies of it or of one above, has listed its things, and depends on its guard: what joins it writes
 * the guards.
 */
function guardsOf(scope: Scope, group: ThingGroupRecord): StoreOperation[] {
  return [...group.ancestors, group].map(({ thingGroupName }) => ({
    key: registryKeys.guard(scope, "thingGroup", thingGroupName),
    value: null,
  }));
}

function withGroups({ groups: _before, ...thing }: ThingRecord, members: readonly Member[]): ThingRecord {
  return members.length === 0 ? thing : { ...thing, groups: members.map(({ membership }) => membership) };
}

const rootOf = ({ ancestors, thingGroupId }: ThingGroupRecord) => ancestors[0]?.thingGroupId ?? thingGroupId;

function requireOtherHierarchy(thingName: string, group: ThingGroupRecord, members: readonly Member[]): void {
  const other = members.find((member) => rootOf(member.group) === rootOf(group));
  if (other === undefined) return;
  const { thingGroupName: name } = group;
  const message = `Thing ${thingName} cannot be added to thing group ${name}: it belongs to ${other.group.thingGroupName} of the same hierarchy`;
  throw invalid(message);
}

/** A thing that moves within a hierarchy leaves a list and joins it. */
function lastOfEach(operations: readonly StoreOperation[]): StoreOperation[] {
  return [...new Map(operations.map((operation) => [encodeKey(operation.key), operation])).values()];
}

export const listThingsInThingGroup = awsOperation(
  "iot",
  "ListThingsInThingGroup",
  ["thingGroupName", "recursive", "nextToken", "maxResults"],
  async (context, input) => {
    const { scope, store } = context;
    const { value: group } = await requireGroup(context, input.thingGroupName);
    const list = input.recursive === true ? registryKeys.thingsBelowGroup : registryKeys.thingsOfGroup;
    const { entries, nextToken } = await readPage(store, {
      prefix: list(scope, group.thingGroupId),
      token: input.nextToken,
      size: input.maxResults,
    });
    return answer({
      things: entries.map((entry) => lastName(entry.key)),
      ...(nextToken !== undefined && { nextToken }),
    });
  },
);

/** With all groups above them, as the developer guide has it. */
export const listThingGroupsForThing = awsOperation(
  "iot",
  "ListThingGroupsForThing",
  ["thingName", "nextToken", "maxResults"],
  async (context, input) => {
    const { scope, store } = context;
    const { value: thing } = await requireThing(context, input.thingName);
    const prefix = registryKeys.groupsOfThing(scope, input.thingName);
    const keys: StoreKey[] = [];
    for (const { group } of await livingMemberships(store, scope, thing)) {
      for (const { thingGroupName } of [...group.ancestors, group]) keys.push([...prefix, thingGroupName]);
    }
    keys.sort((left, right) => (encodeKey(left) < encodeKey(right) ? -1 : 1));
    const page = pageOf(keys, { prefix, token: input.nextToken, size: input.maxResults });
    const thingGroups = page.keys.map((key) => listed(scope, lastName(key)));
    return answer({ thingGroups, ...(page.nextToken !== undefined && { nextToken: page.nextToken }) });
  },
);
