import { ThinglineError } from "@thingline/protocol";
import type { StoreEntry, StoreOperation } from "../../store/store.js";
import { awsOperation, awsSaga, type InputOf } from "../aws-operation.js";
import { answer, type Effect, type Operation, type OperationContext, type Scope } from "../operation.js";
import { iterate } from "../../store/iterate.js";
import { lastName, readPage } from "../page.js";
import {
  eventConfigurationsMax,
  eventTypes,
  loggingKeys,
  loggingServiceName,
  logLevelsMax,
  targetTypes,
  type EventLevel,
  type FirstLoggingOptionsRecord,
  type LoggingConfiguration,
  type LoggingOptionsRecord,
  type LogLevelRecord,
  type TargetType,
} from "./model.js";

/** Operations of logging, by AWS's names. */
export type Logging = ReturnType<typeof createLogging>;

type Context = Pick<OperationContext, "store" | "scope">;
type SetOptions = InputOf<"iot", "SetV2LoggingOptions">;

/** Every node reads anew what is logged. */
const refresh: Effect = { type: "refresh", service: loggingServiceName };

const invalid = (message: string) => new ThinglineError("REQUEST_INVALID", message);

/** @throws {ThinglineError} LOGGING_NOT_CONFIGURED */
async function requireOptions({ store, scope }: Context): Promise<StoreEntry<LoggingOptionsRecord>> {
  const entry = await store.get<LoggingOptionsRecord>(loggingKeys.options(scope));
  if (entry !== undefined) return entry;
  const message = "Logging is not configured: SetV2LoggingOptions comes before";
  throw new ThinglineError("LOGGING_NOT_CONFIGURED", message);
}

/** What is not given stays as it is. */
const decideOptions: Operation<SetOptions, object> = async ({ store, scope }, input) => {
  const key = loggingKeys.options(scope);
  const before = await store.get<LoggingOptionsRecord>(key);
  const roleArn = input.roleArn ?? before?.value.roleArn;
  if (roleArn === undefined) throw invalid("roleArn must be given: logging has no role yet");
  requireRole(roleArn);
  const { eventConfigurations: given } = input;
  const value: LoggingOptionsRecord = {
    roleArn,
    defaultLogLevel: input.defaultLogLevel ?? before?.value.defaultLogLevel ?? "DISABLED",
    disableAllLogs: input.disableAllLogs ?? before?.value.disableAllLogs ?? false,
    eventConfigurations: given === undefined ? (before?.value.eventConfigurations ?? []) : readEvents(given),
  };
  return { result: {}, operations: [{ key, expectedRevision: before?.revision ?? 0, value }], effects: [refresh] };
};

const decideFirstOptions: Operation<InputOf<"iot", "SetLoggingOptions">, object> = async ({ scope }, input) => {
  const { roleArn, logLevel = "DISABLED" } = input.loggingOptionsPayload;
  requireRole(roleArn);
  const value: FirstLoggingOptionsRecord = { roleArn, logLevel };
  return { result: {}, operations: [{ key: loggingKeys.first(scope), value }], effects: [refresh] };
};

const decideLevel: Operation<InputOf<"iot", "SetV2LoggingLevel">, object> = async (context, input) => {
  const { store, scope } = context;
  const { logTarget, logLevel } = input;
  const options = await requireOptions(context);
  const operations: StoreOperation[] = [];
  if (logTarget.targetType === "DEFAULT") {
    if (logTarget.targetName !== undefined) throw invalid("The target DEFAULT has no targetName");
    const value: LoggingOptionsRecord = { ...options.value, defaultLogLevel: logLevel };
    operations.push({ key: options.key, expectedRevision: options.revision, value });
    return { result: {}, operations, effects: [refresh] };
  }
  const key = loggingKeys.level(scope, logTarget.targetType, requireTargetName(logTarget.targetName));
  const before = await store.get<LogLevelRecord>(key);
  if (before === undefined) operations.push(await requireRoom(context));
  const value: LogLevelRecord = { logLevel };
  operations.push({ key, expectedRevision: before?.revision ?? 0, value });
  return { result: {}, operations, effects: [refresh] };
};

/** What has no level is no fault. */
const decideNoLevel: Operation<InputOf<"iot", "DeleteV2LoggingLevel">, object> = async (context, input) => {
  const { scope } = context;
  if (input.targetType === "DEFAULT") {
    throw invalid("The level of the target DEFAULT is changed by SetV2LoggingOptions, and not deleted");
  }
  const key = loggingKeys.level(scope, input.targetType, requireTargetName(input.targetName));
  const operations: StoreOperation[] = [{ key, delete: true }];
  return { result: {}, operations, effects: [refresh] };
};

/** All that decides what is logged, for the log itself. */
export const readConfiguration: Operation<void, LoggingConfiguration> = async (context) => {
  const { store, scope } = context;
  const options = (await store.get<LoggingOptionsRecord>(loggingKeys.options(scope)))?.value;
  const first = (await store.get<FirstLoggingOptionsRecord>(loggingKeys.first(scope)))?.value;
  const levels: LoggingConfiguration["levels"][number][] = [];
  for (const type of targetTypes) {
    for await (const { key, value } of iterate<LogLevelRecord>(store, loggingKeys.levelsOf(scope, type))) {
      levels.push({ type, name: lastName(key), logLevel: value.logLevel });
    }
  }
  return answer({ options, first, levels });
};

