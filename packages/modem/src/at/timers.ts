import { decodeActiveTime, decodePeriodicTau } from "@thingline/protocol/at";

/** Every timer of a kind, shortest first: eight bits and how long it is. The value 0 is none that anybody asks for. */
function timersBy(decode: (bits: string) => number | undefined): readonly { bits: string; seconds: number }[] {
  const timers: { bits: string; seconds: number }[] = [];
  for (let value = 0; value < 256; value++) {
    const bits = value.toString(2).padStart(8, "0");
    const seconds = decode(bits);
    if (seconds !== undefined && (value & 31) !== 0) timers.push({ bits, seconds });
  }
  return timers.sort((a, b) => a.seconds - b.seconds);
}

const periodicTaus = timersBy(decodePeriodicTau);
const activeTimes = timersBy(decodeActiveTime);

/** The shortest timer that is at least as long. @returns undefined when none is. 3GPP TS 24.008 10.5.7.4a. */
export function encodePeriodicTau(seconds: number): string | undefined {
  return periodicTaus.find((timer) => timer.seconds >= seconds)?.bits;
}

/** As {@link encodePeriodicTau}, of the active time. 3GPP TS 24.008 10.5.7.3; 0 is none at all. */
export function encodeActiveTime(seconds: number): string | undefined {
  return seconds === 0 ? "00000000" : activeTimes.find((timer) => timer.seconds >= seconds)?.bits;
}

/** A technology of eDRX. */
export type EdrxTechnology = "lteM" | "nbIot";

/** Lengths of an eDRX cycle in seconds, by their four bits. 3GPP TS 24.008 10.5.5.32. */
const cycleSeconds = [
  ...[5.12, 10.24, 20.48, 40.96, 61.44, 81.92, 102.4, 122.88],
  ...[143.36, 163.84, 327.68, 655.36, 1310.72, 2621.44, 5242.88, 10_485.76],
];
/** What each technology has of them; an nRF91 leaves out those between 81.92 and 163.84 seconds. */
const cycleValues: Readonly<Record<EdrxTechnology, readonly number[]>> = {
  lteM: [0, 1, 2, 3, 4, 5, 9, 10, 11, 12, 13],
  nbIot: [2, 3, 5, 9, 10, 11, 12, 13, 14, 15],
};
/** A paging time window is a number of these, from 1 to 16. */
const windowStepSeconds: Readonly<Record<EdrxTechnology, number>> = { lteM: 1.28, nbIot: 2.56 };

/** @returns undefined when the text is not of four bits. */
export function decodeEdrxCycle(bits: string): number | undefined {
  return /^[01]{4}$/.test(bits) ? cycleSeconds[Number.parseInt(bits, 2)] : undefined;
}

/** The shortest cycle of the technology that is at least as long. @returns undefined when none is. */
export function encodeEdrxCycle(technology: EdrxTechnology, seconds: number): string | undefined {
  const value = cycleValues[technology].find((each) => (cycleSeconds[each] ?? 0) >= seconds);
  return value?.toString(2).padStart(4, "0");
}

/** @returns undefined when the text is not of four bits. */
export function decodePagingWindow(technology: EdrxTechnology, bits: string): number | undefined {
  if (!/^[01]{4}$/.test(bits)) return undefined;
  // Hundredths, so that 3 windows of 1.28 seconds are not 3.8400000000000003.
  return ((Number.parseInt(bits, 2) + 1) * Math.round(windowStepSeconds[technology] * 100)) / 100;
}

/** The shortest window of the technology that is at least as long. @returns undefined when none is. */
export function encodePagingWindow(technology: EdrxTechnology, seconds: number): string | undefined {
  const steps = Math.max(1, Math.ceil(Math.round(seconds * 100) / Math.round(windowStepSeconds[technology] * 100)));
  return steps > 16 ? undefined : (steps - 1).toString(2).padStart(4, "0");
}
