import { setTimeout as sleep } from "node:timers/promises";
import { createNodeFiles } from "@thingline/transport/node";
import type {
  CommandExecutionSummary,
  CommandParameter,
  CommandParameterType,
  CommandParameterValue,
  GetCommandExecutionResponse,
} from "@aws-sdk/client-iot";
import { iotJobsDataSdk, iotSdk } from "../aws-sdk.js";
import type { CommandContext } from "../command.js";
import { openControlPlane, type ControlPlane } from "../control-plane.js";
import { exitCodes, UsageError } from "../failure.js";
import { commandLine } from "../invocation.js";
import type { Output } from "../output.js";
import { placeWords } from "./members.js";

interface PlaceOptions {
  dataDir: string;
  aws?: boolean;
}

interface TargetOptions extends PlaceOptions {
  thing?: string;
  client?: string;
}

interface CreateOptions extends PlaceOptions {
  from?: string;
  template?: boolean;
  parameter?: string[];
  cbor?: boolean;
  contentType?: string;
  displayName?: string;
  description?: string;
}

interface StartOptions extends TargetOptions {
  parameter?: string[];
  timeout?: number;
  detach?: boolean;
}

interface StatusOptions extends TargetOptions {
  command?: string;
  watch?: boolean;
}

/** AWS takes half of it. */
const payloadBytesMax = 64 * 1024;
/** Executions that are shown of a device or a command. */
const shownMax = 20;
const pollIntervalMs = 500;
/** The cloud's own timeout is no end, but a device seldom says more after it. */
const lateAnswersMs = 2_000;

async function open({ signal }: CommandContext, { aws, dataDir }: PlaceOptions) {
  const plane = await openControlPlane({ aws: aws === true, dataDir, signal });
  return { plane, client: plane.client, sdk: iotSdk(), send: { abortSignal: signal } };
}

/** `thingline command create ID PAYLOAD` */
export async function commandCreate(
  context: CommandContext,
  options: CreateOptions,
  commandId = "",
  text?: string,
): Promise<void> {
  const { output } = context;
  if ((text === undefined) === (options.from === undefined)) {
    throw new UsageError("a payload is needed: as text, or as a file with --from");
  }
  const bytes =
    text === undefined
      ? await createNodeFiles().read(options.from ?? "", { bytesMax: payloadBytesMax })
      : new TextEncoder().encode(text);
  const { plane, client, sdk, send } = await open(context, options);
  const content = options.template === true ? templateOf(bytes, options) : payloadOf(bytes, options);
  const { displayName, description } = options;
  const { commandArn } = await client.send(
    new sdk.CreateCommandCommand({ commandId, namespace: "AWS-IoT", ...content, displayName, description }),
    send,
  );
  output.event(
    { event: "commandCreated", commandId, commandArn },
    [
      `${output.paint.green("created")} command ${commandId} in the ${plane.description}`,
      "",
      "Next, start it on a device:",
      `  ${commandLine(["command", "start", commandId, "--thing", "NAME", ...placeWords(options)])}`,
    ].join("\n"),
  );
}

function payloadOf(bytes: Uint8Array, { contentType, parameter, cbor }: CreateOptions) {
  if (parameter !== undefined || cbor === true) throw new UsageError("--parameter and --cbor need --template");
  return { payload: { content: bytes, contentType: contentType ?? (isJson(bytes) ? "application/json" : undefined) } };
}

function isJson(bytes: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return true;
  } catch {
    return false;
  }
}

/** `{name}` is shorter to type than AWS's placeholder, which is taken as well. */
function templateOf(bytes: Uint8Array, { parameter = [], cbor, contentType }: CreateOptions) {
  if (contentType !== undefined) throw new UsageError("a template makes JSON, or CBOR with --cbor: no --content-type");
  const mandatoryParameters = parameter.map(readParameter);
  let payloadTemplate = new TextDecoder().decode(bytes);
  for (const { name = "" } of mandatoryParameters) {
    payloadTemplate = payloadTemplate.replaceAll(`{${name}}`, (found, at: number) =>
      payloadTemplate[at - 1] === "$" ? found : `\${aws:iot:commandexecution::parameter:${name}}`,
    );
  }
  const outputFormat = cbor === true ? ("CBOR" as const) : ("JSON" as const);
  return {
    payloadTemplate,
    preprocessor: { awsJsonSubstitution: { outputFormat } },
    ...(mandatoryParameters.length > 0 && { mandatoryParameters }),
  };
}

const types = ["STRING", "INTEGER", "DOUBLE", "LONG", "UNSIGNEDLONG", "BOOLEAN", "BINARY"] as const;

