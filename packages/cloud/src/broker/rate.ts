/** A token bucket: `rate` a second, at most one second's worth saved up. */
export class RateBucket {
  private readonly rate: number;
  private tokens: number;
  private filledAtMs: number;

  constructor(rate: number, nowMs: number) {
    this.rate = rate;
    this.tokens = rate;
    this.filledAtMs = nowMs;
  }

  /** Takes one token, if there is one. */
  take(nowMs: number): boolean {
    this.fill(nowMs);
    if (this.tokens < 1) return false;
    this.tokens--;
    return true;
  }

  /** Takes many, into debt. @returns milliseconds until the debt is paid, 0 when there is none. */
  charge(amount: number, nowMs: number): number {
    this.fill(nowMs);
    this.tokens -= amount;
    return this.tokens >= 0 ? 0 : Math.ceil((-this.tokens * 1000) / this.rate);
  }

  /** Milliseconds until {@link take} succeeds. */
  waitMs(nowMs: number): number {
    this.fill(nowMs);
    return this.tokens >= 1 ? 0 : Math.ceil(((1 - this.tokens) * 1000) / this.rate);
  }

  private fill(nowMs: number): void {
    if (this.rate === Infinity || nowMs <= this.filledAtMs) return;
    this.tokens = Math.min(this.rate, this.tokens + ((nowMs - this.filledAtMs) * this.rate) / 1000);
    this.filledAtMs = nowMs;
  }
}
