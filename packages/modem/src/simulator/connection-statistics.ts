/** What `%XCONNSTAT` tells: payload of the modem's sockets while it counts. */
export class ConnectionStatistics {
  #isCounting = false;
  #sentBytes = 0;
  #receivedBytes = 0;
  #packets = 0;
  #packetBytesMax = 0;

  get isCounting(): boolean {
    return this.#isCounting;
  }

  start(): void {
    this.#isCounting = true;
    this.#sentBytes = 0;
    this.#receivedBytes = 0;
    this.#packets = 0;
    this.#packetBytesMax = 0;
  }

  stop(): void {
    this.#isCounting = false;
  }

  /** Bytes that passed together, and which way. */
  count(direction: "sent" | "received", bytes: number): void {
    if (!this.#isCounting || bytes === 0) return;
    if (direction === "sent") this.#sentBytes += bytes;
    else this.#receivedBytes += bytes;
    this.#packets++;
    this.#packetBytesMax = Math.max(this.#packetBytesMax, bytes);
  }

  /** SMS sent and received, kilobytes sent and received, longest packet, average. */
  values(): number[] {
    const bytes = this.#sentBytes + this.#receivedBytes;
    const average = this.#packets === 0 ? 0 : Math.round(bytes / this.#packets);
    const kilobytes = (count: number) => Math.round(count / 1024);
    return [0, 0, kilobytes(this.#sentBytes), kilobytes(this.#receivedBytes), this.#packetBytesMax, average];
  }
}
