import { isThinglineError } from "@thingline/protocol";
import type { InspectedAnswer } from "./inspect.js";

/** A message to be published. */
export interface WireRequest {
  topic: string;
  payload: Uint8Array;
  qos: 0 | 1;
}

/** What a method looks like on the wire: topics and messages. */
export interface ProvisioningWire {
  /** Filters without which no answer comes. */
  acceptedFilters: readonly string[];
  /** Without them there is silence instead of refusals. */
  rejectedFilters: readonly string[];
  /** What `aws_iot_subscription_topics_add` keeps for the next connection in the sample. */
  keptFilters: readonly string[];
  request(requestPem: string | undefined): WireRequest;
  registerThing(token: string): WireRequest;
  /** Empty: the message is none of the flow's. */
  inspect(topic: string, payload: Uint8Array): readonly InspectedAnswer[];
}

/** What cannot be used becomes an answer that says why. */
export function orUnusable(read: () => readonly InspectedAnswer[]): readonly InspectedAnswer[] {
  try {
    return read();
  } catch (error) {
    if (!isThinglineError(error)) throw error;
    return [{ answer: { kind: "unusable", error } }];
  }
}
