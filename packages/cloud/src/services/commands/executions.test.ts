import assert from "node:assert/strict";
import { test } from "node:test";
import { commandTimeoutSecondsMax } from "@thingline/protocol/commands";
import { decodeCbor } from "@thingline/protocol/cbor";
import { commandArn, content, json, openCommandsWorld, targetArn } from "./commands-world.test.support.js";
import { executionRetentionMs } from "./model.js";
import { openExecutionsMax } from "./start.js";

const $ = (name: string) => `\${aws:iot:commandexecution::parameter:${name}}`;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/u;
const clientArn = "arn:aws:iot:us-east-1:123456789012:client/client-1";

test("a start gives the device the payload as it is, tells of it, and answers with an id", async () => {
  const { create, start, take, get, clock } = await openCommandsWorld();
  await create("c");
  const executionId = await start("c");
  assert.match(executionId, uuid);
  const [request, event, ...others] = await take();
  assert.deepEqual(others, []);
  assert.equal(request?.topic, `$aws/commands/things/pump/executions/${executionId}/request/json`);
  assert.deepEqual([request.payload, request.qos, request.onlyToClientId], [content, 1, undefined]);
  assert.deepEqual(request.properties, { contentType: "application/json", messageExpirySeconds: 9 });
  const nowMs = clock.unixMs();
  assert.equal(event?.topic, "$aws/events/commandExecution/c/CREATED");
  assert.deepEqual(json(event.payload), {
    ...{ executionId, status: "CREATED", eventType: "COMMAND_EXECUTION", timestamp: nowMs },
    ...{ commandArn: commandArn("c"), targetArn },
  });
  const seconds = nowMs / 1_000;
  assert.deepEqual(await get(executionId), {
    ...{ executionId, commandArn: commandArn("c"), targetArn, status: "CREATED", executionTimeoutSeconds: 10 },
    ...{ createdAt: seconds, startedAt: seconds, lastUpdatedAt: seconds },
    timeToLive: seconds + executionRetentionMs / 1_000,
  });
});

test("the topic of a request follows the content type, and the target", async () => {
  const { create, start, take } = await openCommandsWorld();
  const types = ["application/cbor", "text/plain", undefined] as const;
  for (const [at, contentType] of types.entries()) {
    await create(`c${at}`, { payload: { content, ...(contentType !== undefined && { contentType }) } });
    const executionId = await start(`c${at}`, { targetArn: clientArn, executionTimeoutSeconds: 300 });
    const [request] = await take();
    const tail = contentType === "application/cbor" ? "/cbor" : "";
    assert.equal(request?.topic, `$aws/commands/clients/client-1/executions/${executionId}/request${tail}`);
    assert.deepEqual(request.properties, {
      contentType: contentType ?? "application/octet-stream",
      messageExpirySeconds: 299,
    });
  }
});

test("a template is filled with the values of the request, else with its own", async () => {
  const { create, start, take, get } = await openCommandsWorld();
  const mandatoryParameters = [
    {
      name: "level",
      type: "INTEGER",
      valueConditions: [{ comparisonOperator: "LESS_THAN", operand: { number: "10" } }],
    },
    { name: "mode", defaultValue: { S: "eco" } },
  ];
  const payloadTemplate = `{"level":"${$("level")}","mode":"${$("mode")}","t":"\${aws:iot:commandexecution::executionTimeoutSec}"}`;
  await create("json", { payloadTemplate, mandatoryParameters });
  const preprocessor = { awsJsonSubstitution: { outputFormat: "CBOR" } };
  await create("cbor", { payloadTemplate, mandatoryParameters, preprocessor });
  const executionId = await start("json", { parameters: { level: { I: 9 } } });
  const [request] = await take();
  assert.match(request?.topic ?? "", /\/request\/json$/u);
  assert.deepEqual(json(request?.payload ?? new Uint8Array()), { level: 9, mode: "eco", t: 10 });
  const { parameters } = await get(executionId);
  assert.deepEqual(parameters, { level: { I: 9 }, mode: { S: "eco" } });
  await start("cbor", { parameters: { level: { I: 1 }, mode: { S: "x" } } });
  const [cbor] = await take();
  assert.match(cbor?.topic ?? "", /\/request\/cbor$/u);
  assert.equal(cbor?.properties?.contentType, "application/cbor");
  assert.deepEqual(
    decodeCbor(cbor?.payload ?? new Uint8Array()),
    new Map<string, unknown>([
      ["level", 1],
      ["mode", "x"],
      ["t", 10],
    ]),
  );
  for (const given of [{}, { parameters: { level: { I: 10 } } }, { parameters: { level: { S: "9" } } }]) {
    await assert.rejects(start("json", given), { code: "REQUEST_INVALID", message: /level/ });
  }
  assert.deepEqual(await take(), []);
});

