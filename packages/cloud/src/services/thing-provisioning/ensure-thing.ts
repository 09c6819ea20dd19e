import type { PlannedThing } from "../../provisioning-template/index.js";
import type { OutputOf } from "../aws-operation.js";
import type { OperationContext } from "../operation.js";
import { groupsOfThing, type Registry } from "../registry/index.js";
import { unless } from "../unless.js";
import { at, conflict } from "./failures.js";

export type ThingOperations = Pick<
  Registry,
  "addThingToBillingGroup" | "createThing" | "describeThing" | "updateThing" | "updateThingGroupsForThing"
>;

type ExistingThing = OutputOf<"iot", "DescribeThing">;

/** Makes the thing, or makes the one that exists what the template and its override settings ask for. @returns its ARN */
export async function ensureThing(
  context: OperationContext,
  registry: ThingOperations,
  planned: PlannedThing,
): Promise<string> {
  const { thingName } = planned;
  const existing = await unless("RESOURCE_NOT_FOUND", () => context.call(registry.describeThing, { thingName }));
  if (existing === undefined) return createThing(context, registry, planned);
  await updateThing(context, registry, planned, existing);
  await updateGroups(context, registry, planned);
  return existing.thingArn ?? "";
}

async function createThing(context: OperationContext, registry: ThingOperations, planned: PlannedThing) {
  const { path, thingName, attributes, thingTypeName, billingGroupName, thingGroups = [] } = planned;
  const { thingArn = "" } = await at(`${path}.Properties`, () =>
    context.call(registry.createThing, {
      thingName,
      ...(attributes !== undefined && { attributePayload: { attributes: { ...attributes } } }),
      ...(thingTypeName !== undefined && { thingTypeName }),
      ...(billingGroupName !== undefined && { billingGroupName }),
    }),
  );
  await changeGroups(context, registry, planned, { add: thingGroups, remove: [] });
  return thingArn;
}

async function updateThing(
  context: OperationContext,
  registry: ThingOperations,
  planned: PlannedThing,
  existing: ExistingThing,
): Promise<void> {
  const { path, thingName } = planned;
  const changes = { ...attributeChange(planned, existing), ...typeChange(planned, existing) };
  if (Object.keys(changes).length > 0) {
    await at(`${path}.Properties`, () => context.call(registry.updateThing, { thingName, ...changes }));
  }
  await joinBillingGroup(context, registry, planned, existing);
}

/** AWS has no override setting for it: a thing without a billing group gets the template's, and one that is in another stays there and fails. */
async function joinBillingGroup(
  context: OperationContext,
  registry: ThingOperations,
  { path, thingName, billingGroupName }: PlannedThing,
  { billingGroupName: current }: ExistingThing,
): Promise<void> {
  if (billingGroupName === undefined || billingGroupName === current) return;
  const propertyPath = `${path}.Properties.BillingGroup`;
  if (current !== undefined) throw conflict(propertyPath, `the thing exists and is in billing group ${current}`);
  await at(propertyPath, () => context.call(registry.addThingToBillingGroup, { thingName, billingGroupName }));
}

function attributeChange({ path, attributes, override }: PlannedThing, { attributes: current = {} }: ExistingThing) {
  if (attributes === undefined || override.attributes === "DO_NOTHING") return {};
  const wanted = override.attributes === "MERGE" ? { ...current, ...attributes } : attributes;
  if (isSame(wanted, current)) return {};
  if (override.attributes === "FAIL") {
    throw conflict(`${path}.Properties.AttributePayload`, "the thing exists and has other attributes");
  }
  return { attributePayload: { attributes: { ...attributes }, merge: override.attributes === "MERGE" } };
}

function typeChange({ path, thingTypeName, override }: PlannedThing, { thingTypeName: current }: ExistingThing) {
  if (thingTypeName === undefined || thingTypeName === current || override.thingType === "DO_NOTHING") return {};
  if (override.thingType === "REPLACE") return { thingTypeName };
  const reason = `the thing exists and has ${current === undefined ? "no thing type" : `thing type ${current}`}`;
  throw conflict(`${path}.Properties.ThingTypeName`, reason);
}

/** An empty value is none: such an attribute is removed. */
function isSame(wanted: Readonly<Record<string, string>>, current: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(wanted).filter((name) => wanted[name] !== "");
  return names.length === Object.keys(current).length && names.every((name) => wanted[name] === current[name]);
}

async function updateGroups(
  context: OperationContext,
  registry: ThingOperations,
  planned: PlannedThing,
): Promise<void> {
  const { path, thingName, thingGroups, override } = planned;
  if (thingGroups === undefined || override.thingGroups === "DO_NOTHING") return;
  const current = (await context.call(groupsOfThing, { thingName })).filter(({ isDirect }) => isDirect);
  const names = new Set(current.map(({ thingGroupName }) => thingGroupName));
  const add = thingGroups.filter((name) => !names.has(name));
  const remove = override.thingGroups === "MERGE" ? [] : [...names].filter((name) => !thingGroups.includes(name));
  if (override.thingGroups === "FAIL" && add.length + remove.length > 0) {
    throw conflict(`${path}.Properties.ThingGroups`, "the thing exists and is in other groups");
  }
  await changeGroups(context, registry, planned, { add, remove });
}

async function changeGroups(
  context: OperationContext,
  registry: ThingOperations,
  { path, thingName }: PlannedThing,
  { add, remove }: { add: readonly string[]; remove: readonly string[] },
): Promise<void> {
  if (add.length + remove.length === 0) return;
  await at(`${path}.Properties.ThingGroups`, () =>
    context.call(registry.updateThingGroupsForThing, {
      thingName,
      thingGroupsToAdd: [...add],
      thingGroupsToRemove: [...remove],
    }),
  );
}
