import { ThinglineError } from "@thingline/protocol";
import { isTerminalCommandState } from "@thingline/protocol/commands";
import type { StoreEntry } from "../../store/store.js";
import { awsOperation, type InputOf, type OutputOf } from "../aws-operation.js";
import { answer, type OperationContext, type Scope } from "../operation.js";
import { lastName, readPage } from "../page.js";
import { findThing } from "../registry/index.js";
import { executionGone } from "./changes.js";
import { findCommand } from "./commands.js";
import {
  arnOf,
  commandKeys,
  executionRetentionMs,
  invalid,
  parseCommandArn,
  parseTargetArn,
  type ExecutionRecord,
  type ExecutionsOf,
  type ListedExecution,
} from "./model.js";

/** Executions, as whoever started them sees them. */
export const executionOperations = {
  getCommandExecution: awsOperation(
    "iot",
    "GetCommandExecution",
    ["executionId", "targetArn", "includeResult"],
    async (context, { executionId, targetArn, includeResult = false }) => {
      const entry = await findExecution(context, executionId, targetArn);
      if (entry !== undefined) return answer(describe(context.scope, entry.value, includeResult));
      throw new ThinglineError("RESOURCE_NOT_FOUND", `Command execution ${executionId} not found`);
    },
  ),

  deleteCommandExecution: awsOperation(
    "iot",
    "DeleteCommandExecution",
    ["executionId", "targetArn"],
    async (context, { executionId, targetArn }) => {
      const entry = await findExecution(context, executionId, targetArn);
      // AWS's list of errors has none for an execution that is not there.
      if (entry === undefined) return answer({});
      if (!isTerminalCommandState(entry.value)) {
        const message = `Command execution ${executionId} cannot be deleted: it is ${entry.value.status}, which is not terminal`;
        throw new ThinglineError("RESOURCE_CONFLICT", message);
      }
      return { result: {}, operations: executionGone(context.scope, entry), effects: [] };
    },
  ),

  listCommandExecutions: awsOperation(
    "iot",
    "ListCommandExecutions",
    [
      ...(["maxResults", "nextToken", "namespace", "status", "sortOrder", "targetArn", "commandArn"] as const),
      ...(["startedTimeFilter.after", "startedTimeFilter.before"] as const),
      ...(["completedTimeFilter.after", "completedTimeFilter.before"] as const),
    ],
    async (context, input) => {
      const { of, by, isWithin } = readFilters(context.scope, input);
      const prefix = commandKeys.executions(context.scope, by, of);
      const { entries, nextToken } = await readPage<ListedExecution>(context.store, {
        prefix,
        token: input.nextToken,
        size: input.maxResults,
        order: input.sortOrder === "ASCENDING" ? "ascending" : "descending",
        matches: ({ key, value }) =>
          (input.status ?? value.status) === value.status &&
          input.namespace !== "AWS-IoT-FleetWise" &&
          isWithin(Number(key.at(-2))),
      });
      if (entries.length === 0 && input.nextToken === undefined) await requireOwner(context, of);
      const commandExecutions = [];
      for (const { key } of entries) {
        const entry = await context.store.get<ExecutionRecord>(commandKeys.execution(context.scope, lastName(key)));
        if (entry !== undefined) commandExecutions.push(summarize(context.scope, entry.value));
      }
      return answer({ commandExecutions, ...(nextToken !== undefined && { nextToken }) });
    },
  ),
};

async function findExecution(
  { store, scope }: Pick<OperationContext, "store" | "scope">,
  executionId: string,
  targetArn: string,
): Promise<StoreEntry<ExecutionRecord> | undefined> {
  const { kind, id } = parseTargetArn(scope, targetArn);
  const entry = await store.get<ExecutionRecord>(commandKeys.execution(scope, executionId));
  return entry?.value.target.kind === kind && entry.value.target.id === id ? entry : undefined;
}

