import { awsIotOptions } from "./options-aws-iot.js";
import { fotaOptions } from "./options-fota.js";
import { buildOff, logLevelOptions, off, on, type KconfigOption } from "./option-types.js";

/** The generic cloud interface, the link, the application and the board. */
export const platformOptions = {
  // The generic cloud interface of older SDKs
  CLOUD_API: off,
  CLOUD_BACKEND: { type: "string", default: "" },
  CLOUD_PERSISTENT_SESSIONS: buildOff,
  CLOUD_SERVICE_MUTUAL_EXCLUSIVE: buildOff,

  // Link, modem and credentials
  LTE_LINK_CONTROL: buildOff,
  LTE_NETWORK_MODE_LTE_M: buildOff,
  LTE_AUTO_INIT_AND_CONNECT: buildOff,
  LTE_NETWORK_TIMEOUT: { type: "int", default: 600, range: [1, 86_400] },
  MODEM_KEY_MGMT: buildOff,
  NRF_MODEM_LIB: off,
  NRF_MODEM_LIB_TRACE: buildOff,
  AT_HOST_LIBRARY: buildOff,

  // The application and the board
  BOARD_QEMU_X86: off,
  NCS_SAMPLES_DEFAULTS: buildOff,
  NEWLIB_LIBC: buildOff,
  NEWLIB_LIBC_FLOAT_PRINTF: buildOff,
  REBOOT: buildOff,
  FPU: buildOff,
  LOG: buildOff,
  DATE_TIME: buildOff,
  DATE_TIME_MODEM: buildOff,
  MODEM_INFO: buildOff,
  HEAP_MEM_POOL_SIZE: { type: "int", default: 0, withoutEffect: "build" },
  SYSTEM_WORKQUEUE_STACK_SIZE: { type: "int", default: 1024, withoutEffect: "build" },
  BOOTLOADER_MCUBOOT: buildOff,
  MCUBOOT_IMG_MANAGER: buildOff,
  IMG_MANAGER: buildOff,
  IMG_ERASE_PROGRESSIVELY: buildOff,
  STREAM_FLASH: buildOff,
  FLASH_MAP: buildOff,
  FLASH: buildOff,
  NETWORKING: buildOff,
  NET_IPV4: buildOff,
  NET_TCP: buildOff,
  NET_SOCKETS: buildOff,
  NET_SOCKETS_POSIX_NAMES: buildOff,
  NET_CONTEXT_SNDTIMEO: buildOff,
  NET_CONFIG_SETTINGS: buildOff,
  NET_CONFIG_NEED_IPV4: buildOff,
  NET_CONFIG_MY_IPV4_ADDR: { type: "string", default: "", withoutEffect: "build" },
  NET_CONFIG_MY_IPV4_GW: { type: "string", default: "", withoutEffect: "build" },
  DNS_RESOLVER: buildOff,
  DNS_SERVER_IP_ADDRESSES: buildOff,
  DNS_SERVER1: { type: "string", default: "", withoutEffect: "build" },
  NET_NATIVE: { ...on, withoutEffect: "build" },
  MAIN_STACK_SIZE: { type: "int", default: 1024, withoutEffect: "build" },
  UART_INTERRUPT_DRIVEN: buildOff,
  POSIX_MAX_FDS: { type: "int", default: 4, withoutEffect: "build" },
  NET_LOG: buildOff,
  ...logLevelOptions("NET_SOCKETS"),

  // Native TLS: the application's own TLS instead of the modem's. Defaults only where Thingline uses the value.
  NORDIC_SECURITY_BACKEND: buildOff,
  NET_SOCKETS_SOCKOPT_TLS: off,
  NET_SOCKETS_TLS_MAX_CONTEXTS: { type: "int", default: 1, withoutEffect: "build" },
  NET_SOCKETS_TLS_SET_MAX_FRAGMENT_LENGTH: buildOff,
  MBEDTLS: off,
  MBEDTLS_TLS_LIBRARY: off,
  MBEDTLS_BUILTIN: buildOff,
  MBEDTLS_PEM_CERTIFICATE_FORMAT: buildOff,
  MBEDTLS_X509_LIBRARY: buildOff,
  MBEDTLS_ENABLE_HEAP: buildOff,
  MBEDTLS_HEAP_SIZE: { type: "int", withoutEffect: "build" },
  MBEDTLS_SSL_IN_CONTENT_LEN: { type: "int", default: 16_384, range: [512, 16_384] },
  MBEDTLS_SSL_MAX_CONTENT_LEN: { type: "int", default: 1500, range: [512, 16_384] },
  MBEDTLS_SSL_OUT_CONTENT_LEN: { type: "int", default: 16_384, range: [512, 16_384], withoutEffect: "build" },
  MBEDTLS_SSL_SERVER_NAME_INDICATION: buildOff,
  MBEDTLS_SSL_SRV_C: buildOff,
  MBEDTLS_MAC_SHA256_ENABLED: buildOff,
  MBEDTLS_KEY_EXCHANGE_RSA_ENABLED: buildOff,
  MBEDTLS_KEY_EXCHANGE_DHE_PSK_ENABLED: buildOff,
  MBEDTLS_KEY_EXCHANGE_DHE_RSA_ENABLED: buildOff,
  MBEDTLS_KEY_EXCHANGE_ECDHE_ECDSA_ENABLED: buildOff,
  MBEDTLS_KEY_EXCHANGE_ECDHE_RSA_ENABLED: buildOff,
  MBEDTLS_KEY_EXCHANGE_ECDH_RSA_ENABLED: buildOff,
  MBEDTLS_CIPHER: buildOff,
  MBEDTLS_CIPHER_MODE_CFB: buildOff,
  MBEDTLS_CIPHER_MODE_CTR: buildOff,
  MBEDTLS_CIPHER_MODE_OFB: buildOff,
  MBEDTLS_CTR_DRBG_C: buildOff,
  MBEDTLS_CHACHA20_C: buildOff,
  MBEDTLS_POLY1305_C: buildOff,
  MBEDTLS_SHA1_C: buildOff,
  MBEDTLS_SHA256_C: buildOff,
  MBEDTLS_SHA512_C: buildOff,
  MBEDTLS_DHM_C: buildOff,
  MBEDTLS_CMAC_C: buildOff,
  MBEDTLS_AES_C: buildOff,
  MBEDTLS_CCM_C: buildOff,
  MBEDTLS_GCM_C: buildOff,
  MBEDTLS_ECP_C: buildOff,
  MBEDTLS_ECDH_C: buildOff,
  MBEDTLS_ECDSA_C: buildOff,
  MBEDTLS_ECDSA_DETERMINISTIC: buildOff,
  MBEDTLS_PKCS1_V15: buildOff,
  PSA_WANT_ALG_ECDH: buildOff,
  PSA_WANT_ALG_ECDSA: buildOff,
  PSA_WANT_ALG_DETERMINISTIC_ECDSA: buildOff,
  PSA_WANT_ECC_SECP_R1_256: buildOff,
} as const satisfies Record<string, KconfigOption>;

