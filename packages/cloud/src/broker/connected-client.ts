import {
  encodePacket,
  encodePuback,
  InboundInflight,
  InboundTopicAliases,
  packetLength,
  pubackBytes,
  reasonCodes,
  type DisconnectPacket,
  type MqttPacket,
  type MqttVersion,
  type PublishAckPacket,
  type Will,
} from "@thingline/protocol/mqtt";
import { BoundedMap } from "@thingline/protocol";
import type { Connection } from "@thingline/transport";
import type { Authorizer, BrokerAction } from "../policy/authorizer.js";
import type { Client, EndDetails } from "./client.js";
import type { ClientLink, ConnectAttempt, Principal } from "./connect-attempt.js";
import { ConnectionFlow, type FlowOwner } from "./connection-flow.js";
import type { BrokerContext } from "./context.js";
import type { Delivery } from "./delivery.js";
import type { BrokerRoute } from "./routes.js";
import type { DisconnectReason } from "./disconnect-reasons.js";
import type { InputFlow } from "./input-flow.js";
import type { BrokerSession } from "./session.js";
import type { Origin } from "./sources.js";
import type { Turn, Turns } from "./turn.js";
import type { UnsentOutput } from "./unsent-output.js";

/** What a connection remembers of a topic that it published to. */
export interface PublishGrant {
  readonly topic: string;
  isAllowed: boolean;
  /** Of the authorizer when it was asked. */
  generation: number;
  route: BrokerRoute;
}

export interface ConnectedClientParts {
  delivery: Delivery;
  turns: Turns;
  unsent: UnsentOutput;
}

/** Of a connection that has not published, or not received, yet: most have one of the two, and never both. Nothing is ever put in. */
const noGrants = new BoundedMap<string, PublishGrant>(1);
const noDecisions = new BoundedMap<string, boolean>(1);

/** A client between CONNACK and the end of its connection: its session, its rights, what it has under way, and how it is answered. */
export class ConnectedClient implements Client, FlowOwner, Origin {
  readonly source = "client";
  readonly clientId: string;
  readonly version: MqttVersion;
  readonly certificateId: string | undefined;
  readonly connection: Connection;
  readonly input: InputFlow;
  readonly session: BrokerSession;
  readonly principal: Principal;
  readonly will: Will | undefined;
  readonly keepAliveSeconds: number;
  readonly packetBytesMax: number;
  readonly flow: ConnectionFlow;
  grants = noGrants;
  readonly inbound: InboundInflight;
  readonly aliases: InboundTopicAliases;
  readonly wantsReasons: boolean;
  authorizer: Authorizer;
  /** How long the session outlives this connection. */
  sessionExpirySeconds: number;
  isConnected = true;
  /** Of the connections of this client id. */
  connectionNumber = 0;
  private readonly link: ClientLink;
  private readonly context: BrokerContext;
  private readonly delivery: Delivery;
  private receiveDecisions = noDecisions;
  private receiveGeneration = -1;

  constructor(
    context: BrokerContext,
    parts: ConnectedClientParts,
    attempt: ConnectAttempt,
    session: BrokerSession,
    authorizer: Authorizer,
  ) {
    const { link, terms } = attempt;
    const { inboundInflightMax, topicAliasMax } = context.limits;
    this.clientId = attempt.clientId;
    this.version = attempt.version;
    this.certificateId = link.identity.certificateId;
    this.connection = link.connection;
    this.input = link.input;
    this.session = session;
    this.principal = attempt.principal;
    this.will = attempt.will;
    this.keepAliveSeconds = terms.keepAliveSeconds;
    this.packetBytesMax = terms.clientPacketBytesMax;
    this.inbound = new InboundInflight(inboundInflightMax);
    this.aliases = new InboundTopicAliases(topicAliasMax);
    this.wantsReasons = attempt.wantsReasons;
    this.authorizer = authorizer;
    this.sessionExpirySeconds = terms.sessionExpirySeconds;
    this.link = link;
    this.context = context;
    this.delivery = parts.delivery;
    this.flow = new ConnectionFlow(this, context, parts, context.clock.monotonicMs());
    session.connection = this;
    session.queue.attach(terms.outboundWindowMax);
  }

