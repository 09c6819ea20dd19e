// Random changes of thing types, billing groups and what things have of them, one after another and two at once, against a plain model of
// what AWS documents.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import fc from "fast-check";
import { createReferenceCheck } from "../../store-references.js";
import { iterate } from "../../store/iterate.js";
import { openServiceWorld, type ServiceWorld } from "../world.test.support.js";
import { deprecationMs } from "./thing-type-model.js";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
const runs = isLong ? 300 : 6;
const stepsPerRun = 60;
const seed = 289;

type Step =
  | { type: "createThing"; thing: string; thingType: string | undefined; billing: string | undefined }
  | { type: "deleteThing"; thing: string }
  | { type: "setType"; thing: string; thingType: string | undefined }
  | { type: "createType" | "deleteType" | "deprecate" | "undo"; thingType: string }
  | { type: "createBilling" | "deleteBilling"; billing: string }
  | { type: "add" | "remove"; thing: string; billing: string };

const thing = fc.constantFrom("t", "u", "v");
const thingType = fc.constantFrom("lamp", "pump");
const billing = fc.constantFrom("north", "south");
const maybe = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: undefined });
const kind = <T extends string>(...types: T[]) => fc.constantFrom(...types);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    arbitrary: fc.record({
      ...{ type: kind("createThing"), thing },
      ...{ thingType: maybe(thingType), billing: maybe(billing) },
    }),
    weight: 6,
  },
  { arbitrary: fc.record({ type: kind("deleteThing"), thing }), weight: 2 },
  { arbitrary: fc.record({ type: kind("setType"), thing, thingType: maybe(thingType) }), weight: 5 },
  { arbitrary: fc.record({ type: kind("createType", "deleteType", "deprecate", "undo"), thingType }), weight: 6 },
  { arbitrary: fc.record({ type: kind("createBilling", "deleteBilling"), billing }), weight: 4 },
  { arbitrary: fc.record({ type: kind("add", "remove"), thing, billing }), weight: 6 },
);
/** One step, two at once, or the time that has to pass before a deprecated type can be deleted. */
const turns = fc.array(
  fc.oneof(
    { arbitrary: step.map((one) => [one]), weight: 6 },
    { arbitrary: fc.tuple(step, step), weight: 4 },
    { arbitrary: fc.constant([]), weight: 2 },
  ),
  { minLength: stepsPerRun, maxLength: stepsPerRun },
);

interface Thing {
  thingType: string | undefined;
  billing: string | undefined;
}

/** What AWS documents of it, and nothing of how it is stored. */
class Model {
  readonly things = new Map<string, Thing>();
  /** When each was deprecated; undefined for one that is valid. */
  readonly types = new Map<string, number | undefined>();
  readonly billings = new Set<string>();

  clone(): Model {
    const copy = new Model();
    for (const [name, one] of this.things) copy.things.set(name, { ...one });
    for (const [name, atMs] of this.types) copy.types.set(name, atMs);
    for (const name of this.billings) copy.billings.add(name);
    return copy;
  }

  /** @returns the error code, or undefined when the step is taken */
  apply(taken: Step, nowMs: number): string | undefined {
    switch (taken.type) {
      case "createThing":
        return this.createThing(taken);
      case "deleteThing":
        this.things.delete(taken.thing);
        return undefined;
      case "setType":
        return this.setType(taken.thing, taken.thingType);
      case "createType":
        if (!this.types.has(taken.thingType)) this.types.set(taken.thingType, undefined);
        return undefined;
      case "deprecate":
      case "undo":
      case "deleteType":
        return this.changeType(taken.type, taken.thingType, nowMs);
      case "createBilling":
        this.billings.add(taken.billing);
        return undefined;
      case "deleteBilling":
        this.billings.delete(taken.billing);
        for (const one of this.things.values()) if (one.billing === taken.billing) one.billing = undefined;
        return undefined;
      default:
        return this.move(taken.type, taken.thing, taken.billing);
    }
  }

