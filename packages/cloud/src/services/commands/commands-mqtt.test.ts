import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeCbor, encodeCbor } from "@thingline/protocol/cbor";
import { commandArn, openCommandsWorld, pump, targetArn } from "./commands-world.test.support.js";
import { wakeTimerMsMax } from "../wake-ups.js";
import { executionRetentionMs } from "./model.js";
import { commandUpdatesPerSecondMax } from "./throttle.js";
import { noResponseReason } from "./wake.js";

async function openExecution(more: Record<string, unknown> = {}) {
  const world = await openCommandsWorld();
  await world.create("c");
  const executionId = await world.start("c", more);
  await world.take();
  return { ...world, executionId };
}

const rejected = (executionId: string, error: string, errorMessage: string, more: object = {}) => [
  ["response/rejected/json", { executionId, error, errorMessage, ...more }, "client-1"],
];

test("an update is taken, answered to the one who asks, and told to everybody", async () => {
  const { executionId, exchange, get, clock } = await openExecution();
  await clock.advance(1_000);
  const statusReason = { reasonCode: "STARTED", reasonDescription: "going on" };
  const told = await exchange(executionId, { status: "IN_PROGRESS", statusReason, clientToken: "t" });
  const event = { executionId, eventType: "COMMAND_EXECUTION", commandArn: commandArn("c"), targetArn };
  assert.deepEqual(told, [
    ["response/accepted/json", { executionId, clientToken: "t" }, "client-1"],
    [
      "$aws/events/commandExecution/c/IN_PROGRESS",
      { ...event, status: "IN_PROGRESS", statusReason, timestamp: clock.unixMs() },
    ],
  ]);
  const found = await get(executionId);
  assert.deepEqual(
    [found["status"], found["statusReason"], found["completedAt"]],
    ["IN_PROGRESS", statusReason, undefined],
  );
  await clock.advance(1_000);
  const [accepted] = await exchange(executionId, { status: "SUCCEEDED", result: { a: { s: "x" }, b: { b: false } } });
  assert.deepEqual(accepted, ["response/accepted/json", { executionId }, "client-1"]);
  const ended = await get(executionId, { includeResult: true });
  assert.deepEqual(
    [ended["status"], ended["statusReason"], ended["completedAt"], ended["result"]],
    ["SUCCEEDED", undefined, clock.unixMs() / 1_000, { a: { S: "x" }, b: { B: false } }],
  );
  assert.equal("result" in (await get(executionId)), false);
});

test("a device that speaks CBOR is answered in CBOR, and one that names no format in JSON", async () => {
  const { executionId, publish, take, get } = await openExecution();
  const bytes = Uint8Array.of(1, 2, 3);
  await publish(executionId, encodeCbor({ status: "IN_PROGRESS", result: { x: { bin: bytes } } }), { tail: "/cbor" });
  const [accepted] = await take();
  assert.match(accepted?.topic ?? "", /\/response\/accepted\/cbor$/u);
  assert.deepEqual(decodeCbor(accepted?.payload ?? new Uint8Array()), new Map([["executionId", executionId]]));
  await publish(executionId, encodeCbor({ status: "CREATED" }), { tail: "/cbor" });
  const [refused] = await take();
  assert.match(refused?.topic ?? "", /\/response\/rejected\/cbor$/u);
  await publish(executionId, { status: "FAILED" }, { tail: "" });
  assert.match((await take())[0]?.topic ?? "", /\/response\/accepted$/u);
  const found = await get(executionId, { includeResult: true });
  assert.deepEqual([found["status"], found["result"]], ["FAILED", { x: { BIN: bytes } }]);
});

