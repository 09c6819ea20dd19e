import type { AtTerminator } from "@thingline/protocol/at";
import type { Clock, Files, Network, Random } from "@thingline/transport";
import type { SerialModemDialect } from "./dialect.js";

export interface SerialModemOptions {
  clock: Clock;
  random: Random;
  /** Default {@link defaultSerialModemDialect}. */
  dialect?: SerialModemDialect;
  /** What its version command tells. Default: one of the dialect's. `slm-2.x` has `#XMQTTCFG` from 2.6 on, and the `#XMQTTCON` that goes with it. */
  version?: string;
  /** A third part of the version, as customers' builds have it (not `slm-1.x`). */
  customerVersion?: string;
  /** What ends a command. Default: the dialect's. */
  terminator?: AtTerminator;
  /** Of the line, as far as the application knows: the time limit of data mode follows from it. Default {@link defaultBaudRate}. */
  baudRate?: number;
  /** What becomes of bytes that come while a command is executed: lost, or held back at the host by flow control. Default: as the dialect's part does. */
  whileBusy?: "lost" | "queued";
  /** The build that tells each burst of data mode: `#XDATAMODE: <bytes>`. Default false. */
  hasDataModeUrc?: boolean;
  /** The build with TLS outside of the modem, which has `#XCMNG` (Serial LTE Modem only). Default false. */
  hasNativeTls?: boolean;
  /** Where what outlives a restart is kept. Both or none; the folder may be the modem's. */
  files?: Files;
  folder?: string;
  /** For `#XGETADDRINFO`: the addresses of a host, none when it has none. Without it only addresses and `localhost` are known. */
  resolve?: (host: string, options: { family: 4 | 6 | undefined; signal: AbortSignal }) => Promise<readonly string[]>;
  /** What becomes of an image of the application that a bootloader has started: it may crash, and be taken back. Default `runs`. */
  updatedApplication?: "runs" | "crashes";
  /** Where sockets listen that are to be called, on the loopback. Without it they are refused. */
  listen?: Network["listen"];
  /** Told when a command asks for what is not simulated, by name; the host gets ERROR. */
  onUnsupported?: (what: string) => void;
}

/** Of a name that `options.resolve` has to look up. */
export const resolveTimeoutMs = 30_000;

export const defaultSerialModemDialect: SerialModemDialect = "serialModem";
export const defaultBaudRate = 115_200;

export interface SerialModemPortOptions {
  /** Paces the line in both directions: 11,520 for 115,200 baud. Default: not paced. */
  bytesPerSecond?: number;
}

/** Ends that the one serial line may have at a time. */
export const serialModemPortsMax = 8;

/** What went past the line. */
export interface SerialModemCounters {
  /** Bytes of the host that came while a command was executed, and of answers that a host which reads too slowly did not get. */
  lostBytes: number;
  /** URCs that a host which reads too slowly, or a line in data mode, did not get. */
  droppedNotifications: number;
}
