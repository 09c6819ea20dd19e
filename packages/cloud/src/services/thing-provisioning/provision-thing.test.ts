import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, type ErrorCode } from "@thingline/protocol";
import { parseTemplate, resolveTemplate } from "../../provisioning-template/index.js";
import type { Operation } from "../operation.js";
import { addCertificate } from "../registry/index.js";
import { arnOf, openProvisioningWorld, policyDocument, templateOf } from "./provisioning-world.test.support.js";

const planOf = (template: object, parameters: Record<string, string>) =>
  resolveTemplate(parseTemplate(JSON.stringify(template), { kind: "bulk" }), { parameters });

const failsAt =
  (code: ErrorCode, path: string, reason = /./) =>
  (error: unknown) => {
    assert.ok(isThinglineError(error, code), String(error));
    assert.equal(error.details["path"], path);
    assert.match(String(error.details["reason"]), reason);
    return true;
  };

test("thing, groups, policies, attachments and status are one commit, with AWS's ARNs", async () => {
  const { run, registry, provisioning, createCertificate, takeEffects } = await openProvisioningWorld();
  for (const thingGroupName of ["a", "b"]) await run(registry.createThingGroup, { thingGroupName });
  const certificateId = await createCertificate(false);
  const template = templateOf({ AttributePayload: { colour: "red" }, ThingGroups: ["a", "b"] });
  const inline = { Type: "AWS::IoT::Policy", Properties: { PolicyDocument: policyDocument } };
  const resources = { ...template.Resources, inline };
  const plan = planOf({ ...template, Resources: resources }, { Name: "t", CertificateId: certificateId });
  await takeEffects();
  const provisioned = await run(provisioning.provisionThing, { plan, certificate: { certificateId } });
  const { policies = [] } = await run(registry.listAttachedPolicies, { target: arnOf(`cert/${certificateId}`) });
  const [inlineName = ""] = policies.flatMap(({ policyName = "" }) => (policyName === "p" ? [] : [policyName]));
  // The hash of the document.
  assert.match(inlineName, /^[0-9a-f]{64}$/);
  const { certificatePem, ...rest } = provisioned;
  assert.match(certificatePem ?? "", /^-----BEGIN CERTIFICATE-----/);
  assert.deepEqual(rest, {
    ...{ thingName: "t", certificateId, deviceConfiguration: {} },
    resourceArns: {
      thing: arnOf("thing/t"),
      certificate: arnOf(`cert/${certificateId}`),
      policy: arnOf("policy/p"),
      inline: arnOf(`policy/${inlineName}`),
    },
  });
  assert.deepEqual((await run(registry.describeThing, { thingName: "t" })).attributes, { colour: "red" });
  const { thingGroups = [] } = await run(registry.listThingGroupsForThing, { thingName: "t" });
  assert.deepEqual(
    thingGroups.map(({ groupName }) => groupName),
    ["a", "b"],
  );
  assert.deepEqual((await run(registry.listThingPrincipals, { thingName: "t" })).principals, [
    arnOf(`cert/${certificateId}`),
  ]);
  const { certificateDescription } = await run(registry.describeCertificate, { certificateId });
  assert.equal(certificateDescription?.status, "ACTIVE");
  // Whoever is connected with it is looked at again.
  assert.ok((await takeEffects()).some(({ type }) => type === "recheckPrincipal"));
  // Once more, as after an answer that got lost: nothing differs, so nothing fails, and the policy is the same.
  assert.deepEqual(await run(provisioning.provisionThing, { plan, certificate: { certificateId } }), provisioned);
  assert.equal((await run(registry.describeThing, { thingName: "t" })).version, 1);
});

