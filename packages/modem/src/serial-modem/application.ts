import type { Connection } from "@thingline/transport";
import type { SimulatedModem } from "../simulator/simulated-modem.js";
import type { SerialModemDialect } from "./dialect.js";
import type { SerialModemCounters, SerialModemPortOptions } from "./options.js";

/** Nordic's Serial LTE Modem or Serial Modem in front of a simulated modem. */
export interface SerialModemApplication {
  readonly modem: SimulatedModem;
  readonly dialect: SerialModemDialect;
  readonly counters: Readonly<SerialModemCounters>;
  /**
   * The host's end of the serial line. It is one line, however many ends it has (up to {@link serialModemPortsMax}): what is sent to one of them
   * the application gets, and what the application sends all of them get. The banner of the start waits for the first.
   *
   * @throws {ThinglineError} OPTION_INVALID, LIMIT_EXCEEDED, CLOSED, CONNECTION_LOST when the modem lost its power.
   */
  openPort(options?: SerialModemPortOptions): Connection;
  /** The modem's firmware crashes and starts again: `#XMODEM: FAULT,…`, `#XMODEM: INIT,0`, and every socket is gone. */
  crashModem(options?: { reason?: number; programCounter?: number }): void;
  /** The pin that wakes the application from `AT#XSLEEP` and `AT#XSHUTDOWN`; `Ready` follows. Nothing happens when it is awake. */
  wake(): Promise<void>;
  /** Ends the application and its lines; the modem goes on. Safe to call twice. Ends by itself with the modem. */
  close(): Promise<void>;
  readonly closed: Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
