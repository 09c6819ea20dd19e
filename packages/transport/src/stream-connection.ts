import { ThinglineError } from "@thingline/protocol";
import type { Clock, Timer } from "./clock.js";
import type { Connection, ConnectionHandlers, Endpoint, SecureInfo, WebSocketRequest } from "./connection.js";
import { closeTimeoutMs, highWaterBytes, lowWaterBytes } from "./connection.js";
import { type Batch, joinBytesMaxOf, type SlabPool, WritePlan } from "./write-plan.js";

/**
 * What is below a {@link StreamConnection}: a socket, a WebSocket, a virtual wire. It tells what happens through
 * {@link ChannelEvents}, always from the event loop, never from inside a call.
 */
export interface Channel {
  /** Takes one write. There is only ever one under way; `sent` says that the system has taken it. */
  send(batch: Batch): void;
  /** Ends our side after what was sent. */
  end(): void;
  /** Drops everything at once; `channelClosed` follows. */
  destroy(): void;
  pause(): void;
  /** Called for the first time by `start`: nothing is received before. */
  resume(): void;
}

export interface ChannelEvents {
  received(bytes: Uint8Array): void;
  sent(): void;
  /** The peer sends no more. */
  ended(): void;
  /** Exactly once, last. No error: the peer ended in order, or we did. */
  channelClosed(error: ThinglineError | undefined): void;
}

export interface StreamConnectionOptions {
  clock: Clock;
  pool: SlabPool;
  secure: SecureInfo | undefined;
  local: Endpoint;
  remote: Endpoint;
  webSocketRequest?: WebSocketRequest;
  /** Default: `joinBytesMaxOf` `secure`. */
  joinBytesMax?: number;
}

/** The one implementation of {@link Connection}: queue, turns, water marks, orderly end. */
// oxlint-disable-next-line thingline/held-contracts -- the one, held by connectionContract
export class StreamConnection implements Connection, ChannelEvents {
  readonly secure: SecureInfo | undefined;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly webSocketRequest: WebSocketRequest | undefined;
  readonly #clock: Clock;
  readonly #plan: WritePlan;
  /** Made when somebody asks for it: most connections are watched by their handlers alone. */
  #closed: { promise: Promise<void>; resolve: () => void } | undefined;
  #channel: Channel | undefined;
  #handlers: ConnectionHandlers | undefined;
  #sending: Batch | undefined;
  #isFlushDue = false;
  #isOverHighWater = false;
  #isClosing = false;
  #isEndSent = false;
  #isDestroyed = false;
  #destroyError: ThinglineError | undefined;
  /** Set when all is over. */
  #outcome: { error: ThinglineError | undefined } | undefined;
  #closeTimer: Timer | undefined;

  constructor(options: StreamConnectionOptions) {
    this.#clock = options.clock;
    this.secure = options.secure;
    this.local = options.local;
    this.remote = options.remote;
    this.webSocketRequest = options.webSocketRequest;
    this.#plan = new WritePlan(options.pool, options.joinBytesMax ?? joinBytesMaxOf(options.secure));
  }

