import { parseInformation } from "./information.js";
import { integerAt } from "./parameters.js";

/** Values of `+CFUN`, with what they do. nRF91 AT Commands reference, +CFUN. */
export const functionalModes = {
  0: "power off: radio and SIM off, configuration saved",
  1: "normal: LTE and GNSS as the system mode says",
  2: "receive only",
  4: "offline: radio and SIM off",
  20: "LTE off, GNSS untouched",
  21: "LTE on, GNSS untouched",
  30: "GNSS off",
  31: "GNSS on",
  40: "SIM off",
  41: "SIM on",
  44: "offline, SIM on",
} as const;

export type FunctionalMode = keyof typeof functionalModes;

export function isFunctionalMode(value: number | undefined): value is FunctionalMode {
  return value !== undefined && value in functionalModes;
}

/** `+CFUN: <mode>`. */
export function parseFunctionalMode(line: string): FunctionalMode | undefined {
  const information = parseInformation(line);
  if (information?.name !== "+CFUN") return undefined;
  const mode = integerAt(information.parameters, 0);
  return isFunctionalMode(mode) ? mode : undefined;
}

/** Whether LTE is active in this mode, so that the modem refuses to write credentials (CME error 518). */
export function isLteActive(mode: FunctionalMode): boolean {
  return mode === 1 || mode === 2 || mode === 21;
}
