import { isThinglineError } from "@thingline/protocol";
import {
  checkTopicName,
  type PublishProperties,
  type TopicLimits,
  type UserProperties,
} from "@thingline/protocol/mqtt";

/** What one message may be, however it comes; a part of the broker's limits. */
export interface MessageLimits {
  /** UTF-8 bytes of a topic, without the free prefix of Basic Ingest. */
  topicBytesMax: number;
  /** `/` in a topic, without those of the free prefix. */
  topicSlashesMax: number;
  payloadBytesMax: number;
  contentTypeBytesMax: number;
  correlationDataBytesMax: number;
  /** Names and values of all user properties of one packet. */
  userPropertiesBytesMax: number;
  messageExpirySecondsMin: number;
  messageExpirySecondsMax: number;
}

export function topicLimits({
  topicBytesMax,
  topicSlashesMax,
}: Pick<MessageLimits, "topicBytesMax" | "topicSlashesMax">): TopicLimits {
  return { bytesMax: topicBytesMax, levelsMax: topicSlashesMax + 1, isBasicIngestFree: true, isLongReservedFree: true };
}

/** What is too large about the properties of a message, in words; undefined when nothing is. */
export function faultOfProperties(
  limits: MessageLimits,
  properties: Pick<PublishProperties, "contentType" | "correlationData" | "userProperties"> | undefined,
): string | undefined {
  if (properties === undefined) return undefined;
  const { contentType, correlationData, userProperties } = properties;
  const fault = (name: string, bytes: number, max: number): string | undefined =>
    bytes > max ? `${name} of ${bytes} bytes, at most ${max} are allowed` : undefined;
  return (
    fault("a content type", contentType === undefined ? 0 : utf8Bytes(contentType), limits.contentTypeBytesMax) ??
    fault("correlation data", correlationData?.length ?? 0, limits.correlationDataBytesMax) ??
    fault("user properties", userPropertiesBytes(userProperties), limits.userPropertiesBytesMax)
  );
}

/** Why a response topic is none that anybody could publish to, in words. */
export function faultOfResponseTopic(
  limits: MessageLimits,
  properties: Pick<PublishProperties, "responseTopic"> | undefined,
): string | undefined {
  if (properties?.responseTopic === undefined) return undefined;
  try {
    checkTopicName(properties.responseTopic, topicLimits(limits));
    return undefined;
  } catch (error) {
    if (isThinglineError(error, "TOPIC_NAME_INVALID")) return `the response topic: ${error.message}`;
    throw error;
  }
}

export function userPropertiesBytes(userProperties: UserProperties | undefined): number {
  let bytes = 0;
  for (const [name, value] of userProperties ?? []) bytes += utf8Bytes(name) + utf8Bytes(value);
  return bytes;
}

/** Text that a decoder gave us: every surrogate has its partner. */
function utf8Bytes(text: string): number {
  let bytes = text.length;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit >= 0xd800 && unit <= 0xdbff) {
      // A pair is two units and four bytes.
      bytes += 2;
      at++;
    } else if (unit >= 0x800) bytes += 2;
    else if (unit >= 0x80) bytes += 1;
  }
  return bytes;
}

/** Unix time at which a message is to be dropped, its expiry clamped to what is allowed. */
export function expiresAt(
  limits: MessageLimits,
  expirySeconds: number | undefined,
  nowUnixMs: number,
): number | undefined {
  if (expirySeconds === undefined) return undefined;
  const { messageExpirySecondsMin: min, messageExpirySecondsMax: max } = limits;
  return nowUnixMs + Math.min(Math.max(expirySeconds, min), max) * 1000;
}

/** Properties as they are forwarded: alias, expiry and subscription identifiers are between two neighbours. */
export function forwardedProperties(properties: PublishProperties | undefined): PublishProperties | undefined {
  if (properties === undefined) return undefined;
  const { topicAlias, messageExpirySeconds, subscriptionIdentifiers, ...rest } = properties;
  void topicAlias;
  void messageExpirySeconds;
  void subscriptionIdentifiers;
  for (const _ in rest) return rest;
  return undefined;
}