  get closed(): Promise<void> {
    if (this.#closed === undefined) {
      let resolve: () => void = () => undefined;
      const promise = new Promise<void>((done) => (resolve = done));
      this.#closed = { promise, resolve };
      if (this.#outcome !== undefined) resolve();
    }
    return this.#closed.promise;
  }

  /** Puts the connection on its channel, before anybody else sees it. */
  attach(channel: Channel): this {
    this.#channel = channel;
    return this;
  }

  get bufferedBytes(): number {
    return this.#plan.bufferedBytes;
  }

  get slab(): Uint8Array {
    return this.#plan.slab;
  }

  start(handlers: ConnectionHandlers): void {
    if (this.#handlers !== undefined) throw new ThinglineError("OPTION_INVALID", "start() was called twice");
    this.#handlers = handlers;
    const outcome = this.#outcome;
    if (outcome !== undefined) this.#clock.afterTurn(() => handlers.closed(outcome.error));
    else if (!this.#isDestroyed) this.#channel?.resume();
  }

  reserve(lengthBytes: number): number {
    const offset = this.#plan.reserve(lengthBytes);
    if (!this.#isFlushDue) this.#flushLater();
    if (this.#plan.bufferedBytes > highWaterBytes) this.#isOverHighWater = true;
    return offset;
  }

  write(head: Uint8Array, body?: Uint8Array): boolean {
    this.#plan.add(head, body);
    if (!this.#isFlushDue) this.#flushLater();
    if (this.#plan.bufferedBytes <= highWaterBytes) return true;
    this.#isOverHighWater = true;
    return false;
  }

  flush(): void {
    this.#send();
  }

  pause(): void {
    if (!this.#isClosing) this.#channel?.pause();
  }

  resume(): void {
    if (this.#handlers !== undefined) this.#channel?.resume();
  }

  close(): Promise<void> {
    if (this.#isClosing || this.#isDestroyed || this.#outcome !== undefined) return this.closed;
    this.#isClosing = true;
    this.#plan.close();
    this.#closeTimer = this.#clock.setTimer(closeTimeoutMs, () => this.destroy());
    this.#send();
    // The peer's end is seen only by reading up to it.
    this.#channel?.resume();
    return this.closed;
  }

  destroy(error?: ThinglineError): void {
    if (this.#isDestroyed || this.#outcome !== undefined) return;
    this.#isDestroyed = true;
    // A close() that took too long: the error tells whether something was left unsent.
    this.#destroyError = error ?? (this.#isClosing && !this.#isEndSent ? lostError("closeTimeout") : undefined);
    this.#plan.discard();
    this.#channel?.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  received(bytes: Uint8Array): void {
    if (!this.#isDestroyed && !this.#isClosing) this.#handlers?.data(bytes);
  }

  sent(): void {
    const batch = this.#sending;
    if (batch === undefined || this.#isDestroyed) return;
    this.#sending = undefined;
    this.#plan.done(batch);
    // What can still be joined waits for the end of its own turn.
    if (this.#plan.hasFullBatch || !this.#isFlushDue) this.#send();
    if (this.#isOverHighWater && this.#plan.bufferedBytes <= lowWaterBytes) {
      this.#isOverHighWater = false;
      if (!this.#isClosing) this.#handlers?.drained?.();
    }
  }

  ended(): void {
    // Nobody can use half a connection in MQTT: what is queued goes out, then our side ends too.
    void this.close();
  }

  channelClosed(error: ThinglineError | undefined): void {
    if (this.#outcome !== undefined) return;
    const outcome = { error: this.#outcomeOf(error) };
    this.#outcome = outcome;
    this.#closeTimer?.cancel();
    this.#plan.discard();
    this.#sending = undefined;
    this.#handlers?.closed(outcome.error);
    this.#closed?.resolve();
  }

  #outcomeOf(error: ThinglineError | undefined): ThinglineError | undefined {
    if (this.#isDestroyed) return this.#destroyError;
    // What the peer does once everything was sent and our side has ended is its own affair.
    if (this.#isClosing && this.#isEndSent) return undefined;
    return error;
  }

  #flushLater(): void {
    this.#isFlushDue = true;
    // One for a turn with output, however many packets it has; an idle connection has none.
    this.#clock.afterTurn(() => {
      this.#isFlushDue = false;
      this.#send();
    });
  }

  #send(): void {
    if (this.#sending !== undefined || this.#isDestroyed || this.#outcome !== undefined) return;
    const batch = this.#plan.take();
    if (batch !== undefined) {
      this.#sending = batch;
      this.#channel?.send(batch);
    } else if (this.#isClosing && !this.#isEndSent) {
      this.#isEndSent = true;
      this.#channel?.end();
    }
  }
}

/** The connection ended without being asked to; `reason` is a system error name or a word of ours. */
export function lostError(reason: string, cause?: unknown): ThinglineError {
  return new ThinglineError("CONNECTION_LOST", `the connection was lost: ${reason}`, { details: { reason }, cause });
}

export function recordTooLargeError(lengthBytes: number, recordBytesMax: number): ThinglineError {
  const message = `a TLS record of ${lengthBytes} bytes came; this connection takes ${recordBytesMax} at most`;
  return new ThinglineError("TLS_RECORD_TOO_LARGE", message, { details: { lengthBytes, recordBytesMax } });
}
