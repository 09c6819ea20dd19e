import {
  checkOptionTypes,
  isThinglineError,
  methodsOf,
  optionInvalid,
  type OptionTypes,
  ThinglineError,
} from "@thingline/protocol";
import { integerAt, parseInformation } from "@thingline/protocol/at";
import {
  type Clock,
  clockOption,
  type Connection,
  defaultConnectTimeoutMs,
  type Dialer,
  type DialTarget,
  type SecTagDialer,
  type SecTagDialTarget,
  type SecureInfo,
  SlabPool,
  StreamConnection,
} from "@thingline/transport";
import type { ModemProbe } from "../probe.js";
import type { ModemSession } from "../session.js";
import { burstBytesMax, BurstSize } from "./burst-size.js";
import { explainFailure, isAddress } from "./connect-failure.js";
import { dialectOf, dialectTraits, type SerialModemDialect } from "./dialect.js";
import { ignoreKnown } from "../failures.js";
import { isBanner, isRestart } from "../board-start.js";
import { asLost, SocketChannel } from "./socket-channel.js";
import { SocketCommands, type SocketConnect } from "./socket-commands.js";

/** Sockets of a modem, those of other programs on it included. [NXLIB nrf_modem limits] */
export const serialModemSocketsMax = 8;
/** NRF_MODEM_TLS_MAX_MESSAGE_SIZE: a longer application record kills the modem's socket. */
const receivedRecordBytesMax = 2_048;
/** What the application's host name buffer takes. */
const hostBytesMax = 128;

export interface SerialModemSocketsOptions {
  clock: Clock;
  /** Which application the board runs. Default: found out by `session.probe()`. */
  dialect?: SerialModemDialect;
  /** The packet data network of `+CGDCONT` that sockets use. Default 0. */
  contextId?: number;
  /** Of the opening alone. */
  signal?: AbortSignal;
}

/** The sockets of an nRF91 that runs the serial modem application, by AT commands over one session. */
export interface SerialModemSockets {
  readonly dialect: SerialModemDialect;
  /** An earlier program had left the application in data mode: what it was sending then ended with bytes that mean nothing. */
  readonly leftDataMode: boolean;
  /** Plain TCP. `tls` and `webSocket` of a target are refused with OPTION_INVALID: the modem's TLS goes by security tag. */
  readonly dialer: Dialer;
  /** TLS inside the modem, with the credentials of a security tag. Its `name` is `modem TLS`. */
  readonly secTagDialer: SecTagDialer;
  /** Connections that are open, and dials under way. */
  readonly socketCount: number;
  /** Closes what is open; connections end with CLOSED. The session stays. Safe to call twice. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const optionTypes = {
  clock: clockOption,
  dialect: "string",
  contextId: "number",
  signal: "signal",
} as const satisfies OptionTypes<SerialModemSocketsOptions>;

const sessionOption = methodsOf<Pick<ModemSession, "command" | "sequence" | "onNotification" | "probe">>(
  "a ModemSession",
  { command: true, sequence: true, onNotification: true, probe: true },
  "openModemSession() makes one",
);

/**
 * Opens the sockets of the application behind a session. Sockets that an earlier program left open in the modem are closed.
 *
 * @throws {ThinglineError} MODEM_APPLICATION_MISSING when something else answers, MODEM_NOT_FOUND when nothing does; those of the session.
 */
export async function openSerialModemSockets(
  session: ModemSession,
  options: SerialModemSocketsOptions,
): Promise<SerialModemSockets> {
  const of = "openSerialModemSockets()";
  checkOptionTypes({ session }, { session: sessionOption }, { of, required: ["session"] });
  checkOptionTypes(options, optionTypes, { of, required: ["clock"] });
  const { dialect: given, contextId = 0, clock, signal } = options;
  if (given !== undefined && !Object.hasOwn(dialectTraits, given)) {
    throw optionInvalid("dialect", Object.keys(dialectTraits).join(", "), given);
  }
  if (!Number.isInteger(contextId) || contextId < 0 || contextId > 10) {
    throw optionInvalid("contextId", "an integer from 0 to 10", contextId);
  }
  const probe =
    given === undefined ? await session.probe({ leavesDataMode: true, ...(signal && { signal }) }) : undefined;
  const dialect = given ?? requireDialect(probe ?? { kind: "silent" });
  const commands = new SocketCommands(session, dialectTraits[dialect], contextId);
  await commands.closeAll(signal);
  const leftDataMode = probe?.kind === "serialModem" && probe.leftDataMode === true;
  return new OpenSockets(session, { commands, clock, leftDataMode });
}

function requireDialect(probe: ModemProbe): SerialModemDialect {
  const dialect = dialectOf(probe);
  if (dialect !== undefined) return dialect;
  if (probe.kind === "silent") {
    throw new ThinglineError("MODEM_NOT_FOUND", "nothing on the port answers AT commands");
  }
  const found = {
    modem: "a modem that takes AT commands, and nothing in front of it",
    atHost: "an AT client, which hands AT commands to the modem and has no sockets",
    unknown: "something that speaks, but no AT",
    serialModem: "",
  }[probe.kind];
  const message =
    `the board runs ${found}; a connection through it needs Nordic's serial modem application: Serial Modem, or Serial LTE Modem on ` +
    `an nRF9160`;
  throw new ThinglineError("MODEM_APPLICATION_MISSING", message, { details: { found: probe.kind } });
}

interface OpenSocket {
  channel: SocketChannel;
  connection: StreamConnection;
}

class OpenSockets implements SerialModemSockets {
  readonly leftDataMode: boolean;
  readonly dialer: Dialer;
  readonly secTagDialer: SecTagDialer;
  readonly #session: ModemSession;
  readonly #commands: SocketCommands;
  readonly #clock: Clock;
  readonly #pool = new SlabPool();
  readonly #burst: BurstSize;
  readonly #open = new Map<number, OpenSocket>();
  readonly #dialling = new Set<AbortController>();
  /** What still goes on in the modem after a connection or a dial ended for its user. */
  readonly #trailing = new Set<{ done: Promise<void> }>();
  readonly #unsubscribe: () => void;
  #isClosed = false;

