import { kindOf, methodsOf, optionInvalid, type OptionTypes, readOptions } from "@thingline/protocol";
import type { MessageFormat } from "@thingline/protocol/cbor";
import type { CommandTarget } from "@thingline/protocol/commands";
import { type Clock, clockOption, type Files, filesOption, type Random, randomOption } from "@thingline/transport";
import type { Device } from "../device.js";
import type { CommandsConfig } from "./machine.js";
import type { CommandEventName, CommandEvents, CommandHandler, ReceivedCommand, CommandDocument } from "./types.js";

/** Handlers that one client calls at a time. */
export const parallelCommandsMax = 100;
export const defaultParallelCommands = 10;
export const defaultCommandAnswerTimeoutMs = 30_000;
export const defaultCommandAbortGraceMs = 60_000;
export const defaultCommandsCloseTimeoutMs = 5_000;

/** What a command client needs of its device. */
export type CommandsDevice = Pick<Device, "clientId" | "state" | "on" | "publish" | "subscribe" | "closed">;

export type CommandListener<Name extends CommandEventName> = (event: CommandEvents[Name]) => void;
export type CommandListeners = { [Name in CommandEventName]?: CommandListener<Name> };

/** Says what a command asks for, by its payload; undefined when it does not say. */
export type CommandOperationOf = (
  command: Pick<ReceivedCommand, "payload" | "format" | "contentType"> & { document: CommandDocument | undefined },
) => string | undefined;

export interface RunCommandsOptions {
  /** By the name of the operation that a payload asks for: AWS tells a device nothing of a command but its payload. */
  handlers: Readonly<Record<string, CommandHandler>>;
  /** For every command that none of {@link handlers} fits. Without one such commands are REJECTED with OPERATION_UNKNOWN. */
  fallback?: CommandHandler;
  /** What a payload asks for: the name of the member that says it, or a function. Default: the member `operation`. */
  operation?: string | CommandOperationOf;
  clock: Clock;
  random: Random;
  /**
   * With {@link folder}, what was begun, and what it came to while the cloud has not taken it yet, survives a restart: a command is done once,
   * and one that the process did not survive is FAILED with INTERRUPTED. Without the two this holds for one process.
   */
  files?: Files;
  /** One process at a time has it. It is made when it is not there. */
  folder?: string;
  /** Whose commands. Default: those of the thing that has the device's client id as its name. */
  target?: CommandTarget;
  /** How reports are written. Default `json`. */
  format?: MessageFormat;
  /** Handlers at a time, up to {@link parallelCommandsMax}. Default {@link defaultParallelCommands}. */
  parallelMax?: number;
  /** The time of a command whose message does not say what is left of it, as under MQTT 3.1.1. Default: it has no end. */
  timeoutSeconds?: number;
  /** From PUBACK to the answer of the cloud. Default {@link defaultCommandAnswerTimeoutMs}. */
  answerTimeoutMs?: number;
  /** How long a handler whose signal was aborted may take to return. Default {@link defaultCommandAbortGraceMs}. */
  abortGraceMs?: number;
  /** How long `close()` waits for handlers, and for the cloud to take what they came to. Default {@link defaultCommandsCloseTimeoutMs}. */
  closeTimeoutMs?: number;
  on?: CommandListeners;
}

const optionTypes = {
  handlers: "object",
  fallback: "function",
  operation: "any",
  clock: clockOption,
  random: randomOption,
  files: filesOption,
  folder: "string",
  target: "object",
  format: "string",
  parallelMax: "number",
  timeoutSeconds: "number",
  answerTimeoutMs: "number",
  abortGraceMs: "number",
  closeTimeoutMs: "number",
  on: "object",
} as const satisfies OptionTypes<RunCommandsOptions>;

const deviceOption = methodsOf<CommandsDevice>("a Device", { on: true, publish: true, subscribe: true });

export interface CheckedCommands {
  config: Omit<CommandsConfig, "refuse">;
  /** Undefined: nobody does this here. */
  handlerOf(operation: string | undefined): CommandHandler | undefined;
  operationOf: CommandOperationOf;
  clock: Clock;
  random: Random;
  storage: { files: Files; folder: string } | undefined;
  target: CommandTarget;
  format: MessageFormat;
  answerTimeoutMs: number;
  closeTimeoutMs: number;
  on: CommandListeners;
}

/** @throws {ThinglineError} OPTION_INVALID */
export function checkRunCommands(device: CommandsDevice, given: RunCommandsOptions): CheckedCommands {
  const of = "runCommands()";
  const options = readOptions(given, optionTypes, { of, required: ["handlers", "clock", "random"] });
  readOptions({ device }, { device: deviceOption }, { of, required: ["device"] });
  const {
    clock,
    random,
    files,
    folder,
    fallback,
    parallelMax = defaultParallelCommands,
    timeoutSeconds,
    on = {},
  } = options;
  const target = readTarget(options.target ?? { kind: "things", id: device.clientId });
  const { format = "json" } = options;
  if (format !== "json" && format !== "cbor") throw optionInvalid("format", "json or cbor", String(format));
  if ((files === undefined) !== (folder === undefined)) {
    throw optionInvalid(files === undefined ? "files" : "folder", "both files and folder, or none", "one of the two");
  }
  const handlers = new Map(Object.entries(options.handlers));
  for (const [name, handler] of handlers) {
    if (typeof handler !== "function")
      throw optionInvalid(`handlers.${name.slice(0, 64)}`, "a function", kindOf(handler));
  }
  return {
    config: {
      parallelMax: whole("parallelMax", parallelMax, 1, parallelCommandsMax),
      abortGraceMs: whole("abortGraceMs", options.abortGraceMs ?? defaultCommandAbortGraceMs, 0),
      timeoutMs: timeoutSeconds === undefined ? Infinity : whole("timeoutSeconds", timeoutSeconds, 1) * 1_000,
    },
    handlerOf: (name) => (name === undefined ? undefined : handlers.get(name)) ?? fallback,
    operationOf: operationOption(options.operation ?? "operation"),
    ...{ clock, random, target, format, on },
    storage: files === undefined || folder === undefined ? undefined : { files, folder },
    answerTimeoutMs: whole("answerTimeoutMs", options.answerTimeoutMs ?? defaultCommandAnswerTimeoutMs, 1),
    closeTimeoutMs: whole("closeTimeoutMs", options.closeTimeoutMs ?? defaultCommandsCloseTimeoutMs, 0),
  };
}

function readTarget({ kind, id }: CommandTarget): CommandTarget {
  if (kind !== "things" && kind !== "clients") throw optionInvalid("target.kind", "things or clients", String(kind));
  if (/^[a-zA-Z0-9:_-]{1,128}$/u.test(id)) return { kind, id };
  throw optionInvalid("target.id", "1 to 128 letters, digits, ':', '_' and '-'", `${String(id).length} characters`);
}

function whole(option: string, value: number, min: number, max = Number.MAX_SAFE_INTEGER): number {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value;
  throw optionInvalid(
    option,
    max < Number.MAX_SAFE_INTEGER ? `a whole number from ${min} to ${max}` : `a whole number from ${min}`,
    value,
  );
}

function operationOption(operation: unknown): CommandOperationOf {
  if (typeof operation === "function") return operation as CommandOperationOf;
  if (typeof operation !== "string")
    throw optionInvalid("operation", "the name of a member, or a function", kindOf(operation));
  return ({ document }) => {
    const isObject = typeof document === "object" && document !== null && Object.hasOwn(document, operation);
    const name = isObject ? (document as Readonly<Record<string, unknown>>)[operation] : undefined;
    return typeof name === "string" ? name : undefined;
  };
}
