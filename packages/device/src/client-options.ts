import { checkOptionTypes, isThinglineError, kindOf, ThinglineError } from "@thingline/protocol";
import {
  checkTopicName,
  type ClientSessionOptions,
  type ConnectProperties,
  type MqttVersion,
  parseTopicFilter,
} from "@thingline/protocol/mqtt";
import { type ShadowTopicTail, shadowTopicTails } from "@thingline/protocol/shadow";
import type { Clock, Dialer, Random, SecTagDialer, TlsClientOptions } from "@thingline/transport";
import { checkTlsPems } from "@thingline/protocol/x509";
import {
  checkUserProperties,
  connectDeviceOptionTypes,
  deviceOptionTypes,
  quotaTypes,
  reconnectTypes,
} from "./client-option-types.js";
import { TlsSessionCache } from "./tls-sessions.js";
import type { DeviceListeners } from "./client-events.js";
import {
  awsQuotas,
  type DeviceQuotas,
  mqttQuotas,
  QuotaGate,
  topicLimitsOf,
  userPropertiesBytesOf,
} from "./client-quotas.js";
import { defaultReceiveTimeoutMs } from "./client-receive-watch.js";
import {
  defaultReconnectBaseMs,
  defaultReconnectCapMs,
  type ReconnectOptions,
  type ReconnectRules,
} from "./client-reconnect.js";
import { type CheckedOfflineQueue, checkOfflineQueue } from "./offline-queue/options.js";
import type { OfflineQueueOptions } from "./offline-queue/types.js";

export interface LastWill {
  topic: string;
  payload: Uint8Array | string;
  /** Default 0, as in the original library. */
  qos?: 0 | 1;
  /** Default false. */
  isRetained?: boolean;
}

/** Topics on which the shadow service answers; see `AWS_IOT_TOPIC_*_SUBSCRIBE` of the original library. */
export type ShadowTopic = Exclude<ShadowTopicTail, "get" | "update" | "delete" | "update/documents">;

/**
 * `resume`: a reconnect may resume the TLS session, which saves a round trip or two and the certificates, and proves no new
 * credentials: the server goes by the certificate of the session's first handshake. After an attempt that failed before
 * CONNACK the next one is full again. Default `full`, as in the original library since 2021.
 */
export type Handshake = "full" | "resume";

/** How to reach the cloud: with the credentials of a security tag, or with a dialer and TLS options. */
export type DeviceCredentials =
  | { secTagDialer: SecTagDialer; secTag: number; handshake?: Handshake }
  /** Without `tls` the connection is not encrypted: for local tools only. */
  | {
      dialer: Dialer;
      tls?: TlsClientOptions;
      handshake?: Handshake;
      /** Sessions to resume, when devices that follow each other share them. Default: the device's own. */
      tlsSessions?: TlsSessionCache;
      webSocket?: { path: string; headers?: Readonly<Record<string, string>> };
    };

/** Where: `endpoint` (`HOST` or `HOST:PORT`, `[V6]:PORT`), or `host` and `port`. */
export type DeviceEndpoint = { endpoint: string } | { host: string; port?: number };

