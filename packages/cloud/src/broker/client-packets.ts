import { reasonCodes, type MqttPacket, type PublishAckPacket, type PublishPacket } from "@thingline/protocol/mqtt";
import { faultOfProperties } from "../services/message-limits.js";
import type { ConnectedClient } from "./connected-client.js";
import type { BrokerContext } from "./context.js";
import type { InFlight } from "./in-flight.js";
import type { InboundPublishes } from "./inbound-publish.js";
import type { Subscriptions } from "./subscribe.js";
import type { Turn } from "./turn.js";

export interface ClientPacketsParts {
  publishes: InboundPublishes;
  subscriptions: Subscriptions;
  inFlight: InFlight;
}

/** What clients say once they are connected. */
export class ClientPackets {
  private readonly context: BrokerContext;
  private readonly publishes: InboundPublishes;
  private readonly subscriptions: Subscriptions;
  private readonly inFlight: InFlight;

  constructor(context: BrokerContext, { publishes, subscriptions, inFlight }: ClientPacketsParts) {
    this.context = context;
    this.publishes = publishes;
    this.subscriptions = subscriptions;
    this.inFlight = inFlight;
  }

  handle(turn: Turn, client: ConnectedClient, packet: MqttPacket): void {
    // Ordered by how often they come.
    if (packet.type === "publish") this.publishes.receive(turn, client, packet);
    else if (packet.type === "puback") this.receivePuback(turn, client, packet);
    else if (this.hasSoundProperties(turn, client, packet)) this.handleOther(turn, client, packet);
  }

  /** What the client has not acknowledged for too long is given up. */
  dropUnacknowledged(turn: Turn, client: ConnectedClient): void {
    if (this.inFlight.dropUnacknowledged(client.session, turn.nowMs)) client.drain(turn);
  }

  private receivePuback(turn: Turn, client: ConnectedClient, packet: PublishAckPacket): void {
    const { packetId, reasonCode } = packet;
    const { session } = client;
    if (packet.properties !== undefined && !this.hasSoundProperties(turn, client, packet)) return;
    if (!this.inFlight.acknowledged(session, packetId)) {
      this.context.counters.unexpectedAcks++;
      this.context.log.debug("unexpectedPuback", { clientId: client.clientId, packetId });
      return;
    }
    if (reasonCode >= 0x80) {
      this.context.counters.droppedRefused++;
      this.context.log.warn("messageRefused", { clientId: client.clientId, packetId, reasonCode });
    }
    if (session.queue.queuedCount > 0 || session.groups !== undefined) client.drain(turn);
  }

  /** User properties have one bound in every packet. SUBSCRIBE has an answer that can say so, which others have not. */
  private hasSoundProperties(turn: Turn, client: ConnectedClient, packet: Exclude<MqttPacket, PublishPacket>): boolean {
    const properties = "properties" in packet ? packet.properties : undefined;
    if (properties?.userProperties === undefined) return true;
    const fault = faultOfProperties(this.context.limits, { userProperties: properties.userProperties });
    if (fault === undefined) return true;
    this.context.hit("userPropertiesBytesMax", { clientId: client.clientId, packet: packet.type, fault });
    if (packet.type === "subscribe") {
      const reasonString = client.attempt.wantsReasons ? { properties: { reasonString: fault } } : {};
      const codes = packet.subscriptions.map(() => reasonCodes.quotaExceeded);
      client.send(turn, { type: "suback", packetId: packet.packetId, reasonCodes: codes, ...reasonString });
    } else client.misuse("quotaExceeded", fault);
    return false;
  }

  private handleOther(turn: Turn, client: ConnectedClient, packet: MqttPacket): void {
    switch (packet.type) {
      case "pingreq":
        client.send(turn, { type: "pingresp" });
        return;
      case "subscribe":
        this.subscriptions.subscribe(turn, client, packet);
        return;
      case "unsubscribe":
        this.subscriptions.unsubscribe(turn, client, packet);
        return;
      case "disconnect":
        this.receiveDisconnect(client, packet.reasonCode, packet.properties?.sessionExpirySeconds);
        return;
      case "pubrec":
      case "pubrel":
      case "pubcomp":
        client.misuse("qosNotSupported", `${packet.type}: QoS 2 is not supported`);
        return;
      case "auth":
        client.misuse("protocolError", "AUTH: enhanced authentication is not supported");
        return;
      default:
        client.misuse("protocolError", `${packet.type} from a client`);
    }
  }

  private receiveDisconnect(
    client: ConnectedClient,
    reasonCode: number,
    sessionExpirySeconds: number | undefined,
  ): void {
    if (sessionExpirySeconds !== undefined) {
      // [MQTT-3.1.2-23] A session that was to end with the connection cannot be made to last.
      if (client.sessionExpirySeconds === 0 && sessionExpirySeconds > 0) {
        return client.misuse("protocolError", "DISCONNECT raises the session expiry from 0");
      }
      client.sessionExpirySeconds = Math.min(sessionExpirySeconds, this.context.limits.sessionExpirySecondsMax);
    }
    const wantsWill = reasonCode !== reasonCodes.success;
    client.end(wantsWill ? "CLIENT_DISCONNECT_WITH_WILL" : "CLIENT_INITIATED_DISCONNECT");
  }
}
