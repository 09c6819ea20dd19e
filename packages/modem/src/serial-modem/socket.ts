import type { Clock, Connection } from "@thingline/transport";
import { ByteQueue } from "./byte-queue.js";
import { errnoOf, errnos } from "./errno.js";
import { pollBits } from "./poll-bits.js";
import { ServerSocket, type ServerSocketOptions } from "./server-socket.js";

/** A received stream is not read beyond this while the host does not ask; what one read of the network brings comes on top. */
export const socketReceiveBytes = 8192;
/** Bytes that a socket has taken and the network has not, over which it takes no more. */
export const socketSendBytes = 16_384;
/** A connection does not tell when it has sent so little: it is looked at again after this time. */
const sendPollMs = 5;
/** TLS: what fits into a record that an nRF91 may send. */
const sentPieceBytes = 2048;
export const defaultSendTimeoutSeconds = 30;

/** What a socket was opened as. */
export interface SocketKind {
  /** 1 IPv4, 2 IPv6. */
  family: 1 | 2;
  /** 0 calls, 1 is called. */
  role: 0 | 1;
  /** Of the packet data network. */
  cid: number;
  /** TLS with the credentials of this tag. */
  secTag: number | undefined;
  peerVerify: number;
}

export interface ReceiveOptions {
  bytesMax: number;
  /** Undefined: for ever. */
  timeoutMs: number | undefined;
  isPeek?: boolean;
  /** Wait for all of `bytesMax`. */
  waitsForAll?: boolean;
}

type SocketState =
  | { name: "idle" }
  | { name: "connecting"; controller: AbortController }
  | { name: "connected"; connection: Connection }
  /** The connection ended: 0 by the peer, in order. */
  | { name: "over"; errno: number }
  | { name: "closed" };

/** A stream socket of the application over a connection of the modem, with a bound in both directions. */
export class ModemSocket {
  readonly handle: number;
  readonly kind: SocketKind;
  /** `TLS_HOSTNAME`: for SNI and the host name check. */
  hostName: string | undefined;
  peerVerify: number;
  isSessionCached = false;
  sendTimeoutSeconds = defaultSendTimeoutSeconds;
  receiveTimeoutSeconds = 0;
  localPort = 0;
  /** Of SLM: what the connection that it accepted is called. */
  peerHandle: number | undefined;
  /** Options that are kept and change nothing, by their numbers. */
  readonly storedOptions = new Map<number, number>();
  readonly #clock: Clock;
  readonly #onChange: (socket: ModemSocket) => void;
  readonly #received = new ByteQueue();
  readonly #waiting = new Set<() => void>();
  #state: SocketState = { name: "idle" };
  #server: ServerSocket | undefined;
  #cipher: string | undefined;

  constructor(handle: number, kind: SocketKind, clock: Clock, onChange: (socket: ModemSocket) => void) {
    this.handle = handle;
    this.kind = kind;
    this.peerVerify = kind.peerVerify;
    this.#clock = clock;
    this.#onChange = onChange;
  }

  get isConnected(): boolean {
    return this.#state.name === "connected";
  }

  /** Whether the connection has ended, by itself or by the peer. */
  get isOver(): boolean {
    return this.#state.name === "over";
  }

  /** Set while it listens. */
  get server(): ServerSocket | undefined {
    return this.#server;
  }

  get receivedBytes(): number {
    return this.#received.lengthBytes;
  }

  /** The TLS cipher suite, by IANA's name. */
  get cipher(): string | undefined {
    return this.#cipher;
  }

