import { stepServerKeepAlive, type ServerKeepAliveState } from "@thingline/protocol/mqtt";
import type { Clock, Timer } from "@thingline/transport";
import type { InputFlow } from "./input-flow.js";

/** Ends a connection that has gone silent. */
export class KeepAlive {
  private readonly clock: Clock;
  private readonly input: InputFlow;
  private readonly keepAliveSeconds: number;
  private readonly onSilence: () => void;
  private readonly onTick: () => void;
  private timer: Timer | undefined;

  /** @param onTick called with each look at the connection that finds it alive */
  constructor(
    clock: Clock,
    input: InputFlow,
    keepAliveSeconds: number,
    { onSilence, onTick }: { onSilence: () => void; onTick: () => void },
  ) {
    this.clock = clock;
    this.input = input;
    this.keepAliveSeconds = keepAliveSeconds;
    this.onSilence = onSilence;
    this.onTick = onTick;
  }

  stop(): void {
    this.timer?.cancel();
  }

  check(): void {
    const nowMs = this.clock.monotonicMs();
    // While we do not read, the client's silence proves nothing.
    const lastReceivedMs = this.input.isPaused ? nowMs : this.input.lastReceivedMs;
    const state: ServerKeepAliveState = { name: "listening", lastReceivedMs };
    const [, effects] = stepServerKeepAlive(state, { type: "tick" }, nowMs, this.keepAliveSeconds);
    for (const effect of effects) {
      if (effect.type === "close") return this.onSilence();
      this.timer = this.clock.setTimer(effect.atMs - nowMs, () => this.check());
    }
    this.onTick();
  }
}
