import { concatBytes, isThinglineError, ThinglineError } from "@thingline/protocol";
import type { Clock, Connection } from "@thingline/transport";
import { Delivery, downloadAborted, downloadClosed } from "../delivery.js";
import type { Download, DownloadRequest, FileIdentity } from "../downloader.js";
import { type ByteRange, RangeAssembly } from "./assembly.js";
import { HttpConnection, type ResponseSink } from "./http-connection.js";
import { judgeResponse, type Judgement, type Question, type RemoteFile, withErrorCode } from "./judge.js";
import { type DownloadDialer, downloadErrorOf, rangeBytesMin } from "./options.js";
import type { ResponseHead } from "./response-head.js";
import { hostHeader, type HttpUrl, originOf, parseHttpUrl, resolveLocation } from "./url.js";

/** Redirects that one download follows. */
export const redirectsMax = 3;
/** Of the body of an answer that is an error. */
export const errorBodyBytesMax = 4_096;
/** The first range where a TLS record is bounded, as long as nobody knows how long the heads of this server are. */
export const firstRecordRangeBytes = 1_024;
/** Heads of one server differ by the digits of their numbers. */
const headSlackBytes = 48;

export interface HttpDownloadContext {
  clock: Clock;
  dialer: DownloadDialer;
  connections: number;
  rangeBytes: number;
  receiveTimeoutMs: number;
  rangeTimeoutMs: number;
}

/** A file that is fetched in ranges over some connections. */
export class HttpDownload implements Download {
  readonly #context: HttpDownloadContext;
  readonly #request: DownloadRequest;
  readonly #abort = new AbortController();
  readonly #connections = new Set<HttpConnection>();
  readonly #delivery = new Delivery();
  readonly #outerSignal: AbortSignal;
  readonly #onAbort = (): void => void this.#stop(downloadAborted(this.#outerSignal));
  #url: HttpUrl;
  #redirects = 0;
  #file: RemoteFile | undefined;
  #assembly: RangeAssembly | undefined;
  /** The connection on which the whole file comes, from a server without ranges. */
  #whole: HttpConnection | undefined;
  /** Of the longest head so far. */
  #headBytes = 0;
  /** Where a TLS record is bounded: smaller after each that was too large. */
  #recordRangeBytes = firstRecordRangeBytes;
  #laneCount = 0;

  /** @throws {ThinglineError} DOWNLOAD_INVALID */
  constructor(context: HttpDownloadContext, request: DownloadRequest, url: string, signal: AbortSignal) {
    this.#context = context;
    this.#request = request;
    this.#url = parseHttpUrl(url);
    this.#outerSignal = signal;
  }

  get identity(): FileIdentity {
    const { sizeBytes, version } = this.#file as RemoteFile;
    return { sizeBytes, version };
  }

  get description(): string {
    const { connections } = this.#context;
    const how = this.#whole
      ? "1 connection, no ranges"
      : `${connections} connections, ranges of ${this.#rangeBytes} bytes`;
    return `${this.#url.isSecure ? "https" : "http"}, ${how}`;
  }