  /** Which of {@link pollBits} hold. One that listens tells of callers alone; a socket that was never connected has none, one that was taken away is invalid. */
  poll(): number {
    if (this.#server !== undefined) return this.#server.poll();
    const state = this.#state;
    const bits = this.#received.lengthBytes > 0 ? pollBits.in : 0;
    if (state.name === "connected") {
      return state.connection.bufferedBytes <= socketSendBytes ? bits | pollBits.out : bits;
    }
    if (state.name === "closed") return pollBits.invalid;
    if (state.name !== "over") return bits;
    return bits | pollBits.in | pollBits.hangUp | (state.errno === 0 ? 0 : pollBits.error);
  }

  /** @returns 0, or the negative error number. */
  async connect(dial: (signal: AbortSignal) => Promise<Connection>): Promise<number> {
    if (this.#state.name !== "idle" || this.#server !== undefined) return -errnos.EISCONN;
    const controller = new AbortController();
    this.#state = { name: "connecting", controller };
    let connection: Connection;
    try {
      connection = await dial(controller.signal);
    } catch (error) {
      if (!this.#isClosed()) this.#state = { name: "idle" };
      return errnoOf(error);
    }
    if (this.#isClosed()) {
      connection.destroy();
      return -errnos.ECANCELED;
    }
    this.adopt(connection);
    return 0;
  }

  /** @returns 0, or the negative error number. */
  async listen(options: Omit<ServerSocketOptions, "family" | "port" | "onChange">): Promise<number> {
    if (this.#state.name !== "idle" || this.#server !== undefined) return -errnos.EINVAL;
    const { family } = this.kind;
    const server = await ServerSocket.open({
      ...options,
      family,
      port: this.localPort,
      onChange: () => this.#changed(),
    });
    if (typeof server === "number") return server;
    if (this.#isClosed()) {
      server.close();
      return -errnos.ECANCELED;
    }
    this.#server = server;
    return 0;
  }

  /** Goes on with a connection that was made, in place of the one before. */
  adopt(connection: Connection): void {
    if (this.#state.name === "connected") this.#state.connection.destroy();
    this.#received.clear();
    const state: SocketState = { name: "connected", connection };
    this.#state = state;
    this.#cipher = connection.secure?.cipher;
    connection.start({
      data: (bytes) => this.#onData(connection, bytes),
      drained: () => this.#changed(),
      closed: (error) => {
        if (this.#state !== state) return;
        this.#state = { name: "over", errno: error === undefined ? 0 : errnoOf(error) };
        this.#changed();
      },
    });
    this.#changed();
  }

  /**
   * @param isAcknowledged Wait until the network has taken it.
   * @returns bytes sent, fewer when the time was over meanwhile, or the negative error number.
   */
  async send(bytes: Uint8Array, { isAcknowledged = false } = {}): Promise<number> {
    const deadlineMs = this.#clock.monotonicMs() + this.sendTimeoutSeconds * 1000;
    let sentBytes = 0;
    while (sentBytes < bytes.length) {
      const problem = await this.#waitForRoom(socketSendBytes, deadlineMs);
      if (problem < 0) return sentBytes > 0 ? sentBytes : problem;
      if (this.#state.name !== "connected") break;
      const piece = bytes.subarray(sentBytes, sentBytes + sentPieceBytes);
      this.#state.connection.write(piece);
      this.#state.connection.flush();
      sentBytes += piece.length;
    }
    const problem = isAcknowledged ? await this.#waitForRoom(0, deadlineMs) : 0;
    return problem < 0 ? problem : sentBytes;
  }

  /** @returns what came; nothing: the peer has ended its stream; or the negative error number. */
  async receive(options: ReceiveOptions): Promise<Uint8Array | number> {
    const { timeoutMs } = options;
    const deadlineMs = timeoutMs === undefined ? undefined : this.#clock.monotonicMs() + timeoutMs;
    for (;;) {
      const isAll = this.#received.lengthBytes >= options.bytesMax;
      if (isAll || (options.waitsForAll !== true && this.#received.lengthBytes > 0)) return this.#taken(options);
      if (this.#state.name !== "connected") {
        if (this.#received.lengthBytes > 0) return this.#taken(options);
        return this.#state.name === "over"
          ? this.#state.errno === 0
            ? new Uint8Array()
            : this.#state.errno
          : -errnos.ENOTCONN;
      }
      const leftMs = deadlineMs === undefined ? undefined : deadlineMs - this.#clock.monotonicMs();
      if ((leftMs !== undefined && leftMs <= 0) || !(await this.#waitForChange(leftMs))) {
        return this.#received.lengthBytes > 0 ? this.#taken(options) : -errnos.EAGAIN;
      }
    }
  }

  /** What is there, without waiting. */
  takeReceived(bytesMax: number): Uint8Array {
    return this.#taken({ bytesMax, timeoutMs: 0 });
  }

  /** Forgets a connection that is over: one that listens takes the next. */
  release(): void {
    if (this.#state.name === "over") this.#state = { name: "idle" };
  }

  /** Ends in order. Whoever waits gets an error. */
  close(): void {
    this.#end((connection) => void connection.close());
  }

  /** Ends at once. */
  destroy(): void {
    this.#end((connection) => connection.destroy());
  }

  #end(endConnection: (connection: Connection) => void): void {
    const state = this.#state;
    this.#state = { name: "closed" };
    this.#received.clear();
    this.#server?.close();
    this.#server = undefined;
    if (state.name === "connecting") state.controller.abort();
    if (state.name === "connected") endConnection(state.connection);
    for (const wake of this.#waiting) wake();
  }

  #isClosed(): boolean {
    return this.#state.name === "closed";
  }

  #onData(connection: Connection, bytes: Uint8Array): void {
    if (this.#state.name !== "connected" || this.#state.connection !== connection) return;
    this.#received.put(bytes);
    if (this.#received.lengthBytes >= socketReceiveBytes) connection.pause();
    this.#changed();
  }

  #taken({ bytesMax, isPeek = false }: ReceiveOptions): Uint8Array {
    if (isPeek) return this.#received.peek(bytesMax);
    const bytes = this.#received.take(bytesMax);
    if (this.#state.name === "connected" && this.#received.lengthBytes < socketReceiveBytes)
      this.#state.connection.resume();
    return bytes;
  }

  #changed(): void {
    for (const wake of this.#waiting) wake();
    this.#onChange(this);
  }

  /** @returns whether something happened within the time. */
  #waitForChange(timeoutMs: number | undefined): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (hasChanged: boolean): void => {
        timer?.cancel();
        this.#waiting.delete(wake);
        resolve(hasChanged);
      };
      const wake = (): void => settle(true);
      const timer = timeoutMs === undefined ? undefined : this.#clock.setTimer(timeoutMs, () => settle(false));
      this.#waiting.add(wake);
    });
  }

  async #waitForRoom(bytesMax: number, deadlineMs: number): Promise<number> {
    for (;;) {
      if (this.#state.name === "over") return this.#state.errno === 0 ? -errnos.ENOTCONN : this.#state.errno;
      if (this.#state.name !== "connected") return -errnos.ENOTCONN;
      if (this.#state.connection.bufferedBytes <= bytesMax) return 0;
      const leftMs = deadlineMs - this.#clock.monotonicMs();
      if (leftMs <= 0) return -errnos.EAGAIN;
      await this.#waitForChange(Math.min(leftMs, sendPollMs));
    }
  }
}
