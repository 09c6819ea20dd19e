import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { findRunningCloud, startCloud, type RunningCloud } from "@thingline/cloud/node";
import { ThinglineError } from "@thingline/protocol";
import { createNodeFiles } from "@thingline/transport/node";
import { UsageError } from "../failure.js";
import { createLog, type LogLevel } from "../log.js";
import type { Output } from "../output.js";
import { untilStopped } from "../signals.js";

interface StartOptions {
  dataDir: string;
  memory?: boolean;
  host?: string;
  mqttsPort: number;
  httpsPort: number;
  apiPort: number;
  mqttPort?: number;
  account: string;
  region: string;
  name?: string[];
  /** commander: `--no-limits` makes it false. */
  limits: boolean;
  sigv4: boolean;
  durability: "process" | "disk";
  logLevel: LogLevel;
}

/** `thingline cloud start` */
export async function cloudStart(output: Output, options: StartOptions): Promise<void> {
  if (!/^\d{12}$/.test(options.account)) throw new UsageError(`--account is 12 digits, got "${options.account}"`);
  if (!/^[a-z]{2}(-[a-z]+)+-\d$/.test(options.region)) {
    throw new UsageError(`--region is a name like us-east-1, got "${options.region}"`);
  }
  const log = await createLog(output, options.logLevel);
  const cloud = await startCloud({
    ...(options.memory === true ? { memory: true } : { dataDir: resolve(options.dataDir) }),
    ...(options.host === undefined ? {} : { host: options.host }),
    mqttsPort: options.mqttsPort,
    httpsPort: options.httpsPort,
    apiPort: options.apiPort,
    ...(options.mqttPort === undefined ? {} : { mqttPort: options.mqttPort }),
    account: options.account,
    region: options.region,
    serverNames: options.name ?? [],
    limits: options.limits ? "aws" : "none",
    sigv4: options.sigv4 ? "verify" : "any",
    durability: options.durability,
    log,
  });
  const { mqtts, https, api, mqtt } = cloud.addresses;
  const { paint } = output;
  output.event(
    { event: "ready", mqtts, https, api, mqtt: mqtt ?? null, ca: cloud.caFile },
    [
      `${paint.green("ready")}  local AWS IoT Core, account ${options.account}, region ${options.region}`,
      `  MQTT over mutual TLS     ${paint.bold(mqtts)}`,
      `  TLS: ALPN or WebSocket   ${https}`,
      `  AWS SDKs and AWS CLI     ${api}   (access key test, secret key test)`,
      ...(mqtt === undefined ? [] : [`  plain MQTT, allow-all    ${mqtt}`]),
      `  CA to trust              ${cloud.caFile}`,
      options.memory === true
        ? "  state                    in memory: gone when this stops"
        : `  state                    ${resolve(options.dataDir)}`,
      "",
      options.memory === true
        ? "Stop with Ctrl-C."
        : `Next: thingline thing create my-thing --data-dir ${options.dataDir}      Stop with Ctrl-C.`,
    ].join("\n"),
  );
  const signal = await untilStopped();
  output.say(`${signal}: closing`);
  await cloud.close();
  output.event({ event: "stopped" });
}

/** Large stores take their time. */
const adminTimeoutMs = 300_000;

async function admin(
  dataDir: string,
  request: { method: "GET" | "POST"; path: string; body?: Uint8Array<ArrayBuffer> },
): Promise<{ running: RunningCloud; body: Uint8Array }> {
  const running = await findRunningCloud(dataDir);
  const { method, path, body } = request;
  const response = await fetch(`${running.api}/_thingline/${path}`, {
    ...{ method, ...(body === undefined ? {} : { body, headers: { "content-type": "application/json" } }) },
    signal: AbortSignal.timeout(adminTimeoutMs),
  }).catch((cause: unknown) => {
    throw new ThinglineError("CONNECTION_LOST", `the cloud at ${running.api} did not answer`, { cause });
  });
  const answer = new Uint8Array(await response.arrayBuffer());
  if (!response.ok) {
    const text = new TextDecoder().decode(answer.subarray(0, 500));
    throw new ThinglineError("CLOUD_REQUEST_REFUSED", `the cloud answered ${response.status}: ${text}`, {
      details: { status: response.status, path },
    });
  }
  return { running, body: answer };
}

/** `thingline cloud reset` */
export async function cloudReset(output: Output, options: { dataDir: string; yes?: boolean }): Promise<void> {
  if (options.yes !== true) {
    throw new UsageError("cloud reset deletes all things, certificates and sessions of the running cloud: say --yes");
  }
  const { running } = await admin(options.dataDir, { method: "POST", path: "reset" });
  output.event({ event: "reset", api: running.api }, `reset ${running.api}: empty`);
}

/** `thingline cloud snapshot FILE`. The file holds private keys: mode 0600, never half written. */
export async function cloudSnapshot(output: Output, options: { dataDir: string }, file = ""): Promise<void> {
  const { body } = await admin(options.dataDir, { method: "GET", path: "snapshot" });
  await createNodeFiles().replace(resolve(file), body);
  output.event({ event: "snapshot", file: resolve(file), bytes: body.length }, `wrote ${file} (${body.length} bytes)`);
}

/** `thingline cloud restore FILE` */
export async function cloudRestore(output: Output, options: { dataDir: string }, file = ""): Promise<void> {
  const body = await readFile(file).catch((cause: unknown) => {
    throw new ThinglineError("FILE_NOT_FOUND", `cannot read ${file}`, { details: { file }, cause });
  });
  await admin(options.dataDir, { method: "POST", path: "restore", body });
  output.event({ event: "restored", file: resolve(file) }, `restored ${file}`);
}
