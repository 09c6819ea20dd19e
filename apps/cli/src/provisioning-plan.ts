import { join } from "node:path";
import { createNativeCredentialStore, loadNativeTlsCredentials, type NativeCredentialStore } from "@thingline/device";
import { defaultDeviceTag, type ClaimMaterial } from "@thingline/device/provisioning";
import { ThinglineError } from "@thingline/protocol";
import { formatKconfigProblem, type AwsIotSettings, type Kconfig } from "@thingline/protocol/kconfig";
import { isDeviceId } from "@thingline/protocol/provisioning";
import type { Adapters } from "./adapters.js";
import { readConfiguration, receivedPayloadBytesMax } from "./configuration.js";
import { requireUsable, warnOfDoubts } from "./credential-checks.js";
import { findCerts, readCredentialFiles } from "./credentials-folder.js";
import { UsageError } from "./failure.js";
import { defaultClaimSecTag } from "./option-values.js";
import type { Output } from "./output.js";
import { isSplit, provisioningMethod, type MethodName, type MethodOptions } from "./provisioning-method.js";
import type { SimulatedProvisioning } from "./provisioning.js";
import { type DoorOptions, usesBoard } from "./door-options.js";
import type { ModemDevice } from "./modem-device.js";
import { readClaimFolder } from "./claim-folder.js";

export interface ProvisionOptions extends Omit<MethodOptions, "method">, DoorOptions {
  conf: string[];
  modemDir: string;
  method: MethodName;
  claim?: string;
  claimClientId?: "prefix" | "device";
  deviceTag?: number;
  ca?: string;
  nativeTls?: boolean;
  certs?: string;
  stateDir?: string;
  clientId?: string;
  timeout: number;
  attempts: number;
  reset?: boolean;
  verbose?: boolean;
  count?: number;
  atOnce?: number;
  rate?: number;
  batchDir?: string;
  resume?: boolean;
  report?: string[];
}

/** What the options and the configuration say, read and checked before anything is done. */
export interface ProvisionPlan {
  config: Kconfig;
  settings: AwsIotSettings;
  clientId: string;
  isNativeTls: boolean;
  /** Where the credentials of a claim are, for TLS in the application, and for a batch. */
  certs: string;
  ca: string | undefined;
  claim: ClaimMaterial | undefined;
  tags: { claimTag: number; deviceTag: number };
  /** With the template that a temporary claim is for, where none was named. */
  methodOptions: MethodOptions;
}

/** Everything that can be wrong with it is said before anything is done. */
export async function planProvisioning(
  output: Output,
  adapters: Adapters,
  options: ProvisionOptions,
  signal: AbortSignal,
): Promise<ProvisionPlan> {
  assertBatchOptions(options);
  const { files } = adapters;
  const { config, settings, clientId } = await configure(output, adapters, options, signal);
  const isNativeTls = options.nativeTls === true || settings.usesNativeTls;
  if (usesBoard(options, isNativeTls) && options.count !== undefined) {
    throw new UsageError("--count makes simulated devices, each with a modem of its own: leave out --port and --tcp");
  }
  if (isNativeTls && options.method.endsWith("modem-key")) {
    throw new UsageError("--method modem-key needs TLS in the modem: a key that was made there never leaves it");
  }
  const ca = options.ca === undefined ? undefined : await readCa(output, adapters, options.ca);
  const given = options.claim === undefined ? undefined : await readClaimFolder(files, options.claim);
  const template = options.template ?? (isSplit(options.method) ? undefined : given?.templateName);
  const methodOptions = { ...options, ...(template !== undefined && { template }) };
  // What does not go together is said now; the words of a device come later.
  provisioningMethod(methodOptions, { name: "", imei: "" });
  const certs = options.certs ?? (await findCerts(files, options.conf));
  const tags = tagsOf(options, settings.secTag);
  return { config, settings, clientId, isNativeTls, certs, ca, claim: given?.claim, tags, methodOptions };
}

const batchOptions = {
  resume: "--resume",
  report: "--report",
  rate: "--rate",
  atOnce: "--at-once",
  batchDir: "--batch-dir",
} as const;

/** @throws {UsageError} for what would be forgotten without `--count`. */
export function assertBatchOptions(options: Pick<ProvisionOptions, "count" | keyof typeof batchOptions>): void {
  if (options.count !== undefined) return;
  for (const [name, words] of Object.entries(batchOptions)) {
    if (options[name as keyof typeof batchOptions] === undefined) continue;
    throw new UsageError(`${words} is for a batch: say --count as well`);
  }
}

