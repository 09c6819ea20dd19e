import { ThinglineError } from "@thingline/protocol";
import {
  awsTopicLimits,
  checkTopicName,
  type PublishProperties,
  type TopicLimits,
  type UserProperties,
} from "@thingline/protocol/mqtt/client";

/**
 * What a cloud takes of one device. AWS IoT ends the connection for most of what is more, which under MQTT 3.1.1 looks like anything
 * else: a device refuses it at the call, with QUOTA_EXCEEDED, TOPIC_NAME_INVALID or TOPIC_FILTER_INVALID.
 */
export interface DeviceQuotas {
  payloadBytesMax: number;
  /** UTF-8, of topics and topic filters. See {@link awsTopicLimits} for what is not counted. */
  topicBytesMax: number;
  topicSlashesMax: number;
  /** Topic filters of one connection, application and shadow topics included. */
  subscriptionsMax: number;
  clientIdBytesMax: number;
  /** MQTT 5: names and values of all user properties of one packet. */
  userPropertiesBytesMax: number;
  contentTypeBytesMax: number;
  correlationDataBytesMax: number;
  topicAliasMax: number;
}

/** AWS IoT Core endpoints and quotas, "AWS IoT Core message broker and protocol limits and quotas". None of them can be raised. */
export const awsQuotas: Readonly<DeviceQuotas> = {
  payloadBytesMax: 131_072,
  topicBytesMax: 256,
  topicSlashesMax: 7,
  subscriptionsMax: 50,
  clientIdBytesMax: 128,
  userPropertiesBytesMax: 8_192,
  contentTypeBytesMax: 256,
  correlationDataBytesMax: 8_192,
  topicAliasMax: 8,
};

/** What MQTT itself can carry. */
export const mqttQuotas: Readonly<DeviceQuotas> = {
  payloadBytesMax: 268_435_455,
  topicBytesMax: 65_535,
  topicSlashesMax: 65_535,
  subscriptionsMax: Infinity,
  clientIdBytesMax: 65_535,
  userPropertiesBytesMax: 268_435_455,
  contentTypeBytesMax: 65_535,
  correlationDataBytesMax: 65_535,
  topicAliasMax: 65_535,
};

export function topicLimitsOf({ topicBytesMax, topicSlashesMax }: DeviceQuotas): TopicLimits {
  return { ...awsTopicLimits, bytesMax: topicBytesMax, levelsMax: topicSlashesMax + 1 };
}

const encoder = new TextEncoder();
const slash = 0x2f;

export function userPropertiesBytesOf(userProperties: UserProperties | undefined): number {
  let bytes = 0;
  for (const [name, value] of userProperties ?? []) bytes += encoder.encode(name).length + encoder.encode(value).length;
  return bytes;
}

/** @param what `the payload` @param unit `bytes` */
function exceeded(quota: keyof DeviceQuotas, what: string, unit: string, [got, max]: [number, number]): ThinglineError {
  const message = `${what}: ${got} ${unit}, and the cloud takes ${max} (${quota} of the quotas)`;
  return new ThinglineError("QUOTA_EXCEEDED", message, { details: { quota, got, max } });
}

/** Holds requests against the quotas. */
export class QuotaGate {
  readonly #quotas: Readonly<DeviceQuotas>;
  readonly #topics: TopicLimits;
  /** The last one that was fine: most devices publish to few topics. */
  #lastTopic = "";

  constructor(quotas: Readonly<DeviceQuotas>) {
    this.#quotas = quotas;
    this.#topics = topicLimitsOf(quotas);
  }

  /** @throws {ThinglineError} QUOTA_EXCEEDED, TOPIC_NAME_INVALID */
  checkPublish(topic: string, payload: Uint8Array, properties: PublishProperties | undefined): void {
    const { payloadBytesMax } = this.#quotas;
    if (payload.length > payloadBytesMax) {
      throw exceeded("payloadBytesMax", `the payload for "${shown(topic)}"`, "bytes", [
        payload.length,
        payloadBytesMax,
      ]);
    }
    if (properties !== undefined) this.#checkProperties(properties);
    // With an alias the topic may be empty.
    if (topic === this.#lastTopic) return;
    if (topic !== "" && !this.#isShort(topic)) checkTopicName(topic, this.#topics);
    this.#lastTopic = topic;
  }

  /** Within the limits whatever its characters are: what else a topic must be is checked by the session. */
  #isShort(topic: string): boolean {
    const { topicBytesMax, topicSlashesMax } = this.#quotas;
    if (topic.length * 3 > topicBytesMax) return false;
    let slashes = 0;
    for (let at = 0; at < topic.length; at++) if (topic.charCodeAt(at) === slash) slashes++;
    return slashes <= topicSlashesMax;
  }

  #checkProperties({ userProperties, contentType, correlationData, topicAlias }: PublishProperties): void {
    const { userPropertiesBytesMax, contentTypeBytesMax, correlationDataBytesMax, topicAliasMax } = this.#quotas;
    const check = (quota: keyof DeviceQuotas, what: string, got: number, max: number): void => {
      if (got > max) throw exceeded(quota, what, "bytes", [got, max]);
    };
    const userBytes = userProperties === undefined ? 0 : userPropertiesBytesOf(userProperties);
    const typeBytes = contentType === undefined ? 0 : encoder.encode(contentType).length;
    check("userPropertiesBytesMax", "properties.userProperties", userBytes, userPropertiesBytesMax);
    check("contentTypeBytesMax", "properties.contentType", typeBytes, contentTypeBytesMax);
    check(
      "correlationDataBytesMax",
      "properties.correlationData",
      correlationData?.length ?? 0,
      correlationDataBytesMax,
    );
    if (topicAlias === undefined || topicAlias <= topicAliasMax) return;
    const message = `properties.topicAlias is ${topicAlias}, and the cloud takes aliases up to ${topicAliasMax}`;
    const details = { quota: "topicAliasMax", got: topicAlias, max: topicAliasMax };
    throw new ThinglineError("QUOTA_EXCEEDED", message, { details });
  }

  get subscriptionsMax(): number {
    return this.#quotas.subscriptionsMax;
  }

  /** Of one filter. */
  get filterLimits(): TopicLimits {
    return this.#topics;
  }

  /** @param count of distinct filters, the new ones included @throws {ThinglineError} QUOTA_EXCEEDED */
  checkSubscriptions(count: number): void {
    const { subscriptionsMax } = this.#quotas;
    if (count <= subscriptionsMax) return;
    throw exceeded("subscriptionsMax", "subscriptions of this connection", "topic filters", [count, subscriptionsMax]);
  }
}

function shown(topic: string): string {
  return topic.length > 100 ? `${topic.slice(0, 100)}...` : topic;
}
