import { outputBytesShare, type BrokerLimits } from "./limits.js";

/** The output of one connection. */
export interface SlowOutput {
  /** Tells {@link UnsentOutput.changed} what is unsent now. */
  countOutput(): number;
}

/** Unsent bytes of all connections with more than their share, as they were when each was last looked at. */
export class UnsentOutput {
  /** Below this a connection's unsent bytes are not counted; see `outputBytesTotalMax`. */
  readonly shareBytes: number;
  private readonly bytesMax: number;
  private readonly slow = new Set<SlowOutput>();
  private bytes = 0;
  private countedMs = -Infinity;

  constructor({ outputBytesMax, outputBytesTotalMax }: BrokerLimits) {
    this.shareBytes = Math.min(outputBytesShare, outputBytesMax);
    this.bytesMax = outputBytesTotalMax;
  }

  /** A connection that counted with `before` counts with `now`; 0 is a connection within its share. */
  changed(output: SlowOutput, before: number, now: number): void {
    this.bytes += now - before;
    if (now === 0) this.slow.delete(output);
    else if (before === 0) this.slow.add(output);
  }

  /** Whether all together are over what the broker holds for them. */
  isOver(nowMs: number): boolean {
    if (this.bytes <= this.bytesMax) return false;
    // They were counted when something was sent to them; much may have left since. Once a millisecond is enough.
    if (this.countedMs !== nowMs) {
      this.countedMs = nowMs;
      for (const output of this.slow) output.countOutput();
    }
    return this.bytes > this.bytesMax;
  }
}
