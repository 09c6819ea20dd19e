import { ThinglineError } from "@thingline/protocol";
import { awsOperation } from "../aws-operation.js";
import { answer, type Scope } from "../operation.js";
import { isSame, updateAttributes, withoutEmpty } from "./attributes.js";
import { billingGroupOf, joinBillingGroup, leaveBillingGroup } from "./billing-membership.js";
import { publishEvents, thingEvent } from "./events.js";
import { leaveGroups } from "./group-records.js";
import { wakeWatchers } from "./membership-watchers.js";
import { arnOf, registryKeys, type ThingRecord } from "./model.js";
import { recheckThing, unchanged } from "./recheck.js";
import { requireThing } from "./thing-directory.js";
import { changeType, requireFewAttributes } from "./thing-type-of-thing.js";

export const createThing = awsOperation(
  "iot",
  "CreateThing",
  ["thingName", "thingTypeName", "attributePayload.attributes", "attributePayload.merge", "billingGroupName"],
  async (context, input) => {
    const { scope, store, nowMs, random } = context;
    const { thingName, thingTypeName, billingGroupName } = input;
    const key = registryKeys.thing(scope, thingName);
    const attributes = withoutEmpty(input.attributePayload?.attributes ?? {});
    const typed = { ...(thingTypeName !== undefined && { thingTypeName }), attributes };
    requireFewAttributes(typed);
    const existing = await store.get<ThingRecord>(key);
    if (existing !== undefined) {
      const isSameThing =
        isSame(existing.value.attributes, attributes) &&
        existing.value.thingTypeName === thingTypeName &&
        (await billingGroupOf(store, scope, existing.value)) === billingGroupName;
      if (!isSameThing) throw thingExists(scope, existing.value);
      return answer(describeCreated(scope, existing.value));
    }
    const billing =
      billingGroupName === undefined ? undefined : await joinBillingGroup(context, { thingName }, billingGroupName);
    const thing: ThingRecord = {
      thingName,
      thingId: random.uuid(),
      ...typed,
      ...billing?.membership,
      version: 1,
      createdAtMs: nowMs,
    };
    const type = await changeType(context, undefined, thing);
    return {
      result: describeCreated(scope, thing),
      operations: [{ key, expectedRevision: 0, value: thing }, ...type.operations, ...(billing?.operations ?? [])],
      effects: await publishEvents(context, [thingEvent("CREATED", thing), ...type.events]),
    };
  },
);

export const describeThing = awsOperation("iot", "DescribeThing", ["thingName"], async (context, input) => {
  const { value: thing } = await requireThing(context, input.thingName);
  const billingGroupName = await billingGroupOf(context.store, context.scope, thing);
  return answer({
    defaultClientId: thing.thingName,
    thingName: thing.thingName,
    thingId: thing.thingId,
    thingArn: arnOf.thing(context.scope, thing.thingName),
    ...(thing.thingTypeName !== undefined && { thingTypeName: thing.thingTypeName }),
    attributes: thing.attributes,
    version: thing.version,
    ...(billingGroupName !== undefined && { billingGroupName }),
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
    const { value: thing, revision } = await requireThing(context, input.thingName);
    requireVersion(thing, input.expectedVersion);
    const { thingTypeName: typeBefore, ...rest } = thing;
    const thingTypeName = input.removeThingType === true ? undefined : (input.thingTypeName ?? typeBefore);
    const value: ThingRecord = {
      ...rest,
      ...(thingTypeName !== undefined && { thingTypeName }),
      attributes: updateAttributes(thing.attributes, input.attributePayload),
      version: thing.version + 1,
    };
    requireFewAttributes(value);
    const type = await changeType(context, thing, value);
    return {
      result: {},
      operations: [
        { key: registryKeys.thing(scope, thing.thingName), expectedRevision: revision, value },
        // A certificate that is attached meanwhile would not be looked at again.
        await unchanged(context, registryKeys.guard(scope, "thing", thing.thingName)),
        ...type.operations,
      ],
      effects: [
        ...(await recheckThing({ store, scope }, thing.thingName)),
        ...(await publishEvents(context, [...type.events, thingEvent("UPDATED", value)])),
      ],
    };
  },
);

/** Its memberships and its places in lists go with it. @param watchers services that hear of it */
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
    const type = await changeType(context, existing.value, undefined);
    const events = [...left.events, ...type.events, thingEvent("DELETED", existing.value)];
    return {
      result: {},
      operations: [
        { key, expectedRevision: existing.revision, delete: true as const },
        { key: guardKey, expectedRevision: guardRevision, delete: true as const },
        ...left.operations,
        ...type.operations,
        ...leaveBillingGroup(scope, existing.value),
      ],
      effects: [...(await publishEvents(context, events)), ...wakeWatchers(watchers, input.thingName, nowMs)],
    };
  });
}

function requireVersion(thing: ThingRecord, expected: number | undefined): void {
  if (expected === undefined || expected === thing.version) return;
  const message = `The version for thing ${thing.thingName} does not match the expected version.`;
  throw new ThinglineError("VERSION_CONFLICT", message, { details: { version: thing.version, expected } });
}

function thingExists(scope: Scope, { thingName: name, thingId }: ThingRecord): ThinglineError {
  const details = { resourceId: thingId, resourceArn: arnOf.thing(scope, name) };
  const message = `Thing ${name} already exists in account with different attributes`;
  return new ThinglineError("RESOURCE_EXISTS", message, { details });
}

function describeCreated(scope: Scope, { thingName: name, thingId }: ThingRecord) {
  return { thingName: name, thingArn: arnOf.thing(scope, name), thingId };
}
