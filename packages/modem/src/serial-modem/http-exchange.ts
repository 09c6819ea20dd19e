import { concatBytes } from "@thingline/protocol";
import type { Clock, Timer } from "@thingline/transport";
import type { SerialModemInformation } from "./command.js";
import { errnos } from "./errno.js";
import { ChunkedBodyEnd, hasBody, headLength, type HttpResponseHead, parseResponseHead } from "./http-response.js";
import { pollBits } from "./poll-bits.js";
import type { ModemSocket } from "./socket.js";

/** One buffer of the HTTP client of the Serial Modem: the longest head, and what is handed on of a body at once. */
export const httpReceiveBytesMax = 2048;
/** So long nothing may be sent or received. */
export const httpIdleTimeoutMs = 30_000;

/** Of a body, and what was handed on of it before. */
export interface HttpPiece {
  offset: number;
  bytes: Uint8Array;
}

export interface HttpExchangeOptions {
  clock: Clock;
  socket: ModemSocket;
  method: string;
  /** The body goes to the host by itself; otherwise it is pulled. */
  isAutomatic: boolean;
  /** Whether something longer can be sent to the host now. */
  isLineFree: () => boolean;
  tell: (information: SerialModemInformation) => void;
  tellData: (piece: HttpPiece) => void;
  /** Before the end is told. */
  onEnd: () => void;
}

/** One request on a socket and its response. */
export class HttpExchange {
  readonly #options: HttpExchangeOptions;
  #state: "sending" | "head" | "body" | "over" = "sending";
  /** Taken from the socket and not handed on. */
  #buffer: Uint8Array = new Uint8Array(0);
  #head: HttpResponseHead | undefined;
  readonly #chunks = new ChunkedBodyEnd();
  /** The end of the body has come, in chunks. */
  #hasEnded = false;
  #receivedBytes = 0;
  #deliveredBytes = 0;
  #timer: Timer | undefined;

  constructor(options: HttpExchangeOptions) {
    this.#options = options;
  }

  // ---- request -------------------------------------------------------------------------------------------------