test("what cannot be started is refused, and nothing is sent", async () => {
  const { create, start, take, run, commands } = await openCommandsWorld();
  for (const commandId of ["c", "deprecated", "deleted"]) await create(commandId);
  await run(commands.updateCommand, { commandId: "deprecated", deprecated: true });
  await run(commands.deleteCommand, { commandId: "deleted" });
  const thing = "arn:aws:iot:us-east-1:123456789012:thing/none";
  const cases: [commandId: string, more: Record<string, unknown>, code: string, message: RegExp][] = [
    ["none", {}, "RESOURCE_NOT_FOUND", /Command none/],
    ["c", { targetArn: thing }, "RESOURCE_NOT_FOUND", /Thing none/],
    ["deprecated", {}, "REQUEST_INVALID", /deprecated/],
    ["deleted", {}, "REQUEST_INVALID", /pending deletion/],
    ["c", { executionTimeoutSeconds: commandTimeoutSecondsMax + 1 }, "REQUEST_INVALID", /executionTimeoutSeconds/],
    ["c", { parameters: { a: { I: 1 } } }, "REQUEST_INVALID", /no parameter 'a'/],
    ["c", { targetArn: "pump" }, "REQUEST_INVALID", /targetArn/],
    ["c", { targetArn: targetArn.replace("us-east-1", "eu-west-1") }, "REQUEST_INVALID", /targetArn/],
    ["c", { targetArn: commandArn("c") }, "REQUEST_INVALID", /targetArn/],
    ["c", { commandArn: targetArn }, "REQUEST_INVALID", /commandArn/],
    ["c", { commandArn: commandArn("x".repeat(65)) }, "REQUEST_INVALID", /commandArn/],
  ];
  for (const [commandId, more, code, message] of cases) await assert.rejects(start(commandId, more), { code, message });
  assert.deepEqual(await take(), []);
  await start("c", { executionTimeoutSeconds: commandTimeoutSecondsMax });
});

test("a client token starts one execution, and is of one request", async () => {
  const { create, start, take, publish, run, commands } = await openCommandsWorld();
  await create("c", { payloadTemplate: `["${$("a")}"]`, mandatoryParameters: [{ name: "a", defaultValue: { I: 1 } }] });
  const asked = { clientToken: "t", parameters: { a: { I: 7 } } };
  const executionId = await start("c", asked);
  assert.equal((await take()).length, 2);
  assert.equal(await start("c", { ...asked, executionTimeoutSeconds: 10 }), executionId);
  await run(commands.updateCommand, { commandId: "c", deprecated: true });
  assert.equal(await start("c", asked), executionId, "also when it could not be started any more");
  assert.deepEqual(await take(), []);
  for (const other of [{ parameters: { a: { I: 8 } } }, { parameters: undefined }, { executionTimeoutSeconds: 11 }]) {
    await assert.rejects(start("c", { ...asked, ...other }), { code: "RESOURCE_CONFLICT", message: /clientToken/ });
  }
  await run(commands.updateCommand, { commandId: "c", deprecated: false });
  await publish(executionId, { status: "SUCCEEDED" });
  await run(commands.deleteCommandExecution, { executionId, targetArn });
  assert.notEqual(await start("c", asked), executionId);
});

test("a device has openExecutionsMax executions under way, and room again when one ends", async () => {
  const { create, start, publish } = await openCommandsWorld({ isLimited: true });
  await create("c");
  const ids: string[] = [];
  for (let count = 0; count < openExecutionsMax; count++) ids.push(await start("c"));
  await assert.rejects(start("c"), { code: "QUOTA_EXCEEDED", message: /pump has 100/ });
  await start("c", { targetArn: clientArn });
  await publish(ids[0] ?? "", { status: "SUCCEEDED" });
  await start("c");
  await assert.rejects(start("c"), { code: "QUOTA_EXCEEDED" });
});

test("an execution is of one target, and is deleted when it has ended for good", async () => {
  const { create, start, get, publish, run, commands, pass } = await openCommandsWorld();
  await create("c");
  const executionId = await start("c");
  await assert.rejects(get(executionId, { targetArn: clientArn }), { code: "RESOURCE_NOT_FOUND" });
  await assert.rejects(get("none"), { code: "RESOURCE_NOT_FOUND", message: /none/ });
  const remove = (more: Record<string, unknown> = {}) =>
    run(commands.deleteCommandExecution, { executionId, targetArn, ...more });
  await assert.rejects(remove(), { code: "RESOURCE_CONFLICT", message: /CREATED/ });
  await pass(10_000);
  await assert.rejects(remove(), { code: "RESOURCE_CONFLICT", message: /TIMED_OUT/ });
  await publish(executionId, { status: "FAILED" });
  assert.deepEqual(await remove({ targetArn: clientArn }), {}, "there is none of that target");
  assert.equal((await get(executionId))["status"], "FAILED");
  assert.deepEqual(await remove(), {});
  await assert.rejects(get(executionId), { code: "RESOURCE_NOT_FOUND" });
  assert.deepEqual(await remove(), {});
});

