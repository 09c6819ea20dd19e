import { parseInformation } from "./information.js";
import type { AtParameter } from "./parameters.js";
import { integerAt, stringAt } from "./parameters.js";

/** Network registration of `+CEREG`, by the number on the wire. */
export const registrationStatuses = {
  0: "notRegistered",
  1: "home",
  2: "searching",
  3: "denied",
  4: "unknown",
  5: "roaming",
  8: "emergencyOnly",
  90: "uiccFailure",
} as const;

export type RegistrationStatus = (typeof registrationStatuses)[keyof typeof registrationStatuses];

/** Access technology of `+CEREG`: 7 LTE-M, 9 NB-IoT. */
export type AccessTechnology = 7 | 9;

export interface Registration {
  status: RegistrationStatus;
  /** Tracking area code, 4 hex digits. */
  tac?: string;
  /** Cell identity, 8 hex digits. */
  cellId?: string;
  act?: AccessTechnology;
  causeType?: number;
  rejectCause?: number;
  /** Eight bits, `11100000` is off; see {@link decodeActiveTime}. */
  activeTime?: string;
  /** Eight bits, `11100000` is off; see {@link decodePeriodicTau}. */
  periodicTau?: string;
}

/** `+CEREG: <stat>[,...]`. @returns undefined when it is none. */
export function parseRegistrationNotification(line: string): Registration | undefined {
  const information = parseInformation(line);
  if (information?.name !== "+CEREG") return undefined;
  return fromParameters(information.parameters, 0);
}

/** `+CEREG: <n>,<stat>[,...]`: the answer to `AT+CEREG?`. @returns undefined when it is none. */
export function parseRegistrationRead(line: string): { level: number; registration: Registration } | undefined {
  const information = parseInformation(line);
  if (information?.name !== "+CEREG") return undefined;
  const level = integerAt(information.parameters, 0);
  const registration = fromParameters(information.parameters, 1);
  return level === undefined || registration === undefined ? undefined : { level, registration };
}

function fromParameters(parameters: readonly AtParameter[], at: number): Registration | undefined {
  const number = integerAt(parameters, at);
  const status = (registrationStatuses as Readonly<Record<number, RegistrationStatus>>)[number ?? -1];
  if (status === undefined) return undefined;
  const actNumber = integerAt(parameters, at + 3);
  const act: AccessTechnology | undefined = actNumber === 7 || actNumber === 9 ? actNumber : undefined;
  return {
    status,
    ...optional("tac", stringAt(parameters, at + 1)),
    ...optional("cellId", stringAt(parameters, at + 2)),
    ...optional("act", act),
    ...optional("causeType", integerAt(parameters, at + 4)),
    ...optional("rejectCause", integerAt(parameters, at + 5)),
    ...optional("activeTime", stringAt(parameters, at + 6)),
    ...optional("periodicTau", stringAt(parameters, at + 7)),
  };
}

function optional<Name extends string, Value>(name: Name, value: Value | undefined): Partial<Record<Name, Value>> {
  return value === undefined || value === "" ? {} : ({ [name]: value } as Record<Name, Value>);
}

/**
 * What the registration is worth: registered without a real cell (`FFFFFFFF`) is unknown, as lte_lc has it.
 *
 * @see nRF Connect SDK, lib/lte_link_control
 */
export function effectiveStatus(registration: Registration): RegistrationStatus {
  const isRegistered = registration.status === "home" || registration.status === "roaming";
  return isRegistered && registration.cellId?.toUpperCase() === "FFFFFFFF" ? "unknown" : registration.status;
}

const numbers = new Map(Object.entries(registrationStatuses).map(([number, status]) => [status, Number(number)]));

/** The number of a status in `+CEREG`. */
export function registrationNumber(status: RegistrationStatus): number {
  return numbers.get(status) ?? 4;
}

/**
 * The values of a URC at a subscription level: 1 the status, 2 adds the cell, 3 the reject cause, 4 the timers, 5 all.
 * The read command puts `<n>,` in front.
 */
export function formatRegistration(registration: Registration, level: number): string {
  const status = String(registrationNumber(registration.status));
  if (level <= 1) return status;
  const text = (value: string | undefined) => (value === undefined ? "" : `"${value}"`);
  const number = (value: number | undefined) => (value === undefined ? "" : String(value));
  const parts = [status, text(registration.tac), text(registration.cellId), number(registration.act)];
  const hasCause = level === 3 || level === 5;
  if (level >= 3) {
    parts.push(hasCause ? number(registration.causeType) : "", hasCause ? number(registration.rejectCause) : "");
  }
  if (level >= 4) parts.push(text(registration.activeTime), text(registration.periodicTau));
  return parts.join(",");
}
