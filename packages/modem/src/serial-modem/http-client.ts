import { concatBytes, ThinglineError } from "@thingline/protocol";
import { type Clock, type Connection, highWaterBytes, type Timer } from "@thingline/transport";
import { ChunkedBodyEnd, hasBody, headLength, parseResponseHead } from "./http-response.js";

/** Longest head of a response that the HTTP client of SLM takes: its one buffer. */
export const httpHeadBytesMax = 2048;
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
  #request: { method: string; events: HttpClientEvents } | undefined;
  #response: ResponseState | undefined;
  #timer: Timer | undefined;
  #isOver = false;
  #wakeWriters: (() => void)[] = [];

  constructor({ clock, connection, host }: { clock: Clock; connection: Connection; host: string }) {
    this.#clock = clock;
    this.#connection = connection;
    this.#host = host;
    connection.start({
      data: (bytes) => this.#received(bytes),
      drained: () => this.#wake(),
      closed: () => this.#fail(results.reset),
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
      await new Promise<void>((resolve) => this.#wakeWriters.push(resolve));
    }
    return !this.#isOver;
  }

  /** The request is whole: from here on the response is waited for. What has come of it already is told now. */
  finish(): void {
    if (this.#request === undefined) return;
    this.#response = new ResponseState(this.#request.method, this.#request.events);
    this.#restartTimer();
    this.#connection.resume();
    const early = this.#early;
    this.#early = [];
    for (const bytes of early) this.#received(bytes);
  }

  /** At once, and nobody is told. */
  async stop(): Promise<void> {
    this.#isOver = true;
    this.#request = undefined;
    this.#timer?.cancel();
    this.#wake();
    this.#connection.destroy();
    await this.#connection.closed;
  }

  /** What came while the request was not whole; the connection is paused with the first of it. */
  #early: Uint8Array[] = [];

  #received(bytes: Uint8Array): void {
    if (this.#isOver) return;
    const response = this.#response;
    if (response === undefined) {
      // Without a request it belongs to none, and is dropped as a receive buffer that nobody reads.
      if (this.#request === undefined) return;
      this.#early.push(bytes);
      this.#connection.pause();
      return;
    }
    this.#restartTimer();
    const state = response.take(bytes);
    if (state === "malformed") this.#fail(results.malformed);
    else if (state === "over") this.#forget();
  }

  #forget(): void {
    this.#timer?.cancel();
    this.#request = undefined;
    this.#response = undefined;
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