/** @param applied makes the log go by what was just changed; the change is answered after that */
export function createLogging({ applied }: { applied: (scope: Scope) => Promise<void> }) {
  return {
    setV2LoggingOptions: awsSaga(
      loggingServiceName,
      ["iot", "SetV2LoggingOptions"],
      [
        ...(["roleArn", "defaultLogLevel", "disableAllLogs", "eventConfigurations.eventType"] as const),
        ...(["eventConfigurations.logLevel", "eventConfigurations.logDestination"] as const),
      ],
      async ({ run, scope }, input) => {
        await run(decideOptions, input);
        await applied(scope);
        return {};
      },
    ),

    getV2LoggingOptions: awsOperation(
      "iot",
      "GetV2LoggingOptions",
      ["verbose"],
      async (context, { verbose = false }) => {
        const { eventConfigurations, ...options } = (await requireOptions(context)).value;
        const told = verbose ? everyEvent(eventConfigurations, options.defaultLogLevel) : eventConfigurations;
        return answer({ ...options, eventConfigurations: told });
      },
    ),

    setV2LoggingLevel: awsSaga(
      loggingServiceName,
      ["iot", "SetV2LoggingLevel"],
      ["logTarget.targetType", "logTarget.targetName", "logLevel"],
      async ({ run, scope }, input) => {
        await run(decideLevel, input);
        await applied(scope);
        return {};
      },
    ),

    deleteV2LoggingLevel: awsSaga(
      loggingServiceName,
      ["iot", "DeleteV2LoggingLevel"],
      ["targetType", "targetName"],
      async ({ run, scope }, input) => {
        await run(decideNoLevel, input);
        await applied(scope);
        return {};
      },
    ),

    listV2LoggingLevels: awsOperation(
      "iot",
      "ListV2LoggingLevels",
      ["targetType", "nextToken", "maxResults"],
      async (context, { targetType, nextToken: token, maxResults: size }) => {
        const { scope, store } = context;
        await requireOptions(context);
        // The default level is not listed: GetV2LoggingOptions tells it, and there is nothing below its name.
        const prefix = targetType === undefined ? loggingKeys.levels(scope) : loggingKeys.levelsOf(scope, targetType);
        const { entries, nextToken } = await readPage<LogLevelRecord>(store, { prefix, token, size });
        const logTargetConfigurations = entries.map(({ key, value }) => ({
          logTarget: { targetType: key[3] as TargetType, targetName: lastName(key) },
          logLevel: value.logLevel,
        }));
        return answer({ logTargetConfigurations, ...(nextToken !== undefined && { nextToken }) });
      },
    ),

    setLoggingOptions: awsSaga(
      loggingServiceName,
      ["iot", "SetLoggingOptions"],
      ["loggingOptionsPayload.roleArn", "loggingOptionsPayload.logLevel"],
      async ({ run, scope }, input) => {
        await run(decideFirstOptions, input);
        await applied(scope);
        return {};
      },
    ),

    getLoggingOptions: awsOperation("iot", "GetLoggingOptions", [], async ({ store, scope }) => {
      const first = (await store.get<FirstLoggingOptionsRecord>(loggingKeys.first(scope)))?.value;
      return answer(first ?? { logLevel: "DISABLED" as const });
    }),
  };
}

/** @throws {ThinglineError} QUOTA_EXCEEDED */
async function requireRoom({ store, scope }: Context): Promise<StoreOperation> {
  const key = loggingKeys.guard(scope);
  const expectedRevision = (await store.get(key))?.revision ?? 0;
  const levels = await store.list(loggingKeys.levels(scope), { limit: logLevelsMax });
  if (levels.length < logLevelsMax) return { key, expectedRevision, value: null };
  const message = `There are levels for ${logLevelsMax} resources already`;
  throw new ThinglineError("QUOTA_EXCEEDED", message, { details: { logLevelsMax } });
}

/** With the level that each type of event has now. */
function everyEvent(
  own: readonly EventLevel[],
  defaultLogLevel: LoggingOptionsRecord["defaultLogLevel"],
): EventLevel[] {
  const others = eventTypes.filter((eventType) => !own.some((each) => each.eventType === eventType));
  return [...own, ...others.map((eventType) => ({ eventType, logLevel: defaultLogLevel }))];
}

function readEvents(given: NonNullable<SetOptions["eventConfigurations"]>): EventLevel[] {
  if (given.length > eventConfigurationsMax) {
    throw invalid(`At most ${eventConfigurationsMax} types of events have a level of their own, got ${given.length}`);
  }
  const events: EventLevel[] = [];
  for (const { eventType, logLevel, logDestination } of given) {
    if (events.some((each) => each.eventType === eventType))
      throw invalid(`The event type '${eventType}' is given twice`);
    events.push({
      eventType,
      ...(logLevel !== undefined && { logLevel }),
      ...(logDestination !== undefined && { logDestination }),
    });
  }
  return events;
}

/** As CloudFormation has it for AWS::IoT::ResourceSpecificLogging: AWS's own model says nothing. */
function requireTargetName(name: string | undefined): string {
  if (name !== undefined && /^[a-zA-Z0-9.:\s_-]{1,128}$/.test(name)) return name;
  throw invalid("targetName must be 1 to 128 letters, digits, white space or .:_-");
}

function requireRole(arn: string): void {
  if (/^arn:aws[a-z-]*:iam::\d{12}:role\/\S{1,512}$/.test(arn)) return;
  throw invalid("roleArn must be the ARN of a role, such as arn:aws:iam::123456789012:role/logging");
}
