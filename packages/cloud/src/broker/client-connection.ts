import { isThinglineError, type ThinglineError } from "@thingline/protocol";
import {
  encodePacket,
  packetLength,
  PacketDecoder,
  reasonCodes,
  type ConnackPacket,
  type ConnectPacket,
  type MqttVersion,
} from "@thingline/protocol/mqtt";
import type { Connection, Timer } from "@thingline/transport";
import { verbosityOf } from "../services/iot-log.js";
import type { ConnectionIdentity } from "../policy/authorizer.js";
import type { EndDetails } from "./client.js";
import type { ClientPackets } from "./client-packets.js";
import type { ConnectAttempt } from "./connect-attempt.js";
import type { ConnectingLink, Connector } from "./connect.js";
import type { ConnectedClient } from "./connected-client.js";
import type { Connections, OpenConnection } from "./connections.js";
import type { BrokerContext } from "./context.js";
import { disconnectReasons, type DisconnectReason } from "./disconnect-reasons.js";
import type { GroupQueues } from "./group-queue.js";
import { InputFlow } from "./input-flow.js";
import { clientEntry } from "./iot-entries.js";
import { KeepAlive } from "./keep-alive.js";
import type { LifecycleEvents } from "./lifecycle-events.js";
import type { RecentEnds } from "./recent-ends.js";
import type { SessionLifecycle } from "./session-lifecycle.js";
import type { Turn, Turns } from "./turn.js";
import { unfinishedBytesShare } from "./unfinished-input.js";
import type { Wills } from "./will.js";

/** What the decoder says of bytes that are no MQTT. */
const wireFaults: ReadonlySet<string> = new Set([
  "MQTT_MALFORMED_PACKET",
  "MQTT_PROTOCOL_ERROR",
  "MQTT_PACKET_TOO_LARGE",
  "MQTT_VERSION_UNSUPPORTED",
]);

type Phase =
  | { readonly name: "awaitingConnect"; readonly timer: Timer }
  | { readonly name: "connecting"; readonly attempt: ConnectAttempt; readonly timer: Timer }
  | {
      readonly name: "connected";
      readonly client: ConnectedClient;
      readonly keepAlive: KeepAlive;
      /** Tells the identity that it is over. */
      readonly leave: (() => void) | undefined;
    }
  | { readonly name: "closed" };

const closed: Phase = { name: "closed" };

export interface ClientConnectionParts {
  connections: Connections;
  connector: Connector;
  events: LifecycleEvents;
  ends: RecentEnds;
  groups: GroupQueues;
  packets: ClientPackets;
  lifecycle: SessionLifecycle;
  turns: Turns;
  wills: Wills;
}

/** One transport connection of the broker: reads packets, and hands them to whoever its phase says. */
export class ClientConnection implements OpenConnection, ConnectingLink {
  readonly connection: Connection;
  readonly identity: ConnectionIdentity;
  readonly input: InputFlow;
  private readonly context: BrokerContext;
  private readonly parts: ClientConnectionParts;
  private readonly decoder: PacketDecoder;
  /** Of an unfinished packet, as it counts for all connections together. */
  private countedBytes = 0;
  /** Of a WebSocket. */
  private lifetime: Timer | undefined;
  private phase: Phase;

  constructor(
    context: BrokerContext,
    parts: ClientConnectionParts,
    connection: Connection,
    identity: ConnectionIdentity,
  ) {
    const { clock, limits } = context;
    this.context = context;
    this.parts = parts;
    this.connection = connection;
    this.identity = identity;
    this.decoder = new PacketDecoder({ receiver: "server", packetBytesMax: limits.packetBytesMax });
    this.input = new InputFlow(context, connection, clock.monotonicMs());
    const timer = clock.setTimer(limits.connectTimeoutSeconds * 1000, () => this.end("CONNECT_TIMEOUT"));
    this.phase = { name: "awaitingConnect", timer };
    connection.start({
      data: (bytes) => this.receive(bytes),
      drained: () => this.drained(),
      closed: (error) => this.lost(error),
    });
  }

  // Input

  private receive(bytes: Uint8Array): void {
    const { decoder, input, phase } = this;
    const { turns } = this.parts;
    const turn = turns.begin();
    const waitMs = input.charge(turn.nowMs, bytes.length);
    if (waitMs > 0) input.delay(waitMs, this.clientId);
    const { packetCount } = decoder;
    decoder.push(bytes);
    try {
      if (phase.name === "connected") this.read(turn, phase.client);
      else this.readFirst();
      const isPacket = decoder.packetCount > packetCount;
      input.heard(turn.nowMs, isPacket, bytes.length);
      const { bufferedBytes } = decoder;
      if (bufferedBytes > unfinishedBytesShare || this.countedBytes !== 0) this.countInput(bufferedBytes, isPacket);
    } catch (error) {
      if (isThinglineError(error) && wireFaults.has(error.code)) this.protocolError(error);
      else this.internalFault(error);
    }
    turns.end(turn);
  }

