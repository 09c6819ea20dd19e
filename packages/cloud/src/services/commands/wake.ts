import type { Operation } from "../operation.js";
import { answer } from "../operation.js";
import type { WakeHandler } from "../wake-ups.js";
import { executionEvent, executionGone, executionWrites, withStatus } from "./changes.js";
import { commandGone, findCommand } from "./commands.js";
import {
  commandDeletionDelayMs,
  commandKeys,
  commandsServiceName,
  executionRetentionMs,
  isOpen,
  timeoutAtMs,
  type ExecutionRecord,
} from "./model.js";

/** What the cloud says of a device that it has heard nothing final of. */
export const noResponseReason = "$NO_RESPONSE_FROM_DEVICE";

/** Called when a wake-up of the service is due: it looks at what it is about, and does what is due there. */
export const wakeCommands: WakeHandler = async (scope, name, runner) => {
  const [kind, id = ""] = name.split("/");
  await runner.run(scope, kind === "command" ? removeCommand : lookAfterExecution, id);
};

/** One wake-up at a time is stored for an execution: for its timeout, and then for the end of its retention. */
const lookAfterExecution: Operation<string, void> = Object.assign(
  (async ({ scope, store, nowMs }, executionId) => {
    const entry = await store.get<ExecutionRecord>(commandKeys.execution(scope, executionId));
    if (entry === undefined) return answer(undefined);
    const { value: execution, revision } = entry;
    const keptUntilMs = execution.createdAtMs + executionRetentionMs;
    if (nowMs >= keptUntilMs) return { result: undefined, operations: executionGone(scope, entry), effects: [] };
    const wakeAt = (atUnixMs: number) =>
      ({ type: "wakeAt", service: commandsServiceName, name: `execution/${executionId}`, atUnixMs }) as const;
    // Unix time may have stepped back since the wake-up was due.
    const dueMs = timeoutAtMs(execution);
    if (isOpen(execution) && nowMs < dueMs) return { result: undefined, operations: [], effects: [wakeAt(dueMs)] };
    if (!isOpen(execution)) return { result: undefined, operations: [], effects: [wakeAt(keptUntilMs)] };
    const statusReason = { reasonCode: noResponseReason };
    const timedOut = withStatus(execution, { status: "TIMED_OUT", by: "cloud", statusReason, nowMs });
    return {
      result: undefined,
      operations: executionWrites(scope, timedOut, revision),
      effects: [executionEvent(scope, timedOut), wakeAt(keptUntilMs)],
    };
  }) satisfies Operation<string, void>,
  { lane: (executionId: string) => `command execution ${executionId}` },
);

const removeCommand: Operation<string, void> = async (context, commandId) => {
  const { scope, nowMs } = context;
  const entry = await findCommand(context, commandId);
  const deletedAtMs = entry?.value.deletedAtMs;
  if (entry === undefined || deletedAtMs === undefined) return answer(undefined);
  const dueMs = deletedAtMs + commandDeletionDelayMs;
  const wakeAt = {
    type: "wakeAt",
    service: commandsServiceName,
    name: `command/${commandId}`,
    atUnixMs: dueMs,
  } as const;
  if (nowMs < dueMs) return { result: undefined, operations: [], effects: [wakeAt] };
  return { result: undefined, operations: commandGone(scope, entry), effects: [] };
};
