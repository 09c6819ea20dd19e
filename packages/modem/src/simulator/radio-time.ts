import type { Clock } from "@thingline/transport";
import type { LteState } from "./lte-link.js";

/** For how long the radio was in each state, since the modem was booted. */
export interface RadioTime {
  /** Off, or with nothing to do for want of a SIM card. */
  offMs: number;
  /** Looking for a cell, out of coverage included. */
  searchingMs: number;
  /** RRC connected: attaching, and from the first byte to the end of the inactivity timer. */
  connectedMs: number;
  /** RRC idle: reachable by paging. eDRX is not told apart. */
  idleMs: number;
  /** PSM: idle for longer than the active time that was granted. */
  sleepMs: number;
}

type RadioState = "off" | "searching" | "connected" | "idle";

function radioStateOf(state: LteState): RadioState {
  switch (state.name) {
    case "off":
    case "waitingForPin":
    case "simFailed":
      return "off";
    case "searching":
    case "outOfCoverage":
      return "searching";
    case "attaching":
      return "connected";
    case "denied":
    case "emergencyOnly":
    case "attachBlocked":
      return "idle";
    case "registered":
      return state.isConnected ? "connected" : "idle";
  }
}

/** Adds up what an LTE machine goes through. It sets no timer: sleep is what is left of an idle stretch. */
export class RadioMeter {
  readonly #clock: Clock;
  readonly #activeTimeMs: () => number | undefined;
  readonly #time: RadioTime = { offMs: 0, searchingMs: 0, connectedMs: 0, idleMs: 0, sleepMs: 0 };
  #state: RadioState = "off";
  #sinceMs: number;
  /** Granted when the radio became idle. */
  #sleepAfterMs: number | undefined;

  /** @param activeTimeMs What PSM grants now, undefined without PSM. */
  constructor(clock: Clock, activeTimeMs: () => number | undefined) {
    this.#clock = clock;
    this.#activeTimeMs = activeTimeMs;
    this.#sinceMs = clock.monotonicMs();
  }

  enter(state: LteState): void {
    const next = radioStateOf(state);
    if (next === this.#state) return;
    this.#addTo(this.#time);
    this.#state = next;
    this.#sinceMs = this.#clock.monotonicMs();
    this.#sleepAfterMs = next === "idle" && state.name === "registered" ? this.#activeTimeMs() : undefined;
  }

  read(): RadioTime {
    const time = { ...this.#time };
    this.#addTo(time);
    return time;
  }

  #addTo(time: RadioTime): void {
    const passedMs = this.#clock.monotonicMs() - this.#sinceMs;
    if (this.#state !== "idle") {
      time[`${this.#state}Ms`] += passedMs;
      return;
    }
    const idleMs = Math.min(passedMs, this.#sleepAfterMs ?? Infinity);
    time.idleMs += idleMs;
    time.sleepMs += passedMs - idleMs;
  }
}
