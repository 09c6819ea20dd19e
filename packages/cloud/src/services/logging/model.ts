import type { StoreKey } from "../../store/store.js";
import type { IotLogLevel } from "../iot-log.js";
import type { Scope } from "../operation.js";

export const loggingServiceName = "logging";

/** What a level may be set to. */
export type LogLevel = IotLogLevel | "DISABLED";

export type EventLevel = { eventType: string; logLevel?: LogLevel; logDestination?: string };

export type LoggingOptionsRecord = {
  roleArn: string;
  defaultLogLevel: LogLevel;
  disableAllLogs: boolean;
  eventConfigurations: readonly EventLevel[];
};

/** Of the first version of logging, which has one level for everything. */
export type FirstLoggingOptionsRecord = { roleArn: string; logLevel: LogLevel };

export type TargetType = "THING_GROUP" | "CLIENT_ID" | "SOURCE_IP" | "PRINCIPAL_ID";
export const targetTypes: readonly TargetType[] = ["THING_GROUP", "CLIENT_ID", "SOURCE_IP", "PRINCIPAL_ID"];

export type LogLevelRecord = { logLevel: LogLevel };

/** All that decides what is logged. */
export interface LoggingConfiguration {
  options: LoggingOptionsRecord | undefined;
  first: FirstLoggingOptionsRecord | undefined;
  levels: readonly { type: TargetType; name: string; logLevel: LogLevel }[];
}

/** Levels of resources, in an account and region. Those of AWS are not stated. */
export const logLevelsMax = 1_000;
/** Types of events with a level of their own. */
export const eventConfigurationsMax = 100;

const key = (scope: Scope, ...rest: string[]): StoreKey => [scope.account, scope.region, ...rest];

export const loggingKeys = {
  options: (scope: Scope) => key(scope, "loggingOptions"),
  first: (scope: Scope) => key(scope, "loggingOptionsV1"),
  levels: (scope: Scope) => key(scope, "loggingLevel"),
  levelsOf: (scope: Scope, type: TargetType | "DEFAULT") => key(scope, "loggingLevel", type),
  /** Whoever adds a level expects its revision, so that two at once are not one too many. */
  guard: (scope: Scope) => key(scope, "guard", "loggingLevels"),
  level: (scope: Scope, type: TargetType, name: string) => key(scope, "loggingLevel", type, name),
};

/** Types of entries that this cloud writes. */
export const eventTypes: readonly string[] = [
  ...["Connect", "Connection.AuthNError", "DeleteConnection", "DescribeJobExecution", "Disconnect"],
  ...["DeleteThingShadow", "GetConnection", "GetDeviceCredentials", "GetPendingJobExecution", "GetRetainedMessage"],
  ...["GetThingShadow", "ListRetainedMessage", "ListSubscriptions", "ProvisionDevice", "Publish-In", "Publish-Out"],
  ...["Queued", "SendDirectMessage", "StartNextPendingJobExecution", "Subscribe", "Unsubscribe"],
  ...["UpdateJobExecution", "UpdateThingShadow"],
];
