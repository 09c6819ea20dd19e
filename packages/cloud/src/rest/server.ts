import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ThinglineError } from "@thingline/protocol";
import { errorTypeHeader } from "@thingline/protocol/restjson";
import type { Endpoint, HttpRequest, HttpResponse } from "@thingline/transport";
import type { FastifyReply, FastifyRequest } from "fastify";
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
  type RouteDemands,
  type Verdict,
} from "./admission.js";
import { RestConnections } from "./connections.js";
import { openUploads } from "./uploads.js";

export interface RestServerOptions extends Partial<Endpoint> {
  /** Answers every request; `url` has the path as it was sent. */
  handle: (request: HttpRequest) => Promise<HttpResponse>;
  /** Judges a request before any of its body is taken. Default: all are ordinary requests. */
  judge?: (head: RequestHead) => Verdict | Promise<Verdict>;
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
 * @throws {ThinglineError} PORT_IN_USE, OPTION_INVALID.
 */
export async function startRestServer(options: RestServerOptions): Promise<RestServer> {
  const { host = defaultRestHost, port = defaultRestPort } = options;
  // Loaded on demand: a cloud inside a test often has no server.
  const { fastify } = await import("fastify");
  const front = new RestFront(options, await openUploads(options.uploadFolder ?? defaultUploadFolder()));
  const app = fastify({
    // Bodies are read here, within bounds of their own.
    bodyLimit: Number.MAX_SAFE_INTEGER,
    forceCloseConnections: "idle",
    // The router sees one path whatever was asked for; the real one stays in originalUrl.
    rewriteUrl: () => "/",
    serverFactory: (handler) => front.createServer(handler),
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (request: FastifyRequest, payload: IncomingMessage) => front.receive(request, payload));
  app.addHook("onRequest", (request, reply) => front.admit(request, reply));
  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => front.fail(error, request, reply));
  app.setNotFoundHandler(async (request, reply) =>
    reply
      .code(404)
      .headers(errorTypeOf(404))
      .send({ message: `The local cloud has no operation ${request.method}` }),
  );
  /** Whole requests whose answers are not yet sent. */
  const answering = new Set<Promise<void>>();
  app.all("/", async (request, reply) => {
    const sent = new Promise<void>((resolve) => reply.raw.once("close", resolve));
    answering.add(sent);
    void sent.then(() => answering.delete(sent));
    return front.answer(request, reply);
  });
  try {
    await app.listen({ host, port });
  } catch (cause) {
    await app.close();
    throw listenError(cause, host, port);
  }
  const { address, port: realPort } = app.server.address() as AddressInfo;
  let closing: Promise<void> | undefined;
  const close = async () => {
    const closed = app.close();
    await Promise.all(answering);
    // Half a request would keep its connection until the time-out.
    front.closeAllConnections();
    await closed;
  };
  return {
    address: { host: address, port: realPort },
    stats: () => front.stats(),
    close: () => (closing ??= close()),
  };
}

const defaultUploadFolder = () =>
  join(tmpdir(), `thingline-uploads-${process.pid}-${Math.random().toString(36).slice(2)}`);

/** What one port lets in, and what it holds meanwhile. */
class RestFront {
  readonly #options: RestServerOptions;
  readonly #limits: RestLimits;
  readonly #uploads: Awaited<ReturnType<typeof openUploads>>;
  readonly #servers: Server[] = [];
  readonly #connections: RestConnections;
  readonly #bodies: Budget;
  readonly #answers: Budget;
  readonly #requests = new WeakMap<IncomingMessage, Admitted>();
  /** Clients that wait for `100 Continue` before they send a body. */
  readonly #waiting = new WeakMap<IncomingMessage, ServerResponse>();
  #requestCount = 0;
  #isExclusiveTaken = false;
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
  }

