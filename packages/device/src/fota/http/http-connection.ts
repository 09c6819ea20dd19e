import { ThinglineError } from "@thingline/protocol";
import type { Clock, Connection, Timer } from "@thingline/transport";
import { bodyLengthOf, type ResponseHead, ResponseHeadReader } from "./response-head.js";

/** Answers with a status of 100 to 199 before the real one. */
export const interimResponsesMax = 8;

/** Who takes the answer to a request. What it throws ends the exchange, and the connection. */
export interface ResponseSink {
  /** `true`: the body is not wanted; the exchange ends here, and the connection unless the body is empty. */
  head(head: ResponseHead): boolean;
  /** `true`: no more of it is wanted. */
  body(bytes: Uint8Array): boolean;
}

export interface HttpTimeouts {
  /** So long nothing may come while an answer is awaited. */
  receiveTimeoutMs: number;
  /** Within this, `paceBytes` more of an answer must have come, or all of it: against a server that sends a byte now and then. */
  paceTimeoutMs: number;
  paceBytes: number;
}

interface Exchange {
  sink: ResponseSink;
  resolve: () => void;
  reject: (error: ThinglineError) => void;
  reader: ResponseHeadReader;
  head: ResponseHead | undefined;
  /** Of the body, Infinity: to the end of the connection. */
  leftBytes: number;
  interimCount: number;
  receivedBytes: number;
}

/** One connection to an HTTP/1.1 server: a request at a time, its answer in parts, and the next on the same connection. */
export class HttpConnection {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #timeouts: HttpTimeouts;
  #exchange: Exchange | undefined;
  #timer: Timer | undefined;
  #lastReceivedMs = 0;
  #paceDeadlineMs = 0;
  #paceFromBytes = 0;
  #isPaused = false;
  /** Undefined while requests may be made. */
  #over: ThinglineError | "closed" | undefined;
  #exchangeCount = 0;
  #hasAnswered = false;

  constructor(connection: Connection, clock: Clock, timeouts: HttpTimeouts) {
    this.#connection = connection;
    this.#clock = clock;
    this.#timeouts = timeouts;
    connection.start({
      data: (bytes) => this.#data(bytes),
      closed: (error) => this.#closed(error),
    });
  }

  /** Another request may be made. */
  get isReusable(): boolean {
    return this.#over === undefined && this.#exchange === undefined;
  }

  /** No request more is made on it; the transport may still be closing it. */
  get isOver(): boolean {
    return this.#over !== undefined;
  }

  /** The transport has let go of it. */
  get closed(): Promise<void> {
    return this.#connection.closed;
  }

  /** It has answered before: what ends it without a byte of the next answer may have been meant for an idle connection. */
  get wasUsed(): boolean {
    return this.#exchangeCount > 1;
  }

  /** Whether anything of the answer under way, or of the last one, came. */
  get hasAnswered(): boolean {
    return this.#hasAnswered;
  }

