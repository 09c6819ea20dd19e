import type { ThinglineError } from "@thingline/protocol";
import type { ConnectResult } from "./result.js";

/** After `AWS_IOT_DISCONNECT_*` of the original library. */
export type DisconnectReason =
  /** `disconnect()`, `close()` or the signal of `connect()`. */
  | "userRequest"
  /** The server or the network ended the connection. */
  | "closedByRemote"
  /** An MQTT 5 server said that it ended the connection because of what this device had sent. */
  | "invalidRequest"
  /** Refused CONNACK, no answer in time, dead link, a server that breaks the protocol. */
  | "misc";

/** An attempt begins, or with a result: it has failed. */
export interface AttemptEvent {
  result?: ConnectResult;
  error?: ThinglineError;
  /** Another one follows. */
  retryInMs?: number;
}

/** A connection that was open has ended. */
export interface EndEvent {
  reason: DisconnectReason;
  error?: ThinglineError;
  /** An attempt follows. */
  retryInMs?: number;
}
