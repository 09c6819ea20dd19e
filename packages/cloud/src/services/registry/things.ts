import { ThinglineError } from "@thingline/protocol";
import type { StoreEntry, StoreReader } from "../../store/store.js";
import { awsOperation, type InputOf } from "../aws-operation.js";
import { answer, type Operation, type OperationContext, type Scope } from "../operation.js";
import { readPage } from "../page.js";
import { isSame, updateAttributes, withoutEmpty } from "./attributes.js";
import { publishEvents, thingEvent } from "./events.js";
import { leaveGroups } from "./group-records.js";
import { wakeWatchers } from "./membership-watchers.js";
import { arnOf, attributesWithoutTypeMax, registryKeys, type ThingRecord } from "./model.js";
import { recheckThing } from "./recheck.js";

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

export const createThing = awsOperation(
  "iot",
  "CreateThing",
  ["thingName", "thingTypeName", "attributePayload.attributes", "attributePayload.merge", "billingGroupName"],
  async (context, input) => {
    const { scope, store, nowMs, random } = context;
    refuseUnknownGroups(input);
    const key = registryKeys.thing(scope, input.thingName);
    const attributes = withoutEmpty(input.attributePayload?.attributes ?? {});
    requireFewAttributes(attributes);
    const existing = await store.get<ThingRecord>(key);
    if (existing !== undefined) {
      if (!isSame(existing.value.attributes, attributes)) throw thingExists(scope, existing.value);
      return answer(describeCreated(scope, existing.value));
    }
    const thing = newThing({ thingName: input.thingName, thingId: random.uuid(), attributes, nowMs });
    const operations = [{ key, expectedRevision: 0, value: thing }];
    const effects = await publishEvents(context, [thingEvent("CREATED", thing)]);
    return { result: describeCreated(scope, thing), operations, effects };
  },
);

export function newThing(options: {
  thingName: string;
  thingId: string;
  attributes: Record<string, string>;
  nowMs: number;
}): ThingRecord {
  const { thingName: name, thingId, attributes, nowMs } = options;
  return { thingName: name, thingId, attributes, version: 1, createdAtMs: nowMs };
}

export const describeThing = awsOperation("iot", "DescribeThing", ["thingName"], async (context, input) => {
  const { value: thing } = await requireThing(context, input.thingName);
  return answer({
    defaultClientId: thing.thingName,
    thingName: thing.thingName,
    thingId: thing.thingId,
    thingArn: arnOf.thing(context.scope, thing.thingName),
    ...(thing.thingTypeName !== undefined && { thingTypeName: thing.thingTypeName }),
    attributes: thing.attributes,
    version: thing.version,
    ...(thing.billingGroupName !== undefined && { billingGroupName: thing.billingGroupName }),
  });
});

export const updateThing = awsOperation(
  "iot",
  "UpdateThing",
  [
    "thingName",
    "thingTypeName",
    "attributePayload.attributes",
    "attributePayload.merge",
    "expectedVersion",
    "removeThingType",
  ],
  async (context, input) => {
    const { scope, store } = context;
    if (input.removeThingType === true && input.thingTypeName !== undefined) {
      throw new ThinglineError("REQUEST_INVALID", "thingTypeName and removeThingType cannot be given together");
    }
    refuseUnknownGroups(input);
    const { value: thing, revision } = await requireThing(context, input.thingName);
    requireVersion(thing, input.expectedVersion);
    const { thingTypeName: _removed, ...withoutType } = thing;
    const attributes = updateAttributes(thing.attributes, input.attributePayload);
    requireFewAttributes(attributes);
    const kept = input.removeThingType === true ? withoutType : thing;
    const value: ThingRecord = { ...kept, attributes, version: thing.version + 1 };
    return {
      result: {},
      operations: [{ key: registryKeys.thing(scope, thing.thingName), expectedRevision: revision, value }],
      effects: [
        ...(await recheckThing({ store, scope }, thing.thingName)),
        ...(await publishEvents(context, [thingEvent("UPDATED", value)])),
      ],
    };
  },
);

