import { checkOptionTypes, optionInvalid, type OptionTypes, ThinglineError } from "@thingline/protocol";
import { clockOption, randomOption } from "../option-types.js";
import { checkListen } from "../check-listen.js";
import type { Clock } from "../clock.js";
import {
  type Connection,
  defaultConnectionsMax,
  defaultConnectTimeoutMs,
  type DialTarget,
  type Endpoint,
  type Listener,
  type ListenOptions,
  type Network,
  type SecureInfo,
  type WebSocketRequest,
} from "../connection.js";
import type { Random } from "../random.js";
import { sleep } from "../sleep.js";
import { lostError, StreamConnection } from "../stream-connection.js";
import { joinBytesMaxOf, SlabPool } from "../write-plan.js";
import {
  type HandshakeOutcome,
  prepareTlsClient,
  recordOverheadBytes,
  type VirtualTlsClient,
  VirtualTlsServer,
} from "./handshake.js";
import { LinkRate } from "./link-rate.js";
import { Link, type LinkFaults, type Side, type VirtualLink } from "./link.js";

export interface VirtualNetworkOptions {
  clock: Clock;
  random: Random;
  /** One way. Default 1. */
  latencyMs?: NonNullable<LinkFaults["latencyMs"]>;
  /**
   * What the link carries each way, for all connections together, with TLS and the headers of IP and TCP, and without what TCP does to find
   * its pace. Handshakes take none of it. Default: no bound.
   */
  bitsPerSecond?: number;
  /** Asked once for every dial; `count` starts at 1. */
  faults?: (dial: Endpoint & { count: number }) => LinkFaults | undefined;
}

/** A network in memory: everybody on it shares one machine. */
export interface VirtualNetwork extends Network {
  /** Connections that are open, oldest first. */
  readonly links: readonly VirtualLink[];
  /** Makes a host name known. A name that somebody listens on is known already. */
  addHost(host: string): void;
  /** Nothing arrives anywhere, and dials time out, until {@link VirtualNetwork.heal}. */
  partition(): void;
  heal(): void;
}

const localNames = ["localhost", "127.0.0.1", "::1", "0.0.0.0", "::"];
const anyAddresses = ["0.0.0.0", "::"];
const ephemeralPortMin = 49_152;

/** Length and mask before the payload of a WebSocket frame, at most. */
const frameHeaderBytesMax = 14;

const optionTypes = {
  clock: clockOption,
  random: randomOption,
  latencyMs: "any",
  bitsPerSecond: "number",
  faults: "function",
} as const satisfies OptionTypes<VirtualNetworkOptions>;

export function createVirtualNetwork(options: VirtualNetworkOptions): VirtualNetwork {
  return new MemoryNetwork(options);
}

class MemoryNetwork implements VirtualNetwork {
  readonly clock: Clock;
  readonly random: Random;
  readonly pool = new SlabPool();
  readonly #latencyMs: NonNullable<LinkFaults["latencyMs"]>;
  readonly #faults: VirtualNetworkOptions["faults"];
  readonly #rates: Readonly<Record<Side, LinkRate>> | undefined;
  readonly #listeners = new Map<string, VirtualListener>();
  readonly #hosts = new Set(localNames);
  readonly #links = new Set<Link>();
  #dialCount = 0;
  #nextPort = ephemeralPortMin;
  #isPartitioned = false;

  constructor(options: VirtualNetworkOptions) {
    checkOptionTypes(options, optionTypes, { of: "createVirtualNetwork()", required: ["clock", "random"] });
    const { clock, random, latencyMs = 1, bitsPerSecond, faults } = options;
    if (bitsPerSecond !== undefined && !(bitsPerSecond >= 1 && Number.isFinite(bitsPerSecond))) {
      throw optionInvalid("bitsPerSecond", "a number from 1", bitsPerSecond);
    }
    this.clock = clock;
    this.random = random;
    this.#latencyMs = latencyMs;
    this.#faults = faults;
    const rate = () => new LinkRate(bitsPerSecond ?? Infinity);
    this.#rates = bitsPerSecond === undefined ? undefined : { client: rate(), server: rate() };
  }

