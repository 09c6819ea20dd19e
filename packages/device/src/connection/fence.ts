import type { Clock, Timer } from "@thingline/transport";
import type { Guard } from "./guard.js";

/** After PINGRESP, which may overtake messages that the server has still to fetch. */
export const fenceQuietMs = 1_000;

/** Waits until the server has handled what was sent before, and a moment longer: whatever comes of it has come then. */
export class Fence {
  readonly #clock: Clock;
  readonly #guard: Guard;
  #then: (() => void) | undefined;
  #timer: Timer | undefined;

  constructor(clock: Clock, guard: Guard) {
    this.#clock = clock;
    this.#guard = guard;
  }

  /** The caller sends PINGREQ. */
  wait(then: () => void): void {
    this.cancel();
    this.#then = then;
  }

  /** PINGRESP came. */
  answered(): void {
    const then = this.#then;
    if (then === undefined || this.#timer !== undefined) return;
    this.#timer = this.#clock.setTimer(fenceQuietMs, () =>
      this.#guard(() => {
        this.cancel();
        then();
      }),
    );
  }

  /** The connection has ended. */
  cancel(): void {
    const timer = this.#timer;
    this.#timer = undefined;
    this.#then = undefined;
    timer?.cancel();
  }
}
