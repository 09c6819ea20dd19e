import { ThinglineError } from "@thingline/protocol";
import { checkTopicName, type PublishProperties, type UserProperties } from "@thingline/protocol/mqtt";
import { decodeBase64, encodeBase64 } from "@thingline/protocol/x509";
import { faultOfProperties, topicLimits, type MessageLimits } from "../message-limits.js";
import { isExpired, retainedKeys, type RetainedRecord } from "../message-records.js";
import type { Operation } from "../operation.js";
import { readPage } from "../page.js";
import { isPublishableReservedTopic, isReservedTopic } from "../publishable-topics.js";
import { answer, boolean, bytes, integer, oneOf, operation, optional, string } from "../shape.js";

export const retainedPageSizeMax = 200;
/** User properties of one message; AWS bounds their bytes only. */
export const userPropertiesMax = 1_000;

const topic = string({ min: 1, max: 65_535 });
const publishShape = {
  topic,
  payload: optional(bytes()),
  qos: optional(integer({ min: 0, max: 1 })),
  retain: optional(boolean()),
  contentType: optional(string()),
  responseTopic: optional(string({ min: 1 })),
  messageExpiry: optional(integer({ min: 0, max: 4_294_967_295 })),
  userProperties: optional(string({ max: 32_768 })),
  payloadFormatIndicator: optional(oneOf(["UNSPECIFIED_BYTES", "UTF8_DATA"])),
  correlationData: optional(string({ max: 32_768 })),
};
/** A message to publish, with the members of AWS's operation. */
export interface PublishInput {
  topic: string;
  payload?: Uint8Array | undefined;
  /** 0 or 1. Default 0. */
  qos?: number | undefined;
  retain?: boolean | undefined;
  contentType?: string | undefined;
  responseTopic?: string | undefined;
  /** Seconds. */
  messageExpiry?: number | undefined;
  /** Base64 of a JSON array of objects with one member each. */
  userProperties?: string | undefined;
  payloadFormatIndicator?: "UNSPECIFIED_BYTES" | "UTF8_DATA" | undefined;
  /** Base64. */
  correlationData?: string | undefined;
}

const encoder = new TextEncoder();

export type Messages = ReturnType<typeof createMessages>;

/**
 * The messages of the data plane: Publish, GetRetainedMessage, ListRetainedMessages, by AWS's names.
 *
 * @see AWS IoT developer guide, "HTTPS"; API reference of the data plane
 */
export function createMessages(limits: MessageLimits) {
  const publish: Operation<PublishInput, { message: string }> = operation(publishShape, async (_, input) => {
    const { payload = new Uint8Array(), qos = 0, retain = false } = input;
    checkTopic(input.topic, limits);
    const isReserved = isReservedTopic(input.topic);
    if (isReserved && !isPublishableReservedTopic(input.topic, "http")) {
      const message = `nobody may publish over HTTP to the reserved topic "${input.topic}"`;
      throw new ThinglineError("REQUEST_FORBIDDEN", message, { details: { topic: input.topic } });
    }
    if (retain && isReserved) throw invalid("retain may not be used on a topic that begins with $");
    if (payload.length > limits.payloadBytesMax) {
      const message = `a payload has at most ${limits.payloadBytesMax} bytes, got ${payload.length}`;
      throw new ThinglineError("REQUEST_TOO_LARGE", message, { details: { payloadBytes: payload.length } });
    }
    const properties = propertiesOf(input, limits);
    return {
      result: { message: "OK" },
      operations: [],
      effects: [
        {
          type: "publish",
          topic: input.topic,
          payload,
          qos: qos === 1 ? 1 : 0,
          isRetained: retain,
          source: "http",
          ...(properties !== undefined && { properties }),
        },
      ],
    };
  });
  const getRetainedMessage = operation({ topic }, async ({ store, scope, nowMs }, input) => {
    const entry = await store.get<RetainedRecord>(retainedKeys.of(scope, input.topic));
    if (entry === undefined || isExpired(entry.value, nowMs)) {
      const message = `No retained message exists for topic: '${input.topic}'`;
      throw new ThinglineError("RESOURCE_NOT_FOUND", message, { details: { topic: input.topic } });
    }
    const { payload, qos, retainedAtMs = 0, properties } = entry.value;
    const userProperties = properties?.userProperties?.map(([name, value]) => ({ [name]: value }));
    return answer({
      topic: input.topic,
      payload: encodeBase64(payload),
      qos,
      lastModifiedTime: retainedAtMs,
      ...(userProperties !== undefined && {
        userProperties: encodeBase64(encoder.encode(JSON.stringify(userProperties))),
      }),
    });
  });

  const listShape = {
    nextToken: optional(string({ max: 4_096 })),
    maxResults: optional(integer({ min: 1, max: retainedPageSizeMax })),
  };
  const listRetainedMessages = operation(listShape, async ({ store, scope, nowMs }, { nextToken, maxResults }) => {
    const page = await readPage<RetainedRecord>(store, {
      prefix: retainedKeys.all(scope),
      token: nextToken,
      size: maxResults ?? retainedPageSizeMax,
      matches: ({ value }) => !isExpired(value, nowMs),
    });
    return answer({
      retainedTopics: page.entries.map(({ value: { topic, payload, qos, retainedAtMs = 0 } }) => {
        return { topic, payloadSize: payload.length, qos, lastModifiedTime: retainedAtMs };
      }),
      ...(page.nextToken !== undefined && { nextToken: page.nextToken }),
    });
  });

  return { publish, getRetainedMessage, listRetainedMessages };
}

