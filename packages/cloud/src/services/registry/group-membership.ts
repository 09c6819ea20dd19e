import { ThinglineError } from "@thingline/protocol";
import { encodeKey } from "../../store/key-encoding.js";
import type { StoreKey, StoreOperation } from "../../store/store.js";
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
import { recheckThing } from "./recheck.js";
import { listed } from "./thing-groups.js";
import { requireThing } from "./thing-directory.js";

const invalid = (message: string, details = {}) => new ThinglineError("REQUEST_INVALID", message, { details });

type Nothing = Readonly<Record<never, never>>;
type Moved = InputOf<"iot", "RemoveThingFromThingGroup">;

interface Change {
  thingName: string;
  add: readonly string[];
  remove: readonly string[];
}

interface Member {
  membership: ThingMembership;
  group: ThingGroupRecord;
}

/** @param watchers services that hear of each thing */
export function membershipOperations(watchers: readonly string[]) {
  const change = (context: OperationContext, wanted: Change) => changeMemberships(context, watchers, wanted);
  return {
    // There are no dynamic groups, which alone `overrideDynamicGroups` is about.
    addThingToThingGroup: awsOperation(
      "iot",
      "AddThingToThingGroup",
      ["thingGroupName", "thingGroupArn", "thingName", "thingArn", "overrideDynamicGroups"],
      async (context, input) => {
        const { thingName, thingGroupName } = readNames(context.scope, input);
        return change(context, { thingName, add: [thingGroupName], remove: [] });
      },
    ),
    removeThingFromThingGroup: awsOperation(
      "iot",
      "RemoveThingFromThingGroup",
      ["thingGroupName", "thingGroupArn", "thingName", "thingArn"],
      async (context, input) => {
        const { thingName, thingGroupName } = readNames(context.scope, input);
        return change(context, { thingName, add: [], remove: [thingGroupName] });
      },
    ),
    updateThingGroupsForThing: awsOperation(
      "iot",
      "UpdateThingGroupsForThing",
      ["thingName", "thingGroupsToAdd", "thingGroupsToRemove", "overrideDynamicGroups"],
      async (context, { thingName, thingGroupsToAdd: add = [], thingGroupsToRemove: remove = [] }) => {
        if (thingName === undefined) throw invalid("thingName is missing");
        const both = add.find((name) => remove.includes(name));
        if (both !== undefined) throw invalid(`Thing group ${both} is to be added and to be removed`);
        return change(context, { thingName, add, remove });
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
  { thingName, add, remove }: Change,
): Promise<Outcome<Nothing>> {
  const { scope, store, nowMs, random } = context;
  const { key, value: thing, revision } = await requireThing(context, thingName);
  for (const name of remove) await requireGroup(context, name);
  const living = await livingMemberships(store, scope, thing);
  const leaving = living.filter(({ group }) => remove.includes(group.thingGroupName));
  const members: Member[] = living.filter((member) => !leaving.includes(member));
  const joining: Member[] = [];
  const checks: StoreOperation[] = [];
  for (const name of new Set(add)) {
    const entry = await requireGroup(context, name);
    if (members.some(({ group }) => group.thingGroupName === name)) continue;
    requireOtherHierarchy(thingName, entry.value, members);
    const { thingGroupName, thingGroupId } = entry.value;
    const membership = { thingGroupName, thingGroupId, membershipId: random.uuid() };
    const member = { group: entry.value, membership };
    members.push(member);
    joining.push(member);
    checks.push({ key: entry.key, expectedRevision: entry.revision, check: true });
  }
  if (leaving.length === 0 && joining.length === 0) return answer({});
  if (members.length > groupsPerThingMax) {
    throw invalid(`Thing ${thingName} can belong to at most ${groupsPerThingMax} thing groups`, { groupsPerThingMax });
  }
  // Those whose group is gone leave the record as well.
  const left = (thing.groups ?? []).filter((membership) => !members.some((member) => member.membership === membership));
  const events: RegistryEvent[] = [
    ...left.map((membership) => membershipEvent(scope, "REMOVED", { thing, membership })),
    ...joining.map(({ membership }) => membershipEvent(scope, "ADDED", { thing, membership })),
  ];
  return {
    result: {},
    operations: [
      // Two that change the memberships of one thing at once get in each other's way here.
      { key, expectedRevision: revision, value: withGroups(thing, members) },
      ...checks,
      ...lastOfEach([
        ...leaving.flatMap(({ group }) => leaveOperations(scope, thingName, group)),
        ...joining.flatMap(({ group }) => joinOperations(scope, thingName, group)),
      ]),
    ],
    effects: [
      ...(await recheckThing(context, thingName)),
      ...(await publishEvents(context, events)),
      ...wakeWatchers(watchers, thingName, nowMs),
    ],
  };
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