export interface DeviceSettings {
  /** 1..128 bytes of UTF-8; not beginning with `$`. */
  clientId: string;
  clock: Clock;
  /** Jitter between attempts. */
  random: Random;
  /**
   * How the device stays connected; false: it does not, and is idle when its connection ends. Default: full-jitter backoff
   * from 1 s to 60 s, without end, once the first attempt succeeded.
   */
  reconnect?: false | ReconnectOptions;
  /** 4 is MQTT 3.1.1 (the default, as in the original library), 5 is MQTT 5. */
  version?: MqttVersion;
  /** 1..1200, what AWS IoT takes without changing it at most. Default {@link defaultKeepAliveSeconds}. */
  keepAliveSeconds?: number;
  /** true: the cloud forgets subscriptions and queued messages. Default false. */
  isCleanSession?: boolean;
  /** MQTT 5: how long the cloud keeps the session. Default {@link defaultSessionExpirySeconds}, 0 for a clean session. */
  sessionExpirySeconds?: number;
  /** Subscribed with QoS 1 right after CONNACK, unless the session was resumed. Default none. */
  applicationTopics?: Iterable<string>;
  /**
   * Topics of the classic shadow of the thing that is named like the client id: subscribed with QoS 1 in a packet of their
   * own after the application topics, and heard by `data` listeners. Default none.
   */
  shadowTopics?: Iterable<ShadowTopic>;
  /**
   * Publishes an empty message with QoS 0 to the shadow's `get` with every connection, as
   * `CONFIG_AWS_IOT_AUTO_DEVICE_SHADOW_REQUEST` does: before `ready`, on a resumed session right after it. The answer comes on
   * `get/accepted` or, when there is no shadow, on `get/rejected`. Default false.
   */
  requestsShadow?: boolean;
  /**
   * A persistent session that an earlier process left at the cloud is taken to hold the application and shadow topics, which are not
   * subscribed again then, as in the original library. false: they are, with the first connection: for lists that may have
   * changed since. Default true.
   */
  trustsSession?: boolean;
  lastWill?: LastWill;
  /** Messages with a larger payload are acknowledged, dropped and reported. Default {@link defaultPayloadBytesMax}. */
  payloadBytesMax?: number;
  /** From the first packet to the ready connection, TLS included. Default: the dialer's. */
  connectTimeoutMs?: number;
  /** From the open connection to CONNACK. Default 30 s. */
  connackTimeoutMs?: number;
  /**
   * From the call to PUBACK, SUBACK or UNSUBACK. Only the time with a connection counts: a message that waits for the next
   * one does not grow older. Default 30 s.
   */
  ackTimeoutMs?: number;
  /** Output of which the network takes nothing for that long ends the connection with TIMEOUT; 0: never. Default {@link defaultSendTimeoutMs}. */
  sendTimeoutMs?: number;
  /**
   * A packet of the server that is not complete after that long, and a second more for every {@link receiveBytesPerSecondMin} bytes
   * of it that have come, up to {@link receiveTotalMsMax}, ends the connection with TIMEOUT; 0: never. Default
   * {@link defaultReceiveTimeoutMs}.
   */
  receiveTimeoutMs?: number;
  /**
   * MQTT 3.1.1 only (5 forbids it): a QoS 1 message without PUBACK is sent again, marked as a duplicate, after that long on
   * the same connection. Default: only with the next connection.
   */
  resendAfterMs?: number;
  /** How long `disconnect()` waits for acknowledgements, and then for the end of the connection. Default {@link defaultCloseTimeoutMs}. */
  closeTimeoutMs?: number;
  /** Unacknowledged QoS 1 messages to the cloud. Default 100, the limit of AWS IoT. */
  inflightMax?: number;
  /** Messages that wait for their turn; more are refused with LIMIT_EXCEEDED. Default 1000. */
  queueMax?: number;
  /**
   * What becomes of messages that are too large for the TLS of this device, as those over 2,048 bytes are for a modem's, and that end
   * each connection anew. Under MQTT 5 the cloud is told not to send them. `giveUp`: after {@link sameRecordCutsMax} such cuts
   * in a row the session at the cloud is discarded, with the messages that wait in it, and a filter whose messages ended
   * {@link filterCutsMax} connections stays unsubscribed; each is a `recordTooLarge` event. `keepTrying`: neither. Default `giveUp`.
   */
  oversizeRecords?: "giveUp" | "keepTrying";
  /**
   * What the cloud takes, checked at the call. Single ones overrule those of AWS IoT; `none`: whatever MQTT can carry, for other
   * brokers. Default {@link awsQuotas}.
   */
  quotas?: Partial<DeviceQuotas> | "none";
  /** Keeps QoS 1 messages while the device is not connected. Default: there is none, and only `queueMax` messages wait. */
  offlineQueue?: OfflineQueueOptions;
  /** QoS 1 messages from the cloud that listeners have not finished. Default 100, the limit of AWS IoT. */
  receiveMaximum?: number;
  /** When PUBACK is sent. `beforeHandler` is what the original library does. Default `afterHandler`. */
  acknowledges?: "afterHandler" | "beforeHandler";
  /** This IPv4 or IPv6 address is dialed instead of the host, which stays the name for SNI and for the server's certificate. */
  staticAddress?: string;
  /** SNI and the name in the server's certificate. Default: the host. */
  serverName?: string;
  /** Default on port 443 `x-amzn-mqtt-ca`, else none. */
  alpnProtocols?: readonly string[];
  /** 4 or 6 forces an address family. */
  family?: 4 | 6;
  /** MQTT 5 and for authorizers: sent in CONNECT. */
  username?: string;
  password?: Uint8Array;
  userProperties?: ConnectProperties["userProperties"];
  /**
   * Who runs the session. `library`, the default: input is handled as it comes, and PINGREQ is sent in time, as with the
   * original's poll thread. `application`: it calls {@link Device.poll}, {@link Device.input} and {@link Device.ping}, and
   * `connect()` resolves when CONNECT is sent, before CONNACK. The device does not reconnect by itself then. Time-outs of the
   * connection and of requests run in both.
   */
  driver?: "library" | "application";
  /** Listeners that must not miss the first events. */
  on?: DeviceListeners;
}

