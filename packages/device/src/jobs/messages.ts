import { ThinglineError } from "@thingline/protocol";
import {
  isJobExecutionStatus,
  isJsonObject,
  jobIdCharactersMax,
  type JobExecutionStatus,
  type JobExecutionSummary,
  type JobStatusDetails,
  type JobsTopic,
  type JsonObject,
  memberOf,
  parseJobsTopic,
} from "@thingline/protocol/jobs";
import type { JobsAnswer, ReceivedExecution } from "./types.js";

/** Executions of one list that are looked at; AWS IoT tells of fewer. */
export const listedExecutionsMax = 200;

/** A message of the jobs service. */
export type JobsMessage =
  | { type: "answer"; clientToken: string | undefined; read: () => JobsAnswer }
  | { type: "nextChanged"; read: () => ReceivedExecution | undefined }
  | { type: "changed" };

/**
 * What a message is; its content is checked by `read`, so that a request whose answer cannot be read is found by its token all the same.
 *
 * @throws {ThinglineError} JOB_MESSAGE_INVALID
 */
export function decodeJobsMessage(topicName: string, payload: Uint8Array): JobsMessage {
  const topic = parseJobsTopic(topicName);
  if (topic === undefined) throw malformed(topicName, "its topic is none of jobs");
  if (topic.type === "notify") return { type: "changed" };
  const members = objectOf(topicName, payload);
  if (topic.type === "notify-next") return { type: "nextChanged", read: () => executionMember(topicName, members) };
  const clientToken = memberOf(members, "clientToken");
  return {
    type: "answer",
    clientToken: typeof clientToken === "string" ? clientToken : undefined,
    read: () => answerOf(topicName, topic, members),
  };
}

function objectOf(topic: string, payload: Uint8Array): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
  } catch (cause) {
    throw malformed(topic, "it is not JSON", cause);
  }
  if (!isJsonObject(value)) throw malformed(topic, "it is not a JSON object");
  return value;
}

function answerOf(topicName: string, topic: JobsTopic, members: JsonObject): JobsAnswer {
  if ("outcome" in topic && topic.outcome === "rejected") return rejectionOf(topicName, members);
  switch (topic.type) {
    case "get":
      return {
        type: "list",
        inProgress: listOf(topicName, members, "inProgressJobs"),
        queued: listOf(topicName, members, "queuedJobs"),
      };
    case "update":
      return { type: "updated" };
    default:
      return { type: "execution", execution: executionMember(topicName, members) };
  }
}

function rejectionOf(topic: string, members: JsonObject): JobsAnswer {
  const code = memberOf(members, "code");
  const message = memberOf(members, "message");
  const state = memberOf(members, "executionState");
  if (typeof code !== "string") throw malformed(topic, "it has no code");
  return {
    type: "rejected",
    code: code.slice(0, 128),
    message: typeof message === "string" ? message.slice(0, 1_024) : "",
    status: isJsonObject(state) ? statusOf(memberOf(state, "status")) : undefined,
  };
}

/** Nothing pending is no `execution`, or an empty one. */
function executionMember(topic: string, members: JsonObject): ReceivedExecution | undefined {
  const execution = memberOf(members, "execution") ?? null;
  if (execution === null) return undefined;
  if (!isJsonObject(execution)) throw malformed(topic, "its execution is not an object");
  if (Object.keys(execution).length === 0) return undefined;
  const { jobId, executionNumber, queuedAt } = summaryOf(topic, execution);
  const status = statusOf(memberOf(execution, "status"));
  if (status === undefined) throw malformed(topic, "its execution has no status");
  const document = memberOf(execution, "jobDocument");
  return {
    jobId,
    executionNumber,
    queuedAt,
    status,
    statusDetails: detailsOf(memberOf(execution, "statusDetails")),
    document: document === undefined ? undefined : isJsonObject(document) ? document : "invalid",
  };
}

function listOf(topic: string, members: JsonObject, name: string): JobExecutionSummary[] {
  const list = memberOf(members, name) ?? [];
  if (!Array.isArray(list)) throw malformed(topic, `its ${name} is not a list`);
  return list.slice(0, listedExecutionsMax).map((each: unknown) => {
    if (!isJsonObject(each)) throw malformed(topic, `its ${name} has a member that is not an object`);
    return summaryOf(topic, each);
  });
}

function summaryOf(topic: string, execution: JsonObject): JobExecutionSummary {
  const jobId = memberOf(execution, "jobId");
  // It becomes a level of topics.
  if (typeof jobId !== "string" || jobId.length > jobIdCharactersMax || !/^[a-zA-Z0-9_-]+$/u.test(jobId)) {
    throw malformed(topic, "its execution has no jobId of AWS IoT");
  }
  const count = (name: string): number | undefined => {
    const value = memberOf(execution, name);
    return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
  };
  const executionNumber = count("executionNumber");
  if (executionNumber === undefined) throw malformed(topic, "its execution has no executionNumber");
  const startedAt = count("startedAt");
  return {
    jobId,
    executionNumber,
    queuedAt: count("queuedAt") ?? 0,
    lastUpdatedAt: count("lastUpdatedAt") ?? 0,
    versionNumber: count("versionNumber") ?? 0,
    ...(startedAt !== undefined && { startedAt }),
  };
}

const statusOf = (value: unknown): JobExecutionStatus | undefined => (isJobExecutionStatus(value) ? value : undefined);

function detailsOf(value: unknown): JobStatusDetails {
  if (!isJsonObject(value)) return {};
  return Object.fromEntries(Object.entries(value).filter(([, text]) => typeof text === "string")) as JobStatusDetails;
}

function malformed(topic: string, why: string, cause?: unknown): ThinglineError {
  const message = `a message on "${topic}" is not one of AWS IoT Jobs: ${why}`;
  return new ThinglineError("JOB_MESSAGE_INVALID", message, { details: { topic }, cause });
}
