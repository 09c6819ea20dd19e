import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, type ErrorCode } from "@thingline/protocol";
import { interrupt, openServiceWorld, scope as owner, type ServiceWorld } from "../world.test.support.js";
import { attributesWithoutTypeMax, attributesWithTypeMax, registryKeys } from "./model.js";
import { recheckedThingsMax } from "./recheck.js";
import {
  deprecationMs,
  enrichmentOf,
  propagatingAttributesMax,
  searchableAttributesMax,
  type ThingTypeRecord,
} from "./thing-type-model.js";

const fails = (code: ErrorCode, message: RegExp) => (error: unknown) =>
  isThinglineError(error, code) && message.test(error.message);
const arnOfType = (name: string) => `arn:aws:iot:us-east-1:123456789012:thingtype/${name}`;
const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`a${at}`, "x"]));
const propagating = (...propagatingAttributes: object[]) => ({ mqtt5Configuration: { propagatingAttributes } });

async function makeTypes({ run, registry }: ServiceWorld, ...names: string[]) {
  for (const thingTypeName of names) await run(registry.createThingType, { thingTypeName });
}

const typeOf = async ({ run, registry }: ServiceWorld, thingName: string) =>
  (await run(registry.describeThing, { thingName })).thingTypeName;

/** Something else happens between what the next operation has read and its commit. */
function beforeNextCommit({ store }: ServiceWorld, interfere: () => Promise<void>) {
  const commit = store.commit.bind(store);
  store.commit = async (...args) => {
    store.commit = commit;
    await interfere();
    return commit(...args);
  };
}

async function thingsOfType({ run, registry }: ServiceWorld, thingTypeName: string, maxResults = 250) {
  const names: (string | undefined)[] = [];
  let nextToken: string | undefined;
  do {
    const answer: { things: { thingName?: string; thingTypeName?: string }[]; nextToken?: string } = await run(
      registry.listThings,
      { thingTypeName, maxResults, ...(nextToken !== undefined && { nextToken }) },
    );
    for (const thing of answer.things) {
      assert.equal(thing.thingTypeName, thingTypeName);
      names.push(thing.thingName);
    }
    nextToken = answer.nextToken;
  } while (nextToken !== undefined);
  return names;
}

test("a thing type is created once, again with the same properties, and not with others", async () => {
  const { run, registry, clock } = await openServiceWorld();
  const thingTypeProperties = {
    thingTypeDescription: "a lamp",
    searchableAttributes: ["watts", "model"],
    ...propagating(
      { userPropertyKey: "model", thingAttribute: "model" },
      { userPropertyKey: "id", connectionAttribute: "iot:ClientId" },
    ),
  };
  const first = await run(registry.createThingType, { thingTypeName: "lamp", thingTypeProperties });
  assert.deepEqual(first, { ...first, thingTypeName: "lamp", thingTypeArn: arnOfType("lamp") });
  assert.match(first.thingTypeId, /^[0-9a-f-]{36}$/);
  assert.deepEqual(await run(registry.createThingType, { thingTypeName: "lamp", thingTypeProperties }), first);
  for (const other of [
    undefined,
    { ...thingTypeProperties, thingTypeDescription: "another" },
    { ...thingTypeProperties, searchableAttributes: ["model", "watts"] },
    { ...thingTypeProperties, mqtt5Configuration: {} },
  ]) {
    await assert.rejects(
      run(registry.createThingType, { thingTypeName: "lamp", thingTypeProperties: other }),
      (error) => {
        assert.ok(isThinglineError(error, "RESOURCE_EXISTS"));
        assert.deepEqual(error.details, { resourceId: first.thingTypeId, resourceArn: first.thingTypeArn });
        return true;
      },
    );
  }
  const thingTypeMetadata = { deprecated: false, creationDate: clock.unixMs() / 1000 };
  const described = await run(registry.describeThingType, { thingTypeName: "lamp" });
  assert.deepEqual(described, { ...first, thingTypeProperties, thingTypeMetadata });
  await run(registry.createThingType, { thingTypeName: "bare" });
  const bare = await run(registry.describeThingType, { thingTypeName: "bare" });
  assert.deepEqual(bare.thingTypeProperties, { searchableAttributes: [] });
  const { thingTypeId: _id, ...listed } = described;
  assert.deepEqual(await run(registry.listThingTypes, { thingTypeName: "lam" }), { thingTypes: [listed] });
});

