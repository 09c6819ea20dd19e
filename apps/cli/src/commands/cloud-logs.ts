import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { iotLogFolder } from "@thingline/cloud/node";
import { iotSdk } from "../aws-sdk.js";
import type { CommandContext } from "../command.js";
import { openControlPlane } from "../control-plane.js";
import { commandLine } from "../invocation.js";
import { IotLogReader, type LoggedEntry as Entry } from "../iot-log-reader.js";
import type { Output } from "../output.js";

interface LogsOptions {
  dataDir: string;
  level?: string;
  lines: number;
  client?: string;
  follow?: boolean;
}

/** How often a file that is followed is looked at. */
const pollMs = 250;

/** `thingline cloud logs` */
export async function cloudLogs(context: CommandContext, options: LogsOptions): Promise<void> {
  const { output, signal } = context;
  if (options.level !== undefined) await setLevel(context, options, options.level);
  const folder = join(resolve(options.dataDir), iotLogFolder);
  const reader = new IotLogReader(folder);
  const isWanted = ({ clientId }: Entry) => options.client === undefined || clientId === options.client;
  let last: Entry[] = [];
  // The last ones are known when all were read; there are at most so many files.
  for await (const entry of reader.read()) {
    if (!isWanted(entry)) continue;
    last.push(entry);
    if (last.length > 2 * options.lines) last = last.slice(-options.lines);
  }
  for (const entry of options.lines === 0 ? [] : last.slice(-options.lines)) await tell(output, entry);
  if (options.follow !== true) return last.length === 0 ? sayNothing(output, options) : undefined;
  while (!signal.aborted) {
    for await (const entry of reader.read()) if (isWanted(entry)) await tell(output, entry);
    await sleep(pollMs, undefined, { signal }).catch(() => undefined);
  }
}

function sayNothing(output: Output, { level, client }: LogsOptions): void {
  const whose = client === undefined ? "" : ` of the client ${client}`;
  output.say(`nothing is logged${whose}`);
  if (level !== undefined) return;
  output.say(
    `Logging is off until it is switched on: ${commandLine(["cloud", "logs", "--level", "info", "--follow"])}`,
  );
}

/** For all devices. The role is nobody's: a local cloud writes by itself. */
async function setLevel({ output, signal }: CommandContext, { dataDir }: LogsOptions, level: string): Promise<void> {
  const plane = await openControlPlane({ aws: false, dataDir, signal });
  const { SetV2LoggingOptionsCommand } = iotSdk();
  const defaultLogLevel = level === "off" ? "DISABLED" : (level.toUpperCase() as "INFO");
  const roleArn = `arn:aws:iam::${plane.account ?? "123456789012"}:role/thingline-logging`;
  const command = new SetV2LoggingOptionsCommand({ roleArn, defaultLogLevel, disableAllLogs: false });
  await plane.client.send(command, { abortSignal: signal });
  output.event(
    { event: "logLevelSet", defaultLogLevel },
    `${output.paint.green("set")} what is logged of devices to ${level} in the ${plane.description}`,
  );
}

async function tell(output: Output, entry: Entry): Promise<void> {
  output.event({ event: "iotLog", ...entry }, describe(output, entry));
  await output.drained();
}

function describe({ paint }: Output, entry: Entry): string {
  const { timestamp, logLevel, traceId: _trace, accountId: _account, status, eventType, ...more } = entry;
  const {
    clientId,
    topicName,
    reason,
    details,
    protocol,
    principalId,
    sourceIp: _ip,
    sourcePort: _port,
    ...others
  } = more;
  const isFailure = status === "Failure";
  const word = `${String(eventType)}${isFailure ? " failed" : ""}`.padEnd(26);
  const facts = Object.entries(others).map(([name, value]) => `${name}=${String(value)}`);
  const who = clientId ?? (typeof principalId === "string" ? principalId.slice(0, 8) : protocol);
  const rest = [who, topicName, ...facts, reason, details].filter((part) => part !== undefined).map(String);
  const time = String(timestamp).slice(11);
  return `${paint.dim(time)} ${String(logLevel).padEnd(5)} ${isFailure ? paint.red(word) : word} ${rest.join("  ")}`;
}
