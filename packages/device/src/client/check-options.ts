import { optionInvalid, readOptions, unreadableOption } from "@thingline/protocol";
import { checkTopicName, type ClientSessionOptions, parseTopicFilter } from "@thingline/protocol/mqtt/client";
import { shadowTopicTails } from "@thingline/protocol/shadow/client";
import type { ConnectionRules } from "../connection/options.js";
import { defaultReceiveTimeoutMs } from "../connection/receive-watch.js";
import {
  defaultReconnectBaseMs,
  defaultReconnectCapMs,
  type ReconnectOptions,
  type ReconnectRules,
} from "../connection/reconnect.js";
import { type CheckedOfflineQueue, checkOfflineQueue } from "../offline-queue/options.js";
import { checkCredentials, checkReachDetails, endpointOf, webSocketOf } from "./check-reach.js";
import { connectDeviceOptionTypes, deviceOptionTypes, quotaTypes, reconnectTypes } from "./option-types.js";
import {
  checkUserProperties,
  copyBytes,
  flag,
  integer,
  listOf,
  named,
  oneOf,
  optional,
  text,
} from "./option-values.js";
import {
  defaultCloseTimeoutMs,
  defaultKeepAliveSeconds,
  defaultMqttsPort,
  defaultPayloadBytesMax,
  defaultSendTimeoutMs,
  defaultSessionExpirySeconds,
  type DeviceOptions,
  type DeviceSettings,
  type LastWill,
  type ShadowTopic,
} from "./options.js";
import { awsQuotas, type DeviceQuotas, mqttQuotas, QuotaGate, topicLimitsOf, userPropertiesBytesOf } from "./quotas.js";

/** Room for everything but the payload in the largest packet that is taken: AWS IoT's 146 KB less 128 KB. */
export const packetOverheadBytes = 18_432;

/** So long a PUBACK may be waited for. */
export const ackTimeoutMsMax = 3_600_000;
const alpnOnPort443 = "x-amzn-mqtt-ca";
const encoder = new TextEncoder();

const defaultRules: ReconnectRules = {
  baseMs: defaultReconnectBaseMs,
  capMs: defaultReconnectCapMs,
  attemptsMax: Infinity,
  firstAttempt: "fail",
};

const none: readonly never[] = [];

/** Options with their defaults, checked. */
export interface CheckedOptions extends ConnectionRules {
  applicationTopics: readonly string[];
  shadowTopics: readonly ShadowTopic[];
  requestsShadow: boolean;
  trustsSession: boolean;
  payloadBytesMax: number;
  quotas: QuotaGate;
  offlineQueue: CheckedOfflineQueue | undefined;
}

const required = ["clientId", "clock", "random"];

/**
 * Names and types first, then values. The options are read here and not kept.
 *
 * @throws {ThinglineError} OPTION_INVALID, CERTIFICATE_INVALID, KEY_INVALID with the option's name in `details.option`.
 */
export function checkOptions(options: DeviceOptions, of = "createDevice()"): CheckedOptions {
  return checkValues(readDeviceOptions(options, of));
}

/** Names and types, and each option as it is now. @throws {ThinglineError} OPTION_INVALID */
export function readDeviceOptions<Options extends DeviceOptions>(options: Options, of: string): Options {
  const types = of === "connectDevice()" ? connectDeviceOptionTypes : deviceOptionTypes;
  return readOptions(options, types, { of, required });
}

/** @throws {ThinglineError} OPTION_INVALID, CERTIFICATE_INVALID, KEY_INVALID */
export function checkValues(options: DeviceOptions): CheckedOptions {
  try {
    return checkedOf(options);
  } catch (thrown) {
    // What is inside of them is read by others, and later.
    throw unreadableOption(options, deviceOptionTypes, thrown);
  }
}

