import { ThinglineError } from "@thingline/protocol";
import type { ClientSession } from "@thingline/protocol/mqtt/client";
import type { Connection, Timer } from "@thingline/transport";
import { abortedError, brokenError } from "../errors.js";
import { describeCredentials, dial } from "./dial.js";
import { alreadyConnectedError, takenOverError } from "./errors.js";
import { attempt } from "./guard.js";
import type { HeldInput } from "./held-input.js";
import { type ConnectionEnd, ConnectionHistory } from "./history.js";
import { OpenConnection, type OpenPort } from "./open-connection.js";
import type { ConnectionOptions, ConnectionRules } from "./options.js";
import type { ConnectorPort } from "./port.js";
import type { AttemptEnd, ReconnectVerdict } from "./reconnect.js";
import { type AttemptFacts, connectResultOf, dialError, requireConnection } from "./result.js";
import { TlsSessionCache } from "./tls-sessions.js";

type Dialing = { readonly name: "dialing"; readonly controller: AbortController };

/** What the connector is doing, with what exists only then. */
type Phase =
  | { readonly name: "idle" | "closed" }
  | Dialing
  | OpenConnection
  /** An attempt or a connection is over, and what follows is not decided yet. */
  | { readonly name: "settling" }
  /** Between two attempts. */
  | { readonly name: "waiting"; readonly timer: Timer };

const idle: Phase = { name: "idle" };
const closed: Phase = { name: "closed" };
const settling: Phase = { name: "settling" };

/** A `connect()` that is not settled. */
interface Caller {
  resolve: () => void;
  reject: (error: ThinglineError) => void;
}

/** Says how an attempt or a connection ended, once it is known what follows. */
type Tell = (error: ThinglineError | undefined, retry: { retryInMs?: number }) => void;

/** Brings the session's connections about, one after the other. It knows nothing of topics and messages. */
export class DeviceConnector implements OpenPort {
  readonly history: ConnectionHistory;
  #options: ConnectionOptions;
  readonly #rules: ConnectionRules;
  readonly #session: ClientSession<unknown>;
  readonly #port: ConnectorPort;
  readonly #held: HeldInput | undefined;
  /** TLS sessions to resume. Undefined: none are kept. */
  readonly #sessions: TlsSessionCache | undefined;
  #phase: Phase = idle;
  #caller: Caller | undefined;
  /** `disconnect()`, `close()` or an aborted `connect()`: no attempt follows. */
  #leaving: ThinglineError | undefined;
  #isClosing = false;
  #whenIdle: (() => void)[] | undefined;
  #closed: { promise: Promise<void>; resolve: () => void } | undefined;

  constructor(
    options: ConnectionOptions,
    rules: ConnectionRules,
    session: ClientSession<unknown>,
    held: HeldInput | undefined,
    port: ConnectorPort,
  ) {
    this.#rules = rules;
    this.#options = options;
    this.#session = session;
    this.#port = port;
    this.#held = held;
    this.history = new ConnectionHistory(rules, session, port);
    const given = "tlsSessions" in options ? options.tlsSessions : undefined;
    this.#sessions = given ?? (options.handshake === "resume" ? new TlsSessionCache() : undefined);
  }

