import { encodeBase64 } from "@thingline/protocol/x509";
import { toIndex } from "../conversions.js";
import type { MessageHost } from "../host.js";
import { newObject, type SqlValue } from "../values.js";
import { functionsOf } from "./function.js";

/** The whole topic, or one of its levels: the first is 1. */
function topic(args: readonly SqlValue[], { message }: MessageHost): SqlValue {
  if (args.length === 0) return message.topic;
  const at = toIndex(args[0]);
  return at === undefined || at < 1 ? undefined : message.topic.split("/")[at - 1];
}

function mqttProperty([name]: readonly SqlValue[], { message }: MessageHost): SqlValue {
  const { properties } = message;
  switch (name) {
    case "content_type":
      return properties?.contentType;
    case "format_indicator":
      return properties?.payloadFormatIndicator === 1 ? "UTF8_DATA" : "UNSPECIFIED_BYTES";
    case "response_topic":
      return properties?.responseTopic;
    case "correlation_data":
      return properties?.correlationData === undefined ? undefined : encodeBase64(properties.correlationData);
    default:
      return undefined;
  }
}

/** Values of a key; all, each as an object of one member, without a key. */
function userProperties(args: readonly SqlValue[], { message }: MessageHost): SqlValue {
  const pairs = message.properties?.userProperties ?? [];
  if (args.length > 0) {
    const values = pairs.filter(([key]) => key === args[0]).map(([, value]) => value);
    return values.length === 0 ? undefined : values;
  }
  if (pairs.length === 0) return undefined;
  return pairs.map(([key, value]) => Object.assign(newObject(), { [key]: value }));
}

export const messageFunctions = functionsOf({
  accountid: [0, 0, (_, host) => host.accountId],
  clientid: [0, 0, (_, { message }) => message.clientId],
  get_mqtt_property: [1, 1, mqttProperty, { isNewer: true }],
  get_user_properties: [0, 1, userProperties, { isNewer: true }],
  newuuid: [0, 0, (_, host) => host.newUuid()],
  principal: [0, 0, (_, { message }) => message.principal],
  sourceip: [0, 0, (_, { message }) => message.sourceIp, { isNewer: true }],
  sql_version: [0, 0, (_, host) => host.sqlVersion],
  timestamp: [0, 0, (_, { message }) => message.timestampMs],
  topic: [0, 1, topic],
  traceid: [0, 0, (_, { message }) => message.traceId],
});
