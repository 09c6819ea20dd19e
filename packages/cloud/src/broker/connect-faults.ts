import { checkTopicName, reasonCodes, type ConnectPacket } from "@thingline/protocol/mqtt";
import { isThinglineError } from "@thingline/protocol";
import { faultOfProperties, faultOfResponseTopic, topicLimits } from "../services/message-limits.js";
import { isPublishableReservedTopic, isReservedTopic } from "../services/publishable-topics.js";
import type { BrokerLimits } from "./limits.js";

/** Why a CONNECT is refused. */
export interface Fault {
  reasonCode: number;
  reason: string;
}

/** What is wrong with the properties of a CONNECT, or with its will. */
export function faultOfConnect(limits: BrokerLimits, packet: ConnectPacket): Fault | undefined {
  return faultOfOwnProperties(limits, packet) ?? faultOfWill(limits, packet);
}

function faultOfOwnProperties(limits: BrokerLimits, { properties }: ConnectPacket): Fault | undefined {
  const reason = faultOfProperties(limits, properties);
  return reason === undefined ? undefined : { reasonCode: reasonCodes.quotaExceeded, reason };
}

function faultOfWill(limits: BrokerLimits, { will }: ConnectPacket): Fault | undefined {
  if (will === undefined) return undefined;
  const invalid = (reason: string) => ({ reasonCode: reasonCodes.topicNameInvalid, reason });
  try {
    checkTopicName(will.topic, topicLimits(limits));
  } catch (error) {
    if (!isThinglineError(error, "TOPIC_NAME_INVALID")) throw error;
    return invalid(`the will's topic: ${error.message}`);
  }
  if (isReservedTopic(will.topic)) {
    if (!isPublishableReservedTopic(will.topic, "client"))
      return invalid(`a client may not publish to "${will.topic}"`);
    if (will.isRetained) return invalid(`RETAIN may not be used on the reserved topic "${will.topic}"`);
  }
  const { payloadBytesMax } = limits;
  if (will.payload.length > payloadBytesMax) {
    const reason = `a will of ${will.payload.length} bytes, at most ${payloadBytesMax} are allowed`;
    return { reasonCode: reasonCodes.quotaExceeded, reason };
  }
  const topicFault = faultOfResponseTopic(limits, will.properties);
  if (topicFault !== undefined) return invalid(`the will: ${topicFault}`);
  const fault = faultOfProperties(limits, will.properties);
  return fault === undefined ? undefined : { reasonCode: reasonCodes.quotaExceeded, reason: `the will: ${fault}` };
}
