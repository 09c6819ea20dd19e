import { ThinglineError } from "@thingline/protocol";
import type { ClientSession, MqttPacket } from "@thingline/protocol/mqtt";
import type { Clock, Connection, Timer } from "@thingline/transport";
import { abortedError, brokenError } from "../errors.js";
import { describeCredentials, dial } from "./dial.js";
import {
  alreadyConnectedError,
  closedByRemoteError,
  disconnectReasonOf,
  fruitlessError,
  isByServer,
  isMessageFault,
  isServerFault,
  isTakeover,
  namedError,
  poisonError,
  takenOverError,
} from "./errors.js";
import type { AttemptEvent, DisconnectReason, EndEvent } from "./events.js";
import type { HeldInput } from "./held-input.js";
import { DeviceLink, type LinkHandlers } from "./link.js";
import type { ConnectionOptions, ConnectionRules } from "./options.js";
import {
  type AttemptEnd,
  freshReconnectState,
  fruitlessConnectionsMax,
  nextAttempt,
  publishCutsMax,
  type ReconnectVerdict,
  stableAfterMs,
} from "./reconnect.js";
import { isRecordTooLarge, OversizeRecords, type RecordTooLargeEvent } from "./records.js";
import { attemptError, type AttemptFacts, connectResultOf, dialError, requireConnection } from "./result.js";
import { SuspectMessage } from "./suspect.js";
import { TlsSessionCache } from "./tls-sessions.js";

/** What the connector needs of its device. */
export interface ConnectorPort {
  connecting(event: AttemptEvent): void;
  disconnected(event: EndEvent): void;
  /** What has no caller to go to. */
  report(error: ThinglineError): void;
  /**
   * The device is idle: nobody will send what waits. `waiting` is for requests; `failure` is set when the device gave up by
   * itself.
   */
  stopped(waiting: ThinglineError, failure: ThinglineError | undefined): void;
  /** A connection is open and CONNECT is sent. */
  opened(): void;
  /** A connection has ended, before it is decided whether another follows. `isByServer`: by what the server did. */
  ended(isByServer: boolean, cause: ThinglineError | undefined): void;
  /** Somebody waits for a connection or an acknowledgement. */
  isAwaited(): boolean;
  /** What the last record may have come for that this device could not take. */
  suspectFilter(): string | undefined;
  recordTooLarge(event: RecordTooLargeEvent): void;
  /** Those who wait have waited long enough; other connections follow. */
  exhausted(error: ThinglineError): void;
  /** Input was handled or output has left: the session may take more. */
  progressed(): void;
  /** Idle for ever. */
  closed(): void;
}

type Phase = "idle" | "dialing" | "starting" | "ready" | "draining" | "closing" | "waiting" | "closed";

/** One cut soon after CONNACK happens; from the second in a row on, a PINGREQ looks for the reason. */
const suspiciousCuts = 2;

/** An attempt, and the connection that comes out of it. */
interface Run extends LinkHandlers {
  /** Until the connection is open. */
  dialing: AbortController | undefined;
  link: DeviceLink | undefined;
  connectedAtMs: number | undefined;
  readyAtMs: number | undefined;
  /** The server had kept the session. */
  isResumed: boolean;
  /** It is there to discard the session. */
  isDiscarding: boolean;
  cut: AttemptEnd["cut"];
  ending: { reason: DisconnectReason; error: ThinglineError | undefined } | undefined;
}

/** A `connect()` that is not settled. */
interface Caller {
  resolve: () => void;
  reject: (error: ThinglineError) => void;
}

