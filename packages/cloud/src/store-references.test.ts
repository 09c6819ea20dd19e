import assert from "node:assert/strict";
import { test } from "node:test";
import { createAuthorizers } from "./services/authorizers/service.js";
import {
  jitpTemplate,
  openAuthoritiesWorld,
} from "./services/certificate-authorities/authorities-world.test.support.js";
import { findDomainOfAuthorizer } from "./services/domain-configurations/index.js";
import { claimAuthorizer } from "./services/authorizers/index.js";
import { createDomainConfigurations } from "./services/domain-configurations/service.js";
import { addTemplate, openFleetWorld, templateName } from "./services/fleet-provisioning/fleet-world.test.support.js";
import { openPackagesWorld } from "./services/packages/packages-world.test.support.js";
import { openServiceWorld } from "./services/world.test.support.js";
import { clearedBillingThingsMax } from "./services/registry/billing-group-sweep.js";
import { clearedThingsMax } from "./services/registry/group-sweep.js";
import { ruleKeys } from "./services/rules/model.js";
import { iterate } from "./store/iterate.js";
import type { StoreEntry } from "./store/store.js";
import { createReferenceCheck } from "./store-references.js";

/** Groups with things and a policy, and ones that are still being cleared away; a thing of a type. */
async function groups(): Promise<StoreEntry[]> {
  const { run, registry, store } = await openServiceWorld({ isStarted: false });
  await run(registry.createThingGroup, { thingGroupName: "fleet" });
  for (const thingGroupName of ["north", "south"]) {
    await run(registry.createThingGroup, { thingGroupName, parentGroupName: "fleet" });
  }
  await run(registry.createPolicy, { policyName: "P", policyDocument: '{"Statement":[]}' });
  await run(registry.attachPolicy, {
    policyName: "P",
    target: "arn:aws:iot:us-east-1:123456789012:thinggroup/fleet",
  });
  for (let at = 0; at <= clearedThingsMax; at++) {
    await run(registry.createThing, { thingName: `t-${at}` });
    await run(registry.addThingToThingGroup, { thingName: `t-${at}`, thingGroupName: "south" });
  }
  await run(registry.createThing, { thingName: "t" });
  await run(registry.addThingToThingGroup, { thingName: "t", thingGroupName: "north" });
  await run(registry.deleteThingGroup, { thingGroupName: "south" });
  await run(registry.createThingType, { thingTypeName: "pump" });
  for (const billingGroupName of ["old", "new"]) await run(registry.createBillingGroup, { billingGroupName });
  for (let at = 0; at <= clearedBillingThingsMax; at++) {
    await run(registry.createThing, { thingName: `b-${at}`, billingGroupName: "old" });
  }
  await run(registry.createThing, { thingName: "typed", thingTypeName: "pump", billingGroupName: "new" });
  await run(registry.deleteBillingGroup, { billingGroupName: "old" });
  const entries: StoreEntry[] = [];
  for await (const entry of iterate(store, [])) entries.push(entry);
  return entries;
}

function dangling(entries: readonly StoreEntry[]): string[] {
  const check = createReferenceCheck(() => "");
  for (const entry of entries) check.see(entry);
  return [...check.dangling()];
}

test("what the records of groups say of each other is there, and its loss is told", async () => {
  const entries = await groups();
  assert.deepEqual(dangling(entries), []);
  for (const kind of [
    "thingGroup",
    "rootGroup",
    "childGroup",
    "descendantGroup",
    "thingOfGroup",
    "deletedGroup",
    "targetOfPolicy",
    ...["thingType", "thingOfType", "billingGroup", "deletedBillingGroup", "thingOfBillingGroup"],
  ]) {
    const lost = entries.findIndex(({ key }) => key[2] === kind);
    assert.ok(lost >= 0, kind);
    const told = dangling(entries.toSpliced(lost, 1));
    assert.ok(told.length > 0, `the loss of a ${kind} is told`);
    assert.ok(told.every((line) => /refers to .* which is not there$/.test(line)));
  }
});

