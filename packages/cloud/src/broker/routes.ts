import type { Audience } from "./listener.js";
import type { BrokerSession } from "./session.js";
import type { Route, SubscriptionIndex } from "./subscription-index.js";

export type BrokerRoute = Route<BrokerSession, Audience>;
export type BrokerIndex = SubscriptionIndex<BrokerSession, Audience>;