export type DeviceOptions = DeviceSettings & DeviceEndpoint & DeviceCredentials;

export type ConnectDeviceOptions = DeviceOptions & {
  /** Ends the attempt at any stage; the device that came out of it does not listen to it any more. */
  signal?: AbortSignal;
};

export const defaultMqttsPort = 8883;
export const defaultKeepAliveSeconds = 60;
/** The lifetime of a persistent session at AWS IoT unless the account changed it. */
export const defaultSessionExpirySeconds = 3600;
/** The largest payload of AWS IoT. */
export const defaultPayloadBytesMax = 131_072;
export const defaultCloseTimeoutMs = 5_000;
/** As `CONFIG_AWS_IOT_SEND_TIMEOUT_SEC`. */
export const defaultSendTimeoutMs = 60_000;
/** The security tag that Nordic's own cloud service keeps its credentials under. */
export const nrfCloudSecTag = 16_842_753;
/** AWS IoT closes the connection on a SUBSCRIBE or UNSUBSCRIBE with more filters. */
export const filtersPerPacketMax = 8;
/** AWS IoT's limit for one connection. See {@link DeviceQuotas}. */
export const applicationTopicsMax = awsQuotas.subscriptionsMax;
/** Room for everything but the payload in the largest packet that is taken: AWS IoT's 146 KB less 128 KB. */
export const packetOverheadBytes = 18_432;

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
export interface CheckedOptions {
  host: string;
  port: number;
  alpnProtocols: readonly string[] | undefined;
  applicationTopics: readonly string[];
  shadowTopics: readonly ShadowTopic[];
  requestsShadow: boolean;
  trustsSession: boolean;
  sendTimeoutMs: number;
  receiveTimeoutMs: number;
  payloadBytesMax: number;
  closeTimeoutMs: number;
  quotas: QuotaGate;
  keepsTryingRecords: boolean;
  /** Undefined: one connection, and then idle. */
  reconnect: ReconnectRules | undefined;
  offlineQueue: CheckedOfflineQueue | undefined;
  session: ClientSessionOptions;
}

const required = ["clientId", "clock", "random"];

/**
 * Names and types first, then values. The options are read here and not kept.
 *
 * @throws {ThinglineError} OPTION_INVALID, CERTIFICATE_INVALID, KEY_INVALID with the option's name in `details.option`.
 */
