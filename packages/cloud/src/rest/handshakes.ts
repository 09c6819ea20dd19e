/** What is needed of a socket here: the one below TLS, and the one that TLS makes of it. */
export interface HandshakeSocket {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  destroy(): unknown;
  once(event: "close", listener: () => void): unknown;
}

/**
 * TCP connections below TLS. When too many of them have not ended their handshake, the oldest of these goes: it had its time, and who has
 * just come may be a device.
 */
export class Handshakes {
  readonly #max: number;
  readonly #turnedAway: () => void;
  readonly #sockets = new Set<HandshakeSocket>();
  /** Those whose handshake is under way, by their ends. */
  readonly #pending = new Map<string, HandshakeSocket>();

  constructor(max: number, turnedAway: () => void) {
    this.#max = max;
    this.#turnedAway = turnedAway;
  }

  begun(socket: HandshakeSocket): void {
    const name = endsOf(socket);
    this.#sockets.add(socket);
    this.#pending.set(name, socket);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      if (this.#pending.get(name) === socket) this.#pending.delete(name);
    });
    const [oldest] = this.#pending;
    if (this.#pending.size <= this.#max || oldest === undefined) return;
    this.#pending.delete(oldest[0]);
    this.#turnedAway();
    oldest[1].destroy();
  }

  /** @param socket the one that TLS has made */
  done(socket: HandshakeSocket): void {
    this.#pending.delete(endsOf(socket));
  }

  /** Every connection ends, also those that no server knows yet. */
  end(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

const endsOf = ({ remoteAddress, remotePort, localAddress }: HandshakeSocket): string =>
  `${remoteAddress} ${remotePort} ${localAddress}`;
