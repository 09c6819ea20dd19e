import type { ThinglineError } from "@thingline/protocol";
import type { ClientSession, MqttPacket } from "@thingline/protocol/mqtt/client";
import type { Clock, Connection, Timer } from "@thingline/transport";
import {
  closedByRemoteError,
  disconnectReasonOf,
  isByServer,
  isServerFault,
  isTakeover,
  takenOverError,
} from "./errors.js";
import type { DisconnectReason } from "./events.js";
import { attempt } from "./guard.js";
import type { HeldInput } from "./held-input.js";
import type { ConnectionEnd } from "./history.js";
import { DeviceLink } from "./link.js";
import {
  type Closing,
  connackOf,
  type Ending,
  isLiving,
  type Living,
  opening,
  type OpenPhase,
  over,
  type Ready,
  readyForMs,
} from "./open-phase.js";
import type { ConnectionRules } from "./options.js";
import { isRecordTooLarge } from "./records.js";
import { attemptError, type AttemptFacts } from "./result.js";

/** What an open connection needs of the connector that it belongs to. */
export interface OpenPort {
  /** `disconnect()`, `close()` or an aborted `connect()`: no other connection follows. */
  readonly isLeaving: boolean;
  /** For what a clock or a connection calls. */
  guard(handle: () => void): void;
  broken(thrown: unknown): void;
  /** What to say about an attempt that failed. */
  facts(protocol: AttemptFacts["protocol"]): AttemptFacts;
  /** Input was handled or output has left: the session may take more. */
  progressed(): void;
  /** What has no caller to go to. */
  report(error: ThinglineError): void;
  /** Once, last. The session knows. */
  over(end: ConnectionEnd): void;
}

/** One connection of the session, from CONNECT to its end. */
export class OpenConnection extends DeviceLink {
  readonly #rules: ConnectionRules;
  readonly #session: ClientSession<unknown>;
  readonly #port: OpenPort;
  #phase: OpenPhase = opening;
  #wakeTimer: Timer | undefined;
  #wakeAtMs: number | undefined;

  /** @param held undefined: the device handles input as it comes */
  constructor(
    connection: Connection,
    rules: ConnectionRules,
    clock: Clock,
    session: ClientSession<unknown>,
    held: HeldInput | undefined,
    port: OpenPort,
  ) {
    const { packetBytesMax, sendTimeoutMs, receiveTimeoutMs } = rules;
    super(connection, { version: rules.session.version, packetBytesMax, clock, held, sendTimeoutMs, receiveTimeoutMs });
    this.#rules = rules;
    this.#session = session;
    this.#port = port;
  }

  /** Of the connector's phase. */
  get name(): "open" {
    return "open";
  }

  get state(): "connecting" | "ready" | "closing" {
    switch (this.#phase.name) {
      case "opening":
      case "starting":
        return "connecting";
      case "ready":
        return "ready";
      default:
        return "closing";
    }
  }

  /** CONNACK came and the device is not ready yet. */
  get isStarting(): boolean {
    return this.#phase.name === "starting";
  }

  // ---- from CONNACK on -----------------------------------------------------------------------------------------