test("what cannot be done leaves nothing behind, and names the resource", async () => {
  const { run, registry, provisioning, createCertificate, store } = await openProvisioningWorld();
  await run(registry.createThingGroup, { thingGroupName: "a" });
  await run(registry.createThingGroup, { thingGroupName: "below", parentGroupName: "a" });
  const certificateId = await createCertificate();
  const parameters = { Name: "t", CertificateId: certificateId };
  const inline = (text: string) => ({ policy: { Properties: { PolicyDocument: text } } });
  const before = await store.list([], { limit: 1_000 });
  const cases: [template: object, code: ErrorCode, path: string, reason: RegExp][] = [
    [
      templateOf({ ThingGroups: ["a", "none"] }),
      "PROVISIONING_FAILED",
      "Resources.thing.Properties.ThingGroups",
      /Thing group none not found/,
    ],
    [
      templateOf({ ThingGroups: ["a", "below"] }),
      "PROVISIONING_FAILED",
      "Resources.thing.Properties.ThingGroups",
      /same hierarchy/,
    ],
    [
      templateOf({ ThingTypeName: "lamp" }),
      "PROVISIONING_FAILED",
      "Resources.thing.Properties",
      /Thing type lamp not found/,
    ],
    [
      templateOf({ BillingGroup: "b" }),
      "PROVISIONING_FAILED",
      "Resources.thing.Properties",
      /Billing group b not found/,
    ],
    [
      templateOf({ AttributePayload: { a: "1", b: "1", c: "1", d: "1" } }),
      "PROVISIONING_FAILED",
      "Resources.thing.Properties",
      /3 attributes/,
    ],
    [
      templateOf({}, { policy: { Properties: { PolicyName: "none" } } }),
      "PROVISIONING_FAILED",
      "Resources.policy.Properties.PolicyName",
      /Policy not found/,
    ],
    [templateOf({}, inline("{}")), "PROVISIONING_FAILED", "Resources.policy.Properties.PolicyDocument", /statements/],
  ];
  for (const [template, code, path, reason] of cases) {
    const input = { plan: planOf(template, parameters), certificate: { certificateId } };
    await assert.rejects(run(provisioning.provisionThing, input), failsAt(code, path, reason));
  }
  const unknown = {
    plan: planOf(templateOf(), { ...parameters, CertificateId: "f".repeat(64) }),
    certificate: undefined,
  };
  const path = "Resources.certificate.Properties.CertificateId";
  await assert.rejects(
    run(provisioning.provisionThing, unknown),
    failsAt("PROVISIONING_FAILED", path, /does not exist/),
  );
  assert.deepEqual(await store.list([], { limit: 1_000 }), before);
});

test("a plan that names another certificate than the one that is provisioned is refused", async () => {
  const { run, provisioning, createCertificate } = await openProvisioningWorld();
  const [own, foreign] = [await createCertificate(false), await createCertificate()];
  const plan = planOf(templateOf(), { Name: "t", CertificateId: foreign });
  const path = "Resources.certificate.Properties.CertificateId";
  const input = { plan, certificate: { certificateId: own } };
  await assert.rejects(
    run(provisioning.provisionThing, input),
    failsAt("PROVISIONING_FAILED", path, /another certificate/),
  );
});

