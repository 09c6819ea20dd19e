import { ThinglineError } from "@thingline/protocol";
import type { PublishProperties, UserProperties } from "@thingline/protocol/mqtt";
import {
  checkPayload,
  checkTopic,
  isMqttText,
  propertiesOf,
  userPropertiesMax,
  type MessagePropertiesInput,
} from "../../message-input.js";
import { faultOfProperties, type MessageLimits } from "../../message-limits.js";
import type { Operation } from "../../operation.js";
import { isPublishableReservedTopic, isReservedTopic } from "../../publishable-topics.js";
import type { FieldValue, FilledFields } from "../prepared.js";
import { textOf, type ActionPerformer } from "./perform.js";

/** Republished messages that follow from each other: a rule that hears what it says ends here. AWS has no such bound. */
export const republishDepthMax = 10;

interface Republish {
  topic: string;
  payload: Uint8Array;
  qos: 0 | 1;
  properties: PublishProperties | undefined;
  ruleDepth: number;
}

/** Services hear it as they hear what is published over HTTP: a rule may ask a shadow for something. */
const publish: Operation<Republish, void> = (_, { topic, payload, qos, properties, ruleDepth }) => ({
  result: undefined,
  operations: [],
  effects: [{ type: "publish", topic, payload, qos, source: "http", ruleDepth, ...(properties && { properties }) }],
});

export const republish: ActionPerformer = {
  resourceOf: (fields) => textOf(fields, "topic"),

  async perform({ fields, selected, message, scope, runner }, { messageLimits }) {
    const topic = topicOf(textOf(fields, "topic"), messageLimits);
    checkPayload(selected.payload, messageLimits);
    const ruleDepth = (message.ruleDepth ?? 0) + 1;
    if (ruleDepth > republishDepthMax) {
      throw new ThinglineError(
        "LIMIT_EXCEEDED",
        `${republishDepthMax} messages followed from each other: do rules hear themselves?`,
      );
    }
    const properties = headersOf(fields["headers"] as FilledFields | undefined, messageLimits);
    const qos = fields["qos"] === 1 ? 1 : 0;
    await runner.run(scope, publish, { topic, payload: selected.payload, qos, properties, ruleDepth });
  },
};

/** `$$aws/…` of an action is the reserved topic `$aws/…`. @throws {ThinglineError} REQUEST_FORBIDDEN, REQUEST_INVALID */
function topicOf(text: string, limits: MessageLimits): string {
  const topic = text.startsWith("$$") ? text.slice(1) : text;
  checkTopic("topic", topic, limits);
  if (isReservedTopic(topic) && (!isPublishableReservedTopic(topic, "http") || topic.startsWith("$aws/rules/"))) {
    throw new ThinglineError("REQUEST_FORBIDDEN", `a rule may not publish to the reserved topic "${topic}"`);
  }
  return topic;
}

/** A message that cannot be sent must be refused here: what was committed is tried again, and keeps what comes behind it waiting. */
function headersOf(headers: FilledFields | undefined, limits: MessageLimits): PublishProperties | undefined {
  if (headers === undefined) return undefined;
  const { messageExpiry, userProperties } = headers;
  const text = (name: string) => (typeof headers[name] === "string" ? headers[name] : undefined);
  const input = {
    payloadFormatIndicator: indicatorOf(headers["payloadFormatIndicator"]),
    contentType: text("contentType"),
    responseTopic: text("responseTopic"),
    correlationData: text("correlationData"),
    messageExpiry: messageExpiry === undefined ? undefined : secondsOf(messageExpiry),
  };
  const properties = propertiesOf(input, limits) ?? {};
  if (Array.isArray(userProperties)) properties.userProperties = userPropertiesOf(userProperties as FilledFields[]);
  const fault = faultOfProperties(limits, properties);
  if (fault !== undefined) throw invalid(fault);
  return properties;
}

function indicatorOf(value: FieldValue | undefined): MessagePropertiesInput["payloadFormatIndicator"] {
  if (value === undefined || value === "UTF8_DATA" || value === "UNSPECIFIED_BYTES") return value;
  throw invalid("payloadFormatIndicator is UTF8_DATA or UNSPECIFIED_BYTES");
}

/** [MQTT-1.5.4] Bytes of a text of MQTT. */
const mqttTextBytesMax = 65_535;

function userPropertiesOf(pairs: readonly FilledFields[]): UserProperties {
  if (pairs.length > userPropertiesMax) throw invalid(`at most ${userPropertiesMax} user properties`);
  return pairs.map((pair): [string, string] => {
    const texts: [string, string] = [textOf(pair, "key"), textOf(pair, "value")];
    for (const text of texts) {
      if (!isMqttText(text) || new TextEncoder().encode(text).length > mqttTextBytesMax) {
        throw invalid("user properties are text that MQTT can carry");
      }
    }
    return texts;
  });
}

function secondsOf(value: unknown): number {
  const seconds = Number(value);
  if (Number.isInteger(seconds) && seconds >= 0 && seconds <= 4_294_967_295) return seconds;
  throw invalid("messageExpiry is a number of seconds from 0 to 4294967295");
}

const invalid = (why: string) => new ThinglineError("REQUEST_INVALID", `headers: ${why}`);
