import { isIP } from "node:net";
import { resolve } from "node:path";
import { checkDataDir, snapshotBytesMax, startCloud, type StartedCloud } from "@thingline/cloud/node";
import type { AccessKey, Vending, VendingState } from "@thingline/cloud";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { createNodeFiles } from "@thingline/transport/node";
import { readAccessKeys } from "../access-keys.js";
import { openAwsHandler } from "../aws-handler.js";
import { administer, describeVending, readVending, switchVending } from "../administration.js";
import { nodeAdapters } from "../adapters.js";
import type { CommandContext } from "../command.js";
import { exitCodes, UsageError } from "../failure.js";
import { guardProcess } from "../guard.js";
import { commandLine, unlessDefault } from "../invocation.js";
import { createLog, type LogLevel } from "../log.js";
import { defaultDataDir } from "../option-values.js";
import type { Output } from "../output.js";

interface StartOptions {
  dataDir: string;
  memory?: boolean;
  host?: string;
  mqttsPort: number;
  httpsPort: number;
  apiPort: number;
  objectsPort?: number;
  credentialsPort?: number;
  mqttPort?: number;
  account: string;
  region: string;
  name?: string[];
  /** commander: `--no-limits` makes it false. */
  limits: boolean;
  sigv4: boolean;
  unsigned: boolean;
  accessKeys?: string;
  function?: Record<string, { url: string }>;
  /** Seconds. */
  rotationOverlap?: number;
  vending?: Vending;
  sessionOwner: "principal" | "clientId";
  serverCertificate?: Record<string, string>;
  durability: "process" | "disk";
  logLevel: LogLevel;
  verbose?: boolean;
}

/** Certificate, chain and key of each in one file. */
async function readServerCertificates(files: Readonly<Record<string, string>>) {
  const { files: access } = nodeAdapters();
  const pairs = Object.entries(files).map(async ([arn, path]) => {
    const text = new TextDecoder().decode(await access.read(path, { bytesMax: serverCertificateBytesMax }));
    const blocks = text.match(/-----BEGIN ([A-Z ]+)-----[^-]*-----END \1-----/g) ?? [];
    const isKey = (block: string) => block.includes("PRIVATE KEY");
    const certificate = blocks.filter((block) => !isKey(block)).join("\n");
    return [arn, { certificate, privateKey: blocks.find(isKey) ?? "" }] as const;
  });
  return Object.fromEntries(await Promise.all(pairs));
}

/** A chain of five, and a key. */
const serverCertificateBytesMax = 64 * 1024;

/** `thingline cloud start` */
export async function cloudStart({ output, signal }: CommandContext, options: StartOptions): Promise<void> {
  checkOptions(options);
  const accessKeys = await readAccessKeys(options.accessKeys);
  const log = await createLog(output, options.logLevel, { verbose: options.verbose === true });
  const starting = output.begin("starting the local AWS IoT Core");
  const place = { api: "" };
  const awsHandler = await openAwsHandler({
    ...{ vending: options.vending, functions: options.function, accessKeys, region: options.region, log },
    endpoint: () => place.api,
  });
  const cloud = await startCloud({
    ...(options.memory === true ? { memory: true } : { dataDir: resolve(options.dataDir) }),
    ...(options.host === undefined ? {} : { host: options.host }),
    mqttsPort: options.mqttsPort,
    httpsPort: options.httpsPort,
    apiPort: options.apiPort,
    ...(options.objectsPort === undefined ? {} : { objectsPort: options.objectsPort }),
    ...(options.credentialsPort === undefined ? {} : { credentialsPort: options.credentialsPort }),
    ...(options.mqttPort === undefined ? {} : { mqttPort: options.mqttPort }),
    account: options.account,
    region: options.region,
    serverNames: options.name ?? [],
    ...(options.serverCertificate === undefined
      ? {}
      : { serverCertificates: await readServerCertificates(options.serverCertificate) }),
    limits: options.limits ? "aws" : "none",
    sigv4: options.sigv4 ? "verify" : "any",
    unsignedRequests: options.unsigned ? "allowed" : "refused",
    ...(accessKeys === undefined ? {} : { accessKeys }),
    ...(options.rotationOverlap === undefined ? {} : { rotationOverlapMs: options.rotationOverlap * 1000 }),
    ...(Object.keys(awsHandler.functions).length === 0 ? {} : { functions: awsHandler.functions }),
    ...(options.vending === undefined ? {} : { vending: options.vending }),
    sessionOwner: options.sessionOwner,
    durability: options.durability,
    log,
  }).catch((error: unknown) => {
    throw inOptionsOfCommand(error, options);
  });
  place.api = cloud.addresses.api;
  starting.end();
  const { splitProvisioning } = cloud.cloud;
  const { vending } = await cloud.cloud.run(splitProvisioning.getVending, undefined);
  if (!signal.aborted) showReady(output, options, { cloud, keys: keysTold(accessKeys), vending });
  const endGuard = options.memory === true ? undefined : guardProcess(output, resolve(options.dataDir));
  const stopped = await untilAborted(signal);
  output.say(stopped);
  awsHandler.close();
  await cloud.close();
  endGuard?.();
  output.event({ event: "stopped" });
}

