import { isThinglineError } from "@thingline/protocol";
import { parseJobsTopic, type JobsRejected, type JobsRejectionCode } from "@thingline/protocol/jobs";
import type { Clock } from "@thingline/transport";
import type { Log } from "../../log.js";
import { noIotLog, verbosityOf, type IotLog, type IotLogEntry } from "../iot-log.js";
import type { Operation, OperationRunner, ServiceMessage, ServiceTopics } from "../operation.js";
import { reject, type JobsRequestTopic, type MqttRequest } from "./mqtt-operations.js";
import { JobRefusal } from "./refusals.js";
import { clientTokenOf, parsePayload, type RequestMembers } from "./requests.js";
import { JobsThrottle, type JobsLimits } from "./throttle.js";
import { secondsOf } from "./views.js";

export interface JobsTopicsDependencies {
  answer: Operation<MqttRequest, void>;
  clock: Clock;
  log: Log;
  /** Default: nothing is logged. */
  iotLog?: IotLog | undefined;
  limits: JobsLimits;
}

/** The MQTT face of the service. What is published below `jobs/` and is no request is answered as well: InvalidTopic. */
export function createJobsTopics({
  answer,
  clock,
  log,
  iotLog = noIotLog,
  limits,
}: JobsTopicsDependencies): ServiceTopics {
  const throttle = new JobsThrottle(limits);

  /** Answered with a message of its own; what is a fault of ours is told as well. */
  const answerRejected = (
    message: ServiceMessage,
    { members, error }: { members: RequestMembers; error: Error },
    runner: OperationRunner,
    done: (error?: Error) => void,
  ): void => {
    const { topic, scope, clientId } = message;
    const rejected = describeRejection(error, clock.unixMs(), clientTokenOf(members));
    const why = isThinglineError(error) ? error.details : { error: String(error) };
    log.warn("jobsRequestRejected", { clientId, topic, code: rejected.code, message: rejected.message, ...why });
    if (iotLog.verbosity >= verbosityOf.ERROR) {
      iotLog.write(requestEntry(message, members, { code: rejected.code, message: rejected.message }));
    }
    runner.submit(scope, reject, { topic, rejected, clientId }, (failure) => {
      done(failure ?? (rejected.code === "InternalError" ? error : undefined));
    });
  };

  return {
    filters: ["$aws/things/+/jobs/#"],

    handle(message, runner, done) {
      const { topic, payload, scope, clientId } = message;
      let members: RequestMembers = {};
      let request: JobsRequestTopic;
      try {
        members = parsePayload(payload);
        request = requestOf(topic);
        throttle.count(scope, request.thingName, clock);
      } catch (error) {
        return answerRejected(message, { members, error: error as Error }, runner, done);
      }
      runner.submit(scope, answer, { request, members, clientId }, (error) => {
        if (error !== undefined) return answerRejected(message, { members, error }, runner, done);
        if (iotLog.verbosity >= verbosityOf.DEBUG) iotLog.write(requestEntry(message, members));
        done();
      });
    },
  };
}

const eventTypes = {
  get: "GetPendingJobExecution",
  "start-next": "StartNextPendingJobExecution",
  describe: "DescribeJobExecution",
  update: "UpdateJobExecution",
} as const;

/** As AWS has it: what went well is for DEBUG. */
function requestEntry(
  { topic, clientId, certificateId }: ServiceMessage,
  members: RequestMembers,
  refusal?: { code: string; message: string },
): IotLogEntry {
  const parsed = parseJobsTopic(topic);
  const type = parsed !== undefined && parsed.type in eventTypes ? (parsed.type as keyof typeof eventTypes) : "get";
  const { status, expectedVersion } = members as Record<string, unknown>;
  const sayStatus = type === "update" && typeof status === "string" ? `The destination status is ${status}. ` : "";
  return {
    ...{ level: refusal === undefined ? "DEBUG" : "ERROR", eventType: eventTypes[type], protocol: "MQTT" },
    ...{ isFailure: refusal !== undefined, topicName: topic, clientId, principalId: certificateId },
    more: {
      ...(parsed !== undefined && "jobId" in parsed && { jobId: parsed.jobId }),
      clientToken: clientTokenOf(members),
      ...(typeof expectedVersion === "number" && { versionNumber: String(expectedVersion) }),
    },
    reason: refusal?.code,
    details: `${sayStatus}The request status is ${refusal === undefined ? "SUCCESS" : "FAILURE"}.${refusal === undefined ? "" : ` ${refusal.message}`}`,
  };
}

/** @throws {JobRefusal} InvalidTopic */
function requestOf(topic: string): JobsRequestTopic {
  const parsed = parseJobsTopic(topic);
  const isRequest = parsed !== undefined && "outcome" in parsed === false;
  if (isRequest && parsed.type !== "notify" && parsed.type !== "notify-next") return parsed as JobsRequestTopic;
  throw new JobRefusal("InvalidTopic", "The topic is in the namespace of jobs and maps to no operation");
}

/** Errors that operations throw besides their refusals. */
const rejections: Readonly<Partial<Record<string, JobsRejectionCode>>> = {
  REQUEST_INVALID: "InvalidRequest",
  RESOURCE_NOT_FOUND: "ResourceNotFound",
  THROTTLED: "RequestThrottled",
};

function describeRejection(error: unknown, nowMs: number, clientToken: string | undefined): JobsRejected {
  const code =
    error instanceof JobRefusal ? error.rejection : isThinglineError(error) ? rejections[error.code] : undefined;
  const executionState = error instanceof JobRefusal ? error.executionState : undefined;
  return {
    code: code ?? "InternalError",
    message: code === undefined || !isThinglineError(error) ? "Internal service failure" : error.message,
    ...(clientToken !== undefined && { clientToken }),
    timestamp: secondsOf(nowMs),
    ...(executionState !== undefined && { executionState }),
  };
}