function checkedOf(options: DeviceOptions): CheckedOptions {
  const { host, port } = endpointOf(options, defaultMqttsPort);
  checkCredentials(options);
  const quotas = quotasOf(options.quotas);
  checkClientId(options.clientId, quotas);
  const isDriven = oneOf("driver", options.driver ?? "library", ["library", "application"] as const) === "application";
  if (isDriven && typeof options.reconnect === "object") {
    const expected = 'false or nothing with `driver: "application"`, which reconnects by itself';
    throw optionInvalid("reconnect", expected, "an object");
  }
  const payloadBytesMax = integer("payloadBytesMax", options.payloadBytesMax ?? defaultPayloadBytesMax, 0, 268_435_455);
  const session = sessionOf(options, { isDriven, packetBytesMax: packetBytesMaxOf(payloadBytesMax), quotas });
  checkReachDetails(options);
  const gate = new QuotaGate(quotas);
  const isShared = port === 443 && webSocketOf(options) === undefined;
  return {
    host,
    port,
    alpnProtocols: options.alpnProtocols ?? (isShared ? [alpnOnPort443] : undefined),
    applicationTopics: topicsOf(options.applicationTopics ?? none, gate),
    shadowTopics: shadowTopicsOf(options.shadowTopics ?? none),
    requestsShadow: flag("requestsShadow", options.requestsShadow ?? false),
    trustsSession: flag("trustsSession", options.trustsSession ?? true),
    sendTimeoutMs: integer("sendTimeoutMs", options.sendTimeoutMs ?? defaultSendTimeoutMs, 0, 3_600_000),
    receiveTimeoutMs: integer("receiveTimeoutMs", options.receiveTimeoutMs ?? defaultReceiveTimeoutMs, 0, 3_600_000),
    payloadBytesMax,
    packetBytesMax: packetBytesMaxOf(payloadBytesMax),
    closeTimeoutMs: integer("closeTimeoutMs", options.closeTimeoutMs ?? defaultCloseTimeoutMs, 0, 3_600_000),
    quotas: gate,
    keepsTryingRecords:
      oneOf("oversizeRecords", options.oversizeRecords ?? "giveUp", ["giveUp", "keepTrying"] as const) === "keepTrying",
    reconnect: isDriven ? undefined : reconnectOf(options.reconnect),
    offlineQueue: options.offlineQueue === undefined ? undefined : checkOfflineQueue(options.offlineQueue),
    session,
  };
}

function checkClientId(clientId: string, { clientIdBytesMax }: DeviceQuotas): void {
  const lengthBytes = encoder.encode(text("clientId", clientId)).length;
  if (lengthBytes < 1 || lengthBytes > clientIdBytesMax) {
    throw optionInvalid("clientId", `1..${clientIdBytesMax} bytes of UTF-8`, lengthBytes);
  }
  if (clientId.startsWith("$")) throw optionInvalid("clientId", "no leading $ (AWS IoT reserves it)", "$...");
}

interface SessionFacts {
  isDriven: boolean;
  packetBytesMax: number;
  quotas: Readonly<DeviceQuotas>;
}

function sessionOf(options: DeviceOptions, { isDriven, packetBytesMax, quotas }: SessionFacts): ClientSessionOptions {
  const version = oneOf("version", options.version ?? 4, [4, 5] as const);
  const isCleanSession = flag("isCleanSession", options.isCleanSession ?? false);
  const acknowledges = options.acknowledges ?? "afterHandler";
  const session: ClientSessionOptions = {
    version,
    clientId: options.clientId,
    isCleanSession,
    keepAliveSeconds: integer("keepAliveSeconds", options.keepAliveSeconds ?? defaultKeepAliveSeconds, 1, 1200),
    acknowledges: oneOf("acknowledges", acknowledges, ["afterHandler", "beforeHandler"] as const),
    isKeepAliveAutomatic: !isDriven,
    maximumPacketBytes: Math.min(packetBytesMax, recordBytesMaxOf(options)),
    ...optional("connackTimeoutMs", options.connackTimeoutMs, 1, 3_600_000),
    ...optional("ackTimeoutMs", options.ackTimeoutMs, 1, ackTimeoutMsMax),
    ...optional("inflightMax", options.inflightMax, 1, 65_535),
    ...optional("resendAfterMs", options.resendAfterMs, 1, 3_600_000),
    ...optional("queueMax", options.queueMax, 0, 1_000_000),
    ...optional("receiveMaximum", options.receiveMaximum, 1, 65_535),
  };
  if (version === 5 && options.resendAfterMs !== undefined) {
    throw optionInvalid("resendAfterMs", "none in MQTT 5, which forbids it", options.resendAfterMs);
  }
  if (options.username !== undefined) session.username = text("username", options.username);
  if (options.password !== undefined) session.password = copyBytes(options.password);
  if (options.userProperties !== undefined) checkUserProperties("userProperties", options.userProperties);
  if (options.lastWill !== undefined) session.will = willOf(options.lastWill, quotas);
  optional("sessionExpirySeconds", options.sessionExpirySeconds, 0, 4_294_967_295);
  if (version === 5) session.properties = propertiesOf(options, isCleanSession, quotas);
  return session;
}

function quotasOf(given: DeviceSettings["quotas"]): Readonly<DeviceQuotas> {
  if (given === undefined) return awsQuotas;
  if (given === "none") return mqttQuotas;
  const read = readOptions(given, quotaTypes, { of: "quotas", prefix: "quotas." });
  const quotas: DeviceQuotas = { ...awsQuotas };
  for (const name of Object.keys(quotaTypes) as (keyof DeviceQuotas)[]) {
    const value = read[name];
    if (value === undefined) continue;
    quotas[name] = value === Infinity ? value : integer(`quotas.${name}`, value, 0, Number.MAX_SAFE_INTEGER);
  }
  return quotas;
}

/** AWS IoT takes no Maximum Packet Size below this. */
const announcedBytesMin = 512;

