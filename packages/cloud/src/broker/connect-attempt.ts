import type { ConnackPacket, ConnectTerms, MqttVersion, Will } from "@thingline/protocol/mqtt";
import type { Connection } from "@thingline/transport";
import type { Authorizer, ConnectionIdentity, ConnectRequest, Decision } from "../policy/authorizer.js";
import type { EndDetails } from "./client.js";
import type { DisconnectReason } from "./disconnect-reasons.js";
import type { InputFlow } from "./input-flow.js";

/** The transport connection under a client. */
export interface ClientLink {
  readonly connection: Connection;
  readonly identity: ConnectionIdentity;
  readonly input: InputFlow;
  /** Whether its CONNECT still waits for an answer. */
  readonly isUnanswered: boolean;
  send(packet: ConnackPacket, version: MqttVersion): void;
  /** From now on a change of the principal concerns this connection. */
  rememberPrincipal(): void;
  end(reason: DisconnectReason, details?: EndDetails): void;
}

/** Who asks to be connected, and whether the answer is still about what the principal is now. */
export class Principal {
  readonly identity: ConnectionIdentity;
  readonly request: ConnectRequest;
  /** Counts the changes of the principal; an answer of `authorizeConnect` to an earlier count is out of date. */
  private changes = 0;
  private askedAt = 0;

  constructor(identity: ConnectionIdentity, request: ConnectRequest) {
    this.identity = identity;
    this.request = request;
  }

  /** The last answer is about what the principal was. */
  get isOutOfDate(): boolean {
    return this.askedAt !== this.changes;
  }

  changed(): void {
    this.changes++;
  }

  ask(): Promise<{ decision: Decision; authorizer: Authorizer }> {
    this.askedAt = this.changes;
    return this.identity.authorizeConnect(this.request);
  }

  /** As {@link ask} after a change; undefined when there was another change meanwhile, which asks by itself. */
  async askAgain(): Promise<{ decision: Decision; authorizer: Authorizer } | undefined> {
    const change = ++this.changes;
    const answer = await this.identity.authorizeConnect(this.request);
    return change === this.changes ? answer : undefined;
  }
}

/** A CONNECT that passed the first checks. The packet itself, credentials included, is not kept. */
export interface ConnectAttempt {
  readonly link: ClientLink;
  readonly clientId: string;
  readonly version: MqttVersion;
  readonly terms: ConnectTerms;
  /** Set when the client left the choice to us. */
  readonly assignedClientId: string | undefined;
  readonly isCleanStart: boolean;
  readonly will: Will | undefined;
  /** [MQTT-3.1.2-29] Request Problem Information 0 asks for no reason strings. */
  readonly wantsReasons: boolean;
  readonly principal: Principal;
}
