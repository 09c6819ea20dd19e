import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createNativeCredentialStore, loadNativeTlsCredentials, type NativeCredentialStore } from "@thingline/device";
import { ThinglineError } from "@thingline/protocol";
import { awsIotSettings, formatKconfigProblem, loadKconfig, type AwsIotSettings } from "@thingline/protocol/kconfig";
import { parseCertificates } from "@thingline/protocol/x509";
import { nodeAdapters, type Adapters } from "../adapters.js";
import { UsageError } from "../failure.js";
import type { Output } from "../output.js";
import { progressFileName, provisionSimulatedDevice } from "../provisioning.js";
import { abortOnSignals } from "../signals.js";
import { bootSimulatedDevice } from "../simulated-device.js";

interface ProvisionOptions {
  conf: string[];
  modemDir: string;
  ca?: string;
  nativeTls?: boolean;
  certs: string;
  stateDir?: string;
  clientId?: string;
  timeout: number;
  reset?: boolean;
}

/** `thingline provision --conf prj.conf [--conf overlay.conf]` */
export async function provision(output: Output, options: ProvisionOptions): Promise<void> {
  const settings = await readSettings(output, options.conf);
  const clientId = options.clientId ?? settings.clientId;
  if (clientId === undefined) {
    throw new UsageError("CONFIG_AWS_IOT_CLIENT_ID_APP=y leaves the client id to the application: say --client-id");
  }
  const adapters = nodeAdapters();
  const stateFolder = options.stateDir ?? join(options.modemDir, "device");
  if (options.reset === true) await adapters.files.remove(join(stateFolder, progressFileName));
  const isNativeTls = options.nativeTls === true || settings.usesNativeTls;
  const ca = options.ca === undefined ? undefined : await readCa(options.ca);

  using stop = abortOnSignals();
  await using device = await bootSimulatedDevice(adapters, { modemDir: options.modemDir });
  output.say(
    `${output.paint.bold(`Provisioning ${clientId}`)} at ${settings.host}:${settings.port}, ${
      isNativeTls ? "TLS in the application" : "TLS in the modem"
    }, IMEI ${device.modem.identity.imei}`,
  );
  const nativeTls = isNativeTls
    ? {
        store: await nativeStore(adapters, stateFolder, options.certs, settings.secTag),
        receivedRecordBytesMax: settings.nativeTlsReceiveBytesMax,
      }
    : undefined;
  const result = await provisionSimulatedDevice(output, adapters, {
    device,
    ...(nativeTls === undefined ? {} : { nativeTls }),
    clientId,
    host: settings.host,
    port: settings.port,
    claimTag: settings.secTag,
    stateFolder,
    ...(ca === undefined ? {} : { ca }),
    settings: deviceSettings(settings),
    limits: { answerTimeoutMs: options.timeout * 1000 },
    signal: stop.signal,
  });
  const { certificateId, secTag, isNew } = result;
  const { secure } = result.device.connection;
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
    `${output.paint.green(isNew ? "provisioned" : "already provisioned")}  ${clientId}: certificate ${certificateId.slice(0, 16)}… in security tag ${secTag}`,
  );
}

async function readSettings(output: Output, files: readonly string[]): Promise<AwsIotSettings> {
  const fragments = await Promise.all(files.map(async (file) => ({ file, text: await readText(file) })));
  const { config, warnings } = loadKconfig(fragments);
  for (const warning of warnings) {
    const { origin, name, message } = warning;
    output.event(
      { event: "warning", file: origin.file, line: origin.line, name, message },
      `${output.paint.yellow("warning:")} ${formatKconfigProblem(warning)}`,
    );
  }
  return awsIotSettings(config);
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new ThinglineError("FILE_NOT_FOUND", `cannot read ${file}`, { details: { file }, cause });
  }
}

async function readCa(file: string): Promise<string> {
  const text = await readText(file);
  parseCertificates(text, file);
  return text;
}

/** The application's own store, in its state folder; the claim's files are loaded under the configured tag at each start. */
async function nativeStore(
  { files, keys }: Adapters,
  stateFolder: string,
  certs: string,
  claimTag: number,
): Promise<NativeCredentialStore> {
  const store = createNativeCredentialStore({ files, keys, folder: join(stateFolder, "tls-credentials") });
  await loadNativeTlsCredentials({ files, folder: certs, store, secTag: claimTag, keys });
  return store;
}

function deviceSettings(settings: AwsIotSettings) {
  const { keepAliveSeconds, isCleanSession, payloadBytesMax, family } = settings;
  return { keepAliveSeconds, isCleanSession, payloadBytesMax, ...(family === 6 ? { family } : {}) };
}
