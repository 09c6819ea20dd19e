import type { Connection } from "@thingline/transport";
import type { EndDetails } from "./client.js";
import type { BrokerContext } from "./context.js";
import type { DisconnectReason } from "./disconnect-reasons.js";
import { UnfinishedInput } from "./unfinished-input.js";

/** A transport connection of the broker, before and after CONNACK. */
export interface OpenConnection {
  readonly connection: Connection;
  /** Asks again whether the principal may be connected, and ends the connection when it may not. */
  recheck(): Promise<void>;
  end(reason: DisconnectReason, details?: EndDetails): void;
}

/** Every transport connection of one broker. */
export class Connections {
  readonly unfinished: UnfinishedInput;
  private readonly context: BrokerContext;
  private readonly open = new Set<OpenConnection>();
  /** Those that have not said CONNECT, the oldest first. */
  private readonly silent = new Set<OpenConnection>();
  private readonly byCertificate = new Map<string, Set<OpenConnection>>();
  private connected = 0;

  constructor(context: BrokerContext) {
    this.context = context;
    this.unfinished = new UnfinishedInput(context);
  }

  /** Clients between CONNACK and disconnect. */
  get connectedCount(): number {
    return this.connected;
  }

  /** A connection begins. With too many that say nothing the oldest of them goes. */
  add(connection: OpenConnection): void {
    this.open.add(connection);
    this.silent.add(connection);
    if (this.silent.size <= this.context.limits.unconnectedMax) return;
    // It had its time, and the one that has just come may be the one that means it.
    const [oldest = connection] = this.silent;
    this.context.hit("unconnectedMax", { remote: oldest.connection.remote.host });
    oldest.end("UNCONNECTED_LIMIT");
    // An end in order would leave the socket to it for a while.
    oldest.connection.destroy();
  }

  /** It said CONNECT. */
  spoke(connection: OpenConnection): void {
    this.silent.delete(connection);
  }

  /** It got a CONNACK that accepts. */
  accepted(): void {
    this.connected++;
    this.context.counters.connectsAccepted++;
  }

  remove(connection: OpenConnection, isConnected: boolean, certificateId: string | undefined): void {
    this.open.delete(connection);
    this.silent.delete(connection);
    this.context.counters.connectionsClosed++;
    if (isConnected) this.connected--;
    if (certificateId === undefined) return;
    const others = this.byCertificate.get(certificateId);
    others?.delete(connection);
    if (others?.size === 0) this.byCertificate.delete(certificateId);
  }

  /** From here on a change of the principal concerns this connection. */
  rememberPrincipal(connection: OpenConnection, certificateId: string | undefined): void {
    if (certificateId === undefined) return;
    const others = this.byCertificate.get(certificateId);
    if (others === undefined) this.byCertificate.set(certificateId, new Set([connection]));
    else others.add(connection);
  }

  async recheckPrincipal(certificateId: string): Promise<void> {
    const connections = [...(this.byCertificate.get(certificateId) ?? [])];
    await Promise.all(connections.map((connection) => connection.recheck()));
  }

  /** Ends all of them. */
  async close(): Promise<void> {
    const closed: Promise<void>[] = [];
    for (const open of [...this.open]) {
      closed.push(open.connection.closed);
      open.end("SERVER_INITIATED_DISCONNECT");
    }
    await Promise.all(closed);
  }
}
