import type { BusLink } from "../bus/bus-link.js";
import type { LifecycleEvent } from "../services/lifecycle.js";
import { noClientId } from "../services/operation.js";
import type { ConnectAttempt } from "./connect-attempt.js";
import type { ConnectedClient } from "./connected-client.js";
import { ConnectionNumbers } from "./connection-numbers.js";
import type { BrokerContext } from "./context.js";
import { disconnectReasons, type DisconnectReason } from "./disconnect-reasons.js";
import type { Intake } from "./intake.js";
import type { Listeners } from "./listener.js";
import type { BrokerIndex } from "./routes.js";
import { sourceRules, type Origin } from "./sources.js";
import type { Turns } from "./turn.js";

export interface LifecycleEventsParts {
  index: BrokerIndex;
  intake: Intake;
  listeners: Listeners;
  port: BusLink;
  turns: Turns;
  onLifecycle: ((event: LifecycleEvent) => void) | undefined;
}

/** Names the principal of a client that has none. */
const anonymous = "anonymous";

const origin: Origin = { source: "lifecycle", clientId: noClientId, certificateId: undefined };
const encoder = new TextEncoder();

/**
 * What happens to clients, told to services and published on `$aws/events/…`.
 *
 * An event is made when somebody wants it: before that a client costs a number. Whether anybody could want a published one is known
 * without a look at its topic.
 *
 * @see AWS IoT developer guide, "Lifecycle events"
 */
export class LifecycleEvents {
  private readonly context: BrokerContext;
  private readonly parts: LifecycleEventsParts;
  private readonly numbers: ConnectionNumbers;
  private readonly isHeard: boolean;
  private isClosed = false;

  constructor(context: BrokerContext, parts: LifecycleEventsParts) {
    this.context = context;
    this.parts = parts;
    this.numbers = new ConnectionNumbers(context.clock);
    this.isHeard = parts.listeners.hears(sourceRules.lifecycle.bit);
  }

  /** The broker ends, and with it all that hear it. */
  close(): void {
    this.isClosed = true;
  }

  connected(client: ConnectedClient): void {
    // The epoch of a persistent session counts its connections from 1, and lives as long as AWS's number does.
    const epoch = client.session.stored?.record.epoch ?? 1;
    const versionNumber = this.numbers.begin(client.clientId, epoch - 1);
    client.connectionNumber = versionNumber;
    if (!this.isWanted()) return;
    const { clientId, certificateId, session, connection } = client;
    // Spelled out, here and below: copying the common members costs more than making the event, and many clients may come at once.
    this.tell("presence", {
      eventType: "connected",
      scope: this.context.scope,
      clientId,
      timestamp: this.context.clock.unixMs(),
      sessionIdentifier: session.identifier,
      principalIdentifier: client.principalId ?? anonymous,
      certificateId,
      ...exclusiveThingOf(client),
      ipAddress: connection.remote.host,
      versionNumber,
    });
  }

  /** A CONNECT that is not allowed. Its session identifier is its own: there is no session. */
  connectFailed({ clientId, link }: Pick<ConnectAttempt, "clientId" | "link">): void {
    if (!this.isWanted()) return;
    const { certificateId, principalId } = link.identity;
    this.tell("presence", {
      eventType: "connect_failed",
      scope: this.context.scope,
      clientId,
      timestamp: this.context.clock.unixMs(),
      connectFailureReason: "AUTHORIZATION_FAILED",
      sessionIdentifier: this.context.random.uuid(),
      principalIdentifier: certificateId ?? principalId ?? anonymous,
      certificateId,
      ipAddress: link.connection.remote.host,
    });
  }

  disconnected(client: ConnectedClient, reason: DisconnectReason): void {
    const { clientId, certificateId, session, connectionNumber: versionNumber } = client;
    this.numbers.end(clientId, versionNumber);
    if (!this.isWanted()) return;
    const { awsReason: disconnectReason, isByClient: clientInitiatedDisconnect } = disconnectReasons[reason];
    this.tell("presence", {
      eventType: "disconnected",
      scope: this.context.scope,
      clientId,
      timestamp: this.context.clock.unixMs(),
      sessionIdentifier: session.identifier,
      principalIdentifier: client.principalId ?? anonymous,
      certificateId,
      ...exclusiveThingOf(client),
      clientInitiatedDisconnect,
      disconnectReason,
      versionNumber,
    });
  }

  /** Filters of one packet that were granted, or given up. */
  subscriptionsChanged(
    client: ConnectedClient,
    eventType: "subscribed" | "unsubscribed",
    topics: readonly string[],
  ): void {
    if (topics.length === 0 || !this.isWanted()) return;
    const { clientId, certificateId, session } = client;
    this.tell("subscriptions", {
      eventType,
      scope: this.context.scope,
      clientId,
      timestamp: this.context.clock.unixMs(),
      sessionIdentifier: session.identifier,
      principalIdentifier: client.principalId ?? anonymous,
      certificateId,
      topics,
    });
  }

  /** Whether anybody might hear an event. */
  private isWanted(): boolean {
    if (this.isClosed) return false;
    const { onLifecycle, index, port } = this.parts;
    return onLifecycle !== undefined || index.watchedCount > 0 || this.isHeard || !port.isAlone;
  }

  private tell(kind: "presence" | "subscriptions", event: LifecycleEvent): void {
    // AWS: there are no events of a client id that is no level of a topic.
    if (/[+#]/.test(event.clientId)) return;
    const { onLifecycle, index, port } = this.parts;
    try {
      onLifecycle?.(event);
    } catch (error) {
      this.context.counters.serviceFailures++;
      this.context.log.error("lifecycleHookFailed", { clientId: event.clientId, error: String(error) });
    }
    if (index.watchedCount === 0 && !this.isHeard && port.isAlone) return;
    try {
      this.publish(kind, event);
    } catch (error) {
      // What is wrong with whoever hears it concerns neither the client that it is about, nor the one that comes in its place.
      this.context.counters.internalFaults++;
      this.context.log.error("lifecycleEventFailed", { clientId: event.clientId, error: String(error) });
    }
  }

  private publish(kind: "presence" | "subscriptions", event: LifecycleEvent): void {
    const { index, intake, port, turns } = this.parts;
    const topic = `$aws/events/${kind}/${event.eventType}/${event.clientId}`;
    // Events of many clients must not push the routes of others out.
    const route = index.match(topic);
    const isHeardHere = (route.audience.sources & sourceRules.lifecycle.bit) !== 0;
    const isSubscribed = route.targets.length > 0 || route.groups.length > 0;
    if (!isSubscribed && !isHeardHere && (port.isAlone || !port.hasInterest(topic))) return;
    const turn = turns.begin();
    turn.publication.reset(topic, payloadOf(event), 1, false, undefined);
    intake.take(turn, turn.publication, route, origin);
    // Nobody waits for an event; what cannot be stored is logged by the writer.
    turns.end(turn);
  }
}

function exclusiveThingOf({ rights: { authorizer } }: ConnectedClient): { thingName?: string } | undefined {
  const { thingName, isExclusiveThing } = authorizer;
  return isExclusiveThing === true && thingName !== undefined ? { thingName } : undefined;
}

/** The members that AWS publishes. */
function payloadOf(event: LifecycleEvent): Uint8Array {
  const { scope, certificateId, ...published } = event;
  void scope;
  void certificateId;
  return encoder.encode(JSON.stringify(published));
}
