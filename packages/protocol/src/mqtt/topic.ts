import { ThinglineError } from "../errors.js";
import { fieldBytesMax, utf8Length } from "./codec/utf8.js";
import { isLongReservedTopic } from "./reserved-topics.js";

export interface TopicLimits {
  /** UTF-8 bytes. Default 65,535, what the wire can carry. */
  bytesMax?: number;
  /** Levels are separated by `/`, so this is one more than the slashes. Default: no limit but the bytes. */
  levelsMax?: number;
  /** Do not count the first three levels of `$aws/rules/<rule name>/...`. */
  isBasicIngestFree?: boolean;
  /** Do not count reserved topics that AWS itself makes longer, such as those of commands. */
  isLongReservedFree?: boolean;
}

/**
 * 256 bytes and 7 slashes. Basic Ingest, `$share/<group>/` and reserved topics that AWS itself makes longer are not counted.
 * AWS IoT Core quotas, "Message broker".
 */
export const awsTopicLimits: Readonly<TopicLimits> = {
  bytesMax: 256,
  levelsMax: 8,
  isBasicIngestFree: true,
  isLongReservedFree: true,
};

export interface SharedFilter {
  /** The group of `$share/<group>/<filter>`; undefined for an ordinary subscription. */
  group: string | undefined;
  /** The filter that topics are matched with. */
  filter: string;
}

export interface MatchOptions {
  /**
   * Match as AWS IoT Core does: `#` does not match its parent level, so `sensor/#` matches `sensor/` and `sensor/a`,
   * not `sensor`. MQTT's own rule [MQTT-4.7.1-2] says it does.
   */
  aws?: boolean;
}

const basicIngestPrefix = "$aws/rules/";
/** AWS IoT API reference, CreateTopicRule, ruleName. A longer name is none, and its bytes count. */
const ruleNameCharsMax = 128;
const sharePrefix = "$share/";
const plus = 0x2b;
const hash = 0x23;
const slash = 0x2f;
const dollar = 0x24;

type Refusal = "TOPIC_NAME_INVALID" | "TOPIC_FILTER_INVALID";

/**
 * Checks a topic name: at least one character, no wildcard, no U+0000, within the limits.
 *
 * @throws {ThinglineError} `TOPIC_NAME_INVALID` with `details.reason`, and `details.level` (from 1) where one is to blame.
 */
export function checkTopicName(topic: string, limits: TopicLimits = {}): void {
  const refuse = refuser("TOPIC_NAME_INVALID", topic);
  // [MQTT-4.7.3-1]
  if (topic.length === 0) throw refuse("empty", "a topic name has at least one character");
  const wildcard = wildcardIndex(topic);
  if (wildcard >= 0) {
    // [MQTT-4.7.1-1] [MQTT-3.3.2-2]
    throw refuse("wildcard", `a topic name holds no wildcard, got "${topic}"`, levelAt(topic, wildcard));
  }
  checkSize(topic, limits, refuse);
}

/**
 * Checks a topic filter, with or without `$share/<group>/`: wildcards stand alone in their level, `#` comes last.
 *
 * @returns the filter, split from its share group.
 * @throws {ThinglineError} `TOPIC_FILTER_INVALID` with `details.reason`, and `details.level` (from 1, counted in the
 *   whole text) where one is to blame.
 */
export function parseTopicFilter(text: string, limits: TopicLimits = {}): SharedFilter {
  const refuse = refuser("TOPIC_FILTER_INVALID", text);
  // [MQTT-4.7.3-1]
  if (text.length === 0) throw refuse("empty", "a topic filter has at least one character");
  if (!text.startsWith(sharePrefix)) {
    checkWildcards(text, text, 1, refuse);
    checkSize(text, limits, refuse);
    return { group: undefined, filter: text };
  }
  const end = text.indexOf("/", sharePrefix.length);
  const group = end < 0 ? text.slice(sharePrefix.length) : text.slice(sharePrefix.length, end);
  const filter = end < 0 ? "" : text.slice(end + 1);
  // [MQTT-4.8.2-1]
  if (group === "") throw refuse("share", `a share group has at least one character, got "${text}"`, 2);
  if (wildcardIndex(group) >= 0) throw refuse("share", `a share group holds no wildcard, got "${text}"`, 2);
  // [MQTT-4.8.2-2]
  if (filter === "") throw refuse("share", `a topic filter must follow the share group, got "${text}"`, 3);
  checkWildcards(filter, text, 3, refuse);
  checkSize(filter, limits, refuse);
  return { group, filter };
}

/** Whether the filter names exactly one topic. */
export function hasWildcard(filter: string): boolean {
  return wildcardIndex(filter) >= 0;
}