export function checkOptions(options: DeviceOptions, of = "createDevice()"): CheckedOptions {
  checkOptionTypes(options, of === "connectDevice()" ? connectDeviceOptionTypes : deviceOptionTypes, { of, required });
  const { host, port } = endpointOf(options, defaultMqttsPort);
  checkCredentials(options);
  const quotas = quotasOf(options.quotas);
  const { clientIdBytesMax } = quotas;
  const clientIdBytes = encoder.encode(text("clientId", options.clientId)).length;
  if (clientIdBytes < 1 || clientIdBytes > clientIdBytesMax) {
    throw invalid("clientId", `1..${clientIdBytesMax} bytes of UTF-8`, clientIdBytes);
  }
  if (options.clientId.startsWith("$")) throw invalid("clientId", "no leading $ (AWS IoT reserves it)", "$...");
  const version = oneOf("version", options.version ?? 4, [4, 5] as const);
  const isCleanSession = flag("isCleanSession", options.isCleanSession ?? false);
  const isDriven = oneOf("driver", options.driver ?? "library", ["library", "application"] as const) === "application";
  if (isDriven && typeof options.reconnect === "object") {
    throw invalid(
      "reconnect",
      'false or nothing with `driver: "application"`, which reconnects by itself',
      "an object",
    );
  }
  const payloadBytesMax = integer("payloadBytesMax", options.payloadBytesMax ?? defaultPayloadBytesMax, 0, 268_435_455);
  const session: ClientSessionOptions = {
    version,
    clientId: options.clientId,
    isCleanSession,
    keepAliveSeconds: integer("keepAliveSeconds", options.keepAliveSeconds ?? defaultKeepAliveSeconds, 1, 1200),
    acknowledges: oneOf("acknowledges", options.acknowledges ?? "afterHandler", [
      "afterHandler",
      "beforeHandler",
    ] as const),
    isKeepAliveAutomatic: !isDriven,
    maximumPacketBytes: Math.min(packetBytesMaxOf(payloadBytesMax), recordBytesMaxOf(options)),
    ...optional("connackTimeoutMs", options.connackTimeoutMs, 1, 3_600_000),
    ...optional("ackTimeoutMs", options.ackTimeoutMs, 1, 3_600_000),
    ...optional("inflightMax", options.inflightMax, 1, 65_535),
    ...optional("resendAfterMs", options.resendAfterMs, 1, 3_600_000),
    ...optional("queueMax", options.queueMax, 0, 1_000_000),
    ...optional("receiveMaximum", options.receiveMaximum, 1, 65_535),
  };
  if (version === 5 && options.resendAfterMs !== undefined) {
    throw invalid("resendAfterMs", "none in MQTT 5, which forbids it", options.resendAfterMs);
  }
  if (options.username !== undefined) session.username = text("username", options.username);
  if (options.password !== undefined) session.password = options.password;
  if (options.userProperties !== undefined) checkUserProperties("userProperties", options.userProperties);
  if (options.family !== undefined) oneOf("family", options.family, [4, 6] as const);
  if (options.serverName === "") throw invalid("serverName", "a name", "an empty one");
  checkEach("alpnProtocols", options.alpnProtocols);
  if (options.lastWill !== undefined) session.will = willOf(options.lastWill, quotas);
  optional("sessionExpirySeconds", options.sessionExpirySeconds, 0, 4_294_967_295);
  if (version === 5) session.properties = propertiesOf(options, isCleanSession, quotas);
  if (options.staticAddress !== undefined) checkAddress(options.staticAddress);
  optional("connectTimeoutMs", options.connectTimeoutMs, 1, 3_600_000);
  const gate = new QuotaGate(quotas);
  const applicationTopics = topicsOf(options.applicationTopics ?? none, gate);
  const shadowTopics = shadowTopicsOf(options.shadowTopics ?? none);
  return {
    host,
    port,
    alpnProtocols:
      options.alpnProtocols ?? (port === 443 && webSocketOf(options) === undefined ? [alpnOnPort443] : undefined),
    applicationTopics,
    shadowTopics,
    requestsShadow: flag("requestsShadow", options.requestsShadow ?? false),
    trustsSession: flag("trustsSession", options.trustsSession ?? true),
    sendTimeoutMs: integer("sendTimeoutMs", options.sendTimeoutMs ?? defaultSendTimeoutMs, 0, 3_600_000),
    receiveTimeoutMs: integer("receiveTimeoutMs", options.receiveTimeoutMs ?? defaultReceiveTimeoutMs, 0, 3_600_000),
    payloadBytesMax,
    closeTimeoutMs: integer("closeTimeoutMs", options.closeTimeoutMs ?? defaultCloseTimeoutMs, 0, 3_600_000),
    quotas: gate,
    keepsTryingRecords:
      oneOf("oversizeRecords", options.oversizeRecords ?? "giveUp", ["giveUp", "keepTrying"] as const) === "keepTrying",
    reconnect: isDriven ? undefined : reconnectOf(options.reconnect),
    offlineQueue: options.offlineQueue === undefined ? undefined : checkOfflineQueue(options.offlineQueue),
    session,
  };
}

