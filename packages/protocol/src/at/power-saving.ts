/** PSM timer strings: three bits of unit, five of value. 3GPP TS 24.008 10.5.7.3 and 10.5.7.4a. */
const activeTimeUnitSeconds: Readonly<Record<string, number>> = { "000": 2, "001": 60, "010": 360 };
const periodicTauUnitSeconds: Readonly<Record<string, number>> = {
  "000": 600,
  "001": 3600,
  "010": 36_000,
  "011": 2,
  "100": 30,
  "101": 60,
  "110": 1_152_000,
};

/** The string of a timer that is off. */
export const timerOff = "11100000";

function decodeTimer(bits: string, units: Readonly<Record<string, number>>): number | undefined {
  if (!/^[01]{8}$/.test(bits)) return undefined;
  const unitSeconds = units[bits.slice(0, 3)];
  return unitSeconds === undefined ? undefined : unitSeconds * Number.parseInt(bits.slice(3), 2);
}

/** Seconds of the active time (T3324), undefined when off or malformed. */
export function decodeActiveTime(bits: string): number | undefined {
  return decodeTimer(bits, activeTimeUnitSeconds);
}

/** Seconds of the extended periodic tracking area update (T3412), undefined when off or malformed. */
export function decodePeriodicTau(bits: string): number | undefined {
  return decodeTimer(bits, periodicTauUnitSeconds);
}

/** Whether this is a timer string at all, off included. */
export function isTimerString(bits: string): boolean {
  return /^[01]{8}$/.test(bits);
}
