// A server that does one thing wrong, always the same, and how its device fares.
import { encodeToBytes, type MqttPacket, type MqttVersion, PacketDecoder } from "@thingline/protocol/mqtt";
import type { Clock, Connection, Network } from "@thingline/transport";

/** When it does it: with each connection, or instead of its answer to a packet of this type. */
export type Occasion = "open" | "connect" | "publish" | "subscribe" | "unsubscribe" | "pingreq";

/** One wrong thing. */
export interface Fault {
  on: Occasion;
  /** Instead of the right answer; a function gets the packet identifier. Default: nothing. */
  says?: string | ((packetId: number) => readonly number[] | MqttPacket);
  /** The right answer is given as well, before. */
  answersFirst?: boolean;
  /** After that. `dribble`: a byte every 20 s, without end. Default: nothing more. */
  then?: "close" | "reset" | "dribble" | "silence";
}

/** `32 02 00 00` */
export function bytesOf(hex: string): readonly number[] {
  return hex
    .split(" ")
    .filter((part) => part !== "")
    .map((part) => Number.parseInt(part, 16));
}

const dribbleMs = 20_000;

export class HostilePeer {
  readonly #clock: Clock;
  readonly #version: MqttVersion;
  readonly #fault: Fault;
  readonly #open = new Set<Connection>();
  /** Until then it does everything right. */
  isHostile = false;
  connectionCount = 0;

  constructor(clock: Clock, version: MqttVersion, fault: Fault) {
    this.#clock = clock;
    this.#version = version;
    this.#fault = fault;
  }

  async listen(network: Network, port: number) {
    return network.listen({ host: "localhost", port }, (connection) => this.#accept(connection));
  }

  /** Becomes hostile, to the connection that is open or, where the fault comes earlier, to the next. */
  turn(): void {
    this.isHostile = true;
    this.connectionCount = 0;
    if (this.#fault.on !== "open" && this.#fault.on !== "connect") return;
    for (const connection of this.#open) connection.destroy();
  }

  #accept(connection: Connection): void {
    this.connectionCount += 1;
    this.#open.add(connection);
    void connection.closed.then(() => this.#open.delete(connection));
    const decoder = new PacketDecoder({ receiver: "server", packetBytesMax: 1_000_000 });
    const state = { isBad: false };
    connection.start({
      data: (bytes) => {
        if (state.isBad) return;
        decoder.push(bytes);
        for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) {
          this.#take(connection, packet, state);
          if (state.isBad) return;
        }
      },
      closed: () => undefined,
    });
    if (this.isHostile && this.#fault.on === "open") this.#harm(connection, 0, state);
  }

  #take(connection: Connection, packet: MqttPacket, state: { isBad: boolean }): void {
    const answer = rightAnswer(packet, this.#version);
    if (!this.isHostile || packet.type !== this.#fault.on) {
      if (answer !== undefined) connection.write(encodeToBytes(answer, this.#version));
      return;
    }
    if (this.#fault.answersFirst === true && answer !== undefined) {
      connection.write(encodeToBytes(answer, this.#version));
    }
    this.#harm(connection, "packetId" in packet ? (packet.packetId ?? 0) : 0, state);
  }

  #harm(connection: Connection, packetId: number, state: { isBad: boolean }): void {
    const { says, then } = this.#fault;
    const said = typeof says === "function" ? says(packetId) : bytesOf(says ?? "");
    const bytes = "type" in said ? encodeToBytes(said, this.#version) : Uint8Array.from(said);
    if (bytes.length > 0) connection.write(bytes);
    if (then === undefined) return;
    state.isBad = true;
    if (then === "close") void connection.close();
    if (then === "reset") connection.destroy();
    if (then === "dribble") this.#dribble(connection);
  }

  #dribble(connection: Connection): void {
    this.#clock.setTimer(dribbleMs, () => {
      if (!this.#open.has(connection)) return;
      connection.write(Uint8Array.of(0x61));
      this.#dribble(connection);
    });
  }
}

function rightAnswer(packet: MqttPacket, version: MqttVersion): MqttPacket | undefined {
  switch (packet.type) {
    case "connect":
      return { type: "connack", isSessionPresent: false, reasonCode: 0 };
    case "subscribe":
      return {
        type: "suback",
        packetId: packet.packetId,
        reasonCodes: packet.subscriptions.map(({ qos }) => Math.min(1, qos)),
      };
    case "unsubscribe":
      return {
        type: "unsuback",
        packetId: packet.packetId,
        reasonCodes: version === 4 ? [] : packet.filters.map(() => 0),
      };
    case "publish":
      return packet.qos === 1 ? { type: "puback", packetId: packet.packetId ?? 0, reasonCode: 0 } : undefined;
    case "pingreq":
      return { type: "pingresp" };
    default:
      return undefined;
  }
}