/**
 * Whether a topic name fits a topic filter. Both must be valid; `$share/<group>/` must be gone.
 *
 * A wildcard in the first level does not match a topic that begins with `$`. [MQTT-4.7.2-1]
 */
export function topicMatches(filter: string, topic: string, { aws = false }: MatchOptions = {}): boolean {
  if (topic.charCodeAt(0) === dollar) {
    const first = filter.charCodeAt(0);
    if (first === plus || first === hash) return false;
  }
  let at = 0;
  for (let f = 0; f < filter.length; f++) {
    const unit = filter.charCodeAt(f);
    if (unit === hash) return true;
    if (unit === plus) {
      while (at < topic.length && topic.charCodeAt(at) !== slash) at++;
    } else if (at < topic.length && topic.charCodeAt(at) === unit) at++;
    // What is left of the filter is "/#" and the topic is its parent level. [MQTT-4.7.1-2]
    else return !aws && at === topic.length && unit === slash && filter.length === f + 2 && filter.endsWith("#");
  }
  return at === topic.length;
}

function wildcardIndex(text: string): number {
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === plus || unit === hash) return at;
  }
  return -1;
}

function levelAt(text: string, index: number): number {
  let level = 1;
  for (let at = 0; at < index; at++) if (text.charCodeAt(at) === slash) level++;
  return level;
}

type Refuse = (reason: string, message: string, level?: number) => ThinglineError;

function refuser(code: Refusal, topic: string): Refuse {
  // A name that is refused for its length may be 64 KB long; an error need not carry all of it.
  const shown = topic.length > 300 ? `${topic.slice(0, 300)}...` : topic;
  const key = code === "TOPIC_NAME_INVALID" ? "topic" : "filter";
  return (reason, message, level) => {
    const details: Record<string, string | number> = { reason, [key]: shown };
    if (level !== undefined) details["level"] = level;
    return new ThinglineError(code, message.length > 500 ? `${message.slice(0, 500)}...` : message, { details });
  };
}

function checkWildcards(filter: string, text: string, level: number, refuse: Refuse): void {
  for (let at = 0; at < filter.length; at++) {
    const unit = filter.charCodeAt(at);
    if (unit === slash) level++;
    else if (unit === hash || unit === plus) {
      const sign = unit === hash ? "#" : "+";
      const isAlone =
        (at === 0 || filter.charCodeAt(at - 1) === slash) &&
        (at + 1 === filter.length || filter.charCodeAt(at + 1) === slash);
      // [MQTT-4.7.1-2] [MQTT-4.7.1-3] (3.1.1), [MQTT-4.7.1-1] [MQTT-4.7.1-2] (5)
      if (!isAlone) throw refuse("wildcard", `'${sign}' must fill its level of a topic filter, got "${text}"`, level);
      if (unit === hash && at + 1 !== filter.length) {
        throw refuse("wildcard", `'#' must be the last level of a topic filter, got "${text}"`, level);
      }
    }
  }
}

function checkSize(text: string, limits: TopicLimits, refuse: Refuse): void {
  const { bytesMax = fieldBytesMax, levelsMax = Infinity, isBasicIngestFree = false } = limits;
  const isFree = (): boolean => limits.isLongReservedFree === true && isLongReservedTopic(text);
  let free = 0;
  if (isBasicIngestFree && text.startsWith(basicIngestPrefix)) {
    const slashAt = text.indexOf("/", basicIngestPrefix.length);
    const end = slashAt < 0 ? text.length : slashAt;
    if (end - basicIngestPrefix.length <= ruleNameCharsMax) free = Math.min(end + 1, text.length);
  }
  const counted = free === 0 ? text : text.slice(free);
  const bytes = utf8Length(text);
  // [MQTT-4.7.3-2] [MQTT-1.5.4-1]
  if (bytes < 0) throw refuse("characters", "a topic holds no U+0000 and no lone surrogate");
  const countedBytes = free === 0 ? bytes : utf8Length(counted);
  if (bytes > fieldBytesMax) throw refuse("bytes", `${bytes} bytes of topic, at most ${fieldBytesMax} fit in a packet`);
  if (countedBytes > bytesMax) {
    if (isFree()) return;
    throw refuse("bytes", `${countedBytes} bytes of topic, at most ${bytesMax} are allowed`);
  }
  if (levelsMax === Infinity) return;
  const levels = levelAt(counted, counted.length);
  if (levels > levelsMax && !isFree()) {
    throw refuse("levels", `${levels} levels of topic, at most ${levelsMax} are allowed`);
  }
}
