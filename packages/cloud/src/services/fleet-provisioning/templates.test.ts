import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, type ErrorCode } from "@thingline/protocol";
import { openFleetWorld, hookArn, roleArn, templateBody } from "./fleet-world.test.support.js";
import { findProvisioningTemplate } from "./index.js";
import { provisioningTemplatesMax, templateVersionsMax } from "./model.js";
import { createTemplateOperations } from "./templates.js";

const hasCode = (code: ErrorCode, says?: RegExp) => (error: unknown) =>
  isThinglineError(error, code) && (says === undefined || says.test(error.message));
const arn = "arn:aws:iot:us-east-1:123456789012:provisioningtemplate/line";
const other = templateBody.replace("pump-", "fan-");

async function openWorld() {
  const world = await openFleetWorld({ isLimited: true });
  const { operations } = world.service;
  const template = { templateName: "line", templateBody, provisioningRoleArn: roleArn };
  return { ...world, operations, template, nowSeconds: () => world.clock.unixMs() / 1_000 };
}

test("a template is created, described, changed and deleted, with all its members", async () => {
  const { run, operations, template, clock, nowSeconds, store } = await openWorld();
  const createdAt = nowSeconds();
  const preProvisioningHook = { targetArn: hookArn };
  assert.deepEqual(
    await run(operations.createProvisioningTemplate, { ...template, description: "a line", preProvisioningHook }),
    { templateArn: arn, templateName: "line", defaultVersionId: 1 },
  );
  const described = {
    ...{ templateArn: arn, templateName: "line", type: "FLEET_PROVISIONING", enabled: false, description: "a line" },
    ...{ creationDate: createdAt, lastModifiedDate: createdAt, defaultVersionId: 1, templateBody },
    ...{ provisioningRoleArn: roleArn, preProvisioningHook: { targetArn: hookArn, payloadVersion: "2020-04-01" } },
  };
  const describe = () => run(operations.describeProvisioningTemplate, { templateName: "line" });
  assert.deepEqual(await describe(), described);
  await clock.advance(1_000);
  const role = `${roleArn}2`;
  const changes = { description: "", enabled: true, provisioningRoleArn: role };
  await run(operations.updateProvisioningTemplate, {
    ...{ templateName: "line", ...changes },
    preProvisioningHook: { targetArn: hookArn, payloadVersion: "2020-04-02" },
  });
  const changed = { ...described, ...changes, lastModifiedDate: nowSeconds() };
  const hook = { targetArn: hookArn, payloadVersion: "2020-04-02" };
  assert.deepEqual(await describe(), { ...changed, preProvisioningHook: hook });
  const both = { templateName: "line", preProvisioningHook, removePreProvisioningHook: true };
  await assert.rejects(run(operations.updateProvisioningTemplate, both), hasCode("REQUEST_INVALID", /exclude/));
  const withoutHook = { templateName: "line", removePreProvisioningHook: true };
  await run(operations.updateProvisioningTemplate, withoutHook);
  const { preProvisioningHook: _, ...without } = changed;
  assert.deepEqual(await describe(), without);
  assert.deepEqual(await run(findProvisioningTemplate, { templateName: "line" }), {
    ...{ templateName: "line", type: "FLEET_PROVISIONING", isEnabled: true, templateBody },
  });
  await run(operations.deleteProvisioningTemplate, { templateName: "line" });
  assert.deepEqual(
    (await store.list([], { limit: 9 })).map(({ key }) => key[2]),
    ["provisioningTemplates"],
    "nothing but the guard of their count",
  );
  const gone = hasCode("RESOURCE_NOT_FOUND", /templateName=line/);
  await assert.rejects(describe(), gone);
  await assert.rejects(run(operations.deleteProvisioningTemplate, { templateName: "line" }), gone);
  await assert.rejects(run(operations.updateProvisioningTemplate, { templateName: "line" }), gone);
  await assert.rejects(run(operations.listProvisioningTemplateVersions, { templateName: "line" }), gone);
});

test("a template that a CA names is not deleted", async () => {
  const { run, operations, template } = await openWorld();
  await run(operations.createProvisioningTemplate, template);
  let ca: { certificateId: string } | undefined = { certificateId: "ca" };
  const { deleteProvisioningTemplate } = createTemplateOperations({
    isLimited: true,
    findCaOfTemplate: (_context, { templateName }) => {
      return { result: templateName === "line" ? ca : undefined, operations: [], effects: [] };
    },
  });
  const named = hasCode("DELETE_CONFLICT", /CA certificate ca names template line/);
  await assert.rejects(run(deleteProvisioningTemplate, { templateName: "line" }), named);
  await run(operations.describeProvisioningTemplate, { templateName: "line" });
  ca = undefined;
  await run(deleteProvisioningTemplate, { templateName: "line" });
});

