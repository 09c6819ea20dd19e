/** What is needed of a socket here. */
export interface RestSocket {
  readonly destroyed: boolean;
  write(text: string): unknown;
  destroySoon(): void;
  once(event: "close", listener: () => void): unknown;
}

export interface ConnectionRules {
  connectionsMax: number;
  unverifiedConnectionsMax: number;
  /** Told for each connection that was turned away, by reason. */
  turnedAway(reason: "connections" | "unverified"): void;
}

interface State {
  isVerified: boolean;
  /** Of a request that was admitted and is not answered. */
  requests: number;
}

/**
 * Counts the connections of a port, those apart that have not shown yet that they are good for something. When there are too many of
 * these, the oldest that has no admitted request goes: it had its time, and who has just come may be the owner.
 */
export class RestConnections {
  readonly #rules: ConnectionRules;
  readonly #states = new Map<RestSocket, State>();

  constructor(rules: ConnectionRules) {
    this.#rules = rules;
  }

  get size(): number {
    return this.#states.size;
  }

  opened(socket: RestSocket): void {
    if (this.#states.size >= this.#rules.connectionsMax) return this.#turnAway(socket, "connections");
    if (this.#unverifiedCount() >= this.#rules.unverifiedConnectionsMax) {
      const idle = this.#oldestIdle();
      this.#turnAway(idle ?? socket, "unverified");
      if (idle === undefined) return;
    }
    this.#states.set(socket, { isVerified: false, requests: 0 });
    socket.once("close", () => this.#states.delete(socket));
  }

  /** @returns false when the connection was turned away meanwhile. */
  admitted(socket: RestSocket): boolean {
    const state = this.#states.get(socket);
    if (state === undefined) return false;
    state.requests++;
    return true;
  }

  /** Those that were admitted and are not answered. */
  requestsOf(socket: RestSocket): number {
    return this.#states.get(socket)?.requests ?? 0;
  }

  answered(socket: RestSocket, isVerified: boolean): void {
    const state = this.#states.get(socket);
    if (state === undefined) return;
    state.requests--;
    state.isVerified ||= isVerified;
  }

  #unverifiedCount(): number {
    let count = 0;
    for (const { isVerified } of this.#states.values()) if (!isVerified) count++;
    return count;
  }

  #oldestIdle(): RestSocket | undefined {
    for (const [socket, { isVerified, requests }] of this.#states) if (!isVerified && requests === 0) return socket;
    return undefined;
  }

  #turnAway(socket: RestSocket, reason: "connections" | "unverified"): void {
    this.#states.delete(socket);
    this.#rules.turnedAway(reason);
    const message = JSON.stringify({ message: "The local cloud takes no more connections for now. Try again" });
    const head = [
      "HTTP/1.1 503 Service Unavailable",
      "Content-Type: application/json",
      "x-amzn-errortype: ServiceUnavailableException",
      "Retry-After: 1",
      `Content-Length: ${message.length}`,
      "Connection: close",
    ];
    socket.write(`${head.join("\r\n")}\r\n\r\n${message}`);
    socket.destroySoon();
  }
}
