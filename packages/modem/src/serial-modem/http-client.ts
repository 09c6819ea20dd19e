import { concatBytes, ThinglineError } from "@thingline/protocol";
import { type Clock, type Connection, highWaterBytes, type Timer } from "@thingline/transport";
import { ChunkedBodyEnd, hasBody, headLength, parseResponseHead } from "./http-response.js";

/** Longest head of a response that the HTTP client of SLM takes: its one buffer. */
export const httpHeadBytesMax = 2048;
/** What goes to the host at a time: between two of these the line is asked for room. */
const pieceBytes = 2048;
/** Socket time-out of the HTTP client of SLM. */
export const httpTimeoutMs = 10_000;

export interface HttpRequest {
  method: string;
  resource: string;
  /** Each ended by CR LF, or empty. */
  headers: string;
  contentType: string | undefined;
  /** Undefined: nothing is said of a length. */
  contentLength: number | undefined;
}

/** What the host is told of a request, in this order. */
export interface HttpClientEvents {
  /** Bytes of the response as they came. */
  response(bytes: Uint8Array): void;
  /** `#XHTTPCRSP:<bytes>,<is over>` behind the head, and behind the body. */
  counted(bytes: number, isOver: boolean): void;
  /** The connection is gone before the response was whole. */
  failed(errno: number): void;
}

export interface HttpClientConnectionOptions {
  clock: Clock;
  /** Open, and not started. */
  connection: Connection;
  /** For the `Host` field. */
  host: string;
  /** Whether the host takes more of a response now; it is asked again by {@link HttpClientConnection.lineChanged}. */
  hasRoom: () => boolean;
}

/** What the library says with a negative number: the socket gave nothing in time, its peer is gone, or sent no HTTP. */
const results = { timeout: -11, reset: -104, malformed: -77 } as const;

/**
 * One connection of the HTTP client of SLM, and one request at a time on it. The response goes to the host as it comes, head and chunk sizes
 * included; a body that ends with the connection counts as broken off, as in the original.
 *
 * @see Zephyr, HTTP client library
 */
export class HttpClientConnection {
  readonly #clock: Clock;
  readonly #connection: Connection;
  readonly #host: string;
  readonly #hasRoom: () => boolean;
  #request: { method: string; events: HttpClientEvents } | undefined;
  #response: ResponseState | undefined;
  #timer: Timer | undefined;
  #isOver = false;
  #wakeWriters: (() => void)[] = [];
  /** Came, and waits until the request is whole and the host has room; the connection is paused meanwhile. */
  #waiting: Uint8Array[] = [];
  /** The connection ended while something waited. */
  #isCut = false;

  constructor({ clock, connection, host, hasRoom }: HttpClientConnectionOptions) {
    this.#clock = clock;
    this.#connection = connection;
    this.#host = host;
    this.#hasRoom = hasRoom;
    connection.start({
      data: (bytes) => this.#received(bytes),
      drained: () => this.#wake(),
      closed: () => this.#closed(),
    });
  }

  get isBusy(): boolean {
    return this.#request !== undefined;
  }