function checkOptions(options: StartOptions): void {
  if (!/^\d{12}$/.test(options.account)) throw new UsageError(`--account is 12 digits, got "${options.account}"`);
  if (!/^[a-z]{2}(-[a-z]+)+-\d$/.test(options.region)) {
    throw new UsageError(`--region is a name like us-east-1, got "${options.region}"`);
  }
  for (const name of options.name ?? []) {
    const isHostName =
      name.length <= 253 && /^(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/i.test(name);
    if (!isHostName && isIP(name) === 0) throw new UsageError(`--name is a host name or an address, got "${name}"`);
  }
  const { mqttsPort, httpsPort, apiPort, objectsPort = 0, credentialsPort = 0, mqttPort = 0 } = options;
  const all = [mqttsPort, httpsPort, apiPort, objectsPort, credentialsPort, mqttPort];
  const ports = all.filter((port) => port !== 0);
  if (new Set(ports).size < ports.length) throw new UsageError("two of the ports are the same");
}

/** The library names its options, a person wants those of the command. */
function inOptionsOfCommand(error: unknown, { host }: StartOptions): unknown {
  if (!isThinglineError(error)) return error;
  const { port, systemCode, option } = error.details;
  if (error.code === "PORT_IN_USE") {
    const flag = `--${String(option).replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    const message = `port ${port} of ${host ?? "localhost"} is in use by another program; ${flag} chooses another port`;
    return new ThinglineError("PORT_IN_USE", message, { details: { ...error.details, option: flag }, cause: error });
  }
  if (error.code === "OPTION_INVALID" && systemCode !== undefined) {
    const message = `cannot listen on ${host ?? "localhost"}, port ${port}: ${systemCode}; --host has to be an address of this machine`;
    const details = { ...error.details, option: "--host" };
    return new ThinglineError("OPTION_INVALID", message, { details, cause: error });
  }
  return error;
}

function keysTold(accessKeys: readonly AccessKey[] | undefined): string {
  if (accessKeys === undefined) return "key test, secret test";
  const [first] = accessKeys;
  return accessKeys.length === 1 ? `access key ${first?.accessKeyId}` : `${accessKeys.length} access keys`;
}

function showReady(
  output: Output,
  options: StartOptions,
  { cloud, keys, vending }: { cloud: StartedCloud; keys: string; vending: Vending },
): void {
  const { mqtts, https, api, objects, credentials, mqtt } = cloud.addresses;
  const { paint } = output;
  const next =
    options.memory === true
      ? []
      : [
          "Next, in another terminal, in this folder:",
          `  ${commandLine(["thing", "create", "my-thing", ...unlessDefault("--data-dir", options.dataDir, defaultDataDir)])}`,
        ];
  output.event(
    { event: "ready", mqtts, https, api, objects, credentials, mqtt: mqtt ?? null, ca: cloud.caFile, vending },
    [
      `${paint.green("ready")}  local AWS IoT Core, account ${options.account}, region ${options.region}`,
      `  MQTT over mutual TLS    ${paint.bold(mqtts)}`,
      `  TLS: ALPN, WebSocket    ${https}`,
      `  AWS SDKs and AWS CLI    ${api}  (${keys})`,
      `  objects for devices     ${objects}`,
      `  credentials by role     ${credentials}`,
      ...(mqtt === undefined ? [] : [`  plain MQTT, allow-all   ${mqtt}`]),
      `  CA to trust             ${cloud.caFile}`,
      `  vending service         ${describeVending(vending)}`,
      `  state                   ${options.memory === true ? "in memory: gone when this stops" : resolve(options.dataDir)}`,
      "",
      ...next,
      "Ctrl-C stops it.",
      "",
    ].join("\n"),
  );
}

function untilAborted(signal: AbortSignal): Promise<string> {
  return new Promise((done) => {
    const told = () => done(signal.reason instanceof Error ? signal.reason.message : "stopped");
    if (signal.aborted) told();
    else signal.addEventListener("abort", told, { once: true });
  });
}

/** Progress is told so often, from the first second on. */
const progressEveryMs = 1_000;

/** `thingline cloud check`: exit code 1 when anything is damaged. */
export async function cloudCheck({ output }: CommandContext, { dataDir }: { dataDir: string }): Promise<number> {
  let toldMs = performance.now();
  const onProgress = (records: number) => {
    if (performance.now() - toldMs < progressEveryMs) return;
    toldMs = performance.now();
    output.say(`${records} records ...`);
  };
  const { damages, damageCount, records, blobs, storeVersion } = await checkDataDir(resolve(dataDir), { onProgress });
  for (const { file, code, what } of damages) {
    const text = what.includes(file) ? what : `${file}: ${what}`;
    output.event(
      { event: "damaged", file, code, what },
      `${output.paint.red("damaged")}  ${output.wrap(text, 9)} (${code})`,
    );
  }
  if (damageCount > damages.length) output.say(`and ${damageCount - damages.length} more`);
  const isSound = damageCount === 0;
  const verdict = isSound
    ? `${output.paint.green("sound")}    ${resolve(dataDir)}: ${records} records${blobs > 0 ? ` and ${blobs} blobs` : ""}, each with its checksum`
    : "\nNothing was changed. Put files back from a copy of the directory; or move the directory away, start anew, and `cloud restore` a snapshot.";
  output.event(
    { event: "checked", dataDir: resolve(dataDir), isSound, damages: damageCount, records, blobs, storeVersion },
    verdict,
  );
  return isSound ? exitCodes.done : exitCodes.failed;
}

/** `thingline cloud reset` */
export async function cloudReset(
  { output, signal }: CommandContext,
  { dataDir, yes }: { dataDir: string; yes?: boolean },
): Promise<void> {
  if (yes !== true) {
    throw new UsageError("cloud reset deletes all things, certificates and sessions of the running cloud: say --yes");
  }
  const { running } = await administer({ dataDir, signal }, { method: "POST", path: "reset" });
  output.event({ event: "reset", api: running.api }, `reset the local cloud at ${running.api}: it is empty`);
}

/** `thingline cloud snapshot FILE`. The file holds private keys: mode 0600, never half written. */
export async function cloudSnapshot(
  { output, signal }: CommandContext,
  { dataDir }: { dataDir: string },
  file = "",
): Promise<void> {
  const { body } = await administer({ dataDir, signal }, { method: "GET", path: "snapshot" });
  await createNodeFiles().replace(resolve(file), body);
  output.event({ event: "snapshot", file: resolve(file), bytes: body.length }, `wrote ${file} (${body.length} bytes)`);
  tellBlobsLeftOut(output, body);
}

const namedBlobsMax = 20;

/** A snapshot carries blobs up to a bound, and names those that it leaves out; without blobs it is not looked through. */
function tellBlobsLeftOut(output: Output, snapshot: Uint8Array): void {
  const beginning = new TextDecoder().decode(snapshot.subarray(0, 200));
  if (!/"version":\s*2\b/.test(beginning)) return;
  const { blobsLeftOut = [] } = JSON.parse(new TextDecoder().decode(snapshot)) as { blobsLeftOut?: string[][] };
  if (blobsLeftOut.length === 0) return;
  const names = blobsLeftOut.slice(0, namedBlobsMax).map((key) => key.join("/"));
  const more = blobsLeftOut.length > names.length ? " and others" : "";
  const message = `${blobsLeftOut.length} blobs are too large for the snapshot, which names them: ${names.join(", ")}${more}`;
  output.event({ event: "warning", message });
  output.complain({ kind: "warning", message });
}

/** `thingline cloud restore FILE` */
export async function cloudRestore(
  { output, signal }: CommandContext,
  { dataDir }: { dataDir: string },
  file = "",
): Promise<void> {
  const body = new Uint8Array(await createNodeFiles().read(file, { bytesMax: snapshotBytesMax, signal }));
  await administer({ dataDir, signal }, { method: "POST", path: "restore", body });
  output.event({ event: "restored", file: resolve(file) }, `restored the local cloud's state from ${file}`);
}

/** `thingline cloud status`: what runs on a data directory, and how it is set. */
export async function cloudStatus({ output, signal }: CommandContext, { dataDir }: { dataDir: string }): Promise<void> {
  const { running, body } = await administer({ dataDir, signal }, { method: "GET", path: "vending" });
  const { vending, decidedBy } = JSON.parse(new TextDecoder().decode(body)) as VendingState;
  const { mqtts, https, api, objects, mqtt, ca, account, region, processId } = running;
  const why = { start: "as it was started", stored: "as it was switched", default: "as nobody has switched it" };
  output.event(
    { event: "status", ...{ mqtts, https, api, objects, mqtt, ca, account, region, processId, vending, decidedBy } },
    [
      `${output.paint.green("runs")}  local AWS IoT Core, account ${account}, region ${region}, process ${processId}`,
      `  MQTT over mutual TLS    ${mqtts}`,
      `  TLS: ALPN, WebSocket    ${https}`,
      `  AWS SDKs and AWS CLI    ${api}`,
      ...(objects === undefined ? [] : [`  objects for devices     ${objects}`]),
      ...(mqtt === null ? [] : [`  plain MQTT, allow-all   ${mqtt}`]),
      `  CA to trust             ${ca}`,
      `  vending service         ${describeVending(vending)} (${why[decidedBy]})`,
    ].join("\n"),
  );
}

/** `thingline cloud vending [WHO]` */
export async function cloudVending(
  { output, signal }: CommandContext,
  { dataDir }: { dataDir: string },
  wanted?: Vending,
): Promise<void> {
  const where = { dataDir, signal };
  const state = wanted === undefined ? await readVending(where) : await switchVending(where, { vending: wanted });
  output.event({ event: "vending", ...state }, `vending service  ${describeVending(state.vending)}`);
}
