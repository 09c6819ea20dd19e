import { BoundedMap } from "../../bounded-map.js";
import { ThinglineError } from "../../errors.js";
import { checkTopicName, hasWildcard } from "../topic.js";
import { stringLength, writeString } from "./write.js";

/** Default of {@link EncodedTopics}: with topics of 256 bytes at most about 300 KB. */
export const defaultEncodedTopicsMax = 1024;

/**
 * Topic names as they stand in a PUBLISH: length and UTF-8. Checking and encoding a topic costs more than all the rest
 * of a small PUBLISH, and a sender has few topics. One per client connection, or one for a whole broker.
 */
export class EncodedTopics {
  private readonly known: BoundedMap<string, Uint8Array>;
  private lastTopic = "";
  private lastBytes: Uint8Array | undefined;

  /** @param topicsMax When so many are known, each new one takes the place of another. Default {@link defaultEncodedTopicsMax}. */
  constructor({ topicsMax = defaultEncodedTopicsMax }: { topicsMax?: number } = {}) {
    if (!Number.isInteger(topicsMax) || topicsMax < 1) {
      const message = `topicsMax is ${topicsMax}, not an integer of 1 or more`;
      throw new ThinglineError("OPTION_INVALID", message, { details: { option: "topicsMax" } });
    }
    this.known = new BoundedMap(topicsMax);
  }

  get topicCount(): number {
    return this.known.size;
  }

  /**
   * The topic with its length before it. Not to be changed.
   *
   * @throws {ThinglineError} `TOPIC_NAME_INVALID`, `MQTT_PACKET_INVALID`
   */
  bytesOf(topic: string): Uint8Array {
    if (this.lastBytes !== undefined && topic === this.lastTopic) return this.lastBytes;
    let bytes = this.known.get(topic);
    if (bytes === undefined) {
      bytes = encodeTopic(topic);
      this.known.set(topic, bytes);
    }
    this.lastTopic = topic;
    this.lastBytes = bytes;
    return bytes;
  }
}

function encodeTopic(topic: string): Uint8Array {
  const bytes = new Uint8Array(topicLength(topic));
  writeString(bytes, 0, topic);
  return bytes;
}

/** Bytes of a topic name with its length prefix; refuses a bad one. */
export function topicLength(topic: string): number {
  if (topic === "" || hasWildcard(topic)) checkTopicName(topic);
  return stringLength(topic, "topic");
}
