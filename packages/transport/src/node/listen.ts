import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server as HttpServer,
  type ServerResponse,
} from "node:http";
import { createServer as createTcpServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import type { Duplex } from "node:stream";
import { ThinglineError } from "@thingline/protocol";
import type { WebSocket, WebSocketServer } from "ws";
import { checkListen } from "../check-listen.js";
import type { Clock } from "../clock.js";
import {
  type Connection,
  defaultConnectionsMax,
  defaultHandshakesMax,
  defaultHandshakeTimeoutMs,
  type Endpoint,
  type Listener,
  type ListenOptions,
  type SecureInfo,
  type ServerChoice,
  type TlsServerOptions,
  type WebSocketRequest,
} from "../connection.js";
import { lostError, StreamConnection } from "../stream-connection.js";
import type { SlabPool } from "../write-plan.js";
import { ChosenServers } from "./chosen-servers.js";
import { clientHelloBytesMax, readClientHello } from "./client-hello.js";
import { tlsError } from "./errors.js";
import { codeOf } from "./files.js";
import { Handshakes, type Handshake } from "./handshakes.js";
import { HttpRequests } from "./http-requests.js";
import { localOf, remoteOf, SocketChannel } from "./socket-channel.js";
import { serverSecureInfo, serverTlsOptions } from "./tls-options.js";
import { WebSocketChannel, webSocketJoinBytesMax, webSocketOptions } from "./web-socket-channel.js";
import { loadWebSocketLibrary, type WebSocketLibrary } from "./web-socket-library.js";

export interface ListenContext {
  clock: Clock;
  pool: SlabPool;
  /** Of all listeners together. */
  handshakes: Handshakes;
}

/** Target, names and values of the header fields of a request for an upgrade together have less than this. */
export const upgradeHeadBytesMax = 16 * 1024;

export async function listen(
  context: ListenContext,
  options: ListenOptions,
  onConnection: (connection: Connection) => void,
): Promise<Listener> {
  checkListen(options, onConnection);
  const library = options.webSocket === undefined ? undefined : await loadWebSocketLibrary();
  const listener = new NodeListener(context, options, library, onConnection);
  await listener.open();
  return listener;
}

/** Of fixed shape and without a function of its own: it is kept as long as its connection, by the thousand. */
class Arrival implements Handshake {
  readonly socket: Socket;
  /** What the client asked for, before TLS has said anything. */
  serverName: string | undefined = undefined;
  /** Set while TLS has the socket and is not done. */
  handshakeDone: (() => void) | undefined = undefined;
  readonly #evict: (arrival: Arrival, limit: number) => void;

  constructor(socket: Socket, evict: (arrival: Arrival, limit: number) => void) {
    this.socket = socket;
    this.#evict = evict;
  }

  makeRoom(limit: number): void {
    this.#evict(this, limit);
  }
}

class NodeListener implements Listener {
  readonly #clock: Clock;
  readonly #pool: SlabPool;
  readonly #options: ListenOptions;
  readonly #onConnection: (connection: Connection) => void;
  readonly #server: Server;
  readonly #http: HttpServer | undefined;
  readonly #upgrades: WebSocketServer | undefined;
  /** Every TCP connection, from its first packet on, by its ends: a TLS socket does not tell which one is below it. */
  readonly #arrivals = new Map<string, Arrival>();
  /** For server names that have rules of their own; none of them ever listens. */
  readonly #chosen = new ChosenServers<Server>((choice) => {
    const { tls } = this.#options;
    if (tls === undefined) throw new Error("only a TLS listener chooses");
    return this.#createSecureServer({ ...tls, ...choice });
  });
  /** Those that are no connections yet, of this listener and of all. */
  readonly #handshakes: Handshakes;
  readonly #allHandshakes: Handshakes;
  /** Those of them that made room for others: they were counted then. */
  readonly #evicted = new WeakSet<Socket>();
  /** What TLS said of sockets that wait for a WebSocket upgrade. */
  readonly #upgrading = new WeakMap<object, SecureInfo>();
  readonly #connections = new Set<Connection>();
  #address: Endpoint;
  #closed: Promise<void> | undefined;

  constructor(
    { clock, pool, handshakes }: ListenContext,
    options: ListenOptions,
    library: WebSocketLibrary | undefined,
    onConnection: (connection: Connection) => void,
  ) {
    this.#clock = clock;
    this.#pool = pool;
    this.#handshakes = new Handshakes(options.handshakesMax ?? defaultHandshakesMax);
    this.#allHandshakes = handshakes;
    this.#options = options;
    this.#onConnection = onConnection;
    this.#address = { host: options.host, port: options.port };
    if (library !== undefined) {
      this.#upgrades = new library.WebSocketServer({
        ...webSocketOptions,
        noServer: true,
        clientTracking: false,
        handleProtocols: (protocols) => (protocols.has("mqtt") ? "mqtt" : false),
      });
      // Path and subprotocol were fine, the rest of the handshake is not.
      this.#upgrades.on("wsClientError", (_error, socket) => this.#refuseUpgrade(400, socket as Socket));
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
    for (const { socket } of this.#arrivals.values()) socket.destroy();
    this.#http?.close();
    await stopped;
  }

  /** The TCP server. TLS is a server of its own that never listens: it is handed the sockets. */
  #createServer(): Server {
    const { tls } = this.#options;
    const secureServer = tls === undefined ? undefined : this.#createSecureServer(tls);
    const evict = (arrival: Arrival, limit: number): void => this.#evict(arrival, limit);
    const server = createTcpServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      // Reset before it was accepted: it has no address to know it by, and TLS would wait for it without an error.
      if (socket.remoteAddress === undefined) {
        socket.destroy();
        return this.#refuse(lostError("ECONNRESET"), remoteOf(socket));
      }
      const arrival = new Arrival(socket, evict);
      const ends = endsOf(socket);
      this.#arrivals.set(ends, arrival);
      if (secureServer !== undefined || this.#http !== undefined) {
        this.#handshakes.begin(arrival);
        if (!socket.destroyed) this.#allHandshakes.begin(arrival);
      }
      socket.once("close", () => {
        this.#endHandshake(arrival);
        if (this.#arrivals.get(ends) === arrival) this.#arrivals.delete(ends);
      });
      if (secureServer === undefined) this.#accept(socket, socket, undefined);
      else this.#awaitClientHello(arrival, secureServer);
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

  #evict(arrival: Arrival, limit: number): void {
    const { socket } = arrival;
    this.#endHandshake(arrival);
    const message = `${limit} handshakes are under way, and this one is the oldest`;
    this.#refuse(new ThinglineError("LIMIT_EXCEEDED", message, { details: { limit } }), remoteOf(socket));
    this.#evicted.add(socket);
    socket.destroy();
  }

  #endHandshake(arrival: Arrival): void {
    this.#handshakes.end(arrival);
    this.#allHandshakes.end(arrival);
  }

  #createSecureServer(tls: TlsServerOptions & Partial<ServerChoice>): Server {
    const tlsOptions = serverTlsOptions(tls);
    // A browser or HTTP client that offers ALPN offers http/1.1 for WebSocket.
    if (this.#http !== undefined && tls.alpnProtocols !== undefined) {
      tlsOptions.ALPNProtocols = [...new Set([...tls.alpnProtocols, "http/1.1"])];
    }
    const server = createTlsServer(tlsOptions, (socket) => {
      const arrival = this.#arrivals.get(endsOf(socket));
      // What was queued on half an open connection still goes out, from here on.
      socket.allowHalfOpen = true;
      arrival?.handshakeDone?.();
      const secure = serverSecureInfo(socket);
      const serverName = arrival?.serverName ?? secure.serverName;
      this.#accept(socket, arrival?.socket, { ...secure, serverName }, tls.isRaw);
    });
    server.on("tlsClientError", (error: Error, socket: TLSSocket) => {
      const tcp = socketBelow(socket);
      if (tcp === undefined || !this.#evicted.has(tcp)) this.#refuse(tlsError(error), remoteOf(socket));
      socket.destroy();
    });
    return server;
  }

  /** Looks at the first bytes for the server name, then leaves the connection to TLS. */
  #awaitClientHello(arrival: Arrival, secureServer: Server): void {
    const { socket } = arrival;
    const remote = remoteOf(socket);
    const timeoutMs = this.#options.tls?.handshakeTimeoutMs ?? defaultHandshakeTimeoutMs;
    let bytes: Buffer = Buffer.alloc(0);
    const settle = (): void => {
      timer.cancel();
      socket.removeListener("readable", look);
      socket.removeListener("end", ended);
      socket.removeListener("close", settle);
    };
    const timer = this.#clock.setTimer(timeoutMs, () => {
      settle();
      const message = `no TLS handshake came within ${timeoutMs} ms`;
      this.#refuse(new ThinglineError("TIMEOUT", message, { details: { timeoutMs } }), remote);
      socket.destroy();
    });
    const ended = (): void => {
      settle();
      this.#refuse(lostError("end before the TLS handshake"), remote);
      socket.destroy();
    };
    const look = (): void => {
      const chunk = socket.read() as Buffer | null;
      if (chunk === null) return;
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      const hello = readClientHello(bytes);
      if (hello.type === "incomplete") return;
      settle();
      if (hello.type === "tooLong" && this.#options.tls?.selectServer !== undefined) {
        // TLS might find a name in it, and speak by the rules of another.
        const message = `the ClientHello has more than ${clientHelloBytesMax} bytes`;
        const details = { clientHelloBytesMax };
        this.#refuse(new ThinglineError("TLS_HANDSHAKE_FAILED", message, { details }), remote);
        socket.destroy();
        return;
      }
      if (hello.type === "complete") arrival.serverName = hello.serverName;
      // Gone while its hello waited to be read.
      if (socket.destroyed) return this.#refuse(lostError("close before the TLS handshake"), remote);
      socket.unshift(bytes);
      this.#chooseServer(arrival, secureServer);
    };
    // Stays for good: an error without a listener would end the process.
    socket.on("error", () => undefined);
    socket.on("readable", look);
    socket.once("end", ended);
    socket.once("close", settle);
  }

  /** Versions and ciphers cannot change once TLS has begun: whose rules hold is found out before. */
  #chooseServer(arrival: Arrival, own: Server): void {
    const { tls } = this.#options;
    if (tls?.selectServer === undefined) return handToTls(arrival, own);
    const { socket, serverName } = arrival;
    const remote = remoteOf(socket);
    const go = (choice: ServerChoice | undefined): void => {
      if (socket.destroyed) return this.#refuse(lostError("close before the TLS handshake"), remote);
      handToTls(arrival, choice === undefined ? own : this.#chosen.of(choice));
    };
    const fail = (error: unknown): void => {
      const why = error instanceof Error ? error.message : String(error);
      const message = `there is no server for the name ${JSON.stringify(serverName ?? "")}: ${why}`;
      this.#refuse(new ThinglineError("TLS_HANDSHAKE_FAILED", message, { cause: error }), remote);
      socket.destroy();
    };
    Promise.resolve()
      .then(() => tls.selectServer?.(serverName))
      .then(go)
      .catch(fail);
  }

  #accept(socket: Socket, tcp: Socket | undefined, secure: SecureInfo | undefined, isRawName = false): void {
    const isRaw =
      isRawName ||
      (secure?.alpnProtocol !== undefined && this.#options.rawAlpnProtocols?.includes(secure.alpnProtocol));
    if (this.#http !== undefined && isRaw !== true) return this.#awaitUpgrade(socket, secure, this.#http);
    // Gone between the handshake and now.
    if (socket.destroyed) return;
    this.#settled(socket);
    const connection = new StreamConnection({
      clock: this.#clock,
      pool: this.#pool,
      secure,
      local: localOf(socket),
      remote: remoteOf(socket),
    });
    this.#hand(connection.attach(new SocketChannel(socket, connection, { tcp })));
  }

  #settled(socket: Socket): void {
    const arrival = this.#handshakes.count === 0 ? undefined : this.#arrivals.get(endsOf(socket));
    if (arrival !== undefined) this.#endHandshake(arrival);
  }

  #hand(connection: Connection): void {
    this.#connections.add(connection);
    void connection.closed.then(() => this.#connections.delete(connection));
    this.#onConnection(connection);
  }

  #refuse(error: ThinglineError, remote: Endpoint): void {
    this.#options.onRefused?.(error, remote);
  }

  #awaitUpgrade(socket: Socket, secure: SecureInfo | undefined, http: HttpServer): void {
    if (secure !== undefined) this.#upgrading.set(socket, secure);
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
    const answered = new WeakSet<Socket>();
    const { webSocket, tls } = this.#options;
    const answerTimeoutMs = tls?.handshakeTimeoutMs ?? defaultHandshakeTimeoutMs;
    const requests =
      webSocket?.handle && new HttpRequests({ clock: this.#clock, handle: webSocket.handle, answerTimeoutMs });
    const http = createHttpServer({ keepAlive: false, maxHeaderSize: upgradeHeadBytesMax }, (request, response) => {
      // Pipelined behind the one that is answered: the connection ends with that answer.
      if (answered.has(request.socket)) return void request.resume();
      answered.add(request.socket);
      const isPath = pathOf(request) === this.#options.webSocket?.path;
      if (requests !== undefined && !isPath) return void this.#serve(requests, request, response);
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

  async #serve(requests: HttpRequests, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    const peer = { secure: this.#upgrading.get(socket), remote: remoteOf(socket) };
    try {
      await requests.serve(request, response, peer, () => {
        // As with an upgrade: what had to come has come.
        socket.emit("thingline:upgraded");
        this.#settled(socket);
      });
    } catch (error) {
      this.#refuse(lostError(`a request that could not be answered: ${String(error)}`), remoteOf(socket));
      socket.destroy();
    }
  }

  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    socket.on("error", () => undefined);
    const path = this.#options.webSocket?.path;
    const protocols = String(request.headers["sec-websocket-protocol"] ?? "").split(/\s*,\s*/);
    const status = pathOf(request) !== path ? 404 : !protocols.includes("mqtt") ? 400 : undefined;
    if (status !== undefined) return this.#refuseUpgrade(status, socket);
    const fault = this.#options.webSocket?.faultOf?.(webSocketRequest(request));
    if (fault !== undefined) return this.#refuseUpgrade(403, socket, fault);
    this.#upgrades?.handleUpgrade(request, socket, head, (webSocket) => {
      socket.emit("thingline:upgraded");
      this.#acceptWebSocket(webSocket, socket, request);
    });
  }

  #refuseUpgrade(status: keyof typeof statusTexts, socket: Socket, why?: string): void {
    this.#refuse(refusedUpgrade(status, why), remoteOf(socket));
    const text = statusTexts[status];
    socket.end(`HTTP/1.1 ${status} ${text}\r\nConnection: close\r\n\r\n`, () => socket.destroy());
  }

  #acceptWebSocket(webSocket: WebSocket, socket: Socket, request: IncomingMessage): void {
    this.#settled(socket);
    const secure = this.#upgrading.get(socket);
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

