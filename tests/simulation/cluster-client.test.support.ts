// An MQTT client of a simulated cluster: no network in between, but the process at the other end can die.
import type { Broker, ConnectionIdentity } from "@thingline/cloud";
import { concatBytes } from "@thingline/protocol";
import { encodeToBytes, PacketDecoder, type MqttPacket } from "@thingline/protocol/mqtt";
import { SlabPool, StreamConnection, type Batch, type Channel, type Clock } from "@thingline/transport";

/** Everybody may do everything. */
const anybody: ConnectionIdentity = {
  certificateId: undefined,
  authorizeConnect: async () => ({
    decision: { isAllowed: true, explanation: "" },
    authorizer: { authorize: () => ({ isAllowed: true, explanation: "" }), thingName: undefined, generation: 0 },
  }),
};

interface Peer {
  receive(bytes: Uint8Array): void;
  lost(): void;
}

/** What is below the broker's end of a connection: it takes whatever is written, in the turn in which it is. */
class ClusterWire implements Channel {
  isOver = false;
  private readonly clock: Clock;
  private readonly connection: StreamConnection;
  private readonly peer: Peer;

  constructor(clock: Clock, connection: StreamConnection, peer: Peer) {
    this.clock = clock;
    this.connection = connection;
    this.peer = peer;
  }
  send({ parts }: Batch): void {
    if (this.isOver) return;
    this.peer.receive(concatBytes(parts));
    this.clock.afterTurn(() => this.connection.sent());
  }
  pause(): void {}
  resume(): void {}
  end(): void {
    this.destroy();
  }
  destroy(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.peer.lost();
    this.clock.afterTurn(() => this.connection.channelClosed(undefined));
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
  const local = { host: "node", port: 8883 };
  const remote = { host: "client", port: 1 };
  const connection = new StreamConnection({ clock, pool: new SlabPool(), secure: undefined, local, remote });
  const wire = new ClusterWire(clock, connection, {
    receive(bytes) {
      if (isOver) return;
      decoder.push(bytes);
      for (let packet = decoder.next(); packet !== undefined && !isOver; packet = decoder.next()) events.packet(packet);
    },
    lost() {
      if (isOver) return;
      isOver = true;
      events.lost();
    },
  });
  broker.accept(connection.attach(wire), anybody);
  return {
    send(packet) {
      const bytes = encodeToBytes(packet, 4);
      // As from a socket: in a turn of its own, and only when the process lives.
      clock.setTimer(0, () => {
        if (!wire.isOver) connection.received(bytes);
      });
    },
    drop() {
      if (isOver) return;
      isOver = true;
      clock.setTimer(0, () => wire.destroy());
    },
    cut() {
      if (isOver) return;
      isOver = true;
      events.lost();
    },
  };
}
