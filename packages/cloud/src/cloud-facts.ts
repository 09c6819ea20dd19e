import type { RestApiStats } from "./rest/rest-api.js";
import type { Endpoint } from "@thingline/transport";
import type { BrokerStats } from "./broker/types.js";
import type { GatewayStats } from "./gateway/gateway.js";

export interface CloudStats {
  gateway: GatewayStats;
  broker: BrokerStats;
  rest: RestApiStats;
  pendingEffects: number;
  /** Reads of damaged records: each failed what needed it, and was logged with its key. */
  corruptReads: number;
}

export interface CloudAddresses {
  mqtts: Endpoint;
  https: Endpoint;
  mqtt: Endpoint | undefined;
}
