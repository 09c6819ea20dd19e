import { kindOf, optionInvalid, ThinglineError } from "@thingline/protocol";
import { describeReasonCode, parseTopicFilter, type TopicLimits } from "@thingline/protocol/mqtt/client";

/** AWS IoT closes the connection on a SUBSCRIBE or UNSUBSCRIBE with more filters. */
export const filtersPerPacketMax = 8;

export interface RefusedFilter {
  filter: string;
  /** 0x80 in MQTT 3.1.1, the reason code in 5. */
  reasonCode: number;
  meaning: string;
}

/** @throws {ThinglineError} OPTION_INVALID, TOPIC_FILTER_INVALID */
export function filtersOf(filters: string | readonly string[], limits?: TopicLimits): readonly string[] {
  if (typeof filters !== "string" && !isIterable(filters)) {
    throw optionInvalid("filters", "a topic filter, or a list of them", kindOf(filters));
  }
  const list = typeof filters === "string" ? [filters] : [...new Set(filters)];
  if (list.length === 0) throw optionInvalid("filters", "at least one topic filter", "none");
  for (const filter of list) {
    if (typeof filter !== "string") throw optionInvalid("filters", "topic filters", kindOf(filter));
    parseTopicFilter(filter, limits);
  }
  return list;
}

const isIterable = (value: unknown): boolean => typeof value === "object" && value !== null && Symbol.iterator in value;

export function chunksOf<Item>(items: readonly Item[], length: number): (readonly Item[])[] {
  const chunks: (readonly Item[])[] = [];
  for (let from = 0; from < items.length; from += length) chunks.push(items.slice(from, from + length));
  return chunks;
}

export function refusedOf(filters: readonly string[], codes: readonly number[]): RefusedFilter[] {
  const refused: RefusedFilter[] = [];
  codes.forEach((reasonCode, index) => {
    const filter = filters[index];
    if (filter === undefined || reasonCode < 0x80) return;
    refused.push({ filter, reasonCode, meaning: describeReasonCode(reasonCode) });
  });
  return refused;
}

const policyHint = ". Check that a policy of this certificate allows iot:Subscribe on it";

/** What to do about a SUBACK. 0x80 is all that MQTT 3.1.1 has. Other codes say it themselves. */
const subscriptionHints: ReadonlyMap<number, string> = new Map([
  [0x80, policyHint],
  [0x87, policyHint],
  [0x97, ". AWS IoT takes 50 subscriptions for each connection"],
]);

export function subscriptionRefusal({ filter, reasonCode, meaning }: RefusedFilter): ThinglineError {
  const hint = subscriptionHints.get(reasonCode) ?? "";
  const message = `the cloud refused the topic filter "${filter}": ${meaning}${hint}`;
  return new ThinglineError("MQTT_SUBSCRIPTION_REFUSED", message, { details: { filter, reasonCode } });
}
