import type { AtTerminator } from "@thingline/protocol/at";

/**
 * Which application a simulated serial modem is: `slm-1.x`, Serial LTE Modem of the nRF Connect SDK of 2022; `slm-2.x`, that of SDK 2.3 to
 * 3.1; `serialModem`, the add-on that came after it.
 */
export type SerialModemDialect = "slm-1.x" | "slm-2.x" | "serialModem";

/** What differs between the dialects besides their commands. [nrf91-modem-and-fota.md 5.1, 8, 13.1; ncs-serial-modem doc/, app/] */
export interface SerialModemTraits {
  readonly dialect: SerialModemDialect;
  /** What ends a command where the build does not say otherwise. */
  readonly terminator: AtTerminator;
  /** Bytes of the longest command. */
  readonly commandBytesMax: number;
  /** What is not the beginning of a command is passed over without an answer. */
  readonly skipsNoise: boolean;
  /** Whether the receiver is off while a command is executed (`lost`), or the line is held up (`queued`). */
  readonly whileBusy: "lost" | "queued";
  /** What the version command answers when the options do not say. */
  readonly version: string;
  /** `ATE0` and `ATE1` are taken. */
  readonly switchesEcho: boolean;
  /** When URCs leave: at once (those of the modem not in data mode, where they are dropped), or when the line is free. */
  readonly notifiesWhen: "atOnce" | "free";
  /** Where the terminator of data mode counts: at the end of a burst, or wherever it comes. */
  readonly terminatorCounts: "endOfBurst" | "anywhere";
  /**
   * What follows a burst that could not be sent: the mode ends with the error number; or the terminator is sent to the host, and what comes is dropped
   * until the host sends it back.
   */
  readonly onSendFailure: "exit" | "dropUntilTerminator";
  /** Longest text of a send command; undefined: what the command takes. */
  readonly sentTextBytesMax: number | undefined;
  /** What one receive command gives at most. */
  readonly receivedBytesMax: number;
}

const serialLteModem = {
  terminator: "CR+LF",
  commandBytesMax: 4096,
  switchesEcho: false,
  notifiesWhen: "atOnce",
  onSendFailure: "exit",
  sentTextBytesMax: 1252,
} as const;

export const serialModemTraits: Readonly<Record<SerialModemDialect, SerialModemTraits>> = {
  "slm-1.x": {
    ...serialLteModem,
    dialect: "slm-1.x",
    skipsNoise: false,
    whileBusy: "lost",
    version: "1.2",
    terminatorCounts: "endOfBurst",
    receivedBytesMax: 1240,
  },
  "slm-2.x": {
    ...serialLteModem,
    dialect: "slm-2.x",
    skipsNoise: false,
    whileBusy: "queued",
    version: "2.5.0",
    terminatorCounts: "anywhere",
    receivedBytesMax: 2048,
  },
  serialModem: {
    dialect: "serialModem",
    terminator: "CR",
    commandBytesMax: 8190,
    skipsNoise: true,
    whileBusy: "queued",
    version: "v2.0.0",
    switchesEcho: true,
    notifiesWhen: "free",
    terminatorCounts: "anywhere",
    onSendFailure: "dropUntilTerminator",
    sentTextBytesMax: undefined,
    receivedBytesMax: 2048,
  },
};

export function isSerialModemDialect(name: string): name is SerialModemDialect {
  return Object.hasOwn(serialModemTraits, name);
}