function checkTopic(name: string, limits: MessageLimits): void {
  try {
    checkTopicName(name, topicLimits(limits));
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error));
  }
}

function propertiesOf(input: PublishInput, limits: MessageLimits): PublishProperties | undefined {
  const { contentType, responseTopic, messageExpiry, payloadFormatIndicator } = input;
  const properties: PublishProperties = {};
  if (contentType !== undefined) {
    if (!isMqttText(contentType)) throw invalid("contentType is text that MQTT can carry, without U+0000");
    properties.contentType = contentType;
  }
  if (responseTopic !== undefined) {
    checkTopic(responseTopic, limits);
    properties.responseTopic = responseTopic;
  }
  if (messageExpiry !== undefined) properties.messageExpirySeconds = messageExpiry;
  if (payloadFormatIndicator !== undefined) {
    properties.payloadFormatIndicator = payloadFormatIndicator === "UTF8_DATA" ? 1 : 0;
  }
  if (input.correlationData !== undefined) {
    properties.correlationData = decoded("correlationData", input.correlationData);
  }
  if (input.userProperties !== undefined) properties.userProperties = parseUserProperties(input.userProperties);
  const fault = faultOfProperties(limits, properties);
  if (fault !== undefined) throw invalid(fault);
  for (const _ in properties) return properties;
  return undefined;
}

function parseUserProperties(text: string): UserProperties {
  const expected = "userProperties is base64 of a JSON array of objects with one text member each";
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(decoded("userProperties", text)));
  } catch {
    throw invalid(expected);
  }
  if (!Array.isArray(value) || value.length > userPropertiesMax) throw invalid(expected);
  return value.map((item: unknown): [string, string] => {
    const entries = typeof item === "object" && item !== null && !Array.isArray(item) ? Object.entries(item) : [];
    const [name, text] = (entries[0] ?? []) as [string?, unknown?];
    if (entries.length !== 1 || name === undefined || typeof text !== "string") throw invalid(expected);
    if (!isMqttText(name) || !isMqttText(text)) throw invalid("user properties are text that MQTT can carry");
    return [name, text];
  });
}

/** [MQTT-1.5.4-1] [MQTT-1.5.4-2] No lone surrogate, no U+0000. */
const isMqttText = (text: string): boolean => !/\0|\p{Surrogate}/u.test(text);

function decoded(member: string, text: string): Uint8Array {
  const bytes = decodeBase64(text);
  if (bytes === undefined) throw invalid(`${member} is not base64`);
  return bytes;
}

const invalid = (message: string) => new ThinglineError("REQUEST_INVALID", message);
