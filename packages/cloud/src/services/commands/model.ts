import { ThinglineError } from "@thingline/protocol";
import type { CommandStatus, CommandStatusReason, CommandTarget } from "@thingline/protocol/commands";
import type { CommandParameter, CommandParameterValue } from "../../model/types/iot.js";
import type { StoreKey } from "../../store/store.js";
import type { Scope } from "../operation.js";
import type { Stored } from "../stored.js";

/** Name of the service in its wake-ups. */
export const commandsServiceName = "commands";

/** The longest that an execution can take: a command is gone so long after its deletion, or at once when it was deprecated before. */
export const commandDeletionDelayMs = 12 * 3_600_000;
/** How long executions are kept, whatever became of them. @see AWS IoT API reference, GetCommandExecution, `timeToLive` */
export const executionRetentionMs = 180 * 86_400_000;

export type CommandRecord = {
  commandId: string;
  createdAtMs: number;
  lastUpdatedAtMs: number;
  displayName?: string;
  description?: string;
  /** Either this or a template. */
  payload?: { content: Uint8Array; contentType: string };
  payloadTemplate?: string;
  /** Of the preprocessor, where one was given. */
  outputFormat?: "JSON" | "CBOR";
  mandatoryParameters?: readonly Stored<CommandParameter>[];
  roleArn?: string;
  deprecatedAtMs?: number;
  /** When its deletion was asked for. */
  deletedAtMs?: number;
};

/** What a list of commands is filtered by. */
export type ListedCommand = { parameterNames: readonly string[] };

export type ExecutionRecord = {
  executionId: string;
  commandId: string;
  target: Stored<CommandTarget>;
  status: CommandStatus;
  /** Who gave the status. */
  by: "cloud" | "device";
  statusReason?: Stored<CommandStatusReason>;
  /** Pairs, since any name may be one. */
  result?: readonly (readonly [name: string, value: string | boolean | Uint8Array])[];
  /** What the payload was made with. */
  parameters?: readonly (readonly [name: string, value: Stored<CommandParameterValue>])[];
  /** What the request had, in its own words: a repeated one has the same. */
  request: { parameters: string; timeoutSeconds: number };
  createdAtMs: number;
  lastUpdatedAtMs: number;
  completedAtMs?: number;
  clientToken?: string;
};

/** What a list of executions is filtered by. */
export type ListedExecution = { status: CommandStatus };

const key = (scope: Scope, ...rest: (string | number)[]): StoreKey => [scope.account, scope.region, ...rest];

/** Whose executions are listed. */
export type ExecutionsOf = { commandId: string } | { target: CommandTarget };

const ownerOf = (of: ExecutionsOf): string[] =>
  "commandId" in of ? ["commands", of.commandId] : [of.target.kind, of.target.id];

/** Every key of the service. */
export const commandKeys = {
  command: (scope: Scope, commandId: string) => key(scope, "command", commandId),
  /** All but those that are being deleted, as they were made. */
  listed: (scope: Scope) => key(scope, "commandByTime"),
  listedCommand: (scope: Scope, { createdAtMs, commandId }: CommandRecord) =>
    key(scope, "commandByTime", createdAtMs, commandId),
  execution: (scope: Scope, executionId: string) => key(scope, "commandExecution", executionId),
  /** Of a command or of a target, by the time of their start, or of their end. */
  executions: (scope: Scope, by: "started" | "completed", of: ExecutionsOf) =>
    key(scope, by === "started" ? "commandExecutionByStart" : "commandExecutionByEnd", ...ownerOf(of)),
  listedExecution: (scope: Scope, by: "started" | "completed", of: ExecutionsOf, atMs: number, executionId: string) =>
    key(
      ...([scope, by === "started" ? "commandExecutionByStart" : "commandExecutionByEnd"] as const),
      ...ownerOf(of),
      ...([atMs, executionId] as const),
    ),
  /** Those of a target that may still be at work. */
  open: (scope: Scope, { kind, id }: CommandTarget) => key(scope, "commandExecutionOpen", kind, id),
  openExecution: (scope: Scope, { kind, id }: CommandTarget, executionId: string) =>
    key(scope, "commandExecutionOpen", kind, id, executionId),
  /** The execution that a client token has started. */
  token: (scope: Scope, clientToken: string) => key(scope, "commandToken", clientToken),
};

export const arnOf = {
  command: ({ region, account }: Scope, commandId: string): string =>
    `arn:aws:iot:${region}:${account}:command/${commandId}`,
  target: ({ region, account }: Scope, { kind, id }: CommandTarget): string =>
    `arn:aws:iot:${region}:${account}:${kind === "things" ? "thing" : "client"}/${id}`,
};

const arnPattern = /^arn:aws[a-z-]*:iot:([^:]*):([^:]*):(thing|client|command)\/([a-zA-Z0-9:_-]{1,128})$/u;

/** @returns undefined for what is none of this account and region */
function parseArn({ account, region }: Scope, arn: string) {
  const [, arnRegion, arnAccount, kind, id] = arnPattern.exec(arn) ?? [];
  return arnRegion === region && arnAccount === account && id !== undefined ? { kind, id } : undefined;
}

export const invalid = (message: string): ThinglineError => new ThinglineError("REQUEST_INVALID", message);

/** @throws {ThinglineError} REQUEST_INVALID */
export function parseCommandArn(scope: Scope, arn: string): string {
  const parsed = parseArn(scope, arn);
  if (parsed?.kind === "command" && /^[a-zA-Z0-9_-]{1,64}$/u.test(parsed.id)) return parsed.id;
  throw invalid(
    `commandArn: '${arn.slice(0, 300)}' is not the ARN of a command of ${scope.account} in ${scope.region}`,
  );
}

/** @throws {ThinglineError} REQUEST_INVALID; also for a client id that has no place in a topic of commands */
export function parseTargetArn(scope: Scope, arn: string): CommandTarget {
  const parsed = parseArn(scope, arn);
  if (parsed !== undefined && parsed.kind !== "command") {
    return { kind: parsed.kind === "thing" ? "things" : "clients", id: parsed.id };
  }
  throw invalid(
    `targetArn: '${arn.slice(0, 300)}' is not the ARN of a thing or client of ${scope.account} in ${scope.region}`,
  );
}

/** Whether the device may still be at work on it. */
export const isOpen = ({ status }: Pick<ExecutionRecord, "status">): boolean =>
  status === "CREATED" || status === "IN_PROGRESS";

export const timeoutAtMs = ({ createdAtMs, request }: ExecutionRecord): number =>
  createdAtMs + request.timeoutSeconds * 1_000;