test("a thing that exists keeps, loses or gets what its override settings say", async () => {
  const { run, registry, provisioning, createCertificate } = await openProvisioningWorld();
  for (const thingGroupName of ["a", "b", "c"]) await run(registry.createThingGroup, { thingGroupName });
  const certificateId = await createCertificate();
  let count = 0;
  const provisioned = async (properties: object, override: object) => {
    const thingName = `t${++count}`;
    await run(registry.createThing, { thingName, attributePayload: { attributes: { x: "1", y: "1" } } });
    await run(registry.updateThingGroupsForThing, { thingName, thingGroupsToAdd: ["a", "b"] });
    const template = templateOf(properties);
    const thing = { ...template.Resources.thing, OverrideSettings: override };
    const plan = planOf(
      { ...template, Resources: { ...template.Resources, thing } },
      { Name: thingName, CertificateId: certificateId },
    );
    await run(provisioning.provisionThing, { plan, certificate: { certificateId } });
    const { attributes, version } = await run(registry.describeThing, { thingName });
    const { thingGroups = [] } = await run(registry.listThingGroupsForThing, { thingName });
    return { attributes, version, groups: thingGroups.map(({ groupName }) => groupName) };
  };
  const [before, groups] = [{ x: "1", y: "1" }, ["a", "b"]];
  const wanted = { AttributePayload: { y: "2" }, ThingGroups: ["b", "c"] };
  const conflict = (path: string) =>
    failsAt("PROVISIONING_CONFLICT", `Resources.thing.Properties.${path}`, /the thing exists and/);

  const both = (setting: string) => ({ AttributePayload: setting, ThingGroups: setting });
  assert.deepEqual(await provisioned(wanted, both("DO_NOTHING")), { attributes: before, version: 1, groups });
  assert.deepEqual(await provisioned(wanted, both("REPLACE")), {
    attributes: { y: "2" },
    version: 2,
    groups: ["b", "c"],
  });
  const merged = { attributes: { x: "1", y: "2" }, version: 2, groups: ["a", "b", "c"] };
  assert.deepEqual(await provisioned(wanted, both("MERGE")), merged);
  await assert.rejects(provisioned(wanted, both("FAIL")), conflict("AttributePayload"));
  await assert.rejects(provisioned(wanted, {}), conflict("AttributePayload"));
  await assert.rejects(provisioned({ ThingGroups: ["b", "c"] }, { THING_GROUPS: "FAIL" }), conflict("ThingGroups"));
  await assert.rejects(provisioned({ ThingTypeName: "lamp" }, {}), conflict("ThingTypeName"));
  const noType = failsAt("PROVISIONING_FAILED", "Resources.thing.Properties", /Thing type lamp not found/);
  await assert.rejects(provisioned({ ThingTypeName: "lamp" }, { ThingTypeName: "REPLACE" }), noType);
  const kept = { attributes: before, version: 1, groups };
  assert.deepEqual(await provisioned({ ThingTypeName: "lamp" }, { ThingTypeName: "DO_NOTHING" }), kept);
  const noGroup = failsAt(
    "PROVISIONING_FAILED",
    "Resources.thing.Properties.BillingGroup",
    /Billing group x not found/,
  );
  await assert.rejects(provisioned({ BillingGroup: "x" }, {}), noGroup);
  // What is the same is no conflict, in whichever order, and an empty value is none.
  const same = { AttributePayload: { y: "1", x: "1", z: "" }, ThingGroups: ["b", "a"] };
  assert.deepEqual(await provisioned(same, both("FAIL")), kept);
  assert.deepEqual(await provisioned({}, both("REPLACE")), kept);
  assert.deepEqual(await provisioned({ AttributePayload: { x: "" } }, both("MERGE")), {
    attributes: { y: "1" },
    version: 2,
    groups,
  });
});

test("a thing gets the type and the billing group of its template, and changes them as the settings say", async () => {
  const { run, registry, provisioning } = await openProvisioningWorld();
  for (const thingTypeName of ["lamp", "pump"]) await run(registry.createThingType, { thingTypeName });
  for (const billingGroupName of ["north", "south"]) await run(registry.createBillingGroup, { billingGroupName });
  const provision = async (thingName: string, properties: object, OverrideSettings: object = {}) => {
    const { thing } = templateOf(properties).Resources;
    const template = { Resources: { thing: { ...thing, OverrideSettings } }, Parameters: templateOf().Parameters };
    const plan = planOf(template, { Name: thingName, CertificateId: "a" });
    await run(provisioning.provisionThing, { plan, certificate: undefined });
    const { thingTypeName, billingGroupName, attributes } = await run(registry.describeThing, { thingName });
    return [thingTypeName, billingGroupName, Object.keys(attributes ?? {}).length];
  };
  const many = Object.fromEntries(Array.from({ length: 9 }, (_, at) => [`a${at}`, "x"]));
  const wanted = { ThingTypeName: "lamp", BillingGroup: "north", AttributePayload: many };
  assert.deepEqual(await provision("t", wanted), ["lamp", "north", 9]);
  // Once more: nothing differs.
  assert.deepEqual(await provision("t", wanted), ["lamp", "north", 9]);
  const other = { ThingTypeName: "pump" };
  const conflict = (path: string) =>
    failsAt("PROVISIONING_CONFLICT", `Resources.thing.Properties.${path}`, /the thing exists and/);
  await assert.rejects(provision("t", other), conflict("ThingTypeName"));
  await assert.rejects(provision("t", other, { ThingTypeName: "FAIL" }), conflict("ThingTypeName"));
  assert.deepEqual(await provision("t", other, { ThingTypeName: "DO_NOTHING" }), ["lamp", "north", 9]);
  assert.deepEqual(await provision("t", other, { ThingTypeName: "REPLACE" }), ["pump", "north", 9]);
  await assert.rejects(provision("t", { BillingGroup: "south" }), conflict("BillingGroup"));
  // A thing that was made without gets them, attributes beyond three with the type.
  await run(registry.createThing, { thingName: "bare" });
  const replace = { ThingTypeName: "REPLACE", AttributePayload: "REPLACE" };
  assert.deepEqual(await provision("bare", wanted, replace), ["lamp", "north", 9]);
  await run(registry.deprecateThingType, { thingTypeName: "lamp" });
  await assert.rejects(
    provision("new", wanted),
    failsAt("PROVISIONING_FAILED", "Resources.thing.Properties", /depreated thing type:lamp/),
  );
});

