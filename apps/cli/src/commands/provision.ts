import { join } from "node:path";
import { nativeTlsFiles } from "@thingline/device";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { nodeAdapters } from "../adapters.js";
import type { CommandContext } from "../command.js";
import { commandLine, unlessDefault } from "../invocation.js";
import { shortenIds } from "../log.js";
import { defaultModemDir } from "../option-values.js";
import type { Output } from "../output.js";
import { isSplit, methodText } from "../provisioning-method.js";
import {
  flowOptions,
  nativeStore,
  planProvisioning,
  type ProvisionOptions,
  type ProvisionPlan,
} from "../provisioning-plan.js";
import { progressFileName, provisionSimulatedDevice } from "../provisioning.js";
import { doorWords } from "../door-options.js";
import { openModemDevice } from "../open-modem-device.js";

/** `thingline provision --conf prj.conf [--conf overlay.conf]` */
export async function provision(context: CommandContext, options: ProvisionOptions): Promise<number | void> {
  const { output, signal } = context;
  const adapters = nodeAdapters();
  const plan = await planProvisioning(output, adapters, options, signal);
  if (options.count !== undefined) {
    const { provisionBatch } = await import("./provision-batch.js");
    return provisionBatch(context, adapters, options, { ...plan, count: options.count });
  }
  const { settings, clientId, isNativeTls } = plan;
  const stateFolder = options.stateDir ?? join(options.modemDir, "device");
  await using device = await openModemDevice(adapters, options, {
    networkTimeoutMs: settings.linkTimeoutMs,
    ...{ signal, output },
  });
  // Only now: the modem's lock, or the port's, says that nobody else is at work on this progress.
  if (options.reset === true) await adapters.files.remove(join(stateFolder, progressFileName));
  const store = isNativeTls ? await nativeStore(output, adapters, plan, stateFolder) : undefined;
  const where = isNativeTls ? "TLS in the application" : "TLS in the modem";
  output.say(`${output.paint.bold(`Provisioning ${clientId}`)} at ${settings.host}:${settings.port}, ${where}`);
  if (options.method !== "split") output.say(`  ${methodText(plan.methodOptions)}`);
  const flow = flowOptions(plan, options, { device, store, stateFolder, name: clientId });
  const result = await provisionSimulatedDevice(output, adapters, { ...flow, signal }).catch((error: unknown) => {
    throw withPlace(error, plan);
  });
  const { certificateId, secTag, isNew, thingName, deviceConfiguration } = result;
  const connectsAs = result.device.clientId;
  const secure = result.device.connection?.secure;
  await result.device.close();
  output.event(
    {
      ...{ event: "provisioned", clientId, certificateId, secTag, isNew },
      ...{ method: options.method, thingName: thingName ?? null, connectsAs, deviceConfiguration },
      ...{ tls: secure?.protocol, isResumed: secure?.isResumed },
    },
    `${output.paint.green(isNew ? "provisioned" : "already provisioned")}  ${clientId}, certificate ${shortenIds(certificateId)} in security tag ${secTag}`,
  );
  const namedBy = options.clientId === undefined ? "CONFIG_AWS_IOT_CLIENT_ID_STATIC" : "--client-id";
  if (isSplit(options.method)) output.say(`  thing ${clientId}, named by the client id of ${namedBy}`);
  else if (thingName !== undefined)
    output.say(`  thing ${thingName}, named by the template; connected as ${connectsAs}`);
  for (const [name, value] of Object.entries(deviceConfiguration)) {
    output.say(`  ${output.wrap(`device configuration ${name}=${JSON.stringify(value)}`, 4)}`);
  }
  if (!output.isJson) showNext(output, options, { secTag, clientId: connectsAs === clientId ? undefined : connectsAs });
}

/** The claim's connection: a CA that the device's own tag got wrong is PROVISIONING_NOT_PROVED. */
function withPlace(error: unknown, { isNativeTls, certs, settings }: ProvisionPlan): unknown {
  if (!isThinglineError(error, "TLS_PEER_UNTRUSTED")) return error;
  const where: Record<string, string | number> = isNativeTls
    ? { caFile: join(certs, nativeTlsFiles.ca) }
    : { secTag: settings.secTag };
  return new ThinglineError(error.code, error.message, { details: { ...error.details, ...where }, cause: error });
}

function showNext(
  output: Output,
  options: ProvisionOptions,
  { secTag, clientId = options.clientId }: { secTag: number; clientId: string | undefined },
): void {
  const words = [
    ...["device", "run"],
    ...options.conf.flatMap((file) => ["--conf", file]),
    ...["--sec-tag", String(secTag)],
    ...(clientId === undefined ? [] : ["--client-id", clientId]),
    ...(options.nativeTls === true ? ["--native-tls"] : []),
    ...doorWords(options),
    ...unlessDefault("--modem-dir", options.modemDir, defaultModemDir),
    ...(options.stateDir === undefined ? [] : ["--state-dir", options.stateDir]),
  ];
  output.say(output.paint.dim("Next, as a device that stays connected:"));
  output.say(`  ${commandLine(words)}`);
}