test("what CAs and their certificates say of each other is there, and its loss is told", async () => {
  const world = await openAuthoritiesWorld();
  const ca = await world.makeCa();
  world.templates.set("line", { templateName: "line", type: "JITP", isEnabled: true, templateBody: jitpTemplate });
  await world.register(ca, { registrationConfig: { templateName: "line" } });
  await world.connect(await world.makeDevice(ca));
  const entries: StoreEntry[] = [];
  for await (const entry of iterate(world.store, [])) entries.push(entry);
  const wrongId = /has the certificate of another id$/;
  const missing = (some: readonly StoreEntry[]) => dangling(some).filter((line) => !wrongId.test(line));
  assert.deepEqual(missing(entries), []);
  for (const [kind, told] of [
    ["certificate", 3],
    ["certificateByTime", 1],
    ["certificateByCa", 1],
    ["pendingOfCa", 1],
    ["caCertificate", 3],
    ["caCertificateByTime", 1],
    ["caCertificateBySubject", 1],
    ["caCertificateByTemplate", 1],
  ] as const) {
    const lost = entries.findIndex(({ key }) => key[2] === kind);
    assert.ok(lost >= 0, kind);
    assert.equal(missing(entries.toSpliced(lost, 1)).length, told, kind);
  }
});

test("what templates and ownership tokens are told by is there, and its loss is told", async () => {
  const world = await openFleetWorld();
  await addTemplate(world);
  await world.createKeys();
  await world.run(world.service.operations.createProvisioningClaim, { templateName });
  const entries: StoreEntry[] = [];
  for await (const entry of iterate(world.store, [])) entries.push(entry);
  const missing = (some: readonly StoreEntry[]) => dangling(some).filter((line) => line.includes("refers to"));
  assert.deepEqual(missing(entries), []);
  for (const kind of ["provisioningTemplate", "provisioningTemplateVersion", "ownershipToken"]) {
    const lost = entries.findIndex(({ key }) => key[2] === kind);
    assert.ok(lost >= 0, kind);
    assert.equal(missing(entries.toSpliced(lost, 1)).length, 1, kind);
  }
});

test("a domain configuration, its name and its authorizer stand together, and the loss of one is told", async () => {
  const { run, store } = await openServiceWorld();
  const functions = { has: () => false, invoke: () => Promise.reject(new Error("nobody asks")) };
  const authorizers = createAuthorizers({ functions, findDomainOfAuthorizer });
  const authorizer = { authorizerName: "a", authorizerFunctionArn: "arn", signingDisabled: true };
  await run(authorizers.createAuthorizer, { ...authorizer, status: "ACTIVE" });
  await run(authorizers.setDefaultAuthorizer, { authorizerName: "a" });
  const domains = createDomainConfigurations({ claimAuthorizer, endpointHost: () => "localhost" });
  const authorizerConfig = { defaultAuthorizerName: "a" };
  await run(domains.createDomainConfiguration, { domainConfigurationName: "d", authorizerConfig });
  const entries: StoreEntry[] = [];
  for await (const entry of iterate(store, [])) entries.push(entry);
  assert.deepEqual(dangling(entries), []);
  for (const [kind, count] of Object.entries({ authorizer: 2, domainConfiguration: 1, domainName: 1 })) {
    const left = entries.filter(({ key }) => key[2] !== kind);
    assert.equal(dangling(left).length, count, kind);
  }
});

test("a default version, a version of a package and what is known of its SBOM lead somewhere", async () => {
  const { run, packages, makeVersion, put, store } = await openPackagesWorld();
  await run(packages.createPackage, { packageName: "app" });
  await makeVersion("1", "PUBLISHED");
  await run(packages.updatePackage, { packageName: "app", defaultVersionName: "1" });
  await put("sbom.zip", new Uint8Array(1));
  const s3Location = { bucket: "firmware", key: "sbom.zip", version: "null" };
  await run(packages.associateSbomWithPackageVersion, { packageName: "app", versionName: "1", sbom: { s3Location } });
  const entries: StoreEntry[] = [];
  for await (const entry of iterate(store, [])) entries.push(entry);
  assert.deepEqual(dangling(entries), []);
  for (const kind of ["package", "packageVersion", "sbomValidation"]) {
    const lost = entries.findIndex(({ key }) => key[2] === kind);
    assert.ok(lost >= 0, kind);
    assert.ok(dangling(entries.toSpliced(lost, 1)).length > 0, kind);
  }
  const result = { key: ["123456789012", "us-east-1", "sbomResult", "app", "2", 0], value: null, revision: 1 };
  assert.equal(dangling([...entries, result]).length, 1);
});

test("a destination of rules and the place of its URL want each other", () => {
  const of = { account: "123456789012", region: "us-east-1" };
  const entry = (key: StoreEntry["key"], value: StoreEntry["value"]): StoreEntry => ({ key, value, revision: 1 });
  const both = [
    entry(ruleKeys.destination(of, "1"), { id: "1", confirmationUrl: "https://hook/" }),
    entry(ruleKeys.destinationByUrl(of, "https://hook/"), { id: "1" }),
  ];
  assert.deepEqual(dangling(both), []);
  for (const each of both) assert.equal(dangling([each]).length, 1);
});