/** Its memberships go with it. @param watchers services that hear of it */
export function deleteThingOperation(watchers: readonly string[]) {
  return awsOperation("iot", "DeleteThing", ["thingName", "expectedVersion"], async (context, input) => {
    const { scope, store, nowMs } = context;
    const key = registryKeys.thing(scope, input.thingName);
    const existing = await store.get<ThingRecord>(key);
    if (existing === undefined) return answer({});
    requireVersion(existing.value, input.expectedVersion);
    const guardKey = registryKeys.guard(scope, "thing", input.thingName);
    const guardRevision = (await store.get(guardKey))?.revision ?? 0;
    const [principal] = await store.list(registryKeys.principalsOfThing(scope, input.thingName), { limit: 1 });
    if (principal !== undefined) {
      const message = `Cannot delete. Thing ${input.thingName} is still attached to one or more principals`;
      throw new ThinglineError("REQUEST_INVALID", message);
    }
    const left = await leaveGroups(context, existing.value);
    return {
      result: {},
      operations: [
        { key, expectedRevision: existing.revision, delete: true as const },
        { key: guardKey, expectedRevision: guardRevision, delete: true as const },
        ...left.operations,
      ],
      effects: [
        ...(await publishEvents(context, [...left.events, thingEvent("DELETED", existing.value)])),
        ...wakeWatchers(watchers, input.thingName, nowMs),
      ],
    };
  });
}

export const listThings = awsOperation(
  "iot",
  "ListThings",
  ["nextToken", "maxResults", "attributeName", "attributeValue", "thingTypeName", "usePrefixAttributeValue"],
  async ({ scope, store }, input) => {
    refuseCombinations(input);
    const { entries, nextToken } = await readPage<ThingRecord>(store, {
      prefix: registryKeys.things(scope),
      token: input.nextToken,
      size: input.maxResults,
      matches: ({ value }) => isListed(value, input),
    });
    const things = entries.map(({ value }) => ({
      thingName: value.thingName,
      ...(value.thingTypeName !== undefined && { thingTypeName: value.thingTypeName }),
      thingArn: arnOf.thing(scope, value.thingName),
      attributes: value.attributes,
      version: value.version,
    }));
    return answer({ things, ...(nextToken !== undefined && { nextToken }) });
  },
);

type ListFilter = Omit<InputOf<"iot", "ListThings">, "nextToken" | "maxResults">;

/** AWS refuses attribute and thing type together; a value says nothing without its name, nor a prefix without a value. */
function refuseCombinations({ attributeName: name, attributeValue: value, ...rest }: ListFilter): void {
  const invalid = (message: string) => new ThinglineError("REQUEST_INVALID", message);
  if (rest.thingTypeName !== undefined && (name !== undefined || value !== undefined)) {
    throw invalid("Listing things by the combination of attribute and thing type is not supported");
  }
  if (value !== undefined && name === undefined) throw invalid("attributeValue is given without attributeName");
  if (rest.usePrefixAttributeValue === true && value === undefined) {
    throw invalid("usePrefixAttributeValue is given without attributeValue");
  }
}

function isListed(thing: ThingRecord, filter: ListFilter): boolean {
  if (filter.thingTypeName !== undefined && filter.thingTypeName !== thing.thingTypeName) return false;
  if (filter.attributeName === undefined) return true;
  const value = Object.hasOwn(thing.attributes, filter.attributeName)
    ? thing.attributes[filter.attributeName]
    : undefined;
  if (value === undefined || filter.attributeValue === undefined) return value !== undefined;
  return filter.usePrefixAttributeValue === true
    ? value.startsWith(filter.attributeValue)
    : value === filter.attributeValue;
}

function requireFewAttributes(attributes: Record<string, string>): void {
  const count = Object.keys(attributes).length;
  if (count <= attributesWithoutTypeMax) return;
  const message = `A thing without a thing type can have ${attributesWithoutTypeMax} attributes, got ${count}`;
  throw new ThinglineError("REQUEST_INVALID", message, { details: { count } });
}

function requireVersion(thing: ThingRecord, expected: number | undefined): void {
  if (expected === undefined || expected === thing.version) return;
  const message = `The version for thing ${thing.thingName} does not match the expected version.`;
  throw new ThinglineError("VERSION_CONFLICT", message, { details: { version: thing.version, expected } });
}

/** There are no thing types and billing groups yet, so none of a given name can exist. */
function refuseUnknownGroups(input: Partial<InputOf<"iot", "CreateThing">>): void {
  const { thingTypeName: type, billingGroupName: group } = input;
  if (type !== undefined) throw new ThinglineError("RESOURCE_NOT_FOUND", `Thing type ${type} not found.`);
  if (group !== undefined) throw new ThinglineError("RESOURCE_NOT_FOUND", `Billing group ${group} not found.`);
}

function thingExists(scope: Scope, { thingName: name, thingId }: ThingRecord): ThinglineError {
  const details = { resourceId: thingId, resourceArn: arnOf.thing(scope, name) };
  const message = `Thing ${name} already exists in account with different attributes`;
  return new ThinglineError("RESOURCE_EXISTS", message, { details });
}

function describeCreated(scope: Scope, { thingName: name, thingId }: ThingRecord) {
  return { thingName: name, thingArn: arnOf.thing(scope, name), thingId };
}
