import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { errorTypeHeader } from "@thingline/protocol/restjson";
import type { Endpoint, HttpRequest, HttpResponse } from "@thingline/transport";
import type { Log } from "../log.js";
import {
  Budget,
  defaultRestLimits,
  HttpRefusal,
  readBody,
  tooBusy,
  tooLarge,
  type HeldBody,
  type RequestHead,
  type RestLimits,
  type RestPeer,
  type RouteDemands,
  type ServedResponse,
  type Verdict,
} from "./admission.js";
import { RestConnections } from "./connections.js";
import { Handshakes } from "./handshakes.js";
import { openUploads } from "./uploads.js";

export interface RestServerOptions extends Partial<Endpoint> {
  /** Answers every request; `url` has the path as it was sent. */
  handle: (request: HttpRequest, peer: RestPeer) => Promise<HttpResponse>;
  /** Judges a request before any of its body is taken. Default: all are ordinary requests. */
  judge?: (head: RequestHead) => Verdict | Promise<Verdict>;
  /**
   * Answers a request whose verdict lets it be served piece by piece. The head is the one that was judged. What is left of the body is
   * thrown away.
   */
  serve?: (head: RequestHead, body: AsyncIterable<Uint8Array>) => Promise<ServedResponse>;
  /**
   * With this the port speaks HTTPS. PEM. Clients show no certificate unless they are asked for one: any is taken, whoever signed it, as
   * what it is worth is for `handle` to say.
   */
  tls?: { certificate: string; privateKey: string; requestsClientCertificate?: boolean };
  log: Log;
  /** Default {@link defaultRestLimits}. */
  limits?: Partial<RestLimits>;
  /** Short for `limits.bodyBytesMax`. */
  bodyBytesMax?: number;
  /** A folder for bodies that are streamed to files; it is emptied. Default: one for this process in the system's temporary folder. */
  uploadFolder?: string;
}

export const defaultRestHost = "127.0.0.1";
export const defaultRestPort = 4680;
/** Of an answer in pieces: what lies between a file and its client. */
const pieceBytesHeld = 128 * 1024;
/** How long an answer to a refused upload waits for its client to stop sending. */
const lingerMs = 2_000;

export interface RestServerStats {
  connections: number;
  connectionsTurnedAway: number;
  requestsRefused: number;
  bodyBytes: number;
  answerBytes: number;
}

export interface RestServer {
  /** With the real port when 0 was asked for. */
  readonly address: Endpoint;
  stats(): RestServerStats;
  /** Answers what is under way, then ends every connection. Safe to call twice. */
  close(): Promise<void>;
}

/** What is kept of a request between its head and its answer. */
interface Admitted {
  head: RequestHead;
  demands: RouteDemands;
  body?: HeldBody;
}

/**
 * HTTP/1.1 in front of the REST API. Every path goes to `handle`: routing by decoded paths would make a slash of `%2F`.
 *
 * It is Node's own server: a framework's router, parsers and hooks would all be turned off, and loading them took longer than all the rest
 * of this folder.
 *
 * @throws {ThinglineError} PORT_IN_USE, OPTION_INVALID.
 */
export async function startRestServer(options: RestServerOptions): Promise<RestServer> {
  const { host = defaultRestHost, port = defaultRestPort } = options;
  const front = new RestFront(options, await openUploads(options.uploadFolder ?? defaultUploadFolder()));
  const servers = await listenAll({ host, port }, () => front.createServer());
  const { address, port: realPort } = servers[0].address() as AddressInfo;
  let closing: Promise<void> | undefined;
  const close = async () => {
    const closed = servers.map((server) => closeServer(server));
    await front.finish();
    // Half a request would keep its connection until the time-out.
    for (const server of servers) server.closeAllConnections();
    front.endHandshakes();
    await Promise.all(closed);
  };
  return {
    address: { host: address, port: realPort },
    stats: () => front.stats(),
    close: () => (closing ??= close()),
  };
}

/** No connection more is taken, and those without a request end. */
function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
}

/** A free port is looked for so often that is free at both loopback addresses. */
export const freeApiPortAttemptsMax = 20;

