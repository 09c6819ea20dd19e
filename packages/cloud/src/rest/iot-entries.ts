import type { ModelOperation } from "../model/model.js";
import type { IotLog, IotLogEntry } from "../services/iot-log.js";
import type { WireError } from "./errors.js";

type Input = Readonly<Record<string, unknown>>;

/** What AWS writes of a request by the name of its operation; a request that is not here is none of a device's. */
const entries: Readonly<
  Record<string, { eventType: string; level?: "DEBUG"; more?: (input: Input) => IotLogEntry["more"] }>
> = {
  "iot-data:DeleteConnection": { eventType: "DeleteConnection" },
  "iot-data:DeleteThingShadow": { eventType: "DeleteThingShadow", more: shadowOf },
  "iot-data:GetConnection": { eventType: "GetConnection" },
  "iot-data:GetRetainedMessage": { eventType: "GetRetainedMessage" },
  "iot-data:GetThingShadow": { eventType: "GetThingShadow", more: shadowOf },
  "iot-data:ListRetainedMessages": { eventType: "ListRetainedMessage" },
  "iot-data:ListSubscriptions": { eventType: "ListSubscriptions" },
  "iot-data:Publish": { eventType: "Publish-In" },
  "iot-data:SendDirectMessage": { eventType: "SendDirectMessage" },
  "iot-data:UpdateThingShadow": { eventType: "UpdateThingShadow", more: shadowOf },
  "iot-jobs-data:DescribeJobExecution": { eventType: "DescribeJobExecution", level: "DEBUG", more: jobOf },
  "iot-jobs-data:GetPendingJobExecutions": { eventType: "GetPendingJobExecution", level: "DEBUG", more: jobOf },
  "iot-jobs-data:StartNextPendingJobExecution": {
    eventType: "StartNextPendingJobExecution",
    level: "DEBUG",
    more: jobOf,
  },
  "iot-jobs-data:UpdateJobExecution": { eventType: "UpdateJobExecution", level: "DEBUG", more: jobOf },
};

/** A request over HTTP for the log of the account. @param failure as it is answered */
export function logRequest(log: IotLog, { api, name }: ModelOperation, given: object, failure?: WireError): void {
  const known = entries[`${api}:${name}`];
  if (known === undefined) return;
  const input = given as Input;
  const { eventType, level = "INFO", more } = known;
  const failed: Partial<IotLogEntry> =
    failure === undefined ? {} : { level: "ERROR", isFailure: true, reason: failure.code, details: failure.message };
  const who = { topicName: textOf(input["topic"]), clientId: textOf(input["clientId"]) };
  log.write({ level, eventType, protocol: "HTTP", ...who, more: more?.(input), ...failed });
}

function shadowOf({ thingName, shadowName }: Input) {
  return { deviceShadowName: textOf(shadowName) ?? textOf(thingName) };
}

function jobOf({ jobId, thingName }: Input) {
  return { jobId: textOf(jobId), thingName: textOf(thingName) };
}

const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
