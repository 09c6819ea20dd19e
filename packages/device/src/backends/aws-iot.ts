import { type OptionTypes, readOptions } from "@thingline/protocol";
import { shadowTopic } from "@thingline/protocol/shadow/client";
import { checkOptions } from "../client/check-options.js";
import { deviceReachTypes, deviceSettingTypes, listsOf, withoutTypes } from "../client/option-types.js";
import type { DeviceOptions, DeviceSettings } from "../client/options.js";
import type { DeviceCredentials, DeviceEndpoint } from "../connection/options.js";
import { createCloudBackend } from "./backend.js";
import { DeviceOperations } from "./device-operations.js";
import { clientIdOf } from "./options.js";
import type { CloudBackend } from "./types.js";

export type AwsIotBackendOptions = Omit<DeviceSettings, "clientId" | "on"> & {
  /** Default: the application gives it to `init()`. */
  clientId?: string;
  /** Default {@link awsIotBackendName}. */
  name?: string;
} & DeviceEndpoint &
  DeviceCredentials;

/** The name of the original's backend, and the default of `CONFIG_CLOUD_BACKEND` in its samples. */
export const awsIotBackendName = "AWS_IOT";

const optionTypes = {
  ...withoutTypes(deviceSettingTypes, "on"),
  ...deviceReachTypes,
  name: "string",
} as const satisfies OptionTypes<AwsIotBackendOptions>;

/** The state is the classic shadow of the thing that has the client id as its name. */
const shadowTails = { state: "update", stateGet: "get", stateDelete: "delete", pair: undefined } as const;

/**
 * AWS IoT Core as a backend, over a `Device` with these options.
 *
 * @throws {ThinglineError} OPTION_INVALID, here and, when the client id is left to the application, in `init()`
 */
export function createAwsIotBackend(given: AwsIotBackendOptions): CloudBackend {
  const of = "createAwsIotBackend()";
  const read = readOptions(given, optionTypes, { of, required: ["clock", "random"] });
  const { name = awsIotBackendName, ...options } = { ...read, ...listsOf(read) };
  const optionsOf = (clientId: string): DeviceOptions => ({ ...options, clientId });
  checkOptions(optionsOf(options.clientId ?? "any"), of);
  const operations = new DeviceOperations({
    name,
    optionsOf: (config) => optionsOf(clientIdOf(options.clientId, config)),
    stateTopicOf: (type, clientId) => {
      const tail = shadowTails[type];
      return tail === undefined ? undefined : shadowTopic({ thingName: clientId }, tail);
    },
  });
  return createCloudBackend(name, operations);
}
