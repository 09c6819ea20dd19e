import type { Socket } from "node:net";
import type { ThinglineError } from "@thingline/protocol";
import type { Endpoint } from "../connection.js";
import { type Channel, type ChannelEvents, lostError, recordTooLargeError } from "../stream-connection.js";
import type { Batch } from "../write-plan.js";
import { tlsError } from "./errors.js";

export interface SocketChannelOptions {
  /** The TCP socket, itself or below TLS: only TCP can be reset. */
  tcp?: Socket | undefined;
  receivedRecordBytesMax?: number | undefined;
}

/** TCP, or TLS over it, below a connection. */
export class SocketChannel implements Channel {
  readonly #socket: Socket;
  readonly #events: ChannelEvents;
  readonly #options: SocketChannelOptions;
  #error: ThinglineError | undefined;
  #isEnded = false;
  #isReading = false;
  readonly #sent = (error?: Error | null): void => {
    // A failed write is followed by `error` and `close`.
    if (error === undefined || error === null) this.#events.sent();
  };

  constructor(socket: Socket, events: ChannelEvents, options: SocketChannelOptions = {}) {
    this.#socket = socket;
    this.#events = events;
    this.#options = options;
    socket.once("end", () => {
      // An alert is an error that does not destroy the socket, and then it ends as if in order.
      if (this.#error !== undefined) return;
      this.#isEnded = true;
      events.ended();
    });
    // Stays for good: an error without a listener would end the process.
    socket.on("error", (error) => {
      this.#error ??= tlsError(error);
      socket.destroy();
    });
    socket.once("close", () => events.channelClosed(this.#error ?? (this.#isEnded ? undefined : lostError("close"))));
  }

  send({ parts }: Batch): void {
    const last = parts.length - 1;
    if (last === 0) {
      this.#socket.write(parts[0] as Uint8Array, this.#sent);
      return;
    }
    // Corked parts become one writev, over TLS one record.
    this.#socket.cork();
    for (let index = 0; index < last; index++) this.#socket.write(parts[index] as Uint8Array);
    this.#socket.write(parts[last] as Uint8Array, this.#sent);
    this.#socket.uncork();
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    if (this.#options.tcp !== undefined) resetOnDestroy(this.#options.tcp);
    this.#socket.destroy();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#isReading) {
      this.#isReading = true;
      const recordBytesMax = this.#options.receivedRecordBytesMax;
      if (recordBytesMax === undefined) this.#socket.on("data", (bytes) => this.#events.received(bytes));
      else this.#socket.on("data", (bytes) => this.#receivedRecord(bytes, recordBytesMax));
    }
    this.#socket.resume();
  }

  /** OpenSSL gives at most one record's plaintext at a time and Node passes each on by itself. */
  #receivedRecord(bytes: Uint8Array, recordBytesMax: number): void {
    if (this.#error !== undefined) return;
    if (bytes.length <= recordBytesMax) return this.#events.received(bytes);
    this.#error = recordTooLargeError(bytes.length, recordBytesMax);
    this.destroy();
  }
}

/**
 * Makes `destroy` of a TCP socket a reset. A TLS socket must be destroyed from above: it then destroys the socket below
 * at the right moment, while resetting that one first crashes Node 20. A socket that is ending already cannot be reset.
 */
function resetOnDestroy(tcp: Socket): void {
  if (tcp.destroyed || tcp.writableEnded) return;
  const destroyPlainly = tcp.destroy.bind(tcp);
  tcp.destroy = (error) => {
    tcp.destroy = destroyPlainly;
    return tcp.writableEnded || error !== undefined ? tcp.destroy(error) : tcp.resetAndDestroy();
  };
}

export function localOf(socket: Socket): Endpoint {
  return { host: plainAddress(socket.localAddress), port: socket.localPort ?? 0 };
}

export function remoteOf(socket: Socket): Endpoint {
  return { host: plainAddress(socket.remoteAddress), port: socket.remotePort ?? 0 };
}

/** IPv4 seen through an IPv6 socket is IPv4. */
function plainAddress(address: string | undefined): string {
  return (address ?? "").replace(/^::ffff:(?=\d+\.)/, "");
}
