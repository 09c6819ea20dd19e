import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { ThinglineError } from "@thingline/protocol";
import type { WebSocket } from "ws";
import { closeTimeoutMs, type DialTarget, type SecureInfo, webSocketMessageBytesMax } from "../connection.js";
import { type Channel, type ChannelEvents, lostError } from "../stream-connection.js";
import { type Batch, joinBytesMaxOf } from "../write-plan.js";
import { codeOf } from "./files.js";
import type { WebSocketLibrary } from "./web-socket-library.js";

/** Length and mask before the payload of a frame, at most. */
const frameHeaderBytesMax = 14;

/** A message is a frame, and over TLS a record: so the same rule, and no message that a peer would refuse. */
export function webSocketJoinBytesMax(secure: SecureInfo | undefined): number {
  return Math.min(joinBytesMaxOf(secure), 65_536) - frameHeaderBytesMax;
}

/** MQTT over WebSocket: binary messages, whose bounds mean nothing [MQTT-6.0.0-2]. */
export class WebSocketChannel implements Channel {
  readonly #webSocket: WebSocket;
  readonly #events: ChannelEvents;
  #error: ThinglineError | undefined;
  readonly #sent = (error?: Error | null): void => {
    if (error === undefined || error === null) this.#events.sent();
  };

  /** The WebSocket has just opened and nobody has listened to it yet. */
  constructor(webSocket: WebSocket, events: ChannelEvents) {
    this.#webSocket = webSocket;
    this.#events = events;
    webSocket.pause();
    webSocket.on("message", (data: Buffer, isBinary) => {
      if (this.#error !== undefined) return;
      if (isBinary) return events.received(data);
      // [MQTT-6.0.0-1] Anything but binary closes the connection, and nothing behind it counts.
      this.#error = lostError("a WebSocket text message");
      webSocket.close(1003);
    });
    webSocket.on("error", (error) => (this.#error ??= lostError(codeOf(error) ?? error.message, error)));
    webSocket.once("close", (code) => {
      const isInOrder = code === 1000 || code === 1001 || code === 1005;
      events.channelClosed(isInOrder ? undefined : (this.#error ?? lostError(`WebSocket status ${code}`)));
    });
  }

  send({ parts }: Batch): void {
    const bytes = parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts);
    this.#webSocket.send(bytes, { binary: true }, this.#sent);
  }

  end(): void {
    this.#webSocket.close(1000);
  }

  destroy(): void {
    this.#webSocket.terminate();
  }

  pause(): void {
    this.#webSocket.pause();
  }

  resume(): void {
    this.#webSocket.resume();
  }
}

export const webSocketOptions = {
  perMessageDeflate: false,
  maxPayload: webSocketMessageBytesMax,
  /** A peer that does not answer a Close frame is dropped. */
  closeTimeout: closeTimeoutMs,
  // Text is refused anyway.
  skipUTF8Validation: true,
} as const;

/** Upgrades an open socket. */
export function openWebSocket(
  library: WebSocketLibrary,
  socket: Socket,
  { host, port, tls }: DialTarget,
  { path, headers }: NonNullable<DialTarget["webSocket"]>,
  where: string,
  signal: AbortSignal,
): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const authority = `${host.includes(":") ? `[${host}]` : host}:${port}`;
    const webSocket = new library.WebSocket(`${tls === undefined ? "ws" : "wss"}://${authority}${path}`, ["mqtt"], {
      ...webSocketOptions,
      headers: { ...headers },
      followRedirects: false,
      createConnection: () => socket,
    });
    const finish = (): void => {
      signal.removeEventListener("abort", abort);
      webSocket.removeAllListeners();
    };
    const drop = (error: ThinglineError): void => {
      finish();
      webSocket.on("error", () => undefined);
      webSocket.terminate();
      socket.destroy();
      reject(error);
    };
    const abort = (): void => drop(signal.reason as ThinglineError);
    webSocket.once("open", () => {
      finish();
      // Stopped in this very turn, so that nothing is received before somebody listens.
      webSocket.pause();
      resolve(webSocket);
    });
    webSocket.once("unexpected-response", (_request, response: IncomingMessage) => {
      response.resume();
      const status = response.statusCode ?? 0;
      const message = `${where} answered the WebSocket upgrade with HTTP status ${status}`;
      drop(new ThinglineError("CONNECTION_REFUSED", message, { details: { where, status } }));
    });
    webSocket.once("error", (error) => drop(lostError(codeOf(error) ?? error.message, error)));
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
  });
}
