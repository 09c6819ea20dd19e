import { decodeBase64, encodeBase64 } from "../base64.js";
import type { CborValue } from "../cbor/cbor.js";
import { readMembers, writeMembers, type Members, type MessageFormat } from "../cbor/members.js";
import type { CommandRejection } from "./answers.js";
import {
  commandClientTokenCharactersMax,
  commandReasonCodeCharactersMax,
  commandReasonDescriptionCharactersMax,
  commandResultEntriesMax,
  commandResultKeyCharactersMax,
} from "./limits.js";
import { isReportableCommandStatus, type ReportableCommandStatus } from "./status.js";

export interface CommandStatusReason {
  /** Capital letters, digits, `_` and `-`. */
  readonly reasonCode: string;
  readonly reasonDescription?: string | undefined;
}

/** What a command came to, by names: texts, truths and bytes. */
export type CommandResult = ReadonlyMap<string, string | boolean | Uint8Array>;

/** What a device tells of an execution. */
export interface CommandUpdate {
  readonly status: ReportableCommandStatus;
  readonly statusReason?: CommandStatusReason | undefined;
  readonly result?: CommandResult | undefined;
  /** Echoed in the answer. */
  readonly clientToken?: string | undefined;
}

export function encodeCommandUpdate(update: CommandUpdate, format: MessageFormat): Uint8Array {
  const { status, statusReason, result, clientToken } = update;
  const reason = statusReason && { ...statusReason };
  return writeMembers({ status, statusReason: reason, result: resultOf(result, format), clientToken }, format);
}

function resultOf(result: CommandResult | undefined, format: MessageFormat): CborValue | undefined {
  if (result === undefined) return undefined;
  const entries = [...result].map(([name, value]): [string, CborValue] => {
    if (typeof value === "string") return [name, { s: value }];
    if (typeof value === "boolean") return [name, { b: value }];
    return [name, { bin: format === "json" ? encodeBase64(value) : value }];
  });
  return format === "cbor" ? new Map(entries) : Object.fromEntries(entries);
}

/** What a server makes of an update: what it says, or how it is refused. */
export type ReadCommandUpdate = { update: CommandUpdate } | { rejection: CommandRejection };

/** Members that nobody knows are passed over, `deviceId` and `executionId` among them. */
export function decodeCommandUpdate(payload: Uint8Array, format: MessageFormat): ReadCommandUpdate {
  const members = readMembers(payload, format, { hasFloats: true });
  if (members === undefined) {
    const error = format === "json" ? "InvalidJson" : "InvalidRequest";
    return { rejection: { error, errorMessage: `The payload is not a valid ${format.toUpperCase()} object` } };
  }
  const token = members.get("clientToken");
  const isToken = typeof token === "string" && token.length <= commandClientTokenCharactersMax;
  const echoed = isToken ? { clientToken: token } : {};
  try {
    if (token !== undefined && !isToken) {
      throw new Refusal(`clientToken must be a string of at most ${commandClientTokenCharactersMax} characters`);
    }
    return { update: { ...readUpdate(members), ...echoed } };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { rejection: { error: "InvalidRequest", errorMessage: error.message, ...echoed } };
  }
}

/** Thrown within this file only. */
class Refusal extends Error {}

function readUpdate(members: Members): CommandUpdate {
  const status = members.get("status");
  if (!isReportableCommandStatus(status)) {
    const shown = typeof status === "string" ? status.slice(0, 64) : typeof status;
    throw new Refusal(
      `Value '${shown}' at 'status' failed to satisfy constraint: Member must satisfy enum value set: [IN_PROGRESS, SUCCEEDED, FAILED, REJECTED, TIMED_OUT]`,
    );
  }
  const statusReason = readReason(members.get("statusReason"));
  const result = readResult(members.get("result"));
  return { status, ...(statusReason !== undefined && { statusReason }), ...(result !== undefined && { result }) };
}

const wholeReasonCode = new RegExp(`^[A-Z0-9_-]{1,${commandReasonCodeCharactersMax}}$`, "u");
const wholeKey = new RegExp(`^[a-zA-Z0-9_-]{1,${commandResultKeyCharactersMax}}$`, "u");
const controlCharacter = /\p{Cc}/u;

/** Whether AWS takes it as the code of a reason. */
export const isCommandReasonCode = (text: string): boolean => wholeReasonCode.test(text);
/** Whether AWS takes it as the name of an entry of a result. */
export const isCommandResultKey = (text: string): boolean => wholeKey.test(text);

function readReason(value: unknown): CommandStatusReason | undefined {
  const members = membersOf(value, "statusReason");
  if (members === undefined) return undefined;
  const reasonCode = members.get("reasonCode");
  if (typeof reasonCode !== "string" || !isCommandReasonCode(reasonCode)) {
    throw new Refusal(
      `statusReason.reasonCode must be 1 to ${commandReasonCodeCharactersMax} characters of [A-Z0-9_-]+`,
    );
  }
  const reasonDescription = members.get("reasonDescription");
  if (reasonDescription === undefined) return { reasonCode };
  if (
    typeof reasonDescription !== "string" ||
    reasonDescription.length > commandReasonDescriptionCharactersMax ||
    controlCharacter.test(reasonDescription)
  ) {
    throw new Refusal(
      `statusReason.reasonDescription must be a string of at most ${commandReasonDescriptionCharactersMax} characters without control characters`,
    );
  }
  return { reasonCode, reasonDescription };
}

function readResult(value: unknown): CommandResult | undefined {
  const members = membersOf(value, "result");
  if (members === undefined) return undefined;
  if (members.size === 0 || members.size > commandResultEntriesMax) {
    throw new Refusal(`result must have 1 to ${commandResultEntriesMax} entries, got ${members.size}`);
  }
  const result = new Map<string, string | boolean | Uint8Array>();
  for (const [name, entry] of members) {
    if (!isCommandResultKey(name)) {
      throw new Refusal(
        `result has a key that is not 1 to ${commandResultKeyCharactersMax} characters of [a-zA-Z0-9_-]+`,
      );
    }
    result.set(name, readEntry(name, membersOf(entry, `result.${name}`)));
  }
  return result;
}

function readEntry(name: string, entry: Members | undefined): string | boolean | Uint8Array {
  const given = [...(entry ?? [])].filter(([type]) => type === "s" || type === "b" || type === "bin");
  const [[type, value] = [undefined, undefined]] = given;
  if (given.length === 1) {
    if (type === "s" && typeof value === "string" && value !== "") return value;
    if (type === "b" && typeof value === "boolean") return value;
    if (type === "bin") {
      const bytes = typeof value === "string" ? decodeBase64(value) : value;
      if (bytes instanceof Uint8Array && bytes.length > 0) return bytes;
    }
  }
  throw new Refusal(`result.${name} must have exactly one of s (a string), b (a boolean) and bin (bytes)`);
}

/** Those of a map within a message. Members that are null are as good as absent. */
function membersOf(value: unknown, name: string): Members | undefined {
  if (value === undefined) return undefined;
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isObject || value instanceof Uint8Array) throw new Refusal(`${name} must be an object`);
  const entries = value instanceof Map ? (value as Members) : Object.entries(value);
  return new Map([...entries].filter(([, member]) => member !== null));
}