/** `localhost` is both loopback addresses, where there are both: some clients try ::1 first, some know 127.0.0.1 alone. */
async function listenAll({ host, port }: Endpoint, create: () => Server): Promise<[Server, ...Server[]]> {
  if (host !== "localhost") return [await listenOn(create(), { host, port })];
  for (let attempt = 1; ; attempt++) {
    const first = await listenOn(create(), { host: "127.0.0.1", port });
    try {
      const { port: realPort } = first.address() as AddressInfo;
      return [first, await listenOn(create(), { host: "::1", port: realPort })];
    } catch (error) {
      // A machine without IPv6.
      if (!isThinglineError(error, "PORT_IN_USE")) return [first];
      await closeServer(first);
      if (port !== 0 || attempt >= freeApiPortAttemptsMax) throw error;
    }
  }
}

function listenOn(server: Server, { host, port }: Endpoint): Promise<Server> {
  return new Promise((resolve, reject) => {
    const failed = (cause: Error) => reject(listenError(cause, host, port));
    server.once("error", failed);
    server.listen({ host, port }, () => {
      server.off("error", failed);
      resolve(server);
    });
  });
}

const defaultUploadFolder = () =>
  join(tmpdir(), `thingline-uploads-${process.pid}-${Math.random().toString(36).slice(2)}`);

/** What one port lets in, and what it holds meanwhile. */
class RestFront {
  readonly #options: RestServerOptions;
  readonly #limits: RestLimits;
  readonly #uploads: Awaited<ReturnType<typeof openUploads>>;
  readonly #connections: RestConnections;
  readonly #handshakes: Handshakes;
  readonly #bodies: Budget;
  readonly #answers: Budget;
  /** Requests that were begun and whose answers are not yet sent: whole ones, when `isWhole`. */
  readonly #serving = new Map<ServerResponse, { isWhole: boolean }>();
  /** Clients that wait for `100 Continue` before they send a body. */
  readonly #waiting = new WeakMap<IncomingMessage, ServerResponse>();
  #requestCount = 0;
  #isExclusiveTaken = false;
  #isClosing = false;
  #turnedAway = 0;
  #refused = 0;

