import type { Will } from "@thingline/protocol/mqtt";
import type { ClientConnection } from "./client-connection.js";
import { fanOut } from "./delivery.js";
import { expiresAt, forwardedProperties } from "../services/message-limits.js";
import { Publication } from "./publication.js";

/**
 * Publishes the last will of a connection that has ended. That the client may was settled by its CONNECT. As at AWS, a
 * will on a reserved topic reaches subscribers and no service.
 */
export function sendWill({ core, will, clientId }: ClientConnection): void {
  if (will === undefined) return;
  const publication = new Publication(will.payload, core.topics);
  publication.reset(will.topic, will.payload, will.qos === 0 ? 0 : 1, will.isRetained, undefined);
  publication.properties = forwardedProperties(will.properties);
  const { clock, log } = core.options;
  publication.expiresAtMs = expiresAt(core.limits, will.properties?.messageExpirySeconds, clock.unixMs());
  log.debug("willSent", { clientId, topic: will.topic });
  const before = core.waits;
  core.waits = [];
  if (will.isRetained) core.retained.retain(publication);
  fanOut(core, publication, core.index.route(will.topic));
  // Nobody waits for a will; what cannot be stored is logged by the writer.
  core.waits = before;
}

/** A decoded will is a view of the CONNECT, and lives as long as the connection. */
export function ownWill(will: Will): Will {
  const { properties, payload } = will;
  const own: Will = { ...will, payload: payload.slice() };
  if (properties?.correlationData !== undefined) {
    own.properties = { ...properties, correlationData: properties.correlationData.slice() };
  }
  return own;
}