function quotasOf(given: DeviceSettings["quotas"]): Readonly<DeviceQuotas> {
  if (given === undefined) return awsQuotas;
  if (given === "none") return mqttQuotas;
  checkOptionTypes(given, quotaTypes, { of: "quotas", prefix: "quotas." });
  const quotas: DeviceQuotas = { ...awsQuotas };
  for (const name of Object.keys(quotaTypes) as (keyof DeviceQuotas)[]) {
    const value = given[name];
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
export function announcedRecordBytesOf({ session, payloadBytesMax }: CheckedOptions): number | undefined {
  const { version, maximumPacketBytes = Infinity } = session;
  return version === 5 && maximumPacketBytes < packetBytesMaxOf(payloadBytesMax) ? maximumPacketBytes : undefined;
}

/** The largest packet that is decoded; payloads between `payloadBytesMax` and AWS's limit are drained. */
export function packetBytesMaxOf(payloadBytesMax: number): number {
  return Math.min(268_435_460, Math.max(payloadBytesMax, defaultPayloadBytesMax) + packetOverheadBytes);
}

/** @throws {ThinglineError} OPTION_INVALID */
export function endpointOf(options: DeviceEndpoint, defaultPort: number): { host: string; port: number } {
  const {
    endpoint: given,
    host: givenHost,
    port: givenPort,
  } = options as DeviceEndpoint &
    Partial<Record<"endpoint" | "host", string>> & {
      port?: number;
    };
  if (given === undefined) {
    if (givenHost === undefined) throw invalid("endpoint", "HOST, HOST:PORT or [ADDRESS]:PORT", "nothing");
    const host = text("host", givenHost);
    if (host === "" || /[\s/]/.test(host)) throw invalid("host", "a host name or address", host);
    return { host, port: integer("port", givenPort ?? defaultPort, 1, 65_535) };
  }
  if (givenHost !== undefined) throw invalid("endpoint", "endpoint or host, not both", "both");
  if (givenPort !== undefined) throw invalid("port", "none with an endpoint: write HOST:PORT", givenPort);
  const endpoint = text("endpoint", given);
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/[\]]+))(?::(\d{1,5}))?$/.exec(endpoint);
  if (match === null) throw invalid("endpoint", "HOST, HOST:PORT or [ADDRESS]:PORT", endpoint);
  const host = match[1] ?? match[2] ?? "";
  return { host, port: integer("endpoint", match[3] === undefined ? defaultPort : Number(match[3]), 1, 65_535) };
}

