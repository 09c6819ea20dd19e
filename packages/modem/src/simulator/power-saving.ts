import { decodeActiveTime, decodePeriodicTau, timerOff } from "@thingline/protocol/at";
import type { Clock, Timer } from "@thingline/transport";
import { decodeEdrxCycle } from "../at/timers.js";
import type { RadioConditions } from "./lte-link.js";
import type { ModemSettings } from "./settings.js";

/** Access technologies of eDRX: 4 LTE-M, 5 NB-IoT. */
export type EdrxTechnology = 4 | 5;

/** What `+CEREG` shows of PSM. */
export interface GrantedTimers {
  activeTime: string;
  periodicTau: string;
}

export interface GrantedEdrx {
  cycle: string;
  pagingWindow: string;
}

/** `T3412` of a network that was not asked for a longer one, as `%XMONITOR` has it: nine times six minutes. */
export const networkPeriodicTau = "01001001";
const networkTauMs = 9 * 6 * 60_000;
const defaultPagingWindow = "0011";

/** The timers of PSM that the network gives: what was asked for, unless the world says otherwise. */
export function grantedTimers({ psm }: ModemSettings, conditions: RadioConditions): GrantedTimers {
  if (psm === null || !conditions.isPsmGranted) return { activeTime: timerOff, periodicTau: timerOff };
  return {
    activeTime: conditions.grantedActiveTime ?? psm.activeTime,
    periodicTau: conditions.grantedPeriodicTau ?? psm.periodicTau,
  };
}

/** Values that one access technology does not have stand for others. 3GPP TS 24.008 10.5.5.32, notes of the table. */
const substitutes: Readonly<Record<EdrxTechnology, Readonly<Record<string, string | undefined>>>> = {
  4: { "1110": "1101", "1111": "1101" },
  5: { "0100": "0010", "0110": "0010", "0111": "0010", "1000": "0010" },
};
const withoutEdrx: readonly string[] = ["0000", "0001"];

/** @returns undefined when the network gives none: it was not asked, or does not, or the technology has no such cycle. */
export function grantedEdrx(settings: ModemSettings, conditions: RadioConditions): GrantedEdrx | undefined {
  const technology = edrxTechnologyOf(conditions);
  const requested = settings.edrx[technology];
  if (requested === null || !conditions.isEdrxGranted) return undefined;
  const cycle = conditions.grantedEdrxCycle ?? substitutes[technology][requested] ?? requested;
  if (technology === 5 && withoutEdrx.includes(cycle)) return undefined;
  const pagingWindow = conditions.grantedPagingWindow ?? settings.pagingWindow?.[technology] ?? defaultPagingWindow;
  return { cycle, pagingWindow };
}

export function edrxTechnologyOf({ cell }: RadioConditions): EdrxTechnology {
  return cell.act === 7 ? 4 : 5;
}

/** Types of `%XMODEMSLEEP`. */
const sleepTypes = { psm: 1, radioInactivity: 2 } as const;

export interface PowerSavingOptions {
  clock: Clock;
  timers(): GrantedTimers;
  edrx(): GrantedEdrx | undefined;
  /** The subscription of `%XMODEMSLEEP` or `%XT3412`: on, warning time, threshold. */
  subscription(name: "%XMODEMSLEEP" | "%XT3412"): readonly number[];
  notify(line: string): void;
  /** The periodic tracking area update is due. */
  onUpdateDue(): void;
}

/** What a registered modem does between two connections: it sleeps, and updates its tracking area from time to time. */
export class PowerSaving {
  readonly #options: PowerSavingOptions;
  readonly #timers = new Set<Timer>();
  #sleep: keyof typeof sleepTypes | undefined;
  /** Only who heard of a sleep hears of its end. */
  #isSleepTold = false;

  constructor(options: PowerSavingOptions) {
    this.#options = options;
  }

  /** Whether the modem is in PSM: nothing reaches it. */
  get isInPsm(): boolean {
    return this.#sleep === "psm";
  }

  /** The radio connection ended. */
  idle(): void {
    this.#clear();
    const { activeTime, periodicTau } = this.#options.timers();
    const activeMs = seconds(decodeActiveTime(activeTime));
    // A period of nothing is none: each update would be followed by the next at once.
    const tauMs = seconds(decodePeriodicTau(periodicTau)) || networkTauMs;
    const hasPsm = activeMs !== undefined && activeMs < tauMs;
    const [isTauWanted, warningMs = 0, thresholdMs = 0] = this.#options.subscription("%XT3412");
    const granted = this.#options.edrx();
    if (hasPsm) this.#after(activeMs, () => this.#enter("psm", tauMs - activeMs));
    else if (granted !== undefined && this.#isSleepWanted) {
      const cycleMs = seconds(decodeEdrxCycle(granted.cycle));
      if (cycleMs !== undefined) this.#cycle(cycleMs);
    }
    if (isTauWanted === 1 && tauMs >= thresholdMs && warningMs > 0 && warningMs < tauMs) {
      this.#after(tauMs - warningMs, () => this.#options.notify(`%XT3412: ${warningMs}`));
    }
    // Nobody can tell an update that nobody sees from none; a modem that is left alone shall have no timers.
    if (!hasPsm && isTauWanted !== 1) return;
    this.#after(tauMs, () => this.#options.onUpdateDue());
  }

  /** A radio connection began. */
  connected(): void {
    this.#clear();
    this.#wake();
  }

  /** No registration any more. */
  off(): void {
    this.#clear();
    this.#sleep = undefined;
  }

  get #isSleepWanted(): boolean {
    return this.#options.subscription("%XMODEMSLEEP")[0] === 1;
  }

  /** With eDRX the modem listens once a cycle. */
  #cycle(cycleMs: number): void {
    this.#enter("radioInactivity", cycleMs);
    this.#after(cycleMs, () => {
      this.#wake();
      this.#cycle(cycleMs);
    });
  }

  #enter(sleep: keyof typeof sleepTypes, durationMs: number): void {
    this.#sleep = sleep;
    this.#isSleepTold = false;
    const [isOn, warningMs = 0, thresholdMs = 0] = this.#options.subscription("%XMODEMSLEEP");
    if (isOn !== 1 || durationMs < thresholdMs) return;
    this.#isSleepTold = true;
    this.#options.notify(`%XMODEMSLEEP: ${sleepTypes[sleep]},${durationMs}`);
    if (warningMs === 0 || warningMs >= durationMs) return;
    this.#after(durationMs - warningMs, () => {
      this.#options.notify(`%XMODEMSLEEP: ${sleepTypes[sleep]},${warningMs}`);
    });
  }

  #wake(): void {
    if (this.#sleep === undefined) return;
    const type = sleepTypes[this.#sleep];
    this.#sleep = undefined;
    if (this.#isSleepTold && this.#isSleepWanted) this.#options.notify(`%XMODEMSLEEP: ${type},0`);
  }

  #after(delayMs: number, callback: () => void): void {
    const timer = this.#options.clock.setTimer(delayMs, () => {
      this.#timers.delete(timer);
      callback();
    });
    this.#timers.add(timer);
  }

  #clear(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }
}

function seconds(value: number | undefined): number | undefined {
  return value === undefined ? undefined : value * 1000;
}
