import type { KconfigName } from "./options.js";
import type { Kconfig } from "./values.js";

export const shadowTopics = [
  "get/accepted",
  "get/rejected",
  "update/accepted",
  "update/rejected",
  "update/delta",
  "delete/accepted",
  "delete/rejected",
] as const;
export type ShadowTopic = (typeof shadowTopics)[number];

const shadowOptions = {
  "get/accepted": "AWS_IOT_TOPIC_GET_ACCEPTED_SUBSCRIBE",
  "get/rejected": "AWS_IOT_TOPIC_GET_REJECTED_SUBSCRIBE",
  "update/accepted": "AWS_IOT_TOPIC_UPDATE_ACCEPTED_SUBSCRIBE",
  "update/rejected": "AWS_IOT_TOPIC_UPDATE_REJECTED_SUBSCRIBE",
  "update/delta": "AWS_IOT_TOPIC_UPDATE_DELTA_SUBSCRIBE",
  "delete/accepted": "AWS_IOT_TOPIC_DELETE_ACCEPTED_SUBSCRIBE",
  "delete/rejected": "AWS_IOT_TOPIC_DELETE_REJECTED_SUBSCRIBE",
} as const satisfies Record<ShadowTopic, KconfigName>;

/** What the aws_iot library is configured to do, in words and units of this code base. */
export interface AwsIotSettings {
  host: string;
  port: number;
  secTag: number;
  /** Undefined: the application brings its own (`CONFIG_AWS_IOT_CLIENT_ID_APP`). */
  clientId: string | undefined;
  clientIdBytesMax: number;
  appSubscriptionCount: number;
  keepAliveSeconds: number;
  isCleanSession: boolean;
  /** The largest payload of a received PUBLISH. */
  payloadBytesMax: number;
  /** The largest other packet, and the largest header with topic of a PUBLISH. */
  packetBytesMax: number;
  /** Undefined: no time-out. */
  sendTimeoutMs: number | undefined;
  /** Used instead of asking the DNS for `host`. */
  staticIpv4Address: string | undefined;
  family: 4 | 6;
  usesPollThread: boolean;
  /** Ask for the shadow document as soon as the connection is ready. */
  requestsShadow: boolean;
  shadowTopics: readonly ShadowTopic[];
  lastWill: { topic: string; message: string } | undefined;
  /** The application does TLS itself instead of the modem (`overlay-native_tls.conf`). */
  usesNativeTls: boolean;
  /** A TLS session may be resumed at the next connection (`CONFIG_AWS_IOT_TLS_SESSION_CACHING`, SDK of 2020). */
  resumesTlsSession: boolean;
  /** Name of the cloud backend (`CONFIG_CLOUD_BACKEND`, SDK of 2020); undefined: not set. */
  cloudBackend: string | undefined;
  /** Firmware updates over AWS IoT jobs; undefined: not configured. */
  fota: FotaSettings | undefined;
  /** The largest TLS record the application's own TLS takes. */
  nativeTlsReceiveBytesMax: number;
  /** How long to wait for a network registration. */
  linkTimeoutMs: number;
}

/** What firmware updates are configured to do. What the configuration does not say is left to the device library. */
export interface FotaSettings {
  /** Whose CA the servers of files are checked with. Undefined: the tag of the MQTT connection. */
  downloadSecTag: number | undefined;
  /** Downloads use the application's own TLS, whatever MQTT does. */
  usesNativeTls: boolean;
  /** Bytes of a range. */
  fragmentBytes: number | undefined;
  /** Attempts after one that failed without a byte. */
  socketRetries: number | undefined;
  receiveTimeoutMs: number | undefined;
  /** Delta images of the modem are taken as well. */
  updatesModem: boolean;
}