test("executions are listed by command or target, status and time, the latest first", async () => {
  const { create, start, publish, run, commands, clock } = await openCommandsWorld();
  await create("c");
  await create("d");
  await clock.advance(60_000 - (clock.unixMs() % 60_000));
  const firstMs = clock.unixMs();
  const minute = (count: number) => new Date(firstMs + count * 60_000).toISOString().slice(0, 16);
  const names = new Map<string, string>();
  const more: Record<string, unknown>[] = [{}, { commandArn: commandArn("d") }, { targetArn: clientArn }, {}];
  for (const [at, one] of more.entries()) {
    names.set(await start("c", { executionTimeoutSeconds: 3_600, ...one }), String(at));
    await clock.advance(60_000);
  }
  const idOf = (name: string) => [...names].find(([, known]) => known === name)?.[0] ?? "";
  // The first ends last.
  for (const name of ["3", "0"]) {
    await publish(idOf(name), { status: "SUCCEEDED" });
    await clock.advance(60_000);
  }
  const list = async (input: Record<string, unknown>) => {
    const answer = await run(commands.listCommandExecutions, input);
    const found = (answer.commandExecutions ?? []).map(({ executionId = "" }) => names.get(executionId)).join("");
    return answer.nextToken === undefined ? found : [found, answer.nextToken];
  };
  const ofCommand = { commandArn: commandArn("c") };
  assert.equal(await list(ofCommand), "320");
  assert.equal(await list({ ...ofCommand, sortOrder: "ASCENDING", namespace: "AWS-IoT" }), "023");
  assert.equal(await list({ targetArn }), "310");
  assert.equal(await list({ targetArn: clientArn }), "2");
  assert.equal(await list({ targetArn, status: "SUCCEEDED" }), "30");
  assert.equal(await list({ targetArn, namespace: "AWS-IoT-FleetWise" }), "");
  assert.equal(await list({ targetArn, startedTimeFilter: { after: minute(0) } }), "31");
  assert.equal(await list({ targetArn, startedTimeFilter: { after: minute(0), before: `${minute(2)}:59Z` } }), "1");
  assert.equal(await list({ targetArn, completedTimeFilter: { after: minute(0) } }), "03");
  assert.equal(await list({ targetArn, completedTimeFilter: { before: minute(5) } }), "3");
  const [page, nextToken] = (await list({ ...ofCommand, maxResults: 2 })) as string[];
  assert.equal(page, "32");
  assert.equal(await list({ ...ofCommand, maxResults: 2, nextToken }), "0");
  const [summary] =
    (await run(commands.listCommandExecutions, { targetArn, status: "SUCCEEDED" })).commandExecutions ?? [];
  assert.deepEqual(summary, {
    ...{ executionId: idOf("3"), status: "SUCCEEDED", commandArn: commandArn("c"), targetArn },
    ...{ createdAt: firstMs / 1_000 + 180, startedAt: firstMs / 1_000 + 180, completedAt: firstMs / 1_000 + 240 },
  });
  const refused: [Record<string, unknown>, string, RegExp][] = [
    [{}, "REQUEST_INVALID", /Exactly one of targetArn and commandArn/],
    [{ targetArn, ...ofCommand }, "REQUEST_INVALID", /Exactly one of/],
    [{ targetArn, startedTimeFilter: {}, completedTimeFilter: {} }, "REQUEST_INVALID", /Only one of/],
    [{ targetArn, startedTimeFilter: { after: "yesterday" } }, "REQUEST_INVALID", /startedTimeFilter\.after/],
    [
      { targetArn, completedTimeFilter: { before: "2026-13-01T00:00" } },
      "REQUEST_INVALID",
      /completedTimeFilter\.before/,
    ],
    [{ commandArn: commandArn("none") }, "RESOURCE_NOT_FOUND", /Command none/],
    [{ targetArn: `${targetArn}-2` }, "RESOURCE_NOT_FOUND", /Thing pump-2/],
  ];
  for (const [input, code, message] of refused) await assert.rejects(list(input), { code, message });
});