  constructor(
    session: ModemSession,
    { commands, clock, leftDataMode }: { commands: SocketCommands; clock: Clock; leftDataMode: boolean },
  ) {
    this.#session = session;
    this.leftDataMode = leftDataMode;
    this.#commands = commands;
    this.#clock = clock;
    this.#burst = new BurstSize(commands.traits.burstMs);
    this.dialer = { dial: (target, { signal } = {}) => this.#dialPlain(target, signal) };
    this.secTagDialer = {
      name: "modem TLS",
      receivedRecordBytesMax,
      dial: (target, { signal } = {}) => this.#dialSecTag(target, signal),
    };
    this.#unsubscribe = session.onNotification((line) => this.#onNotification(line));
    void session.closed.then(() => this.#onSessionEnd());
  }

  get dialect(): SerialModemDialect {
    return this.#commands.traits.dialect;
  }

  get socketCount(): number {
    return this.#open.size + this.#dialling.size;
  }

  async close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      const error = () => new ThinglineError("CLOSED", "the sockets of the serial modem were closed");
      for (const controller of this.#dialling) controller.abort(error());
      for (const { connection } of this.#open.values()) connection.destroy(error());
    }
    while (this.#open.size > 0 || this.#trailing.size > 0) {
      const open = [...this.#open.values()].map(({ connection }) => connection.closed);
      await Promise.all([...[...this.#trailing].map(({ done }) => done), ...open]);
    }
    this.#unsubscribe();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #dialPlain(target: DialTarget, signal: AbortSignal | undefined): Promise<Connection> {
    const { host, port, family = 4, connectTimeoutMs, tls, webSocket } = target;
    const refused = tls !== undefined ? "tls" : webSocket !== undefined ? "webSocket" : undefined;
    if (refused !== undefined) {
      throw optionInvalid(refused, "nothing: a serial modem has plain sockets, and TLS by security tag", "a value");
    }
    return this.#dial({ host, port, family, tls: undefined }, connectTimeoutMs, signal);
  }

  async #dialSecTag(target: SecTagDialTarget, signal: AbortSignal | undefined): Promise<Connection> {
    const { host, port, secTag, family = 4, alpnProtocols = [], handshake = "full", connectTimeoutMs } = target;
    if (alpnProtocols.length > 0) {
      throw optionInvalid("alpnProtocols", "none: the serial modem application cannot ask for one", "some");
    }
    // The modem checks a certificate against a name only; it has no way to ask for an address.
    const serverName = target.serverName ?? (isAddress(host) ? undefined : host);
    const tls = { secTag, serverName, resumes: handshake === "resume" };
    return this.#dial({ host, port, family, tls }, connectTimeoutMs, signal);
  }

  async #dial(
    target: SocketConnect,
    connectTimeoutMs = defaultConnectTimeoutMs,
    signal: AbortSignal | undefined,
  ): Promise<Connection> {
    const where = `${target.host}:${target.port}`;
    checkTarget(target);
    if (this.#isClosed) throw new ThinglineError("CLOSED", "the sockets of the serial modem were closed");
    if (this.socketCount >= serialModemSocketsMax) {
      const message = `a modem has ${serialModemSocketsMax} sockets, and all are in use`;
      throw new ThinglineError("LIMIT_EXCEEDED", message, { details: { limit: serialModemSocketsMax } });
    }
    const attempt = new AbortController();
    const timer = this.#clock.setTimer(connectTimeoutMs, () => {
      const message = `${where} was not connected within ${connectTimeoutMs} ms`;
      attempt.abort(new ThinglineError("TIMEOUT", message, { details: { where, timeoutMs: connectTimeoutMs } }));
    });
    const onAbort = () => {
      attempt.abort(new ThinglineError("ABORTED", `connecting to ${where} was aborted`, { cause: signal?.reason }));
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    if (signal?.aborted === true) onAbort();
    this.#dialling.add(attempt);
    try {
      // The modem's own commands end when it answers, however long its user waited.
      return await this.#untilAborted(this.#connect(target, attempt.signal), attempt.signal);
    } finally {
      timer.cancel();
      signal?.removeEventListener("abort", onAbort);
      this.#dialling.delete(attempt);
    }
  }

  #untilAborted(work: Promise<Connection>, signal: AbortSignal): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const onAbort = () => reject(signal.reason as ThinglineError);
      if (signal.aborted) onAbort();
      signal.addEventListener("abort", onAbort, { once: true });
      this.#trail(work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort)));
    });
  }

  #trail(work: Promise<unknown>): void {
    const entry = { done: Promise.resolve() };
    const forget = () => void this.#trailing.delete(entry);
    entry.done = work.then(forget, forget);
    this.#trailing.add(entry);
  }