  /** Resolves when the head of the first answer is here. */
  async open(): Promise<this> {
    const signal = this.#outerSignal;
    if (signal.aborted) throw downloadAborted(signal);
    signal.addEventListener("abort", this.#onAbort, { once: true });
    const { expected, offset } = this.#request;
    if (expected && expected.sizeBytes === offset) {
      // Nothing is left to ask for.
      this.#file = { ...expected, validator: expected.version ?? "" };
      this.#assembly = new RangeAssembly({ offset, sizeBytes: offset, windowBytes: 1 });
      return this;
    }
    try {
      await this.#openFirst();
    } catch (error) {
      throw this.#stop(error);
    }
    return this;
  }

  chunks(): AsyncGenerator<Uint8Array> {
    const assembly = this.#assembly as RangeAssembly;
    return this.#delivery.chunks(assembly, { taken: () => this.#takenSome(assembly), close: () => this.close() });
  }

  async close(): Promise<void> {
    this.#stop(downloadClosed());
    return Promise.resolve();
  }

  get #rangeBytes(): number {
    const { rangeBytes, dialer } = this.#context;
    const recordBytesMax = dialer.recordBytesMaxOf(this.#url);
    return recordBytesMax === undefined ? rangeBytes : Math.min(rangeBytes, this.#recordRangeBytes);
  }

  // The first answer

  async #openFirst(): Promise<void> {
    const { offset } = this.#request;
    for (;;) {
      const connection = await this.#connect();
      const range = { first: offset, last: offset + this.#rangeBytes - 1 };
      const judged = await this.#firstAnswer(connection, range);
      if (judged === "smaller") continue;
      if (judged.type !== "redirect") return;
      connection.destroy();
      this.#redirect(judged.location);
    }
  }

  /** The head is judged before the body has come; what becomes of the body is the affair of the first lane. */
  async #firstAnswer(connection: HttpConnection, range: ByteRange): Promise<Judgement | "smaller"> {
    let begun = false;
    const judged = await new Promise<Judgement | "smaller">((resolve, reject) => {
      const onJudged = (judgement: Judgement): void => {
        if (judgement.type === "refused") return;
        begun = this.#begin(judgement, connection);
        resolve(judgement);
      };
      const answer = this.#answer(range, onJudged);
      connection.exchange(this.#requestBytes(range), answer).then(
        () => {
          if (begun) void this.#lane(connection);
          // Of a refusal only.
          else if (answer.error) reject(answer.error);
        },
        (error: unknown) => {
          if (begun && this.#mayShrink(error)) {
            this.#assembly?.giveBack({ first: answer.at, last: answer.last });
            void this.#lane(undefined);
          } else if (begun) this.#fail(error);
          else if (this.#mayShrink(error)) resolve("smaller");
          // What the server said counts, even if the rest of it never came.
          else reject(answer.error ?? downloadErrorOf(error));
        },
      );
    });
    return judged;
  }

  /** @returns whether a body comes that is the file's */
  #begin(judgement: Judgement, connection: HttpConnection): boolean {
    if (judgement.type !== "part" && judgement.type !== "whole" && judgement.type !== "empty") return false;
    const { offset } = this.#request;
    const { file } = judgement;
    this.#file = file;
    const { connections, rangeBytes } = this.#context;
    const windowBytes = rangeBytes * (connections + 1);
    this.#assembly = new RangeAssembly({ offset, sizeBytes: file.sizeBytes, windowBytes });
    if (judgement.type !== "part") {
      this.#whole = connection;
      this.#assembly.askedAll();
      return true;
    }
    this.#assembly.next(judgement.bodyBytes);
    for (let lane = 1; lane < connections; lane++) void this.#lane(undefined);
    return true;
  }

  #redirect(location: string): void {
    const from = this.#url;
    this.#redirects += 1;
    if (this.#redirects > redirectsMax) throw invalid(`the server redirects more than ${redirectsMax} times`);
    const to = resolveLocation(from, location);
    if (from.isSecure && !to.isSecure) throw invalid(`${originOf(from)} redirects to a connection without TLS`);
    this.#url = to;
  }

  // The lanes: each fetches one range after the other

  async #lane(first: HttpConnection | undefined): Promise<void> {
    const assembly = this.#assembly as RangeAssembly;
    let connection = first;
    this.#laneCount += 1;
    try {
      while (!this.#delivery.isEnding && !this.#whole) {
        const range = assembly.next(this.#rangeBytes);
        if (range) connection = await this.#fetch(connection, range, assembly);
        // Whoever gives a range back asks for it again.
        else if (assembly.isAsked) break;
        else await this.#delivery.moved();
        if (!connection && range) break;
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#laneCount -= 1;
    connection?.destroy();
    if (connection) this.#connections.delete(connection);
  }

  /** @returns the connection for the next range, undefined: there is none for this lane, and others go on */
  async #fetch(given: HttpConnection | undefined, range: ByteRange, assembly: RangeAssembly) {
    let connection: HttpConnection;
    try {
      connection = given?.isReusable === true ? given : await this.#connect(given);
    } catch (error) {
      // A server, or a modem, may have no connection more to give: those that there are suffice.
      if (given || this.#laneCount < 2 || this.#delivery.isOver) throw error;
      assembly.giveBack(range);
      this.#delivery.move();
      return undefined;
    }
    for (;;) {
      const answer = this.#answer(range, (judgement) => this.#checkLater(judgement));
      try {
        await connection.exchange(this.#requestBytes(range), answer);
        if (answer.error) throw answer.error;
        return connection;
      } catch (error) {
        const { wasUsed, hasAnswered } = connection;
        connection.destroy();
        if (this.#delivery.isOver || answer.error) throw answer.error ?? error;
        if (this.#mayShrink(error)) {
          assembly.giveBack({ first: answer.at, last: range.last });
          return await this.#connect(connection);
        }
        // The server closed an idle connection just when it was asked again.
        if (!isThinglineError(error, "CONNECTION_LOST") || !wasUsed || hasAnswered) throw error;
        connection = await this.#connect(connection);
      }
    }
  }

  #checkLater(judgement: Judgement): void {
    if (judgement.type === "part" || judgement.type === "refused") return;
    const message = `the server answered a range of the file otherwise than the one before (${judgement.type})`;
    throw new ThinglineError("DOWNLOAD_UNAVAILABLE", message);
  }

  #answer(range: ByteRange, onJudged: (judgement: Judgement) => void): RangeAnswer {
    const question: Question = { range, expected: this.#request.expected, file: this.#file };
    return new RangeAnswer(question, {
      judge: (head) => {
        this.#sawHead(head);
        const judgement = judgeResponse(head, question, this.#context.clock.unixMs());
        onJudged(judgement);
        return judgement;
      },
      received: (at, bytes) => this.#received(at, bytes),
      offset: this.#request.offset,
    });
  }

  #received(at: number, bytes: Uint8Array): void {
    const assembly = this.#assembly as RangeAssembly;
    assembly.push(at, bytes);
    // Ranges are bounded by the window; a whole file is not.
    if (this.#whole && assembly.heldBytes > this.#wholeWindowBytes) this.#whole.pause(true);
    this.#delivery.move();
  }

  #takenSome(assembly: RangeAssembly): void {
    if (this.#whole && assembly.heldBytes <= this.#wholeWindowBytes / 2) this.#whole.pause(false);
    this.#delivery.move();
  }

  get #wholeWindowBytes(): number {
    return this.#context.rangeBytes * 2;
  }

  #sawHead({ lengthBytes }: ResponseHead): void {
    const recordBytesMax = this.#context.dialer.recordBytesMaxOf(this.#url);
    if (recordBytesMax === undefined || lengthBytes <= this.#headBytes) return;
    this.#headBytes = lengthBytes;
    const room = recordBytesMax - lengthBytes - headSlackBytes;
    if (room < rangeBytesMin) {
      this.#recordRangeBytes = rangeBytesMin;
      const message = `the heads of this server's answers have ${lengthBytes} bytes, which leaves no room for a range in a TLS record of ${recordBytesMax} bytes`;
      throw new ThinglineError("TLS_RECORD_TOO_LARGE", message, { details: { headBytes: lengthBytes } });
    }
    this.#recordRangeBytes = room;
  }

  /** A record was too large: smaller ranges may fit, as long as there are smaller ones. */
  #mayShrink(error: unknown): boolean {
    if (!isThinglineError(error, "TLS_RECORD_TOO_LARGE") || this.#delivery.isOver) return false;
    if (this.#recordRangeBytes <= rangeBytesMin) return false;
    this.#recordRangeBytes = Math.max(rangeBytesMin, Math.floor(this.#recordRangeBytes / 2));
    return true;
  }

  #requestBytes({ first, last }: ByteRange): Uint8Array {
    const version = this.#file ? this.#file.version : this.#request.expected?.version;
    // If-Match brings a small answer when the file is another one; If-Range is for servers that know only that.
    const conditions = version === undefined ? "" : `If-Match: ${version}\r\nIf-Range: ${version}\r\n`;
    const { target } = this.#url;
    const text = `GET ${target} HTTP/1.1\r\nHost: ${hostHeader(this.#url)}\r\nRange: bytes=${first}-${last}\r\n${conditions}Accept-Encoding: identity\r\nConnection: keep-alive\r\n\r\n`;
    return Uint8Array.from(text, (character) => character.charCodeAt(0));
  }

  async #connect(old?: HttpConnection): Promise<HttpConnection> {
    const { clock, dialer, receiveTimeoutMs, rangeTimeoutMs, rangeBytes } = this.#context;
    if (old) this.#connections.delete(old);
    const timeouts = { receiveTimeoutMs, paceTimeoutMs: rangeTimeoutMs, paceBytes: rangeBytes };
    const make = (raw: Connection) => new HttpConnection(raw, clock, timeouts);
    const connection = await dialer.connect(this.#url, this.#abort.signal, make);
    if (this.#delivery.isOver) {
      connection.destroy();
      throw this.#delivery.failure ?? downloadClosed();
    }
    this.#connections.add(connection);
    return connection;
  }

  // The end, and waiting

  /** What has come is still handed out. */
  #fail(error: unknown): void {
    this.#delivery.fail(downloadErrorOf(this.#named(error)));
  }

  /** @returns what it ended with */
  #stop(error: unknown): Error {
    const ended = downloadErrorOf(this.#named(error));
    if (!this.#delivery.end(ended)) return this.#delivery.failure ?? ended;
    this.#outerSignal.removeEventListener("abort", this.#onAbort);
    this.#abort.abort();
    for (const connection of this.#connections) connection.destroy();
    this.#connections.clear();
    return this.#delivery.failure ?? ended;
  }

  /** Why a record was too large is up to the server, and what can be done about it to people. */
  #named(error: unknown): unknown {
    if (!isThinglineError(error, "TLS_RECORD_TOO_LARGE") || error.details["recordBytesMax"] === undefined) return error;
    const { lengthBytes = "too many", recordBytesMax } = error.details;
    const message = `${originOf(this.#url)} sent ${lengthBytes} bytes in one TLS record for a range of ${this.#rangeBytes} bytes, and the TLS of this device takes ${recordBytesMax}: a server that honours ranges is needed, or native TLS`;
    return new ThinglineError("TLS_RECORD_TOO_LARGE", message, { details: error.details, cause: error });
  }
}

interface AnswerPort {
  judge(head: ResponseHead): Judgement;
  received(at: number, bytes: Uint8Array): void;
  /** Where a whole file begins to be new. */
  offset: number;
}

/** Takes the answer to one range request. */
class RangeAnswer implements ResponseSink {
  readonly #port: AnswerPort;
  readonly last: number;
  /** Where the next byte of the body belongs. */
  at: number;
  /** Set at the end of an answer that is an error. */
  error: ThinglineError | undefined;
  #refusal: ThinglineError | undefined;
  #errorBody: Uint8Array = new Uint8Array(0);

  constructor({ range }: Question, port: AnswerPort) {
    this.#port = port;
    this.at = range.first;
    this.last = range.last;
  }

  head(head: ResponseHead): boolean {
    const judgement = this.#port.judge(head);
    if (judgement.type === "whole") this.at = 0;
    if (judgement.type === "refused") this.error = this.#refusal = judgement.error;
    return judgement.type === "redirect" || judgement.type === "empty";
  }

  body(bytes: Uint8Array): boolean {
    if (this.#refusal) {
      this.#errorBody = concatBytes([this.#errorBody, bytes.subarray(0, errorBodyBytesMax - this.#errorBody.length)]);
      this.error = withErrorCode(this.#refusal, this.#errorBody);
      return this.#errorBody.length >= errorBodyBytesMax;
    }
    const old = Math.max(0, Math.min(bytes.length, this.#port.offset - this.at));
    const at = this.at + old;
    this.at += bytes.length;
    if (old < bytes.length) this.#port.received(at, bytes.subarray(old));
    return false;
  }
}

function invalid(message: string): ThinglineError {
  return new ThinglineError("DOWNLOAD_INVALID", message);
}
