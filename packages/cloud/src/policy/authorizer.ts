import type { UserProperties } from "@thingline/protocol/mqtt";

/** Actions that the broker asks about. The resource is the part after `arn:aws:iot:<region>:<account>:`. */
export type BrokerAction = "iot:Connect" | "iot:Publish" | "iot:RetainPublish" | "iot:Subscribe" | "iot:Receive";

export interface Decision {
  isAllowed: boolean;
  /** For people and logs: which statement of which policy version decided, or why none matched. */
  explanation: string;
  /**
   * The connection has done what it was for, and is closed without an answer: the certificate was registered by it. Whoever decided has
   * logged why.
   */
  isSilent?: boolean;
}

/** What a CONNECT asks for beyond its client id: `iot:ConnectAttributes` and the last will. */
export interface ConnectRequest {
  clientId: string;
  wantsPersistentSession: boolean;
  will: { topic: string; isRetained: boolean } | undefined;
}

/**
 * Policy bound to one MQTT connection: principal, client id, thing. Synchronous, because it is asked for every
 * message; it holds compiled policies.
 */
export interface Authorizer {
  /** @param resource for example `topic/a/b`, `topicfilter/a/#`, `client/c1` */
  authorize(action: BrokerAction, resource: string): Decision;
  /** Rises when a policy, attachment or certificate of the principal changed: drop what was cached. */
  readonly generation: number;
  /** The associated thing. */
  readonly thingName: string | undefined;
  /** Whether that thing is the only one that the principal is attached to: lifecycle events name it then. */
  readonly isExclusiveThing?: boolean;
  /** User properties that every message of the connection gets, by the type of its thing. Undefined for nearly all connections. */
  readonly enrichment?: UserProperties | undefined;
}

/** User name and password of a CONNECT, and the client id as the client sent it. */
export interface PresentedCredentials {
  readonly clientId: string;
  readonly username: string | undefined;
  readonly password: Uint8Array | undefined;
}

/** A connection in the hands of an identity that has its own mind about how long it may last. */
export interface AttendedConnection {
  /** Has `authorizeConnect` asked again, and ends the connection when that says no. */
  recheck(): Promise<void>;
  /** The time of the connection is over. */
  expire(): void;
}

/** Who is at the other end of a transport connection, before any MQTT. */
export interface ConnectionIdentity {
  /** Certificate id; undefined for the anonymous plain TCP port, and for whoever an authorizer knows by other means. */
  certificateId: string | undefined;
  /** Who it is by the word of an authorizer, where there is no certificate: known when a CONNECT was allowed. */
  readonly principalId?: string | undefined;
  /** Called with what the CONNECT says of who it is, before anything is asked. Absent where nobody looks at it. */
  present?(credentials: PresentedCredentials): void;
  /**
   * The CONNECT was accepted. Absent for a connection that nothing but its principal ends.
   *
   * @returns called when the connection is over
   */
  attend?(connection: AttendedConnection): () => void;
  /**
   * Loads policies for a CONNECT. `decision` is about the CONNECT itself, with `iot:ConnectAttributes` and the will.
   */
  authorizeConnect(request: ConnectRequest): Promise<{ decision: Decision; authorizer: Authorizer }>;
}