  async #connect(target: SocketConnect, signal: AbortSignal): Promise<Connection> {
    signal.throwIfAborted();
    const handle = await this.#openSocket(target, signal);
    if (this.#open.has(handle)) this.#loseAll(() => restarted("it gave a handle that was in use"), handle);
    try {
      signal.throwIfAborted();
      await this.#commands.setOptions(handle, target);
      await this.#connectSocket(handle, target, signal);
      const cipher = target.tls === undefined ? undefined : await this.#commands.cipherSuite(handle);
      await this.#commands.watch(handle);
      signal.throwIfAborted();
      return this.#adopt(handle, target, cipher);
    } catch (error) {
      // A socket that cannot be closed is gone already, or out of reach.
      await this.#commands.close(handle).catch(ignoreKnown);
      throw error;
    }
  }

  async #openSocket(target: SocketConnect, signal: AbortSignal): Promise<number> {
    try {
      return await this.#commands.open(target, signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (!isThinglineError(error, "MODEM_COMMAND_REJECTED")) throw error;
      // Sockets are refused without a network, and when there are none left.
      const reason = await this.#explain({ ...target, host: "127.0.0.1" }, 0, [], false);
      if (reason.code === "LINK_FAILED" || reason.code === "CREDENTIAL_MISSING") throw reason;
      throw new ThinglineError("LIMIT_EXCEEDED", `the modem opens no further socket`, { cause: error });
    }
  }

