import type { Clock } from "@thingline/transport";

/** CONNECTs of one client id per second: the excess waits until its time has come. */
export class ConnectRate {
  private readonly clock: Clock;
  private readonly intervalMs: number;
  private readonly aborter = new AbortController();
  /** When the last CONNECT of a client id was let through, oldest first. */
  private readonly lastMs = new Map<string, number>();

  /** @param perSecond Infinity lets everything through. */
  constructor(clock: Clock, perSecond: number) {
    this.clock = clock;
    this.intervalMs = perSecond === Infinity ? 0 : 1000 / perSecond;
  }

  /** @throws {ThinglineError} ABORTED after {@link close}. */
  async wait(clientId: string, onThrottled: (waitMs: number) => void): Promise<void> {
    if (this.intervalMs === 0) return;
    const nowMs = this.clock.monotonicMs();
    this.purge(nowMs);
    const dueMs = (this.lastMs.get(clientId) ?? -Infinity) + this.intervalMs;
    this.lastMs.delete(clientId);
    this.lastMs.set(clientId, Math.max(nowMs, dueMs));
    if (dueMs <= nowMs) return;
    onThrottled(dueMs - nowMs);
    await this.clock.sleep(dueMs - nowMs, { signal: this.aborter.signal });
  }

  /** Whoever waits, waits no longer. */
  close(): void {
    this.aborter.abort();
  }

  /** Bounds the map to what connected within the last interval. */
  private purge(nowMs: number): void {
    for (const [clientId, atMs] of this.lastMs) {
      if (atMs + this.intervalMs > nowMs) return;
      this.lastMs.delete(clientId);
    }
  }
}
