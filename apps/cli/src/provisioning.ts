import { join } from "node:path";
import { createNativeTlsDialer, type NativeCredentialStore } from "@thingline/device";
import {
  defaultDeviceTag,
  provisionDevice,
  type ProvisionDeviceOptions,
  type ProvisionResult,
} from "@thingline/device/provisioning";
import { makePrivateFolder } from "@thingline/transport";
import type { Adapters } from "./adapters.js";
import type { Output } from "./output.js";
import { createProvisioningView } from "./provisioning-view.js";
import type { SimulatedDevice } from "./simulated-device.js";

/** Where the flow keeps its progress. */
export const progressFileName = "provisioning.json";

export interface SimulatedProvisioning {
  device: SimulatedDevice;
  /** TLS in the application, with its own store; default: in the modem. */
  nativeTls?: { store: NativeCredentialStore; receivedRecordBytesMax?: number };
  clientId: string;
  host: string;
  port: number;
  claimTag: number;
  stateFolder: string;
  ca?: string;
  settings?: NonNullable<ProvisionDeviceOptions["settings"]>;
  limits?: NonNullable<ProvisionDeviceOptions["limits"]>;
  signal?: AbortSignal;
}

/** The provisioning flow on a simulated nRF91, its steps shown as they happen. The caller closes the result's device. */
export async function provisionSimulatedDevice(
  output: Output,
  adapters: Adapters,
  options: SimulatedProvisioning,
): Promise<ProvisionResult> {
  const { device, nativeTls, stateFolder, claimTag, ...rest } = options;
  const { clock, random, files, keys } = adapters;
  await makePrivateFolder(adapters.files, stateFolder);
  const view = createProvisioningView(output, { claimTag, deviceTag: defaultDeviceTag });
  try {
    return await provisionDevice({
      clock,
      random,
      files,
      keys,
      ...rest,
      claimTag,
      store: nativeTls?.store ?? device.credentials,
      link: device.link,
      // Both ways go through the modem's sockets: without a registration neither connects.
      dialer:
        nativeTls === undefined
          ? device.modem.secTagDialer
          : createNativeTlsDialer({ dialer: device.modem.dialer, ...nativeTls }),
      progressPath: join(stateFolder, progressFileName),
      onEvent: (event) => view.show(event),
    });
  } finally {
    view.end();
  }
}