  createThing({
    thing: name,
    thingType: typeName,
    billing: group,
  }: Step & { type: "createThing" }): string | undefined {
    const existing = this.things.get(name);
    if (existing !== undefined) {
      return existing.thingType === typeName && existing.billing === group ? undefined : "RESOURCE_EXISTS";
    }
    if (group !== undefined && !this.billings.has(group)) return "RESOURCE_NOT_FOUND";
    const refusal = this.refusalOfType(typeName);
    if (refusal === undefined) this.things.set(name, { thingType: typeName, billing: group });
    return refusal;
  }

  setType(name: string, typeName: string | undefined): string | undefined {
    const existing = this.things.get(name);
    if (existing === undefined) return "RESOURCE_NOT_FOUND";
    if (existing.thingType === typeName) return undefined;
    const refusal = this.refusalOfType(typeName);
    if (refusal === undefined) existing.thingType = typeName;
    return refusal;
  }

  refusalOfType(name: string | undefined): string | undefined {
    if (name === undefined) return undefined;
    if (!this.types.has(name)) return "RESOURCE_NOT_FOUND";
    return this.types.get(name) === undefined ? undefined : "REQUEST_INVALID";
  }

  changeType(change: "deprecate" | "undo" | "deleteType", name: string, nowMs: number): string | undefined {
    if (!this.types.has(name)) return "RESOURCE_NOT_FOUND";
    const deprecatedAtMs = this.types.get(name);
    if (change === "deprecate") this.types.set(name, deprecatedAtMs ?? nowMs);
    else if (change === "undo") this.types.set(name, undefined);
    else {
      const isUsed = [...this.things.values()].some((one) => one.thingType === name);
      if (deprecatedAtMs === undefined || nowMs - deprecatedAtMs < deprecationMs || isUsed) return "REQUEST_INVALID";
      this.types.delete(name);
    }
    return undefined;
  }

  move(change: "add" | "remove", name: string, group: string): string | undefined {
    const existing = this.things.get(name);
    if (existing === undefined || !this.billings.has(group)) return "RESOURCE_NOT_FOUND";
    if (change === "remove") {
      if (existing.billing === group) existing.billing = undefined;
    } else if (existing.billing === undefined) existing.billing = group;
    else if (existing.billing !== group) return "REQUEST_INVALID";
    return undefined;
  }
}

function perform({ run, registry }: ServiceWorld, taken: Step): Promise<unknown> {
  const { type } = taken;
  switch (type) {
    case "createThing": {
      const { thing: thingName, thingType: thingTypeName, billing: billingGroupName } = taken;
      return run(registry.createThing, { thingName, thingTypeName, billingGroupName });
    }
    case "deleteThing":
      return run(registry.deleteThing, { thingName: taken.thing });
    case "setType": {
      const change = taken.thingType === undefined ? { removeThingType: true } : { thingTypeName: taken.thingType };
      return run(registry.updateThing, { thingName: taken.thing, ...change });
    }
    case "createType":
      return run(registry.createThingType, { thingTypeName: taken.thingType });
    case "deleteType":
      return run(registry.deleteThingType, { thingTypeName: taken.thingType });
    case "deprecate":
    case "undo":
      return run(registry.deprecateThingType, { thingTypeName: taken.thingType, undoDeprecate: type === "undo" });
    case "createBilling":
      return run(registry.createBillingGroup, { billingGroupName: taken.billing });
    case "deleteBilling":
      return run(registry.deleteBillingGroup, { billingGroupName: taken.billing });
    case "add":
      return run(registry.addThingToBillingGroup, { thingName: taken.thing, billingGroupName: taken.billing });
    case "remove":
      return run(registry.removeThingFromBillingGroup, { thingName: taken.thing, billingGroupName: taken.billing });
  }
}

async function codeOf(running: Promise<unknown>): Promise<string | undefined> {
  try {
    await running;
    return undefined;
  } catch (error) {
    assert.ok(isThinglineError(error), String(error));
    return error.code;
  }
}

