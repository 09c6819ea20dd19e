import { join } from "node:path";
import {
  createNativeCredentialStore,
  loadNativeTlsCredentials,
  nativeTlsFiles,
  type NativeCredentialStore,
} from "@thingline/device";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { formatKconfigProblem, type AwsIotSettings, type Kconfig } from "@thingline/protocol/kconfig";
import { isDeviceId } from "@thingline/protocol/provisioning";
import { nodeAdapters, type Adapters } from "../adapters.js";
import type { CommandContext } from "../command.js";
import { readConfiguration, receivedPayloadBytesMax } from "../configuration.js";
import { requireUsable, warnOfDoubts } from "../credential-checks.js";
import { findCerts, readCredentialFiles } from "../credentials-folder.js";
import { UsageError } from "../failure.js";
import { commandLine, unlessDefault } from "../invocation.js";
import { shortenIds } from "../log.js";
import { defaultModemDir } from "../option-values.js";
import type { Output } from "../output.js";
import { progressFileName, provisionSimulatedDevice } from "../provisioning.js";
import { bootSimulatedDevice } from "../simulated-device.js";

interface ProvisionOptions {
  conf: string[];
  modemDir: string;
  ca?: string;
  nativeTls?: boolean;
  certs?: string;
  stateDir?: string;
  clientId?: string;
  timeout: number;
  attempts: number;
  reset?: boolean;
  verbose?: boolean;
}

/** `thingline provision --conf prj.conf [--conf overlay.conf]` */
export async function provision({ output, signal }: CommandContext, options: ProvisionOptions): Promise<void> {
  const adapters = nodeAdapters();
  const { config, settings, clientId } = await configure(output, adapters, options, signal);
  const stateFolder = options.stateDir ?? join(options.modemDir, "device");
  const isNativeTls = options.nativeTls === true || settings.usesNativeTls;
  const ca = options.ca === undefined ? undefined : await readCa(output, adapters, options.ca);
  const certs = options.certs ?? (await findCerts(adapters.files, options.conf));

  await using device = await bootSimulatedDevice(adapters, {
    modemDir: options.modemDir,
    networkTimeoutMs: settings.linkTimeoutMs,
  });
  // Only now: the modem's lock says that nobody else is at work on this progress.
  if (options.reset === true) await adapters.files.remove(join(stateFolder, progressFileName));
  const nativeTls = isNativeTls
    ? {
        store: await nativeStore(output, adapters, { stateFolder, certs, claimTag: settings.secTag }),
        receivedRecordBytesMax: settings.nativeTlsReceiveBytesMax,
      }
    : undefined;
  const where = isNativeTls ? "TLS in the application" : "TLS in the modem";
  output.say(`${output.paint.bold(`Provisioning ${clientId}`)} at ${settings.host}:${settings.port}, ${where}`);
  const result = await provisionSimulatedDevice(output, adapters, {
    device,
    ...(nativeTls === undefined ? {} : { nativeTls }),
    clientId,
    host: settings.host,
    port: settings.port,
    claimTag: settings.secTag,
    stateFolder,
    ...(ca === undefined ? {} : { ca }),
    settings: deviceSettings(settings, receivedPayloadBytesMax(config, settings, isNativeTls)),
    limits: {
      answerTimeoutMs: Math.max(1, Math.round(options.timeout * 1000)),
      connectAttemptsMax: options.attempts,
    },
    signal,
  }).catch((error: unknown) => {
    if (!isThinglineError(error, "TLS_PEER_UNTRUSTED")) throw error;
    // The claim's connection: a CA that the device's own tag got wrong is PROVISIONING_NOT_PROVED.
    const where: Record<string, string | number> = isNativeTls
      ? { caFile: join(certs, nativeTlsFiles.ca) }
      : { secTag: settings.secTag };
    throw new ThinglineError(error.code, error.message, { details: { ...error.details, ...where }, cause: error });
  });
  const { certificateId, secTag, isNew } = result;
  const secure = result.device.connection?.secure;
  await result.device.close();
  output.event(
    {
      event: "provisioned",
      clientId,
      certificateId,
      secTag,
      isNew,
      tls: secure?.protocol,
      isResumed: secure?.isResumed,
    },
    `${output.paint.green(isNew ? "provisioned" : "already provisioned")}  ${clientId}, certificate ${shortenIds(certificateId)} in security tag ${secTag}`,
  );
  const namedBy = options.clientId === undefined ? "CONFIG_AWS_IOT_CLIENT_ID_STATIC" : "--client-id";
  output.say(`  thing ${clientId}, named by the client id of ${namedBy}`);
  if (!output.isJson) showNext(output, options, secTag);
}

function showNext(output: Output, options: ProvisionOptions, secTag: number): void {
  const words = [
    ...["device", "run"],
    ...options.conf.flatMap((file) => ["--conf", file]),
    ...["--sec-tag", String(secTag)],
    ...(options.clientId === undefined ? [] : ["--client-id", options.clientId]),
    ...(options.nativeTls === true ? ["--native-tls"] : []),
    ...unlessDefault("--modem-dir", options.modemDir, defaultModemDir),
    ...(options.stateDir === undefined ? [] : ["--state-dir", options.stateDir]),
  ];
  output.say(output.paint.dim("Next, as a device that stays connected:"));
  output.say(`  ${commandLine(words)}`);
}

/** Everything that can be wrong with it is said before anything is done. */
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
async function nativeStore(
  output: Output,
  { files, keys, clock }: Adapters,
  { stateFolder, certs, claimTag }: { stateFolder: string; certs: string; claimTag: number },
): Promise<NativeCredentialStore> {
  const store = createNativeCredentialStore({ files, keys, folder: join(stateFolder, "tls-credentials") });
  await loadNativeTlsCredentials({ files, folder: certs, store, secTag: claimTag, keys });
  warnOfDoubts(output, await store.credentials(claimTag), clock);
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
