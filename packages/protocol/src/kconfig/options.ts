/** Tells whether a bool symbol is y, whatever file or default says so. */
export type IsYes = (name: string) => boolean;

interface OptionBase {
  /** Bool symbols that must all be y; otherwise an assigned value has no effect and is reported as a warning. */
  dependsOn?: readonly string[];
  /** An empty or missing value is an error, unless a dependency is not met. */
  isRequired?: true;
}
export interface BoolOption extends OptionBase {
  type: "bool";
  default: boolean | ((isYes: IsYes) => boolean);
}
export interface NumberOption extends OptionBase {
  type: "int" | "hex";
  default?: number;
  /** Inclusive. */
  range?: readonly [lowest: number, highest: number];
}
export interface StringOption extends OptionBase {
  type: "string";
  default?: string;
}
export type KconfigOption = BoolOption | NumberOption | StringOption;

const off = { type: "bool", default: false } as const satisfies BoolOption;
const on = { type: "bool", default: true } as const satisfies BoolOption;

const logLevels = ["OFF", "ERR", "WRN", "INF", "DBG", "DEFAULT"] as const;
type LogLevel = (typeof logLevels)[number];

/** Zephyr's log template: a choice of six bools, DEFAULT unless another one is picked. */
function logLevelOptions<const Prefix extends string>(
  prefix: Prefix,
): Record<`${Prefix}_LOG_LEVEL_${LogLevel}`, BoolOption> {
  const option = (level: LogLevel): BoolOption => {
    if (level !== "DEFAULT") return off;
    const others = logLevels.filter((other) => other !== "DEFAULT");
    return { type: "bool", default: (isYes) => !others.some((other) => isYes(`${prefix}_LOG_LEVEL_${other}`)) };
  };
  return Object.fromEntries(logLevels.map((level) => [`${prefix}_LOG_LEVEL_${level}`, option(level)])) as Record<
    `${Prefix}_LOG_LEVEL_${LogLevel}`,
    BoolOption
  >;
}

const secTagRange = [0, 2_147_483_647] as const;

/**
 * The symbols that Thingline knows, without `CONFIG_`: name, type, default, dependencies. Defaults are those of
 * nRF Connect SDK 2.1 (`subsys/net/lib/aws_iot/Kconfig` and neighbours). Symbols that only the firmware build cares for are
 * here too when the provisioning sample sets them, so that their type is checked; they change nothing.
 */
