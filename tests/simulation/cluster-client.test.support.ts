// An MQTT client of a simulated cluster: no network in between, but the process at the other end can die.
import type { Broker, ConnectionIdentity } from "@thingline/cloud";
import { encodeToBytes, PacketDecoder, type MqttPacket } from "@thingline/protocol/mqtt";
import type { Clock, Connection, ConnectionHandlers } from "@thingline/transport";

/** Everybody may do everything. */
const anybody: ConnectionIdentity = {
  certificateId: undefined,
  authorizeConnect: async () => ({
    decision: { isAllowed: true, explanation: "" },
    authorizer: { authorize: () => ({ isAllowed: true, explanation: "" }), thingName: undefined, generation: 0 },
  }),
};

/** The broker's end of a connection. It hands on what was written at the end of the turn. */
class ClusterConnection implements Connection {
  readonly secure = undefined;
  readonly local = { host: "node", port: 8883 };
  readonly remote = { host: "client", port: 1 };
  readonly closed: Promise<void>;
  readonly bufferedBytes = 0;
  slab = new Uint8Array(4_096);
  handlers: ConnectionHandlers | undefined;
  isOver = false;
  private end = 0;
  private parts: Uint8Array[] = [];
  private isScheduled = false;
  private resolveClosed!: () => void;
  private readonly clock: Clock;
  private readonly peer: { receive(bytes: Uint8Array): void; lost(): void };

  constructor(clock: Clock, peer: ClusterConnection["peer"]) {
    this.clock = clock;
    this.peer = peer;
    this.closed = new Promise((resolve) => (this.resolveClosed = resolve));
  }

  start(handlers: ConnectionHandlers): void {
    this.handlers = handlers;
  }
  reserve(lengthBytes: number): number {
    if (this.end + lengthBytes > this.slab.length) {
      this.cut();
      this.slab = new Uint8Array(Math.max(4_096, lengthBytes));
    }
    const at = this.end;
    this.end += lengthBytes;
    this.schedule();
    return at;
  }
  write(head: Uint8Array, body?: Uint8Array): boolean {
    this.cut();
    this.parts.push(head);
    if (body !== undefined) this.parts.push(body);
    this.schedule();
    return true;
  }
  private cut(): void {
    if (this.end > 0) this.parts.push(this.slab.slice(0, this.end));
    this.end = 0;
  }
  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    this.clock.afterTurn(() => this.flush());
  }
  flush(): void {
    this.isScheduled = false;
    this.cut();
    for (const part of this.parts.splice(0)) if (!this.isOver) this.peer.receive(part);
  }
  pause(): void {}
  resume(): void {}
  close(): Promise<void> {
    this.flush();
    this.destroy();
    return this.closed;
  }
  destroy(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.peer.lost();
    this.clock.afterTurn(() => {
      this.handlers?.closed(undefined);
      this.resolveClosed();
    });
  }
}

export interface ClientEvents {
  packet(packet: MqttPacket): void;
  /** The connection is over, whoever ended it. */
  lost(): void;
}

export interface ClusterLink {
  send(packet: MqttPacket): void;
  /** The client drops the connection. */
  drop(): void;
  /** The process at the other end is dead: it is not told. */
  cut(): void;
}

/** Opens a connection to a broker; `clock` is that of its process. */
export function connectTo(broker: Broker, clock: Clock, events: ClientEvents): ClusterLink {
  const decoder = new PacketDecoder({ receiver: "client", version: 4, packetBytesMax: 100_000 });
  let isOver = false;
  const connection = new ClusterConnection(clock, {
    receive(bytes) {
      if (isOver) return;
      decoder.push(bytes.slice());
      for (let packet = decoder.next(); packet !== undefined && !isOver; packet = decoder.next()) events.packet(packet);
    },
    lost() {
      if (isOver) return;
      isOver = true;
      events.lost();
    },
  });
  broker.accept(connection, anybody);
  return {
    send(packet) {
      const bytes = encodeToBytes(packet, 4);
      // As from a socket: in a turn of its own, and only when the process lives.
      clock.setTimer(0, () => {
        if (!connection.isOver) connection.handlers?.data(bytes);
      });
    },
    drop() {
      if (isOver) return;
      isOver = true;
      clock.setTimer(0, () => connection.destroy());
    },
    cut() {
      if (isOver) return;
      isOver = true;
      events.lost();
    },
  };
}
