import type { Connection, TlsRecord } from "@thingline/transport";
import { CountedConnection } from "./counted-connection.js";
import { IpEstimate } from "./ip-estimate.js";
import type { RadioTime } from "./radio-time.js";

/** Bytes, or packets, as the modem sees them. */
export interface BothWays {
  sent: number;
  received: number;
}

/** What went over the air, by layer; each has those above it in it. */
export interface TrafficCounts {
  /** MQTT packets or HTTP messages: what TLS carries. */
  application: BothWays;
  /** TLS records with their headers, handshakes among them. */
  tls: BothWays;
  /** The part of `tls` that handshakes took. */
  handshake: BothWays;
  /** IP packets: what is above, and estimated headers, acknowledgements, set-up and end. See `docs/bytes.md` for the rule. */
  ip: BothWays;
  /** How many IP packets, estimated. */
  packets: BothWays;
}

/** One socket of the modem, from its dial on. */
export interface SocketTraffic extends TrafficCounts {
  /** Counted from 1 since the modem was booted. */
  readonly number: number;
  readonly host: string;
  readonly port: number;
  /** Where TLS is: inside the modem, or outside of it, in the application (or nowhere). */
  readonly tlsBy: "modem" | "application" | "nobody";
  /** By the first byte that came from the server. */
  readonly protocol: "mqtt" | "http" | undefined;
  readonly state: "dialling" | "open" | "closed" | "failed";
  /** Of the TLS session; undefined before the handshake is over, and without TLS. */
  readonly isResumed: boolean | undefined;
}

export interface TrafficSnapshot {
  /** Of all sockets since the modem was booted. */
  counts: TrafficCounts;
  /** Sockets that were dialled since then. */
  socketCount: number;
  radio: RadioTime;
}

/** What a simulated modem counts that was asked to (`countsTraffic`). */
export interface ModemTraffic {
  snapshot(): TrafficSnapshot;
  /** Socket by socket, oldest first; of those before the last {@link trafficSocketsMax} only the sums are kept. */
  readonly sockets: readonly SocketTraffic[];
}

/** Sockets that are remembered one by one. */
export const trafficSocketsMax = 256;

const layers = ["application", "tls", "handshake", "ip", "packets"] as const;

export function emptyCounts(): TrafficCounts {
  const none = (): BothWays => ({ sent: 0, received: 0 });
  return { application: none(), tls: none(), handshake: none(), ip: none(), packets: none() };
}

function combine(first: TrafficCounts, second: TrafficCounts, sign: 1 | -1): TrafficCounts {
  const combined = emptyCounts();
  for (const layer of layers) {
    for (const way of ["sent", "received"] as const)
      combined[layer][way] = first[layer][way] + sign * second[layer][way];
  }
  return combined;
}

/** What came between two snapshots of one modem. */
export function trafficBetween(before: TrafficSnapshot, after: TrafficSnapshot): TrafficSnapshot {
  const { radio } = after;
  const since = (state: keyof RadioTime): number => radio[state] - before.radio[state];
  return {
    counts: combine(after.counts, before.counts, -1),
    socketCount: after.socketCount - before.socketCount,
    radio: {
      offMs: since("offMs"),
      searchingMs: since("searchingMs"),
      connectedMs: since("connectedMs"),
      idleMs: since("idleMs"),
      sleepMs: since("sleepMs"),
    },
  };
}

const mqttConnack = 0x20;
const httpStatusLine = 0x48;
/** A record's header. */
const recordHeaderBytes = 5;

/** Counts what one socket carries. */
export class SocketMeter implements SocketTraffic {
  readonly number: number;
  readonly host: string;
  readonly port: number;
  readonly tlsBy: SocketTraffic["tlsBy"];
  protocol: SocketTraffic["protocol"];
  state: SocketTraffic["state"] = "dialling";
  isResumed: boolean | undefined;
  readonly application: BothWays = { sent: 0, received: 0 };
  readonly tls: BothWays = { sent: 0, received: 0 };
  readonly handshake: BothWays = { sent: 0, received: 0 };
  readonly #estimate = new IpEstimate();
  /** Handed over by the socket's user, and not in a record yet. */
  #waitingBytes = 0;

