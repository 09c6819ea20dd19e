// Random changes of groups and memberships, one after another and at once, against a plain model of what AWS documents.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import fc from "fast-check";
import { openServiceWorld, type ServiceWorld } from "../world.test.support.js";
import { clearedThingsMax } from "./group-sweep.js";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
const runs = isLong ? 400 : 10;
const stepsPerRun = 60;
const seed = 190;

const groupNames = ["a", "b", "c", "d", "e", "f"];
const thingNames = ["t", "u", "v"];
/** More than leave a deleted group in one commit. */
const crowd = Array.from({ length: clearedThingsMax + 3 }, (_, at) => `x-${String(at).padStart(2, "0")}`);

type Step =
  | { type: "createGroup"; group: string; parent: string | undefined }
  | { type: "deleteGroup"; group: string }
  | { type: "createThing" | "deleteThing"; thing: string }
  | { type: "change"; thing: string; add: string[]; remove: string[] }
  | { type: "crowd"; group: string }
  | { type: "settle" };

const group = fc.constantFrom(...groupNames);
const thing = fc.constantFrom(...thingNames);
const someGroups = fc.uniqueArray(group, { maxLength: 2 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    arbitrary: fc.record({
      type: fc.constant("createGroup" as const),
      group,
      parent: fc.option(group, { nil: undefined }),
    }),
    weight: 6,
  },
  { arbitrary: fc.record({ type: fc.constant("deleteGroup" as const), group }), weight: 2 },
  { arbitrary: fc.record({ type: fc.constant("createThing" as const), thing }), weight: 3 },
  { arbitrary: fc.record({ type: fc.constant("deleteThing" as const), thing }), weight: 1 },
  {
    arbitrary: fc.record({ type: fc.constant("change" as const), thing, add: someGroups, remove: someGroups }),
    weight: 12,
  },
  { arbitrary: fc.record({ type: fc.constant("crowd" as const), group }), weight: 1 },
  { arbitrary: fc.record({ type: fc.constant("settle" as const) }), weight: 2 },
);

/** A group of many is deleted, made again perhaps, and others of its hierarchy are joined before it is cleared away. */
const deletion: fc.Arbitrary<Step[]> = fc
  .record({ group, parent: group, next: group, isMadeAgain: fc.boolean(), isBelow: fc.boolean() })
  .map(({ group: name, parent, next, isMadeAgain, isBelow }) => {
    const made: Step = { type: "createGroup", group: name, parent: isBelow ? parent : undefined };
    return [
      made,
      { type: "crowd", group: name },
      { type: "deleteGroup", group: name },
      ...(isMadeAgain ? [made] : []),
      { type: "crowd", group: isBelow ? parent : next },
    ];
  });
const steps = fc
  .array(fc.oneof({ arbitrary: step.map((one) => [one]), weight: 20 }, { arbitrary: deletion, weight: 2 }), {
    minLength: stepsPerRun,
    maxLength: stepsPerRun,
  })
  .map((parts) => parts.flat());

/** What AWS documents of it, and nothing of how it is stored. */
class Model {
  readonly parents = new Map<string, string | undefined>();
  readonly things = new Map<string, Set<string>>();

  /** @returns the error code, or undefined when the step is taken */
  apply(step: Step): string | undefined {
    switch (step.type) {
      case "createGroup": {
        if (step.parent !== undefined && !this.parents.has(step.parent)) return "RESOURCE_NOT_FOUND";
        if (!this.parents.has(step.group)) this.parents.set(step.group, step.parent);
        return this.parents.get(step.group) === step.parent ? undefined : "RESOURCE_EXISTS";
      }
      case "deleteGroup":
        if ([...this.parents.values()].includes(step.group)) return "REQUEST_INVALID";
        this.parents.delete(step.group);
        for (const groups of this.things.values()) groups.delete(step.group);
        return undefined;
      case "createThing":
        if (!this.things.has(step.thing)) this.things.set(step.thing, new Set());
        return undefined;
      case "deleteThing":
        this.things.delete(step.thing);
        return undefined;
      case "change":
        return this.change(step);
      default:
        return undefined;
    }
  }