  get links(): readonly VirtualLink[] {
    return [...this.#links];
  }

  addHost(host: string): void {
    this.#hosts.add(host);
  }

  partition(): void {
    this.#isPartitioned = true;
    for (const link of this.#links) link.partition();
  }

  heal(): void {
    this.#isPartitioned = false;
    for (const link of this.#links) link.heal();
  }

  async listen(options: ListenOptions, onConnection: (connection: Connection) => void): Promise<Listener> {
    checkListen(options, onConnection);
    const { host, port } = options;
    const address = { host: host === "localhost" ? "127.0.0.1" : host, port: port === 0 ? this.#freePort() : port };
    if (this.#isTaken(address)) {
      const message = `another process already listens on ${host}:${port}`;
      throw new ThinglineError("PORT_IN_USE", message, { details: { host, port } });
    }
    const key = keyOf(address);
    const listener = new VirtualListener(this, options, address, onConnection, () => this.#listeners.delete(key));
    this.#hosts.add(host);
    this.#listeners.set(key, listener);
    return listener;
  }

  async dial(target: DialTarget, { signal }: { signal?: AbortSignal } = {}): Promise<Connection> {
    const { host, port, connectTimeoutMs: timeoutMs = defaultConnectTimeoutMs } = target;
    const where = `${host}:${port}`;
    if (!Number.isInteger(port) || port < 1 || port > 65_535) {
      throw new ThinglineError("OPTION_INVALID", `port must be a whole number from 1 to 65535, got ${port}`);
    }
    const tls = target.tls === undefined ? undefined : prepareTlsClient(target.tls, host);
    const faults = this.#faults?.({ host, port, count: ++this.#dialCount }) ?? {};
    const attempt = new AbortController();
    const timer = this.clock.setTimer(timeoutMs, () => {
      const message = `${where} was not connected within ${timeoutMs} ms`;
      attempt.abort(new ThinglineError("TIMEOUT", message, { details: { where, timeoutMs } }));
    });
    const abort = (): void => {
      attempt.abort(new ThinglineError("ABORTED", `connecting to ${where} was aborted`, { cause: signal?.reason }));
    };
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted === true) abort();
    try {
      return await this.#connect(target, tls, faults, where, attempt.signal);
    } finally {
      timer.cancel();
      signal?.removeEventListener("abort", abort);
    }
  }

  async #connect(
    target: DialTarget,
    tls: VirtualTlsClient | undefined,
    faults: LinkFaults,
    where: string,
    signal: AbortSignal,
  ): Promise<Connection> {
    const roundTrip = (count: number): Promise<void> => this.#travel(faults, count, signal);
    if (!this.#hosts.has(target.host)) {
      await this.#wait(0, signal);
      throw new ThinglineError("HOST_NOT_FOUND", `no address is known for ${where}`, { details: { where } });
    }
    if (faults.isUnanswered === true) await new Promise((_, reject) => onAbort(signal, reject));
    await roundTrip(1);
    const listener = this.#listenerAt(target);
    if (listener === undefined || faults.isRefused === true) {
      throw new ThinglineError("CONNECTION_REFUSED", `${where} refused the connection`, { details: { where } });
    }
    const remote = { host: "127.0.0.1", port: this.#freePort() };
    if (!listener.hasRoom(remote)) throw lostError("ECONNRESET");
    const shaken = listener.shake(tls, remote);
    const secured = shaken instanceof Promise ? await shaken : shaken;
    if (secured?.type === "failed") {
      await roundTrip(1);
      for (const record of secured.records) target.tls?.onRecord?.(record);
      throw secured.client;
    }
    if (secured !== undefined) await roundTrip(secured.roundTrips);
    for (const record of secured?.records ?? []) target.tls?.onRecord?.(record);
    const upgrade = listener.upgrade(target, secured, remote);
    if (upgrade?.type === "refused") {
      await roundTrip(1);
      throw upgrade.error;
    }
    if (upgrade !== undefined) await roundTrip(1);
    const link = this.#openLink(listener, faults, remote, secured?.client.protocol);
    const isWebSocket = upgrade !== undefined;
    listener.accept(link, secured?.server, upgrade?.request);
    const connection = this.#connectionOf(link, "client", secured?.client, isWebSocket);
    connection.attach(link.end("client").attach(connection, target.tls));
    const onSession = target.tls?.onSession;
    if (secured !== undefined && onSession !== undefined) this.clock.setTimer(0, () => onSession(secured.session));
    return connection;
  }

  connectionOf(link: Link, secure: SecureInfo | undefined, request: WebSocketRequest | undefined): StreamConnection {
    return this.#connectionOf(link, "server", secure, request !== undefined, request);
  }

  #connectionOf(
    link: Link,
    side: Side,
    secure: SecureInfo | undefined,
    isWebSocket: boolean,
    webSocketRequest?: WebSocketRequest,
  ): StreamConnection {
    const [local, remote] = side === "client" ? [link.client, link.server] : [link.server, link.client];
    const { clock, pool } = this;
    const joinBytesMax = isWebSocket ? Math.min(joinBytesMaxOf(secure), 65_536) - frameHeaderBytesMax : undefined;
    return new StreamConnection({
      clock,
      pool,
      secure,
      local,
      remote,
      ...(joinBytesMax !== undefined && { joinBytesMax }),
      ...(webSocketRequest !== undefined && { webSocketRequest }),
    });
  }

  #openLink(
    listener: VirtualListener,
    faults: LinkFaults,
    client: Endpoint,
    protocol: SecureInfo["protocol"] | undefined,
  ): Link {
    const link: Link = new Link({
      clock: this.clock,
      random: this.random,
      client,
      server: listener.address,
      faults,
      defaultLatencyMs: this.#latencyMs,
      recordOverheadBytes: protocol === undefined ? undefined : recordOverheadBytes[protocol],
      rates: this.#rates,
      onClosed: () => this.#links.delete(link),
    });
    this.#links.add(link);
    return link;
  }

  /** There and back; behind a partition, never. */
  async #travel(faults: LinkFaults, roundTrips: number, signal: AbortSignal): Promise<void> {
    const latency = faults.latencyMs ?? this.#latencyMs;
    const oneWayMs =
      typeof latency === "number" ? latency : latency.from + this.random.fraction() * (latency.to - latency.from);
    await this.#wait(oneWayMs * 2 * roundTrips, signal);
    if (this.#isPartitioned) await new Promise((_, reject) => onAbort(signal, reject));
  }

  async #wait(ms: number, signal: AbortSignal): Promise<void> {
    try {
      await sleep(this.clock, ms, signal);
    } catch (error) {
      throw signal.aborted ? (signal.reason as ThinglineError) : error;
    }
  }

  /** The two loopback addresses are two, as on a real machine; `localhost` and the any addresses are all of them. */
  #isTaken({ host, port }: Endpoint): boolean {
    const loopbacks = ["127.0.0.1", "::1"];
    const isShared = (other: string) => !(loopbacks.includes(host) && loopbacks.includes(other) && other !== host);
    const hosts = localNames.includes(host) ? localNames.filter(isShared) : [host, ...anyAddresses];
    return hosts.some((name) => this.#listeners.has(keyOf({ host: name, port })));
  }

  #listenerAt({ host, port }: Endpoint): VirtualListener | undefined {
    const isLocal = localNames.includes(host);
    const hosts = isLocal ? localNames : [host, ...anyAddresses];
    // A listener on one loopback address is reached by each of the machine's names: one machine, one loopback.
    for (const name of hosts) {
      const listener = this.#listeners.get(keyOf({ host: name, port }));
      if (listener !== undefined) return listener;
    }
    return undefined;
  }

