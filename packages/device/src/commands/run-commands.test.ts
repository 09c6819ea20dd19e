import assert from "node:assert/strict";
import { test } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import { encodeCbor } from "@thingline/protocol/cbor";
import type { CommandRejectionCode } from "@thingline/protocol/commands";
import { CommandsWorld } from "./commands-world.test.support.js";
import {
  commandReportAttemptsMax,
  defaultCommandAbortGraceMs,
  defaultCommandAnswerTimeoutMs,
  defaultParallelCommands,
  finishedCommandsMax,
  parallelCommandsMax,
  runCommands,
  unreportedCommandsMax,
  waitingCommandsMax,
  type CommandHandler,
  type RunningCommand,
} from "./index.js";

/** A handler that ends when it is told to. */
function held() {
  const commands: RunningCommand[] = [];
  const releases: ((outcome?: Awaited<ReturnType<CommandHandler>>) => void)[] = [];
  const handler: CommandHandler = (command) => {
    commands.push(command);
    return new Promise((resolve) => releases.push(resolve));
  };
  return { commands, releases, handler };
}

test("a command is found by its operation, begun, and its end is told with what it came to", async () => {
  const world = new CommandsWorld();
  let seen: RunningCommand | undefined;
  const { events } = await world.run({
    beep: async (command) => {
      seen = command;
      command.report({ reasonCode: "HALF", result: { percent: "50" } });
      await world.clock.sleep(10);
      return {
        status: "SUCCEEDED",
        reasonCode: "DONE",
        reasonDescription: "a\nb",
        result: { yes: true, raw: Uint8Array.of(1) },
      };
    },
  });
  world.start({ operation: "beep", times: 3 });
  await world.settle(20);
  const { executionId, operation, format, contentType, isResumed, document } = seen ?? assert.fail();
  assert.deepEqual([executionId, operation, format, contentType, isResumed], ["e1", "beep", "json", "a/b", false]);
  assert.deepEqual(document, { operation: "beep", times: 3 });
  assert.equal(world.history, "e1 IN_PROGRESS, e1 IN_PROGRESS HALF, e1 SUCCEEDED DONE");
  const [, { statusReason, result }] = world.told.at(-1) ?? assert.fail();
  assert.equal(statusReason?.reasonDescription, "a b");
  assert.deepEqual(
    [...(result ?? [])],
    [
      ["yes", true],
      ["raw", Uint8Array.of(1)],
    ],
  );
  assert.deepEqual(events, ["commandStarted e1 beep false", "commandEnded e1 SUCCEEDED DONE"]);
});

test("a payload in CBOR is read, reports go in CBOR on request, and any other payload is the fallback's", async () => {
  const world = new CommandsWorld();
  const documents: unknown[] = [];
  const note: CommandHandler = async ({ document, format, payload }) =>
    void documents.push(document ?? [format, payload.length]);
  await world.run({ beep: note }, { format: "cbor", fallback: note, operation: "do" });
  world.start(encodeCbor({ do: "beep", deep: [{ raw: Uint8Array.of(7) }] }), { tail: "/cbor" });
  world.start(Uint8Array.of(1, 2, 3), { tail: "" });
  await world.settle();
  assert.deepEqual(documents, [{ do: "beep", deep: [{ raw: Uint8Array.of(7) }] }, [undefined, 3]]);
  assert.equal(world.states.get("e2")?.status, "SUCCEEDED");
});

test("what nobody does here is rejected with the reason, and never begun", async () => {
  const world = new CommandsWorld();
  await world.run(
    { beep: async () => undefined },
    { operation: ({ document }) => (document as { name: string }).name.trim() },
  );
  world.start({ name: "other" });
  world.start(Uint8Array.of(0x7b));
  world.start({});
  world.start({ name: "" });
  await world.settle();
  assert.equal(
    world.history,
    "e1 REJECTED OPERATION_UNKNOWN, e2 REJECTED PAYLOAD_INVALID, e3 REJECTED PAYLOAD_INVALID, e4 REJECTED OPERATION_UNKNOWN",
  );
});