function checkCredentials(options: DeviceOptions): void {
  const { dialer, secTagDialer, secTag, tls, tlsSessions } = options as Partial<UnitedCredentials>;
  if ((dialer === undefined) === (secTagDialer === undefined)) {
    const got =
      dialer === undefined ? "neither; createNodeNetwork() of @thingline/transport/node makes a dialer" : "both";
    throw invalid("dialer", "either secTagDialer with secTag, or dialer", got);
  }
  oneOf("handshake", options.handshake ?? "full", ["full", "resume"] as const);
  const webSocket = webSocketOf(options);
  if (secTagDialer !== undefined) {
    for (const [option, value] of Object.entries({ tls, tlsSessions, webSocket })) {
      if (value !== undefined)
        throw invalid(option, "none with a secTagDialer, which does TLS by itself", kindOf(value));
    }
    const { receivedRecordBytesMax = Infinity } = secTagDialer;
    if (!(typeof receivedRecordBytesMax === "number" && receivedRecordBytesMax >= 1)) {
      throw invalid("secTagDialer.receivedRecordBytesMax", "a number from 1", kindOf(receivedRecordBytesMax));
    }
    return checkSecTag(secTag as number, true);
  }
  if (secTag !== undefined) checkSecTag(secTag, false);
  if (tls !== undefined) checkTls(tls);
  if (tlsSessions !== undefined && !(tlsSessions instanceof TlsSessionCache)) {
    throw invalid("tlsSessions", "a TlsSessionCache", kindOf(tlsSessions));
  }
  if (webSocket !== undefined) checkWebSocket(webSocket);
}

/** Both kinds of credentials, as a caller without types may mix them. */
type UnitedCredentials = Extract<DeviceCredentials, { secTag: number }> &
  Extract<DeviceCredentials, { dialer: Dialer }>;

const webSocketOf = (options: DeviceCredentials): UnitedCredentials["webSocket"] =>
  (options as Partial<UnitedCredentials>).webSocket;

const tlsVersions = ["TLSv1.2", "TLSv1.3"] as const;

function checkTls(tls: TlsClientOptions): void {
  checkTlsPems(tls, "tls.");
  for (const option of ["minVersion", "maxVersion"] as const) {
    const version = tls[option];
    if (version !== undefined) oneOf(`tls.${option}`, version, tlsVersions);
  }
  checkEach("tls.alpnProtocols", tls.alpnProtocols);
  checkEach("tls.ciphers", tls.ciphers);
  optional("tls.receivedRecordBytesMax", tls.receivedRecordBytesMax, 1, 16_384);
}

function checkWebSocket({ path, headers = {} }: NonNullable<UnitedCredentials["webSocket"]>): void {
  if (!path.startsWith("/")) throw invalid("webSocket.path", "a path that begins with /", `${path.length} characters`);
  for (const [name, value] of Object.entries(headers)) text(`webSocket.headers.${name}`, value);
}

function checkEach(option: string, values: readonly string[] | undefined): void {
  values?.forEach((value, index) => {
    if (text(`${option}[${index}]`, value) === "") throw invalid(`${option}[${index}]`, "some text", "none");
  });
}

/** @throws {ThinglineError} OPTION_INVALID */
export function checkSecTag(secTag: number, hasDialer: boolean): void {
  if (!hasDialer) throw invalid("secTag", "none without a secTagDialer", secTag);
  // Security tags are 31-bit numbers on the nRF91.
  integer("secTag", secTag, 0, 2_147_483_647);
}

/** Something about a security tag that is allowed and looks like a mistake. */
export function secTagWarning(secTag: number): ThinglineError | undefined {
  if (secTag !== nrfCloudSecTag) return undefined;
  const message = `security tag ${nrfCloudSecTag} is where nRF Cloud keeps its credentials: they would be used, or written over`;
  return new ThinglineError("SEC_TAG_RESERVED", message, { details: { secTag: nrfCloudSecTag } });
}

