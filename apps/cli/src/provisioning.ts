import { join } from "node:path";
import { createNativeTlsDialer, type NativeCredentialStore } from "@thingline/device";
import {
  defaultDeviceTag,
  provisionDevice,
  type ProvisionDeviceOptions,
  type ProvisioningEvent,
  type ProvisionResult,
} from "@thingline/device/provisioning";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { makePrivateFolder } from "@thingline/transport";
import type { Adapters } from "./adapters.js";
import type { Output } from "./output.js";
import { createProvisioningView } from "./provisioning-view.js";
import type { ModemDevice } from "./modem-device.js";

/** Where the flow keeps its progress. */
export const progressFileName = "provisioning.json";

/** What is handed to the flow as it is. */
type FlowOptions = Pick<
  ProvisionDeviceOptions,
  "clientId" | "host" | "method" | "claim" | "claimClientId" | "deviceTag" | "ca" | "settings" | "limits" | "signal"
>;

export interface SimulatedProvisioning extends FlowOptions {
  claimTag: number;
  device: ModemDevice;
  /** TLS in the application, with its own store; default: in the modem. */
  nativeTls?: { store: NativeCredentialStore; receivedRecordBytesMax?: number };
  port: number;
  stateFolder: string;
  /** Hears what is shown. */
  onEvent?: ((event: ProvisioningEvent) => void) | undefined;
}

/** A provisioning flow on a simulated nRF91, its steps shown as they happen. The caller closes the result's device. */
export async function provisionSimulatedDevice(
  output: Output,
  adapters: Adapters,
  options: SimulatedProvisioning,
): Promise<ProvisionResult> {
  const { claimTag, deviceTag = defaultDeviceTag } = options;
  const { method, onEvent } = options;
  const view = createProvisioningView(
    output,
    { claimTag, deviceTag },
    {
      hasOwnKey: method !== undefined && "keys" in method && method.keys !== "cloud",
      hasOneClientId: options.claimClientId === "device",
    },
  );
  let next: string | undefined;
  try {
    return await runProvisioning(adapters, options, (event) => {
      view.show(event);
      onEvent?.(event);
      if (event.type === "stepFinished") next = event.result === "failed" ? event.next : undefined;
    });
  } catch (error) {
    throw next === undefined ? error : withNext(error, next);
  } finally {
    view.end();
  }
}

/** What the step that failed advises goes along, for the hint below the error. */
function withNext(error: unknown, next: string): unknown {
  if (!isThinglineError(error) || error.code === "ABORTED") return error;
  return new ThinglineError(error.code, error.message, { details: { ...error.details, next }, cause: error.cause });
}

/** The same, for whoever shows it otherwise. */
export async function runProvisioning(
  { clock, random, files, keys }: Adapters,
  options: SimulatedProvisioning,
  onEvent: (event: ProvisioningEvent) => void,
): Promise<ProvisionResult> {
  const { device, nativeTls, stateFolder, onEvent: _, ...rest } = options;
  await makePrivateFolder(files, stateFolder);
  return provisionDevice({
    ...{ clock, random, files, keys },
    ...rest,
    ...(nativeTls === undefined && { keyMaker: device.keyMaker }),
    store: nativeTls?.store ?? device.credentials,
    link: device.link,
    // Both ways go through the modem's sockets: without a registration neither connects.
    dialer:
      nativeTls === undefined
        ? device.sockets.secTagDialer
        : createNativeTlsDialer({ dialer: device.sockets.dialer, ...nativeTls }),
    progressPath: join(stateFolder, progressFileName),
    onEvent,
  });
}