test("an update that cannot be is rejected with AWS's code, and changes nothing", async () => {
  const { executionId, exchange, publish, take, get } = await openExecution();
  const none = "00000000-0000-4000-8000-000000000000";
  const notFound = `No command execution ${none} for pump`;
  assert.deepEqual(
    await exchange(none, { status: "FAILED", clientToken: "t" }),
    rejected(none, "ResourceNotFound", notFound, { clientToken: "t" }),
  );
  await publish(executionId, { status: "FAILED" }, { target: { ...pump, id: "other" } });
  const [ofOther] = await take();
  assert.match(ofOther?.topic ?? "", /things\/other\/.*\/rejected\/json$/u);
  const [bad] = await exchange(executionId, { status: "DONE", clientToken: "t" });
  assert.deepEqual((bad as [string, { error: string; clientToken: string }])[1].error, "InvalidRequest");
  const text = new TextEncoder().encode("{");
  const [noJson] = await exchange(executionId, text);
  assert.equal((noJson as [string, { error: string }])[1].error, "InvalidJson");
  for (const tail of ["/xml", "/accepted"]) {
    const [strange] = await exchange(executionId, { status: "FAILED" }, { tail });
    assert.equal((strange as [string, { error: string }])[1].error, "InvalidTopic", tail);
  }
  assert.equal((await get(executionId))["status"], "CREATED");
  await exchange(executionId, { status: "SUCCEEDED" });
  assert.deepEqual(
    await exchange(executionId, { status: "REJECTED" }),
    rejected(
      executionId,
      "TerminalStateReached",
      "Command Execution status cannot be updated to REJECTED since execution has already completed with status SUCCEEDED.",
    ),
  );
  assert.deepEqual(
    await exchange(executionId, { status: "IN_PROGRESS" }),
    rejected(
      executionId,
      "InvalidStateTransition",
      "Command Execution status cannot be updated to IN_PROGRESS from status SUCCEEDED.",
    ),
  );
  assert.equal((await get(executionId))["status"], "SUCCEEDED");
});

test("the cloud's timeout may still be overwritten by the device, whose own is final", async () => {
  const { executionId, exchange, get, pass, take } = await openExecution({ executionTimeoutSeconds: 60 });
  await exchange(executionId, { status: "IN_PROGRESS", statusReason: { reasonCode: "STARTED" } });
  await pass(59_999);
  assert.deepEqual(await take(), []);
  await pass(1);
  const [event] = await take();
  assert.equal(event?.topic, "$aws/events/commandExecution/c/TIMED_OUT");
  const timedOut = await get(executionId);
  assert.deepEqual(
    [timedOut["status"], timedOut["statusReason"], timedOut["completedAt"]],
    ["TIMED_OUT", { reasonCode: noResponseReason }, undefined],
  );
  const [again] = await exchange(executionId, { status: "IN_PROGRESS" });
  assert.equal((again as [string, { error: string }])[1].error, "InvalidStateTransition");
  await exchange(executionId, { status: "TIMED_OUT", statusReason: { reasonCode: "TOO_SLOW" } });
  const own = await get(executionId);
  assert.deepEqual([own["status"], own["statusReason"]], ["TIMED_OUT", { reasonCode: "TOO_SLOW" }]);
  assert.notEqual(own["completedAt"], undefined);
  const [late] = await exchange(executionId, { status: "SUCCEEDED" });
  assert.equal((late as [string, { error: string }])[1].error, "InvalidStateTransition");
});

test("an execution that has ended in time does not time out, and is kept for 180 days", async () => {
  const { executionId, exchange, get, pass, take, store, clock } = await openExecution({ clientToken: "t" });
  const startedMs = clock.unixMs();
  await exchange(executionId, { status: "REJECTED" });
  await pass(10_000);
  // The clock is looked at once in a while.
  clock.setUnixMs(startedMs + executionRetentionMs - wakeTimerMsMax - 1);
  await pass(wakeTimerMsMax);
  assert.deepEqual(await take(), []);
  assert.equal((await get(executionId))["status"], "REJECTED");
  await pass(wakeTimerMsMax);
  await assert.rejects(get(executionId), { code: "RESOURCE_NOT_FOUND" });
  const left = await store.list(["123456789012", "us-east-1"], { limit: 100 });
  const kinds = new Set(left.map(({ key }) => String(key[2])));
  assert.deepEqual([...kinds].filter((kind) => kind.startsWith("command")).sort(), ["command", "commandByTime"]);
});

test("a timeout is found again by a cloud that was killed", async () => {
  const world = await openExecution();
  await world.restart();
  await world.pass(10_000);
  assert.equal((await world.get(world.executionId))["status"], "TIMED_OUT");
});

test("devices of an account make commandUpdatesPerSecondMax updates a second", async () => {
  const world = await openCommandsWorld({ isLimited: true });
  await world.create("c");
  const executionId = await world.start("c");
  for (let count = 0; count < commandUpdatesPerSecondMax; count++) {
    await world.publish(executionId, { status: "IN_PROGRESS" });
  }
  await world.take();
  assert.deepEqual(
    await world.exchange(executionId, { status: "SUCCEEDED", clientToken: "t" }),
    rejected(executionId, "RequestThrottled", "Too many requests", { clientToken: "t" }),
  );
  await world.pass(1_000);
  const [accepted] = await world.exchange(executionId, { status: "SUCCEEDED" });
  assert.equal((accepted as [string])[0], "response/accepted/json");
});
