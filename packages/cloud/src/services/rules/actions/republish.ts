import { ThinglineError } from "@thingline/protocol";
import { checkTopicName, type PublishProperties } from "@thingline/protocol/mqtt";
import { decodeBase64 } from "@thingline/protocol/x509";
import type { Operation } from "../../operation.js";
import { isPublishableReservedTopic, isReservedTopic } from "../../publishable-topics.js";
import type { FilledFields } from "../prepared.js";
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

  async perform({ fields, selected, message, scope, runner }) {
    const topic = topicOf(textOf(fields, "topic"));
    const ruleDepth = (message.ruleDepth ?? 0) + 1;
    if (ruleDepth > republishDepthMax) {
      throw new ThinglineError(
        "LIMIT_EXCEEDED",
        `${republishDepthMax} messages followed from each other: do rules hear themselves?`,
      );
    }
    const properties = propertiesOf(fields["headers"] as FilledFields | undefined);
    const qos = fields["qos"] === 1 ? 1 : 0;
    await runner.run(scope, publish, { topic, payload: selected.payload, qos, properties, ruleDepth });
  },
};

/** `$$aws/…` of an action is the reserved topic `$aws/…`. @throws {ThinglineError} REQUEST_FORBIDDEN, TOPIC_NAME_INVALID */
function topicOf(text: string): string {
  const topic = text.startsWith("$$") ? text.slice(1) : text;
  checkTopicName(topic);
  if (isReservedTopic(topic) && (!isPublishableReservedTopic(topic, "http") || topic.startsWith("$aws/rules/"))) {
    throw new ThinglineError("REQUEST_FORBIDDEN", `a rule may not publish to the reserved topic "${topic}"`);
  }
  return topic;
}

function propertiesOf(headers: FilledFields | undefined): PublishProperties | undefined {
  if (headers === undefined) return undefined;
  const { payloadFormatIndicator, contentType, responseTopic, correlationData, messageExpiry, userProperties } =
    headers;
  const properties: PublishProperties = {};
  if (payloadFormatIndicator === "UTF8_DATA") properties.payloadFormatIndicator = 1;
  else if (payloadFormatIndicator === "UNSPECIFIED_BYTES") properties.payloadFormatIndicator = 0;
  else if (payloadFormatIndicator !== undefined)
    throw invalid("payloadFormatIndicator is UTF8_DATA or UNSPECIFIED_BYTES");
  if (typeof contentType === "string") properties.contentType = contentType;
  if (typeof responseTopic === "string") {
    checkTopicName(responseTopic);
    properties.responseTopic = responseTopic;
  }
  if (typeof correlationData === "string") {
    const bytes = decodeBase64(correlationData);
    if (bytes === undefined) throw invalid("correlationData is not base64");
    properties.correlationData = bytes;
  }
  if (messageExpiry !== undefined) properties.messageExpirySeconds = secondsOf(messageExpiry);
  if (Array.isArray(userProperties)) {
    properties.userProperties = userProperties.map((pair: FilledFields): [string, string] => [
      textOf(pair, "key"),
      textOf(pair, "value"),
    ]);
  }
  return properties;
}

function secondsOf(value: unknown): number {
  const seconds = Number(value);
  if (Number.isInteger(seconds) && seconds >= 0 && seconds <= 4_294_967_295) return seconds;
  throw invalid("messageExpiry is a number of seconds from 0 to 4294967295");
}

const invalid = (why: string) => new ThinglineError("REQUEST_INVALID", `headers: ${why}`);
