import { isRecord, ThinglineError } from "@thingline/protocol";
import { checkTopicName, type PublishProperties, type UserProperties } from "@thingline/protocol/mqtt";
import { decodeBase64 } from "@thingline/protocol/x509";
import { faultOfProperties, topicLimits, type MessageLimits } from "./message-limits.js";

// What the operations of the data plane that send a message have in common: AWS's spelling of MQTT 5's properties.

/** User properties of one message; AWS bounds their bytes only. */
export const userPropertiesMax = 1_000;
/** [MQTT-1.5.4] A text of MQTT is no longer. */
const topicCharactersMax = 65_535;
/** Of user properties and of correlation data, as base64. */
const propertyCharactersMax = 32_768;
/** Seconds: a four byte integer on the wire. */
const messageExpiryMax = 4_294_967_295;

/** The properties of a message, as AWS's operations take them. */
export interface MessagePropertiesInput {
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

/** @throws {ThinglineError} REQUEST_INVALID */
export function checkTopic(member: "topic" | "responseTopic", name: string, limits: MessageLimits): void {
  if (name.length > topicCharactersMax) throw invalid(`${member} has at most ${topicCharactersMax} characters`);
  try {
    checkTopicName(name, topicLimits(limits));
  } catch (error) {
    throw invalid(`${member}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** @returns undefined when there are none. @throws {ThinglineError} REQUEST_INVALID */
export function propertiesOf(input: MessagePropertiesInput, limits: MessageLimits): PublishProperties | undefined {
  const { contentType, responseTopic, messageExpiry, payloadFormatIndicator } = input;
  const properties: PublishProperties = {};
  if (contentType !== undefined) {
    if (!isMqttText(contentType) || contentType.length > topicCharactersMax)
      throw invalid("contentType is text that MQTT can carry, without U+0000");
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

/** @throws {ThinglineError} REQUEST_TOO_LARGE */
export function checkPayload(payload: Uint8Array, { payloadBytesMax }: MessageLimits): void {
  if (payload.length <= payloadBytesMax) return;
  const message = `a payload has at most ${payloadBytesMax} bytes, got ${payload.length}`;
  throw new ThinglineError("REQUEST_TOO_LARGE", message, { details: { payloadBytes: payload.length } });
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
export const isMqttText = (text: string): boolean => !/\0|\p{Surrogate}/u.test(text);

function decoded(member: string, text: string): Uint8Array {
  if (text.length > propertyCharactersMax) throw invalid(`${member} has at most ${propertyCharactersMax} characters`);
  const bytes = decodeBase64(text);
  if (bytes === undefined) throw invalid(`${member} is not base64`);
  return bytes;
}

const invalid = (message: string) => new ThinglineError("REQUEST_INVALID", message);