/** Reads the merged options. Their problems were reported before: see `loadKconfig`. */
export function awsIotSettings(config: Kconfig): AwsIotSettings {
  return {
    host: config.get("AWS_IOT_BROKER_HOST_NAME"),
    port: config.get("AWS_IOT_PORT"),
    secTag: config.get("AWS_IOT_SEC_TAG"),
    clientId: config.get("AWS_IOT_CLIENT_ID_APP") ? undefined : config.get("AWS_IOT_CLIENT_ID_STATIC"),
    clientIdBytesMax: config.get("AWS_IOT_CLIENT_ID_MAX_LEN"),
    appSubscriptionCount: config.get("AWS_IOT_APP_SUBSCRIPTION_LIST_COUNT"),
    keepAliveSeconds: config.get("MQTT_KEEPALIVE"),
    isCleanSession: config.get("MQTT_CLEAN_SESSION"),
    payloadBytesMax: config.get("AWS_IOT_MQTT_PAYLOAD_BUFFER_LEN"),
    packetBytesMax: config.get("AWS_IOT_MQTT_RX_TX_BUFFER_LEN"),
    sendTimeoutMs: config.get("AWS_IOT_SEND_TIMEOUT") ? config.get("AWS_IOT_SEND_TIMEOUT_SEC") * 1000 : undefined,
    staticIpv4Address: config.get("AWS_IOT_STATIC_IPV4") ? config.get("AWS_IOT_STATIC_IPV4_ADDR") : undefined,
    family: config.get("AWS_IOT_IPV6") ? 6 : 4,
    usesPollThread: config.get("AWS_IOT_CONNECTION_POLL_THREAD"),
    requestsShadow: config.get("AWS_IOT_AUTO_DEVICE_SHADOW_REQUEST"),
    shadowTopics: shadowTopics.filter((topic) => config.get(shadowOptions[topic])),
    lastWill: config.get("AWS_IOT_LAST_WILL")
      ? { topic: config.get("AWS_IOT_LAST_WILL_TOPIC"), message: config.get("AWS_IOT_LAST_WILL_MESSAGE") }
      : undefined,
    usesNativeTls: usesNativeTls(config),
    nativeTlsReceiveBytesMax: nativeTlsReceiveBytesMax(config),
    resumesTlsSession: config.get("AWS_IOT_TLS_SESSION_CACHING"),
    cloudBackend: config.get("CLOUD_BACKEND") || undefined,
    fota: config.get("AWS_FOTA") ? fotaSettings(config) : undefined,
    linkTimeoutMs: config.get("LTE_NETWORK_TIMEOUT") * 1000,
  };
}

function fotaSettings(config: Kconfig): FotaSettings {
  const ifSet = (name: "FOTA_SOCKET_RETRIES" | "DOWNLOAD_CLIENT_TCP_SOCK_TIMEO_MS") =>
    config.origin(name) === undefined ? undefined : config.get(name);
  const tag = config.get("AWS_FOTA_DOWNLOAD_SECURITY_TAG");
  const receiveTimeoutMs = ifSet("DOWNLOAD_CLIENT_TCP_SOCK_TIMEO_MS");
  const isFragmentSet = fragmentSizeNames.some((name) => config.origin(name) !== undefined);
  return {
    downloadSecTag: tag < 0 ? undefined : tag,
    usesNativeTls: config.get("FOTA_DOWNLOAD_NATIVE_TLS"),
    fragmentBytes: isFragmentSet ? config.get("DOWNLOAD_CLIENT_HTTP_FRAG_SIZE") : undefined,
    socketRetries: ifSet("FOTA_SOCKET_RETRIES"),
    // No time-out would be one that never ends here.
    receiveTimeoutMs: receiveTimeoutMs === undefined || receiveTimeoutMs < 1 ? undefined : receiveTimeoutMs,
    updatesModem: config.get("DFU_TARGET_MODEM_DELTA"),
  };
}

const fragmentSizeNames = [
  "DOWNLOAD_CLIENT_HTTP_FRAG_SIZE",
  "DOWNLOAD_CLIENT_HTTP_FRAG_SIZE_256",
  "DOWNLOAD_CLIENT_HTTP_FRAG_SIZE_512",
  "DOWNLOAD_CLIENT_HTTP_FRAG_SIZE_1024",
  "DOWNLOAD_CLIENT_HTTP_FRAG_SIZE_2048",
  "DOWNLOAD_CLIENT_HTTP_FRAG_SIZE_4096",
] as const satisfies readonly KconfigName[];

/** With a modem library as well, only mbed TLS as the sockets' own TLS says that the modem's is not used. */
function usesNativeTls(config: Kconfig): boolean {
  if (!config.get("NET_SOCKETS_SOCKOPT_TLS")) return false;
  return config.get("MBEDTLS_TLS_LIBRARY") || (config.get("MBEDTLS") && !config.get("NRF_MODEM_LIB"));
}

/** Nordic's mbed TLS has a limit for each direction, Zephyr's own has one for both. */
function nativeTlsReceiveBytesMax(config: Kconfig): number {
  const isOneForBoth = config.origin("MBEDTLS_SSL_MAX_CONTENT_LEN") && !config.origin("MBEDTLS_SSL_IN_CONTENT_LEN");
  return config.get(isOneForBoth ? "MBEDTLS_SSL_MAX_CONTENT_LEN" : "MBEDTLS_SSL_IN_CONTENT_LEN");
}