function readParameter(text: string): CommandParameter {
  const [, name = "", type = "STRING", value] = /^([.$\w-]+)(?::(\w+))?(?:=([^]*))?$/u.exec(text) ?? [];
  const known = types.find((one) => one === type.toUpperCase());
  if (name === "" || known === undefined) {
    throw new UsageError(
      `--parameter ${text}: expected NAME, NAME:TYPE or NAME:TYPE=DEFAULT, with a type of ${types.join(", ")}`,
    );
  }
  return { name, type: known, ...(value !== undefined && { defaultValue: readValue(value, known, name) }) };
}

function readValue(text: string, type: CommandParameterType | undefined, name: string): CommandParameterValue {
  const number = (): number => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (!Number.isFinite(value)) throw new UsageError(`the value of ${name} is a number, got "${text}"`);
    return value;
  };
  switch (type) {
    case "INTEGER":
      return { I: number() };
    case "LONG":
      return { L: number() };
    case "DOUBLE":
      return { D: number() };
    case "UNSIGNEDLONG":
      return { UL: text };
    case "BOOLEAN":
      if (text === "true" || text === "false") return { B: text === "true" };
      throw new UsageError(`the value of ${name} is true or false, got "${text}"`);
    case "BINARY":
      return { BIN: Buffer.from(text, "base64") };
    default:
      return { S: text };
  }
}

/** `thingline command list` */
export async function commandList(context: CommandContext, options: PlaceOptions): Promise<void> {
  const { output } = context;
  const { plane, client, sdk, send } = await open(context, options);
  let count = 0;
  for await (const { commands = [] } of sdk.paginateListCommands({ client, pageSize: 100 }, {}, send)) {
    for (const { commandId = "", displayName, deprecated, createdAt } of commands) {
      count++;
      const note = deprecated === true ? output.paint.dim("  deprecated") : "";
      output.event(
        {
          event: "commandListed",
          commandId,
          displayName: displayName ?? null,
          deprecated: deprecated ?? false,
          createdAt,
        },
        `${commandId.padEnd(24)}  ${displayName ?? ""}${note}`.trimEnd(),
      );
    }
  }
  if (count === 0) output.say(`no commands in the ${plane.description}`);
}

/** `thingline command delete ID` */
export async function commandDelete(context: CommandContext, options: PlaceOptions, commandId = ""): Promise<void> {
  const { output } = context;
  const { plane, client, sdk, send } = await open(context, options);
  await client.send(new sdk.GetCommandCommand({ commandId }), send);
  const { statusCode } = await client.send(new sdk.DeleteCommandCommand({ commandId }), send);
  const isPending = statusCode === 202;
  output.event(
    { event: "commandDeleted", commandId, isPending },
    `${output.paint.green("deleted")} command ${commandId} from the ${plane.description}` +
      (isPending ? ": it cannot be started any more, and is gone in 12 hours" : ""),
  );
}

/** `thingline command start ID` @returns 0 when it was detached, or has succeeded */
export async function commandStart(context: CommandContext, options: StartOptions, commandId = ""): Promise<number> {
  const { output } = context;
  const { plane, client, sdk, send } = await open(context, options);
  const command = await client.send(new sdk.GetCommandCommand({ commandId }), send);
  const targetArn = targetOf(command.commandArn ?? "", options);
  const data = iotJobsDataSdk();
  const jobs = new data.IoTJobsDataPlaneClient({
    ...{ endpoint: plane.dataEndpoint, region: plane.region, credentials: plane.client.config.credentials },
  });
  const parameters = valuesOf(options.parameter ?? [], command.mandatoryParameters ?? []);
  const { executionId = "" } = await jobs.send(
    new data.StartCommandExecutionCommand({
      ...{ commandArn: command.commandArn, targetArn, executionTimeoutSeconds: options.timeout },
      ...(parameters !== undefined && { parameters }),
    }),
    send,
  );
  output.event(
    { event: "commandStarted", commandId, executionId, targetArn },
    `${output.paint.green("started")} ${commandId} as ${executionId}`,
  );
  if (options.detach === true) return exitCodes.done;
  return watch(context, client, { executionId, targetArn });
}

function valuesOf(given: readonly string[], parameters: readonly CommandParameter[]) {
  if (given.length === 0) return undefined;
  return Object.fromEntries(
    given.map((text) => {
      const [, name, value] = /^([^=]+)=([^]*)$/u.exec(text) ?? [];
      if (name === undefined || value === undefined) throw new UsageError(`--parameter ${text}: expected NAME=VALUE`);
      const type = parameters.find((one) => one.name === name)?.type;
      return [name, readValue(value, type, name)];
    }),
  );
}

/** In the account and region of the command. */
function targetOf(commandArn: string, { thing, client }: TargetOptions): string {
  if (thing === undefined && client === undefined)
    throw new UsageError("say whom it is for: --thing NAME or --client ID");
  const place = commandArn.split(":").slice(0, 5).join(":");
  return thing === undefined ? `${place}:client/${client}` : `${place}:thing/${thing}`;
}

