import type { Registration } from "@thingline/protocol/at";
import type { Clock, Timer } from "@thingline/transport";
import type { LteEffect, LteInput, LteState, LteTiming, RadioConditions } from "./lte-link.js";
import { isRegistered, registrationOf, stepLte } from "./lte-link.js";

export interface LteDriverOptions {
  clock: Clock;
  conditions: RadioConditions;
  timing: LteTiming;
  /** Whether the system mode allows an access technology. */
  allowsAct: (act: 7 | 9) => boolean;
  /** The PSM timers that were asked for, if any. */
  requestedTimers(): { activeTime: string; periodicTau: string } | undefined;
  onEffect: (effect: Exclude<LteEffect, { type: "wakeAt" }>) => void;
}

/** Runs {@link stepLte} with a clock and keeps what surrounds the modem. */
export class LteDriver {
  #state: LteState = { name: "off" };
  #timer: Timer | undefined;
  #conditions: RadioConditions;
  readonly #options: LteDriverOptions;

  constructor(options: LteDriverOptions) {
    this.#options = options;
    this.#conditions = options.conditions;
  }

  get state(): LteState {
    return this.#state;
  }

  get conditions(): RadioConditions {
    return this.#conditions;
  }

  get timing(): LteTiming {
    return this.#options.timing;
  }

  get isRegistered(): boolean {
    return isRegistered(this.#state);
  }

  get isConnected(): boolean {
    return this.#state.name === "attaching" || (this.#state.name === "registered" && this.#state.isConnected);
  }

  registration(): Registration {
    return registrationOf(this.#state, this.#conditions, this.#options.requestedTimers());
  }

  input(input: LteInput): void {
    const { clock, timing, allowsAct, onEffect } = this.#options;
    const { hasCoverage, cell } = this.#conditions;
    const around = { conditions: this.#conditions, timing, isReachable: hasCoverage && allowsAct(cell.act) };
    const [next, effects] = stepLte(this.#state, input, clock.monotonicMs(), around);
    this.#state = next;
    for (const effect of effects) {
      if (effect.type === "wakeAt") this.#wakeAt(effect.atMs);
      else onEffect(effect);
    }
  }

  change(conditions: Partial<RadioConditions>): void {
    this.#conditions = { ...this.#conditions, ...conditions };
    this.input({ type: "conditionsChanged" });
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #wakeAt(atMs: number): void {
    const { clock } = this.#options;
    this.#timer?.cancel();
    this.#timer = clock.setTimer(Math.max(0, atMs - clock.monotonicMs()), () => {
      this.#timer = undefined;
      this.input({ type: "tick" });
    });
  }
}
