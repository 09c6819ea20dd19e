import { isThinglineError, ThinglineError } from "@thingline/protocol";

/** What a person has typed for an option of the device library. */
const typedAs: Readonly<Record<string, string>> = {
  clientId: "CONFIG_AWS_IOT_CLIENT_ID_STATIC, or --client-id",
  host: "CONFIG_AWS_IOT_BROKER_HOST_NAME",
  port: "CONFIG_AWS_IOT_PORT",
  secTag: "CONFIG_AWS_IOT_SEC_TAG, or --sec-tag",
  claimTag: "CONFIG_AWS_IOT_SEC_TAG",
  // The program has no word for it: only the claim's can be another.
  deviceTag: "CONFIG_AWS_IOT_SEC_TAG",
  ca: "--ca",
  keepAliveSeconds: "CONFIG_MQTT_KEEPALIVE",
  payloadBytesMax: "CONFIG_AWS_IOT_MQTT_PAYLOAD_BUFFER_LEN",
  isCleanSession: "CONFIG_MQTT_CLEAN_SESSION",
  staticAddress: "CONFIG_AWS_IOT_STATIC_IPV4_ADDR",
  lastWill: "CONFIG_AWS_IOT_LAST_WILL_TOPIC and CONFIG_AWS_IOT_LAST_WILL_MESSAGE",
  sendTimeoutMs: "CONFIG_AWS_IOT_SEND_TIMEOUT_SEC",
  receivedRecordBytesMax: "the TLS buffer of the native TLS configuration",
  applicationTopics: "--topic",
  answerTimeoutMs: "--timeout",
  connectAttemptsMax: "--attempts",
  progressPath: "--state-dir",
};

/** An error of the device library as a user of the command line reads it: with Kconfig options and flags for its own options. */
export function inWordsOfKconfig<Value>(error: Value): Value | ThinglineError {
  if (!isThinglineError(error)) return error;
  const { details } = error;
  const retold = (message: string) => new ThinglineError(error.code, message, { details, cause: error });
  if (error.code === "OPTION_INVALID") {
    // Outermost first: an option that is known as a whole is not named by its parts.
    const name =
      String(details["option"])
        .split(".")
        .find((part) => Object.hasOwn(typedAs, part)) ?? "";
    const typed = typedAs[name];
    return typed === undefined ? error : retold(`${error.message} (given by ${typed})`);
  }
  const { topic, payloadBytes, payloadBytesMax } = details;
  if (error.code !== "LIMIT_EXCEEDED" || payloadBytes === undefined || payloadBytesMax === undefined) return error;
  if (Number(payloadBytes) <= Number(payloadBytesMax)) return error;
  return retold(
    `a message on "${topic}" has ${payloadBytes} payload bytes, ${typedAs["payloadBytesMax"]}=${payloadBytesMax} takes no more: ` +
      "it was acknowledged and dropped",
  );
}