test("what no type could have is refused", async () => {
  const { run, registry } = await openServiceWorld();
  const make = (thingTypeProperties: object) =>
    run(registry.createThingType, { thingTypeName: "t", thingTypeProperties });
  const one = { userPropertyKey: "k", thingAttribute: "a" };
  const cases: [properties: object, why: RegExp][] = [
    [{ searchableAttributes: Object.keys(many(searchableAttributesMax + 1)) }, /3 searchable attributes, got 4/],
    [
      propagating(...Array.from({ length: propagatingAttributesMax + 1 }, () => one)),
      /50 propagating attributes, got 51/,
    ],
    [propagating({ thingAttribute: "a" }), /needs a userPropertyKey/],
    [propagating({ userPropertyKey: "k" }), /either a thingAttribute or a connectionAttribute/],
    [propagating({ ...one, connectionAttribute: "iot:ClientId" }), /not both/],
    [
      propagating({ userPropertyKey: "k", connectionAttribute: "iot:SourceIp" }),
      /one of iot:ClientId, iot:Thing.ThingName/,
    ],
  ];
  for (const [properties, why] of cases) await assert.rejects(make(properties), fails("REQUEST_INVALID", why));
  await make({
    searchableAttributes: Object.keys(many(searchableAttributesMax)),
    ...propagating(...Array.from({ length: propagatingAttributesMax }, () => one)),
  });
});

test("types are listed in pages, and by the beginning of their names", async () => {
  const world = await openServiceWorld();
  const { run, registry } = world;
  await makeTypes(world, "lamp", "lamp-2", "pump", "Lamp");
  const names: (string | undefined)[] = [];
  let nextToken: string | undefined;
  do {
    const page: { thingTypes: { thingTypeName?: string }[]; nextToken?: string } = await run(registry.listThingTypes, {
      maxResults: 1,
      ...(nextToken !== undefined && { nextToken }),
    });
    assert.equal(page.thingTypes.length, 1);
    names.push(page.thingTypes[0]?.thingTypeName);
    nextToken = page.nextToken;
  } while (nextToken !== undefined);
  assert.deepEqual(names, ["Lamp", "lamp", "lamp-2", "pump"]);
  const { thingTypes } = await run(registry.listThingTypes, { thingTypeName: "lamp" });
  assert.deepEqual(
    thingTypes.map(({ thingTypeName }) => thingTypeName),
    ["lamp", "lamp-2"],
  );
});

test("a thing gets a type, another and none, and is listed by it", async () => {
  const world = await openServiceWorld();
  const { run, registry, store } = world;
  await makeTypes(world, "lamp", "pump");
  await run(registry.createThing, { thingName: "a", thingTypeName: "lamp" });
  // The same again is the same, with another type it is not, and so it is without.
  await run(registry.createThing, { thingName: "a", thingTypeName: "lamp" });
  for (const thingTypeName of ["pump", undefined]) {
    await assert.rejects(run(registry.createThing, { thingName: "a", thingTypeName }), fails("RESOURCE_EXISTS", /a/));
  }
  for (const thingName of ["b", "c", "d"]) await run(registry.createThing, { thingName, thingTypeName: "lamp" });
  await run(registry.createThing, { thingName: "bare" });
  assert.deepEqual(await thingsOfType(world, "lamp", 1), ["a", "b", "c", "d"]);
  assert.deepEqual(await thingsOfType(world, "none"), []);
  await run(registry.updateThing, { thingName: "a", thingTypeName: "pump" });
  await run(registry.updateThing, { thingName: "b", removeThingType: true });
  await run(registry.updateThing, { thingName: "c", attributePayload: { attributes: { x: "1" } } });
  await run(registry.deleteThing, { thingName: "d" });
  await run(registry.updateThing, { thingName: "bare", removeThingType: true });
  assert.deepEqual(await thingsOfType(world, "lamp"), ["c"]);
  assert.deepEqual(await thingsOfType(world, "pump"), ["a"]);
  assert.equal(await typeOf(world, "a"), "pump");
  assert.equal(await typeOf(world, "b"), undefined);
  await assert.rejects(
    run(registry.updateThing, { thingName: "b", thingTypeName: "none" }),
    fails("RESOURCE_NOT_FOUND", /^Thing type none not found\.$/),
  );
  const scope = { account: "123456789012", region: "us-east-1" };
  assert.equal((await store.list(registryKeys.thingsOfType(scope, "lamp"), { limit: 9 })).length, 1);
});