function willOf(lastWill: LastWill, quotas: DeviceQuotas): NonNullable<ClientSessionOptions["will"]> {
  const { topic, payload, qos = 0, isRetained = false } = lastWill;
  named("lastWill.topic", () => checkTopicName(text("lastWill.topic", topic), topicLimitsOf(quotas)));
  const bytes = typeof payload === "string" ? encoder.encode(payload) : payload;
  const bytesMax = Math.min(65_535, quotas.payloadBytesMax);
  if (bytes.length > bytesMax) throw invalid("lastWill.payload", `at most ${bytesMax} bytes`, bytes.length);
  return {
    topic,
    payload: bytes,
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
    throw invalid("userProperties", `at most ${userPropertiesBytesMax} bytes of names and values`, userBytes);
  }
  if (options.userProperties !== undefined) properties.userProperties = options.userProperties;
  return properties;
}

function checkAddress(address: string): void {
  const isAddress = /^\d{1,3}(\.\d{1,3}){3}$|^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%[\w.-]+)?$/.test(
    text("staticAddress", address),
  );
  if (!isAddress) throw invalid("staticAddress", "an IPv4 or IPv6 address", address);
}

const shadowTopicNames = shadowTopicTails.filter((tail): tail is ShadowTopic => /accepted|rejected|delta/.test(tail));

function shadowTopicsOf(topics: Iterable<ShadowTopic>): readonly ShadowTopic[] {
  if (topics === none) return none;
  const wanted = [...new Set(topics)];
  for (const topic of wanted) oneOf("shadowTopics", topic, shadowTopicNames);
  return wanted;
}

function reconnectOf(options: false | ReconnectOptions | undefined): ReconnectRules | undefined {
  if (options === false) return undefined;
  if (options === undefined) return defaultRules;
  if ((options as unknown) === true) throw invalid("reconnect", "false or an object", "true");
  checkOptionTypes(options, reconnectTypes, { of: "reconnect", prefix: "reconnect." });
  const {
    baseMs = defaultReconnectBaseMs,
    capMs = defaultReconnectCapMs,
    attemptsMax,
    firstAttempt = "fail",
  } = options;
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
  const filters = [...new Set(topics)];
  if (filters.length > quotas.subscriptionsMax) {
    throw invalid("applicationTopics", `at most ${quotas.subscriptionsMax} filters`, filters.length);
  }
  for (const filter of filters) {
    named("applicationTopics", () => parseTopicFilter(text("applicationTopics", filter), quotas.filterLimits));
  }
  return filters;
}

function optional(option: string, value: number | undefined, min: number, max: number): Record<string, number> {
  return value === undefined ? {} : { [option]: integer(option, value, min, max) };
}

function integer(option: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw invalid(option, `a whole number in ${min}..${max}`, typeof value === "number" ? value : kindOf(value));
}

function text(option: string, value: string): string {
  if (typeof value === "string") return value;
  throw invalid(option, "a string", kindOf(value));
}

function flag(option: string, value: boolean): boolean {
  if (typeof value === "boolean") return value;
  throw invalid(option, "true or false", kindOf(value));
}

function oneOf<Value extends string | number>(option: string, value: Value, values: readonly Value[]): Value {
  if (values.includes(value)) return value;
  const isShort = typeof value === "number" || (typeof value === "string" && value.length <= 32);
  throw invalid(option, values.join(" or "), isShort ? value : kindOf(value));
}

/** A check that does not know the option: its refusal becomes the option's. */
function named(option: string, check: () => void): void {
  try {
    check();
  } catch (error) {
    if (!isThinglineError(error) || error.code === "OPTION_INVALID") throw error;
    throw new ThinglineError("OPTION_INVALID", `${option}: ${error.message}`, {
      details: { ...error.details, option },
      cause: error,
    });
  }
}

/** An option outside its type or range, named. Also for the options of single calls. */
export function invalid(option: string, expected: string, got: string | number): ThinglineError {
  return new ThinglineError("OPTION_INVALID", `${option}: expected ${expected}, got ${got}`, { details: { option } });
}
