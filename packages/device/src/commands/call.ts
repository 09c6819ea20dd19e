import { isThinglineError, kindOf, optionInvalid, ThinglineError } from "@thingline/protocol";
import { decodeCbor } from "@thingline/protocol/cbor";
import {
  commandReasonCodeCharactersMax,
  commandReasonDescriptionCharactersMax,
  commandResultEntriesMax,
  isCommandReasonCode,
  isCommandResultKey,
  isReportableCommandStatus,
} from "@thingline/protocol/commands";
import { textOf } from "../errors.js";
import type { CheckedCommands } from "./options.js";
import type { AbortReason, CommandDocument, CommandReport, FinalTold, ReceivedCommand, Told } from "./types.js";

/** One call of a handler. */
export interface CommandCall {
  abort(reason: AbortReason): void;
  /** Never rejects. */
  readonly ended: Promise<Told | "parked" | undefined>;
}

/** What to do about a command: its handler, or why there is none. */
export function planCommand(
  command: ReceivedCommand,
  { handlerOf, operationOf }: Pick<CheckedCommands, "handlerOf" | "operationOf">,
) {
  const document = documentOf(command);
  if (document === undefined && command.format !== undefined) {
    return rejected("PAYLOAD_INVALID", `the payload is not ${command.format.toUpperCase()}`);
  }
  let operation: string | undefined;
  try {
    operation = operationOf({ ...command, document });
  } catch (error) {
    return rejected("PAYLOAD_INVALID", `what the payload asks for could not be found out: ${textOf(error)}`);
  }
  const handler = handlerOf(operation);
  if (handler !== undefined) return { handler, operation, document };
  return rejected(
    "OPERATION_UNKNOWN",
    operation === undefined
      ? "the payload names no operation"
      : `this device has no handler for "${operation.slice(0, 128)}"`,
  );
}

const rejected = (reasonCode: string, description: string): { told: FinalTold } => ({
  told: { status: "REJECTED", statusReason: { reasonCode, reasonDescription: cut(description) } },
});

function documentOf({ payload, format }: ReceivedCommand): CommandDocument | undefined {
  if (format === undefined) return undefined;
  if (format === "cbor") {
    const decoded = decodeCbor(payload, { hasFloats: true });
    return decoded === undefined ? undefined : plain(decoded);
  }
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload)) as CommandDocument;
  } catch {
    return undefined;
  }
}

/** Objects in place of maps, as JSON has them. */
function plain(value: unknown): CommandDocument {
  if (value instanceof Map) {
    return Object.fromEntries([...(value as Map<string, unknown>)].map(([name, item]) => [name, plain(item)]));
  }
  return Array.isArray(value) ? value.map(plain) : (value as CommandDocument);
}

/** Calls the handler at once. */
export function callHandler(
  { command, isResumed }: { command: ReceivedCommand; isResumed: boolean },
  { handler, operation, document }: Extract<ReturnType<typeof planCommand>, { handler: unknown }>,
  report: (told: Told) => void,
): CommandCall {
  const controller = new AbortController();
  const running = {
    ...{ ...command, operation, document, isResumed, signal: controller.signal },
    report: (given: CommandReport) => report({ status: "IN_PROGRESS", ...readReport(given) }),
  };
  const run = async (): Promise<Told | "parked" | undefined> => {
    try {
      return outcomeOf(await handler(running));
    } catch (error) {
      // What stops because it was told to has said nothing of its own.
      if (controller.signal.aborted && error === controller.signal.reason) return undefined;
      return { status: "FAILED", statusReason: failureOf(error) };
    }
  };
  return {
    abort: (reason) => controller.abort(abortError(command.executionId, reason)),
    ended: run(),
  };
}

function abortError(executionId: string, reason: AbortReason): ThinglineError {
  const details = { executionId };
  if (reason === "timeout") {
    return new ThinglineError("TIMEOUT", `the time of the command execution ${executionId} is over`, { details });
  }
  if (reason === "closing") return new ThinglineError("CLOSED", "the command client stops", { details });
  return new ThinglineError("COMMAND_ENDED", `the command execution ${executionId} has ended in the cloud`, {
    details,
  });
}

/** @throws {ThinglineError} OPTION_INVALID */
function outcomeOf(outcome: unknown): Told | "parked" | undefined {
  if (outcome === undefined || outcome === null) return undefined;
  if (typeof outcome !== "object") throw optionInvalid("outcome", "an object with a status", kindOf(outcome));
  const { status, ...report } = outcome as { status?: unknown } & CommandReport;
  if (!isReportableCommandStatus(status)) {
    throw optionInvalid("outcome.status", "SUCCEEDED, FAILED, REJECTED, TIMED_OUT or IN_PROGRESS", kindOf(status));
  }
  return status === "IN_PROGRESS" ? "parked" : { status, ...readReport(report) };
}

/** @throws {ThinglineError} OPTION_INVALID */
function readReport({ reasonCode, reasonDescription, result }: CommandReport): Omit<Told, "status"> {
  if (reasonCode === undefined && reasonDescription !== undefined) {
    throw optionInvalid("reasonCode", "a code for the description", "none");
  }
  if (reasonCode !== undefined && !isCommandReasonCode(reasonCode)) {
    throw optionInvalid("reasonCode", "1 to 64 capital letters, digits, '_' and '-'", reasonCode.slice(0, 64));
  }
  const entries = Object.entries(result ?? {});
  if (entries.length > commandResultEntriesMax) {
    throw optionInvalid("result", `at most ${commandResultEntriesMax} entries`, entries.length);
  }
  for (const [name, value] of entries) {
    const isValue = typeof value === "string" || typeof value === "boolean" || value instanceof Uint8Array;
    const isEmpty = typeof value !== "boolean" && value.length === 0;
    if (!isCommandResultKey(name) || !isValue || isEmpty) {
      throw optionInvalid(
        `result.${name.slice(0, 64)}`,
        "a text, a boolean or bytes, under a name of AWS IoT",
        kindOf(value),
      );
    }
  }
  const reasonText = reasonDescription === undefined ? {} : { reasonDescription: cut(reasonDescription) };
  return {
    ...(reasonCode !== undefined && { statusReason: { reasonCode, ...reasonText } }),
    ...(entries.length > 0 && { result: Object.fromEntries(entries) }),
  };
}

/** The code of a ThinglineError or of Node.js; else the name of the error. */
function failureOf(thrown: unknown): { reasonCode: string; reasonDescription?: string } {
  const code: unknown = isThinglineError(thrown) ? thrown.code : (thrown as { code?: unknown } | null)?.code;
  const name = typeof code === "string" ? code : thrown instanceof Error ? thrown.name : "ERROR";
  const reasonCode = name
    .toUpperCase()
    .replace(/[^A-Z0-9_-]+/gu, "_")
    .slice(0, commandReasonCodeCharactersMax);
  const reasonDescription = cut(thrown instanceof Error ? thrown.message : textOf(thrown));
  return { reasonCode: reasonCode || "ERROR", ...(reasonDescription !== "" && { reasonDescription }) };
}

/** As AWS IoT takes it: no control characters, and not too long. */
const cut = (text: string): string =>
  text
    .replace(/\p{Cc}+/gu, " ")
    .slice(0, commandReasonDescriptionCharactersMax)
    .replace(/\p{Surrogate}/gu, "\ufffd");
