import type { CmeErrorCode } from "@thingline/protocol/at";
import type { Cell, LteTiming, OtherNetwork, SimState } from "../lte-link.js";

/**
 * What happens to a simulated modem, as a document: plain JSON, so that it can stand in a file or on a command line.
 *
 * `set` holds at once, steps come later: by time, at a command, or at a write of the modem's memory. The same document with the same
 * commands at the same times gives the same run, byte for byte.
 */
export interface ModemBehaviour {
  /** Where chance within the behaviour begins: which bytes the garbage is, and how far a time is moved. Default 1. */
  seed?: number;
  /** What surrounds the modem from the moment that the behaviour is applied. */
  set?: ModemSurroundings;
  /** At most {@link behaviourStepsMax}. */
  steps?: readonly BehaviourStep[];
}

/** Everything around a modem that a behaviour may set; what is not named stays as it is. */
export interface ModemSurroundings {
  sim?: SimState;
  hasCoverage?: boolean;
  /** The network refuses to register the modem (`+CEREG: 3`). */
  isDenied?: boolean;
  /** 3GPP TS 24.301 9.9.3.9. */
  rejectCause?: number;
  isRoaming?: boolean;
  /** The cell lets the modem make emergency calls only (`+CEREG: 8`). */
  isEmergencyOnly?: boolean;
  /** Whether IP packets pass: a SIM card without data registers, and connections time out. */
  hasData?: boolean;
  /** Whether the network lets modems use PSM. */
  isPsmGranted?: boolean;
  /** Timers of PSM that the network gives instead of those that were asked for; eight bits. */
  grantedActiveTime?: string;
  grantedPeriodicTau?: string;
  isEdrxGranted?: boolean;
  /** What the network gives of eDRX instead of what was asked for; four bits. */
  grantedEdrxCycle?: string;
  grantedPagingWindow?: string;
  /** Other networks at this place, for `AT+COPS=?`. */
  otherNetworks?: readonly OtherNetwork[];
  /** Members that are left out stay as they are. */
  cell?: Partial<Cell>;
  /** How long the network takes. */
  timing?: Partial<LteTiming>;
  supplyMv?: number;
  temperatureC?: number;
  /** A low supply voltage: writes are refused with 528, `%XPOFWARN` is sent when subscribed. */
  isPowerFailing?: boolean;
  /** How long one write of the modem's memory takes. Default 0. */
  writeMs?: number;
  /** Bytes of credentials that fit. */
  storageBytesMax?: number;
  /** What the network's time is ahead of the clock. A change is told by `%XTIME`. */
  networkTimeOffsetMs?: number;
}

/** Something that happens once, or again and again, from a moment on. */
export interface TimedStep {
  /** After the behaviour was applied. */
  atMs: number;
  /** The step is done again after as long. */
  everyMs?: number;
  /** How often at all; more than once only with `everyMs`, which has no end without it. Default once. */
  count?: number;
  /** Each time comes up to so much later, by the seed. Default 0. */
  jitterMs?: number;
  set?: ModemSurroundings;
  do?: ModemEvent;
}

/**
 * - `unplug`: every port ends with SERIAL_PORT_UNPLUGGED; the modem runs on, and ports can be opened again.
 * - `cutPower`: the power goes away; the modem has ended.
 * - `reset`: the modem starts again as after a fault: functional mode 0, nothing that was not stored.
 * - `resetLoop`, `overheated`, `batteryLow`: told by `%MDMEV`; after `resetLoop` the modem does not attach for {@link resetLoopBlockMs}.
 * - `garbage`: bytes that nobody sent, on every port.
 */
export type ModemEvent = "unplug" | "cutPower" | "reset" | "resetLoop" | "overheated" | "batteryLow" | "garbage";

/** Something that happens to a command. */
export interface CommandStep {
  /** Name of the command with its sign, `%CMNG`; `AT` for the bare one; `*` for any of the modem's. Those of a serial modem application (`#X…`) do not meet it. */
  onCommand: string;
  /** Only this form. Default any. */
  form?: "execute" | "set" | "read" | "test";
  /** Only with this number as the first parameter: 0 with `%CMNG` for its writes. Default any. */
  operation?: number;
  /** So many of these commands pass unharmed before. Default 0. */
  skip?: number;
  /** How many are hit. Default 1. */
  count?: number;
  do: CommandFault;
  /** Of `slow`: how much later the answer comes. Default {@link defaultSlowMs}. */
  delayMs?: number;
  /** Of `refuse`: the `+CME ERROR`; a plain ERROR without it. */
  cme?: CmeErrorCode;
  /** Of `cutPower`, `unplug` and `reset`: before the command does anything, or after it was done, in place of the answer. Default `before`. */
  phase?: "before" | "after";
}

/**
 * - `loseAnswer`: the command is done, its answer never comes.
 * - `loseCommand`: the command is not done, and nothing is answered.
 * - `garbage`: the command is done, its answer comes damaged.
 * - `slow`: the answer comes later.
 * - `refuse`: the command is not done and answered with an error.
 * - `cutPower`, `unplug`, `reset`: as in {@link ModemEvent}, at the command.
 */
export type CommandFault =
  | "loseAnswer"
  | "loseCommand"
  | "garbage"
  | "slow"
  | "refuse"
  | "cutPower"
  | "unplug"
  | "reset";

/** Something that happens to a write of the modem's memory: a credential, a setting, a deletion. */
export interface WriteStep {
  /** The how-manieth write from the moment that the behaviour is applied; 1 is the next one. */
  onWrite: number;
  /** How many writes are hit. Default 1. */
  count?: number;
  /** `fail`: nothing is written and the command is refused, with `+CME ERROR: 0` unless `cme` says otherwise. */
  do: "cutPower" | "fail";
  cme?: CmeErrorCode;
  /** Of `cutPower`: `before` the write begins, when half of its time has passed (`during`), or `after` it. Default `before`. */
  phase?: "before" | "during" | "after";
}

export type BehaviourStep = TimedStep | CommandStep | WriteStep;

/** Steps of one behaviour. */
export const behaviourStepsMax = 256;
/** How long a modem does not attach after a reset loop. */
export const resetLoopBlockMs = 30 * 60_000;
/** How much later the answer comes to a command that is `slow`. */
export const defaultSlowMs = 5_000;
/** Highest count of a step. */
export const behaviourCountMax = 1_000_000;
