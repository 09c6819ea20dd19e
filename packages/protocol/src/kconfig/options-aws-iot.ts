import { logLevelOptions, off, on, type KconfigOption } from "./option-types.js";

const secTagRange = [0, 2_147_483_647] as const;
const ipv4Address = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/u;
const lastWill = { type: "string", dependsOn: ["AWS_IOT_LAST_WILL"] } as const;

function checkHost(host: string): string | undefined {
  if (/^[\w.:-]*$/u.test(host)) return undefined;
  return `expected a host name or an address, without scheme, port or path, got "${host}"`;
}

/** @see nRF Connect SDK 2.1, `subsys/net/lib/aws_iot/Kconfig`, and Zephyr's `subsys/net/lib/mqtt/Kconfig` */
export const awsIotOptions = {
  AWS_IOT: off,
  AWS_IOT_SEC_TAG: { type: "int", isRequired: true, range: secTagRange },
  AWS_IOT_BROKER_HOST_NAME: { type: "string", default: "", isRequired: true, check: checkHost },
  AWS_IOT_PORT: { type: "int", default: 8883, range: [1, 65_535] },
  AWS_IOT_CLIENT_ID_STATIC: { type: "string", default: "my-thing" },
  AWS_IOT_CLIENT_ID_APP: off,
  AWS_IOT_CLIENT_ID_MAX_LEN: { type: "int", default: 30, range: [1, 128] },
  AWS_IOT_APP_SUBSCRIPTION_LIST_COUNT: { type: "int", default: 0, range: [0, 8] },
  // Memory that a firmware build sets aside; packets here have AWS's own limits.
  AWS_IOT_MQTT_RX_TX_BUFFER_LEN: { type: "int", default: 1000, range: [64, 268_435_456], withoutEffect: "build" },
  AWS_IOT_MQTT_PAYLOAD_BUFFER_LEN: { type: "int", default: 2304, range: [1, 268_435_456] },
  AWS_IOT_SEND_TIMEOUT: on,
  AWS_IOT_SEND_TIMEOUT_SEC: { type: "int", default: 60, range: [1, 86_400], dependsOn: ["AWS_IOT_SEND_TIMEOUT"] },
  AWS_IOT_STATIC_IPV4: off,
  AWS_IOT_STATIC_IPV4_ADDR: {
    type: "string",
    default: "",
    isRequired: true,
    dependsOn: ["AWS_IOT_STATIC_IPV4"],
    check: (value: string) => (ipv4Address.test(value) ? undefined : `expected an IPv4 address, got "${value}"`),
  },
  AWS_IOT_IPV6: off,
  AWS_IOT_CONNECTION_POLL_THREAD: on,
  // Of the SDK of 2020 only; the one of 2022 never resumes a TLS session.
  AWS_IOT_TLS_SESSION_CACHING: on,
  AWS_IOT_PROVISION_CERTIFICATES: {
    type: "bool",
    default: (isYes: (name: string) => boolean) => isYes("BOARD_QEMU_X86") || isYes("MBEDTLS_TLS_LIBRARY"),
  },
  AWS_IOT_CERTIFICATES_FILE: {
    type: "string",
    default: "../include/aws-certs.h",
    dependsOn: ["AWS_IOT_PROVISION_CERTIFICATES"],
    withoutEffect: "build",
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
  AWS_IOT_LAST_WILL_MESSAGE: { ...lastWill, default: '{"lastwill": "offline"}' },
  AWS_IOT_LAST_WILL_TOPIC: { ...lastWill, default: "lastwilltopic", isRequired: true },
  ...logLevelOptions("AWS_IOT"),
  // The aws_iot sample's own.
  ...logLevelOptions("AWS_IOT_SAMPLE"),

  MQTT_LIB: { ...off, selectedBy: ["AWS_IOT"] },
  MQTT_LIB_TLS: { ...off, selectedBy: ["AWS_IOT"] },
  MQTT_LIB_TLS_USE_ALPN: { ...off, withoutEffect: "build" },
  MQTT_LIB_WEBSOCKET: { ...off, withoutEffect: "build" },
  MQTT_LIB_CUSTOM_TRANSPORT: { ...off, withoutEffect: "build" },
  MQTT_KEEPALIVE: { type: "int", default: 60, range: [0, 65_535] },
  MQTT_CLEAN_SESSION: off,
  ...logLevelOptions("MQTT"),
} as const satisfies Record<string, KconfigOption>;