export const kconfigOptions = {
  // The aws_iot library
  AWS_IOT: off,
  AWS_IOT_SEC_TAG: { type: "int", isRequired: true, range: secTagRange },
  AWS_IOT_BROKER_HOST_NAME: { type: "string", default: "", isRequired: true },
  AWS_IOT_PORT: { type: "int", default: 8883, range: [1, 65_535] },
  AWS_IOT_CLIENT_ID_STATIC: { type: "string", default: "my-thing" },
  AWS_IOT_CLIENT_ID_APP: off,
  AWS_IOT_CLIENT_ID_MAX_LEN: { type: "int", default: 30, range: [1, 128] },
  AWS_IOT_APP_SUBSCRIPTION_LIST_COUNT: { type: "int", default: 0, range: [0, 8] },
  AWS_IOT_MQTT_RX_TX_BUFFER_LEN: { type: "int", default: 1000, range: [64, 268_435_456] },
  AWS_IOT_MQTT_PAYLOAD_BUFFER_LEN: { type: "int", default: 2304, range: [1, 268_435_456] },
  AWS_IOT_SEND_TIMEOUT: on,
  AWS_IOT_SEND_TIMEOUT_SEC: { type: "int", default: 60, range: [1, 86_400], dependsOn: ["AWS_IOT_SEND_TIMEOUT"] },
  AWS_IOT_STATIC_IPV4: off,
  AWS_IOT_STATIC_IPV4_ADDR: { type: "string", default: "", isRequired: true, dependsOn: ["AWS_IOT_STATIC_IPV4"] },
  AWS_IOT_IPV6: off,
  AWS_IOT_CONNECTION_POLL_THREAD: on,
  AWS_IOT_PROVISION_CERTIFICATES: {
    type: "bool",
    default: (isYes: IsYes) => isYes("BOARD_QEMU_X86") || isYes("MBEDTLS_TLS_LIBRARY"),
  },
  AWS_IOT_CERTIFICATES_FILE: {
    type: "string",
    default: "../include/aws-certs.h",
    dependsOn: ["AWS_IOT_PROVISION_CERTIFICATES"],
  },
  AWS_IOT_AUTO_DEVICE_SHADOW_REQUEST: on,
  AWS_IOT_TOPIC_GET_ACCEPTED_SUBSCRIBE: off,
  AWS_IOT_TOPIC_GET_REJECTED_SUBSCRIBE: off,
  AWS_IOT_TOPIC_UPDATE_ACCEPTED_SUBSCRIBE: off,
  AWS_IOT_TOPIC_UPDATE_REJECTED_SUBSCRIBE: off,
  AWS_IOT_TOPIC_UPDATE_DELTA_SUBSCRIBE: off,
  AWS_IOT_TOPIC_DELETE_ACCEPTED_SUBSCRIBE: off,
  AWS_IOT_TOPIC_DELETE_REJECTED_SUBSCRIBE: off,
  AWS_IOT_LAST_WILL: off,
  AWS_IOT_LAST_WILL_MESSAGE: { type: "string", default: '{"lastwill": "offline"}', dependsOn: ["AWS_IOT_LAST_WILL"] },
  AWS_IOT_LAST_WILL_TOPIC: {
    type: "string",
    default: "lastwilltopic",
    isRequired: true,
    dependsOn: ["AWS_IOT_LAST_WILL"],
  },
  ...logLevelOptions("AWS_IOT"),

  // MQTT
  MQTT_LIB: { type: "bool", default: (isYes: IsYes) => isYes("AWS_IOT") },
  MQTT_LIB_TLS: { type: "bool", default: (isYes: IsYes) => isYes("AWS_IOT") },
  MQTT_KEEPALIVE: { type: "int", default: 60, range: [0, 65_535] },
  MQTT_CLEAN_SESSION: off,
  ...logLevelOptions("MQTT"),

  // Firmware updates
  AWS_FOTA: { type: "bool", default: (isYes: IsYes) => isYes("AWS_IOT") && isYes("FOTA_DOWNLOAD") },
  FOTA_DOWNLOAD: off,
  ...logLevelOptions("AWS_FOTA"),
  ...logLevelOptions("FOTA_DOWNLOAD"),
  DOWNLOAD_CLIENT: off,
  ...logLevelOptions("DOWNLOAD_CLIENT"),

  // The generic cloud interface of older SDKs
  CLOUD_API: off,
  CLOUD_BACKEND: { type: "string", default: "" },
  CLOUD_SERVICE_MUTUAL_EXCLUSIVE: off,

  // Link, modem and credentials
  LTE_LINK_CONTROL: off,
  LTE_NETWORK_MODE_LTE_M: off,
  LTE_AUTO_INIT_AND_CONNECT: off,
  LTE_NETWORK_TIMEOUT: { type: "int", default: 600, range: [1, 86_400] },
  MODEM_KEY_MGMT: off,
  NRF_MODEM_LIB: off,
  NRF_MODEM_LIB_TRACE: off,
  AT_HOST_LIBRARY: off,

  // The application and the board
  BOARD_QEMU_X86: off,
  NCS_SAMPLES_DEFAULTS: off,
  NEWLIB_LIBC: off,
  NEWLIB_LIBC_FLOAT_PRINTF: off,
  NETWORKING: off,
  NET_NATIVE: on,
  MAIN_STACK_SIZE: { type: "int", default: 1024 },
  UART_INTERRUPT_DRIVEN: off,
  POSIX_MAX_FDS: { type: "int", default: 4 },
  NET_LOG: off,
  ...logLevelOptions("NET_SOCKETS"),

  // Native TLS: the application's own TLS instead of the modem's. Defaults only where Thingline uses the value.
  NORDIC_SECURITY_BACKEND: off,
  NET_SOCKETS_SOCKOPT_TLS: off,
  NET_SOCKETS_TLS_MAX_CONTEXTS: { type: "int", default: 1 },
  NET_SOCKETS_TLS_SET_MAX_FRAGMENT_LENGTH: off,
  MBEDTLS: off,
  MBEDTLS_TLS_LIBRARY: off,
  MBEDTLS_X509_LIBRARY: off,
  MBEDTLS_ENABLE_HEAP: off,
  MBEDTLS_HEAP_SIZE: { type: "int" },
  MBEDTLS_SSL_IN_CONTENT_LEN: { type: "int", default: 16_384, range: [512, 16_384] },
  MBEDTLS_SSL_OUT_CONTENT_LEN: { type: "int", default: 16_384, range: [512, 16_384] },
  MBEDTLS_SSL_SERVER_NAME_INDICATION: off,
  MBEDTLS_SSL_SRV_C: off,
  MBEDTLS_MAC_SHA256_ENABLED: off,
  MBEDTLS_KEY_EXCHANGE_RSA_ENABLED: off,
  MBEDTLS_KEY_EXCHANGE_DHE_PSK_ENABLED: off,
  MBEDTLS_KEY_EXCHANGE_DHE_RSA_ENABLED: off,
  MBEDTLS_KEY_EXCHANGE_ECDHE_ECDSA_ENABLED: off,
  MBEDTLS_KEY_EXCHANGE_ECDHE_RSA_ENABLED: off,
  MBEDTLS_KEY_EXCHANGE_ECDH_RSA_ENABLED: off,
  MBEDTLS_CIPHER: off,
  MBEDTLS_CIPHER_MODE_CFB: off,
  MBEDTLS_CIPHER_MODE_CTR: off,
  MBEDTLS_CIPHER_MODE_OFB: off,
  MBEDTLS_CTR_DRBG_C: off,
  MBEDTLS_CHACHA20_C: off,
  MBEDTLS_POLY1305_C: off,
  MBEDTLS_SHA1_C: off,
  MBEDTLS_SHA256_C: off,
  MBEDTLS_SHA512_C: off,
  MBEDTLS_DHM_C: off,
  MBEDTLS_CMAC_C: off,
  MBEDTLS_AES_C: off,
  MBEDTLS_CCM_C: off,
  MBEDTLS_GCM_C: off,
  MBEDTLS_ECP_C: off,
  MBEDTLS_ECDH_C: off,
  MBEDTLS_ECDSA_C: off,
  MBEDTLS_ECDSA_DETERMINISTIC: off,
  MBEDTLS_PKCS1_V15: off,
  PSA_WANT_ALG_ECDH: off,
  PSA_WANT_ALG_ECDSA: off,
  PSA_WANT_ALG_DETERMINISTIC_ECDSA: off,
  PSA_WANT_ECC_SECP_R1_256: off,
} as const satisfies Record<string, KconfigOption>;

export type KconfigName = keyof typeof kconfigOptions;

/** A name that begins so and is not in the table is an error: such a typing mistake would otherwise go unnoticed. */
export const strictPrefixes = ["AWS_IOT_", "AWS_FOTA_", "MQTT_", "FOTA_", "DOWNLOAD_CLIENT_", "CLOUD_"] as const;

/** A number without a default may be undefined. */
export type NumberOrMissing<Option> = Option extends { default: number } | { isRequired: true }
  ? number
  : number | undefined;

/** The type of an option's value as the table says it. */
export type KconfigValueOf<Name extends KconfigName> = (typeof kconfigOptions)[Name] extends { type: "bool" }
  ? boolean
  : (typeof kconfigOptions)[Name] extends { type: "string" }
    ? string
    : NumberOrMissing<(typeof kconfigOptions)[Name]>;