test("the status of a certificate follows its override setting, and one that waits for its activation the template", async () => {
  const { run, registry, provisioning, createCertificate, issuer, clock, keys } = await openProvisioningWorld();
  let count = 0;
  const statusAfter = async (certificateId: string, wanted: string, OverrideSettings?: object) => {
    const Properties = { CertificateId: { Ref: "CertificateId" }, Status: wanted };
    const template = templateOf({}, { certificate: { Properties, ...(OverrideSettings && { OverrideSettings }) } });
    const plan = planOf(template, { Name: `t${++count}`, CertificateId: certificateId });
    await run(provisioning.provisionThing, { plan, certificate: undefined });
    return (await run(registry.describeCertificate, { certificateId })).certificateDescription?.status;
  };
  assert.equal(await statusAfter(await createCertificate(false), "ACTIVE"), "ACTIVE");
  assert.equal(await statusAfter(await createCertificate(true), "Inactive", { Status: "REPLACE" }), "INACTIVE");
  assert.equal(await statusAfter(await createCertificate(false), "ACTIVE", { Status: "DO_NOTHING" }), "INACTIVE");
  const fails = failsAt(
    "PROVISIONING_CONFLICT",
    "Resources.certificate.Properties.Status",
    /is INACTIVE, the template wants ACTIVE/,
  );
  await assert.rejects(statusAfter(await createCertificate(false), "ACTIVE", { Status: "FAIL" }), fails);
  assert.equal(await statusAfter(await createCertificate(true), "ACTIVE", { Status: "FAIL" }), "ACTIVE");

  for (const Status of ["DO_NOTHING", "FAIL", "REPLACE"]) {
    const { publicKeyPem } = await keys.generate("rsa-2048");
    const issued = await issuer.issueForKey({ publicKeyPem, nowMs: clock.unixMs() });
    await run(addCertificate, { issued, status: "PENDING_ACTIVATION", origin: { source: "fleet-provisioning" } });
    assert.equal(await statusAfter(issued.certificateId, "ACTIVE", { Status }), "ACTIVE");
  }
});

test("what a caller adds in its own commit stands or falls with what the plan asks for", async () => {
  const { run, registry, provisioning, createCertificate, store } = await openProvisioningWorld();
  const certificateId = await createCertificate();
  const key = ["123456789012", "us-east-1", "note"];
  const caller: Operation<object, void> = async (context, template) => {
    const plan = planOf(template, { Name: "t", CertificateId: certificateId });
    await context.call(provisioning.provisionThing, { plan, certificate: { certificateId } });
    return { result: undefined, operations: [{ key, value: "done" }], effects: [] };
  };
  await assert.rejects(run(caller, templateOf({ ThingGroups: ["none"] })));
  assert.equal(await store.get(key), undefined);
  await run(caller, templateOf());
  assert.equal((await store.get(key))?.value, "done");
  assert.equal((await run(registry.describeThing, { thingName: "t" })).version, 1);
});
