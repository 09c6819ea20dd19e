import type { PublishProperties } from "@thingline/protocol/mqtt";
import type { Scope } from "./operation.js";

/** The two ends of a client's transport connection. */
export interface ClientSocket {
  readonly sourceIp: string;
  readonly sourcePort: number;
  readonly targetIp: string;
  readonly targetPort: number;
}

/** What is known of a client that is connected, was a while ago, or has a persistent session. */
export interface ClientFacts {
  readonly clientId: string;
  readonly isConnected: boolean;
  readonly thingName: string | undefined;
  /** Its session ends, or ended, with its connection. */
  readonly isCleanSession: boolean;
  /** What counts, not what the client asked for. Undefined when nobody remembers. */
  readonly keepAliveSeconds: number | undefined;
  readonly sessionExpirySeconds: number;
  /** Unix time in milliseconds of the beginning of the connection, or of its end. */
  readonly sinceMs: number;
  /** In AWS's words; undefined while it is connected. */
  readonly disconnectReason: string | undefined;
  readonly socket: ClientSocket | undefined;
}

export interface ClientSubscription {
  /** As it was subscribed, `$share/…/` included. */
  readonly topicFilter: string;
  readonly qos: 0 | 1;
}

/** A message for one client, subscribed or not. Its bytes are not changed after they were handed over. */
export interface DirectMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly properties: PublishProperties | undefined;
}

/**
 * What came of a direct message. `sent`: QoS 0 went out. `acknowledged`: the PUBACK came. `sessionOffline`: the client is not connected, and
 * its persistent session waits for it. `unanswered`: no PUBACK came in time, or the connection ended before it.
 */
export type DirectOutcome =
  | "sent"
  | "acknowledged"
  | "notConnected"
  | "sessionOffline"
  | "denied"
  | "throttled"
  | "tooLarge"
  | "unanswered";

/** How a client's connection is ended. */
export interface DisconnectTerms {
  /** Its persistent session ends too, with subscriptions and queue. */
  readonly endsSession: boolean;
  readonly preventsWill: boolean;
}

/** The clients of one account and region, at whichever node they are. What it rejects with are failures of reaching other nodes. */
export interface Clients {
  describe(clientId: string): Promise<ClientFacts | undefined>;
  /** Of one that is connected, or has a persistent session; undefined for any other. */
  subscriptions(clientId: string): Promise<readonly ClientSubscription[] | undefined>;
  /** Those that are connected or have a persistent session, in the order of their ids. */
  list(page: { after: string; limit: number }): Promise<readonly ClientFacts[]>;
  /** @returns whether there was a connection or a persistent session */
  disconnect(clientId: string, terms: DisconnectTerms): Promise<boolean>;
  /** @param waitMs how long a PUBACK is waited for; undefined: QoS 0 */
  send(clientId: string, message: DirectMessage, waitMs: number | undefined): Promise<DirectOutcome>;
}

/** The clients of a scope: there are none elsewhere than where devices connect. @throws {ThinglineError} CLOSED */
export type ClientDirectory = (scope: Scope) => Clients | undefined;
