import type { AtTerminator } from "@thingline/protocol/at";

/**
 * Which application a simulated serial modem is: `slm1`, Serial LTE Modem of the nRF Connect SDK of 2022 (1.x); `slm2`, that of SDK 2.3
 * to 3.1; `serialModem`, the add-on that came after it.
 */
export type SerialModemDialect = "slm1" | "slm2" | "serialModem";

/** What differs between the dialects besides their commands. */
export interface SerialModemTraits {
  readonly dialect: SerialModemDialect;
  /** What ends a command where the build does not say otherwise. */
  readonly terminator: AtTerminator;
  /** What tells the version, and how. */
  readonly versionCommand: "#XSLMVER" | "#XSMVER";
  readonly version: string;
  /** Of the SDK, where the answer has it. */
  readonly sdkVersion: string | undefined;
  /** Sockets are named by their handle in each command; otherwise commands work on the one that is selected. */
  readonly namesSockets: boolean;
  /** `ATE0` and `ATE1` are taken. */
  readonly switchesEcho: boolean;
}

export const serialModemTraits: Readonly<Record<SerialModemDialect, SerialModemTraits>> = {
  slm1: {
    dialect: "slm1",
    terminator: "CR+LF",
    versionCommand: "#XSLMVER",
    version: "1.2",
    sdkVersion: undefined,
    namesSockets: false,
    switchesEcho: false,
  },
  slm2: {
    dialect: "slm2",
    terminator: "CR+LF",
    versionCommand: "#XSLMVER",
    version: "2.5.0",
    sdkVersion: "2.5.0-lte-5ccd2d4dd54c",
    namesSockets: false,
    switchesEcho: false,
  },
  serialModem: {
    dialect: "serialModem",
    terminator: "CR",
    versionCommand: "#XSMVER",
    version: "v2.0.0",
    sdkVersion: "v3.2.0",
    namesSockets: true,
    switchesEcho: true,
  },
};

export function isSerialModemDialect(name: string): name is SerialModemDialect {
  return Object.hasOwn(serialModemTraits, name);
}
