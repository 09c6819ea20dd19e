import { optionInvalid, type OptionTypes, readOptions } from "@thingline/protocol";
import { checkTopicName } from "@thingline/protocol/mqtt/client";
import type { Dialer, TlsClientOptions } from "@thingline/transport";
import { checkOptions } from "../client/check-options.js";
import { endpointOf } from "../client/check-reach.js";
import { deviceReachTypes, deviceSettingTypes, listsOf, withoutTypes } from "../client/option-types.js";
import { defaultMqttsPort, type DeviceOptions, type DeviceSettings } from "../client/options.js";
import type { DeviceEndpoint } from "../connection/options.js";
import { createCloudBackend } from "./backend.js";
import { DeviceOperations } from "./device-operations.js";
import { clientIdOf } from "./options.js";
import type { CloudBackend } from "./types.js";

/** Where the state of a device lives at a broker. `{clientId}` stands for the client id. */
export interface StateTopics {
  /** The endpoint `state`: what the device reports. */
  state?: string;
  /** The endpoint `stateGet`: asks for the state. */
  stateGet?: string;
  /** The endpoint `stateDelete`. */
  stateDelete?: string;
  /** Filters on which answers and wishes come, subscribed with every connection. Default none. */
  subscribe?: readonly string[];
}

export type MqttBackendOptions = Omit<
  DeviceSettings,
  "clientId" | "on" | "shadowTopics" | "requestsShadow" | "password"
> & {
  /** Default: the application gives it to `init()`. */
  clientId?: string;
  /** Default {@link mqttBackendName}. */
  name?: string;
  dialer: Dialer;
  /** Without it nothing is encrypted, the password neither. */
  tls?: TlsClientOptions;
  webSocket?: { path: string; headers?: Readonly<Record<string, string>> };
  /** Text is sent as UTF-8. */
  password?: Uint8Array | string;
  /** Default none: the state endpoints are not supported. */
  stateTopics?: StateTopics;
} & DeviceEndpoint;

const stateTopicTypes = {
  state: "string",
  stateGet: "string",
  stateDelete: "string",
  subscribe: "strings",
} as const satisfies OptionTypes<StateTopics>;

const optionTypes = {
  ...withoutTypes(deviceSettingTypes, "on", "shadowTopics", "requestsShadow"),
  ...withoutTypes(deviceReachTypes, "secTagDialer", "secTag", "handshake", "tlsSessions"),
  name: "string",
  password: "text",
  stateTopics: { options: stateTopicTypes },
} as const satisfies OptionTypes<MqttBackendOptions>;

export const mqttBackendName = "MQTT";
export const defaultMqttPort = 1883;

/** The protocol's registered name for ALPN; AWS IoT has one of its own on port 443. */
const alpnOnPort443 = ["mqtt"];

/**
 * Any MQTT broker as a backend, over a `Device` with these options: port 8883 with TLS, 1883 without, a user name and password
 * or a client certificate, and topics of one's choice for the state.
 *
 * @throws {ThinglineError} OPTION_INVALID, here and, when the client id is left to the application, in `init()`
 */
export function createMqttBackend(given: MqttBackendOptions): CloudBackend {
  const of = "createMqttBackend()";
  const read = readOptions(given, optionTypes, { of, required: ["clock", "random", "dialer"] });
  const { name = mqttBackendName, stateTopics = {}, password, ...options } = { ...read, ...listsOf(read) };
  const inTopic = (topic: string, clientId: string): string => topic.replaceAll("{clientId}", clientId);
  for (const endpoint of ["state", "stateGet", "stateDelete"] as const) {
    checkStateTopic(`stateTopics.${endpoint}`, stateTopics[endpoint]);
  }
  const optionsOf = (clientId: string): DeviceOptions => ({
    // Another broker has limits of its own, which it tells when they are met.
    quotas: "none",
    ...options,
    ...reachOf(options),
    ...(password === undefined ? {} : { password: bytesOf(password) }),
    applicationTopics: [
      ...(options.applicationTopics ?? []),
      ...(stateTopics.subscribe ?? []).map((filter) => inTopic(filter, clientId)),
    ],
    clientId,
  });
  checkOptions(optionsOf(options.clientId ?? "any"), of);
  const operations = new DeviceOperations({
    name,
    optionsOf: (config) => optionsOf(clientIdOf(options.clientId, config)),
    stateTopicOf: (type, clientId) => {
      const topic = type === "pair" ? undefined : stateTopics[type];
      return topic === undefined ? undefined : inTopic(topic, clientId);
    },
  });
  return createCloudBackend(name, operations);
}

type Reach = Pick<MqttBackendOptions, "tls" | "webSocket" | "alpnProtocols"> & DeviceEndpoint;

/** The address with its port, and the protocol's name where port 443 is shared with others. */
function reachOf(options: Reach): DeviceEndpoint & Pick<DeviceSettings, "alpnProtocols"> {
  const { host, port } = endpointOf(options, options.tls === undefined ? defaultMqttPort : defaultMqttsPort);
  const address = host.includes(":") ? `[${host}]` : host;
  const isShared = port === 443 && options.webSocket === undefined && options.alpnProtocols === undefined;
  return {
    ...((options as { endpoint?: string }).endpoint !== undefined
      ? { endpoint: `${address}:${port}` }
      : { host, port }),
    ...(isShared ? { alpnProtocols: alpnOnPort443 } : {}),
  };
}

function checkStateTopic(option: string, topic: string | undefined): void {
  if (topic === undefined) return;
  try {
    checkTopicName(topic.replaceAll("{clientId}", "any"));
  } catch (error) {
    throw optionInvalid(
      option,
      "a topic name",
      `"${topic}": ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function bytesOf(password: Uint8Array | string): Uint8Array {
  return typeof password === "string" ? new TextEncoder().encode(password) : password;
}
