import { concatBytes, ThinglineError } from "@thingline/protocol";
import { encodeToBytes, type MqttPacket, PacketDecoder } from "@thingline/protocol/mqtt";
import { type Connection, createConnectionPair, type Dialer, type DialTarget } from "@thingline/transport";
import { createVirtualClock, type VirtualClock } from "@thingline/transport/virtual";
import { makeSerialModemWorld, type SerialModemWorld, type SerialModemWorldOptions } from "./world.test.support.js";

/** The other end of a connection of the modem, in the test's hand. */
export class Peer {
  readonly target: DialTarget;
  readonly #connection: Connection;
  #received: Uint8Array[] = [];
  closedBy: string | undefined;

  constructor(target: DialTarget, connection: Connection, onData: (peer: Peer) => void) {
    this.target = target;
    this.#connection = connection;
    connection.start({
      data: (bytes) => {
        this.#received.push(bytes.slice());
        onData(this);
      },
      closed: (error) => (this.closedBy = error?.code ?? "closed"),
    });
  }

  /** What came, taken away by reading it. */
  take(): Uint8Array {
    const bytes = concatBytes(this.#received);
    this.#received = [];
    return bytes;
  }

  takeText(): string {
    return Array.from(this.take(), (byte) => String.fromCharCode(byte)).join("");
  }

  send(bytes: Uint8Array | string): void {
    this.#connection.write(typeof bytes === "string" ? latin1(bytes) : bytes);
    this.#connection.flush();
  }

  /** Takes nothing any more. */
  pause(): void {
    this.#connection.pause();
  }

  close(): void {
    void this.#connection.close();
  }

  reset(): void {
    this.#connection.destroy(new ThinglineError("CONNECTION_LOST", "reset by the test"));
  }
}

/** A broker in the test's hand: reads and writes packets of MQTT 3.1.1. */
export class BrokerPeer {
  readonly peer: Peer;
  readonly #decoder = new PacketDecoder({ receiver: "server", packetBytesMax: 200_000 });

  constructor(peer: Peer) {
    this.peer = peer;
  }

  take(): MqttPacket[] {
    this.#decoder.push(this.peer.take());
    const packets: MqttPacket[] = [];
    for (let packet = this.#decoder.next(); packet !== undefined; packet = this.#decoder.next()) packets.push(packet);
    return packets;
  }

  send(packet: MqttPacket): void {
    this.peer.send(encodeToBytes(packet, 4));
  }
}

export interface PeerWorld extends SerialModemWorld {
  /** Every connection that was dialled, oldest first. */
  peers: Peer[];
  /** The next dials fail so. */
  refuseDials: (error: ThinglineError | undefined) => void;
  broker: () => BrokerPeer;
}

export type PeerWorldOptions = SerialModemWorldOptions & {
  /** Something came from the modem: for peers that answer by themselves. */
  onData?: (peer: Peer) => void;
};

/** A registered serial modem on a network whose other ends the test holds. */
export async function makePeerWorld({
  onData = () => undefined,
  ...options
}: PeerWorldOptions = {}): Promise<PeerWorld> {
  const clock: VirtualClock = options.clock ?? createVirtualClock();
  const peers: Peer[] = [];
  let refusal: ThinglineError | undefined;
  const network: Dialer = {
    dial: async (target, { signal } = {}) => {
      signal?.throwIfAborted();
      if (refusal) throw refusal;
      const { near, far } = createConnectionPair({ clock, near: { host: "modem", port: 1 }, far: target });
      peers.push(new Peer(target, far, onData));
      return near;
    },
  };
  const world = await makeSerialModemWorld({ clock, network, ...options });
  await register(world);
  return {
    ...world,
    peers,
    refuseDials: (error) => (refusal = error),
    broker: () => {
      const peer = peers.at(-1);
      if (peer === undefined) throw new Error("nobody has dialled");
      return new BrokerPeer(peer);
    },
  };
}

/** Brings the modem into the network, as after each of its starts. */
export async function register(world: Pick<SerialModemWorld, "at" | "clock" | "take">): Promise<void> {
  await world.at("AT+CFUN=1");
  await world.clock.advance(1000);
  world.take();
}

/** Files by their path; what a test wants answered otherwise it says. */
export interface FileAnswers {
  files: Record<string, Uint8Array>;
  /** The requests so far, by their request line and `Range`. */
  requests: string[];
  /** Instead of an answer by the book. @returns false: by the book */
  odd?: (peer: Peer, request: { path: string; count: number }) => boolean;
  /** Ends the connection behind each part of a file, and says so. */
  closes?: boolean;
}

/** Answers requests for files, whole and in ranges. */
export function serveFiles(answers: FileAnswers): (peer: Peer) => void {
  return (peer) => {
    const request = peer.takeText();
    const path = request.split(" ")[1] ?? "";
    const range = /^Range: bytes=(\d+)-(\d*)\r$/mu.exec(request);
    answers.requests.push(`${request.split("\r\n")[0]}${range ? ` ${range[1]}-${range[2]}` : ""}`);
    if (answers.odd?.(peer, { path, count: answers.requests.length }) === true) return;
    const file = answers.files[path];
    if (file === undefined) return peer.send("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    if (range === null) {
      peer.send(`HTTP/1.1 200 OK\r\nContent-Length: ${file.length}\r\n\r\n`);
      return peer.send(file);
    }
    const from = Number(range[1]);
    const part = file.subarray(from, range[2] === "" ? undefined : Number(range[2]) + 1);
    const end = answers.closes === true ? "Connection: close\r\n" : "";
    peer.send(
      `HTTP/1.1 206 Partial Content\r\n${end}Content-Length: ${part.length}\r\nContent-Range: bytes ${from}-${from + part.length - 1}/${file.length}\r\n\r\n`,
    );
    peer.send(part);
    if (answers.closes === true) peer.close();
  };
}

export function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
