import type { ErrorCode, ThinglineError } from "@thingline/protocol";

export interface ReconnectOptions {
  /** Upper end of the first wait. Default {@link defaultReconnectBaseMs}. */
  baseMs?: number;
  /** Upper end of every wait: it doubles with each failure up to this. Default {@link defaultReconnectCapMs}. */
  capMs?: number;
  /**
   * Attempts in a row that may fail before the device gives up and is idle. Default: no limit, but for a `connect()` with
   * `firstAttempt: "retry"`, which gives up after {@link fruitlessConnectionsMax} connections that a server took.
   */
  attemptsMax?: number;
  /** Whether `connect()` rejects when its first attempt fails, or goes on trying. Default `fail`. */
  firstAttempt?: "fail" | "retry";
}

export const defaultReconnectBaseMs = 1_000;
export const defaultReconnectCapMs = 60_000;
/** AWS IoT accepts one CONNECT a second for a client id: the shortest wait after a connection that was open. */
export const reconnectAfterCutMs = 1_000;
/** A connection that was ready for this long was a success: failures are counted anew, as AWS's own clients do. */
export const stableAfterMs = 30_000;

/**
 * So many connections in a row that the server closed within {@link takeoverWithinMs} of their CONNACK, in order, and without a
 * message or request that would explain it, mean under MQTT 3.1.1 that another client has the same client id: each of the two
 * cuts off the other.
 */
export const takeoverCutsMin = 5;
/** Twice the longest wait of a device like this one: that long the other may wait before it comes back and cuts us off. */
export const takeoverWithinMs = 120_000;
/** A message that was the oldest without PUBACK at so many cuts in a row is given up. */
export const publishCutsMax = 5;
/**
 * After so many connections in a row on which the server acknowledged no message and which were not stable, whatever waits for a
 * connection or an acknowledgement is given up: messages, `subscribe()`, and a `connect()` that goes on trying.
 */
export const fruitlessConnectionsMax = 20;

export type ReconnectRules = Required<ReconnectOptions>;

/** What the next decision depends on. */
export interface ReconnectState {
  /** Attempts in a row that did not get ready. */
  failures: number;
  /** Attempts and connections in a row that ended before they were stable. */
  unstable: number;
  /** Connections in a row that were cut soon; and those of them that nothing explains. */
  cuts: number;
  unexplainedCuts: number;
}

/** How an attempt, or the connection that came out of it, ended. */
export interface AttemptEnd {
  error: ThinglineError | undefined;
  /** A connection was open, so that the server may have seen CONNECT. */
  wasOpen: boolean;
  /** Undefined: it never was. */
  readyForMs: number | undefined;
  /**
   * The server closed it, in order, after CONNACK, or broke the protocol so that we did. `isExplained`: something sent may have
   * been the reason.
   */
  cut: { connectedForMs: number; isExplained: boolean } | undefined;
}

export type ReconnectVerdict = { retryInMs: number } | "final" | "exhausted" | "takenOver";

export const freshReconnectState: ReconnectState = { failures: 0, unstable: 0, cuts: 0, unexplainedCuts: 0 };

/**
 * Whether another attempt follows, and when: "full jitter", anything between nothing and an upper end that doubles from
 * `baseMs` to `capMs`, so that a fleet that was cut off together does not come back together.
 *
 * @param fraction 0 <= n < 1, drawn for each decision
 */
export function nextAttempt(
  state: ReconnectState,
  end: AttemptEnd,
  rules: ReconnectRules,
  fraction: () => number,
): [next: ReconnectState, verdict: ReconnectVerdict] {
  if (end.error?.code === "MQTT_SESSION_TAKEN_OVER") return [freshReconnectState, "takenOver"];
  if (isFinal(end.error)) return [freshReconnectState, "final"];
  const [cuts, unexplainedCuts] = countCuts(state, end);
  if (unexplainedCuts >= takeoverCutsMin) return [freshReconnectState, "takenOver"];
  const failures = end.readyForMs === undefined ? state.failures + 1 : 0;
  if (failures >= rules.attemptsMax) return [freshReconnectState, "exhausted"];
  const unstable = end.readyForMs !== undefined && end.readyForMs >= stableAfterMs ? 0 : state.unstable;
  // 2 ** 1024 would be Infinity, and Infinity times a fraction of 0 no number.
  const upperMs = Math.min(rules.capMs, rules.baseMs * 2 ** Math.min(unstable, 64));
  const delayMs = fraction() * upperMs;
  const retryInMs = Math.round(end.wasOpen ? Math.max(reconnectAfterCutMs, delayMs) : delayMs);
  return [{ failures, unstable: unstable + 1, cuts, unexplainedCuts }, { retryInMs }];
}

function countCuts({ cuts, unexplainedCuts }: ReconnectState, { cut }: AttemptEnd): [number, number] {
  if (cut === undefined || cut.connectedForMs >= takeoverWithinMs) return [0, 0];
  return [cuts + 1, cut.isExplained ? unexplainedCuts : unexplainedCuts + 1];
}

/** What no further attempt with the same options and credentials can mend. */
const finalCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "ADAPTER_FAILED",
  "CERTIFICATE_INVALID",
  "CREDENTIAL_MISSING",
  "CREDENTIAL_REFUSED",
  "DEPENDENCY_MISSING",
  "KEY_INVALID",
  "KEY_MISMATCH",
  "MQTT_PACKET_INVALID",
  "OPTION_INVALID",
  // A session over a port whose board is gone stays dead; whoever plugs it in again opens another.
  "SERIAL_PORT_UNPLUGGED",
]);

/**
 * CONNACK codes about this very CONNECT. Of 3.1.1: protocol version, client id. Of 5: malformed, protocol error, version,
 * client id, authentication method, topic name or payload of the will, packet too large, retain or QoS of the will, another
 * server. "Not authorized" is not among them: a policy may be attached at any time.
 */
const finalConnackCodes: ReadonlySet<number> = new Set([
  1, 2, 0x81, 0x82, 0x84, 0x85, 0x8c, 0x90, 0x95, 0x99, 0x9a, 0x9b, 0x9c, 0x9d,
]);

/**
 * Everything else is tried again: a name that does not resolve yet, a server that is away, an untrusted server (a captive
 * portal, a clock not set yet), a certificate or policy that is not active yet (AWS IoT denies by closing).
 */
export function isFinal(error: ThinglineError | undefined): boolean {
  if (error === undefined) return false;
  if (error.code === "MQTT_CONNECT_REFUSED") return finalConnackCodes.has(Number(error.details["reasonCode"]));
  return finalCodes.has(error.code);
}