  private countInput(unfinishedBytes: number, isAnother: boolean): void {
    const before = this.countedBytes;
    this.countedBytes = unfinishedBytes > unfinishedBytesShare && this.phase !== closed ? unfinishedBytes : 0;
    this.parts.connections.unfinished.changed(this, before, this.countedBytes, isAnother);
  }

  private read(turn: Turn, client: ConnectedClient): void {
    const { decoder } = this;
    const { packets } = this.parts;
    for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) {
      packets.handle(turn, client, packet);
      if (!client.isConnected) return;
    }
  }

  /** Before its CONNACK a client says CONNECT and no more. */
  private readFirst(): void {
    for (let packet = this.decoder.next(); packet !== undefined; packet = this.decoder.next()) {
      const { phase } = this;
      if (phase.name === "awaitingConnect" && packet.type === "connect") this.receiveConnect(packet, phase.timer);
      else {
        // The decoder lets only a CONNECT be the first packet, so this one came before our CONNACK.
        this.logProtocolError(`${packet.type} before CONNACK: the client must wait for it`);
        this.end("CLIENT_ERROR");
      }
      if (this.phase === closed) return;
    }
  }

  private receiveConnect(packet: ConnectPacket, timer: Timer): void {
    const { connections, connector } = this.parts;
    connections.spoke(this);
    const attempt = connector.examine(this, packet);
    if (attempt === undefined) return;
    this.phase = { name: "connecting", attempt, timer };
    connector.connect(this, attempt);
  }

  private drained(): void {
    if (this.phase.name !== "connected") return;
    const { turns } = this.parts;
    const turn = turns.begin();
    this.phase.client.flow.outputDrained(turn);
    turns.end(turn);
  }

  private get clientId(): string {
    const { phase } = this;
    if (phase.name === "connected") return phase.client.clientId;
    return phase.name === "connecting" ? phase.attempt.clientId : "";
  }

  // For its CONNECT

  get isUnanswered(): boolean {
    return this.phase.name === "awaitingConnect" || this.phase.name === "connecting";
  }

  send(packet: ConnackPacket, version: MqttVersion): void {
    const at = this.connection.reserve(packetLength(packet, version));
    encodePacket(packet, version, this.connection.slab, at);
  }

  rememberPrincipal(): void {
    this.parts.connections.rememberPrincipal(this, this.identity.certificateId);
  }

  connected(client: ConnectedClient): void {
    const { clock } = this.context;
    const { packets, turns } = this.parts;
    if (this.phase.name === "connecting") this.phase.timer.cancel();
    this.input.lastReceivedMs = clock.monotonicMs();
    const { keepAliveSeconds } = client.attempt.terms;
    const keepAlive = new KeepAlive(clock, this.input, keepAliveSeconds, {
      onSilence: () => this.end("MQTT_KEEP_ALIVE_TIMEOUT"),
      onTick: () => {
        const turn = turns.begin();
        packets.dropUnacknowledged(turn, client);
        turns.end(turn);
      },
    });
    const { webSocketSecondsMax } = this.context.limits;
    if (this.connection.webSocketRequest !== undefined && webSocketSecondsMax !== Infinity) {
      this.lifetime = clock.setTimer(webSocketSecondsMax * 1000, () => this.end("WEBSOCKET_TTL_EXPIRATION"));
    }
    const leave = this.identity.attend?.({
      recheck: () => this.recheck(),
      expire: () => this.end("CUSTOMAUTH_TTL_EXPIRATION"),
    });
    this.phase = { name: "connected", client, keepAlive, leave };
    keepAlive.check();
  }

  async recheck(): Promise<void> {
    // One that is still connecting asks again by itself.
    if (this.phase.name === "connecting") this.phase.attempt.principal.changed();
    if (this.phase.name !== "connected") return;
    const { client } = this.phase;
    const answer = await client.attempt.principal.askAgain();
    if (answer === undefined || !client.isConnected) return;
    if (answer.decision.isAllowed) {
      client.rights.replace(answer.authorizer);
      this.drainGroups(client);
      return;
    }
    const { clientId, certificateId } = client;
    const { explanation } = answer.decision;
    this.context.log.warn("connectionRevoked", { clientId, certificateId, explanation });
    this.end("FORBIDDEN_ACCESS");
  }

  /** Messages of its groups may have waited for these rights. */
  private drainGroups(client: ConnectedClient): void {
    if (client.session.groups === undefined) return;
    const { groups, turns } = this.parts;
    const turn = turns.begin();
    groups.changed(client.session);
    client.drain(turn);
    turns.end(turn);
  }

  // End

  /** A bug of ours. It costs the client that met it its connection, and nobody else. */
  private internalFault(error: unknown, clientId = this.clientId): void {
    const { counters, log } = this.context;
    counters.internalFaults++;
    log.error("internalFault", {
      clientId,
      error: error instanceof Error ? error.stack : String(error),
    });
    this.end("SERVER_ERROR");
  }

  private logProtocolError(error: string, facts: Readonly<Record<string, unknown>> = {}): void {
    this.context.counters.protocolErrors++;
    this.context.log.warn("protocolError", { clientId: this.clientId, ...facts, error });
  }

  private protocolError(error: ThinglineError): void {
    const { reasonCode = reasonCodes.malformedPacket } = error.details as { reasonCode?: number };
    this.logProtocolError(error.message, { remote: this.connection.remote.host, code: error.code });
    if (this.phase.name === "awaitingConnect") this.refuseUnreadConnect(error, reasonCode);
    else this.end("CLIENT_ERROR", { reasonCode, reasonString: error.message });
  }

  /** [MQTT-3.1.2-2] A version that we do not speak is answered; other bad beginnings are not. */
  private refuseUnreadConnect(error: ThinglineError, reasonCode: number): void {
    const { version } = this.decoder;
    if (error.code === "MQTT_VERSION_UNSUPPORTED") {
      this.send({ type: "connack", isSessionPresent: false, reasonCode: 1 }, 4);
    } else if (version === 5) {
      this.send({ type: "connack", isSessionPresent: false, reasonCode }, 5);
    }
    this.end("CLIENT_ERROR");
  }

  /** The transport is gone. */
  private lost(error: ThinglineError | undefined): void {
    if (this.phase === closed) return;
    // A WebSocket that ended in order was ended by a Close frame, which AWS takes for a DISCONNECT.
    const isCloseFrame = error === undefined && this.connection.webSocketRequest !== undefined;
    this.finish(isCloseFrame ? "CLIENT_INITIATED_DISCONNECT" : "CONNECTION_LOST", error?.message);
  }

  /** Says good-bye as far as the version can, and closes. Safe to call twice. */
  end(reason: DisconnectReason, { reasonCode, reasonString, preventsWill = false }: EndDetails = {}): void {
    const { phase } = this;
    if (phase === closed) return;
    const code = reasonCode ?? disconnectReasons[reason].reasonCode;
    if (phase.name === "connected") phase.client.sayGoodbye(code, reasonString);
    this.finish(reason, reasonString, preventsWill);
    void this.connection.close();
  }

  private finish(reason: DisconnectReason, explanation: string | undefined, preventsWill = false): void {
    const { phase, clientId, connection, identity } = this;
    const { iotLog, log } = this.context;
    this.phase = closed;
    this.lifetime?.cancel();
    this.input.stop();
    if (this.countedBytes !== 0) this.countInput(0, false);
    this.parts.connections.remove(this, phase.name === "connected", identity.certificateId);
    if (phase.name === "connected") {
      phase.keepAlive.stop();
      phase.leave?.();
      log.info("disconnected", { clientId, reason, explanation });
      if (iotLog.verbosity >= verbosityOf.INFO) {
        const disconnectReason = disconnectReasons[reason].awsReason;
        const entry = {
          level: "INFO",
          eventType: "Disconnect",
          more: { disconnectReason },
          details: explanation,
        } as const;
        iotLog.write(clientEntry(phase.client, entry));
      }
      this.leave(phase.client, reason, preventsWill);
      return;
    }
    if (phase.name !== "closed") phase.timer.cancel();
    const remote = connection.remote.host;
    log.info("connectionClosed", { clientId, remote, reason, explanation, connected: false });
  }

  private leave(client: ConnectedClient, reason: DisconnectReason, preventsWill: boolean): void {
    const { ends, events, lifecycle, wills } = this.parts;
    const { awsReason, sendsWill } = disconnectReasons[reason];
    const { clientId, session, attempt } = client;
    const step = (work: () => void): void => {
      try {
        work();
      } catch (error) {
        // Whoever takes the client's place, and the transport below it, must not suffer from what is wrong with a receiver.
        this.internalFault(error, clientId);
      }
    };
    client.stop();
    ends.add(client.describe(), awsReason);
    step(() => lifecycle.detach(session, client, client.sessionExpirySeconds, awsReason));
    const { will } = attempt;
    if (will !== undefined && sendsWill && !preventsWill) step(() => wills.send(client, will));
    step(() => events.disconnected(client, reason));
  }
}
