import { createServer as createHttpServer, type IncomingMessage, type Server as HttpServer } from "node:http";
import { createServer as createTcpServer, type Server, type Socket } from "node:net";
import { createSecureContext, createServer as createTlsServer, type SecureContext, type TLSSocket } from "node:tls";
import type { Duplex } from "node:stream";
import { ThinglineError } from "@thingline/protocol";
import { type WebSocket, WebSocketServer } from "ws";
import type { Clock } from "../clock.js";
import {
  type Connection,
  defaultConnectionsMax,
  defaultHandshakeTimeoutMs,
  type Endpoint,
  type Listener,
  type ListenOptions,
  type SecureInfo,
  type TlsServerOptions,
  type WebSocketRequest,
} from "../connection.js";
import { StreamConnection } from "../stream-connection.js";
import type { SlabPool } from "../write-plan.js";
import { tlsError } from "./errors.js";
import { codeOf } from "./files.js";
import { localOf, remoteOf, SocketChannel } from "./socket-channel.js";
import { checkPair, serverSecureInfo, serverTlsOptions } from "./tls-options.js";
import { WebSocketChannel, webSocketJoinBytesMax, webSocketOptions } from "./web-socket-channel.js";

export interface ListenContext {
  clock: Clock;
  pool: SlabPool;
}

/** Certificates for server names that are kept ready; the oldest goes first. */
const contextsMax = 64;

export async function listen(
  context: ListenContext,
  options: ListenOptions,
  onConnection: (connection: Connection) => void,
): Promise<Listener> {
  const listener = new NodeListener(context, options, onConnection);
  await listener.open();
  return listener;
}

class NodeListener implements Listener {
  readonly #clock: Clock;
  readonly #pool: SlabPool;
  readonly #options: ListenOptions;
  readonly #onConnection: (connection: Connection) => void;
  readonly #server: Server;
  readonly #http: HttpServer | undefined;
  readonly #upgrades: WebSocketServer | undefined;
  /** Every TCP connection, from its first packet on. */
  readonly #sockets = new Set<Socket>();
  readonly #connections = new Set<Connection>();
  #address: Endpoint;
  #closed: Promise<void> | undefined;

