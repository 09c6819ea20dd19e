import type { CommandStatus, CommandStatusReason } from "@thingline/protocol/commands";
import type { StoreEntry, StoreOperation } from "../../store/store.js";
import type { Effect, Scope } from "../operation.js";
import { arnOf, commandKeys, isOpen, type ExecutionRecord, type ExecutionsOf, type ListedExecution } from "./model.js";

// What a change of an execution writes, and what everybody is told of it.

const ownersOf = ({ commandId, target }: ExecutionRecord): ExecutionsOf[] => [{ commandId }, { target }];

/** The record with its places in the lists. @param revision of the record; 0 for a new one */
export function executionWrites(scope: Scope, execution: ExecutionRecord, revision: number): StoreOperation[] {
  const { executionId, target, status, createdAtMs, completedAtMs } = execution;
  const listed: ListedExecution = { status };
  const open = commandKeys.openExecution(scope, target, executionId);
  return [
    { key: commandKeys.execution(scope, executionId), expectedRevision: revision, value: execution },
    isOpen(execution) ? { key: open, value: null } : { key: open, delete: true },
    ...ownersOf(execution).flatMap((owner) => [
      { key: commandKeys.listedExecution(scope, "started", owner, createdAtMs, executionId), value: listed },
      ...(completedAtMs === undefined
        ? []
        : [{ key: commandKeys.listedExecution(scope, "completed", owner, completedAtMs, executionId), value: listed }]),
    ]),
  ];
}

/** Nothing of it remains, nor of the token that it was started with. */
export function executionGone(scope: Scope, { value, revision, key }: StoreEntry<ExecutionRecord>): StoreOperation[] {
  const { executionId, target, createdAtMs, completedAtMs, clientToken } = value;
  return [
    { key, expectedRevision: revision, delete: true },
    { key: commandKeys.openExecution(scope, target, executionId), delete: true },
    ...(clientToken === undefined ? [] : [{ key: commandKeys.token(scope, clientToken), delete: true as const }]),
    ...ownersOf(value).flatMap((owner) => [
      { key: commandKeys.listedExecution(scope, "started", owner, createdAtMs, executionId), delete: true as const },
      ...(completedAtMs === undefined
        ? []
        : [
            {
              key: commandKeys.listedExecution(scope, "completed", owner, completedAtMs, executionId),
              delete: true as const,
            },
          ]),
    ]),
  ];
}

const encoder = new TextEncoder();

/** No event configuration governs it. @see AWS IoT developer guide, "Command execution events" */
export function executionEvent(scope: Scope, execution: ExecutionRecord): Effect {
  const { executionId, commandId, target, status, statusReason, lastUpdatedAtMs } = execution;
  const compose = () => ({
    executionId,
    status,
    ...(statusReason !== undefined && { statusReason }),
    eventType: "COMMAND_EXECUTION",
    commandArn: arnOf.command(scope, commandId),
    targetArn: arnOf.target(scope, target),
    timestamp: lastUpdatedAtMs,
  });
  return {
    type: "publish",
    topic: `$aws/events/commandExecution/${commandId}/${status}`,
    payload: () => encoder.encode(JSON.stringify(compose())),
    qos: 1,
  };
}

/** The execution with another status; a reason is of the status that it came with. */
export function withStatus(
  { statusReason: _former, ...execution }: ExecutionRecord,
  {
    status,
    by,
    statusReason,
    nowMs,
  }: {
    status: CommandStatus;
    by: ExecutionRecord["by"];
    statusReason?: CommandStatusReason | undefined;
    nowMs: number;
  },
): ExecutionRecord {
  return { ...execution, status, by, lastUpdatedAtMs: nowMs, ...(statusReason !== undefined && { statusReason }) };
}
