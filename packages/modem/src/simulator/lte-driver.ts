import type { Registration } from "@thingline/protocol/at";
import type { Clock, Timer } from "@thingline/transport";
import type { Cell, LteEffect, LteInput, LteState, LteTiming, RadioChanges, RadioConditions } from "./lte-link.js";
import { isRegistered, registrationOf, stepLte, withChanges, withTiming } from "./lte-link.js";

export interface LteDriverOptions {
  clock: Clock;
  conditions: RadioConditions;
  timing: LteTiming;
  /** Whether the system mode and the choice of an operator allow a cell. */
  allows: (cell: Cell) => boolean;
  /** The timers of PSM that the network gives. */
  timers(conditions: RadioConditions): { activeTime: string; periodicTau: string };
  onEffect: (effect: Exclude<LteEffect, { type: "wakeAt" }>) => void;
  /** Called with the state after each input, when somebody measures. */
  onState?: ((state: LteState) => void) | undefined;
}

/** Runs {@link stepLte} with a clock and keeps what surrounds the modem. */
export class LteDriver {
  #state: LteState = { name: "off" };
  #timer: Timer | undefined;
  #conditions: RadioConditions;
  #timing: LteTiming;
  #attachBlockedUntilMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;
  readonly #options: LteDriverOptions;

  constructor(options: LteDriverOptions) {
    this.#options = options;
    this.#conditions = options.conditions;
    this.#timing = options.timing;
  }

  get state(): LteState {
    return this.#state;
  }

  get conditions(): RadioConditions {
    return this.#conditions;
  }

  get timing(): LteTiming {
    return this.#timing;
  }

  get isRegistered(): boolean {
    return isRegistered(this.#state);
  }

  get isConnected(): boolean {
    return this.#state.name === "attaching" || (this.#state.name === "registered" && this.#state.isConnected);
  }

  registration(): Registration {
    return registrationOf(this.#state, this.#conditions, this.#options.timers(this.#conditions));
  }

  input(input: LteInput): void {
    // A command that was under way when the power went ends here.
    if (this.#isClosed) return;
    const { clock, allows, onEffect } = this.#options;
    const { hasCoverage, cell } = this.#conditions;
    const around = {
      conditions: this.#conditions,
      timing: this.#timing,
      isReachable: hasCoverage && allows(cell),
      attachBlockedUntilMs: this.#attachBlockedUntilMs,
    };
    const [next, effects] = stepLte(this.#state, input, clock.monotonicMs(), around);
    this.#state = next;
    this.#options.onState?.(next);
    for (const effect of effects) {
      if (effect.type === "wakeAt") this.#wakeAt(effect.atMs);
      else onEffect(effect);
    }
  }

  change(changes: RadioChanges, timing: Partial<LteTiming> = {}): void {
    this.#conditions = withChanges(this.#conditions, changes);
    this.#timing = withTiming(this.#timing, timing);
    this.input({ type: "conditionsChanged" });
  }

  /** After a reset loop: no attach for so long. */
  blockAttach(forMs: number): void {
    this.#attachBlockedUntilMs = this.#options.clock.monotonicMs() + forMs;
    this.input({ type: "conditionsChanged" });
  }

  close(): void {
    this.#isClosed = true;
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
