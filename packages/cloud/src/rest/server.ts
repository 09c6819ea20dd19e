import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { ThinglineError } from "@thingline/protocol";
import { errorTypeHeader } from "@thingline/protocol/restjson";
import type { Endpoint, HttpRequest, HttpResponse } from "@thingline/transport";
import type { Log } from "../log.js";
import { restBodyBytesMax } from "./rest-api.js";

export interface RestServerOptions extends Partial<Endpoint> {
  /** Answers every request; `url` has the path as it was sent. */
  handle: (request: HttpRequest) => Promise<HttpResponse>;
  log: Log;
  /** A snapshot to restore may be larger than an AWS request. Default {@link serverBodyBytesMax}. */
  bodyBytesMax?: number;
}

export const defaultRestHost = "127.0.0.1";
export const defaultRestPort = 4680;
export const serverBodyBytesMax = 64 * restBodyBytesMax;
/** A request that is not there after this is given up. */
export const restRequestTimeoutMs = 60_000;

export interface RestServer {
  /** With the real port when 0 was asked for. */
  readonly address: Endpoint;
  /** Answers what is under way, then ends every connection. Safe to call twice. */
  close(): Promise<void>;
}

/**
 * HTTP/1.1 in front of the REST API. Every path goes to `handle`: routing by decoded paths would make a slash of `%2F`.
 * @throws {ThinglineError} PORT_IN_USE, OPTION_INVALID.
 */
export async function startRestServer(options: RestServerOptions): Promise<RestServer> {
  const { host = defaultRestHost, port = defaultRestPort, handle, log, bodyBytesMax = serverBodyBytesMax } = options;
  // Loaded on demand: a cloud inside a test often has no server.
  const { fastify } = await import("fastify");
  const app = fastify({
    bodyLimit: bodyBytesMax,
    requestTimeout: restRequestTimeoutMs,
    forceCloseConnections: "idle",
    // The router sees one path whatever was asked for; the real one stays in originalUrl.
    rewriteUrl: () => "/",
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  app.setErrorHandler(async (error: Error & { statusCode?: number }, _request, reply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500) log.error("httpRequestFailed", { error: error.message });
    const message = status >= 500 ? "The local cloud failed to process the request" : error.message;
    return reply.code(status).headers(errorTypeOf(status)).send({ message });
  });
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
    const body = Buffer.isBuffer(request.body) ? new Uint8Array(request.body) : new Uint8Array();
    const headers = joinHeaders(request.raw);
    const authority = headers["host"] ?? `${host}:${port}`;
    const response = await handle({
      method: request.method,
      url: `http://${authority}${request.originalUrl}`,
      headers,
      body,
    });
    return reply.code(response.status).headers(response.headers).send(Buffer.from(response.body));
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
    app.server.closeAllConnections();
    await closed;
  };
  return { address: { host: address, port: realPort }, close: () => (closing ??= close()) };
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

/** Header fields of one name are one, as the signer saw them. */
function joinHeaders({ headers }: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(",") : (value ?? "")]),
  );
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
