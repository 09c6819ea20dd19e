import { isThinglineError } from "@thingline/protocol";
import { parseJobsTopic, type JobsRejected, type JobsRejectionCode } from "@thingline/protocol/jobs";
import type { Clock } from "@thingline/transport";
import type { Log } from "../../log.js";
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
  limits: JobsLimits;
}

/** The MQTT face of the service. What is published below `jobs/` and is no request is answered as well: InvalidTopic. */
export function createJobsTopics({ answer, clock, log, limits }: JobsTopicsDependencies): ServiceTopics {
  const throttle = new JobsThrottle(limits);

  /** Answered with a message of its own; what is a fault of ours is told as well. */
  const answerRejected = (
    { topic, scope, clientId }: ServiceMessage,
    { members, error }: { members: RequestMembers; error: Error },
    runner: OperationRunner,
    done: (error?: Error) => void,
  ): void => {
    const rejected = describeRejection(error, clock.unixMs(), clientTokenOf(members));
    const why = isThinglineError(error) ? error.details : { error: String(error) };
    log.warn("jobsRequestRejected", { clientId, topic, code: rejected.code, message: rejected.message, ...why });
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
        if (error === undefined) done();
        else answerRejected(message, { members, error }, runner, done);
      });
    },
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
