import type { Pem } from "@thingline/protocol/x509";

export interface HttpRequest {
  method: string;
  /** Absolute URL; the path is sent as it stands, percent-encoding included. */
  url: string;
  /** Lower-case names. */
  headers?: Readonly<Record<string, string>>;
  body?: Uint8Array;
}

export interface HttpResponse {
  status: number;
  /** Lower-case names. */
  headers: Readonly<Record<string, string>>;
  body: Uint8Array;
}

export interface HttpRequestOptions {
  signal?: AbortSignal;
  /** Whole exchange. Default {@link defaultHttpTimeoutMs}. */
  timeoutMs?: number;
  /** A longer body is refused with LIMIT_EXCEEDED. Default {@link defaultHttpBodyBytesMax}. */
  bodyBytesMax?: number;
  /** Trust and client certificate for https. */
  tls?: { ca?: Pem; certificate?: Pem; privateKey?: Pem };
}

export const defaultHttpTimeoutMs = 30_000;
export const defaultHttpBodyBytesMax = 16 * 1024 * 1024;

export interface Http {
  /** @throws {ThinglineError} the dialer's codes, TIMEOUT, LIMIT_EXCEEDED, ABORTED. A status is no error. */
  request(request: HttpRequest, options?: HttpRequestOptions): Promise<HttpResponse>;
}