  #freePort(): number {
    const port = this.#nextPort++;
    if (this.#nextPort > 65_535) this.#nextPort = ephemeralPortMin;
    return port;
  }
}

type Upgrade = { type: "upgraded"; request: WebSocketRequest } | { type: "refused"; error: ThinglineError };

class VirtualListener implements Listener {
  readonly address: Endpoint;
  readonly #network: MemoryNetwork;
  readonly #options: ListenOptions;
  readonly #onConnection: (connection: Connection) => void;
  readonly #onClosed: () => void;
  readonly #tls: VirtualTlsServer | undefined;
  readonly #connections = new Set<Connection>();
  #isClosed = false;

  constructor(
    network: MemoryNetwork,
    options: ListenOptions,
    address: Endpoint,
    onConnection: (connection: Connection) => void,
    onClosed: () => void,
  ) {
    this.#network = network;
    this.#options = options;
    this.address = address;
    this.#onConnection = onConnection;
    this.#onClosed = onClosed;
    const { tls, webSocket } = options;
    if (tls === undefined) return;
    const { alpnProtocols } = tls;
    const names =
      alpnProtocols !== undefined && webSocket !== undefined ? [...alpnProtocols, "http/1.1"] : alpnProtocols;
    this.#tls = new VirtualTlsServer(tls, names, network.random);
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  async close(): Promise<void> {
    if (!this.#isClosed) this.#onClosed();
    this.#isClosed = true;
    await Promise.all([...this.#connections].map((connection) => connection.close()));
  }

  hasRoom(remote: Endpoint): boolean {
    const limit = this.#options.connectionsMax ?? defaultConnectionsMax;
    if (this.#connections.size < limit) return true;
    this.#refuse(
      new ThinglineError("LIMIT_EXCEEDED", `${limit} connections are open already`, { details: { limit } }),
      remote,
    );
    return false;
  }

  /** @returns undefined for plain bytes on both sides. */
  shake(client: VirtualTlsClient | undefined, remote: Endpoint) {
    if (this.#tls === undefined && client === undefined) return undefined;
    if (this.#tls === undefined || client === undefined) {
      // One speaks TLS and the other does not: neither understands a word.
      const error = new ThinglineError("TLS_HANDSHAKE_FAILED", "only one side speaks TLS", {
        details: { systemCode: "ERR_SSL_WRONG_VERSION_NUMBER" },
      });
      this.#refuse(error, remote);
      const seen = client === undefined ? lostError("ECONNRESET") : error;
      return { type: "failed", client: seen, server: error, records: [] } as const;
    }
    const outcome = this.#tls.shake(client, this.#network.clock.unixMs());
    return outcome instanceof Promise
      ? outcome.then((late) => this.#shaken(late, remote))
      : this.#shaken(outcome, remote);
  }

  #shaken(outcome: HandshakeOutcome, remote: Endpoint): HandshakeOutcome {
    if (outcome.type === "failed") this.#refuse(outcome.server, remote);
    return outcome;
  }

  /** @returns undefined when the connection carries raw bytes. */
  upgrade(
    { webSocket }: DialTarget,
    secured: { server: SecureInfo; isRaw?: true } | undefined,
    remote: Endpoint,
  ): Upgrade | undefined {
    const alpnProtocol = secured?.server.alpnProtocol;
    const isRaw =
      secured?.isRaw === true ||
      (alpnProtocol !== undefined && this.#options.rawAlpnProtocols?.includes(alpnProtocol) === true);
    const isExpected = this.#options.webSocket !== undefined && !isRaw;
    if (!isExpected && webSocket === undefined) return undefined;
    const path = webSocket?.path.replace(/\?.*$/, "");
    const isFound = isExpected && webSocket !== undefined && path === this.#options.webSocket?.path;
    const { host, port } = this.#options;
    const request = { path: webSocket?.path ?? "", headers: { host: `${host}:${port}`, ...webSocket?.headers } };
    const fault = isFound ? this.#options.webSocket?.faultOf?.(request) : undefined;
    if (isFound && fault === undefined) return { type: "upgraded", request };
    const status = !isExpected ? 0 : webSocket === undefined ? 400 : isFound ? 403 : 404;
    const message = `no WebSocket upgrade to MQTT: answered with HTTP status ${status}`;
    const error =
      status === 404
        ? new ThinglineError("CONNECTION_REFUSED", message, { details: { status } })
        : lostError("no WebSocket on one side");
    this.#refuse(error, remote);
    return { type: "refused", error };
  }

  accept(link: Link, secure: SecureInfo | undefined, request: WebSocketRequest | undefined): void {
    const connection = this.#network.connectionOf(link, secure, request);
    connection.attach(link.end("server").attach(connection));
    this.#connections.add(connection);
    void connection.closed.then(() => this.#connections.delete(connection));
    this.#network.clock.setTimer(0, () => {
      if (this.#isClosed) connection.destroy();
      else this.#onConnection(connection);
    });
  }

  #refuse(error: ThinglineError, remote: Endpoint): void {
    this.#options.onRefused?.(error, remote);
  }
}

const keyOf = ({ host, port }: Endpoint): string => `${host} ${port}`;

function onAbort(signal: AbortSignal, reject: (error: unknown) => void): void {
  if (signal.aborted) reject(signal.reason);
  else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
}
