import { checkOptionTypes, ThinglineError } from "@thingline/protocol";
import type { Clock } from "../clock.js";
import {
  defaultHttpBodyBytesMax,
  defaultHttpTimeoutMs,
  type Http,
  type HttpRequest,
  type HttpRequestOptions,
  type HttpResponse,
} from "../http.js";
import { clockOption } from "../option-types.js";
import { sleep } from "../sleep.js";

export type VirtualHttpHandler = (request: HttpRequest) => Promise<HttpResponse> | HttpResponse;

export interface VirtualHttpOptions {
  clock: Clock;
  /** There and back. Default 2. */
  latencyMs?: number;
}

/** HTTP without a network: origins are functions. */
export interface VirtualHttp extends Http {
  /** `origin` as in `https://host:port`, default ports left out. @returns how to stop: requests are refused from then on. */
  serve(origin: string, handler: VirtualHttpHandler): () => void;
  readonly requestCount: number;
}

/** @throws {ThinglineError} OPTION_INVALID */
export function createVirtualHttp(options: VirtualHttpOptions): VirtualHttp {
  const types = { clock: clockOption, latencyMs: "number" } as const;
  checkOptionTypes(options, types, { of: "createVirtualHttp()", required: ["clock"] });
  const { clock, latencyMs = 2 } = options;
  /** Undefined for an origin that stopped. */
  const handlers = new Map<string, VirtualHttpHandler | undefined>();
  let requestCount = 0;

  async function exchange(request: HttpRequest, { bodyBytesMax = defaultHttpBodyBytesMax }: HttpRequestOptions) {
    const { origin, host } = originOf(request.url);
    await clock.sleep(latencyMs);
    const handler = handlers.get(origin);
    if (handler === undefined) {
      const details = { where: host };
      if (handlers.has(origin))
        throw new ThinglineError("CONNECTION_REFUSED", `${host} refused the connection`, { details });
      throw new ThinglineError("HOST_NOT_FOUND", `no address is known for ${host}`, { details });
    }
    requestCount += 1;
    const response = await handler({ ...request, headers: { host, ...request.headers } });
    if (response.body.length > bodyBytesMax) {
      const message = `the body is longer than ${bodyBytesMax} bytes`;
      throw new ThinglineError("LIMIT_EXCEEDED", message, { details: { bodyBytesMax } });
    }
    return response;
  }

  return {
    serve(origin, handler) {
      handlers.set(origin, handler);
      return () => handlers.set(origin, undefined);
    },
    get requestCount() {
      return requestCount;
    },
    async request(request, options = {}) {
      const { signal, timeoutMs = defaultHttpTimeoutMs } = options;
      if (signal?.aborted === true) throw aborted(signal);
      const stop = new AbortController();
      let onAbort: (() => void) | undefined;
      try {
        const timeout = sleep(clock, timeoutMs, stop.signal).then(
          () => Promise.reject(timedOut(request.url, timeoutMs)),
          () => new Promise<never>(() => undefined),
        );
        const abort = new Promise<never>((_, reject) => {
          onAbort = () => reject(aborted(signal));
          signal?.addEventListener("abort", onAbort, { once: true });
        });
        const exchanged = exchange(request, options);
        // Whoever loses the race has nobody to tell.
        exchanged.catch(() => undefined);
        return await Promise.race([exchanged, timeout, abort]);
      } finally {
        stop.abort();
        if (onAbort !== undefined) signal?.removeEventListener("abort", onAbort);
      }
    },
  };
}

function originOf(url: string): { origin: string; host: string } {
  const [, scheme, host] = /^(https?):\/\/([^/?#]+)/.exec(url) ?? [];
  if (scheme === undefined || host === undefined) {
    throw new ThinglineError("OPTION_INVALID", `url must be an absolute http or https URL, got "${url}"`);
  }
  return { origin: `${scheme}://${host.replace(scheme === "https" ? /:443$/ : /:80$/, "")}`, host };
}

function aborted(signal: AbortSignal | undefined): ThinglineError {
  return new ThinglineError("ABORTED", "the HTTP request was aborted", { cause: signal?.reason });
}

function timedOut(url: string, timeoutMs: number): ThinglineError {
  const where = url.replace(/\?.*$/, "");
  return new ThinglineError("TIMEOUT", `${where} gave no answer within ${timeoutMs} ms`, { details: { timeoutMs } });
}
