import { errorCodes, isThinglineError } from "@thingline/protocol";
import { hintFor, hintForAws, type Places } from "./hints.js";
import { inWordsOfKconfig } from "./kconfig-words.js";
import type { Complaint, Hint, Output } from "./output.js";

export const exitCodes = { done: 0, failed: 1, wrongUsage: 2 } as const;

/** A command was called with words that cannot be right. Exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Commands whose options of the device library come from Kconfig fragments and flags. */
const readsKconfig: readonly string[] = ["provision", "device run"];

/**
 * Reports a failure for people or programs and tells the exit code. Stack traces only for our own defects.
 *
 * @param command as in `cloud start`: what can be done depends on what was tried.
 */
export function reportFailure(output: Output, failure: unknown, command: string, places: Places = {}): number {
  const error = readsKconfig.includes(command) ? inWordsOfKconfig(failure) : failure;
  if (error instanceof UsageError) {
    report(output, { kind: "error", message: error.message, code: "USAGE" });
    return exitCodes.wrongUsage;
  }
  if (isThinglineError(error)) {
    const { code, details } = error;
    // Several lines are a list; what they have in common goes first.
    const isList = error.message.includes("\n");
    const message = isList ? `${errorCodes[code]}\n${error.message}` : error.message;
    report(
      output,
      { kind: "error", message, code, hint: hintFor(error, command, places) },
      { message: error.message, details },
    );
    return exitCodes.failed;
  }
  if (!(error instanceof Error)) {
    report(output, { kind: "defect in thingline", message: String(error) });
    return exitCodes.failed;
  }
  const code = foreignCode(error);
  if (code === undefined) {
    report(output, { kind: "defect in thingline", message: error.stack ?? error.message }, { message: error.message });
    return exitCodes.failed;
  }
  const hint = foreignHints[code] ?? hintForAws(error, command, places);
  report(output, { kind: "error", message: messageOf(error), code, hint });
  return exitCodes.failed;
}

function report(output: Output, complaint: Complaint, more: Record<string, unknown> = {}): void {
  const { kind, message, code, hint } = complaint;
  const isDefect = kind === "defect in thingline";
  output.event({
    event: "error",
    code: isDefect ? "DEFECT" : code,
    message,
    ...more,
    ...(hint === undefined ? {} : { hint: hint.command === undefined ? hint.text : `${hint.text} ${hint.command}` }),
  });
  // Exit code 2 says it already.
  output.complain(code === "USAGE" ? { kind, message } : complaint);
}

const foreignHints: Readonly<Record<string, Hint>> = {
  CredentialsProviderError: {
    text: "Say which AWS account: AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or sign in again.",
  },
  ECONNREFUSED: { text: "Nobody listens there. If the local cloud was killed, start it again." },
};

/** Of what is nobody's defect: AWS's own error names, and the codes of the operating system. */
function foreignCode(error: Error): string | undefined {
  if ("$fault" in error || error.name === "CredentialsProviderError") return error.name;
  const code = "code" in error ? error.code : undefined;
  return typeof code === "string" && "syscall" in (firstOf(error) ?? error) ? code : undefined;
}

/** A host name with several addresses fails with several errors, and no message. */
function firstOf(error: Error): Error | undefined {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : undefined;
  return first instanceof Error ? first : undefined;
}

function messageOf(error: Error): string {
  return error.message !== "" ? error.message : (firstOf(error)?.message ?? error.name);
}