/**
 * Leaves a socket to TLS. Nobody finishes a handshake on half a connection, so until it is done the end of the other side ends all of it,
 * and TLS tells that as a failed handshake. The end is seen below TLS when it came together with the hello, and by TLS otherwise, which
 * takes over whether half open connections are allowed.
 */
function handToTls(arrival: Arrival, secureServer: Server): void {
  const { socket } = arrival;
  const drop = (): void => void socket.destroy();
  arrival.handshakeDone = () => {
    socket.removeListener("end", drop);
    arrival.handshakeDone = undefined;
  };
  socket.allowHalfOpen = false;
  socket.once("end", drop);
  secureServer.emit("connection", socket);
}

/** Node has no public way from a TLS socket to the one below, and one that is destroyed has no addresses to look it up by. */
function socketBelow(socket: TLSSocket): Socket | undefined {
  return (socket as TLSSocket & { _parent?: Socket })._parent;
}

function endsOf({ localAddress, localPort, remoteAddress, remotePort }: Socket): string {
  return `${localAddress} ${localPort} ${remoteAddress} ${remotePort}`;
}

const statusTexts = { 400: "Bad Request", 403: "Forbidden", 404: "Not Found" } as const;

/** Of fields that may come once, such as Host, Node shows the first alone: who judges them has to see all. */
function webSocketRequest(request: IncomingMessage): WebSocketRequest {
  const headers = Object.entries(request.headersDistinct).map(([name, values = []]) => [name, values.join(", ")]);
  return { path: request.url ?? "", headers: Object.fromEntries(headers) as Record<string, string> };
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? "").replace(/\?.*$/, "");
}

function refusedUpgrade(status: number, why?: string): ThinglineError {
  const reason = why === undefined ? "" : `, because ${why}`;
  const message = `no WebSocket upgrade to MQTT: answered with HTTP status ${status}${reason}`;
  return new ThinglineError("CONNECTION_REFUSED", message, { details: { status } });
}

function listenError(error: Error, host: string, port: number): ThinglineError {
  const systemCode = codeOf(error) ?? "unknown";
  const options = { details: { host, port, systemCode }, cause: error };
  if (systemCode === "EADDRINUSE") {
    return new ThinglineError("PORT_IN_USE", `another process already listens on ${host}:${port}`, options);
  }
  return new ThinglineError("OPTION_INVALID", `cannot listen on ${host}:${port}: ${systemCode}`, options);
}
