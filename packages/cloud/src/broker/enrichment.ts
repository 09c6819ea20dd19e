import type { PublishProperties, UserProperties } from "@thingline/protocol/mqtt";
import { userPropertiesBytes } from "../services/message-limits.js";
import type { BrokerContext } from "./context.js";

/** User properties that every message of one connection gets. Made when it connects and when its principal changes, not for each message. */
export interface Enrichment {
  readonly userProperties: UserProperties;
  /** For messages without properties of their own: nearly all. */
  readonly alone: PublishProperties;
}

/**
 * Undefined when nothing is added. What does not fit into the bytes that AWS gives the user properties of one message is left out, the last
 * first, and is told: attributes can grow after the thing type was made.
 */
export function createEnrichment(
  context: BrokerContext,
  clientId: string,
  wanted: UserProperties | undefined,
): Enrichment | undefined {
  if (wanted === undefined) return undefined;
  const { userPropertiesBytesMax } = context.limits;
  let count = wanted.length;
  while (userPropertiesBytes(wanted.slice(0, count)) > userPropertiesBytesMax) count--;
  if (count < wanted.length) {
    const keys = wanted.slice(count).map(([key]) => key);
    context.hit("userPropertiesBytesMax", { clientId, enrichment: `left out: ${keys.join(", ")}` });
  }
  if (count === 0) return undefined;
  const userProperties = count === wanted.length ? wanted : wanted.slice(0, count);
  return { userProperties, alone: { userProperties } };
}

/** The message's own user properties stay, before those that are added. */
export function enriched(
  properties: PublishProperties | undefined,
  { userProperties, alone }: Enrichment,
): PublishProperties {
  if (properties === undefined) return alone;
  const own = properties.userProperties ?? [];
  return { ...properties, userProperties: own.length === 0 ? userProperties : [...own, ...userProperties] };
}
