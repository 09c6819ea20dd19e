import { optionInvalid, unreadableOption } from "@thingline/protocol";
import type { Device } from "../device.js";
import { type CheckedOptions, checkValues, readDeviceOptions } from "./check-options.js";
import { DeviceClient } from "./device-client.js";
import { deviceOptionTypes } from "./option-types.js";
import type { ConnectDeviceOptions, DeviceOptions } from "./options.js";

/**
 * Makes a device, idle: {@link Device.connect} connects it. Nothing is opened yet. Listeners belong here or before `connect()`:
 * messages are not kept for later ones.
 *
 * @throws {ThinglineError} OPTION_INVALID, CERTIFICATE_INVALID, KEY_INVALID, with the option's name in `details.option`
 */
export function createDevice(given: DeviceOptions): Device {
  const options = readDeviceOptions(given, "createDevice()");
  return makeDevice(options, checkValues(options), false);
}

/**
 * Connects to AWS IoT Core or to a local one: TLS with the device's credentials, CONNECT, application topics. Resolves when
 * the device is ready. Messages that arrive before that wait for the listeners that the caller adds right after;
 * `connecting`, `connected` and `ready` are past by then, and only seen by listeners given in `on`.
 *
 * @throws {ThinglineError} as {@link Device.connect}; the device is closed then.
 */
export async function connectDevice(given: ConnectDeviceOptions): Promise<Device> {
  const options: DeviceOptions & { signal?: AbortSignal | undefined } = readDeviceOptions(given, "connectDevice()");
  const { signal } = options;
  // The device is not to keep it.
  options.signal = undefined;
  const checked = checkValues(options);
  if (options.driver === "application") {
    throw optionInvalid(
      "driver",
      "library: a device that the application drives is made by createDevice()",
      "application",
    );
  }
  const device = makeDevice(options, checked, options.on?.data === undefined);
  try {
    await device.connect(signal === undefined ? {} : { signal });
  } catch (error) {
    await device.close();
    throw error;
  }
  return device;
}

function makeDevice(options: DeviceOptions, checked: CheckedOptions, isHolding: boolean): DeviceClient {
  try {
    return new DeviceClient(options, checked, isHolding);
  } catch (thrown) {
    // Listeners are read once more.
    throw unreadableOption(options, deviceOptionTypes, thrown);
  }
}