  /**
   * Sends a request. Resolves at the end of the answer, or when the sink wants no more of it.
   *
   * @throws {ThinglineError} CONNECTION_LOST, TIMEOUT, TLS_RECORD_TOO_LARGE and whatever else ended the connection; DOWNLOAD_INVALID; what
   * the sink threw.
   */
  exchange(request: Uint8Array, sink: ResponseSink): Promise<void> {
    if (!this.isReusable) return Promise.reject(this.#over instanceof ThinglineError ? this.#over : lost());
    this.#exchangeCount += 1;
    this.#hasAnswered = false;
    return new Promise((resolve, reject) => {
      const reader = new ResponseHeadReader();
      const counts = { leftBytes: 0, interimCount: 0, receivedBytes: 0 };
      this.#exchange = { sink, resolve, reject, reader, head: undefined, ...counts };
      this.#lastReceivedMs = this.#clock.monotonicMs();
      this.#paceDeadlineMs = this.#lastReceivedMs + this.#timeouts.paceTimeoutMs;
      this.#paceFromBytes = 0;
      this.#arm();
      this.#connection.write(request);
    });
  }

  /** Stops and restarts the flow of a body; the server's time does not run meanwhile. */
  pause(isPaused: boolean): void {
    if (this.#isPaused === isPaused || this.#over !== undefined) return;
    this.#isPaused = isPaused;
    if (isPaused) {
      this.#timer?.cancel();
      return this.#connection.pause();
    }
    this.#lastReceivedMs = this.#clock.monotonicMs();
    this.#paceDeadlineMs = this.#lastReceivedMs + this.#timeouts.paceTimeoutMs;
    if (this.#exchange) this.#arm();
    this.#connection.resume();
  }

  /** Drops the connection. */
  destroy(error?: ThinglineError): void {
    this.#end(error ?? new ThinglineError("CLOSED", "the download was closed"));
    this.#connection.destroy();
  }

  #data(bytes: Uint8Array): void {
    const exchange = this.#exchange;
    if (!exchange) {
      // Nobody asked: whatever it answers would be taken for the answer to something else.
      if (this.#over === undefined) this.destroy(invalid("the server sent bytes that belong to no answer"));
      return;
    }
    this.#received(exchange, bytes.length);
    try {
      this.#read(exchange, bytes);
    } catch (error) {
      if (!(error instanceof ThinglineError)) throw error;
      this.destroy(error);
    }
  }

  #read(exchange: Exchange, bytes: Uint8Array): void {
    let rest = bytes;
    while (exchange.head === undefined) {
      const read = exchange.reader.push(rest);
      if (!read) return;
      rest = rest.subarray(read.bodyAt);
      if (!this.#readHead(exchange, read.head)) continue;
      if (exchange.leftBytes === 0) return this.#finish(exchange, rest);
    }
    const part = rest.subarray(0, Math.min(rest.length, exchange.leftBytes));
    exchange.leftBytes -= part.length;
    if (part.length > 0 && exchange.sink.body(part) && exchange.leftBytes > 0) return this.#drop(exchange);
    // The sink may have ended it all.
    if (this.#exchange === exchange && exchange.leftBytes === 0) this.#finish(exchange, rest.subarray(part.length));
  }

  /** @returns false for an interim answer, after which the real one comes */
  #readHead(exchange: Exchange, head: ResponseHead): boolean {
    if (head.status < 200) {
      exchange.interimCount += 1;
      if (exchange.interimCount <= interimResponsesMax && head.status !== 101) return false;
      throw invalid(`the server answered ${head.status} instead of the file`);
    }
    exchange.leftBytes = bodyLengthOf(head) ?? Infinity;
    exchange.head = head;
    if (exchange.sink.head(head) && exchange.leftBytes > 0) {
      exchange.leftBytes = 0;
      this.#over ??= "closed";
      this.#connection.destroy();
    }
    return true;
  }

  #drop(exchange: Exchange): void {
    this.#over ??= "closed";
    this.#connection.destroy();
    this.#finish(exchange, new Uint8Array(0));
  }

  #finish(exchange: Exchange, rest: Uint8Array): void {
    this.#exchange = undefined;
    this.#timer?.cancel();
    if (this.#over === undefined && rest.length > 0) {
      const error = invalid("the server sent bytes after the end of an answer");
      this.#over = error;
      this.#connection.destroy();
      return exchange.reject(error);
    }
    if (this.#over === undefined && exchange.head?.isLast === true) {
      this.#over = "closed";
      void this.#connection.close();
    }
    exchange.resolve();
  }

  #received(exchange: Exchange, length: number): void {
    this.#hasAnswered = true;
    exchange.receivedBytes += length;
    this.#lastReceivedMs = this.#clock.monotonicMs();
    if (exchange.receivedBytes - this.#paceFromBytes < this.#timeouts.paceBytes) return;
    this.#paceFromBytes = exchange.receivedBytes;
    this.#paceDeadlineMs = this.#lastReceivedMs + this.#timeouts.paceTimeoutMs;
  }

  /** One timer for an answer, whatever comes in how many pieces. */
  #arm(): void {
    this.#timer?.cancel();
    const dueMs = Math.min(this.#lastReceivedMs + this.#timeouts.receiveTimeoutMs, this.#paceDeadlineMs);
    this.#timer = this.#clock.setTimer(Math.max(0, dueMs - this.#clock.monotonicMs()), () => this.#due());
  }

  #due(): void {
    const nowMs = this.#clock.monotonicMs();
    const { receiveTimeoutMs, paceTimeoutMs } = this.#timeouts;
    if (nowMs >= this.#lastReceivedMs + receiveTimeoutMs) {
      return this.destroy(timeout(`nothing came from the server for ${receiveTimeoutMs} ms`, receiveTimeoutMs));
    }
    if (nowMs < this.#paceDeadlineMs) return this.#arm();
    this.destroy(timeout(`an answer did not get on within ${paceTimeoutMs} ms`, paceTimeoutMs));
  }

  #closed(error: ThinglineError | undefined): void {
    const exchange = this.#exchange;
    // A body without a length ends with the connection, if that ends in order.
    if (exchange?.head !== undefined && exchange.leftBytes === Infinity && error === undefined) {
      this.#over ??= "closed";
      return this.#finish(exchange, new Uint8Array(0));
    }
    this.#end(error ?? lost());
  }

  #end(error: ThinglineError): void {
    this.#over ??= error;
    this.#timer?.cancel();
    const exchange = this.#exchange;
    this.#exchange = undefined;
    exchange?.reject(error);
  }
}

function lost(): ThinglineError {
  return new ThinglineError("CONNECTION_LOST", "the server closed the connection before its answer was complete");
}

function timeout(message: string, timeoutMs: number): ThinglineError {
  return new ThinglineError("TIMEOUT", message, { details: { timeoutMs } });
}

function invalid(message: string): ThinglineError {
  return new ThinglineError("DOWNLOAD_INVALID", message);
}