test("what a handler throws or returns wrongly is FAILED with its code", async () => {
  const world = new CommandsWorld();
  const outcomes: [CommandHandler, string][] = [
    [() => Promise.reject(new ThinglineError("FILE_NOT_FOUND", "none")), "FAILED FILE_NOT_FOUND"],
    [() => Promise.reject(Object.assign(new Error("x"), { code: "ENOENT" })), "FAILED ENOENT"],
    [() => Promise.reject(new TypeError("x")), "FAILED TYPEERROR"],
    // oxlint-disable-next-line prefer-promise-reject-errors
    [() => Promise.reject("text"), "FAILED ERROR"],
    [async () => ({ status: "CREATED" }) as never, "FAILED OPTION_INVALID"],
    [async () => 7 as never, "FAILED OPTION_INVALID"],
    [async () => ({ status: "SUCCEEDED", reasonCode: "low" }), "FAILED OPTION_INVALID"],
    [async () => ({ status: "SUCCEEDED", reasonDescription: "why" }), "FAILED OPTION_INVALID"],
    [async () => ({ status: "SUCCEEDED", result: { "a b": "x" } }), "FAILED OPTION_INVALID"],
    [async () => ({ status: "SUCCEEDED", result: { a: "" } }), "FAILED OPTION_INVALID"],
    [async () => ({ status: "REJECTED" }), "REJECTED"],
    [async () => ({ status: "TIMED_OUT", reasonCode: "SLOW" }), "TIMED_OUT SLOW"],
    [async () => undefined, "SUCCEEDED"],
  ];
  let at = 0;
  await world.run({ x: (command) => outcomes[at++]![0](command) }, { parallelMax: 1 });
  for (const [, told] of outcomes) {
    const id = world.start({ operation: "x" });
    await world.settle();
    assert.equal(world.history.split(", ").at(-1), `${id} ${told}`);
  }
});

test("a message that comes again is one execution, while it runs and after it has ended", async () => {
  const world = new CommandsWorld();
  const { commands, releases, handler } = held();
  await world.run({ x: handler });
  const id = world.start({ operation: "x" });
  world.start({ operation: "x" }, { id });
  await world.settle();
  world.start({ operation: "x" }, { id });
  releases[0]?.();
  await world.settle();
  world.start({ operation: "x" }, { id });
  await world.settle();
  assert.equal(commands.length, 1);
  assert.equal(world.history, "e1 IN_PROGRESS, e1 SUCCEEDED");
});

test("finishedCommandsMax executions that are over are known again", async () => {
  const world = new CommandsWorld();
  let calls = 0;
  await world.run({ x: async () => void calls++ });
  for (let count = 0; count <= finishedCommandsMax; count++) {
    world.start({ operation: "x" });
    await world.settle();
  }
  world.start({ operation: "x" }, { id: "e2" });
  await world.settle();
  assert.equal(calls, finishedCommandsMax + 1);
  world.start({ operation: "x" }, { id: "e1" });
  await world.settle();
  assert.equal(calls, finishedCommandsMax + 2, "the oldest is forgotten");
});

test("parallelMax handlers run at a time, waitingCommandsMax wait, and one more is rejected", async () => {
  const world = new CommandsWorld();
  const { commands, releases, handler } = held();
  await world.run({ x: handler });
  for (let count = 0; count < defaultParallelCommands + waitingCommandsMax; count++) world.start({ operation: "x" });
  await world.settle();
  assert.equal(commands.length, defaultParallelCommands);
  const extra = world.start({ operation: "x" });
  await world.settle();
  assert.match(world.history, new RegExp(`${extra} REJECTED DEVICE_TOO_BUSY`, "u"));
  releases[0]?.();
  await world.settle();
  assert.equal(commands.length, defaultParallelCommands + 1);
});

test("the time of the message aborts the handler, and what it makes of that counts", async () => {
  const world = new CommandsWorld();
  const { commands, releases, handler } = held();
  const { events } = await world.run({ x: handler }, { parallelMax: 2 });
  const options = { expirySeconds: 9 };
  for (let count = 0; count < 3; count++) world.start({ operation: "x" }, options);
  await world.settle(8_999);
  assert.equal(
    commands.some(({ signal }) => signal.aborted),
    false,
  );
  await world.settle(1);
  assert.deepEqual(
    commands.map(({ signal }) => (signal.reason as ThinglineError).code),
    ["TIMEOUT", "TIMEOUT"],
  );
  assert.match(world.history, /e3 TIMED_OUT DEVICE_TOO_BUSY/u, "its turn never came");
  releases[0]?.({ status: "SUCCEEDED", reasonCode: "JUST_IN_TIME" });
  releases[1]?.();
  await world.settle();
  assert.match(world.history, /e1 SUCCEEDED JUST_IN_TIME, e2 TIMED_OUT TIMEOUT$/u);
  assert.equal(events.includes("commandAbandoned e1"), false);
});

