import { ThinglineError } from "@thingline/protocol";
import { awsOperation } from "../aws-operation.js";
import { checkPayload, checkTopic, propertiesOf, type MessagePropertiesInput } from "../message-input.js";
import type { MessageLimits } from "../message-limits.js";
import { isExpired, retainedKeys, type RetainedRecord } from "../message-records.js";
import { answer } from "../operation.js";
import { readPage } from "../page.js";
import { isPublishableReservedTopic, isReservedTopic } from "../publishable-topics.js";

export const retainedPageSizeMax = 200;

/** A message to publish, with the members of AWS's operation. */
export interface PublishInput extends MessagePropertiesInput {
  topic: string;
  payload?: Uint8Array | undefined;
  /** 0 or 1. Default 0. */
  qos?: number | undefined;
  retain?: boolean | undefined;
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
    checkPayload(payload, limits);
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

const invalid = (message: string) => new ThinglineError("REQUEST_INVALID", message);
