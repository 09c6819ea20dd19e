import { ThinglineError } from "@thingline/protocol";
import type { JobExecutionState, JobsRejectionCode } from "@thingline/protocol/jobs";
import type { ExecutionRecord } from "./model.js";
import { stateOf } from "./views.js";

/** What a request of a device is refused with: over MQTT with more than an error over HTTP says. */
export class JobRefusal extends ThinglineError {
  readonly rejection: JobsRejectionCode;
  readonly executionState: JobExecutionState | undefined;

  constructor(rejection: keyof typeof codes, message: string, executionState?: JobExecutionState) {
    super(codes[rejection], message);
    this.rejection = rejection;
    this.executionState = executionState;
  }
}

const codes = {
  InvalidTopic: "REQUEST_INVALID",
  InvalidJson: "REQUEST_INVALID",
  InvalidRequest: "REQUEST_INVALID",
  InvalidStateTransition: "JOB_STATE_INVALID",
  ResourceNotFound: "RESOURCE_NOT_FOUND",
  TerminalStateReached: "JOB_EXECUTION_ENDED",
  VersionMismatch: "VERSION_CONFLICT",
  RequestThrottled: "THROTTLED",
} as const;

export const invalidRequest = (message: string): JobRefusal => new JobRefusal("InvalidRequest", message);

export const noSuchExecution = (jobId: string, thingName: string): JobRefusal =>
  new JobRefusal("ResourceNotFound", `No job execution found for job ${jobId} on thing ${thingName}`);

export const noSuchThing = (thingName: string): JobRefusal =>
  new JobRefusal("ResourceNotFound", `Thing ${thingName} not found.`);

export const noSuchJob = (jobId: string): ThinglineError =>
  new ThinglineError("RESOURCE_NOT_FOUND", `No job with id '${jobId}' found`, { details: { jobId } });

export function terminalState({ jobId, status }: ExecutionRecord): JobRefusal {
  return new JobRefusal("TerminalStateReached", `The execution of job ${jobId} is in a terminal state: ${status}`);
}

export function invalidTransition(execution: ExecutionRecord, to: string): JobRefusal {
  const message = `The job execution status cannot change from ${execution.status} to ${to}`;
  return new JobRefusal("InvalidStateTransition", message, stateOf(execution));
}

export function versionMismatch(execution: ExecutionRecord, expected: number): JobRefusal {
  const message = `Expected version ${expected} but found version ${execution.versionNumber}`;
  return new JobRefusal("VersionMismatch", message, stateOf(execution));
}
