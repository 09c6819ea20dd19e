/** Of IPv4, without options. */
export const ipHeaderBytes = 20;
/** Of TCP, without options. */
export const tcpHeaderBytes = 20;
/** The option that SYN and its answer carry: the largest segment. */
export const segmentSizeOptionBytes = 4;
/** What an nRF91 puts into a TCP segment at most: its MTU of 1280 bytes without the two headers. */
export const segmentBytesMax = 1240;

type Direction = "sent" | "received";
const other = { sent: "received", received: "sent" } as const;
const headerBytes = ipHeaderBytes + tcpHeaderBytes;

/**
 * Counts the IP packets that a TCP connection would be, by a rule: TCP itself is the operating system's, or is not there in a virtual network.
 * Bytes that leave together are cut into segments of {@link segmentBytesMax}; every second segment is acknowledged, and the last; an acknowledgement
 * rides on nothing, and nothing is lost.
 */
export class IpEstimate {
  readonly bytes = { sent: 0, received: 0 };
  readonly packets = { sent: 0, received: 0 };
  #flight: { direction: Direction; bytes: number } | undefined;

  /** The first SYN. */
  opening(): void {
    this.#packet("sent", segmentSizeOptionBytes);
  }

  /** The peer's answer, and its acknowledgement. */
  opened(): void {
    this.#packet("received", segmentSizeOptionBytes);
    this.#packet("sent", 0);
  }

  /** Bytes that leave together. */
  burst(direction: Direction, bytes: number): void {
    if (bytes === 0) return;
    const segments = Math.ceil(bytes / segmentBytesMax);
    this.#add(direction, { packets: segments, bytes: bytes + segments * headerBytes });
    const acknowledgements = Math.ceil(segments / 2);
    this.#add(other[direction], { packets: acknowledgements, bytes: acknowledgements * headerBytes });
  }

  /** A part of a handshake: what one side says before the other speaks leaves together. */
  flight(direction: Direction, bytes: number): void {
    if (this.#flight?.direction === direction) this.#flight.bytes += bytes;
    else {
      this.endOfFlights();
      this.#flight = { direction, bytes };
    }
  }

  endOfFlights(): void {
    if (this.#flight !== undefined) this.burst(this.#flight.direction, this.#flight.bytes);
    this.#flight = undefined;
  }

  /** Each side's FIN, and its acknowledgement. */
  ended(): void {
    for (const direction of ["sent", "received"] as const) {
      this.#packet(direction, 0);
      this.#packet(other[direction], 0);
    }
  }

  #packet(direction: Direction, contentBytes: number): void {
    this.#add(direction, { packets: 1, bytes: headerBytes + contentBytes });
  }

  #add(direction: Direction, { packets, bytes }: { packets: number; bytes: number }): void {
    this.packets[direction] += packets;
    this.bytes[direction] += bytes;
  }
}
