import type { ThinglineError } from "@thingline/protocol";
import type { ClientSession } from "@thingline/protocol/mqtt/client";
import type { Random } from "@thingline/transport";
import { fractionOf } from "../errors.js";
import {
  closedByRemoteError,
  fruitlessError,
  isMessageFault,
  isServerFault,
  namedError,
  poisonError,
} from "./errors.js";
import type { ConnectionRules } from "./options.js";
import type { Connack, Ending } from "./open-phase.js";
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
import { SuspectMessage } from "./suspect.js";

/** What the history needs of its device. */
export interface HistoryPort {
  /** Somebody waits for a connection or an acknowledgement. */
  isAwaited(): boolean;
  /** What the last record may have come for that this device could not take. */
  suspectFilter(): string | undefined;
  recordTooLarge(event: RecordTooLargeEvent): void;
  /** Those who wait have waited long enough; other connections follow. */
  exhausted(error: ThinglineError): void;
}

/** How a connection ended; `error` is what is told of it. */
export interface ConnectionEnd extends AttemptEnd {
  ending: Ending;
  /** Undefined: CONNACK never came. */
  connack: Connack | undefined;
  /** It was there to discard the session at the server. */
  isDiscarding: boolean;
  /** By what the server or the network did, and not by a record that is too large for us. */
  isByServer: boolean;
}

/** One cut soon after CONNACK happens; from the second in a row on, a PINGREQ looks for the reason. */
const suspiciousCuts = 2;

/** What the connections of a device so far tell: whether and when to try again, how to begin, and what to give up. */
export class ConnectionHistory {
  readonly #rules: ConnectionRules;
  readonly #session: ClientSession<unknown>;
  readonly #port: HistoryPort;
  #reconnect = freshReconnectState;
  /** Connections in a row that were of no use, while somebody waited. */
  #fruitlessCount = 0;
  /** Made when the server closes the connection for the first time. */
  #suspect: SuspectMessage | undefined;
  /** Made when a record that is too large ends a connection for the first time. */
  #records: OversizeRecords | undefined;
  /** The last attempt failed before CONNACK: a session that it resumed may be why. */
  #isFullHandshake = false;

  constructor(rules: ConnectionRules, session: ClientSession<unknown>, port: HistoryPort) {
    this.#rules = rules;
    this.#session = session;
    this.#port = port;
  }

  /** `connect()` was called: what came before counts no more. @param hasNewTag a resumed session would say nothing of what is in it */
  restart({ hasNewTag }: { hasNewTag: boolean }): void {
    this.#reconnect = freshReconnectState;
    this.#fruitlessCount = 0;
    if (hasNewTag) this.#isFullHandshake = true;
  }

  // ---- how to begin --------------------------------------------------------------------------------------------

  /** No TLS session is resumed. */
  get isFullHandshake(): boolean {
    return this.#isFullHandshake;
  }

  /** Messages in flight go out again one at a time. */
  get isCautious(): boolean {
    return this.#suspect?.isNear(this.#session.oldestInFlight) ?? false;
  }

  /** The session at the server is to be discarded. */
  get wantsCleanSession(): boolean {
    return this.#records?.wantsCleanSession === true;
  }

  /** CONNACK came. @returns what to tell when it began the clean session that was wanted */
  discarded(): (RecordTooLargeEvent & { type: "sessionDiscarded" }) | undefined {
    return this.wantsCleanSession ? this.#records?.discarded() : undefined;
  }