test("a thing has more attributes with a type than without one", async () => {
  const world = await openServiceWorld();
  const { run, registry } = world;
  await makeTypes(world, "lamp");
  const create = (count: number, thingTypeName?: string) =>
    run(registry.createThing, {
      ...{ thingName: `t${count}`, attributePayload: { attributes: many(count) } },
      ...(thingTypeName !== undefined && { thingTypeName }),
    });
  await create(attributesWithTypeMax, "lamp");
  await assert.rejects(create(attributesWithTypeMax + 1, "lamp"), fails("REQUEST_INVALID", /50 attributes, got 51/));
  await create(attributesWithoutTypeMax);
  await assert.rejects(create(attributesWithoutTypeMax + 1), fails("REQUEST_INVALID", /3 attributes, got 4/));
  const thingName = `t${attributesWithTypeMax}`;
  await assert.rejects(
    run(registry.updateThing, { thingName, removeThingType: true }),
    fails("REQUEST_INVALID", /without a thing type can have 3 attributes, got 50/),
  );
  // Both in one request: the attributes that are left decide.
  const attributePayload = { attributes: many(attributesWithoutTypeMax) };
  await run(registry.updateThing, { thingName, removeThingType: true, attributePayload });
  const more = { attributePayload: { attributes: many(attributesWithoutTypeMax + 1) } };
  await assert.rejects(run(registry.updateThing, { thingName, ...more }), fails("REQUEST_INVALID", /got 4/));
  await run(registry.updateThing, { thingName, thingTypeName: "lamp", ...more });
});

test("no thing gets a deprecated type, those that have it keep it, and undoing makes it valid again", async () => {
  const world = await openServiceWorld();
  const { run, registry, clock } = world;
  await makeTypes(world, "lamp");
  await run(registry.createThing, { thingName: "old", thingTypeName: "lamp" });
  await run(registry.createThing, { thingName: "other" });
  await run(registry.deprecateThingType, { thingTypeName: "lamp" });
  const deprecationDate = clock.unixMs() / 1000;
  const metadata = async () => (await run(registry.describeThingType, { thingTypeName: "lamp" })).thingTypeMetadata;
  assert.deepEqual(await metadata(), { deprecated: true, deprecationDate, creationDate: deprecationDate });
  const refused = fails("REQUEST_INVALID", /^Can not create new thing with depreated thing type:lamp$/);
  await assert.rejects(run(registry.createThing, { thingName: "new", thingTypeName: "lamp" }), refused);
  await assert.rejects(run(registry.updateThing, { thingName: "other", thingTypeName: "lamp" }), refused);
  // Nothing is associated anew.
  await run(registry.createThing, { thingName: "old", thingTypeName: "lamp" });
  await run(registry.updateThing, { thingName: "old", thingTypeName: "lamp" });
  await run(registry.updateThing, { thingName: "old", attributePayload: { attributes: many(9) } });
  assert.equal(await typeOf(world, "old"), "lamp");
  await run(registry.deprecateThingType, { thingTypeName: "lamp", undoDeprecate: true });
  assert.deepEqual(await metadata(), { deprecated: false, creationDate: deprecationDate });
  await run(registry.createThing, { thingName: "new", thingTypeName: "lamp" });
  await assert.rejects(
    run(registry.deprecateThingType, { thingTypeName: "none" }),
    fails("RESOURCE_NOT_FOUND", /Thing type none not found/),
  );
});

