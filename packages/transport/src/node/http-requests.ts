import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../clock.js";
import { requestBodyBytesMax, requestsAtOnceMax, type HttpPeer, type ListenOptions } from "../connection.js";

type Handle = NonNullable<NonNullable<ListenOptions["webSocket"]>["handle"]>;

export interface HttpRequestsOptions {
  clock: Clock;
  handle: Handle;
  /** For a client that does not read its answer. */
  answerTimeoutMs: number;
}

/** Requests over HTTP on a port whose connections are meant for something else: one each, within bounds. */
export class HttpRequests {
  readonly #options: HttpRequestsOptions;
  #count = 0;

  constructor(options: HttpRequestsOptions) {
    this.#options = options;
  }

  /** @param whole called when all of the request has come: from then on its client waits for us */
  async serve(request: IncomingMessage, response: ServerResponse, peer: HttpPeer, whole: () => void): Promise<void> {
    // One that is gone is answered by nobody.
    request.on("error", () => undefined);
    response.on("error", () => undefined);
    if (this.#count >= requestsAtOnceMax) return this.#answer(request, response, 503, {}, "too many requests\n");
    this.#count++;
    try {
      const body = await readBody(request);
      if (body === "tooLong") return this.#answer(request, response, 413, {}, "the body is too long\n");
      if (body === "gone") return;
      whole();
      const scheme = peer.secure === undefined ? "http" : "https";
      const headers = headersOf(request);
      const url = `${scheme}://${headers["host"] ?? ""}${request.url ?? "/"}`;
      const answer = await this.#options.handle({ method: request.method ?? "GET", url, headers, body }, peer);
      this.#answer(request, response, answer.status, answer.headers, answer.body);
    } finally {
      this.#count--;
    }
  }

  #answer(
    request: IncomingMessage,
    response: ServerResponse,
    status: number,
    headers: Readonly<Record<string, string>>,
    body: Uint8Array | string,
  ): void {
    const { clock, answerTimeoutMs } = this.#options;
    const { socket } = request;
    const timer = clock.setTimer(answerTimeoutMs, () => socket.destroy());
    socket.once("close", () => timer.cancel());
    const lengthBytes = typeof body === "string" ? Buffer.byteLength(body) : body.length;
    response.writeHead(status, { ...headers, "content-length": String(lengthBytes), connection: "close" }).end(body);
    request.resume();
  }
}

/** Of fields that may come once Node shows the first alone: who judges them has to see all. */
function headersOf(request: IncomingMessage): Record<string, string> {
  const entries = Object.entries(request.headersDistinct).map(([name, values = []]) => [name, values.join(", ")]);
  return Object.fromEntries(entries) as Record<string, string>;
}

async function readBody(request: IncomingMessage): Promise<Uint8Array | "tooLong" | "gone"> {
  if (Number(request.headers["content-length"] ?? 0) > requestBodyBytesMax) return "tooLong";
  const parts: Buffer[] = [];
  let lengthBytes = 0;
  try {
    // The connection stays for the answer.
    for await (const part of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      lengthBytes += part.length;
      if (lengthBytes > requestBodyBytesMax) return "tooLong";
      parts.push(part);
    }
  } catch {
    return "gone";
  }
  return Buffer.concat(parts);
}