/**
 * The symbols that Thingline knows, without `CONFIG_`: name, type, default, dependencies. Defaults are those of
 * nRF Connect SDK 2.1. Symbols that only the firmware build cares for are here too when one of the original samples
 * sets them, so that their type is checked; see `withoutEffect`.
 */
// Its type is named, not inferred: the declarations would have both tables a second time.
export const kconfigOptions: typeof awsIotOptions & typeof fotaOptions & typeof platformOptions = {
  ...awsIotOptions,
  ...fotaOptions,
  ...platformOptions,
};

export type KconfigName = keyof typeof kconfigOptions;

/** A name that begins so and is not in the table is an error: such a typing mistake would otherwise go unnoticed. */
export const strictPrefixes = ["AWS_IOT_", "AWS_FOTA_", "MQTT_", "FOTA_", "DOWNLOAD_CLIENT_", "CLOUD_"] as const;

/** A number without a default may be undefined. */
export type NumberOrMissing<Option> = Option extends { default: unknown } | { isRequired: true }
  ? number
  : number | undefined;

/** The type of one option's value. */
export type OptionValueOf<Option> = Option extends { type: "bool" }
  ? boolean
  : Option extends { type: "string" }
    ? string
    : NumberOrMissing<Option>;

/** The type of an option's value as the table says it; of several options, any of theirs. */
export type KconfigValueOf<Name extends KconfigName> = {
  [Each in Name]: OptionValueOf<(typeof kconfigOptions)[Each]>;
}[Name];
