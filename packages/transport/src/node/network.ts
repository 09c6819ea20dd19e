import { checkOptionTypes } from "@thingline/protocol";
import type { Clock } from "../clock.js";
import type { Network } from "../connection.js";
import { clockOption } from "../option-types.js";
import { SlabPool } from "../write-plan.js";
import { createNodeClock } from "./clock.js";
import { dial } from "./dial.js";
import { listen } from "./listen.js";
import { SharedFacts } from "./shared-facts.js";
import { ClientContexts } from "./tls-options.js";

/** TCP, TLS 1.2 and 1.3, and MQTT over WebSocket. One memory pool for all connections of the network. */
export function createNodeNetwork(options: { clock?: Clock } = {}): Network {
  checkOptionTypes(options, { clock: clockOption }, { of: "createNodeNetwork()" });
  const { clock = createNodeClock() } = options;
  const context = {
    clock,
    pool: new SlabPool((lengthBytes) => Buffer.allocUnsafeSlow(lengthBytes)),
    contexts: new ClientContexts(),
    facts: new SharedFacts(),
  };
  return {
    dial: (target, { signal } = {}) => dial(context, target, signal),
    listen: (options, onConnection) => listen(context, options, onConnection),
  };
}
