import type { ClientRequest, IncomingMessage } from "node:http";
import type { RequestOptions } from "node:https";
import { TLSSocket } from "node:tls";
import { checkOptionTypes, ThinglineError } from "@thingline/protocol";
import { pemText } from "@thingline/protocol/x509";
import type { Clock } from "../clock.js";
import {
  defaultHttpBodyBytesMax,
  defaultHttpTimeoutMs,
  type Http,
  type HttpRequest,
  type HttpRequestOptions,
  type HttpResponse,
} from "../http.js";
import { clockOption, httpRequestOptionTypes, httpRequestTypes } from "../option-types.js";
import { createNodeClock } from "./clock.js";
import { connectError, tlsError } from "./errors.js";
import { checkAuthorities, checkPair } from "./tls-options.js";

/** Node's own HTTP client, one connection for each request: nothing is left open. Redirects are answers like others. */
export function createNodeHttp(made: { clock?: Clock } = {}): Http {
  checkOptionTypes(made, { clock: clockOption }, { of: "createNodeHttp()" });
  const { clock = createNodeClock() } = made;
  return { request: (request, options = {}) => exchange(clock, request, options) };
}

async function exchange(clock: Clock, request: HttpRequest, options: HttpRequestOptions): Promise<HttpResponse> {
  checkOptionTypes(request, httpRequestTypes, { of: "request()", required: ["method", "url"] });
  checkOptionTypes(options, httpRequestOptionTypes, { of: "request()" });
  const { signal, timeoutMs = defaultHttpTimeoutMs, bodyBytesMax = defaultHttpBodyBytesMax } = options;
  const { where, target, isSecure } = targetOf(request, options);
  // As it is now, like all the rest: while the client is loaded, the application goes on.
  const { body: requestBody } = request;
  // Loaded by the first request: most devices make none.
  const { request: send } = isSecure ? await import("node:https") : await import("node:http");
  if (signal?.aborted === true) throw abortedError(where, signal);
  const sent = begun(() => send(target), where);
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      timer.cancel();
      signal?.removeEventListener("abort", abort);
    };
    const fail = (error: ThinglineError): void => {
      settle();
      // The request may report its own end as an error, to nobody.
      sent.on("error", () => undefined);
      sent.destroy();
      reject(error);
    };
    const abort = (): void => fail(abortedError(where, signal));
    const timer = clock.setTimer(timeoutMs, () => {
      const message = `${where} gave no answer within ${timeoutMs} ms`;
      fail(new ThinglineError("TIMEOUT", message, { details: { where, timeoutMs } }));
    });
    signal?.addEventListener("abort", abort, { once: true });
    sent.once("error", (error) => fail(requestError(error, sent, where)));
    sent.once("response", (response) => {
      collect(response, bodyBytesMax).then((body) => {
        settle();
        resolve({ status: response.statusCode ?? 0, headers: headersOf(response), body });
      }, fail);
    });
    sent.end(requestBody);
  });
}

/** What Node refuses is a method, or names and values of header fields, that HTTP cannot carry. */
function begun(send: () => ClientRequest, where: string): ClientRequest {
  try {
    return send();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : "it cannot be written";
    throw new ThinglineError("OPTION_INVALID", `the HTTP request to ${where}: ${reason}`, { cause });
  }
}

function targetOf(request: HttpRequest, { tls }: HttpRequestOptions) {
  // Taken apart by hand: the URL class would rewrite what a signature was made over.
  const [, scheme, host, port, rest = ""] =
    /^(https?):\/\/(\[[0-9a-fA-F:.]+\]|[^/?#@:[\]\s]+)(?::(\d{1,5}))?([/?][\x21\x22\x24-\x7e]*)?$/.exec(request.url) ??
    [];
  if (scheme === undefined || host === undefined || Number(port ?? 0) > 65_535) {
    const message = `url must be an absolute http or https URL without user, fragment or blanks, got "${request.url}"`;
    throw new ThinglineError("OPTION_INVALID", message);
  }
  if (tls?.ca !== undefined) checkAuthorities(tls.ca);
  if (tls?.certificate !== undefined && tls.privateKey !== undefined) checkPair(tls.certificate, tls.privateKey);
  const isSecure = scheme === "https";
  const target: RequestOptions = {
    method: request.method,
    host: host.replace(/^\[|\]$/g, ""),
    port: port === undefined ? (isSecure ? 443 : 80) : Number(port),
    path: rest.startsWith("/") ? rest : `/${rest}`,
    headers: { ...(request.body !== undefined && { "content-length": request.body.length }), ...request.headers },
    agent: false,
    ...(tls?.ca !== undefined && { ca: pemText(tls.ca) }),
    ...(tls?.certificate !== undefined && { cert: pemText(tls.certificate) }),
    ...(tls?.privateKey !== undefined && { key: pemText(tls.privateKey) }),
  };
  return { where: `${host}:${target.port}`, target, isSecure };
}

function collect(response: IncomingMessage, bodyBytesMax: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let lengthBytes = 0;
    const refuse = (): void => {
      const message = `the body is longer than ${bodyBytesMax} bytes`;
      reject(new ThinglineError("LIMIT_EXCEEDED", message, { details: { bodyBytesMax } }));
    };
    if (Number(response.headers["content-length"] ?? 0) > bodyBytesMax) return refuse();
    response.on("data", (chunk: Buffer) => {
      lengthBytes += chunk.length;
      if (lengthBytes > bodyBytesMax) return refuse();
      chunks.push(chunk);
    });
    response.once("end", () => resolve(new Uint8Array(Buffer.concat(chunks))));
    response.once("error", (error) => reject(tlsError(error)));
  });
}

function headersOf(response: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(response.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return headers;
}

function requestError(error: Error, { socket }: ClientRequest, where: string): ThinglineError {
  const reason = socket instanceof TLSSocket ? (socket.authorizationError as unknown) : undefined;
  if (typeof reason === "string") {
    const message = `the certificate of ${where} is not trusted: ${reason}`;
    return new ThinglineError("TLS_PEER_UNTRUSTED", message, { details: { reason, where }, cause: error });
  }
  const early = connectError(error, where);
  return early.code === "CONNECTION_LOST" ? tlsError(error) : early;
}

function abortedError(where: string, signal: AbortSignal | undefined): ThinglineError {
  return new ThinglineError("ABORTED", `the HTTP request to ${where} was aborted`, { cause: signal?.reason });
}
