import type { Clock, Timer } from "@thingline/transport";

/** After PINGRESP, which may overtake messages that the server has still to fetch. */
export const fenceQuietMs = 1_000;

/** Waits until the server has handled what was sent before, and a moment longer: whatever comes of it has come then. */
export class Fence {
  readonly #clock: Clock;
  #then: (() => void) | undefined;
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
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
    this.#timer = this.#clock.setTimer(fenceQuietMs, () => {
      this.cancel();
      then();
    });
  }

  /** The connection has ended. */
  cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#then = undefined;
  }
}