  createServer(handler: (request: IncomingMessage, response: ServerResponse) => void): Server {
    const { headBytesMax, headersTimeoutMs, requestTimeoutMs } = this.#limits;
    const server = createServer(
      {
        maxHeaderSize: headBytesMax,
        headersTimeout: headersTimeoutMs,
        requestTimeout: requestTimeoutMs,
        connectionsCheckingInterval: Math.min(1_000, headersTimeoutMs),
        keepAliveTimeout: headersTimeoutMs,
      },
      handler,
    );
    server.on("connection", (socket: Socket) => this.#connections.opened(socket));
    server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
      this.#waiting.set(request, response);
      server.emit("request", request, response);
    });
    this.#servers.push(server);
    return server;
  }

  closeAllConnections(): void {
    for (const server of this.#servers) server.closeAllConnections();
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

  /** Judges a request by its head. What is refused here has no body taken. */
  async admit(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
    const head = readHead(request);
    const judged = this.#options.judge?.(head) ?? {};
    const verdict = judged instanceof Promise ? await judged : judged;
    // A client that has gone meanwhile holds nothing that its end would give back.
    if (reply.raw.destroyed) return reply.hijack();
    if ("refusal" in verdict) {
      const { status, headers, body } = verdict.refusal;
      this.#end(request, reply);
      return reply.code(status).headers(headers).send(Buffer.from(body));
    }
    const bytesMax = this.#bodyBytesMax(verdict);
    if (Number(head.headers["content-length"] ?? 0) > bytesMax) throw tooLarge(bytesMax);
    const { requestsMax, requestsPerConnectionMax } = this.#limits;
    if (this.#requestCount >= requestsMax) throw tooBusy(`${requestsMax} requests are in progress`);
    if (this.#connections.requestsOf(request.raw.socket) >= requestsPerConnectionMax)
      throw tooBusy(`${requestsPerConnectionMax} requests of this connection are in progress`);
    if (verdict.isExclusive === true && this.#isExclusiveTaken)
      throw tooBusy("another request of this kind is in progress");
    if (!this.#connections.admitted(request.raw.socket)) throw tooBusy("there are too many connections");
    this.#hold(request.raw, reply.raw, { head, demands: verdict });
    return undefined;
  }

  /** Until the answer is sent, or its client gone. */
  #hold(request: IncomingMessage, response: ServerResponse, admitted: Admitted): void {
    const { socket } = request;
    const isExclusive = admitted.demands.isExclusive === true;
    this.#requests.set(request, admitted);
    this.#requestCount++;
    if (isExclusive) this.#isExclusiveTaken = true;
    response.once("close", () => {
      this.#requestCount--;
      if (isExclusive) this.#isExclusiveTaken = false;
      admitted.body?.release();
      this.#connections.answered(socket, response.writableFinished && response.statusCode < 400);
    });
  }

  #bodyBytesMax({ isUpload }: RouteDemands): number {
    return isUpload === true ? this.#limits.uploadBytesMax : this.#limits.bodyBytesMax;
  }

  async receive({ raw }: FastifyRequest, payload: IncomingMessage): Promise<Uint8Array> {
    const admitted = this.#requests.get(raw);
    if (admitted === undefined) return new Uint8Array();
    this.#waiting.get(raw)?.writeContinue();
    const bytesMax = this.#bodyBytesMax(admitted.demands);
    // A refusal in the middle must not take the connection away, which its answer needs.
    const chunks = payload.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
    const held =
      admitted.demands.isUpload === true
        ? await this.#uploads.take(chunks, bytesMax)
        : await readBody(chunks, bytesMax, this.#bodies);
    // Its client may have gone with the last byte.
    if (raw.socket.destroyed) held.release();
    else admitted.body = held;
    return held.bytes;
  }

  async answer(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { head } = this.#requests.get(request.raw) ?? { head: readHead(request) };
    const body = request.body instanceof Uint8Array ? request.body : new Uint8Array();
    const response = await this.#options.handle({ ...head, body });
    this.#watchAnswer(reply.raw, response.body.length);
    return reply.code(response.status).headers(response.headers).send(Buffer.from(response.body));
  }

  /** @throws {HttpRefusal} when others do not read their answers. One answer alone may be as large as it is. */
  #watchAnswer(response: ServerResponse, lengthBytes: number): void {
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
  }

  async fail(
    error: Error & { statusCode?: number },
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const isGone = request.raw.destroyed && (error as NodeJS.ErrnoException).code === "ECONNRESET";
    const status = isGone ? 400 : (error.statusCode ?? 500);
    if (!(error instanceof HttpRefusal) && status >= 500)
      this.#options.log.error("httpRequestFailed", { error: error.message });
    const isTold = error instanceof HttpRefusal || status < 500;
    const message = isTold ? error.message : "The local cloud failed to process the request";
    const type = error instanceof HttpRefusal ? { [errorTypeHeader]: error.type } : errorTypeOf(status);
    this.#end(request, reply);
    return reply.code(status).headers(type).send({ message });
  }

  /** What comes behind a refusal is thrown away, for a while: a reset would take the answer away from a client that still sends. */
  #end({ raw }: FastifyRequest, reply: FastifyReply): void {
    this.#refused++;
    const hasBody = raw.headers["transfer-encoding"] !== undefined || Number(raw.headers["content-length"] ?? 0) > 0;
    if (raw.complete || !hasBody) return;
    reply.header("connection", "close");
    const { socket } = raw;
    socket.destroySoon = () => {
      socket.end();
      const timer = setTimeout(() => socket.destroy(), lingerMs);
      socket.once("close", () => clearTimeout(timer));
    };
    raw.on("error", () => undefined).resume();
  }
}

/** @throws {HttpRefusal} without a host, and for a target that is neither a path nor of the host that the request is for. */
function readHead(request: FastifyRequest): RequestHead {
  const headers = joinHeaders(request.raw);
  const [, absolute, rest] = /^https?:\/\/([^/?#]*)(.*)$/i.exec(request.originalUrl) ?? [];
  const authority = headers["host"] ?? absolute;
  // Node asks HTTP/1.1 for it, but lets older versions go without, and what names no host passes no guard of hosts.
  if (authority === undefined) throw new HttpRefusal(400, "InvalidRequestException", "The request has no Host header");
  const target =
    absolute === undefined ? request.originalUrl : rest?.startsWith("/") === true ? rest : `/${rest ?? ""}`;
  if (!target.startsWith("/") || (absolute !== undefined && absolute.toLowerCase() !== authority.toLowerCase())) {
    const message = "The request target must be a path, or have the host of the Host header";
    throw new HttpRefusal(400, "InvalidRequestException", message);
  }
  return { method: request.method, url: `http://${authority}${target}`, headers };
}

/** The kind of error that clients of AWS look for, for what is refused before any API sees it. */
function errorTypeOf(status: number): Record<string, string> {
  const types: Readonly<Record<number, string>> = {
    404: "UnknownOperationException",
    413: "RequestEntityTooLargeException",
    415: "SerializationException",
  };
  const type = types[status] ?? (status >= 500 ? "InternalFailureException" : "InvalidRequestException");
  return { [errorTypeHeader]: type };
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
