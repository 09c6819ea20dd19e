import { checkOptionTypes } from "@thingline/protocol";
import type { Clock } from "../clock.js";
import { defaultHandshakesMax, type Network } from "../connection.js";
import { checkBound, clockOption } from "../option-types.js";
import { SlabPool } from "../write-plan.js";
import { createNodeClock } from "./clock.js";
import { dial } from "./dial.js";
import { Handshakes } from "./handshakes.js";
import { SharedFacts } from "./shared-facts.js";
import { ClientContexts } from "./tls-options.js";

export interface NodeNetworkOptions {
  clock?: Clock;
  /** TLS handshakes and WebSocket upgrades under way on all listeners together: see `handshakesMax` of a listener. */
  handshakesMax?: number;
}

/** TCP, TLS 1.2 and 1.3, and MQTT over WebSocket. One memory pool for all connections of the network. */
export function createNodeNetwork(options: NodeNetworkOptions = {}): Network {
  checkOptionTypes(options, { clock: clockOption, handshakesMax: "number" }, { of: "createNodeNetwork()" });
  const { clock = createNodeClock(), handshakesMax = defaultHandshakesMax } = options;
  checkBound("handshakesMax", handshakesMax);
  const context = {
    clock,
    pool: new SlabPool((lengthBytes) => Buffer.allocUnsafeSlow(lengthBytes)),
    contexts: new ClientContexts(),
    facts: new SharedFacts(),
    handshakes: new Handshakes(handshakesMax),
  };
  return {
    dial: (target, { signal } = {}) => dial(context, target, signal),
    listen: async (options, onConnection) => {
      // Half of this folder, and Node's HTTP server: a device never listens.
      const { listen } = await import("./listen.js");
      return listen(context, options, onConnection);
    },
  };
}