  /** A request without a body. */
  async begin(head: Uint8Array): Promise<void> {
    if (this.#state !== "sending") return;
    this.#restartTimer();
    const sent = await this.#options.socket.send(head);
    if (this.#isOver()) return;
    if (sent < head.length) this.#fail();
    else this.#await();
  }

  /** @returns whether the head of a request with a body was sent; then {@link sendBody} follows, and {@link bodyEnded} */
  async sendHead(head: Uint8Array): Promise<boolean> {
    return (await this.#options.socket.send(head)) === head.length;
  }

  /** @returns bytes, or a negative error number */
  async sendBody(bytes: Uint8Array): Promise<number> {
    if (this.#isOver()) return -errnos.ENOTCONN;
    const sent = await this.#options.socket.send(bytes);
    return sent >= 0 && sent < bytes.length ? -errnos.EAGAIN : sent;
  }

  bodyEnded(result: number): void {
    if (this.#isOver()) return;
    if (result < 0) this.#fail();
    else this.#await();
  }

  #await(): void {
    this.#state = "head";
    this.#restartTimer();
    this.pump();
  }

  // ---- response ------------------------------------------------------------------------------------------------

  /** Goes on with what has come, as far as the host takes it. */
  pump(): void {
    if (this.#state === "head") this.#readHead();
    while (this.#state === "body" && this.#options.isAutomatic && this.#options.isLineFree()) {
      if (!this.#deliverNext()) return;
    }
  }

  #readHead(): void {
    const { socket, method, tell } = this.#options;
    if (socket.receivedBytes > 0) {
      this.#restartTimer();
      const room = httpReceiveBytesMax - this.#buffer.length;
      this.#buffer = concatBytes([this.#buffer, socket.takeReceived(room)]);
    }
    if (headLength(this.#buffer) === undefined) {
      // Too long, or over before it was whole.
      if (this.#buffer.length >= httpReceiveBytesMax || this.#isSocketOver()) this.#fail();
      return;
    }
    const head = parseResponseHead(this.#buffer);
    if (head === undefined) return this.#fail();
    this.#head = head;
    this.#state = "body";
    this.#receive(this.#buffer.subarray(head.headBytes));
    if (this.#isOver()) return;
    tell(`#XHTTPCHEAD: ${socket.handle},${head.status},${head.contentLength ?? -1}`);
    // The original takes an interim response for the whole of it.
    if (!hasBody(method, head.status) || head.contentLength === 0) this.#finish();
  }

  /** @returns false: there is nothing to hand on now */
  #deliverNext(): boolean {
    if (this.#buffer.length === 0) this.#takeMore(httpReceiveBytesMax);
    if (this.#isOver()) return false;
    const bytes = this.#buffer;
    if (bytes.length === 0) {
      if (this.#isSocketOver()) this.#ended();
      return false;
    }
    const offset = this.#handOn(bytes.length);
    this.#options.tellData({ offset, bytes });
    if (this.#isWhole) this.#finish();
    return !this.#isOver();
  }

  /** The host asks for a piece. @returns `over`: there is no more, and the end was told */
  pull(bytesMax: number): HttpPiece | "over" | "refused" {
    if (this.#state !== "body" || this.#options.isAutomatic) return "refused";
    if (this.#buffer.length === 0) this.#takeMore(bytesMax);
    if (this.#isOver()) return "refused";
    if (this.#buffer.length === 0 && this.#isSocketOver()) {
      const hasFailed = (this.#options.socket.poll() & pollBits.error) !== 0;
      this.#ended();
      return hasFailed ? "refused" : "over";
    }
    const bytes = this.#buffer.slice(0, bytesMax);
    const offset = this.#handOn(bytes.length);
    if (bytes.length > 0) this.#restartTimer();
    if (bytes.length > 0 && this.#isWhole) this.#finish();
    return { offset, bytes };
  }

  #takeMore(bytesMax: number): void {
    const { socket } = this.#options;
    if (socket.receivedBytes === 0) return;
    this.#restartTimer();
    this.#receive(socket.takeReceived(bytesMax));
  }

  #receive(bytes: Uint8Array): void {
    this.#buffer = bytes;
    this.#receivedBytes += bytes.length;
    if (this.#head?.isChunked !== true || bytes.length === 0) return;
    const result = this.#chunks.take(bytes);
    if (result === "broken") this.#fail();
    else this.#hasEnded = result.isOver;
  }

  /** @returns what was handed on before */
  #handOn(lengthBytes: number): number {
    const before = this.#deliveredBytes;
    this.#deliveredBytes += lengthBytes;
    this.#buffer = this.#buffer.subarray(lengthBytes);
    return before;
  }

  get #isWhole(): boolean {
    const { contentLength } = this.#head ?? {};
    if (contentLength !== undefined) return this.#deliveredBytes >= contentLength;
    return this.#hasEnded && this.#buffer.length === 0;
  }

  // ---- end -----------------------------------------------------------------------------------------------------

  /** The host wants no more of it. */
  cancel(): void {
    this.#end(-1, this.#deliveredBytes);
  }

  /** Its socket is gone, and nobody is told. */
  drop(): void {
    this.#state = "over";
    this.#timer?.cancel();
  }

  /** The connection ended within the body: in order it is the end of the response, however much of it came. */
  #ended(): void {
    if ((this.#options.socket.poll() & pollBits.error) !== 0) this.#fail();
    else this.#finish();
  }

  #finish(): void {
    this.#end(this.#head?.status ?? -1, this.#receivedBytes);
  }

  #fail(): void {
    this.#end(-1, this.#receivedBytes);
  }

  #end(status: number, bytes: number): void {
    if (this.#isOver()) return;
    this.drop();
    const { socket, tell, onEnd } = this.#options;
    onEnd();
    tell(`#XHTTPCSTAT: ${socket.handle},${status},${bytes},${this.#head?.closes === true ? 1 : 0}`);
  }

  #isOver(): boolean {
    return this.#state === "over";
  }

  #isSocketOver(): boolean {
    const { socket } = this.#options;
    return !socket.isConnected && socket.receivedBytes === 0;
  }

  #restartTimer(): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.setTimer(httpIdleTimeoutMs, () => this.#fail());
  }
}