test("a type is deleted five minutes after it was deprecated, when no thing has it", async () => {
  const world = await openServiceWorld();
  const { run, registry, clock } = world;
  await makeTypes(world, "lamp");
  await run(registry.createThing, { thingName: "t", thingTypeName: "lamp" });
  const remove = () => run(registry.deleteThingType, { thingTypeName: "lamp" });
  await assert.rejects(remove(), fails("REQUEST_INVALID", /^Cannot delete thing type : lamp\. Please deprecate/));
  await run(registry.deprecateThingType, { thingTypeName: "lamp" });
  // Once more does not begin the wait again.
  await clock.advance(deprecationMs - 1);
  await run(registry.deprecateThingType, { thingTypeName: "lamp" });
  const early = /^Cannot delete thing type : lamp\. Please wait for 5 minutes after deprecation and then retry$/;
  await assert.rejects(remove(), fails("REQUEST_INVALID", early));
  await clock.advance(1);
  await assert.rejects(remove(), fails("REQUEST_INVALID", /Things are still associated with it/));
  await run(registry.updateThing, { thingName: "t", removeThingType: true });
  await remove();
  await assert.rejects(remove(), fails("RESOURCE_NOT_FOUND", /Thing type lamp not found/));
  assert.deepEqual(await run(registry.listThingTypes, {}), { thingTypes: [] });
  // The name is free, and what comes is another type.
  await makeTypes(world, "lamp");
  assert.deepEqual(await thingsOfType(world, "lamp"), []);
});

test("a thing that gets a type while that is deprecated and deleted does not get it", async () => {
  for (const how of ["createThing", "updateThing"] as const) {
    const world = await openServiceWorld();
    const { run, registry, clock } = world;
    const [thingName, thingTypeName] = ["t", "lamp"];
    await makeTypes(world, thingTypeName);
    if (how === "updateThing") await run(registry.createThing, { thingName });
    for (const isDeleted of [false, true]) {
      await run(registry.deprecateThingType, { thingTypeName, undoDeprecate: true });
      beforeNextCommit(world, async () => {
        await run(registry.deprecateThingType, { thingTypeName });
        if (!isDeleted) return;
        await clock.advance(deprecationMs);
        await run(registry.deleteThingType, { thingTypeName });
      });
      await assert.rejects(
        run<{ thingName: string; thingTypeName: string }, object>(registry[how], { thingName, thingTypeName }),
        fails(isDeleted ? "RESOURCE_NOT_FOUND" : "REQUEST_INVALID", /thing type|Thing type/),
      );
      assert.deepEqual(await thingsOfType(world, thingTypeName), []);
    }
  }
});

test("a type that a thing gets while it is deleted stays", async () => {
  const world = await openServiceWorld();
  const { run, registry, clock } = world;
  await makeTypes(world, "lamp");
  await run(registry.deprecateThingType, { thingTypeName: "lamp" });
  await clock.advance(deprecationMs);
  beforeNextCommit(world, async () => {
    await run(registry.deprecateThingType, { thingTypeName: "lamp", undoDeprecate: true });
    await run(registry.createThing, { thingName: "t", thingTypeName: "lamp" });
    await run(registry.deprecateThingType, { thingTypeName: "lamp" });
  });
  await assert.rejects(
    run(registry.deleteThingType, { thingTypeName: "lamp" }),
    fails("REQUEST_INVALID", /wait for 5 minutes/),
  );
  assert.equal(await typeOf(world, "t"), "lamp");
});

