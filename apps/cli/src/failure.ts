import { isThinglineError, type ErrorCode } from "@thingline/protocol";
import type { Output } from "./output.js";

export const exitCodes = { done: 0, failed: 1, wrongUsage: 2 } as const;

/** A command was called with words that cannot be right. Exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** What a person can do next, by error code. The message itself says what was wrong. */
const hints: Partial<Record<ErrorCode, string>> = {
  PORT_IN_USE: "Stop the program that listens there, or choose another port; port 0 picks a free one.",
  LOCKED: "Stop the other cloud, or give this one its own --data-dir.",
  CREDENTIAL_MISSING: "Write them with `thingline modem write --sec-tag TAG --from FOLDER`.",
  TLS_PEER_UNTRUSTED:
    "Give the cloud's own CA with --ca (the local cloud's is ca.pem in its data directory), and use a host name that its certificate has.",
  CONNECTION_REFUSED: "Is the cloud running? Start one with `thingline cloud start`, or check host and port.",
  HOST_NOT_FOUND: "Check CONFIG_AWS_IOT_BROKER_HOST_NAME or the --host option.",
  KEY_MISMATCH: "The private key and the certificate must come from the same set.",
  LINK_FAILED: "Check the SIM and the coverage: `AT+CEREG?` tells the registration status.",
};

/** Reports a failure for people or programs and tells the exit code. Stack traces only for our own defects. */
export function reportFailure(output: Output, error: unknown): number {
  if (error instanceof UsageError) {
    output.event({ event: "error", code: "USAGE", message: error.message });
    process.stderr.write(`${output.paint.red("error:")} ${error.message}\n`);
    return exitCodes.wrongUsage;
  }
  if (isThinglineError(error)) {
    const hint = hints[error.code];
    const { code, message, details } = error;
    output.event({ event: "error", code, message, details, ...(hint === undefined ? {} : { hint }) });
    process.stderr.write(`${output.paint.red("error:")} ${message} (${code})\n`);
    if (hint !== undefined) process.stderr.write(`${output.paint.dim("next: ")} ${hint}\n`);
    return exitCodes.failed;
  }
  if (isAwsError(error)) {
    output.event({ event: "error", code: error.name, message: error.message });
    process.stderr.write(`${output.paint.red("error:")} ${error.message} (${error.name})\n`);
    return exitCodes.failed;
  }
  const message = error instanceof Error ? error.message : String(error);
  output.event({ event: "error", code: "DEFECT", message });
  process.stderr.write(
    `${output.paint.red("defect in thingline:")} ${error instanceof Error ? error.stack : message}\n`,
  );
  return exitCodes.failed;
}

/** The AWS SDK marks its service errors so; their names are AWS's own. */
function isAwsError(error: unknown): error is Error {
  return error instanceof Error && "$fault" in error && "$metadata" in error;
}
