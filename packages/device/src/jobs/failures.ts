import { type ErrorCode, ThinglineError } from "@thingline/protocol";
import type { AbortReason, ExecutionId, ReportFailure } from "./types.js";

const codes: Readonly<Record<string, ErrorCode>> = {
  InternalError: "INTERNAL_FAILURE",
  InvalidJson: "REQUEST_INVALID",
  InvalidRequest: "REQUEST_INVALID",
  InvalidTopic: "REQUEST_INVALID",
  InvalidStateTransition: "JOB_TAKEN_AWAY",
  RequestThrottled: "THROTTLED",
  ResourceNotFound: "RESOURCE_NOT_FOUND",
  TerminalStateReached: "JOB_TAKEN_AWAY",
  VersionMismatch: "VERSION_CONFLICT",
};

/** @param what was asked for: `the execution 2 of job "a"` */
export function rejectionError(what: string, { code, message }: { code: string; message: string }): ThinglineError {
  const text = `the jobs service refused a request about ${what}: ${code}${message === "" ? "" : `, ${message}`}`;
  return new ThinglineError(codes[code] ?? "REQUEST_INVALID", text, { details: { status: code } });
}

export const nameOf = ({ jobId, executionNumber }: Omit<ExecutionId, "queuedAt">): string =>
  `execution ${executionNumber} of job "${jobId}"`;

/** What a handler finds in its signal. */
export function abortError(id: ExecutionId, reason: AbortReason): ThinglineError {
  switch (reason.type) {
    case "takenAway": {
      const { status } = reason;
      const how = status === undefined ? "it is over, or deleted" : `it is ${status}`;
      const details = { jobId: id.jobId, ...(status !== undefined && { status }) };
      return new ThinglineError("JOB_TAKEN_AWAY", `${nameOf(id)} has ended in the cloud: ${how}`, { details });
    }
    case "stepTimedOut":
      return new ThinglineError("TIMEOUT", `a step of ${nameOf(id)} took longer than it may`, {
        details: { jobId: id.jobId },
      });
    case "closing":
      return new ThinglineError("CLOSED", `the job client stops; ${nameOf(id)} goes on with the next one`);
  }
}

/** What a report that nobody takes any more fails with. */
export function reportError(id: ExecutionId, failure: ReportFailure): ThinglineError {
  if (failure.type === "refused") return rejectionError(nameOf(id), failure);
  if (failure.type === "handlerEnded") {
    return new ThinglineError("ABORTED", `the handler of ${nameOf(id)} has ended: its progress is not sent any more`);
  }
  return abortError(id, failure);
}