test("an update changes what is propagated and nothing else, and live connections of the type are looked at again", async () => {
  const world = await openServiceWorld();
  const { run, registry, takeEffects, clock } = world;
  const properties = { thingTypeDescription: "d", searchableAttributes: ["s"] };
  const thingTypeName = "lamp";
  await run(registry.createThingType, { thingTypeName, thingTypeProperties: properties });
  const { certificateArn: principal, certificateId } = await run(registry.createKeysAndCertificate, {});
  const things = recheckedThingsMax + 1;
  for (let at = 0; at < things; at++) await run(registry.createThing, { thingName: `t${at}`, thingTypeName });
  // The first and the last in the order of names.
  for (const thingName of ["t0", "t9"]) await run(registry.attachThingPrincipal, { thingName, principal });
  await takeEffects();
  const update = (thingTypeProperties: object) => run(registry.updateThingType, { thingTypeName, thingTypeProperties });
  const now = async () => (await run(registry.describeThingType, { thingTypeName })).thingTypeProperties;
  await update({ ...properties, ...propagating({ userPropertyKey: "k", thingAttribute: "a" }) });
  assert.deepEqual(await now(), { ...properties, ...propagating({ userPropertyKey: "k", thingAttribute: "a" }) });
  const rechecks = async () => (await takeEffects()).filter(({ type }) => type === "recheckPrincipal");
  // The first things at once, the others by a wake-up.
  assert.deepEqual(await rechecks(), [{ type: "recheckPrincipal", certificateId }]);
  await clock.advance(1);
  assert.deepEqual(await rechecks(), [{ type: "recheckPrincipal", certificateId }]);
  for (const other of [{ thingTypeDescription: "e" }, { searchableAttributes: [] }]) {
    await assert.rejects(update(other), fails("REQUEST_INVALID", /Only mqtt5Configuration/));
  }
  // What is not named stays.
  await update({ mqtt5Configuration: {} });
  await run(registry.updateThingType, { thingTypeName });
  assert.deepEqual(await takeEffects(), []);
  assert.ok((await now()).mqtt5Configuration);
  await update(propagating());
  assert.deepEqual(await now(), properties);
  await assert.rejects(
    run(registry.updateThingType, { thingTypeName: "none" }),
    fails("RESOURCE_NOT_FOUND", /Thing type none/),
  );
});

test("what joins a type, or a thing, while that is updated has its connections looked at after the update", async () => {
  const world = await openServiceWorld();
  const { run, registry, store } = world;
  const type = { thingTypeName: "lamp" };
  const { certificateArn: principal, certificateId } = await run(registry.createKeysAndCertificate, {});
  await run(registry.createThingType, type);
  await run(registry.createThing, { thingName: "t" });
  const attach = () => run(registry.attachThingPrincipal, { thingName: "t", principal });
  const rechecks = async () => (await world.takeEffects()).filter((effect) => effect.type === "recheckPrincipal");
  const twice = Array.from({ length: 2 }, () => ({ type: "recheckPrincipal", certificateId }));
  await attach();
  await rechecks();
  interrupt(store, registryKeys.thingType(owner, "lamp"), () => run(registry.updateThing, { thingName: "t", ...type }));
  const thingTypeProperties = propagating({ userPropertyKey: "k", thingAttribute: "a" });
  await run(registry.updateThingType, { ...type, thingTypeProperties });
  assert.deepEqual(await rechecks(), twice, "of the thing, then of the type");
  await run(registry.detachThingPrincipal, { thingName: "t", principal });
  await rechecks();
  interrupt(store, registryKeys.thing(owner, "t"), attach);
  await run(registry.updateThing, { thingName: "t", attributePayload: { attributes: { a: "b" } } });
  assert.deepEqual(await rechecks(), twice, "of the certificate, then of the thing");
});

test("a connection's messages are enriched with what its thing has, in the order of the type", () => {
  const type: Pick<ThingTypeRecord, "propagatingAttributes"> = {
    propagatingAttributes: [
      { userPropertyKey: "b", thingAttribute: "site" },
      { userPropertyKey: "missing", thingAttribute: "constructor" },
      { userPropertyKey: "a", connectionAttribute: "iot:Thing.ThingName" },
      { userPropertyKey: "b", connectionAttribute: "iot:ClientId" },
    ],
  };
  const thing = { thingName: "pump-7", attributes: { site: "north" } };
  assert.deepEqual(enrichmentOf(type, thing, "client"), [
    ["b", "north"],
    ["a", "pump-7"],
    ["b", "client"],
  ]);
  const { propagatingAttributes } = type;
  assert.equal(enrichmentOf({ propagatingAttributes: propagatingAttributes!.slice(1, 2) }, thing, "client"), undefined);
  assert.equal(enrichmentOf({}, thing, "client"), undefined);
});