  drain(turn: Turn): void {
    this.delivery.drain(turn, this.session);
  }

  // Answers

  /** Encodes straight into the connection's memory. */
  send(turn: Turn, packet: MqttPacket): void {
    this.write(packet);
    if (this.isConnected) this.flow.checkOutput(turn);
  }

  private write(packet: MqttPacket): void {
    const lengthBytes = packetLength(packet, this.version);
    if (lengthBytes > this.packetBytesMax && (packet.type === "disconnect" || packet.type === "puback")) {
      // [MQTT-3.14.2-3] [MQTT-3.4.2-2] What only explains is left out when the client cannot take it.
      const { properties, ...bare } = packet;
      if (properties !== undefined) return this.write(bare);
    }
    const at = this.connection.reserve(lengthBytes);
    encodePacket(packet, this.version, this.connection.slab, at);
  }

  sendPuback(turn: Turn, packetId: number, reasonCode: number, reasonString?: string): void {
    if (!this.isConnected) return;
    if (reasonCode !== 0) {
      this.send(turn, this.withReason({ type: "puback", packetId, reasonCode }, reasonString));
      return;
    }
    const { connection } = this;
    const at = connection.reserve(pubackBytes);
    encodePuback(packetId, connection.slab, at);
    this.flow.checkOutput(turn);
  }

  private withReason<P extends PublishAckPacket | DisconnectPacket>(packet: P, reasonString: string | undefined): P {
    return reasonString === undefined || !this.wantsReasons ? packet : { ...packet, properties: { reasonString } };
  }

  // Policy

  /** Whether the policy lets the client receive the topic; remembered until the policy changes. */
  mayReceive(topic: string): boolean {
    const { authorizer } = this;
    if (this.receiveGeneration !== authorizer.generation) {
      this.receiveGeneration = authorizer.generation;
      this.receiveDecisions = noDecisions;
    }
    const known = this.receiveDecisions.get(topic);
    if (known !== undefined) return known;
    const isAllowed = this.authorize("iot:Receive", `topic/${topic}`);
    if (this.receiveDecisions === noDecisions) this.receiveDecisions = this.cacheOfTopics();
    this.receiveDecisions.set(topic, isAllowed);
    return isAllowed;
  }

  /** Asks the policy and logs a denial with its explanation. */
  authorize(action: BrokerAction, resource: string): boolean {
    const decision = this.authorizer.authorize(action, resource);
    if (decision.isAllowed) return true;
    const { clientId, certificateId } = this;
    const { explanation } = decision;
    this.context.log.warn("denied", { action, resource, clientId, certificateId, explanation });
    return false;
  }

  /** Policies of the principal were loaded again. */
  replaceAuthorizer(authorizer: Authorizer): void {
    this.authorizer = authorizer;
    this.receiveGeneration = -1;
    this.grants = noGrants;
  }

  remember(grant: PublishGrant): void {
    if (this.grants === noGrants) this.grants = this.cacheOfTopics();
    this.grants.set(grant.topic, grant);
  }

  private cacheOfTopics<Answer extends NonNullable<unknown>>(): BoundedMap<string, Answer> {
    return new BoundedMap(this.context.limits.cachedTopicsPerConnectionMax);
  }

  // End

  /** A packet that is well formed and not allowed. The connection ends; nobody but the client is to blame. */
  misuse(reason: keyof typeof reasonCodes, explanation: string): void {
    this.context.counters.protocolErrors++;
    this.context.log.warn("protocolError", { clientId: this.clientId, error: explanation });
    this.end("CLIENT_ERROR", { reasonCode: reasonCodes[reason], reasonString: explanation });
  }

  end(reason: DisconnectReason, details?: EndDetails): void {
    this.link.end(reason, details);
  }

  /** MQTT 5: why the connection ends. */
  sayGoodbye(reasonCode: number | undefined, reasonString: string | undefined): void {
    if (this.version === 5 && reasonCode !== undefined)
      this.write(this.withReason({ type: "disconnect", reasonCode }, reasonString));
  }

  /** The connection is over. */
  stop(): void {
    this.isConnected = false;
    this.flow.stop();
  }
}