/** A packet that fits in one TLS record of this device: AWS IoT sends each in one. */
function recordBytesMaxOf(options: DeviceOptions): number {
  const secTagDialer = "secTagDialer" in options ? options.secTagDialer : undefined;
  const tls = "tls" in options ? options.tls : undefined;
  const bytesMax = secTagDialer?.receivedRecordBytesMax ?? tls?.receivedRecordBytesMax ?? Infinity;
  return Math.max(announcedBytesMin, bytesMax);
}

/** The Maximum Packet Size that an MQTT 5 server was told because of this device's TLS: what is larger never comes. */
export function announcedRecordBytesOf({ session, packetBytesMax }: CheckedOptions): number | undefined {
  const { version, maximumPacketBytes = Infinity } = session;
  return version === 5 && maximumPacketBytes < packetBytesMax ? maximumPacketBytes : undefined;
}

/** The largest packet that is decoded; payloads between `payloadBytesMax` and AWS's limit are drained. */
export function packetBytesMaxOf(payloadBytesMax: number): number {
  return Math.min(268_435_460, Math.max(payloadBytesMax, defaultPayloadBytesMax) + packetOverheadBytes);
}

function willOf(lastWill: LastWill, quotas: DeviceQuotas): NonNullable<ClientSessionOptions["will"]> {
  const { topic, payload, qos = 0, isRetained = false } = lastWill;
  named("lastWill.topic", () => checkTopicName(text("lastWill.topic", topic), topicLimitsOf(quotas)));
  const bytes = typeof payload === "string" ? encoder.encode(payload) : payload;
  const bytesMax = Math.min(65_535, quotas.payloadBytesMax);
  if (bytes.length > bytesMax) throw optionInvalid("lastWill.payload", `at most ${bytesMax} bytes`, bytes.length);
  return {
    topic,
    payload: copyBytes(bytes),
    qos: oneOf("lastWill.qos", qos, [0, 1] as const),
    isRetained: flag("lastWill.isRetained", isRetained),
  };
}

function propertiesOf(
  options: DeviceSettings,
  isCleanSession: boolean,
  { userPropertiesBytesMax }: DeviceQuotas,
): NonNullable<ClientSessionOptions["properties"]> {
  const expirySeconds = options.sessionExpirySeconds ?? (isCleanSession ? 0 : defaultSessionExpirySeconds);
  const properties: NonNullable<ClientSessionOptions["properties"]> = { sessionExpirySeconds: expirySeconds };
  const userBytes = userPropertiesBytesOf(options.userProperties);
  if (userBytes > userPropertiesBytesMax) {
    throw optionInvalid("userProperties", `at most ${userPropertiesBytesMax} bytes of names and values`, userBytes);
  }
  if (options.userProperties !== undefined) properties.userProperties = options.userProperties;
  return properties;
}

const shadowTopicNames = shadowTopicTails.filter((tail): tail is ShadowTopic => /accepted|rejected|delta/.test(tail));

function shadowTopicsOf(topics: Iterable<ShadowTopic>): readonly ShadowTopic[] {
  if (topics === none) return none;
  const wanted = listOf("shadowTopics", topics);
  for (const topic of wanted) oneOf("shadowTopics", topic, shadowTopicNames);
  return wanted;
}

function reconnectOf(options: false | ReconnectOptions | undefined): ReconnectRules | undefined {
  if (options === false) return undefined;
  if (options === undefined) return defaultRules;
  if ((options as unknown) === true) throw optionInvalid("reconnect", "false or an object", "true");
  const {
    baseMs = defaultReconnectBaseMs,
    capMs = defaultReconnectCapMs,
    attemptsMax,
    firstAttempt = "fail",
  } = readOptions(options, reconnectTypes, { of: "reconnect", prefix: "reconnect." });
  return {
    baseMs: integer("reconnect.baseMs", baseMs, 1, 3_600_000),
    capMs: integer("reconnect.capMs", capMs, baseMs, 86_400_000),
    attemptsMax: attemptsMax === undefined ? Infinity : integer("reconnect.attemptsMax", attemptsMax, 1, 1_000_000),
    firstAttempt: oneOf("reconnect.firstAttempt", firstAttempt, ["fail", "retry"] as const),
  };
}

/** @throws {ThinglineError} OPTION_INVALID */
export function topicsOf(topics: Iterable<string>, quotas: QuotaGate): readonly string[] {
  if (topics === none) return none;
  const filters = listOf("applicationTopics", topics);
  if (filters.length > quotas.subscriptionsMax) {
    throw optionInvalid("applicationTopics", `at most ${quotas.subscriptionsMax} filters`, filters.length);
  }
  for (const filter of filters) {
    named("applicationTopics", () => parseTopicFilter(text("applicationTopics", filter), quotas.filterLimits));
  }
  return filters;
}
