import type { ModemBehaviour } from "./behaviour.js";

/** Behaviours by name, for command lines and tests. Each is a document that can be written out, changed and applied. */
export const modemBehaviourPresets = {
  /** There is no SIM card: `+CEREG: 90`. */
  noSim: { set: { sim: "absent" } },
  /** The SIM card wants its PIN. */
  simPin: { set: { sim: "pinRequired" } },
  /** The SIM card was locked by wrong PINs and wants its PUK. */
  simPuk: { set: { sim: "pukRequired" } },
  /** Registered, but no packet passes: connections time out. */
  outOfData: { set: { hasData: false } },
  roaming: { set: { isRoaming: true, cell: { plmn: "99901", fullName: "Visited network", shortName: "Visited" } } },
  /** The network refuses the modem: PLMN not allowed. */
  denied: { set: { isDenied: true, rejectCause: 11 } },
  /** The edge of a cell: the registration comes and goes. */
  weakSignal: {
    set: { cell: { rsrpDbm: -124, rsrqDb: -17, snrDb: -8 }, timing: { searchMs: 4_000, attachMs: 3_000 } },
    steps: [
      { atMs: 30_000, everyMs: 45_000, jitterMs: 10_000, set: { hasCoverage: false } },
      { atMs: 45_000, everyMs: 45_000, jitterMs: 10_000, set: { hasCoverage: true } },
    ],
  },
  /** After half a minute the link is lost, and a minute later it is back. */
  lostLink: {
    steps: [
      { atMs: 30_000, set: { hasCoverage: false } },
      { atMs: 90_000, set: { hasCoverage: true } },
    ],
  },
  /** An attach takes what it takes on a first start far out. */
  slowNetwork: { set: { timing: { searchMs: 40_000, attachMs: 20_000, detachMs: 4_000, operatorSearchMs: 120_000 } } },
  /** Each write takes as long as on worn flash. */
  slowFlash: { set: { writeMs: 1_500 } },
  /** The second write fails, as memory that is worn does. */
  writeFailure: { steps: [{ onWrite: 2, do: "fail" }] },
  /** The storage has no room left for another certificate. */
  storageFull: { set: { storageBytesMax: 0 } },
  /** The power goes away in the middle of the second write. */
  powerCut: { set: { writeMs: 200 }, steps: [{ onWrite: 2, do: "cutPower", phase: "during" }] },
  /** A power-off warning: writes are refused with 528. */
  powerFailing: { set: { isPowerFailing: true, supplyMv: 2_950 } },
  /** The answer to the second write of a credential is lost on the line. */
  lostAnswer: { steps: [{ onCommand: "%CMNG", operation: 0, skip: 1, do: "loseAnswer" }] },
  /** Noise on the line, now and then, and one damaged answer. */
  garbage: {
    steps: [
      { atMs: 5_000, everyMs: 15_000, jitterMs: 5_000, do: "garbage" },
      { onCommand: "*", skip: 3, do: "garbage" },
    ],
  },
  /** The cable is pulled at the second write of a credential. */
  unplug: { steps: [{ onCommand: "%CMNG", operation: 0, skip: 1, do: "unplug" }] },
  /** The application crashes again and again; the modem blocks its attach. */
  resetLoop: { steps: [{ atMs: 1_000, do: "resetLoop" }] },
  overheated: { set: { temperatureC: 105 }, steps: [{ atMs: 1_000, do: "overheated" }] },
  batteryLow: { set: { supplyMv: 3_050 }, steps: [{ atMs: 1_000, do: "batteryLow" }] },
  /** A minute after the start the network's time jumps ahead by a day, and a minute later back. */
  timeJump: {
    steps: [
      { atMs: 60_000, set: { networkTimeOffsetMs: 86_400_000 } },
      { atMs: 120_000, set: { networkTimeOffsetMs: 0 } },
    ],
  },
} as const satisfies Readonly<Record<string, ModemBehaviour>>;

export type ModemBehaviourName = keyof typeof modemBehaviourPresets;

export function isModemBehaviourName(name: string): name is ModemBehaviourName {
  return Object.hasOwn(modemBehaviourPresets, name);
}
