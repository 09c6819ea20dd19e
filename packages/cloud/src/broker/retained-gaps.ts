import type { Clock, Timer } from "@thingline/transport";
import { busAttemptsMax, busRetryDelayMs } from "../bus/bus-link.js";
import { busTimeoutMs, type RetainedCount } from "../bus/bus.js";
import { seenPublishersMax } from "../bus/seen-messages.js";

/** As long as its broker tries to bring a message: what is missing after that does not come any more. */
export const retainedGapMs = busAttemptsMax * (busTimeoutMs + busRetryDelayMs);
/** Messages of one broker that came before one that is missing; with more, the store is read at once. */
export const retainedAheadMax = 1_000;

interface Counted {
  /** All up to this one came. */
  whole: number;
  /** Those after it that came. */
  readonly ahead: Set<number>;
  timer: Timer | undefined;
}

/**
 * Finds out that the bus has lost a retained message, from the counts that brokers give with theirs. What others hold of a topic is a
 * copy of what the store has, so a loss is repaired by reading the store.
 */
export class RetainedGaps {
  private readonly clock: Clock;
  private readonly repair: () => void;
  private readonly brokers = new Map<string, Counted>();

  constructor(clock: Clock, repair: () => void) {
    this.clock = clock;
    this.repair = repair;
  }

  /** A retained message came. */
  came({ broker, count }: RetainedCount): void {
    const counted = this.of(broker);
    if (count <= counted.whole) return;
    counted.ahead.add(count);
    while (counted.ahead.delete(counted.whole + 1)) counted.whole++;
    if (counted.ahead.size === 0) {
      counted.timer?.cancel();
      counted.timer = undefined;
    } else if (counted.ahead.size > retainedAheadMax) this.close(counted);
    else counted.timer ??= this.clock.setTimer(retainedGapMs, () => this.close(counted));
  }

  /** The broker waits for none of so many any more. */
  ended({ broker, count }: RetainedCount): void {
    const counted = this.of(broker);
    if (count <= counted.whole) return;
    counted.ahead.add(count);
    this.close(counted);
  }

  /** The broker is gone, and with it what it had not brought yet. */
  forget(broker: string): void {
    this.brokers.get(broker)?.timer?.cancel();
    this.brokers.delete(broker);
    this.repair();
  }

  /** What is missing is read from the store instead. */
  private close(counted: Counted): void {
    counted.timer?.cancel();
    counted.timer = undefined;
    counted.whole = Math.max(counted.whole, ...counted.ahead);
    counted.ahead.clear();
    this.repair();
  }

  private of(broker: string): Counted {
    let counted = this.brokers.get(broker);
    if (counted !== undefined) return counted;
    const [oldest] = this.brokers.keys();
    if (this.brokers.size >= seenPublishersMax && oldest !== undefined) this.forget(oldest);
    counted = { whole: 0, ahead: new Set(), timer: undefined };
    this.brokers.set(broker, counted);
    return counted;
  }

  /** Leaves no timer. */
  end(): void {
    for (const { timer } of this.brokers.values()) timer?.cancel();
    this.brokers.clear();
  }
}
