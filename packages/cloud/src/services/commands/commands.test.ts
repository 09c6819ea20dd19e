import assert from "node:assert/strict";
import { test } from "node:test";
import { commandPayloadBytesMax } from "@thingline/protocol/commands";
import { commandArn, content, openCommandsWorld } from "./commands-world.test.support.js";
import { contentTypeCharactersMax } from "./commands.js";
import { commandDeletionDelayMs } from "./model.js";

const $ = (name: string) => `\${aws:iot:commandexecution::parameter:${name}}`;

test("a command is told as it was made, with what AWS fills in", async () => {
  const { commands, run, clock } = await openCommandsWorld();
  const nowMs = clock.unixMs();
  const described = { displayName: "Lock door", description: "Locks it", roleArn: "arn:aws:iam::123456789012:role/r" };
  const input = { commandId: "LockDoor", ...described, payload: { content } };
  assert.deepEqual(await run(commands.createCommand, input), {
    commandId: "LockDoor",
    commandArn: commandArn("LockDoor"),
  });
  const facts = { namespace: "AWS-IoT", createdAt: nowMs / 1_000, lastUpdatedAt: nowMs / 1_000 };
  const states = { deprecated: false, pendingDeletion: false };
  assert.deepEqual(await run(commands.getCommand, { commandId: "LockDoor" }), {
    ...{ commandId: "LockDoor", commandArn: commandArn("LockDoor"), ...described, ...facts, ...states },
    payload: { content, contentType: "application/octet-stream" },
  });
  const mandatoryParameters = [
    {
      ...{ name: "level", type: "INTEGER" as const, defaultValue: { I: 3 }, description: "how loud" },
      valueConditions: [{ comparisonOperator: "IN_RANGE" as const, operand: { numberRange: { min: "0", max: "9" } } }],
    },
  ];
  const preprocessor = { awsJsonSubstitution: { outputFormat: "CBOR" as const } };
  const payloadTemplate = `{"level":"${$("level")}"}`;
  await run(commands.createCommand, { commandId: "Beep", payloadTemplate, mandatoryParameters, preprocessor });
  assert.deepEqual(await run(commands.getCommand, { commandId: "Beep" }), {
    ...{ commandId: "Beep", commandArn: commandArn("Beep"), ...facts, ...states },
    ...{ payloadTemplate, mandatoryParameters, preprocessor },
  });
});

test("a command that no execution could be made of is refused", async () => {
  const { commands, run, create } = await openCommandsWorld();
  const payload = { content };
  const template = `["${$("a")}"]`;
  const names = [{ name: "a" }];
  const cases: [Record<string, unknown>, RegExp][] = [
    [{}, /Exactly one of payload and payloadTemplate/],
    [{ payload, payloadTemplate: template, mandatoryParameters: names }, /Exactly one of/],
    [{ namespace: "AWS-IoT-FleetWise", payload }, /AWS-IoT-FleetWise is not supported by the local cloud/],
    [{ payload: { contentType: "a/b" } }, /payload\.content must be given/],
    [{ payload: { content: new Uint8Array(commandPayloadBytesMax + 1) } }, /32769 bytes/],
    [{ payload: { content, contentType: "json" } }, /contentType/],
    [{ payload: { content, contentType: `a/${"b".repeat(contentTypeCharactersMax - 1)}` } }, /contentType/],
    [{ payload, preprocessor: { awsJsonSubstitution: { outputFormat: "JSON" } } }, /preprocessor/],
    [{ payloadTemplate: template }, /placeholder for 'a'/],
    [{ payloadTemplate: "{}", mandatoryParameters: names }, /at least one placeholder/],
    [{ payloadTemplate: template, mandatoryParameters: [...names, ...names] }, /twice/],
  ];
  for (const [input, message] of cases) {
    await assert.rejects(run(commands.createCommand, { commandId: "c", ...input }), {
      code: "REQUEST_INVALID",
      message,
    });
  }
  await assert.rejects(run(commands.getCommand, { commandId: "c" }), { code: "RESOURCE_NOT_FOUND" });
  await create("c", {
    payload: { content: new Uint8Array(commandPayloadBytesMax), contentType: `a/${"b".repeat(126)}` },
  });
  await assert.rejects(create("c"), { code: "RESOURCE_CONFLICT", message: /already exists/ });
});

