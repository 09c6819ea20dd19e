import { isRecord } from "@thingline/protocol";
import {
  isReportableJobStatus,
  jobIdCharactersMax,
  jobIdPattern,
  jobsClientTokenCharactersMax,
  jobTimeoutMinutesMax,
  nextJobId,
  statusDetailKeyCharactersMax,
  statusDetailKeyPattern,
  statusDetailsMax,
  statusDetailValueCharactersMax,
  stepTimeoutNone,
  type DescribeJobRequest,
  type StartNextJobRequest,
  type UpdateJobRequest,
} from "@thingline/protocol/jobs";
import { invalidRequest, JobRefusal } from "./refusals.js";

// Requests of devices over MQTT: members that nobody knows are ignored, as AWS does, and so are those that are null.

const decoder = new TextDecoder("utf-8", { fatal: true });

/** The members of a request; none for an empty payload. */
export type RequestMembers = Readonly<Record<string, unknown>>;

/** @throws {JobRefusal} InvalidJson for what is no JSON object in UTF-8 */
export function parsePayload(payload: Uint8Array): RequestMembers {
  if (payload.length === 0) return {};
  let members: unknown;
  try {
    members = JSON.parse(decoder.decode(payload));
  } catch {
    throw new JobRefusal("InvalidJson", "The payload is not valid JSON in UTF-8");
  }
  if (!isRecord(members)) throw new JobRefusal("InvalidJson", "The payload must be a JSON object");
  return members;
}

/** The client token of a request, also of one that is wrong otherwise; undefined for what cannot be echoed. */
export function clientTokenOf(members: RequestMembers): string | undefined {
  const token = memberOf(members, "clientToken");
  return typeof token === "string" && token.length <= jobsClientTokenCharactersMax ? token : undefined;
}

/** @throws {JobRefusal} InvalidRequest */
export function checkClientToken(members: RequestMembers): void {
  const token = memberOf(members, "clientToken");
  if (token === undefined || clientTokenOf(members) !== undefined) return;
  throw invalidRequest(`clientToken must be a string of at most ${jobsClientTokenCharactersMax} characters`);
}

export function readStartNext(members: RequestMembers): StartNextJobRequest {
  return definedOnly({
    statusDetails: readStatusDetails(members),
    stepTimeoutInMinutes: readStepTimeout(readInteger(members, "stepTimeoutInMinutes")),
  });
}

export function readDescribe(members: RequestMembers): DescribeJobRequest {
  return definedOnly({
    executionNumber: readInteger(members, "executionNumber"),
    includeJobDocument: readBoolean(members, "includeJobDocument"),
  });
}

export function readUpdate(members: RequestMembers): UpdateJobRequest {
  const status = memberOf(members, "status");
  if (status === undefined) {
    throw invalidRequest("Value null at 'status' failed to satisfy constraint: Member must not be null");
  }
  if (!isReportableJobStatus(status)) throw statusNotReportable(status);
  return {
    status,
    ...definedOnly({
      statusDetails: readStatusDetails(members),
      expectedVersion: readInteger(members, "expectedVersion"),
      executionNumber: readInteger(members, "executionNumber"),
      includeJobExecutionState: readBoolean(members, "includeJobExecutionState"),
      includeJobDocument: readBoolean(members, "includeJobDocument"),
      stepTimeoutInMinutes: readStepTimeout(readInteger(members, "stepTimeoutInMinutes")),
    }),
  };
}

/** A device may not set QUEUED, TIMED_OUT, CANCELED and REMOVED. */
export function statusNotReportable(status: unknown): JobRefusal {
  const shown = typeof status === "string" ? status.slice(0, 64) : typeof status;
  return invalidRequest(
    `Value '${shown}' at 'status' failed to satisfy constraint: Member must satisfy enum value set: [IN_PROGRESS, FAILED, SUCCEEDED, REJECTED]`,
  );
}

/** @throws {JobRefusal} InvalidRequest */
export function readStepTimeout(minutes: number | undefined): number | undefined {
  if (minutes === undefined || minutes === stepTimeoutNone) return minutes;
  if (minutes >= 1 && minutes <= jobTimeoutMinutesMax) return minutes;
  throw invalidRequest(
    `Value '${minutes}' at 'stepTimeoutInMinutes' failed to satisfy constraint: Member must be ${stepTimeoutNone} or between 1 and ${jobTimeoutMinutesMax}`,
  );
}

const wholeKey = new RegExp(`^(?:${statusDetailKeyPattern.source})$`, "u");
const wholeJobId = new RegExp(`^(?:${jobIdPattern.source})$`, "u");
const controlCharacter = /[\p{Cc}]/u;

/** @throws {JobRefusal} InvalidRequest */
export function checkJobId(jobId: string): void {
  if (jobId === nextJobId || (jobId.length <= jobIdCharactersMax && wholeJobId.test(jobId))) return;
  throw invalidRequest(
    `Value '${jobId.slice(0, 128)}' at 'jobId' failed to satisfy constraint: Member must have length of at most ${jobIdCharactersMax} and satisfy regular expression pattern: ${jobIdPattern.source}`,
  );
}

/** What AWS's model does not say of them. @throws {JobRefusal} InvalidRequest */
export function checkStatusDetails(details: Readonly<Record<string, unknown>> | undefined): void {
  const pairs = Object.keys(details ?? {}).length;
  if (pairs <= statusDetailsMax) return;
  throw invalidRequest(`statusDetails has ${pairs} pairs, at most ${statusDetailsMax} are allowed`);
}

/** @throws {JobRefusal} InvalidRequest */
function readStatusDetails(members: RequestMembers): Record<string, string> | undefined {
  const details = memberOf(members, "statusDetails");
  if (details === undefined) return undefined;
  if (!isRecord(details)) throw invalidRequest("statusDetails must be an object of strings");
  checkStatusDetails(details);
  for (const [name, value] of Object.entries(details)) {
    if (name.length > statusDetailKeyCharactersMax || !wholeKey.test(name)) {
      throw invalidRequest(
        `statusDetails has a key that is not 1 to ${statusDetailKeyCharactersMax} characters of ${statusDetailKeyPattern.source}`,
      );
    }
    const isGood =
      typeof value === "string" &&
      value.length >= 1 &&
      value.length <= statusDetailValueCharactersMax &&
      !controlCharacter.test(value);
    if (!isGood) {
      throw invalidRequest(
        `The value of '${name}' in statusDetails must be a string of 1 to ${statusDetailValueCharactersMax} printable characters`,
      );
    }
  }
  return details as Record<string, string>;
}

function readInteger(members: RequestMembers, name: string): number | undefined {
  const value = memberOf(members, name);
  if (value === undefined || (typeof value === "number" && Number.isSafeInteger(value))) return value;
  throw invalidRequest(`${name} must be an integer`);
}

function readBoolean(members: RequestMembers, name: string): boolean | undefined {
  const value = memberOf(members, name);
  if (value === undefined || typeof value === "boolean") return value;
  throw invalidRequest(`${name} must be true or false`);
}

function memberOf(members: RequestMembers, name: string): unknown {
  const value = Object.hasOwn(members, name) ? members[name] : undefined;
  return value ?? undefined;
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function definedOnly<T extends object>(members: T): Defined<T> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Defined<T>;
}
