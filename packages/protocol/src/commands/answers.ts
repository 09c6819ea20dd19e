import { readMembers, writeMembers, type MessageFormat } from "../cbor/members.js";

/**
 * `error` of an update that was rejected. They are spelled as AWS's documentation and its device SDK have them.
 * @see AWS IoT developer guide, "UpdateCommandExecution error codes"
 */
export const commandRejectionCodes = {
  InvalidTopic: "the topic is of the namespace of commands and is no update",
  InvalidJson: "the payload is no JSON object in UTF-8",
  InvalidRequest: "a member is missing or wrong",
  InvalidStateTransition: "the execution's status cannot become the one that was reported",
  ResourceNotFound: "there is no such execution of this target",
  VersionMismatch: "the execution is of another version than the one that was expected",
  InternalError: "a defect of the service",
  RequestThrottled: "too many updates",
  TerminalStateReached: "the execution has ended",
  DataConflict: "the execution was changed by others at the same time",
} as const;
export type CommandRejectionCode = keyof typeof commandRejectionCodes;

/** Why an update is rejected. */
export interface CommandRejection {
  readonly error: CommandRejectionCode;
  readonly errorMessage: string;
  readonly clientToken?: string | undefined;
}

/** What the cloud answers to an update. */
export interface CommandAnswer {
  readonly executionId: string | undefined;
  readonly clientToken: string | undefined;
  /** Undefined of an update that was accepted. A service may know codes that we do not. */
  readonly rejected: { readonly error: string; readonly errorMessage: string } | undefined;
}

export function encodeCommandAccepted(
  { executionId, clientToken }: { executionId: string; clientToken?: string | undefined },
  format: MessageFormat,
): Uint8Array {
  return writeMembers({ executionId, clientToken }, format, { isAnswer: true });
}

export function encodeCommandRejected(
  rejection: CommandRejection & { executionId: string },
  format: MessageFormat,
): Uint8Array {
  const { executionId, error, errorMessage, clientToken } = rejection;
  return writeMembers({ executionId, error, errorMessage, clientToken }, format, { isAnswer: true });
}

const textMax = 1_024;

/**
 * What a device was answered; `isRejected`: on the topic of rejections.
 *
 * @returns undefined for what is no answer
 */
export function decodeCommandAnswer(
  payload: Uint8Array,
  { format, isRejected }: { format: MessageFormat; isRejected: boolean },
): CommandAnswer | undefined {
  const members = readMembers(payload, format, { hasFloats: true });
  if (members === undefined) return undefined;
  const textOf = (name: string): string | undefined => {
    const value = members.get(name);
    return typeof value === "string" ? value.slice(0, textMax) : undefined;
  };
  const answer = { executionId: textOf("executionId"), clientToken: textOf("clientToken") };
  if (!isRejected) return { ...answer, rejected: undefined };
  const error = textOf("error");
  if (error === undefined) return undefined;
  return { ...answer, rejected: { error, errorMessage: textOf("errorMessage") ?? "" } };
}