/** With a certificate of one's own CA, the configured tag is the device's, and there is no claim. */
function tagsOf({ method, deviceTag }: ProvisionOptions, secTag: number): ProvisionPlan["tags"] {
  if (method !== "own-certificate") return { claimTag: secTag, deviceTag: deviceTag ?? defaultDeviceTag };
  const own = deviceTag ?? secTag;
  return { claimTag: own === defaultDeviceTag ? defaultClaimSecTag : defaultDeviceTag, deviceTag: own };
}

/** What the flow of one device is told. */
export function flowOptions(
  plan: ProvisionPlan,
  options: ProvisionOptions,
  one: { device: ModemDevice; store: NativeCredentialStore | undefined; stateFolder: string; name: string },
): SimulatedProvisioning {
  const { config, settings, isNativeTls, ca, claim, tags, methodOptions } = plan;
  const { device, store, stateFolder, name } = one;
  const receivedRecordBytesMax = settings.nativeTlsReceiveBytesMax;
  return {
    ...{ device, stateFolder, ...tags },
    ...(store !== undefined && { nativeTls: { store, receivedRecordBytesMax } }),
    ...{ clientId: name, host: settings.host, port: settings.port },
    method: provisioningMethod(methodOptions, { name, imei: device.imei }),
    ...(claim !== undefined && { claim }),
    ...(options.claimClientId !== undefined && { claimClientId: options.claimClientId }),
    ...(ca !== undefined && { ca }),
    settings: deviceSettings(settings, receivedPayloadBytesMax(config, settings, isNativeTls)),
    limits: {
      answerTimeoutMs: Math.max(1, Math.round(options.timeout * 1000)),
      connectAttemptsMax: options.attempts,
    },
  };
}

async function configure(
  output: Output,
  { files }: Adapters,
  options: ProvisionOptions,
  signal: AbortSignal,
): Promise<{ config: Kconfig; settings: AwsIotSettings; clientId: string }> {
  const { config, settings } = await readConfiguration(output, { files, signal }, options);
  const clientId = options.clientId ?? settings.clientId;
  if (clientId === undefined) {
    throw new UsageError("CONFIG_AWS_IOT_CLIENT_ID_APP=y leaves the client id to the application: say --client-id");
  }
  if (options.clientId === undefined) assertClientId(config, clientId);
  return { config, settings, clientId };
}

/** The client id becomes a thing name, so AWS's rules for those hold. */
function assertClientId(config: Kconfig, clientId: string): void {
  if (isDeviceId(clientId)) return;
  const name = "AWS_IOT_CLIENT_ID_STATIC";
  const problem = `CONFIG_${name} has to be 1 to 128 of the characters A-Z a-z 0-9 : _ -, got "${clientId}"`;
  const message = formatKconfigProblem({ origin: config.origin(name), message: problem });
  throw new ThinglineError("KCONFIG_INVALID", message, { details: { problems: 1 } });
}

async function readCa(output: Output, { files, keys, clock }: Adapters, file: string): Promise<string> {
  const { ca = "" } = await readCredentialFiles(files, { ca: file });
  requireUsable({ ca }, keys, { caName: file });
  warnOfDoubts(output, { ca }, clock);
  return ca;
}

/** The application's own store, in its state folder; the claim's files are loaded under the configured tag at each start. */
export async function nativeStore(
  output: Output,
  { files, keys, clock }: Adapters,
  { certs, claim, settings: { secTag } }: Pick<ProvisionPlan, "certs" | "claim" | "settings">,
  stateFolder: string,
): Promise<NativeCredentialStore> {
  const store = createNativeCredentialStore({ files, keys, folder: join(stateFolder, "tls-credentials") });
  // One that was handed over is written by the flow.
  if (claim !== undefined) return store;
  await loadNativeTlsCredentials({ files, folder: certs, store, secTag, keys });
  warnOfDoubts(output, await store.credentials(secTag), clock);
  return store;
}

function deviceSettings(settings: AwsIotSettings, payloadBytesMax: number) {
  const { keepAliveSeconds, isCleanSession, family, staticIpv4Address, lastWill } = settings;
  return {
    keepAliveSeconds,
    isCleanSession,
    payloadBytesMax,
    ...(family === 6 ? { family } : {}),
    ...(staticIpv4Address === undefined ? {} : { staticAddress: staticIpv4Address }),
    ...(lastWill === undefined ? {} : { lastWill: { topic: lastWill.topic, payload: lastWill.message } }),
  };
}
