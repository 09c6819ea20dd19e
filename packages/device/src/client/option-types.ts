import type { OptionTable, OptionTypes } from "@thingline/protocol";
import {
  clockOption,
  dialerOption,
  filesOption,
  randomOption,
  secTagDialerOption,
  tlsClientOptionTypes,
} from "@thingline/transport";
import type { PollOptions } from "../connection/held-input.js";
import type { DeviceCredentials, DeviceEndpoint } from "../connection/options.js";
import type { ReconnectOptions } from "../connection/reconnect.js";
import type { ConnectOptions } from "../device.js";
import type { OfflineQueueOptions, OfflineStorage } from "../offline-queue/types.js";
import type { SubscribeOptions } from "../topics/subscription.js";
import type { DeviceListeners } from "./events.js";
import { listOf } from "./option-values.js";
import type { ConnectDeviceOptions, DeviceOptions, DeviceSettings, LastWill, ShadowTopic } from "./options.js";
import type { DeviceQuotas } from "./quotas.js";

/** What every option is, by name: held against the interfaces, so that one that is added there is missing here. */

const listenerTypes = {
  connecting: "function",
  connected: "function",
  ready: "function",
  data: "function",
  puback: "function",
  pingresp: "function",
  offlineQueue: "function",
  recordTooLarge: "function",
  disconnected: "function",
  warning: "function",
  error: "function",
} as const satisfies OptionTypes<DeviceListeners>;

const storageTypes = {
  files: filesOption,
  folder: "string",
  durability: "string",
  segmentBytes: "number",
} as const satisfies OptionTypes<OfflineStorage>;

const offlineQueueTypes = {
  messagesMax: "number",
  bytesMax: "number",
  overflow: "string",
  expiresAfterMs: "number",
  messagesPerSecondMax: "number",
  storage: { options: storageTypes, required: ["files", "folder"] },
} as const satisfies OptionTypes<OfflineQueueOptions>;

const lastWillTypes = {
  topic: "string",
  payload: "text",
  qos: "number",
  isRetained: "boolean",
} as const satisfies OptionTypes<LastWill>;

export const reconnectTypes = {
  baseMs: "number",
  capMs: "number",
  attemptsMax: "number",
  firstAttempt: "string",
} as const satisfies OptionTypes<ReconnectOptions>;

export const quotaTypes = {
  payloadBytesMax: "number",
  topicBytesMax: "number",
  topicSlashesMax: "number",
  subscriptionsMax: "number",
  clientIdBytesMax: "number",
  userPropertiesBytesMax: "number",
  contentTypeBytesMax: "number",
  correlationDataBytesMax: "number",
  topicAliasMax: "number",
} as const satisfies OptionTypes<DeviceQuotas>;

/** Where, and with what credentials. */
export const deviceReachTypes = {
  endpoint: "string",
  host: "string",
  port: "number",
  secTagDialer: secTagDialerOption,
  secTag: "number",
  dialer: dialerOption,
  tls: { options: tlsClientOptionTypes },
  tlsSessions: "object",
  webSocket: { options: { path: "string", headers: "object" }, required: ["path"] },
  handshake: "string",
} as const satisfies OptionTypes<DeviceEndpoint & DeviceCredentials>;

export const deviceSettingTypes = {
  clientId: "string",
  clock: clockOption,
  random: randomOption,
  // An object or false.
  reconnect: "any",
  version: "number",
  keepAliveSeconds: "number",
  isCleanSession: "boolean",
  sessionExpirySeconds: "number",
  applicationTopics: "strings",
  shadowTopics: "strings",
  requestsShadow: "boolean",
  trustsSession: "boolean",
  lastWill: { options: lastWillTypes, required: ["topic", "payload"] },
  payloadBytesMax: "number",
  connectTimeoutMs: "number",
  connackTimeoutMs: "number",
  ackTimeoutMs: "number",
  sendTimeoutMs: "number",
  receiveTimeoutMs: "number",
  resendAfterMs: "number",
  closeTimeoutMs: "number",
  inflightMax: "number",
  queueMax: "number",
  oversizeRecords: "string",
  // An object or "none".
  quotas: "any",
  offlineQueue: { options: offlineQueueTypes },
  receiveMaximum: "number",
  acknowledges: "string",
  staticAddress: "string",
  serverName: "string",
  alpnProtocols: "array",
  family: "number",
  username: "string",
  password: "bytes",
  userProperties: "array",
  driver: "string",
  on: { options: listenerTypes },
} as const satisfies OptionTypes<DeviceSettings>;

export const deviceOptionTypes = {
  ...deviceReachTypes,
  ...deviceSettingTypes,
} as const satisfies OptionTypes<DeviceOptions>;

export const connectDeviceOptionTypes = {
  ...deviceOptionTypes,
  signal: "signal",
} as const satisfies OptionTypes<ConnectDeviceOptions>;

/** A table without some of its names, as `Omit` of its interface. */
export function withoutTypes<Table extends OptionTable, Name extends keyof Table>(
  table: Table,
  ...names: readonly Name[]
): Omit<Table, Name> {
  const left = Object.entries(table).filter(([name]) => !(names as readonly PropertyKey[]).includes(name));
  return Object.fromEntries(left) as Omit<Table, Name>;
}

interface Lists {
  applicationTopics?: Iterable<string>;
  shadowTopics?: Iterable<ShadowTopic>;
}

/** Lists that may be iterated only once, as arrays: for those who read them again. What is no list is left to the check. */
export function listsOf({ applicationTopics, shadowTopics }: Lists): Lists {
  const isList = <Item>(value: Iterable<Item> | undefined): value is Iterable<Item> =>
    isObject(value) && Symbol.iterator in value;
  return {
    ...(isList(applicationTopics) && { applicationTopics: listOf("applicationTopics", applicationTopics) }),
    ...(isList(shadowTopics) && { shadowTopics: listOf("shadowTopics", shadowTopics) }),
  };
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

// ---- options of single calls -----------------------------------------------------------------------------------

export const connectOptionTypes = {
  signal: "signal",
  applicationTopics: "strings",
  secTag: "number",
} as const satisfies OptionTypes<ConnectOptions>;

export const signalOptionTypes = { signal: "signal" } as const satisfies OptionTypes<{ signal?: AbortSignal }>;

export const pollOptionTypes = {
  timeoutMs: "number",
  signal: "signal",
} as const satisfies OptionTypes<PollOptions>;

export const subscribeOptionTypes = {
  qos: "number",
  queueMax: "number",
  toData: "boolean",
  signal: "signal",
} as const satisfies OptionTypes<SubscribeOptions>;