  change({ thing: name, add, remove }: { thing: string; add: string[]; remove: string[] }): string | undefined {
    if (add.some((one) => remove.includes(one))) return "REQUEST_INVALID";
    const groups = this.things.get(name);
    if (groups === undefined) return "RESOURCE_NOT_FOUND";
    if ([...add, ...remove].some((one) => !this.parents.has(one))) return "RESOURCE_NOT_FOUND or REQUEST_INVALID";
    const next = new Set([...groups].filter((one) => !remove.includes(one)));
    for (const one of add) next.add(one);
    const roots = [...next].map((one) => this.path(one).at(-1));
    if (new Set(roots).size < roots.length) return "REQUEST_INVALID";
    this.things.set(name, next);
    return undefined;
  }

  /** A group, its parent, and so on to the root. */
  path(name: string): string[] {
    const parent = this.parents.get(name);
    return parent === undefined ? [name] : [name, ...this.path(parent)];
  }

  thingsIn(name: string, isRecursive: boolean): string[] {
    const isIn = (one: string) => (isRecursive ? this.path(one).includes(name) : one === name);
    const found = [...this.things].filter(([, groups]) => [...groups].some(isIn));
    return found.map(([one]) => one).sort();
  }

  groupsOf(name: string): string[] {
    return [...(this.things.get(name) ?? [])].flatMap((one) => this.path(one)).sort();
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

async function runStep(world: ServiceWorld, model: Model, step: Step): Promise<void> {
  const { run, registry } = world;
  const expect = async (running: Promise<unknown>, wanted: string | undefined) => {
    const code = await codeOf(running);
    const isExpected = wanted === undefined ? code === undefined : code !== undefined && wanted.includes(code);
    assert.ok(isExpected, `${JSON.stringify(step)}: ${code}, expected ${wanted}`);
  };
  const change = (thingName: string, add: string[], remove: string[]) =>
    run(registry.updateThingGroupsForThing, { thingName, thingGroupsToAdd: add, thingGroupsToRemove: remove });
  switch (step.type) {
    case "createGroup": {
      const parent = step.parent === undefined ? {} : { parentGroupName: step.parent };
      return expect(run(registry.createThingGroup, { thingGroupName: step.group, ...parent }), model.apply(step));
    }
    case "deleteGroup":
      return expect(run(registry.deleteThingGroup, { thingGroupName: step.group }), model.apply(step));
    case "createThing":
      return expect(run(registry.createThing, { thingName: step.thing }), model.apply(step));
    case "deleteThing":
      return expect(run(registry.deleteThing, { thingName: step.thing }), model.apply(step));
    case "change":
      return expect(change(step.thing, step.add, step.remove), model.apply(step));
    case "crowd": {
      const results = crowd.map(
        (name) => [name, model.change({ thing: name, add: [step.group], remove: [] })] as const,
      );
      await Promise.all(results.map(([name, wanted]) => expect(change(name, [step.group], []), wanted)));
      return;
    }
    case "settle":
      await world.clock.advance(1);
      await compare(world, model);
  }
}

/** All lists there are, when what was deleted is cleared away. */
async function compare({ run, registry }: ServiceWorld, model: Model): Promise<void> {
  for (const thingGroupName of model.parents.keys()) {
    for (const recursive of [false, true]) {
      const { things } = await run(registry.listThingsInThingGroup, { thingGroupName, recursive, maxResults: 250 });
      assert.deepEqual(things, model.thingsIn(thingGroupName, recursive), `${thingGroupName}, recursive ${recursive}`);
    }
  }
  for (const thingName of model.things.keys()) {
    const { thingGroups } = await run(registry.listThingGroupsForThing, { thingName, maxResults: 250 });
    assert.deepEqual(
      thingGroups.map(({ groupName }) => groupName),
      model.groupsOf(thingName),
      thingName,
    );
  }
}

test("groups and memberships are what the model says, whatever happens in whatever order", async (t) => {
  let count = 0;
  await fc.assert(
    fc.asyncProperty(steps, async (taken) => {
      const world = await openServiceWorld();
      const model = new Model();
      for (const name of [...thingNames.slice(0, 2), ...crowd]) {
        await runStep(world, model, { type: "createThing", thing: name });
      }
      for (const one of taken) {
        await runStep(world, model, one);
        count++;
      }
      await runStep(world, model, { type: "settle" });
      // With everything deleted nothing remains.
      for (const name of model.things.keys()) await world.run(world.registry.deleteThing, { thingName: name });
      for (let level = 0; level < groupNames.length; level++) {
        for (const name of groupNames) {
          await codeOf(world.run(world.registry.deleteThingGroup, { thingGroupName: name }));
        }
      }
      await world.clock.advance(1);
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