  /** CONNACK came. @returns false when the connection is being ended already */
  connected(isResumed: boolean, isDiscarding: boolean): boolean {
    if (this.#phase !== opening) return false;
    this.#phase = { name: "starting", connectedAtMs: this.clock.monotonicMs(), isResumed, isDiscarding };
    return true;
  }

  /** What the CONNACK started is complete. */
  ready(): void {
    const phase = this.#phase;
    if (phase.name !== "starting") return;
    const { connectedAtMs, isResumed } = phase;
    // Written out: each copy by `...` would have a hidden class of its own in V8, and a gateway has thousands of connections.
    this.#phase = { name: "ready", connectedAtMs, isResumed, readyAtMs: this.clock.monotonicMs() };
  }

  /** Ends the connection by our own decision. */
  endNow(reason: DisconnectReason, error: ThinglineError | undefined): void {
    const phase = this.#phase;
    if (!isLiving(phase) || this.#endIfHungUp()) return;
    this.#decide(phase, { reason, error });
    this.#session.disconnect(this.clock.monotonicMs());
  }

  /** Ends the connection, once what was published before is acknowledged. `error` is why when it was not ready. */
  leave(error: ThinglineError): void {
    const phase = this.#phase;
    if (phase.name !== "ready") return this.endNow("userRequest", error);
    // Whoever waits for acknowledgements here does not poll for them, and some may have come already.
    if (this.#session.isAwaited) this.release();
    if (this.#phase === phase && !this.#endIfHungUp()) this.#drain(phase);
  }

  /** Waits for `closeTimeoutMs` at the most. */
  #drain(ready: Ready): void {
    const end = (): void => this.endNow("userRequest", undefined);
    if (!this.#session.isAwaited) return end();
    const timer = this.clock.setTimer(this.#rules.closeTimeoutMs, () => this.#port.guard(end));
    this.#phase = { ...ready, name: "draining", timer };
  }

  /** Nobody waits for an acknowledgement any more, perhaps. */
  checkDrained(): void {
    if (this.#phase.name === "draining" && !this.#session.isAwaited) this.endNow("userRequest", undefined);
  }

  // ---- what the link says --------------------------------------------------------------------------------------

  protected override packet(packet: MqttPacket): boolean {
    if (this.#phase === over) return false;
    this.#session.packetReceived(packet, this.clock.monotonicMs());
    return this.#session.state !== "offline";
  }

  protected override malformed(error: ThinglineError): void {
    this.#session.fail(error, this.clock.monotonicMs());
  }

  protected override inputHandled(): void {
    if (this.#phase === over) return;
    this.#session.heard(this.clock.monotonicMs());
    this.#port.progressed();
    this.arm();
  }

  override drained(): void {
    if (this.#phase === over) return;
    this.#port.guard(() => {
      this.#session.setWritable(true, this.clock.monotonicMs());
      this.#port.progressed();
      this.arm();
    });
  }

  protected override failed(thrown: unknown): void {
    if (this.#phase !== over) this.#port.broken(thrown);
  }

  override closed(error: ThinglineError | undefined): void {
    this.#port.guard(() => {
      // The application finds out by itself, with `poll()` or `input()`; what it has begun to end is over at once.
      if (this.held === undefined || this.#port.isLeaving || !isLiving(this.#phase)) this.#over(error);
      else this.held.ended(error);
    });
  }

  /** Handles the input that was held for the application, or the end of the connection when that is all there is. */
  input(): void {
    if (this.held?.isReadable === true) this.takeHeld();
    else this.#endIfHungUp();
  }

  // ---- ending --------------------------------------------------------------------------------------------------

  /** The device has decided to end the connection, which has some time to come to its end. */
  #decide(living: Living, ending: Ending): void {
    if (living.name === "draining") living.timer.cancel();
    const destroy = (): void => this.connection.destroy();
    const timer = this.clock.setTimer(this.#rules.closeTimeoutMs, () => this.#port.guard(destroy));
    this.#phase = { name: "closing", living, ending, timer };
  }

  /** The session has ended the connection; the phase tells why when that was ours to decide. */
  sessionClosed(cause: ThinglineError | undefined): void {
    const { connection } = this;
    const error = isTakeover(cause) ? takenOverError(this.#rules.session.clientId, cause) : cause;
    if (isLiving(this.#phase)) this.#decide(this.#phase, { reason: disconnectReasonOf(error), error });
    // Over a dead link there is nobody to say goodbye to.
    if (error?.code === "CONNECTION_LOST") connection.destroy();
    else void connection.close();
    // There is nothing left to close when the other side was first and the application did not know yet.
    if (this.held?.end !== undefined) this.clock.afterTurn(() => this.#port.guard(() => this.#over(undefined)));
    if (error?.code === "MQTT_CONNECT_REFUSED") this.#port.report(error);
  }

  /** The other side has ended the connection, which the application was left to find out. */
  #endIfHungUp(): boolean {
    const end = this.held?.end;
    if (end === undefined) return false;
    this.#over(end.error);
    return true;
  }

  /** The link is closed. */
  #over(linkError: ThinglineError | undefined): void {
    const phase = this.#phase;
    if (phase.name === "over") return;
    this.held?.closed();
    const nowMs = this.clock.monotonicMs();
    const end = this.#endOf(phase, linkError, nowMs);
    this.#phase = over;
    this.#session.connectionClosed(nowMs, end.error);
    this.#wakeTimer?.cancel();
    if ("timer" in phase) phase.timer.cancel();
    this.#port.over(end);
  }

  #endOf(phase: Living | Closing, linkError: ThinglineError | undefined, nowMs: number): ConnectionEnd {
    const isOurs = phase.name === "closing";
    const living = isOurs ? phase.living : phase;
    const ending = isOurs ? phase.ending : this.#endingByRemote(linkError);
    const connack = connackOf(living);
    const readyMs = readyForMs(living, nowMs);
    const isFault = isServerFault(ending.error);
    const isCutOff = connack !== undefined && (isFault || (!isOurs && linkError === undefined));
    return {
      ending,
      error: readyMs === undefined ? this.#failureOf(living, ending.error) : ending.error,
      connack,
      isDiscarding: living.name === "starting" && living.isDiscarding,
      wasOpen: true,
      readyForMs: readyMs,
      cut: isCutOff
        ? { connectedForMs: nowMs - connack.connectedAtMs, isExplained: isFault || this.#isExplained }
        : undefined,
      // A record that our own side cannot take is no verdict on what was sent.
      isByServer: isByServer(ending.reason, ending.error) && !isRecordTooLarge(ending.error),
    };
  }

  #endingByRemote(error: ThinglineError | undefined): Ending {
    return { reason: "closedByRemote", error: error ?? closedByRemoteError(this.#session.inFlightCount) };
  }

  /** Something that was sent may be the reason for a close; MQTT 5 would have said that another client took the session. */
  get #isExplained(): boolean {
    return this.#session.isUnproven || this.#rules.session.version === 5;
  }

  /** Why a connection that did not get ready ended: before CONNACK with advice, after it as it is. */
  #failureOf(living: Living, error: ThinglineError | undefined): ThinglineError {
    const isConnected = living.name !== "opening";
    if (error !== undefined && (isConnected || error.code === "ABORTED")) return error;
    if (isConnected) return closedByRemoteError(this.#session.inFlightCount);
    return attemptError(error, this.#port.facts(this.connection.secure?.protocol));
  }

  /** Something threw: the connection ends, and nothing of it is told. Nothing here relies on what may have thrown. */
  abandon(error: ThinglineError): void {
    const phase = this.#phase;
    this.#phase = over;
    attempt(() => this.held?.closed());
    attempt(() => this.connection.destroy(error));
    attempt(() => this.#wakeTimer?.cancel());
    attempt(() => ("timer" in phase ? phase.timer.cancel() : undefined));
  }

  // ---- time ----------------------------------------------------------------------------------------------------

  /** Sees to it that the session is woken when it wants to be, and output and input looked at. One timer serves all. */
  arm(): void {
    if (this.#phase === over) return;
    const atMs = Math.min(this.#session.wakeAtMs, this.checkDueMs);
    if (atMs >= (this.#wakeAtMs ?? Infinity)) return;
    this.#wakeTimer?.cancel();
    this.#wakeAtMs = atMs;
    const delayMs = Math.max(0, atMs - this.clock.monotonicMs());
    this.#wakeTimer = this.clock.setTimer(delayMs, () => this.#port.guard(() => this.#wake()));
  }

  #wake(): void {
    this.#wakeAtMs = undefined;
    const nowMs = this.clock.monotonicMs();
    const error = this.checkOutput(nowMs) ?? this.checkInput(nowMs);
    if (error !== undefined) {
      // Nothing more can be said to the server, or is worth it.
      if (isLiving(this.#phase)) this.#decide(this.#phase, { reason: "misc", error });
      this.connection.destroy();
    }
    this.#session.tick(nowMs);
    this.arm();
  }
}
