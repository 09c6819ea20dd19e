import { ThinglineError } from "@thingline/protocol";
import {
  commandTimeoutSecondsDefault,
  commandTimeoutSecondsMax,
  commandTopic,
  type CommandTarget,
} from "@thingline/protocol/commands";
import { encodeBase64 } from "@thingline/protocol/x509";
import { awsOperation, type InputOf } from "../aws-operation.js";
import { answer, type Effect, type OperationContext } from "../operation.js";
import { findThing } from "../registry/index.js";
import { executionEvent, executionWrites } from "./changes.js";
import { requireCommand } from "./commands.js";
import {
  commandKeys,
  commandsServiceName,
  invalid,
  parseCommandArn,
  parseTargetArn,
  timeoutAtMs,
  type CommandRecord,
  type ExecutionRecord,
} from "./model.js";
import { resolveParameters, type ResolvedParameters } from "./parameters.js";
import { fillTemplate } from "./template.js";

/** @see AWS General Reference, "AWS IoT Device Management commands quotas": executions of one device that are under way */
export const openExecutionsMax = 100;

type Input = InputOf<"iot-jobs-data", "StartCommandExecution">;
/** What was asked for, apart from the token. */
type Asked = Pick<ExecutionRecord, "commandId" | "target" | "request">;

/** Starts one after another: those of one device are counted, and one token starts one execution. */
export function createStartOperation({ isLimited }: { isLimited: boolean }) {
  const start = awsOperation(
    "iot-jobs-data",
    "StartCommandExecution",
    [...(["targetArn", "commandArn", "executionTimeoutSeconds", "clientToken"] as const), "parameters"],
    async (context, input) => {
      const { scope, nowMs, random } = context;
      const asked = readRequest(context, input);
      const { commandId, target } = asked;
      const earlier = await startedBefore(context, input.clientToken, asked);
      if (earlier !== undefined) return answer({ executionId: earlier });
      const { value: command } = await requireCommand(context, commandId);
      requireAvailable(command);
      await requireTarget(context, target);
      if (isLimited) await requireRoom(context, target);
      const resolved = resolveParameters(command.mandatoryParameters ?? [], input.parameters ?? {});
      const execution: ExecutionRecord = {
        ...asked,
        ...{ executionId: random.uuid(), status: "CREATED", by: "cloud" },
        ...{ createdAtMs: nowMs, lastUpdatedAtMs: nowMs },
        ...(resolved.values.length > 0 && { parameters: resolved.values }),
        ...(input.clientToken !== undefined && { clientToken: input.clientToken }),
      };
      const { executionId, clientToken } = execution;
      return {
        result: { executionId },
        operations: [
          ...executionWrites(scope, execution, 0),
          ...(clientToken === undefined
            ? []
            : [{ key: commandKeys.token(scope, clientToken), expectedRevision: 0, value: executionId }]),
        ],
        effects: [
          requestOf(command, execution, resolved),
          executionEvent(scope, execution),
          {
            ...{ type: "wakeAt", service: commandsServiceName, name: `execution/${executionId}` },
            atUnixMs: timeoutAtMs(execution),
          },
        ],
      };
    },
  );
  return Object.assign(start, { lane: () => "commands" });
}

/** @throws {ThinglineError} REQUEST_INVALID */
function readRequest({ scope }: OperationContext, input: Input): Asked {
  const { parameters = {}, executionTimeoutSeconds: timeoutSeconds = commandTimeoutSecondsDefault } = input;
  if (timeoutSeconds > commandTimeoutSecondsMax) {
    throw invalid(
      `Value '${timeoutSeconds}' at 'executionTimeoutSeconds' failed to satisfy constraint: Member must have value less than or equal to ${commandTimeoutSecondsMax}`,
    );
  }
  return {
    commandId: parseCommandArn(scope, input.commandArn),
    target: parseTargetArn(scope, input.targetArn),
    request: { timeoutSeconds, parameters: comparable(parameters) },
  };
}

/** One text for equal parameters, in whatever order they came. */
const comparable = (parameters: NonNullable<Input["parameters"]>): string =>
  JSON.stringify(
    Object.entries(parameters).sort(([left], [right]) => (left < right ? -1 : 1)),
    (_name, value: unknown) => (value instanceof Uint8Array ? encodeBase64(value) : value),
  );

/**
 * The execution that the token has started.
 *
 * @throws {ThinglineError} RESOURCE_CONFLICT when it was for another request
 */
async function startedBefore(
  { store, scope }: OperationContext,
  clientToken: string | undefined,
  { commandId, target, request }: Asked,
): Promise<string | undefined> {
  if (clientToken === undefined) return undefined;
  const executionId = (await store.get<string>(commandKeys.token(scope, clientToken)))?.value;
  if (executionId === undefined) return undefined;
  const execution = (await store.get<ExecutionRecord>(commandKeys.execution(scope, executionId)))?.value;
  const isSame =
    execution?.commandId === commandId &&
    execution.target.kind === target.kind &&
    execution.target.id === target.id &&
    execution.request.timeoutSeconds === request.timeoutSeconds &&
    execution.request.parameters === request.parameters;
  if (isSame) return executionId;
  throw new ThinglineError("RESOURCE_CONFLICT", "The clientToken was used before, with another request");
}

function requireAvailable({ commandId, deprecatedAtMs, deletedAtMs }: CommandRecord): void {
  if (deletedAtMs !== undefined) throw invalid(`Command ${commandId} is pending deletion, and cannot be executed`);
  if (deprecatedAtMs !== undefined) throw invalid(`Command ${commandId} is deprecated, and cannot be executed`);
}

/** Who has a client id is known when it connects. @throws {ThinglineError} RESOURCE_NOT_FOUND */
async function requireTarget(context: OperationContext, { kind, id }: CommandTarget): Promise<void> {
  if (kind === "clients" || (await context.call(findThing, { thingName: id })) !== undefined) return;
  throw new ThinglineError("RESOURCE_NOT_FOUND", `Thing ${id} not found.`);
}

/** @throws {ThinglineError} QUOTA_EXCEEDED */
async function requireRoom({ store, scope }: OperationContext, target: CommandTarget): Promise<void> {
  const open = await store.list(commandKeys.open(scope, target), { limit: openExecutionsMax });
  if (open.length < openExecutionsMax) return;
  const message = `${target.id} has ${openExecutionsMax} command executions under way already`;
  throw new ThinglineError("QUOTA_EXCEEDED", message, { details: { openExecutionsMax } });
}

/**
 * The message to the device: the payload and nothing else. It expires a second before the execution does, as the live service has it: what
 * is left of 10 seconds is shown as 9. So a device that comes back is given nothing that is over.
 */
function requestOf(
  { payload, payloadTemplate, outputFormat = "JSON" }: CommandRecord,
  { executionId, target, request: { timeoutSeconds } }: ExecutionRecord,
  { plain }: ResolvedParameters,
): Effect {
  const filled =
    payloadTemplate === undefined
      ? undefined
      : fillTemplate(payloadTemplate, { parameters: plain, timeoutSeconds }, outputFormat);
  const contentType = payload?.contentType ?? (outputFormat === "CBOR" ? "application/cbor" : "application/json");
  const format = contentType === "application/json" ? "json" : contentType === "application/cbor" ? "cbor" : undefined;
  return {
    type: "publish",
    topic: commandTopic({ target, executionId, type: "request", format }),
    payload: filled ?? payload?.content ?? new Uint8Array(),
    qos: 1,
    properties: { contentType, messageExpirySeconds: Math.max(1, timeoutSeconds - 1) },
  };
}