function readFilters(scope: Scope, input: InputOf<"iot", "ListCommandExecutions">) {
  const { targetArn, commandArn, startedTimeFilter, completedTimeFilter } = input;
  if ((targetArn === undefined) === (commandArn === undefined)) {
    throw invalid("Exactly one of targetArn and commandArn must be given");
  }
  if (startedTimeFilter !== undefined && completedTimeFilter !== undefined) {
    throw invalid("Only one of startedTimeFilter and completedTimeFilter may be given");
  }
  const of: ExecutionsOf =
    commandArn === undefined
      ? { target: parseTargetArn(scope, targetArn ?? "") }
      : { commandId: parseCommandArn(scope, commandArn) };
  const by: "started" | "completed" = completedTimeFilter === undefined ? "started" : "completed";
  const name = `${by}TimeFilter`;
  const { after, before } = startedTimeFilter ?? completedTimeFilter ?? {};
  const afterMs = after === undefined ? -Infinity : readTime(after, `${name}.after`);
  const beforeMs = before === undefined ? Infinity : readTime(before, `${name}.before`);
  return { of, by, isWithin: (atMs: number) => atMs > afterMs && atMs < beforeMs };
}

/** UTC, to the minute; seconds and a `Z` are taken as well. @throws {ThinglineError} REQUEST_INVALID */
function readTime(text: string, name: string): number {
  const [, minutes, seconds = ":00"] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d)(:\d\d(?:\.\d{1,3})?)?Z?$/u.exec(text) ?? [];
  const atMs = minutes === undefined ? Number.NaN : Date.parse(`${minutes}${seconds}Z`);
  if (Number.isFinite(atMs)) return atMs;
  throw invalid(`${name}: '${text.slice(0, 64)}' is not a time of the form 2026-11-01T03:00`);
}

/** Of a list without an entry: whose would it be? @throws {ThinglineError} RESOURCE_NOT_FOUND */
async function requireOwner(context: OperationContext, of: ExecutionsOf): Promise<void> {
  if ("commandId" in of) {
    if ((await findCommand(context, of.commandId)) !== undefined) return;
    throw new ThinglineError("RESOURCE_NOT_FOUND", `Command ${of.commandId} not found`);
  }
  const { kind, id } = of.target;
  if (kind === "clients" || (await context.call(findThing, { thingName: id })) !== undefined) return;
  throw new ThinglineError("RESOURCE_NOT_FOUND", `Thing ${id} not found.`);
}

function summarize(scope: Scope, execution: ExecutionRecord) {
  const { executionId, commandId, target, status, createdAtMs, completedAtMs } = execution;
  return {
    ...{ executionId, status },
    commandArn: arnOf.command(scope, commandId),
    targetArn: arnOf.target(scope, target),
    createdAt: createdAtMs / 1_000,
    startedAt: createdAtMs / 1_000,
    ...(completedAtMs !== undefined && { completedAt: completedAtMs / 1_000 }),
  };
}

function describe(
  scope: Scope,
  execution: ExecutionRecord,
  isResultIncluded: boolean,
): OutputOf<"iot", "GetCommandExecution"> {
  const { statusReason, result, parameters, request, createdAtMs, lastUpdatedAtMs } = execution;
  return {
    ...summarize(scope, execution),
    ...(statusReason !== undefined && { statusReason }),
    ...(isResultIncluded &&
      result !== undefined && { result: Object.fromEntries(result.map((entry) => shownResult(entry))) }),
    ...(parameters !== undefined && { parameters: Object.fromEntries(parameters) }),
    executionTimeoutSeconds: request.timeoutSeconds,
    lastUpdatedAt: lastUpdatedAtMs / 1_000,
    timeToLive: (createdAtMs + executionRetentionMs) / 1_000,
  };
}

type ShownResult = { S: string } | { B: boolean } | { BIN: Uint8Array };

function shownResult([name, value]: readonly [string, string | boolean | Uint8Array]): [string, ShownResult] {
  if (typeof value === "string") return [name, { S: value }];
  return [name, typeof value === "boolean" ? { B: value } : { BIN: value }];
}