  constructor({ clock, pool }: ListenContext, options: ListenOptions, onConnection: (connection: Connection) => void) {
    this.#clock = clock;
    this.#pool = pool;
    this.#options = options;
    this.#onConnection = onConnection;
    this.#address = { host: options.host, port: options.port };
    if (options.webSocket !== undefined) {
      this.#upgrades = new WebSocketServer({
        ...webSocketOptions,
        noServer: true,
        clientTracking: false,
        handleProtocols: (protocols) => (protocols.has("mqtt") ? "mqtt" : false),
      });
      this.#http = this.#createHttp();
    }
    this.#server = this.#createServer();
    this.#server.maxConnections = options.connectionsMax ?? defaultConnectionsMax;
  }

  get address(): Endpoint {
    return this.#address;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  open(): Promise<void> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => reject(listenError(error, host, port));
      this.#server.once("error", fail);
      this.#server.listen({ host, port }, () => {
        this.#server.removeListener("error", fail);
        // Errors of accept(), such as no more file handles: the listener stays, the log tells.
        this.#server.on("error", (error) => this.#refuse(tlsError(error), { host: "", port: 0 }));
        const address = this.#server.address();
        if (address !== null && typeof address === "object") {
          this.#address = { host: address.address, port: address.port };
        }
        resolve();
      });
    });
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const stopped = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await Promise.all([...this.#connections].map((connection) => connection.close()));
    // What is left never became a connection: handshakes, upgrades, answers to plain HTTP requests.
    for (const socket of this.#sockets) socket.destroy();
    this.#http?.close();
    await stopped;
  }

  #createServer(): Server {
    const { tls } = this.#options;
    const stream = { allowHalfOpen: true, noDelay: true };
    let server: Server;
    if (tls === undefined) {
      server = createTcpServer(stream, (socket) => this.#accept(socket, undefined));
    } else {
      const tlsOptions = serverTlsOptions(tls);
      // A browser or HTTP client that offers ALPN offers http/1.1 for WebSocket.
      if (this.#http !== undefined && tls.alpnProtocols !== undefined) {
        tlsOptions.ALPNProtocols = [...new Set([...tls.alpnProtocols, "http/1.1"])];
      }
      if (tls.selectCertificate !== undefined) tlsOptions.SNICallback = sniCallback(tls.selectCertificate);
      server = createTlsServer({ ...stream, ...tlsOptions }, (socket) =>
        this.#accept(socket, serverSecureInfo(socket)),
      );
      server.on("tlsClientError", (error: Error, socket: TLSSocket) => {
        this.#refuse(tlsError(error), remoteOf(socket));
        socket.destroy();
      });
    }
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    server.on("drop", (dropped?: { remoteAddress?: string; remotePort?: number }) => {
      const limit = server.maxConnections;
      const error = new ThinglineError("LIMIT_EXCEEDED", `${limit} connections are open already`, {
        details: { limit },
      });
      this.#refuse(error, { host: dropped?.remoteAddress ?? "", port: dropped?.remotePort ?? 0 });
    });
    return server;
  }

  #accept(socket: Socket, secure: SecureInfo | undefined): void {
    const isRaw = secure?.alpnProtocol !== undefined && this.#options.rawAlpnProtocols?.includes(secure.alpnProtocol);
    if (this.#http !== undefined && isRaw !== true) return this.#awaitUpgrade(socket, this.#http);
    // Gone between the handshake and now.
    if (socket.destroyed) return;
    const connection = new StreamConnection({
      clock: this.#clock,
      pool: this.#pool,
      secure,
      local: localOf(socket),
      remote: remoteOf(socket),
    });
    this.#hand(connection.attach(new SocketChannel(socket, connection)));
  }

  #hand(connection: Connection): void {
    this.#connections.add(connection);
    void connection.closed.then(() => this.#connections.delete(connection));
    this.#onConnection(connection);
  }

  #refuse(error: ThinglineError, remote: Endpoint): void {
    this.#options.onRefused?.(error, remote);
  }

  #awaitUpgrade(socket: Socket, http: HttpServer): void {
    const timeoutMs = this.#options.tls?.handshakeTimeoutMs ?? defaultHandshakeTimeoutMs;
    const remote = remoteOf(socket);
    const timer = this.#clock.setTimer(timeoutMs, () => {
      const message = `no WebSocket upgrade came within ${timeoutMs} ms`;
      this.#refuse(new ThinglineError("TIMEOUT", message, { details: { timeoutMs } }), remote);
      socket.destroy();
    });
    const settle = (): void => {
      timer.cancel();
      socket.removeListener("close", settle);
      socket.removeListener("thingline:upgraded", settle);
    };
    socket.once("close", settle);
    socket.once("thingline:upgraded", settle);
    http.emit("connection", socket);
  }

  /** Never listens: it is handed the sockets. */
  #createHttp(): HttpServer {
    const http = createHttpServer({ keepAlive: false }, (request, response) => {
      const isPath = pathOf(request) === this.#options.webSocket?.path;
      const [status, text] = isPath
        ? ([426, "this is an MQTT over WebSocket endpoint: upgrade with subprotocol mqtt\n"] as const)
        : ([404, "nothing here\n"] as const);
      this.#refuse(refusedUpgrade(status), remoteOf(request.socket));
      const upgrade = isPath ? { upgrade: "websocket" } : {};
      response.writeHead(status, { ...upgrade, "content-type": "text/plain", connection: "close" }).end(text);
      request.resume();
    });
    http.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      this.#upgrade(request, socket as Socket, head);
    });
    http.on("clientError", (error: Error, socket: Duplex) => {
      this.#refuse(tlsError(error), remoteOf(socket as Socket));
      socket.destroy();
    });
    return http;
  }

  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    socket.on("error", () => undefined);
    const path = this.#options.webSocket?.path;
    const protocols = String(request.headers["sec-websocket-protocol"] ?? "").split(/\s*,\s*/);
    const status = pathOf(request) !== path ? 404 : !protocols.includes("mqtt") ? 400 : undefined;
    if (status !== undefined) {
      this.#refuse(refusedUpgrade(status), remoteOf(socket));
      socket.end(
        `HTTP/1.1 ${status} ${status === 404 ? "Not Found" : "Bad Request"}\r\nConnection: close\r\n\r\n`,
        () => socket.destroy(),
      );
      return;
    }
    this.#upgrades?.handleUpgrade(request, socket, head, (webSocket) => {
      socket.emit("thingline:upgraded");
      this.#acceptWebSocket(webSocket, socket, request);
    });
  }

  #acceptWebSocket(webSocket: WebSocket, socket: Socket, request: IncomingMessage): void {
    const secure = "encrypted" in socket ? serverSecureInfo(socket as TLSSocket) : undefined;
    const connection = new StreamConnection({
      clock: this.#clock,
      pool: this.#pool,
      secure,
      local: localOf(socket),
      remote: remoteOf(socket),
      webSocketRequest: webSocketRequest(request),
      joinBytesMax: webSocketJoinBytesMax(secure),
    });
    this.#hand(connection.attach(new WebSocketChannel(webSocket, connection)));
  }
}

function webSocketRequest(request: IncomingMessage): WebSocketRequest {
  const headers = Object.entries(request.headers).map(([name, value]) => [name, String(value)]);
  return { path: request.url ?? "", headers: Object.fromEntries(headers) as Record<string, string> };
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? "").replace(/\?.*$/, "");
}

function refusedUpgrade(status: number): ThinglineError {
  return new ThinglineError("CONNECTION_REFUSED", `no WebSocket upgrade to MQTT: answered with HTTP status ${status}`, {
    details: { status },
  });
}

function listenError(error: Error, host: string, port: number): ThinglineError {
  const systemCode = codeOf(error) ?? "unknown";
  const options = { details: { host, port, systemCode }, cause: error };
  if (systemCode === "EADDRINUSE") {
    return new ThinglineError("PORT_IN_USE", `another process already listens on ${host}:${port}`, options);
  }
  return new ThinglineError("OPTION_INVALID", `cannot listen on ${host}:${port}: ${systemCode}`, options);
}

type SniCallback = (name: string, done: (error: Error | null, context?: SecureContext) => void) => void;

function sniCallback(select: NonNullable<TlsServerOptions["selectCertificate"]>): SniCallback {
  const contexts = new Map<string, SecureContext>();
  return (name, done) => {
    try {
      const chosen = select(name);
      if (chosen === undefined) return done(null);
      let secureContext = contexts.get(chosen.certificate);
      if (secureContext === undefined) {
        checkPair(chosen.certificate, chosen.privateKey);
        secureContext = createSecureContext({
          cert: chosen.certificate,
          key: chosen.privateKey,
          minVersion: "TLSv1.2",
        });
        const oldest = contexts.keys().next();
        if (contexts.size >= contextsMax && oldest.done !== true) contexts.delete(oldest.value);
        contexts.set(chosen.certificate, secureContext);
      }
      done(null, secureContext);
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
    }
  };
}