  /** The server closes one connection after the other: it is worth to know how far it follows. */
  get isSuspicious(): boolean {
    return this.#reconnect.cuts >= suspiciousCuts;
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

  // ---- what an end tells ---------------------------------------------------------------------------------------

  /**
   * The session has put aside what was in flight. A message that is why the server closes is given up.
   *
   * @returns true when one was
   */
  checkSuspect({ connack, isByServer, error }: ConnectionEnd): boolean {
    if (connack === undefined || !isByServer) return false;
    const cause = error ?? closedByRemoteError(0);
    const oldest = this.#session.oldestInFlight;
    this.#suspect ??= new SuspectMessage();
    // The server accuses a message, and there is only this one.
    const isNamed = isMessageFault(cause) && this.#session.pendingCount - this.#session.waitingCount === 1;
    const isGuilty = this.#suspect.cut(oldest);
    if (oldest === undefined || !(isGuilty || isNamed)) return false;
    const { topic } = oldest;
    this.#session.giveUp(oldest, isGuilty ? poisonError(topic, publishCutsMax, cause) : namedError(topic, cause));
    return true;
  }

  /** @param isCallerWaiting a `connect()` is not settled */
  connectionEnded(end: ConnectionEnd, hasGivenUp: boolean, isCallerWaiting: boolean): void {
    this.#isFullHandshake = end.connack === undefined;
    this.#checkRecords(end);
    // One that the server refuses by closing is out of the way: those behind it have their own connections. No fault of the server's tells that.
    this.#countFruitless(end, hasGivenUp && !isServerFault(end.ending.error), isCallerWaiting);
  }

  dialFailed(): void {
    this.#isFullHandshake = true;
  }

  #checkRecords(end: ConnectionEnd): void {
    const { connack, ending, isDiscarding } = end;
    if (connack === undefined || isDiscarding || this.#rules.keepsTryingRecords) return;
    const { error } = ending;
    if (!isRecordTooLarge(error)) {
      if (isStable(end)) this.#records?.stable();
      return;
    }
    this.#records ??= new OversizeRecords({ isPersistent: !this.#rules.session.isCleanSession });
    if (isStable(end)) this.#records.stable();
    const filter = this.#port.suspectFilter();
    const dropped = this.#records.cut({ error, isResumed: connack.isResumed, filter });
    if (dropped !== undefined) this.#port.recordTooLarge(dropped);
  }

  /** Nothing waits for ever on a server that answers each connection with something else than an answer. */
  #countFruitless(end: ConnectionEnd, hasGivenUp: boolean, isCallerWaiting: boolean): void {
    const { error } = end;
    const isOfUse = hasGivenUp || isStable(end) || this.#session.hasAcknowledged || error === undefined;
    const isAwaited = isCallerWaiting || this.#port.isAwaited();
    this.#fruitlessCount = isOfUse || !isAwaited ? 0 : this.#fruitlessCount + 1;
    // A `connect()` that is not settled takes all the others with it.
    if (error === undefined || isCallerWaiting || this.#fruitlessCount < fruitlessConnectionsMax) return;
    const exhausted = fruitlessError(this.#fruitlessCount, error);
    this.#fruitlessCount = 0;
    this.#port.exhausted(exhausted);
  }

  // ---- and the next --------------------------------------------------------------------------------------------

  /** @returns `single`: it was to be the only attempt */
  verdict(end: AttemptEnd, random: Random, isCallerWaiting: boolean): ReconnectVerdict | "single" {
    const { reconnect: rules } = this.#rules;
    if (rules === undefined) return "single";
    // There is a way out, which takes a few connections.
    const hasWayOut = this.#records !== undefined && isRecordTooLarge(end.error);
    if (isCallerWaiting && rules.firstAttempt === "fail" && !hasWayOut) return "single";
    const [next, verdict] = nextAttempt(this.#reconnect, end, rules, () => fractionOf(random));
    this.#reconnect = next;
    // Whoever names a number of attempts gets that many.
    const isExhausted = rules.attemptsMax === Infinity && this.#fruitlessCount >= fruitlessConnectionsMax;
    return isCallerWaiting && isExhausted && typeof verdict === "object" ? "exhausted" : verdict;
  }
}

function isStable({ readyForMs }: ConnectionEnd): boolean {
  return readyForMs !== undefined && readyForMs >= stableAfterMs;
}
