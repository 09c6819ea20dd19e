import type { Pem } from "@thingline/protocol/x509";
import type { ThinglineError } from "@thingline/protocol";
import type { HttpRequest, HttpResponse } from "./http.js";

/** One TLS record, seen below the TLS socket. `lengthBytes` is the record's fragment length, header excluded. */
export interface TlsRecord {
  direction: "sent" | "received";
  /** 20 change cipher spec, 21 alert, 22 handshake, 23 application data. */
  contentType: number;
  lengthBytes: number;
}

/** What a finished TLS handshake says about the peer and the session. */
export interface SecureInfo {
  readonly protocol: "TLSv1.2" | "TLSv1.3";
  readonly cipher: string;
  /** DER of the peer's leaf certificate. On a resumed session: the certificate of the session's FIRST handshake. */
  readonly peerCertificate: Uint8Array | undefined;
  /** SNI: what the client asked for. */
  readonly serverName: string | undefined;
  readonly alpnProtocol: string | undefined;
  readonly isResumed: boolean;
}

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Called from the event loop, never from inside a call on the connection. */
export interface ConnectionHandlers {
  /** Bytes as they came, any chunking. The view stays valid after the call, but keeping it keeps its whole buffer. */
  data(bytes: Uint8Array): void;
  /** `bufferedBytes` is at most {@link lowWaterBytes} again after it was over {@link highWaterBytes}. */
  drained?(): void;
  /** Exactly once, last. No error: both sides ended in order, or `destroy()` was called without one. */
  closed(error: ThinglineError | undefined): void;
}

/** Over this many bytes in `bufferedBytes`, `write` returns false and `drained` will follow. */
export const highWaterBytes = 1024 * 1024;
export const lowWaterBytes = 256 * 1024;

/** What an orderly `close()` may take; after that the connection is dropped. */
export const closeTimeoutMs = 5_000;

/** What a WebSocket's client asked for in its HTTP upgrade request. */
export interface WebSocketRequest {
  /** As sent: path with query. */
  path: string;
  /** Lower-case names. */
  headers: Readonly<Record<string, string>>;
}

/**
 * A reliable byte stream: TCP, TLS, WebSocket, a modem's socket, or an in-memory faulty network.
 *
 * Output is collected packet by packet and handed on once per event-loop turn. How packets are joined is the
 * transport's rule: plain TCP joins a whole turn; TLS 1.3 up to 16 KB; TLS 1.2 only while the sum stays within
 * 2,048 bytes, a larger packet alone and whole in one record, and the next write waits for the one before.
 */
export interface Connection {
  readonly secure: SecureInfo | undefined;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** Set on connections that a WebSocket listener accepted. */
  readonly webSocketRequest?: WebSocketRequest | undefined;
  /** Bytes queued and not yet taken by the system. */
  readonly bufferedBytes: number;
  /** Set once, right after the connection was obtained; data that came before is delivered then. */
  start(handlers: ConnectionHandlers): void;

  /**
   * Makes room for ONE packet of exactly `lengthBytes` and returns the offset in {@link slab} at which to write it.
   * Read `slab` after the call. The packet must be complete before control returns to the event loop. Never refuses:
   * look at `bufferedBytes`. After the end of the connection the packet goes nowhere.
   */
  reserve(lengthBytes: number): number;
  readonly slab: Uint8Array;
  /**
   * Queues ONE packet in up to two parts, by reference: a caller must not change the bytes afterwards.
   * @returns false when `bufferedBytes` is over {@link highWaterBytes}: stop until `drained`.
   */
  write(head: Uint8Array, body?: Uint8Array): boolean;
  /** Hands on at once what was collected, instead of at the end of the turn. */
  flush(): void;

  /** Stops and restarts the delivery of `data`: backpressure towards the peer. */
  pause(): void;
  resume(): void;
  /**
   * Sends what is queued, then ends in order, within {@link closeTimeoutMs}. Nothing more is received. Safe to call
   * twice; resolves like `closed`.
   */
  close(): Promise<void>;
  /** Drops the connection at once (RST where the transport has it). */
  destroy(error?: ThinglineError): void;
  readonly closed: Promise<void>;
}

export interface TlsClientOptions {
  /** PEM certificates to trust, as text or as the bytes of a file. */
  ca: Pem;
  /** PEM, leaf first. */
  certificate?: Pem;
  /** PEM, unencrypted. */
  privateKey?: Pem;
  /** For SNI and for the host name check. Default: the target's host. IP addresses send no SNI. */
  serverName?: string;
  alpnProtocols?: readonly string[];
  minVersion?: "TLSv1.2" | "TLSv1.3";
  maxVersion?: "TLSv1.2" | "TLSv1.3";
  /** IANA or OpenSSL names; default: the system's. */
  ciphers?: readonly string[];
  /** A session to resume, as given to `onSession`. */
  session?: Uint8Array;
  onSession?: (session: Uint8Array) => void;
  /** See every record below the TLS socket. Costs a copy per write: for modems, tests and tools. */
  onRecord?: (record: TlsRecord) => void;
  /** An application record whose plaintext is larger kills the connection with `TLS_RECORD_TOO_LARGE`. */
  receivedRecordBytesMax?: number;
}