/** `thingline command status [EXECUTION]` @returns 1 for a watched execution that did not succeed */
export async function commandStatus(
  context: CommandContext,
  options: StatusOptions,
  executionId?: string,
): Promise<number> {
  const { output } = context;
  const { plane, client, sdk, send } = await open(context, options);
  const place = await placeOf(plane, context);
  if (executionId !== undefined) {
    const targetArn = targetOf(`${place}:`, options);
    if (options.watch === true) return watch(context, client, { executionId, targetArn });
    tell(
      output,
      await client.send(new sdk.GetCommandExecutionCommand({ executionId, targetArn, includeResult: true }), send),
    );
    return exitCodes.done;
  }
  const commandArn = options.command === undefined ? undefined : `${place}:command/${options.command}`;
  const targetArn = commandArn === undefined ? targetOf(`${place}:`, options) : undefined;
  const input = { commandArn, targetArn, maxResults: shownMax };
  const { commandExecutions = [] } = await client.send(new sdk.ListCommandExecutionsCommand(input), send);
  for (const execution of commandExecutions) tell(output, execution);
  if (commandExecutions.length === 0) output.say("no executions");
  return exitCodes.done;
}

/** `arn:aws:iot:REGION:ACCOUNT` */
async function placeOf({ account, region, client }: ControlPlane, { signal }: CommandContext): Promise<string> {
  if (account !== undefined) return `arn:aws:iot:${region}:${account}`;
  // AWS says which account it is by the ARN of whatever there is.
  const { ListCommandsCommand } = iotSdk();
  const { commands = [] } = await client.send(new ListCommandsCommand({ maxResults: 1 }), { abortSignal: signal });
  const arn = commands[0]?.commandArn;
  if (arn === undefined) throw new UsageError("the account has no commands, and so no executions");
  return arn.split(":").slice(0, 5).join(":");
}

/** Until it has ended; the cloud's own timeout counts when nothing more is heard for a while. */
async function watch(
  { output, signal }: CommandContext,
  client: ControlPlane["client"],
  { executionId, targetArn }: { executionId: string; targetArn: string },
): Promise<number> {
  const { GetCommandExecutionCommand } = iotSdk();
  const line = output.status();
  let told = "";
  let timedOutAtMs: number | undefined;
  try {
    for (;;) {
      const input = { executionId, targetArn, includeResult: true };
      const execution = await client.send(new GetCommandExecutionCommand(input), { abortSignal: signal });
      const { status = "", statusReason, completedAt } = execution;
      const state = `${status} ${statusReason?.reasonCode ?? ""}`;
      const isOver = completedAt !== undefined || ["SUCCEEDED", "FAILED", "REJECTED"].includes(status);
      if (state !== told) {
        line.end();
        tell(output, execution);
        told = state;
      }
      timedOutAtMs = status === "TIMED_OUT" ? (timedOutAtMs ?? Date.now()) : undefined;
      if (isOver || (timedOutAtMs !== undefined && Date.now() - timedOutAtMs >= lateAnswersMs)) {
        return status === "SUCCEEDED" ? exitCodes.done : exitCodes.failed;
      }
      line.show(`${status.toLowerCase().replace("_", " ")} ...`, true);
      await sleep(pollIntervalMs, undefined, { signal });
    }
  } finally {
    line.end();
  }
}

function tell(output: Output, execution: GetCommandExecutionResponse & CommandExecutionSummary): void {
  const { executionId = "", commandArn = "", targetArn = "", status = "", statusReason, result, createdAt } = execution;
  const why = [statusReason?.reasonCode, statusReason?.reasonDescription].filter((one) => one !== undefined).join(": ");
  const results = Object.entries(result ?? {}).map(([name, { S, B, BIN }]) => {
    const value = S ?? B ?? (BIN === undefined ? null : Buffer.from(BIN).toString("base64"));
    return [name, value] as const;
  });
  const commandId = commandArn.split("/").at(-1) ?? "";
  const target = targetArn.split(":").at(-1) ?? "";
  const lines = [
    `${executionId}  ${commandId}  ${target}  ${status}${why === "" ? "" : `  ${why}`}`,
    ...results.map(([name, value]) => `  ${name}: ${String(value)}`),
  ];
  output.event(
    {
      ...{ event: "commandExecution", executionId, commandId, target, status },
      ...{ reasonCode: statusReason?.reasonCode ?? null, reasonDescription: statusReason?.reasonDescription ?? null },
      ...{ result: results.length === 0 ? null : Object.fromEntries(results), createdAt },
    },
    lines.join("\n"),
  );
}
