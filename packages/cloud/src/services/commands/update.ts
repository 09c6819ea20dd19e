import { ThinglineError, isThinglineError } from "@thingline/protocol";
import {
  isTerminalCommandState,
  refusedCommandTransition,
  type CommandRejection,
  type CommandRejectionCode,
  type CommandTarget,
  type CommandUpdate,
  type ReportableCommandStatus,
} from "@thingline/protocol/commands";
import type { Effect, Operation } from "../operation.js";
import { executionEvent, executionWrites, withStatus } from "./changes.js";
import { commandKeys, type ExecutionRecord } from "./model.js";

/** What an update of a device is refused with. */
export class CommandRefusal extends ThinglineError {
  readonly rejection: CommandRejectionCode;

  constructor(rejection: keyof typeof codes, message: string) {
    super(codes[rejection], message);
    this.rejection = rejection;
  }
}

const codes = {
  InvalidTopic: "REQUEST_INVALID",
  InvalidJson: "REQUEST_INVALID",
  InvalidRequest: "REQUEST_INVALID",
  InvalidStateTransition: "COMMAND_STATE_INVALID",
  TerminalStateReached: "COMMAND_STATE_INVALID",
  ResourceNotFound: "RESOURCE_NOT_FOUND",
  RequestThrottled: "THROTTLED",
} as const satisfies Partial<Record<CommandRejectionCode, string>>;

export interface UpdateInput {
  target: CommandTarget;
  executionId: string;
  update: CommandUpdate;
  /** Made of what was decided, for the device that asks. */
  answer: Effect;
}

/** Takes what a device tells of an execution. Those of one execution one after another. */
export const updateExecution: Operation<UpdateInput, void> = Object.assign(
  (async ({ scope, store, nowMs }, { target, executionId, update, answer }) => {
    const entry = await store.get<ExecutionRecord>(commandKeys.execution(scope, executionId));
    const isTheirs = entry?.value.target.kind === target.kind && entry.value.target.id === target.id;
    if (!isTheirs) {
      throw new CommandRefusal("ResourceNotFound", `No command execution ${executionId.slice(0, 64)} for ${target.id}`);
    }
    const { value: execution, revision } = entry;
    const refused = refusedCommandTransition(execution, update.status);
    if (refused !== undefined) throw new CommandRefusal(refused, whyRefused(execution, update.status, refused));
    const updated = updatedBy(execution, update, nowMs);
    return {
      result: undefined,
      operations: executionWrites(scope, updated, revision),
      effects: [answer, executionEvent(scope, updated)],
    };
  }) satisfies Operation<UpdateInput, void>,
  { lane: ({ executionId }: UpdateInput) => `command execution ${executionId.slice(0, 64)}` },
);

function updatedBy(execution: ExecutionRecord, update: CommandUpdate, nowMs: number): ExecutionRecord {
  const { status, statusReason, result } = update;
  const updated = withStatus(execution, { status, by: "device", statusReason, nowMs });
  return {
    ...updated,
    ...(result !== undefined && { result: [...result] }),
    ...(isTerminalCommandState(updated) && { completedAtMs: nowMs }),
  };
}

/** The first in the words of the live service. */
function whyRefused({ status }: ExecutionRecord, to: ReportableCommandStatus, refused: string): string {
  const because =
    refused === "TerminalStateReached"
      ? `since execution has already completed with status ${status}`
      : `from status ${status}`;
  return `Command Execution status cannot be updated to ${to} ${because}.`;
}

/** How an error is told to a device. `isDefect`: a fault of ours. */
export function rejectionOf(error: unknown): CommandRejection & { isDefect: boolean } {
  if (error instanceof CommandRefusal) return { error: error.rejection, errorMessage: error.message, isDefect: false };
  if (isThinglineError(error, "STORE_CONFLICT")) {
    return { error: "DataConflict", errorMessage: "The command execution was modified concurrently", isDefect: false };
  }
  return { error: "InternalError", errorMessage: "Internal service failure", isDefect: true };
}