export interface DialTarget extends Endpoint {
  tls?: TlsClientOptions;
  /** MQTT over WebSocket: path with query, subprotocol `mqtt`, extra headers. */
  webSocket?: { path: string; headers?: Readonly<Record<string, string>> };
  /** From the first packet to the ready connection, TLS included. Default {@link defaultConnectTimeoutMs}. */
  connectTimeoutMs?: number;
  /** 4 or 6 forces an address family. */
  family?: 4 | 6;
}

export const defaultConnectTimeoutMs = 30_000;

/** For a TLS handshake, and for a WebSocket's upgrade after it. */
export const defaultHandshakeTimeoutMs = 10_000;

/** A longer WebSocket message ends its connection. One message may hold any number of MQTT packets. */
export const webSocketMessageBytesMax = 1024 * 1024;

export interface Dialer {
  /**
   * @throws {ThinglineError} HOST_NOT_FOUND, CONNECTION_REFUSED, TIMEOUT, TLS_HANDSHAKE_FAILED, TLS_PEER_UNTRUSTED,
   * CONNECTION_LOST, ABORTED; before any network OPTION_INVALID, CERTIFICATE_INVALID, KEY_INVALID, KEY_MISMATCH.
   *
   * Under TLS 1.3 a server refuses a client's certificate after the client has finished: `dial` succeeds, and `closed`
   * then tells TLS_HANDSHAKE_FAILED with the `alert` in its details.
   */
  dial(target: DialTarget, options?: { signal?: AbortSignal }): Promise<Connection>;
}

export interface TlsServerOptions {
  /** PEM, leaf first. */
  certificate: string;
  privateKey: string;
  /** Ask for a client certificate, name no CAs, verify nothing but possession of the key. */
  requestsClientCertificate: boolean;
  alpnProtocols?: readonly string[];
  /** Default {@link defaultHandshakeTimeoutMs}. */
  handshakeTimeoutMs?: number;
  /**
   * Asked for each handshake when set: what to show, and how to speak, to a client that asks for this name (SNI; undefined without one), or
   * undefined for the default. A handshake for which it throws fails.
   */
  selectServer?: (serverName: string | undefined) => ServerChoice | undefined | Promise<ServerChoice | undefined>;
}

/** What one server name of a listener has instead of the listener's own. */
export interface ServerChoice {
  /** PEM, leaf first. */
  certificate: string;
  privateKey: string;
  /** Default: the listener's. */
  requestsClientCertificate?: boolean;
  /** Default TLSv1.2. */
  minVersion?: "TLSv1.2" | "TLSv1.3";
  /** Default TLSv1.3. */
  maxVersion?: "TLSv1.2" | "TLSv1.3";
  /** IANA or OpenSSL names; default: the system's. */
  ciphers?: readonly string[];
  /** Raw bytes on a `webSocket` listener, whatever was negotiated by ALPN. Default false. */
  isRaw?: boolean;
}

/** Who sends a request over HTTP. */
export interface HttpPeer {
  readonly secure: SecureInfo | undefined;
  readonly remote: Endpoint;
}

/** Of a request over HTTP that a listener answers; a longer one is answered with 413. */
export const requestBodyBytesMax = 256 * 1024;
/** Requests over HTTP that a listener answers at once; more are answered with 503. */
export const requestsAtOnceMax = 256;

export interface ListenOptions extends Endpoint {
  tls?: TlsServerOptions;
  /** Accept WebSocket upgrades on this path with subprotocol `mqtt` instead of raw bytes. */
  webSocket?: {
    path: string;
    /**
     * Judges an upgrade by its headers. A text is what is wrong with it, for the log: it is answered with 403. Header fields of one name
     * are one, joined by `, `.
     */
    faultOf?: (request: WebSocketRequest) => string | undefined;
    /**
     * Answers requests over HTTP that are no upgrades, whatever their path: one on each connection. Never throws. Bodies have at most
     * {@link requestBodyBytesMax}. Default: they are refused. Only where there are sockets; a virtual network has none.
     */
    handle?: (request: HttpRequest, peer: HttpPeer) => Promise<HttpResponse>;
  };
  /** On a `webSocket` listener: connections that negotiated one of these by ALPN get raw bytes all the same. */
  rawAlpnProtocols?: readonly string[];
  /** More than this are refused at once and counted. Default {@link defaultConnectionsMax}. */
  connectionsMax?: number;
  /**
   * Of those, peers that have not finished the TLS handshake or the WebSocket upgrade. Over it the oldest of them is dropped and counted, so
   * that whoever sits there does not lock out the others. Default {@link defaultHandshakesMax}.
   */
  handshakesMax?: number;
  /** A peer that failed before a Connection existed: bad handshake, time-out, refused upgrade. For the log. */
  onRefused?: (error: ThinglineError, remote: Endpoint) => void;
}

export const defaultConnectionsMax = 100_000;
/** Of a listener, and of all of a network together. A fleet that dials at once waits here; each costs some 30 KB. */
export const defaultHandshakesMax = 4_096;

export interface Listener {
  /** Where it listens, with the real port when 0 was asked for. */
  readonly address: Endpoint;
  readonly connectionCount: number;
  /** Stops listening and closes what is open. */
  close(): Promise<void>;
}

export interface Network extends Dialer {
  /** @throws {ThinglineError} PORT_IN_USE, OPTION_INVALID. */
  listen(options: ListenOptions, onConnection: (connection: Connection) => void): Promise<Listener>;
}