  /** Sends the head. The payload follows by {@link send}, and then {@link finish}. @returns whether it could be sent */
  begin({ method, resource, headers, contentType, contentLength }: HttpRequest, events: HttpClientEvents): boolean {
    if (this.#isOver) return false;
    this.#request = { method, events };
    const type = contentType === undefined ? "" : `Content-Type: ${contentType}\r\n`;
    const length = contentLength === undefined ? "" : `Content-Length: ${contentLength}\r\n`;
    const text = `${method} ${resource} HTTP/1.1\r\nHost: ${this.#host}\r\n${headers}${type}${length}\r\n`;
    this.#connection.write(new TextEncoder().encode(text));
    return true;
  }

  /** @returns whether the transport took it */
  async send(payload: Uint8Array): Promise<boolean> {
    if (this.#isOver) return false;
    this.#connection.write(payload.slice());
    while (!this.#isOver && this.#connection.bufferedBytes > highWaterBytes) {
      this.#restartTimer();
      await new Promise<void>((resolve) => this.#wakeWriters.push(resolve));
    }
    this.#timer?.cancel();
    return !this.#isOver;
  }

  /** The request is whole: from here on the response is waited for. What has come of it already is told now. */
  finish(): void {
    if (this.#request === undefined) return;
    this.#response = new ResponseState(this.#request.method, this.#request.events);
    this.#restartTimer();
    this.#handOn();
  }

  /** The host may take something again. */
  lineChanged(): void {
    if (this.#waiting.length > 0) this.#handOn();
  }

  /** At once, and nobody is told. */
  async stop(): Promise<void> {
    this.#isOver = true;
    this.#forget();
    this.#wake();
    this.#connection.destroy();
    await this.#connection.closed;
  }

  #received(bytes: Uint8Array): void {
    // Without a request it belongs to none, and is dropped as a receive buffer that nobody reads.
    if (this.#isOver || this.#request === undefined) return;
    this.#waiting.push(bytes);
    this.#handOn();
  }

  /** Hands on what came, piece by piece, as long as the host has room. */
  #handOn(): void {
    while (this.#response !== undefined && this.#hasRoom()) {
      const [bytes] = this.#waiting;
      if (bytes === undefined) break;
      if (bytes.length > pieceBytes) this.#waiting[0] = bytes.subarray(pieceBytes);
      else this.#waiting.shift();
      const state = this.#response.take(bytes.subarray(0, pieceBytes));
      if (state === "malformed") return this.#fail(results.malformed);
      if (state === "over") this.#forget();
    }
    if (this.#waiting.length > 0) {
      // It is the host that the response waits for, not the server; while the request is sent, the server still has to take it.
      if (this.#response !== undefined) this.#timer?.cancel();
      this.#connection.pause();
      return;
    }
    if (this.#isCut) return this.#fail(results.reset);
    if (this.#response !== undefined) this.#restartTimer();
    this.#connection.resume();
  }

  #closed(): void {
    if (this.#response === undefined || this.#waiting.length === 0) this.#fail(results.reset);
    else this.#isCut = true;
  }

  #forget(): void {
    this.#timer?.cancel();
    this.#request = undefined;
    this.#response = undefined;
    this.#waiting = [];
  }

  #restartTimer(): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.setTimer(httpTimeoutMs, () => this.#fail(results.timeout));
  }

  #fail(errno: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const request = this.#request;
    this.#forget();
    this.#wake();
    this.#connection.destroy(new ThinglineError("CONNECTION_LOST", "the HTTP client of the serial modem gave up"));
    request?.events.failed(errno);
  }

  #wake(): void {
    const writers = this.#wakeWriters;
    this.#wakeWriters = [];
    for (const wake of writers) wake();
  }
}

/** How far a response has come. */
class ResponseState {
  readonly #method: string;
  readonly #events: HttpClientEvents;
  readonly #chunks = new ChunkedBodyEnd();
  #head: Uint8Array | undefined = new Uint8Array(0);
  /** Undefined: as chunks say, or to the end of the connection. */
  #leftBytes: number | undefined;
  #isChunked = false;
  #bodyBytes = 0;

  constructor(method: string, events: HttpClientEvents) {
    this.#method = method;
    this.#events = events;
  }

  take(bytes: Uint8Array): "more" | "over" | "malformed" {
    if (this.#head === undefined) return this.#body(bytes);
    const head = concatBytes([this.#head, bytes]);
    const headBytes = headLength(head);
    if ((headBytes ?? head.length) > httpHeadBytesMax) return "malformed";
    if (headBytes === undefined) {
      this.#head = head;
      return "more";
    }
    const parsed = parseResponseHead(head);
    if (parsed === undefined) return "malformed";
    this.#head = undefined;
    this.#events.response(head.subarray(0, headBytes));
    this.#events.counted(headBytes, false);
    // An interim response is told as it came, and the one that follows as well.
    if (parsed.status < 200) {
      this.#head = new Uint8Array(0);
      return headBytes < head.length ? this.take(head.subarray(headBytes)) : "more";
    }
    this.#leftBytes = hasBody(this.#method, parsed.status) ? parsed.contentLength : 0;
    this.#isChunked = parsed.isChunked;
    return this.#body(head.subarray(headBytes));
  }

  #body(bytes: Uint8Array): "more" | "over" | "malformed" {
    const ending = this.#endOf(bytes);
    if (ending === "malformed") return ending;
    if (ending.bytes > 0) this.#events.response(bytes.subarray(0, ending.bytes));
    this.#bodyBytes += ending.bytes;
    if (!ending.isOver) return "more";
    this.#events.counted(this.#bodyBytes, true);
    return "over";
  }

  #endOf(bytes: Uint8Array): { bytes: number; isOver: boolean } | "malformed" {
    if (this.#leftBytes !== undefined) {
      const taken = Math.min(this.#leftBytes, bytes.length);
      this.#leftBytes -= taken;
      return { bytes: taken, isOver: this.#leftBytes === 0 };
    }
    if (!this.#isChunked) return { bytes: bytes.length, isOver: false };
    const result = this.#chunks.take(bytes);
    return result === "broken" ? "malformed" : result;
  }
}
