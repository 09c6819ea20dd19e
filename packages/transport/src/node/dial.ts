import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from "node:tls";
import { checkOptionTypes, ThinglineError } from "@thingline/protocol";
import type { Clock } from "../clock.js";
import { type Connection, defaultConnectTimeoutMs, type DialTarget, type SecureInfo } from "../connection.js";
import { dialTargetTypes } from "../option-types.js";
import { StreamConnection } from "../stream-connection.js";
import type { SlabPool } from "../write-plan.js";
import { connectError, tlsError } from "./errors.js";
import { RecordTap } from "./record-tap.js";
import { encodeSession } from "./session.js";
import type { SharedFacts } from "./shared-facts.js";
import { forgetAddresses, localOf, remoteOf, SocketChannel } from "./socket-channel.js";
import {
  type ClientContexts,
  clientSecureInfo,
  clientTlsOptions,
  serverCertificate,
  ServerIdentity,
} from "./tls-options.js";
import { loadWebSocketLibrary } from "./web-socket-library.js";

export interface DialContext {
  clock: Clock;
  pool: SlabPool;
  contexts: ClientContexts;
  facts: SharedFacts;
}

/** Opens one connection. Whatever was opened on the way is dropped when it fails, is aborted or takes too long. */
export async function dial(context: DialContext, target: DialTarget, signal?: AbortSignal): Promise<Connection> {
  checkOptionTypes(target, dialTargetTypes, { of: "dial()", required: ["host", "port"] });
  const where = `${target.host}:${target.port}`;
  const tlsOptions = target.tls === undefined ? undefined : clientTlsOptions(target.tls, target.host, context.contexts);
  checkPort(target.port);

  const timeoutMs = target.connectTimeoutMs ?? defaultConnectTimeoutMs;
  const attempt = new AbortController();
  const timer = context.clock.setTimer(timeoutMs, () => {
    const message = `${where} was not connected within ${timeoutMs} ms`;
    attempt.abort(new ThinglineError("TIMEOUT", message, { details: { where, timeoutMs } }));
  });
  const abort = (): void => {
    attempt.abort(new ThinglineError("ABORTED", `connecting to ${where} was aborted`, { cause: signal?.reason }));
  };
  signal?.addEventListener("abort", abort, { once: true });
  if (signal?.aborted === true) abort();
  try {
    return await open(context, target, tlsOptions, where, attempt.signal);
  } finally {
    timer.cancel();
    signal?.removeEventListener("abort", abort);
  }
}

/** Most devices never want one: neither the package nor our side of it is loaded for them. */
async function loadWebSockets() {
  const [library, channels] = await Promise.all([loadWebSocketLibrary(), import("./web-socket-channel.js")]);
  return { library, ...channels };
}

async function open(
  { clock, pool, facts }: DialContext,
  target: DialTarget,
  tlsOptions: ConnectionOptions | undefined,
  where: string,
  signal: AbortSignal,
): Promise<Connection> {
  // Before anything is opened: it may be missing.
  const webSockets = target.webSocket === undefined ? undefined : await loadWebSockets();
  signal.throwIfAborted();
  const identity = new ServerIdentity();
  if (tlsOptions !== undefined) tlsOptions.checkServerIdentity = identity.check;
  const { socket, tcp } = await openSocket(target, tlsOptions, where, signal);
  const remote = facts.remote(remoteOf(socket));
  const local = facts.local(localOf(socket));
  forgetAddresses(socket);
  let secure: SecureInfo | undefined;
  if (isTls(socket)) {
    secure = facts.secure(clientSecureInfo(socket, tlsOptions?.servername ?? "", identity, target.tls?.session));
  }
  const options = { clock, pool, secure, local, remote };
  if (webSockets !== undefined && target.webSocket !== undefined) {
    const { library, openWebSocket, WebSocketChannel, webSocketJoinBytesMax } = webSockets;
    const webSocket = await openWebSocket(library, socket, target, target.webSocket, where, signal);
    const connection = new StreamConnection({ ...options, joinBytesMax: webSocketJoinBytesMax(secure) });
    return connection.attach(new WebSocketChannel(webSocket, connection));
  }
  const connection = new StreamConnection(options);
  const { receivedRecordBytesMax } = target.tls ?? {};
  return connection.attach(new SocketChannel(socket, connection, { tcp, receivedRecordBytesMax }));
}

const isTls = (socket: Socket): socket is TLSSocket => "encrypted" in socket;

