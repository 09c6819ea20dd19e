export { createBroker } from "./broker.js";
export type { BrokerCounters } from "./counters.js";
export { disconnectReasons } from "./disconnect-reasons.js";
export type { DisconnectReason } from "./disconnect-reasons.js";
export { awsLimits, noLimits, outputBytesShare } from "./limits.js";
export type { BrokerLimits } from "./limits.js";
export type { SessionOwnerRule } from "./session-owner.js";
export type { Broker, BrokerOptions, BrokerStats, PublishEffect } from "./types.js";
