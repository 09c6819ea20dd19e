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
} from "@thingline/protocol/mqtt";
import type { Connection } from "@thingline/transport";
import type { Authorizer } from "../policy/authorizer.js";
import type { ClientFacts } from "../services/client-directory.js";
import type { Client, EndDetails } from "./client.js";
import { ClientRights } from "./client-rights.js";
import type { ClientLink, ConnectAttempt } from "./connect-attempt.js";
import { ConnectionFlow, type FlowOwner } from "./connection-flow.js";
import type { BrokerContext } from "./context.js";
import type { Delivery } from "./delivery.js";
import type { DisconnectReason } from "./disconnect-reasons.js";
import type { BrokerSession } from "./session.js";
import type { Origin } from "./sources.js";
import type { Turn, Turns } from "./turn.js";
import type { UnsentOutput } from "./unsent-output.js";

export interface ConnectedClientParts {
  delivery: Delivery;
  turns: Turns;
  unsent: UnsentOutput;
}

/** A client between CONNACK and the end of its connection: its session, its rights, what it has under way, and how it is answered. */
export class ConnectedClient implements Client, FlowOwner, Origin {
  readonly source = "client";
  readonly clientId: string;
  readonly version: MqttVersion;
  readonly certificateId: string | undefined;
  /** As events name who it is: its certificate, or what an authorizer calls it. */
  readonly principalId: string | undefined;
  readonly connection: Connection;
  readonly session: BrokerSession;
  /** What its CONNECT said. */
  readonly attempt: ConnectAttempt;
  readonly packetBytesMax: number;
  readonly rights: ClientRights;
  readonly flow: ConnectionFlow;
  readonly inbound: InboundInflight;
  readonly aliases: InboundTopicAliases;
  /** How long the session outlives this connection. */
  sessionExpirySeconds: number;
  isConnected = true;
  /** Unix time. */
  readonly connectedAtMs: number;
  /** Of the connections of this client id. */
  connectionNumber = 0;
  private readonly link: ClientLink;
  private readonly context: BrokerContext;
  private readonly delivery: Delivery;

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
    this.principalId = this.certificateId ?? link.identity.principalId;
    this.connection = link.connection;
    this.session = session;
    this.attempt = attempt;
    this.packetBytesMax = terms.clientPacketBytesMax;
    this.inbound = new InboundInflight(inboundInflightMax);
    this.aliases = new InboundTopicAliases(topicAliasMax);
    this.rights = new ClientRights(context, this, authorizer);
    this.sessionExpirySeconds = terms.sessionExpirySeconds;
    this.connectedAtMs = context.clock.unixMs();
    this.link = link;
    this.context = context;
    this.delivery = parts.delivery;
    this.flow = new ConnectionFlow(this, context, { ...parts, input: link.input });
    session.connection = this;
    session.queue.attach(terms.outboundWindowMax);
  }

  drain(turn: Turn): void {
    this.delivery.drain(turn, this.session);
  }

  get sourceIp(): string {
    return this.connection.remote.host;
  }

  describe(): ClientFacts {
    const { connection, session, attempt, sessionExpirySeconds } = this;
    const { local, remote } = connection;
    return {
      clientId: this.clientId,
      isConnected: this.isConnected,
      thingName: this.rights.authorizer.thingName,
      isCleanSession: session.stored === undefined,
      keepAliveSeconds: attempt.terms.keepAliveSeconds,
      sessionExpirySeconds,
      sinceMs: this.connectedAtMs,
      disconnectReason: undefined,
      socket: { sourceIp: remote.host, sourcePort: remote.port, targetIp: local.host, targetPort: local.port },
    };
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
    return reasonString === undefined || !this.attempt.wantsReasons
      ? packet
      : { ...packet, properties: { reasonString } };
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
