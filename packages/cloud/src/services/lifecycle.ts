import type { Scope } from "./operation.js";

/**
 * What every lifecycle event tells. Members that AWS publishes have AWS's names; `scope` and `certificateId` are ours and are never
 * published.
 *
 * @see AWS IoT developer guide, "Lifecycle events"
 */
interface LifecycleFacts {
  scope: Scope;
  clientId: string;
  /** Unix time in milliseconds. */
  timestamp: number;
  /** A UUID, the same for all events of one connection. */
  sessionIdentifier: string;
  /** The certificate id, or what stands for a client without a certificate. */
  principalIdentifier: string;
  /** The client's certificate; undefined for a client without one, so for an anonymous client of the plain port. */
  certificateId: string | undefined;
}

/** A CONNECT was accepted. */
export interface ConnectedEvent extends LifecycleFacts {
  eventType: "connected";
  /** The thing that the client's certificate is attached to exclusively. */
  thingName?: string;
  ipAddress: string;
  /** Rises with each connection of a client id; the end of a connection has the number of its beginning. */
  versionNumber: number;
}

/** A connection that was accepted ended. */
export interface DisconnectedEvent extends LifecycleFacts {
  eventType: "disconnected";
  /** As for {@link ConnectedEvent}. */
  thingName?: string;
  versionNumber: number;
  /** The client sent DISCONNECT. */
  clientInitiatedDisconnect: boolean;
  /** In AWS's words, as `CLIENT_INITIATED_DISCONNECT` or `MQTT_KEEP_ALIVE_TIMEOUT`. */
  disconnectReason: string;
}

/** A CONNECT was not allowed: by the policies of the principal, its last will included. */
export interface ConnectFailedEvent extends LifecycleFacts {
  eventType: "connect_failed";
  connectFailureReason: "AUTHORIZATION_FAILED";
  ipAddress: string;
}

/** Topic filters of one SUBSCRIBE that were granted, or those of one UNSUBSCRIBE. */
export interface SubscriptionEvent extends LifecycleFacts {
  eventType: "subscribed" | "unsubscribed";
  topics: readonly string[];
}

/** What happened to a client, as services hear it. At least once and, between connections, in no order: as on AWS. */
export type LifecycleEvent = ConnectedEvent | DisconnectedEvent | ConnectFailedEvent | SubscriptionEvent;