  constructor(options: RestServerOptions, uploads: Awaited<ReturnType<typeof openUploads>>) {
    this.#options = options;
    this.#uploads = uploads;
    const { bodyBytesMax } = options;
    this.#limits = { ...defaultRestLimits, ...options.limits, ...(bodyBytesMax === undefined ? {} : { bodyBytesMax }) };
    const { connectionsMax, unverifiedConnectionsMax, bodiesBytesMax, answersBytesMax } = this.#limits;
    this.#bodies = new Budget(bodiesBytesMax);
    this.#answers = new Budget(answersBytesMax);
    const turnedAway = (reason: string) => {
      this.#turnedAway++;
      options.log.warn("restConnectionRefused", { reason, connections: this.#connections.size });
    };
    this.#connections = new RestConnections({ connectionsMax, unverifiedConnectionsMax, turnedAway });
    this.#handshakes = new Handshakes(unverifiedConnectionsMax, () => turnedAway("handshakes"));
  }

  createServer(): Server {
    const { headBytesMax, headersTimeoutMs, requestTimeoutMs } = this.#limits;
    const options = {
      maxHeaderSize: headBytesMax,
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      connectionsCheckingInterval: Math.min(1_000, headersTimeoutMs),
      keepAliveTimeout: headersTimeoutMs,
    };
    const { tls } = this.#options;
    const server = tls === undefined ? createServer(options) : this.#createTls(tls, options);
    server.on("request", (request, response) => void this.#serve(request, response));
    server.on("clientError", answerClientError);
    const opened = tls === undefined ? "connection" : "secureConnection";
    server.on(opened, (socket: Socket) => this.#connections.opened(socket));
    server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
      this.#waiting.set(request, response);
      server.emit("request", request, response);
    });
    return server;
  }

  #createTls(tls: NonNullable<RestServerOptions["tls"]>, options: object): Server {
    const { certificate: cert, privateKey: key, requestsClientCertificate: requestCert = false } = tls;
    const { connectionsMax, headersTimeoutMs: handshakeTimeout } = this.#limits;
    const asked = { requestCert, rejectUnauthorized: false };
    const server = createTlsServer({ ...options, ...asked, cert, key, handshakeTimeout });
    // A connection counts for its requests when its handshake is done.
    server.maxConnections = connectionsMax;
    server.on("connection", (socket: Socket) => this.#handshakes.begun(socket));
    server.on("secureConnection", (socket: Socket) => this.#handshakes.done(socket));
    return server;
  }

  /** No server ends those that have no request yet. */
  endHandshakes(): void {
    this.#handshakes.end();
  }

  /** Nothing more is taken; resolves when all that was asked for wholly is answered. */
  async finish(): Promise<void> {
    this.#isClosing = true;
    const whole = [...this.#serving].filter(([, { isWhole }]) => isWhole);
    await Promise.all(whole.map(([response]) => new Promise<void>((resolve) => response.once("close", resolve))));
  }

  stats(): RestServerStats {
    return {
      connections: this.#connections.size,
      connectionsTurnedAway: this.#turnedAway,
      requestsRefused: this.#refused,
      bodyBytes: this.#bodies.taken,
      answerBytes: this.#answers.taken,
    };
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const serving = { isWhole: false };
    this.#serving.set(response, serving);
    response.once("close", () => this.#serving.delete(response));
    try {
      const admitted = await this.#admit(request, response);
      if (admitted === undefined) return;
      const { streamBytesMax } = admitted.demands;
      if (this.#options.serve !== undefined && streamBytesMax !== undefined) {
        const pieces = this.#pieces(request, streamBytesMax);
        return await this.#answerInPieces(request, response, await this.#options.serve(admitted.head, pieces));
      }
      const body = await this.#receive(request, admitted);
      serving.isWhole = true;
      await this.#answer(response, { ...admitted.head, body }, peerOf(request.socket));
    } catch (error) {
      this.#fail(error as Error & { statusCode?: number }, request, response);
    }
  }

  /** Judges a request by its head. What is refused here has no body taken. */
  async #admit(request: IncomingMessage, response: ServerResponse): Promise<Admitted | undefined> {
    if (this.#isClosing) throw tooBusy("it is closing");
    const method = request.method ?? "";
    if (!methods.has(method))
      throw new HttpRefusal(404, "UnknownOperationException", `The local cloud has no operation ${method}`);
    const head = readHead(request);
    const judged = this.#options.judge?.(head) ?? {};
    const verdict = judged instanceof Promise ? await judged : judged;
    // A client that has gone meanwhile holds nothing that its end would give back.
    if (response.destroyed) return undefined;
    if ("refusal" in verdict) {
      this.#end(request, response);
      send(response, verdict.refusal);
      return undefined;
    }
    const bytesMax = this.#bodyBytesMax(verdict);
    if (Number(head.headers["content-length"] ?? 0) > bytesMax) throw tooLarge(bytesMax);
    const { requestsMax, requestsPerConnectionMax } = this.#limits;
    if (this.#requestCount >= requestsMax) throw tooBusy(`${requestsMax} requests are in progress`);
    if (this.#connections.requestsOf(request.socket) >= requestsPerConnectionMax)
      throw tooBusy(`${requestsPerConnectionMax} requests of this connection are in progress`);
    if (verdict.isExclusive === true && this.#isExclusiveTaken)
      throw tooBusy("another request of this kind is in progress");
    if (!this.#connections.admitted(request.socket)) throw tooBusy("there are too many connections");
    const admitted = { head, demands: verdict };
    this.#hold(request, response, admitted);
    return admitted;
  }

  /** Until the answer is sent, or its client gone. */
  #hold(request: IncomingMessage, response: ServerResponse, admitted: Admitted): void {
    const { socket } = request;
    const isExclusive = admitted.demands.isExclusive === true;
    this.#requestCount++;
    if (isExclusive) this.#isExclusiveTaken = true;
    response.once("close", () => {
      this.#requestCount--;
      if (isExclusive) this.#isExclusiveTaken = false;
      admitted.body?.release();
      this.#connections.answered(socket, response.writableFinished && response.statusCode < 400);
    });
  }

  #bodyBytesMax({ isUpload, streamBytesMax }: RouteDemands): number {
    if (streamBytesMax !== undefined) return streamBytesMax;
    return isUpload === true ? this.#limits.uploadBytesMax : this.#limits.bodyBytesMax;
  }

  async #receive(request: IncomingMessage, admitted: Admitted): Promise<Uint8Array> {
    if (!hasBody(request)) return new Uint8Array();
    const { "content-type": mediaType } = request.headers;
    if (mediaType !== undefined && !mediaTypePattern.test(mediaType))
      throw new HttpRefusal(415, "SerializationException", `"${mediaType}" is not a media type`);
    this.#waiting.get(request)?.writeContinue();
    const bytesMax = this.#bodyBytesMax(admitted.demands);
    // A refusal in the middle must not take the connection away, which its answer needs.
    const chunks = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
    const held =
      admitted.demands.isUpload === true
        ? await this.#uploads.take(chunks, bytesMax)
        : await readBody(chunks, bytesMax, this.#bodies);
    // Its client may have gone with the last byte.
    if (request.socket.destroyed) held.release();
    else admitted.body = held;
    return held.bytes;
  }

  /** A body as it comes. Nothing of it is taken before somebody asks for it. */
  async *#pieces(request: IncomingMessage, bytesMax: number): AsyncGenerator<Uint8Array, void> {
    if (!hasBody(request)) return;
    this.#waiting.get(request)?.writeContinue();
    let bytes = 0;
    try {
      for await (const piece of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
        bytes += piece.length;
        if (bytes > bytesMax) throw tooLarge(bytesMax);
        yield piece;
      }
    } catch (cause) {
      if (cause instanceof HttpRefusal) throw cause;
      throw new ThinglineError("ABORTED", "the client ended the request before all of its body was there", { cause });
    }
  }

  async #answerInPieces(request: IncomingMessage, response: ServerResponse, answer: ServedResponse): Promise<void> {
    const { status, headers, body } = answer;
    if (response.destroyed) return leave(body);
    if (this.#isClosing) response.setHeader("connection", "close");
    this.#linger(request, response);
    if (body instanceof Uint8Array) {
      this.#watchAnswer(response, body.length);
      return send(response, { status, headers, body });
    }
    try {
      const progressed = this.#watchAnswer(response, pieceBytesHeld);
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
      response.writeHead(status);
      for await (const piece of body) {
        if (response.destroyed) return;
        if (!response.write(piece)) await drained(response);
        progressed();
      }
      response.end();
    } catch (error) {
      await leave(body);
      // Its length was told: the client sees that this is not all of it.
      if (!response.headersSent) throw error;
      this.#options.log.error("httpAnswerFailed", { error: String(error) });
      response.destroy();
    }
  }

  async #answer(response: ServerResponse, request: HttpRequest, peer: RestPeer): Promise<void> {
    const answer = await this.#options.handle(request, peer);
    if (response.destroyed) return;
    this.#watchAnswer(response, answer.body.length);
    send(response, answer);
  }

  /**
   * @returns to be called when a part of the answer went out: the time begins anew
   * @throws {HttpRefusal} when others do not read their answers. One answer alone may be as large as it is.
   */
  #watchAnswer(response: ServerResponse, lengthBytes: number): () => void {
    const counted = Math.min(lengthBytes, this.#limits.answersBytesMax);
    if (!this.#answers.take(counted)) throw tooBusy("the answers that were not read yet are too many");
    const { answerTimeoutMs } = this.#limits;
    const timer = setTimeout(() => {
      this.#options.log.warn("restAnswerNotRead", { bytes: lengthBytes, answerTimeoutMs });
      response.destroy();
    }, answerTimeoutMs);
    response.once("close", () => {
      clearTimeout(timer);
      this.#answers.give(counted);
    });
    return () => void timer.refresh();
  }

  #fail(error: Error & { statusCode?: number }, request: IncomingMessage, response: ServerResponse): void {
    const isGone = request.destroyed && (error as NodeJS.ErrnoException).code === "ECONNRESET";
    const status = isGone ? 400 : (error.statusCode ?? 500);
    if (!(error instanceof HttpRefusal) && status >= 500)
      this.#options.log.error("httpRequestFailed", { error: error.message });
    if (response.destroyed || response.headersSent) return;
    const isTold = error instanceof HttpRefusal || status < 500;
    const message = isTold ? error.message : "The local cloud failed to process the request";
    const type = error instanceof HttpRefusal ? error.type : errorTypeOf(status);
    this.#end(request, response);
    const headers = { "content-type": "application/json; charset=utf-8", [errorTypeHeader]: type };
    send(response, { status, headers, body: Buffer.from(JSON.stringify({ message })) });
  }

  #end(request: IncomingMessage, response: ServerResponse): void {
    this.#refused++;
    if (this.#isClosing) response.setHeader("connection", "close");
    this.#linger(request, response);
  }

  /** What comes behind an early answer is thrown away, for a while: a reset would take the answer away from a client that still sends. */
  #linger(request: IncomingMessage, response: ServerResponse): void {
    if (request.complete || !hasBody(request)) return;
    response.setHeader("connection", "close");
    const { socket } = request;
    socket.destroySoon = () => {
      socket.end();
      const timer = setTimeout(() => socket.destroy(), lingerMs);
      socket.once("close", () => clearTimeout(timer));
    };
    request.on("error", () => undefined).resume();
  }
}

/** Those that AWS's APIs are asked by. */
const methods: ReadonlySet<string> = new Set(["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]);

/** RFC 9110, 8.3.1: type and subtype are tokens. */
const mediaTypePattern = /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+\s*(?:;.*)?$/;

const hasBody = ({ headers }: IncomingMessage) =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;

function send(response: ServerResponse, { status, headers, body }: HttpResponse): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  const isBodiless = status === 204 || status === 304;
  // The answer to a HEAD tells the length of what it does not have.
  if (!isBodiless && headers["content-length"] === undefined) response.setHeader("content-length", body.length);
  response.writeHead(status).end(isBodiless ? undefined : body);
}

/** Resolves as well when the client is gone. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off("drain", done).off("close", done);
      resolve();
    };
    response.on("drain", done).on("close", done);
  });
}

/** Nobody reads it any more. */
async function leave(body: ServedResponse["body"]): Promise<void> {
  if (!(body instanceof Uint8Array)) await body[Symbol.asyncIterator]().return?.();
}

/** What is not HTTP, or too slow or too long to become a request. */
function answerClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === "ECONNRESET" || socket.destroyed) return;
  const [status, reason] = clientErrors[error.code ?? ""] ?? [400, "The request is not HTTP/1.1"];
  if (socket.writable) {
    const message = JSON.stringify({ message: reason });
    const head = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      "Content-Type: application/json",
      `${errorTypeHeader}: InvalidRequestException`,
      `Content-Length: ${message.length}`,
      "Connection: close",
    ];
    socket.write(`${head.join("\r\n")}\r\n\r\n${message}`);
  }
  socket.destroy(error);
}

const clientErrors: Readonly<Record<string, [status: number, reason: string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, "The request took too long to arrive"],
  HPE_HEADER_OVERFLOW: [431, "The head of the request is too long"],
};

/** @throws {HttpRefusal} without a host, and for a target that is neither a path nor of the host that the request is for. */
function readHead(request: IncomingMessage): RequestHead {
  const headers = joinHeaders(request);
  const { method = "", url = "" } = request;
  const [, absolute, rest] = /^https?:\/\/([^/?#]*)(.*)$/i.exec(url) ?? [];
  const authority = headers["host"] ?? absolute;
  // Node asks HTTP/1.1 for it, but lets older versions go without, and what names no host passes no guard of hosts.
  if (authority === undefined) throw new HttpRefusal(400, "InvalidRequestException", "The request has no Host header");
  const target = absolute === undefined ? url : rest?.startsWith("/") === true ? rest : `/${rest ?? ""}`;
  if (!target.startsWith("/") || (absolute !== undefined && absolute.toLowerCase() !== authority.toLowerCase())) {
    const message = "The request target must be a path, or have the host of the Host header";
    throw new HttpRefusal(400, "InvalidRequestException", message);
  }
  const scheme = "encrypted" in request.socket ? "https" : "http";
  return { method, url: `${scheme}://${authority}${target}`, headers };
}

function peerOf(socket: Socket): RestPeer {
  const sourceIp = socket.remoteAddress ?? "";
  if (!(socket instanceof TLSSocket)) return { certificate: undefined, serverName: undefined, sourceIp };
  const certificate = socket.getPeerX509Certificate();
  // What the client sent; @types/node does not know it.
  const { servername } = socket as TLSSocket & { servername?: string | false };
  return {
    certificate: certificate && new Uint8Array(certificate.raw),
    serverName: servername === false || servername === "" ? undefined : servername,
    sourceIp,
  };
}

/** The kind of error that clients of AWS look for, for what is refused before any API sees it. */
function errorTypeOf(status: number): string {
  return status >= 500 ? "InternalFailureException" : "InvalidRequestException";
}

/** Header fields of one name are one, as the signer saw them: also those of which Node would show the first alone. */
function joinHeaders({ headersDistinct }: IncomingMessage): Record<string, string> {
  return Object.fromEntries(Object.entries(headersDistinct).map(([name, values = []]) => [name, values.join(",")]));
}

function listenError(cause: unknown, host: string, port: number): ThinglineError {
  const code = (cause as NodeJS.ErrnoException).code ?? "unknown";
  if (code === "EADDRINUSE") {
    const message = `another process already listens on ${host}:${port}`;
    return new ThinglineError("PORT_IN_USE", message, { details: { host, port }, cause });
  }
  return new ThinglineError("OPTION_INVALID", `cannot listen on ${host}:${port} (${code})`, {
    details: { host, port },
    cause,
  });
}