/** `tcp`: the socket that carries it, itself or below TLS; undefined when TLS has the connection to itself. */
async function openSocket(
  target: DialTarget,
  tlsOptions: ConnectionOptions | undefined,
  where: string,
  signal: AbortSignal,
): Promise<{ socket: Socket; tcp?: Socket }> {
  if (tlsOptions !== undefined && connectsByItself(target, tlsOptions)) {
    Object.assign(tlsOptions, tcpOptions(target));
    return { socket: await openTls(undefined, target, tlsOptions, where, signal) };
  }
  const tcp = await openTcp(target, where, signal);
  return { socket: tlsOptions === undefined ? tcp : await openTls(tcp, target, tlsOptions, where, signal), tcp };
}

/** Whether a TLS socket can make its TCP connection by itself and does all that is asked for. */
function connectsByItself({ host, tls }: DialTarget, tlsOptions: ConnectionOptions): boolean {
  if (tls?.onRecord !== undefined) return false;
  // When a host has several addresses and the first does not answer, Node forgets the session and tells of no other.
  const wantsSession = tls?.session !== undefined || tls?.onSession !== undefined;
  if (wantsSession && isIP(host) === 0) return false;
  // Node connects to `host` and checks the certificate against it when there is no server name.
  return tlsOptions.servername !== "" || tlsOptions.host === host;
}

function tcpOptions({ host, port, family }: DialTarget) {
  return { host, port, allowHalfOpen: true, noDelay: true, ...(family && { family }) };
}

function checkPort(port: number): void {
  if (Number.isInteger(port) && port > 0 && port < 65_536) return;
  throw new ThinglineError("OPTION_INVALID", `port must be a whole number from 1 to 65535, got ${port}`);
}

function openTcp(target: DialTarget, where: string, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as ThinglineError);
    const socket = connectTcp(tcpOptions(target));
    const finish = (): void => {
      signal.removeEventListener("abort", abort);
      socket.removeListener("error", fail);
      socket.removeListener("connect", connected);
    };
    const connected = (): void => {
      finish();
      resolve(socket);
    };
    const fail = (error: Error): void => {
      finish();
      ignoreErrors(socket);
      socket.destroy();
      reject(connectError(error, where));
    };
    const abort = (): void => {
      finish();
      ignoreErrors(socket);
      socket.destroy();
      reject(signal.reason as ThinglineError);
    };
    socket.once("connect", connected);
    socket.once("error", fail);
    signal.addEventListener("abort", abort, { once: true });
  });
}

/** On a TCP connection, or on one of its own: a socket less in memory. */
function openTls(
  tcp: Socket | undefined,
  { tls }: DialTarget,
  tlsOptions: ConnectionOptions,
  where: string,
  signal: AbortSignal,
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as ThinglineError);
    const below = tcp !== undefined && tls?.onRecord !== undefined ? new RecordTap(tcp, tls.onRecord) : tcp;
    const socket = connectTls(below === undefined ? tlsOptions : { ...tlsOptions, socket: below });
    let isConnected = tcp !== undefined;
    if (tls?.onSession !== undefined) {
      const { onSession } = tls;
      socket.on("session", (nodeSession) => {
        onSession(encodeSession({ nodeSession, peerCertificate: serverCertificate(socket, tls.session) }));
      });
    }
    const finish = (): void => {
      signal.removeEventListener("abort", abort);
      socket.removeListener("error", fail);
      socket.removeListener("connect", connected);
      socket.removeListener("secureConnect", secured);
    };
    const drop = (error: ThinglineError): void => {
      finish();
      ignoreErrors(socket);
      if (tcp !== undefined) ignoreErrors(tcp);
      socket.destroy();
      tcp?.destroy();
      reject(error);
    };
    const connected = (): void => {
      isConnected = true;
      // TLS sockets do not take the option.
      socket.setNoDelay(true);
    };
    const secured = (): void => {
      finish();
      resolve(socket);
    };
    const fail = (error: Error): void => {
      if (isConnected) drop(untrustedError(socket, error, where) ?? tlsError(error));
      else drop(connectError(error, where));
    };
    const abort = (): void => drop(signal.reason as ThinglineError);
    if (tcp === undefined) socket.once("connect", connected);
    socket.once("secureConnect", secured);
    socket.once("error", fail);
    signal.addEventListener("abort", abort, { once: true });
  });
}

/** The handshake was fine, but Node would not trust the peer: `authorizationError` says why. */
function untrustedError(socket: TLSSocket, error: Error, where: string): ThinglineError | undefined {
  // Typed as Error, but a code or text; null or undefined when the certificate is not at fault.
  const reason = socket.authorizationError as unknown;
  if (typeof reason !== "string") return undefined;
  const message = `the certificate of ${where} is not trusted: ${reason}`;
  return new ThinglineError("TLS_PEER_UNTRUSTED", message, { details: { reason, where }, cause: error });
}

/** A socket that is being dropped may still report an error, and without a listener that would end the process. */
function ignoreErrors(socket: Socket): void {
  socket.on("error", () => undefined);
}
