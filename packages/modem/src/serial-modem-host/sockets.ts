import { ThinglineError } from "@thingline/protocol";
import type { Clock, Dialer, SecTagDialer } from "@thingline/transport";
import type { ModemSession } from "../session.js";
import type { SerialModemDialect } from "./dialect.js";

export interface SerialModemSocketsOptions {
  clock: Clock;
  /** Which application the board runs. Default: found out by `session.probe()`. */
  dialect?: SerialModemDialect;
  /** The packet data network of `+CGDCONT` that sockets use. Default 0. */
  contextId?: number;
}

/** The sockets of an nRF91 that runs the serial modem application, by AT commands over one session. */
export interface SerialModemSockets {
  readonly dialect: SerialModemDialect;
  /** Plain TCP. `tls` and `webSocket` of a target are refused with OPTION_INVALID: the modem's TLS goes by security tag. */
  readonly dialer: Dialer;
  /** TLS inside the modem, with the credentials of a security tag. Its `name` is `modem TLS`. */
  readonly secTagDialer: SecTagDialer;
  /** Closes what is open; connections end with CLOSED. The session stays. Safe to call twice. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Opens the sockets of the application behind a session.
 *
 * @throws {ThinglineError} MODEM_APPLICATION_MISSING when something else answers (a plain AT host, a log, nothing); those of the session.
 */
export async function openSerialModemSockets(
  session: ModemSession,
  options: SerialModemSocketsOptions,
): Promise<SerialModemSockets> {
  void session;
  void options;
  throw new ThinglineError("MODEM_APPLICATION_MISSING", "sockets of a serial modem are not there yet");
}
