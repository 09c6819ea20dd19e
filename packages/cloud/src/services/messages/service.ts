import { isRecord, ThinglineError } from "@thingline/protocol";
import { checkTopicName, type PublishProperties, type UserProperties } from "@thingline/protocol/mqtt";
import { decodeBase64 } from "@thingline/protocol/x509";
import { faultOfProperties, topicLimits, type MessageLimits } from "../message-limits.js";
import { awsOperation } from "../aws-operation.js";
import { isExpired, retainedKeys, type RetainedRecord } from "../message-records.js";
import { answer } from "../operation.js";
import { readPage } from "../page.js";
import { isPublishableReservedTopic, isReservedTopic } from "../publishable-topics.js";

export const retainedPageSizeMax = 200;
/** User properties of one message; AWS bounds their bytes only. */
export const userPropertiesMax = 1_000;
/** [MQTT-1.5.4] A text of MQTT is no longer. */
const topicCharactersMax = 65_535;
/** Of user properties and of correlation data, as base64. */
const propertyCharactersMax = 32_768;
/** Seconds: a four byte integer on the wire. */
const messageExpiryMax = 4_294_967_295;

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

const publishMembers = [
  "topic",
  "payload",
  "qos",
  "retain",
  "contentType",
  "responseTopic",
  "messageExpiry",
  "userProperties",
  "payloadFormatIndicator",
  "correlationData",
] as const;

/** What GetRetainedMessage gives. */
export interface RetainedMessage {
  topic: string;
  payload: Uint8Array;
  qos: 0 | 1;
  /** Unix time in milliseconds. */
  lastModifiedTime: number;
  /** A JSON array of objects with one member each. */
  userProperties?: Uint8Array;
}

const encoder = new TextEncoder();

export type Messages = ReturnType<typeof createMessages>;

/**
 * The messages of the data plane: Publish, GetRetainedMessage, ListRetainedMessages, by AWS's names.
 *
 * @see AWS IoT developer guide, "HTTPS"; API reference of the data plane
 */
export function createMessages(limits: MessageLimits) {
  const publish = awsOperation("iot-data", "Publish", publishMembers, async (_, input) => {
    const { payload = new Uint8Array(), qos = 0, retain = false } = input;
    checkTopic("topic", input.topic, limits);
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
  const getRetainedMessage = awsOperation(
    "iot-data",
    "GetRetainedMessage",
    ["topic"],
    async ({ store, scope, nowMs }, input) => {
      const entry = await store.get<RetainedRecord>(retainedKeys.of(scope, input.topic));
      if (entry === undefined || isExpired(entry.value, nowMs)) {
        const message = `No retained message exists for topic: '${input.topic}'`;
        throw new ThinglineError("RESOURCE_NOT_FOUND", message, { details: { topic: input.topic } });
      }
      const { payload, qos, retainedAtMs = 0, properties } = entry.value;
      const pairs = properties?.userProperties?.map(([name, value]) => ({ [name]: value }));
      const userProperties = pairs && encoder.encode(JSON.stringify(pairs));
      return answer<RetainedMessage>({
        topic: input.topic,
        payload,
        qos,
        lastModifiedTime: retainedAtMs,
        ...(userProperties !== undefined && { userProperties }),
      });
    },
  );

  const listMembers = ["nextToken", "maxResults"] as const;
  const listRetainedMessages = awsOperation("iot-data", "ListRetainedMessages", listMembers, async (context, input) => {
    const { store, scope, nowMs } = context;
    const { nextToken, maxResults } = input;
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

function checkTopic(member: "topic" | "responseTopic", name: string, limits: MessageLimits): void {
  if (name.length > topicCharactersMax) throw invalid(`${member} has at most ${topicCharactersMax} characters`);
  try {
    checkTopicName(name, topicLimits(limits));
  } catch (error) {
    throw invalid(`${member}: ${error instanceof Error ? error.message : String(error)}`);
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
    checkTopic("responseTopic", responseTopic, limits);
    properties.responseTopic = responseTopic;
  }
  if (messageExpiry !== undefined) {
    if (messageExpiry < 0 || messageExpiry > messageExpiryMax) {
      throw invalid(`messageExpiry is a number of seconds from 0 to ${messageExpiryMax}, got ${messageExpiry}`);
    }
    properties.messageExpirySeconds = messageExpiry;
  }
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
    const entries = isRecord(item) ? Object.entries(item) : [];
    const [name, text] = (entries[0] ?? []) as [string?, unknown?];
    if (entries.length !== 1 || name === undefined || typeof text !== "string") throw invalid(expected);
    if (!isMqttText(name) || !isMqttText(text)) throw invalid("user properties are text that MQTT can carry");
    return [name, text];
  });
}

/** [MQTT-1.5.4-1] [MQTT-1.5.4-2] No lone surrogate, no U+0000. */
const isMqttText = (text: string): boolean => !/\0|\p{Surrogate}/u.test(text);

function decoded(member: string, text: string): Uint8Array {
  if (text.length > propertyCharactersMax) throw invalid(`${member} has at most ${propertyCharactersMax} characters`);
  const bytes = decodeBase64(text);
  if (bytes === undefined) throw invalid(`${member} is not base64`);
  return bytes;
}

const invalid = (message: string) => new ThinglineError("REQUEST_INVALID", message);