/** Brings the session's connections about, one after the other, and ends them. It knows nothing of topics and messages. */
export class DeviceConnector {
  #closed: { promise: Promise<void>; resolve: () => void } | undefined;
  #options: ConnectionOptions;
  readonly #checked: ConnectionRules;
  readonly #clock: Clock;
  readonly #session: ClientSession<unknown>;
  readonly #port: ConnectorPort;
  /** Undefined: the device handles input as it comes. */
  readonly #held: HeldInput | undefined;
  #whenIdle: (() => void)[] | undefined;
  #phase: Phase = "idle";
  #run: Run | undefined;
  #caller: Caller | undefined;
  #reconnect = freshReconnectState;
  /** Connections in a row that were of no use, while somebody waited. */
  #fruitlessCount = 0;
  /** Made when the server closes the connection for the first time. */
  #suspect: SuspectMessage | undefined;
  /** Made when a record that is too large ends a connection for the first time. */
  #records: OversizeRecords | undefined;
  /** Undefined: none are kept. */
  readonly #sessions: TlsSessionCache | undefined;
  /** The last attempt failed before CONNACK: a session that it resumed may be why. */
  #isFullHandshake = false;
  /** `disconnect()`, `close()` or an aborted `connect()`: no attempt follows. */
  #leaving: ThinglineError | undefined;
  #isClosing = false;
  #drained: (() => void) | undefined;
  #wakeTimer: Timer | undefined;
  #wakeAtMs: number | undefined;
  /** Of the phase: the end of a wait, of draining, of closing. */
  #phaseTimer: Timer | undefined;

  constructor(
    options: ConnectionOptions,
    checked: ConnectionRules,
    session: ClientSession<unknown>,
    held: HeldInput | undefined,
    port: ConnectorPort,
  ) {
    this.#options = options;
    this.#checked = checked;
    this.#clock = options.clock;
    this.#session = session;
    this.#port = port;
    this.#held = held;
    const given = "tlsSessions" in options ? options.tlsSessions : undefined;
    this.#sessions = given ?? (options.handshake === "resume" ? new TlsSessionCache() : undefined);
  }

