import { isThinglineError } from "@thingline/protocol";
import type { Connection, Listener, Network } from "@thingline/transport";
import { errnoOf, errnos } from "./errno.js";
import { pollBits } from "./poll-bits.js";

/** Callers that wait to be accepted; more are turned away. */
export const pendingConnectionsMax = 2;

const hosts = { 1: "127.0.0.1", 2: "::1" } as const;

export interface ServerSocketOptions {
  listen: Network["listen"];
  /** 1 IPv4, 2 IPv6. */
  family: 1 | 2;
  port: number;
  /** Somebody calls. */
  onChange: () => void;
}

/** What makes a socket one that can be called: where it listens, and who waits. */
export class ServerSocket {
  readonly #onChange: () => void;
  #listener: Listener | undefined;
  #pending: Connection[] = [];
  #isClosed = false;

  private constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** @returns the negative error number when it cannot listen there. */
  static async open({ listen, family, port, onChange }: ServerSocketOptions): Promise<ServerSocket | number> {
    const server = new ServerSocket(onChange);
    try {
      server.#listener = await listen({ host: hosts[family], port }, (connection) => server.#onConnection(connection));
      return server;
    } catch (error) {
      return isThinglineError(error, "PORT_IN_USE") ? -errnos.EADDRINUSE : errnoOf(error);
    }
  }

  poll(): number {
    return this.#pending.length > 0 ? pollBits.in : 0;
  }

  /** The one that waited longest. */
  accept(): Connection | undefined {
    return this.#pending.shift();
  }

  /** Ends with all that it has accepted. */
  close(): void {
    this.#isClosed = true;
    for (const connection of this.#pending) connection.destroy();
    this.#pending = [];
    void this.#listener?.close();
  }

  #onConnection(connection: Connection): void {
    if (this.#isClosed || this.#pending.length >= pendingConnectionsMax) {
      connection.destroy();
      return;
    }
    this.#pending.push(connection);
    this.#onChange();
  }
}

/** How a caller's address stands in an answer. */
export function addressOf({ remote }: Connection): string {
  return remote.host.replace(/^::ffff:/i, "");
}