  get closed(): Promise<void> {
    if (this.#closed === undefined) {
      let resolve = (): void => undefined;
      const promise = new Promise<void>((done) => (resolve = done));
      this.#closed = { promise, resolve };
      if (this.#phase === closed) resolve();
    }
    return this.#closed.promise;
  }

  get state(): "idle" | "connecting" | "ready" | "closing" | "waiting" | "closed" {
    const phase = this.#phase;
    switch (phase.name) {
      case "dialing":
        return "connecting";
      case "open":
        return phase.state;
      case "settling":
        return "closing";
      default:
        return phase.name;
    }
  }

  /** The current connection. */
  get open(): OpenConnection | undefined {
    const phase = this.#phase;
    return phase.name === "open" ? phase : undefined;
  }

  /** CONNACK came and the device is not ready yet. */
  get isStarting(): boolean {
    return this.open?.isStarting === true;
  }

  get isLeaving(): boolean {
    return this.#leaving !== undefined;
  }

  /** Whether the session's connection is there to be used. */
  get isUsable(): boolean {
    return this.#session.state === "connected" && this.#leaving === undefined;
  }

  /** @throws {ThinglineError} CLOSED, or CONNECTION_LOST when nobody tries to connect. */
  requireActive(): void {
    this.requireOpen();
    if (this.#phase !== idle && this.#leaving === undefined) return;
    throw new ThinglineError("CONNECTION_LOST", "the device is not connected, and nobody told it to connect()");
  }

  /** @throws {ThinglineError} CLOSED */
  requireOpen(): void {
    if (this.#isClosing) throw new ThinglineError("CLOSED", "the device was closed");
  }

  /** @throws {ThinglineError} CLOSED, ALREADY_CONNECTED */
  requireIdle(): void {
    this.requireOpen();
    if (this.#phase !== idle) throw alreadyConnectedError(this.state);
  }

  // ---- from outside --------------------------------------------------------------------------------------------

  /** The device is idle. */
  async connect(signal: AbortSignal | undefined, secTag: number | undefined): Promise<void> {
    if (secTag !== undefined) this.#options = { ...this.#options, secTag };
    const ready = new Promise<void>((resolve, reject) => (this.#caller = { resolve, reject }));
    const abort = (): void => this.#leave(abortedError(signal));
    signal?.addEventListener("abort", abort, { once: true });
    this.history.restart({ hasNewTag: secTag !== undefined });
    this.#leaving = signal?.aborted ? abortedError(signal) : undefined;
    this.#attempt();
    try {
      await ready;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  disconnect(): Promise<void> {
    if (this.#phase === idle || this.#phase === closed) return Promise.resolve();
    const resting = new Promise<void>((resolve) => (this.#whenIdle ??= []).push(resolve));
    this.#leave(new ThinglineError("ABORTED", "disconnect() was called before the device was ready"));
    return resting;
  }

  close(): Promise<void> {
    if (this.#isClosing) return this.closed;
    this.#isClosing = true;
    if (this.#phase === idle) {
      this.#end();
      this.#closed?.resolve();
    }
    this.#leave(new ThinglineError("ABORTED", "close() was called before the device was ready"));
    return this.closed;
  }

  /** Ends what goes on. `error` is for a `connect()` that is not settled. */
  #leave(error: ThinglineError): void {
    const phase = this.#phase;
    if (phase === idle || phase === closed || this.#leaving !== undefined) return;
    this.#leaving = error;
    this.guard(() => {
      if (phase.name === "dialing") phase.controller.abort(error);
      else if (phase.name === "open") phase.leave(error);
      else if (phase.name === "waiting") {
        phase.timer.cancel();
        this.#rest(undefined);
      }
    });
  }

  /** After the event: the caller of `connect()` goes on. */
  settleCaller(): void {
    const caller = this.#caller;
    this.#caller = undefined;
    caller?.resolve();
  }

  // ---- one attempt ---------------------------------------------------------------------------------------------

  #attempt(): void {
    const dialing: Dialing = { name: "dialing", controller: new AbortController() };
    this.#phase = dialing;
    void this.#dial(dialing).catch((thrown: unknown) => this.broken(thrown));
  }

  async #dial(dialing: Dialing): Promise<void> {
    this.#port.connecting({});
    let connection: Connection;
    try {
      this.#throwIfLeaving();
      const { isFullHandshake } = this.history;
      const { signal } = dialing.controller;
      connection = await dial(this.#options, this.#rules, { signal, sessions: this.#sessions, isFullHandshake });
      requireConnection(connection);
      if (this.#phase === dialing && this.#leaving !== undefined) {
        connection.destroy();
        await connection.closed;
        this.#throwIfLeaving();
      }
    } catch (thrown) {
      if (this.#phase === dialing) this.#dialFailed(thrown);
      return;
    }
    if (this.#phase === dialing) this.#opened(connection);
    // Something else has ended the attempt, and nobody waits for what came of it.
    else connection.destroy();
  }

  #throwIfLeaving(): void {
    if (this.#leaving !== undefined) throw this.#leaving;
  }

  #dialFailed(thrown: unknown): void {
    const error = dialError(this.#leaving ?? thrown, this.facts(undefined));
    this.history.dialFailed();
    this.#proceed({ error, wasOpen: false, readyForMs: undefined, cut: undefined }, (_, retryInMs) => {
      this.#port.connecting({ result: connectResultOf(error), error, ...retryInMs });
    });
  }

  #opened(connection: Connection): void {
    const { history } = this;
    const { clock } = this.#options;
    const open = new OpenConnection(connection, this.#rules, clock, this.#session, this.#held, this);
    this.#phase = open;
    const isCleanStart = this.#rules.session.isCleanSession || history.wantsCleanSession;
    this.#session.connectionOpened(clock.monotonicMs(), { isCautious: history.isCautious, isCleanStart });
    this.#port.opened();
    open.start();
    open.arm();
    if (this.#held !== undefined) this.settleCaller();
  }

  /** The session got its CONNACK. @returns false when the connection was there to discard the old session, and ends */
  connected(isSessionPresent: boolean): boolean {
    const { open } = this;
    const event = this.history.discarded();
    // In MQTT 3.1.1 a session that begins clean also ends with its connection: the next one is to be kept.
    const isDiscarding = event !== undefined && this.#rules.session.version === 4;
    if (open?.connected(isSessionPresent, isDiscarding) !== true) return false;
    if (event === undefined) return true;
    this.#port.recordTooLarge(event);
    // A listener may have ended it.
    if (!open.isStarting) return false;
    if (isDiscarding) open.endNow("misc", event.error);
    return !isDiscarding;
  }

  // ---- for the connection that is open -------------------------------------------------------------------------

  facts(protocol: AttemptFacts["protocol"]): AttemptFacts {
    const { host, port } = this.#rules;
    const { clientId, lastWill } = this.#options;
    const credentials = describeCredentials(this.#options);
    return { host, port, clientId, lastWillTopic: lastWill?.topic, protocol, ...credentials };
  }

  progressed(): void {
    this.#port.progressed();
  }

  report(error: ThinglineError): void {
    this.#port.report(error);
  }

  over(end: ConnectionEnd): void {
    const hasGivenUp = this.history.checkSuspect(end);
    this.#phase = settling;
    this.#port.ended(end.isByServer, end.error);
    this.history.connectionEnded(end, hasGivenUp, this.#caller !== undefined);
    this.#proceed(end, (error, retryInMs) => {
      const { reason } = end.ending;
      this.#port.disconnected({ reason, ...(error === undefined ? {} : { error }), ...retryInMs });
    });
  }

  // ---- and the next --------------------------------------------------------------------------------------------

  /** An attempt or its connection is over. All is settled before `tell` calls listeners, which may call anything. */
  #proceed(end: AttemptEnd, tell: Tell): void {
    const [verdict, reason] = this.#judged(end);
    const error =
      verdict === "takenOver" && reason?.code !== "MQTT_SESSION_TAKEN_OVER"
        ? takenOverError(this.#options.clientId, reason)
        : reason;
    if (typeof verdict === "object") {
      const { retryInMs } = verdict;
      const timer = this.#options.clock.setTimer(retryInMs, () => this.guard(() => this.#attempt()));
      this.#phase = { name: "waiting", timer };
      return tell(error, { retryInMs });
    }
    const failure = this.#leaving === undefined ? error : undefined;
    // A refused CONNACK was an `error` event when it came.
    const isUntold =
      failure !== undefined &&
      failure.code !== "MQTT_CONNECT_REFUSED" &&
      this.#caller === undefined &&
      verdict !== "single";
    this.#rest(failure, error, () => {
      tell(error, {});
      if (isUntold) this.#port.report(failure);
    });
  }

  /** A source of randomness that throws ends the attempts. */
  #judged(end: AttemptEnd): [ReconnectVerdict | "single", ThinglineError | undefined] {
    if (this.#leaving !== undefined) return ["single", end.error];
    try {
      return [this.history.verdict(end, this.#options.random, this.#caller !== undefined), end.error];
    } catch (thrown) {
      return ["final", brokenError(thrown, ", so it is idle")];
    }
  }

  /** No attempt follows: whoever waits is told, then `tell` calls listeners. `failure`: the device did not want this. */
  #rest(failure: ThinglineError | undefined, error = failure ?? this.#leaving, tell = (): void => undefined): void {
    const caller = this.#caller;
    const whenIdle = this.#whenIdle ?? [];
    this.#whenIdle = undefined;
    this.#caller = undefined;
    this.#leaving = undefined;
    this.#phase = idle;
    const code = this.#isClosing ? "CLOSED" : "CONNECTION_LOST";
    const gone = new ThinglineError(code, "the device was disconnected before this was answered");
    const isClosing = this.#isClosing;
    try {
      this.#port.stopped(failure ?? gone, failure);
      if (isClosing) this.#end();
      tell();
    } finally {
      if (error !== undefined) caller?.reject(error);
      for (const resolve of whenIdle) resolve();
      if (isClosing) this.#closed?.resolve();
    }
  }

  #end(): void {
    this.#phase = closed;
    this.#port.closed();
  }

  // ---- what may throw ------------------------------------------------------------------------------------------

  /** For what a clock or a connection calls: there is nobody to throw at but the process. */
  guard(handle: () => void): void {
    try {
      handle();
    } catch (thrown) {
      this.broken(thrown);
    }
  }

  /**
   * What the device was given threw, or the library did: whatever goes on ends, and everybody who waits is told. Nothing here relies on
   * what may have thrown.
   */
  broken(thrown: unknown): void {
    const error = brokenError(thrown, ", so it is idle");
    const phase = this.#phase;
    if (phase === idle || phase === closed) return this.#port.report(error);
    const isUntold = this.#caller === undefined;
    this.#phase = settling;
    if (phase.name === "dialing") phase.controller.abort(error);
    if (phase.name === "open") phase.abandon(error);
    if (phase.name === "waiting") attempt(() => phase.timer.cancel());
    const nowMs = attempt(() => this.#options.clock.monotonicMs()) ?? 0;
    attempt(() => this.#session.connectionClosed(nowMs, error));
    attempt(() => this.#port.ended(false, error));
    const tell = (): void => {
      if (phase.name === "open") this.#port.disconnected({ reason: "misc", error });
      if (isUntold) this.#port.report(error);
    };
    attempt(() => this.#rest(error, error, tell));
  }
}