test("a handler that does not stop is left alone after abortGraceMs, and its place is free", async () => {
  const world = new CommandsWorld();
  const { commands, releases, handler } = held();
  const { events } = await world.run({ x: handler }, { parallelMax: 1, timeoutSeconds: 5 });
  world.start({ operation: "x" });
  await world.settle(1_000);
  world.start({ operation: "x" }, { expirySeconds: 3_600 });
  await world.settle(4_000 + defaultCommandAbortGraceMs);
  assert.equal(commands.length, 2);
  assert.ok(events.includes("commandAbandoned e1"));
  assert.match(world.history, /e1 TIMED_OUT TIMEOUT/u);
  releases[0]?.({ status: "SUCCEEDED" });
  await world.settle();
  assert.doesNotMatch(world.history, /e1 SUCCEEDED/u);
});

test("what the cloud does not take for now is told again, with growing pauses, and without a connection with the next one", async () => {
  const codes: (CommandRejectionCode | "silence")[] = ["RequestThrottled", "DataConflict", "InternalError", "silence"];
  const world = new CommandsWorld();
  world.rule = ({ status }) => (status === "IN_PROGRESS" ? undefined : codes.shift());
  const { errors, runner } = await world.run({ x: async () => undefined });
  world.start({ operation: "x" });
  await world.settle(8_000);
  assert.deepEqual(
    errors.map(({ code }) => code),
    ["THROTTLED", "REQUEST_INVALID", "INTERNAL_FAILURE"],
  );
  // The answer that did not come is asked for with the next connection, not after the whole time.
  world.device.disconnect();
  world.device.connect();
  await world.settle();
  assert.equal(world.states.get("e1")?.status, "SUCCEEDED");
  assert.equal(runner.executionCount, 0);
  world.rule = () => "silence";
  world.start({ operation: "x" });
  await world.settle(defaultCommandAnswerTimeoutMs);
  assert.equal(errors.at(-1)?.code, "TIMEOUT");
  world.rule = () => undefined;
  await world.settle(60_000);
  assert.equal(world.states.get("e2")?.status, "SUCCEEDED");
});

test("commandReportAttemptsMax attempts are made to tell one thing", async () => {
  const world = new CommandsWorld();
  world.rule = ({ status }) => (status === "IN_PROGRESS" ? undefined : "InternalError");
  const { events, runner } = await world.run({ x: async () => undefined });
  world.start({ operation: "x" });
  await world.settle(commandReportAttemptsMax * 60_000);
  assert.equal(world.told.filter(([, { status }]) => status === "SUCCEEDED").length, commandReportAttemptsMax);
  assert.equal(events.at(-1), "commandLost e1 Unreported");
  assert.equal(runner.executionCount, 0);
});

test("unreportedCommandsMax ends wait for the cloud; with one more the oldest is given up", async () => {
  const world = new CommandsWorld();
  world.rule = () => "silence";
  const { events } = await world.run({ x: async () => undefined });
  for (let count = 0; count < unreportedCommandsMax; count++) {
    world.start({ operation: "x" });
    await world.settle();
  }
  assert.equal(
    events.some((event) => event.startsWith("commandLost")),
    false,
  );
  world.start({ operation: "x" });
  await world.settle();
  assert.deepEqual(
    events.filter((event) => event.startsWith("commandLost")),
    ["commandLost e1 Unreported"],
  );
});

test("an execution that has ended in the cloud stops its handler; the cloud's own timeout does not", async () => {
  const world = new CommandsWorld();
  const { commands, releases, handler } = held();
  const { events } = await world.run({ x: handler });
  world.states.set("gone", { status: "FAILED", by: "device" });
  world.states.set("late", { status: "TIMED_OUT", by: "cloud" });
  world.rule = ({ status }) =>
    status === "IN_PROGRESS" && world.told.at(-1)?.[0] === "gone" ? "TerminalStateReached" : undefined;
  world.start({ operation: "x" }, { id: "gone" });
  world.start({ operation: "x" }, { id: "late" });
  await world.settle();
  assert.deepEqual(
    commands.map(({ signal }) => (signal.reason as ThinglineError | undefined)?.code),
    ["COMMAND_ENDED", undefined],
  );
  for (const release of releases) release();
  await world.settle();
  assert.equal(world.history, "gone IN_PROGRESS, late IN_PROGRESS, late SUCCEEDED");
  assert.ok(events.includes("commandLost gone TerminalStateReached"));
  assert.equal(world.states.get("late")?.status, "SUCCEEDED");
});