test("a command is edited while it is not deprecated, and comes back when it is restored", async () => {
  const { commands, run, create, clock } = await openCommandsWorld();
  await create("c", { displayName: "old" });
  await clock.advance(1_000);
  const update = (more: Record<string, unknown>) => run(commands.updateCommand, { commandId: "c", ...more });
  assert.deepEqual(await update({ description: "d" }), {
    ...{ commandId: "c", displayName: "old", description: "d", deprecated: false },
    lastUpdatedAt: clock.unixMs() / 1_000,
  });
  assert.equal((await update({ deprecated: true })).deprecated, true);
  await assert.rejects(update({ displayName: "new" }), { code: "REQUEST_INVALID", message: /deprecated/ });
  assert.equal((await update({ deprecated: true })).deprecated, true);
  const restored = await update({ deprecated: false, displayName: "new" });
  assert.deepEqual([restored.deprecated, restored.displayName], [false, "new"]);
  await assert.rejects(run(commands.updateCommand, { commandId: "none" }), { code: "RESOURCE_NOT_FOUND" });
});

test("a deleted command is gone from lists at once, and altogether after 12 hours; one that was deprecated so long, at once", async () => {
  const { commands, run, create, clock, pass } = await openCommandsWorld();
  for (const commandId of ["old", "new"]) await create(commandId, { tags: [{ Key: "k", Value: "v" }] });
  await run(commands.updateCommand, { commandId: "old", deprecated: true });
  await pass(commandDeletionDelayMs);
  assert.deepEqual(await run(commands.deleteCommand, { commandId: "old" }), { statusCode: 202 });
  await pass(1);
  await run(commands.updateCommand, { commandId: "new", deprecated: true });
  assert.deepEqual(await run(commands.deleteCommand, { commandId: "new" }), { statusCode: 202 });
  assert.deepEqual(await run(commands.listCommands, {}), { commands: [] });
  const { pendingDeletion } = await run(commands.getCommand, { commandId: "new" });
  assert.equal(pendingDeletion, true);
  for (const wrong of [create("new"), run(commands.updateCommand, { commandId: "new", deprecated: false })]) {
    await assert.rejects(wrong, { code: "RESOURCE_CONFLICT" });
  }
  // Once more: nothing begins anew.
  await pass(commandDeletionDelayMs - 1_000);
  assert.deepEqual(await run(commands.deleteCommand, { commandId: "new" }), { statusCode: 202 });
  await pass(1_000);
  await assert.rejects(run(commands.getCommand, { commandId: "new" }), { code: "RESOURCE_NOT_FOUND" });
  assert.deepEqual(await run(commands.deleteCommand, { commandId: "new" }), { statusCode: 204 });
  await create("new");
  await run(commands.updateCommand, { commandId: "new", deprecated: true });
  await clock.advance(commandDeletionDelayMs + 1);
  assert.deepEqual(await run(commands.deleteCommand, { commandId: "new" }), { statusCode: 204 });
  await assert.rejects(run(commands.getCommand, { commandId: "new" }), { code: "RESOURCE_NOT_FOUND" });
});

test("commands are listed by the time of their making, the latest first, page by page, and by a parameter", async () => {
  const { commands, run, create, clock } = await openCommandsWorld();
  const payloadTemplate = `["${$("level")}"]`;
  for (const commandId of ["b", "a", "c"]) {
    await create(commandId, commandId === "a" ? { payloadTemplate, mandatoryParameters: [{ name: "level" }] } : {});
    await clock.advance(1);
  }
  const list = async (input: Record<string, unknown>) => {
    const { commands: found = [], nextToken } = await run(commands.listCommands, input);
    return [found.map(({ commandId }) => commandId).join(""), nextToken] as const;
  };
  assert.deepEqual(await list({}), ["cab", undefined]);
  assert.deepEqual(await list({ sortOrder: "ASCENDING", namespace: "AWS-IoT" }), ["bac", undefined]);
  assert.deepEqual(await list({ namespace: "AWS-IoT-FleetWise" }), ["", undefined]);
  assert.deepEqual(await list({ commandParameterName: "level" }), ["a", undefined]);
  const [first, nextToken] = await list({ maxResults: 2 });
  assert.equal(first, "ca");
  assert.deepEqual(await list({ maxResults: 2, nextToken }), ["b", undefined]);
});