  get closed(): Promise<void> {
    if (this.#closed === undefined) {
      let resolve = (): void => undefined;
      const promise = new Promise<void>((done) => (resolve = done));
      this.#closed = { promise, resolve };
      if (this.#phase === "closed") resolve();
    }
    return this.#closed.promise;
  }

  get state(): "idle" | "connecting" | "ready" | "closing" | "waiting" | "closed" {
    switch (this.#phase) {
      case "dialing":
      case "starting":
        return "connecting";
      case "draining":
        return "closing";
      default:
        return this.#phase;
    }
  }

  /** The current connection. */
  get link(): DeviceLink | undefined {
    return this.#run?.link;
  }

  /** CONNACK came and the device is not ready yet. */
  get isStarting(): boolean {
    return this.#phase === "starting";
  }

  /** Whether the session's connection is there to be used. */
  get isOpen(): boolean {
    return this.#session.state === "connected" && this.#leaving === undefined;
  }

  /** @throws {ThinglineError} CLOSED, or CONNECTION_LOST when nobody tries to connect. */
  requireActive(): void {
    this.requireOpen();
    if (this.#phase !== "idle" && this.#leaving === undefined) return;
    throw new ThinglineError("CONNECTION_LOST", "the device is not connected, and nobody told it to connect()");
  }

  /** @throws {ThinglineError} CLOSED */
  requireOpen(): void {
    if (this.#isClosing) throw new ThinglineError("CLOSED", "the device was closed");
  }

  // ---- from outside --------------------------------------------------------------------------------------------

  /** @throws {ThinglineError} CLOSED, ALREADY_CONNECTED */
  requireIdle(): void {
    this.requireOpen();
    if (this.#phase === "idle") return;
    throw alreadyConnectedError(this.state);
  }

  /** The device is idle. */
  async connect(signal: AbortSignal | undefined, secTag: number | undefined): Promise<void> {
    if (secTag !== undefined) this.#options = { ...this.#options, secTag };
    const ready = new Promise<void>((resolve, reject) => (this.#caller = { resolve, reject }));
    const abort = (): void => this.#leave(abortedError(signal));
    signal?.addEventListener("abort", abort, { once: true });
    this.#reconnect = freshReconnectState;
    this.#fruitlessCount = 0;
    this.#leaving = signal?.aborted ? abortedError(signal) : undefined;
    this.#attempt();
    try {
      await ready;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  disconnect(): Promise<void> {
    if (this.#phase === "idle" || this.#phase === "closed") return Promise.resolve();
    const idle = new Promise<void>((resolve) => (this.#whenIdle ??= []).push(resolve));
    this.#leave(new ThinglineError("ABORTED", "disconnect() was called before the device was ready"));
    return idle;
  }

  close(): Promise<void> {
    if (this.#isClosing) return this.closed;
    this.#isClosing = true;
    if (this.#phase === "idle") {
      this.#end();
      this.#closed?.resolve();
    }
    this.#leave(new ThinglineError("ABORTED", "close() was called before the device was ready"));
    return this.closed;
  }

  /** What the CONNACK started is complete. */
  ready(): void {
    if (this.#run === undefined || this.#phase !== "starting") return;
    this.#phase = "ready";
    this.#run.readyAtMs = this.#clock.monotonicMs();
  }

  /** The server closes one connection after the other: it is worth to know how far it follows. */
  get isSuspicious(): boolean {
    return this.#reconnect.cuts >= suspiciousCuts;
  }

  /** After the event: the caller of `connect()` goes on. */
  settleCaller(): void {
    const caller = this.#caller;
    this.#caller = undefined;
    caller?.resolve();
  }

  /** Ends the connection by our own decision. */
  endNow(reason: DisconnectReason, error: ThinglineError | undefined): void {
    const run = this.#run;
    if (run?.link === undefined || run.ending !== undefined || this.#endIfHungUp(run)) return;
    run.ending = { reason, error };
    this.#session.disconnect(this.#clock.monotonicMs());
  }

  /** Nobody waits for an acknowledgement any more, perhaps. */
  checkDrained(): void {
    if (this.#drained !== undefined && !this.#session.isAwaited) this.#drained();
  }

  // ---- leaving -------------------------------------------------------------------------------------------------

  /** Ends what goes on. `error` is for a `connect()` that is not settled. */
  #leave(error: ThinglineError): void {
    if (this.#phase === "idle" || this.#phase === "closed" || this.#leaving !== undefined) return;
    this.#leaving = error;
    switch (this.#phase) {
      case "dialing":
        this.#run?.dialing?.abort(error);
        return;
      case "starting":
        return this.endNow("userRequest", error);
      case "ready":
        // Whoever waits for acknowledgements here does not poll for them, and some may have come already.
        if (this.#session.isAwaited) this.#run?.link?.release();
        if (this.state !== "ready" || (this.#run !== undefined && this.#endIfHungUp(this.#run))) return;
        return this.#drain();
      case "waiting":
        this.#phaseTimer?.cancel();
        return this.#idle(undefined);
      default:
        return;
    }
  }

  /** Waits for what was published before, for `closeTimeoutMs` at the most. */
  #drain(): void {
    this.#phase = "draining";
    const end = (): void => {
      this.#drained = undefined;
      this.#phaseTimer?.cancel();
      this.endNow("userRequest", undefined);
    };
    if (!this.#session.isAwaited) return end();
    this.#drained = end;
    this.#phaseTimer = this.#clock.setTimer(this.#checked.closeTimeoutMs, () => this.#guard(end));
  }

  // ---- one attempt ---------------------------------------------------------------------------------------------

  #attempt(): void {
    const dialing = new AbortController();
    const run = new DeviceConnector.Attempt(this, dialing);
    this.#run = run;
    this.#phase = "dialing";
    void this.#dial(run, dialing.signal).catch((thrown: unknown) => this.#broken(thrown));
  }

  async #dial(run: Run, signal: AbortSignal): Promise<void> {
    this.#port.connecting({});
    let connection: Connection;
    try {
      this.#throwIfLeaving();
      connection = await dial(this.#options, this.#checked, {
        signal,
        sessions: this.#sessions,
        isFullHandshake: this.#isFullHandshake,
      });
      requireConnection(connection);
      if (this.#leaving !== undefined) {
        connection.destroy();
        await connection.closed;
        this.#throwIfLeaving();
      }
    } catch (thrown) {
      const error = dialError(this.#leaving ?? thrown, this.#facts(undefined));
      this.#run = undefined;
      this.#over(run, error, (_, retryInMs) => {
        this.#port.connecting({ result: connectResultOf(error), error, ...retryInMs });
      });
      return;
    }
    this.#opened(run, connection);
  }

  #throwIfLeaving(): void {
    if (this.#leaving !== undefined) throw this.#leaving;
  }

  #opened(run: Run, connection: Connection): void {
    const { session, packetBytesMax, sendTimeoutMs, receiveTimeoutMs } = this.#checked;
    const link = new DeviceLink(connection, {
      version: session.version,
      packetBytesMax,
      clock: this.#clock,
      sendTimeoutMs,
      receiveTimeoutMs,
      held: this.#held,
    });
    run.link = link;
    run.dialing = undefined;
    this.#phase = "starting";
    const isCautious = this.#suspect?.isNear(this.#session.oldestInFlight) ?? false;
    const isCleanStart = this.#checked.session.isCleanSession || this.#records?.wantsCleanSession === true;
    this.#session.connectionOpened(this.#clock.monotonicMs(), { isCautious, isCleanStart });
    this.#port.opened();
    link.start(run);
    this.arm();
    if (this.#held !== undefined) this.settleCaller();
  }

  /** A class, and not closures, so that a connection is small. */
  private static readonly Attempt = class Attempt implements Run {
    readonly connector: DeviceConnector;
    dialing: AbortController | undefined;
    link: DeviceLink | undefined;
    connectedAtMs: number | undefined;
    readyAtMs: number | undefined;
    isResumed = false;
    isDiscarding = false;
    cut: AttemptEnd["cut"];
    ending: Run["ending"];

    constructor(connector: DeviceConnector, dialing: AbortController) {
      this.connector = connector;
      this.dialing = dialing;
    }

    packet(packet: MqttPacket): boolean {
      const session = this.connector.#session;
      session.packetReceived(packet, this.connector.#clock.monotonicMs());
      return session.state !== "offline";
    }

    malformed(error: ThinglineError): void {
      this.connector.#session.fail(error, this.connector.#clock.monotonicMs());
    }

    inputHandled(): void {
      this.connector.#session.heard(this.connector.#clock.monotonicMs());
      this.connector.#port.progressed();
      this.connector.arm();
    }

    drained(): void {
      const { connector } = this;
      connector.#guard(() => {
        connector.#session.setWritable(true, connector.#clock.monotonicMs());
        connector.#port.progressed();
        connector.arm();
      });
    }

    failed(thrown: unknown): void {
      if (this.connector.#run === this) this.connector.#broken(thrown);
    }

    closed(error: ThinglineError | undefined): void {
      const { connector } = this;
      if (connector.#run === this) connector.#guard(() => this.#ended(error));
    }

    #ended(error: ThinglineError | undefined): void {
      const { connector } = this;
      // The application finds out by itself, with `poll()` or `input()`; what it has begun to end is over at once.
      if (connector.#held === undefined || connector.#leaving !== undefined || this.ending !== undefined) {
        connector.#linkClosed(this, error);
      } else connector.#held.ended(error);
    }
  };

  /** The session got its CONNACK. @returns false when the connection was there to discard the old session, and ends */
  connected(isSessionPresent: boolean): boolean {
    const run = this.#run;
    if (run === undefined) return false;
    run.connectedAtMs = this.#clock.monotonicMs();
    run.isResumed = isSessionPresent;
    if (this.#records?.wantsCleanSession !== true) return true;
    const event = this.#records.discarded();
    // In MQTT 3.1.1 a session that begins clean also ends with its connection: the next one is to be kept.
    run.isDiscarding = this.#checked.session.version === 4;
    this.#port.recordTooLarge(event);
    if (!this.isStarting) return false;
    if (run.isDiscarding) this.endNow("misc", event.error);
    return !run.isDiscarding;
  }

  /** Records that were too large keep ending connections: one thing is to be done after the other. */
  get isRecordCautious(): boolean {
    return this.#records?.isCautious === true;
  }

  /** The filter that is to be subscribed before all others. */
  get suspectFilter(): string | undefined {
    return this.#records?.suspectFilter;
  }

  /** It was subscribed by itself, and its messages were none too large. */
  exonerate(filter: string): void {
    this.#records?.exonerate(filter);
  }

  /** The session has ended the connection: `run.ending` tells why when it was ours to decide. */
  sessionClosed(cause: ThinglineError | undefined): void {
    const run = this.#run;
    if (run?.link === undefined) return;
    const { connection } = run.link;
    const error = isTakeover(cause) ? takenOverError(this.#options.clientId, cause) : cause;
    run.ending ??= { reason: disconnectReasonOf(error), error };
    this.#phase = "closing";
    this.#drained = undefined;
    this.#phaseTimer?.cancel();
    this.#phaseTimer = this.#clock.setTimer(this.#checked.closeTimeoutMs, () =>
      this.#guard(() => connection.destroy()),
    );
    // Over a dead link there is nobody to say goodbye to.
    if (error?.code === "CONNECTION_LOST") connection.destroy();
    else void connection.close();
    // There is nothing left to close when the other side was first and the application did not know yet.
    if (this.#held?.end !== undefined) this.#clock.afterTurn(() => this.#guard(() => this.#linkClosed(run, undefined)));
    if (error?.code === "MQTT_CONNECT_REFUSED") this.#port.report(error);
  }

  /** Handles the input that was held for the application, or the end of the connection when that is all there is. */
  input(): void {
    this.requireActive();
    const run = this.#run;
    if (run?.link === undefined) return;
    if (this.#held?.isReadable === true) run.link.input();
    else this.#endIfHungUp(run);
  }

  /** The other side has ended the connection, which the application was left to find out. */
  #endIfHungUp(run: Run): boolean {
    const end = this.#held?.end;
    if (end === undefined) return false;
    this.#linkClosed(run, end.error);
    return true;
  }

  #linkClosed(run: Run, error: ThinglineError | undefined): void {
    if (this.#run !== run) return;
    this.#held?.closed();
    if (run.ending === undefined) {
      run.ending = { reason: "closedByRemote", error: error ?? closedByRemoteError(this.#session.inFlightCount) };
      if (error === undefined) run.cut = this.#cutOf(run, this.#isExplained);
    }
    const { ending } = run;
    if (isServerFault(ending.error)) run.cut = this.#cutOf(run, true);
    const failure = run.readyAtMs === undefined ? this.#attemptFailure(run, ending.error) : ending.error;
    // A record that our own side cannot take is no verdict on what was sent.
    const isCut = isByServer(ending.reason, ending.error) && !isRecordTooLarge(ending.error);
    this.#phase = "closing";
    this.#session.connectionClosed(this.#clock.monotonicMs(), failure);
    const hasGivenUp =
      run.connectedAtMs !== undefined && isCut && this.#checkSuspect(failure ?? closedByRemoteError(0));
    this.#run = undefined;
    this.#wakeTimer?.cancel();
    this.#wakeAtMs = undefined;
    this.#phaseTimer?.cancel();
    this.#drained = undefined;
    this.#port.ended(isCut, failure);
    this.#checkRecords(run, ending.error);
    // One that the server refuses by closing is out of the way: those behind it have their own connections. No fault of the server's tells that.
    this.#countFruitless(run, failure, hasGivenUp && !isServerFault(ending.error));
    this.#over(run, failure, (told, retryInMs) => {
      this.#port.disconnected({
        reason: ending.reason,
        ...(told === undefined ? {} : { error: told }),
        ...retryInMs,
      });
    });
  }

  #cutOf({ connectedAtMs }: Run, isExplained: boolean): Run["cut"] {
    if (connectedAtMs === undefined) return undefined;
    return { connectedForMs: this.#clock.monotonicMs() - connectedAtMs, isExplained };
  }

  /** Something that was sent may be the reason for a close; MQTT 5 would have said that another client took the session. */
  get #isExplained(): boolean {
    return this.#session.isUnproven || this.#checked.session.version === 5;
  }

  /** Nothing waits for ever on a server that answers each connection with something else than an answer. */
  #countFruitless(run: Run, failure: ThinglineError | undefined, hasGivenUp: boolean): void {
    const isOfUse = hasGivenUp || this.#isStable(run) || this.#session.hasAcknowledged || failure === undefined;
    const isAwaited = this.#caller !== undefined || this.#port.isAwaited();
    this.#fruitlessCount = isOfUse || !isAwaited ? 0 : this.#fruitlessCount + 1;
    // A `connect()` that is not settled takes all the others with it.
    if (failure === undefined || this.#caller !== undefined || this.#fruitlessCount < fruitlessConnectionsMax) return;
    const error = fruitlessError(this.#fruitlessCount, failure);
    this.#fruitlessCount = 0;
    this.#port.exhausted(error);
  }

  #checkRecords(run: Run, error: ThinglineError | undefined): void {
    if (run.connectedAtMs === undefined || run.isDiscarding || this.#checked.keepsTryingRecords) return;
    if (!isRecordTooLarge(error)) {
      if (this.#isStable(run)) this.#records?.stable();
      return;
    }
    this.#records ??= new OversizeRecords({ isPersistent: !this.#checked.session.isCleanSession });
    if (this.#isStable(run)) this.#records.stable();
    const dropped = this.#records.cut({ error, isResumed: run.isResumed, filter: this.#port.suspectFilter() });
    if (dropped !== undefined) this.#port.recordTooLarge(dropped);
  }

  #isStable({ readyAtMs }: Run): boolean {
    return readyAtMs !== undefined && this.#clock.monotonicMs() - readyAtMs >= stableAfterMs;
  }

  /** @returns true when a message was given up */
  #checkSuspect(cause: ThinglineError): boolean {
    const oldest = this.#session.oldestInFlight;
    this.#suspect ??= new SuspectMessage();
    // The server accuses a message, and there is only this one.
    const isNamed = isMessageFault(cause) && this.#session.pendingCount - this.#session.waitingCount === 1;
    const isGuilty = this.#suspect.cut(oldest);
    if (oldest === undefined || !(isGuilty || isNamed)) return false;
    const error = isGuilty ? poisonError(oldest.topic, publishCutsMax, cause) : namedError(oldest.topic, cause);
    this.#session.giveUp(oldest, error);
    return true;
  }

  /** Why a connection that did not get ready ended: before CONNACK with advice, after it as it is. */
  #attemptFailure(run: Run, error: ThinglineError | undefined): ThinglineError {
    if (error !== undefined && (run.connectedAtMs !== undefined || error.code === "ABORTED")) return error;
    if (run.connectedAtMs !== undefined) return closedByRemoteError(this.#session.inFlightCount);
    return attemptError(error, this.#facts(run.link?.connection.secure?.protocol));
  }

  #facts(protocol: AttemptFacts["protocol"]): AttemptFacts {
    const { host, port } = this.#checked;
    const { clientId, lastWill } = this.#options;
    const credentials = describeCredentials(this.#options);
    return { host, port, clientId, lastWillTopic: lastWill?.topic, protocol, ...credentials };
  }

  // ---- and the next --------------------------------------------------------------------------------------------

  /** An attempt or its connection is over. All is settled before `tell` calls listeners, which may call anything. */
  #over(
    run: Run,
    cause: ThinglineError | undefined,
    tell: (error: ThinglineError | undefined, retry: { retryInMs?: number }) => void,
  ): void {
    this.#isFullHandshake = run.connectedAtMs === undefined;
    const [verdict, reason] = this.#judged(run, cause);
    const error =
      verdict === "takenOver" && reason?.code !== "MQTT_SESSION_TAKEN_OVER"
        ? takenOverError(this.#options.clientId, reason)
        : reason;
    if (typeof verdict === "object") {
      const { retryInMs } = verdict;
      this.#phase = "waiting";
      this.#phaseTimer = this.#clock.setTimer(retryInMs, () => this.#attempt());
      return tell(error, { retryInMs });
    }
    const failure = this.#leaving === undefined ? error : undefined;
    // A refused CONNACK was an `error` event when it came.
    const isUntold =
      failure !== undefined &&
      failure.code !== "MQTT_CONNECT_REFUSED" &&
      this.#caller === undefined &&
      verdict !== "single";
    this.#idle(failure, error, () => {
      tell(error, {});
      if (isUntold) this.#port.report(failure);
    });
  }

  /** A source of randomness that throws ends the attempts. */
  #judged(run: Run, cause: ThinglineError | undefined): [ReconnectVerdict | "single", ThinglineError | undefined] {
    try {
      return [this.#verdict(run, cause), cause];
    } catch (thrown) {
      return ["final", brokenError(thrown, ", so it is idle")];
    }
  }

  #verdict(run: Run, error: ThinglineError | undefined): ReconnectVerdict | "single" {
    const { reconnect: rules } = this.#checked;
    if (rules === undefined || this.#leaving !== undefined) return "single";
    const isFirst = this.#caller !== undefined;
    // There is a way out, which takes a few connections.
    const hasWayOut = this.#records !== undefined && isRecordTooLarge(error);
    if (isFirst && rules.firstAttempt === "fail" && !hasWayOut) return "single";
    const { readyAtMs } = run;
    const end: AttemptEnd = {
      error,
      cut: run.cut,
      wasOpen: run.link !== undefined,
      readyForMs: readyAtMs === undefined ? undefined : this.#clock.monotonicMs() - readyAtMs,
    };
    const [next, verdict] = nextAttempt(this.#reconnect, end, rules, () => this.#options.random.fraction());
    this.#reconnect = next;
    // Whoever names a number of attempts gets that many.
    const isExhausted = rules.attemptsMax === Infinity && this.#fruitlessCount >= fruitlessConnectionsMax;
    return isFirst && isExhausted && typeof verdict === "object" ? "exhausted" : verdict;
  }

  /** For what a clock or a connection calls: there is nobody to throw at but the process. */
  #guard(handle: () => void): void {
    try {
      handle();
    } catch (thrown) {
      this.#broken(thrown);
    }
  }

  /**
   * What the device was given threw, or the library did: whatever goes on ends, and everybody who waits is told. Nothing here relies on
   * what may have thrown.
   */
  #broken(thrown: unknown): void {
    const error = brokenError(thrown, ", so it is idle");
    const run = this.#run;
    const isUntold = this.#caller === undefined;
    this.#run = undefined;
    this.#wakeAtMs = undefined;
    this.#drained = undefined;
    run?.dialing?.abort(error);
    this.#held?.closed();
    const nowMs = attempt(() => this.#clock.monotonicMs()) ?? 0;
    attempt(() => run?.link?.connection.destroy(error));
    attempt(() => this.#wakeTimer?.cancel());
    attempt(() => this.#phaseTimer?.cancel());
    attempt(() => this.#session.connectionClosed(nowMs, error));
    attempt(() => this.#port.ended(false, error));
    const tell = (): void => {
      if (run?.link !== undefined) this.#port.disconnected({ reason: "misc", error });
      if (isUntold) this.#port.report(error);
    };
    if (this.#phase === "idle" || this.#phase === "closed") tell();
    else attempt(() => this.#idle(error, error, tell));
  }

  /** No attempt follows: whoever waits is told, then `tell` calls listeners. `failure`: the device did not want this. */
  #idle(failure: ThinglineError | undefined, error = failure ?? this.#leaving, tell = (): void => undefined): void {
    const caller = this.#caller;
    const whenIdle = this.#whenIdle ?? [];
    this.#whenIdle = undefined;
    this.#caller = undefined;
    this.#leaving = undefined;
    this.#phase = "idle";
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
    this.#phase = "closed";
    this.#port.closed();
  }

  // ---- time ----------------------------------------------------------------------------------------------------

  /** Sees to it that the session is woken when it wants to be, and output and input looked at. One timer serves all. */
  arm(): void {
    const link = this.#run?.link;
    if (link === undefined) return;
    const atMs = Math.min(this.#session.wakeAtMs, link.checkDueMs);
    if (atMs >= (this.#wakeAtMs ?? Infinity)) return;
    this.#wakeTimer?.cancel();
    this.#wakeAtMs = atMs;
    this.#wakeTimer = this.#clock.setTimer(Math.max(0, atMs - this.#clock.monotonicMs()), () =>
      this.#guard(() => this.#wake()),
    );
  }

  #wake(): void {
    this.#wakeAtMs = undefined;
    const run = this.#run;
    const nowMs = this.#clock.monotonicMs();
    const error = run?.link?.checkOutput(nowMs) ?? run?.link?.checkInput(nowMs);
    if (run !== undefined && error !== undefined) {
      // Nothing more can be said to the server, or is worth it.
      run.ending ??= { reason: "misc", error };
      run.link?.connection.destroy();
    }
    this.#session.tick(nowMs);
    this.arm();
  }
}

/** Undefined when it threw: what came before it is told already. */
function attempt<Result>(run: () => Result): Result | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}