  constructor(place: Pick<SocketTraffic, "number" | "host" | "port" | "tlsBy">) {
    this.number = place.number;
    this.host = place.host;
    this.port = place.port;
    this.tlsBy = place.tlsBy;
    this.#estimate.opening();
  }

  get ip(): BothWays {
    return this.#estimate.bytes;
  }

  get packets(): BothWays {
    return this.#estimate.packets;
  }

  record({ direction, lengthBytes }: TlsRecord): void {
    const bytes = recordHeaderBytes + lengthBytes;
    this.tls[direction] += bytes;
    if (this.state !== "dialling") {
      if (direction === "sent") this.#leave(lengthBytes);
      return this.#estimate.burst(direction, bytes);
    }
    if (this.tls.sent + this.tls.received === bytes) this.#estimate.opened();
    this.handshake[direction] += bytes;
    this.#estimate.flight(direction, bytes);
  }

  /** The dial is over. @returns what the modem's user gets instead of `connection` */
  established(connection: Connection, onTraffic: (() => void) | undefined): Connection {
    if (this.tls.sent + this.tls.received === 0) this.#estimate.opened();
    this.#estimate.endOfFlights();
    this.state = "open";
    this.isResumed = connection.secure?.isResumed;
    return new CountedConnection(connection, {
      sent: (bytes) => {
        if (this.tlsBy === "nobody") this.#carried("sent", bytes, onTraffic);
        else this.#waitingBytes += bytes;
      },
      received: (bytes) => {
        if (this.protocol === undefined && bytes[0] === mqttConnack) this.protocol = "mqtt";
        if (this.protocol === undefined && bytes[0] === httpStatusLine) this.protocol = "http";
        this.#carried("received", bytes.length, onTraffic);
      },
      closed: (error) => {
        this.state = "closed";
        if (error === undefined) this.#estimate.ended();
      },
    });
  }

  failed(): void {
    this.#estimate.endOfFlights();
    this.state = "failed";
  }

  /** A record carries less than it is long, and what is waiting goes out in order. */
  #leave(lengthBytes: number): void {
    const bytes = Math.min(this.#waitingBytes, lengthBytes);
    this.#waitingBytes -= bytes;
    this.application.sent += bytes;
  }

  #carried(direction: keyof BothWays, bytes: number, onTraffic: (() => void) | undefined): void {
    this.application[direction] += bytes;
    if (this.tlsBy !== "nobody") return;
    this.#estimate.burst(direction, bytes);
    onTraffic?.();
  }
}

/** The meter of a modem: its sockets', and what became of those that it no longer remembers. */
export class TrafficMeter implements ModemTraffic {
  readonly #readRadio: () => RadioTime;
  #meters: SocketMeter[] = [];
  #forgotten = emptyCounts();
  #count = 0;

  constructor(readRadio: () => RadioTime) {
    this.#readRadio = readRadio;
  }

  dialling(place: Pick<SocketTraffic, "host" | "port" | "tlsBy">): SocketMeter {
    const meter = new SocketMeter({ ...place, number: ++this.#count });
    this.#meters.push(meter);
    if (this.#meters.length > trafficSocketsMax) this.#forgetOne();
    return meter;
  }

  get sockets(): readonly SocketTraffic[] {
    return this.#meters.map(copyOf);
  }

  snapshot(): TrafficSnapshot {
    const counts = this.#meters.reduce((sum, meter) => combine(sum, meter, 1), this.#forgotten);
    return { counts: combine(counts, emptyCounts(), 1), socketCount: this.#count, radio: this.#readRadio() };
  }

  /** One that is over, if there is one: an open one may count on. The sockets that a modem has at a time are few. */
  #forgetOne(): void {
    const over = this.#meters.find(({ state }) => state === "closed" || state === "failed") ?? this.#meters[0];
    if (over === undefined) return;
    this.#meters = this.#meters.filter((meter) => meter !== over);
    this.#forgotten = combine(this.#forgotten, over, 1);
  }
}

function copyOf(meter: SocketMeter): SocketTraffic {
  const { number, host, port, tlsBy, protocol, state, isResumed } = meter;
  return { number, host, port, tlsBy, protocol, state, isResumed, ...combine(meter, emptyCounts(), 1) };
}
