import type { ThinglineError } from "@thingline/protocol";
import type { Timer } from "@thingline/transport";
import type { DisconnectReason } from "./events.js";

/** CONNECT is sent. */
export interface Opening {
  readonly name: "opening";
}

/** What is known of a connection from its CONNACK on. */
export interface Connack {
  readonly connectedAtMs: number;
  /** The server had kept the session. */
  readonly isResumed: boolean;
}

/** CONNACK came; what it started is not complete. */
export interface Starting extends Connack {
  readonly name: "starting";
  /** The connection is there to discard the session, and never gets ready. */
  readonly isDiscarding: boolean;
}

export interface Ready extends Connack {
  readonly name: "ready";
  readonly readyAtMs: number;
}

/** What was published before `disconnect()` may still be acknowledged, until the timer says that it was long enough. */
export interface Draining extends Connack {
  readonly name: "draining";
  readonly readyAtMs: number;
  readonly timer: Timer;
}

/** The session uses the connection. */
export type Living = Opening | Starting | Ready | Draining;

/** Why a connection ends. */
export interface Ending {
  readonly reason: DisconnectReason;
  readonly error: ThinglineError | undefined;
}

/** The device has decided to end the connection. */
export interface Closing {
  readonly name: "closing";
  /** What the connection was in when that was decided. */
  readonly living: Living;
  readonly ending: Ending;
  /** A connection that does not come to its end is destroyed. */
  readonly timer: Timer;
}

export interface Over {
  readonly name: "over";
}

/** What an open connection is in, with what exists only then. */
export type OpenPhase = Living | Closing | Over;

export const opening: Opening = { name: "opening" };
export const over: Over = { name: "over" };

export function isLiving(phase: OpenPhase): phase is Living {
  return phase.name !== "closing" && phase.name !== "over";
}

/** Undefined before CONNACK. */
export function connackOf(living: Living): Connack | undefined {
  return living.name === "opening" ? undefined : living;
}

/** Undefined: it was not ready. */
export function readyForMs(living: Living, nowMs: number): number | undefined {
  return living.name === "ready" || living.name === "draining" ? nowMs - living.readyAtMs : undefined;
}
