import type { ModemProbe } from "../probe.js";

/**
 * Generations of Nordic's application that turns an nRF91 into a modem behind a serial line. `slm-1.x`: Serial LTE Modem of the nRF Connect
 * SDK up to 2.2; `slm-2.x`: the same up to SDK 3.1; `serialModem`: the add-on that came after it.
 */
export type SerialModemDialect = "slm-1.x" | "slm-2.x" | "serialModem";

/** What a host must know of a dialect to use its sockets. */
export interface DialectTraits {
  readonly dialect: SerialModemDialect;
  /** For people. */
  readonly application: string;
  /** Commands name their socket; the others work on the one that `#XSOCKETSELECT` chose. */
  readonly namesSockets: boolean;
  /** `#XSEND` says how many bytes come, and takes short ones as hex digits. The others need the end marker, and text. */
  readonly countsPayload: boolean;
  /** Whether `#XAPOLL` tells that something came. Without it, or when the build lacks it, the host has to ask. */
  readonly tellsReadable: boolean;
  /** URCs wait while data mode lasts; older applications drop them. */
  readonly keepsNotifications: boolean;
  /** How long one data mode may hold the line: its commands should cost little, and others get their turn. */
  readonly burstMs: number;
  /** The end marker is seen only at the end of what is in a buffer of this size; undefined: anywhere. */
  readonly markerBufferBytes: number | undefined;
}

export const dialectTraits: Readonly<Record<SerialModemDialect, DialectTraits>> = {
  "slm-1.x": {
    dialect: "slm-1.x",
    application: "Serial LTE Modem",
    namesSockets: false,
    countsPayload: false,
    tellsReadable: false,
    keepsNotifications: false,
    // Each ends with a silence, which costs as much as a kilobyte.
    burstMs: 250,
    markerBufferBytes: 4_096,
  },
  "slm-2.x": {
    dialect: "slm-2.x",
    application: "Serial LTE Modem",
    namesSockets: false,
    countsPayload: false,
    tellsReadable: true,
    keepsNotifications: false,
    burstMs: 100,
    markerBufferBytes: undefined,
  },
  serialModem: {
    dialect: "serialModem",
    application: "Serial Modem",
    namesSockets: true,
    countsPayload: true,
    tellsReadable: true,
    keepsNotifications: true,
    burstMs: 100,
    markerBufferBytes: undefined,
  },
};

/** @returns undefined for whatever is not the serial modem application. */
export function dialectOf(probe: ModemProbe): SerialModemDialect | undefined {
  if (probe.kind !== "serialModem") return undefined;
  if (probe.dialect === "serialModem") return "serialModem";
  // `1.2` of 2022; later ones tell the version of their SDK, `2.5.0`, or none.
  return probe.version === undefined || /^v?[01]\./.test(probe.version) ? "slm-1.x" : "slm-2.x";
}