/** Of two at once the answers and what is left are as if one had come before the other. @returns what it is now */
async function takeTurn(world: ServiceWorld, model: Model, taken: readonly Step[]): Promise<Model> {
  const nowMs = world.clock.unixMs();
  const orders = (
    taken.length < 2
      ? [[0]]
      : [
          [0, 1],
          [1, 0],
        ]
  ).map((order) => {
    const after = model.clone();
    const codes: (string | undefined)[] = [];
    for (const at of order) codes[at] = after.apply(taken[at]!, nowMs);
    return { after, codes };
  });
  const codes = await Promise.all(taken.map((one) => codeOf(perform(world, one))));
  const fitting: Model[] = [];
  const differences: string[] = [];
  for (const order of orders) {
    if (JSON.stringify(order.codes) !== JSON.stringify(codes)) continue;
    const difference = await differenceOf(world, order.after);
    if (difference === undefined) fitting.push(order.after);
    else differences.push(difference);
  }
  const expected = orders.map((order) => order.codes);
  const [found] = fitting;
  assert.ok(found, `${JSON.stringify(taken)}: ${JSON.stringify({ codes, expected, differences })}`);
  return found;
}

/** All lists and descriptions there are, and what the records say of each other. */
async function differenceOf({ run, registry, store }: ServiceWorld, model: Model): Promise<string | undefined> {
  const differs: string[] = [];
  const compare = (what: string, got: readonly unknown[], wanted: readonly unknown[]) => {
    if (JSON.stringify(got) !== JSON.stringify(wanted))
      differs.push(`${what}: ${got.join()} instead of ${wanted.join()}`);
  };
  const namesOf = (fits: (one: Thing) => boolean) =>
    [...model.things]
      .filter(([, one]) => fits(one))
      .map(([name]) => name)
      .sort();
  const { things: all } = await run(registry.listThings, {});
  compare(
    "things",
    all.map(({ thingName }) => thingName),
    namesOf(() => true),
  );
  if (differs.length > 0) return differs[0];
  for (const [thingName, one] of model.things) {
    const described = await run(registry.describeThing, { thingName });
    compare(thingName, [described.thingTypeName, described.billingGroupName], [one.thingType, one.billing]);
  }
  for (const thingTypeName of ["lamp", "pump"]) {
    const { things } = await run(registry.listThings, { thingTypeName });
    const names = things.map(({ thingName }) => thingName);
    compare(
      thingTypeName,
      names,
      namesOf((one) => one.thingType === thingTypeName),
    );
  }
  const { billingGroups } = await run(registry.listBillingGroups, {});
  compare(
    "billing groups",
    billingGroups.map(({ groupName }) => groupName),
    [...model.billings].sort(),
  );
  if (differs.length > 0) return differs[0];
  for (const billingGroupName of model.billings) {
    const { things } = await run(registry.listThingsInBillingGroup, { billingGroupName });
    compare(
      billingGroupName,
      things,
      namesOf((one) => one.billing === billingGroupName),
    );
  }
  const { thingTypes } = await run(registry.listThingTypes, {});
  const types = thingTypes.map(({ thingTypeName, thingTypeMetadata }) => [thingTypeName, thingTypeMetadata.deprecated]);
  compare("types", types, [...model.types].map(([name, atMs]) => [name, atMs !== undefined]).sort());
  const check = createReferenceCheck(() => "");
  for await (const entry of iterate(store, [])) check.see(entry);
  compare("references", [...check.dangling()], []);
  return differs[0];
}

test("types and billing groups are what the model says, whatever happens in whatever order, two at once too", async (t) => {
  let count = 0;
  await fc.assert(
    fc.asyncProperty(turns, async (taken) => {
      const world = await openServiceWorld();
      let model = new Model();
      for (const turn of taken) {
        if (turn.length === 0) await world.clock.advance(deprecationMs);
        else model = await takeTurn(world, model, turn);
        count += turn.length;
      }
      // With everything deleted nothing remains.
      const { run, registry } = world;
      for (const thingName of model.things.keys()) await run(registry.deleteThing, { thingName });
      for (const billingGroupName of model.billings) await run(registry.deleteBillingGroup, { billingGroupName });
      for (const thingTypeName of model.types.keys()) await run(registry.deprecateThingType, { thingTypeName });
      await world.clock.advance(deprecationMs);
      for (const thingTypeName of model.types.keys()) await run(registry.deleteThingType, { thingTypeName });
      const left = await world.store.list(["123456789012"], { limit: 5 });
      assert.deepEqual(
        left.map(({ key }) => key.join("/")),
        [],
      );
    }),
    { numRuns: runs, seed },
  );
  t.diagnostic(`${count} steps`);
});
