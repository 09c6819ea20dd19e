import type { Socket } from "node:net";
import type { ThinglineError } from "@thingline/protocol";
import type { Endpoint } from "../connection.js";
import { type Channel, type ChannelEvents, lostError, recordTooLargeError } from "../stream-connection.js";
import type { Batch } from "../write-plan.js";
import { tlsError } from "./errors.js";

export interface SocketChannelOptions {
  /** The TCP socket, itself or below TLS: only TCP can be reset. Undefined when TLS has the connection to itself. */
  tcp?: Socket | undefined;
  receivedRecordBytesMax?: number | undefined;
}

const owner = Symbol("channel");

/** A socket that knows its channel. */
interface OwnedSocket extends Socket {
  [owner]?: SocketChannel;
}

/** TCP, or TLS over it, below a connection. */
export class SocketChannel implements Channel {
  readonly #socket: Socket;
  readonly #events: ChannelEvents;
  readonly #tcp: Socket | undefined;
  readonly #receivedRecordBytesMax: number | undefined;
  #error: ThinglineError | undefined;
  #isEnded = false;
  #isReading = false;

  constructor(socket: Socket, events: ChannelEvents, { tcp, receivedRecordBytesMax }: SocketChannelOptions = {}) {
    this.#socket = socket;
    this.#events = events;
    this.#tcp = tcp;
    this.#receivedRecordBytesMax = receivedRecordBytesMax;
    // The same listeners for all sockets, and not closures for each: a gateway has thousands of them.
    (socket as OwnedSocket)[owner] = this;
    socket.on("end", SocketChannel.#onEnd);
    // Stays for good: an error without a listener would end the process.
    socket.on("error", SocketChannel.#onError);
    socket.on("close", SocketChannel.#onClose);
  }

  static #onEnd(this: OwnedSocket): void {
    const channel = this[owner];
    // An alert is an error that does not destroy the socket, and then it ends as if in order.
    if (channel === undefined || channel.#error !== undefined || channel.#isEnded) return;
    channel.#isEnded = true;
    channel.#events.ended();
  }

  static #onError(this: OwnedSocket, error: Error): void {
    const channel = this[owner];
    if (channel !== undefined) channel.#error ??= tlsError(error);
    this.destroy();
  }

  static #onClose(this: OwnedSocket): void {
    const channel = this[owner];
    if (channel === undefined) return;
    channel.#events.channelClosed(channel.#error ?? (channel.#isEnded ? undefined : lostError("close")));
  }

  static #onData(this: OwnedSocket, bytes: Uint8Array): void {
    const channel = this[owner];
    if (channel === undefined) return;
    const recordBytesMax = channel.#receivedRecordBytesMax;
    if (recordBytesMax === undefined) channel.#events.received(bytes);
    else channel.#receivedRecord(bytes, recordBytesMax);
  }

  /** For each write, which is one for a turn: an idle socket has none. */
  #whenSent(): (error?: Error | null) => void {
    return (error) => {
      // A failed write is followed by `error` and `close`.
      if (error === undefined || error === null) this.#events.sent();
    };
  }

  send({ parts }: Batch): void {
    const last = parts.length - 1;
    if (last === 0) {
      this.#socket.write(parts[0] as Uint8Array, this.#whenSent());
      return;
    }
    // Corked parts become one writev, over TLS one record.
    this.#socket.cork();
    for (let index = 0; index < last; index++) this.#socket.write(parts[index] as Uint8Array);
    this.#socket.write(parts[last] as Uint8Array, this.#whenSent());
    this.#socket.uncork();
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    if (this.#tcp !== undefined) resetOnDestroy(this.#tcp);
    else resetHandleOnClose(this.#socket);
    this.#socket.destroy();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#isReading) {
      this.#isReading = true;
      this.#socket.on("data", SocketChannel.#onData);
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

/** What a TLS socket has below it when it made its TCP connection by itself. */
interface TcpHandle {
  close(done?: () => void): void;
  /** @returns an error number, or 0: then `done` is called */
  reset?(done?: () => void): number;
}

/**
 * The same for a TLS socket that made its TCP connection by itself. Node has no way to reset one, so this takes the two handles
 * from inside; should a version of Node have them elsewhere, the connection is closed in order.
 */
function resetHandleOnClose(socket: Socket): void {
  if (socket.destroyed || socket.writableEnded) return;
  const { _handle } = socket as Socket & { _handle?: { _parent?: TcpHandle } | null };
  const tcp = _handle?._parent;
  if (typeof tcp?.reset !== "function") return;
  const closePlainly = tcp.close.bind(tcp);
  tcp.close = (done) => {
    tcp.close = closePlainly;
    if (socket.writableEnded || tcp.reset?.(done) !== 0) closePlainly(done);
  };
}

export function localOf(socket: Socket): Endpoint {
  return { host: plainAddress(socket.localAddress), port: socket.localPort ?? 0 };
}

export function remoteOf(socket: Socket): Endpoint {
  return { host: plainAddress(socket.remoteAddress), port: socket.remotePort ?? 0 };
}

/** Node keeps both addresses as objects of its own once they were asked for, which for thousands of sockets is much. */
export function forgetAddresses(socket: Socket): void {
  const kept = socket as Socket & { _sockname?: object | null; _peername?: object | null };
  if (kept._sockname !== undefined) kept._sockname = null;
  if (kept._peername !== undefined) kept._peername = null;
}

/** IPv4 seen through an IPv6 socket is IPv4. */
function plainAddress(address: string | undefined): string {
  return (address ?? "").replace(/^::ffff:(?=\d+\.)/, "");
}