  async #connectSocket(handle: number, target: SocketConnect, signal: AbortSignal): Promise<void> {
    const startMs = this.#clock.monotonicMs();
    const information: string[] = [];
    try {
      await this.#commands.connect(handle, target, (line) => information.push(line));
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (!isThinglineError(error, "MODEM_COMMAND_REJECTED")) throw error;
      throw await this.#explain(target, this.#clock.monotonicMs() - startMs, information, true);
    }
  }

  #explain(
    target: SocketConnect,
    tookMs: number,
    information: readonly string[],
    triesPlain: boolean,
  ): Promise<ThinglineError> {
    const reachesPlain = triesPlain
      ? () => this.#reachesPlain({ ...target, tls: undefined })
      : async () => ({ reached: true, tookMs: 0 });
    const run = (line: string, options = {}) => this.#session.command(line, options);
    return explainFailure(run, { target, tookMs, information, reachesPlain });
  }

  async #reachesPlain(target: SocketConnect): Promise<{ reached: boolean; tookMs: number }> {
    const startMs = this.#clock.monotonicMs();
    const tookMs = () => this.#clock.monotonicMs() - startMs;
    let handle: number | undefined;
    try {
      handle = await this.#commands.open(target, new AbortController().signal);
      await this.#commands.connect(handle, target, () => undefined);
      return { reached: true, tookMs: tookMs() };
    } catch (error) {
      ignoreKnown(error);
      return { reached: false, tookMs: tookMs() };
    } finally {
      if (handle !== undefined) await this.#commands.close(handle).catch(ignoreKnown);
    }
  }

  #adopt(handle: number, target: SocketConnect, cipher: string | undefined): Connection {
    const { host, port, tls } = target;
    const secure: SecureInfo | undefined = tls && {
      protocol: "TLSv1.2",
      cipher: cipher ?? "",
      peerCertificate: undefined,
      serverName: tls.serverName,
      alpnProtocol: undefined,
      isResumed: false,
    };
    const connection = new StreamConnection({
      clock: this.#clock,
      pool: this.#pool,
      secure,
      local: { host: "modem", port: handle },
      remote: { host, port },
      joinBytesMax: burstBytesMax,
    });
    const channel: SocketChannel = new SocketChannel({
      clock: this.#clock,
      commands: this.#commands,
      handle,
      events: connection,
      burst: this.#burst,
      onOver: (released) => {
        if (this.#open.get(handle)?.channel === channel) this.#open.delete(handle);
        this.#trail(released);
      },
    });
    this.#open.set(handle, { channel, connection });
    return connection.attach(channel);
  }

  #onNotification(line: string): void {
    if (line.startsWith("#XAPOLL:")) {
      const { parameters } = parseInformation(line) ?? { parameters: [] };
      const handle = integerAt(parameters, 0);
      const socket = handle === undefined ? undefined : this.#open.get(handle);
      socket?.channel.onPollEvents(integerAt(parameters, 1) ?? 0);
    } else if (isRestart(line)) {
      this.#loseAll(() => restarted(isBanner(line) ? "the board started again" : line));
    }
  }

  /** @param opened the handle of a socket that is new, and no loss */
  #loseAll(makeError: () => ThinglineError, opened?: number): void {
    this.#commands.forget(opened);
    for (const { channel } of [...this.#open.values()]) channel.lose(makeError());
  }

  /** A session tells why it ended to whoever uses it. */
  async #onSessionEnd(): Promise<void> {
    const error = await this.#session.command("AT").then(
      () => new ThinglineError("CLOSED", "the modem session ended"),
      (reason: unknown) => asLost(reason),
    );
    this.#loseAll(() => error);
  }
}

/** A start that the line did not tell shows in handles that are given again: two connections would read from one socket. */
function restarted(how: string): ThinglineError {
  const message = `the modem's socket is gone: ${how}`;
  return new ThinglineError("CONNECTION_LOST", message, { details: { reason: "modemRestarted" } });
}

function checkTarget({ host, port }: SocketConnect): void {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw optionInvalid("port", "a port from 1 to 65535", port);
  const hostBytes = new TextEncoder().encode(host).length;
  if (hostBytes === 0 || hostBytes > hostBytesMax || /["\0]/.test(host)) {
    throw optionInvalid("host", `a host name of 1 to ${hostBytesMax} bytes`, `${hostBytes} bytes`);
  }
}