test("an end that the cloud finds wrong is told by its status alone", async () => {
  const world = new CommandsWorld();
  world.rule = ({ statusReason }) => (statusReason === undefined ? undefined : "InvalidRequest");
  const { errors } = await world.run({ x: async () => ({ status: "FAILED", reasonCode: "WHY" }) });
  world.start({ operation: "x" });
  await world.settle();
  assert.match(world.history, /e1 FAILED WHY, e1 FAILED$/u);
  assert.equal(errors.length, 1);
});

test("answers that come twice, late or for nobody change nothing, and other messages are told", async () => {
  const world = new CommandsWorld();
  world.fate = () => [0, 1, 50];
  const { errors, events } = await world.run({ x: async () => undefined });
  world.start({ operation: "x" });
  await world.settle(100);
  world.start({ operation: "x" });
  await world.settle(100);
  assert.equal(events.filter((event) => event.startsWith("commandEnded")).length, 2);
  assert.deepEqual(errors, []);
  const base = "$aws/commands/things/pump-7/executions/";
  for (const [topic, more] of [
    [`${base}e9/response/accepted/json`, { payload: "x" }],
    [`${base}e%20/request/json`, {}],
    [`${base}e9/request/json`, { isRetained: true }],
  ] as const) {
    world.device.receive(topic, new TextEncoder().encode("x"), "isRetained" in more ? { isRetained: true } : {});
  }
  assert.deepEqual(
    errors.map(({ code }) => code),
    Array(3).fill("COMMAND_MESSAGE_INVALID"),
  );
});

test("a policy that refuses the topics is told with what it has to allow, and asked again", async () => {
  const world = new CommandsWorld();
  world.device.subscribeError = new ThinglineError("MQTT_SUBSCRIPTION_REFUSED", "refused");
  const { errors } = await world.run({ x: async () => undefined });
  assert.match(errors[0]?.message ?? "", /topicfilter\/\$aws\/commands\/things\/pump-7\/executions\/\*/u);
  world.device.subscribeError = undefined;
  await world.settle(60_000);
  assert.deepEqual(world.device.filters.length, 5);
});

test("wrong options are refused by their names", async () => {
  const world = new CommandsWorld();
  const { clock, random, device } = world;
  const cases: [object, string][] = [
    [{ parallelMax: parallelCommandsMax + 1 }, "parallelMax"],
    [{ target: { kind: "thing", id: "a" } }, "target.kind"],
    [{ target: { kind: "things", id: "a/b" } }, "target.id"],
    [{ handlers: { x: 1 } }, "handlers.x"],
    [{ folder: "/f" }, "files"],
    [{ format: "xml" }, "format"],
    [{ timeoutSeconds: 0 }, "timeoutSeconds"],
    [{ operation: 7 }, "operation"],
    [{ on: { other: () => undefined } }, "on"],
  ];
  for (const [more, option] of cases) {
    await assert.rejects(runCommands(device, { handlers: {}, clock, random, ...more }), (error: ThinglineError) => {
      assert.deepEqual([error.code, error.details["option"]], ["OPTION_INVALID", option]);
      return true;
    });
  }
  await runCommands(device, { handlers: {}, clock, random, parallelMax: parallelCommandsMax });
});

test("after close() no timer and no listener is left, and handlers were told", async () => {
  const world = new CommandsWorld();
  const { commands, handler } = held();
  const { runner } = await world.run({
    x: handler,
    quick: ({ signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error))),
  });
  world.start({ operation: "x" });
  world.start({ operation: "quick" });
  await world.settle();
  const closing = runner.close();
  await world.settle(5_000);
  await closing;
  assert.equal((commands[0]?.signal.reason as ThinglineError).code, "CLOSED");
  assert.match(world.history, /e2 FAILED INTERRUPTED/u);
  assert.equal(world.device.listenerCount, 0);
  assert.equal(world.clock.timerCount, 0);
  world.start({ operation: "x" });
  await world.settle();
  assert.equal(commands.length, 1);
});