test("what is no template, or one of its type, is refused with its path, and so is a name that is taken", async () => {
  const { run, operations, template } = await openWorld();
  const { createProvisioningTemplate, createProvisioningTemplateVersion } = operations;
  const invalid = hasCode("PROVISIONING_TEMPLATE_INVALID", /^DeviceConfiguration: /);
  await assert.rejects(run(createProvisioningTemplate, { ...template, type: "JITP" }), invalid);
  for (const body of ["", "{", "[]", '{"Resources":{"x":{"Type":"AWS::IoT::Device"}}}']) {
    const refused = run(createProvisioningTemplate, { ...template, templateBody: body });
    await assert.rejects(refused, hasCode("PROVISIONING_TEMPLATE_INVALID"), body);
  }
  await run(createProvisioningTemplate, template);
  await assert.rejects(run(createProvisioningTemplate, template), (error) => {
    assert.ok(isThinglineError(error, "RESOURCE_EXISTS"));
    assert.deepEqual(error.details, { resourceId: "line", resourceArn: arn });
    return true;
  });
  // Nobody would ask it, so it is not taken as if somebody would.
  const { DeviceConfiguration: _notOfJitp, ...body } = JSON.parse(templateBody) as Record<string, unknown>;
  const jitp = { ...template, templateName: "jitp", type: "JITP" as const, templateBody: JSON.stringify(body) };
  const preProvisioningHook = { targetArn: hookArn };
  const hooked = hasCode("REQUEST_INVALID", /JITP has no pre-provisioning hook/);
  await assert.rejects(run(createProvisioningTemplate, { ...jitp, preProvisioningHook }), hooked);
  await run(createProvisioningTemplate, jitp);
  const update = { templateName: "jitp", preProvisioningHook };
  await assert.rejects(run(operations.updateProvisioningTemplate, update), hooked);
  const version = { templateName: "line", templateBody: "{}x" };
  await assert.rejects(run(createProvisioningTemplateVersion, version), hasCode("PROVISIONING_TEMPLATE_INVALID"));
  const tagged = { ...template, templateName: "tagged", tags: [{ Key: "aws:a", Value: "b" }] };
  await assert.rejects(run(createProvisioningTemplate, tagged), hasCode("REQUEST_INVALID", /aws:/));
});

test("a template has so many versions, their numbers are never used twice, and the default one is not deleted", async () => {
  const { run, operations, template } = await openWorld();
  await run(operations.createProvisioningTemplate, template);
  const add = (setAsDefault?: boolean) =>
    run(operations.createProvisioningTemplateVersion, {
      ...{ templateName: "line", templateBody: other },
      ...(setAsDefault !== undefined && { setAsDefault }),
    });
  const remove = (versionId: number) =>
    run(operations.deleteProvisioningTemplateVersion, { templateName: "line", versionId });
  assert.deepEqual(await add(), { templateArn: arn, templateName: "line", versionId: 2, isDefaultVersion: false });
  for (let version = 3; version <= templateVersionsMax; version++) await add();
  await assert.rejects(add(), hasCode("VERSIONS_LIMIT_EXCEEDED", /\(5\)/));
  await assert.rejects(remove(1), hasCode("DELETE_CONFLICT"));
  await assert.rejects(remove(9), hasCode("RESOURCE_NOT_FOUND", /versionId=9/));
  await remove(5);
  assert.equal((await add(true)).versionId, 6);
  await remove(1);
  const { defaultVersionId, templateBody: body } = await run(operations.describeProvisioningTemplate, template);
  assert.deepEqual([defaultVersionId, body], [6, other]);
  const unknown = { templateName: "line", defaultVersionId: 5 };
  await assert.rejects(run(operations.updateProvisioningTemplate, unknown), hasCode("RESOURCE_NOT_FOUND"));
  await run(operations.updateProvisioningTemplate, { templateName: "line", defaultVersionId: 2 });
  const page = await run(operations.listProvisioningTemplateVersions, { templateName: "line", maxResults: 3 });
  assert.deepEqual(
    page.versions.map(({ versionId, isDefaultVersion }) => [versionId, isDefaultVersion]),
    [
      [2, true],
      [3, false],
      [4, false],
    ],
  );
  const rest = { templateName: "line", nextToken: page.nextToken };
  assert.deepEqual(
    (await run(operations.listProvisioningTemplateVersions, rest)).versions.map((each) => each.versionId),
    [6],
  );
  const described = await run(operations.describeProvisioningTemplateVersion, { templateName: "line", versionId: 2 });
  assert.deepEqual([described.isDefaultVersion, described.templateBody], [true, other]);
});

test("templates are listed in pages, and an account has so many", async () => {
  const { run, operations, template } = await openWorld();
  for (let count = 1; count < provisioningTemplatesMax; count++)
    await run(operations.createProvisioningTemplate, {
      ...template,
      templateName: `t${String(count).padStart(3, "0")}`,
    });
  const lastOnes = ["t000", "t256"].map((templateName) =>
    run(operations.createProvisioningTemplate, { ...template, templateName }),
  );
  const made = await Promise.allSettled(lastOnes);
  assert.deepEqual(
    made.map(({ status }) => status),
    ["fulfilled", "rejected"],
    "two at once",
  );
  await assert.rejects(run(operations.createProvisioningTemplate, template), hasCode("QUOTA_EXCEEDED", /256/));
  const names: unknown[] = [];
  for (let nextToken: string | undefined, page = 0; page === 0 || nextToken !== undefined; page++) {
    const answer = await run(operations.listProvisioningTemplates, { maxResults: 100, nextToken });
    names.push(...answer.templates.map(({ templateName }) => templateName));
    nextToken = "nextToken" in answer ? answer.nextToken : undefined;
  }
  assert.deepEqual([names.length, names[0], names.at(-1)], [256, "t000", "t255"]);
});
