import type { Clock } from "@thingline/transport";

/** A client id that was not connected for so long begins at 0 again, if it has no persistent session. */
export const numberKeptMs = 3_600_000;
/** Client ids without connection whose number is remembered; the one that left first is forgotten first. */
export const rememberedNumbersMax = 100_000;

/**
 * Counts the connections of each client id: `versionNumber` of lifecycle events, by which a subscriber can tell in which order they
 * happened.
 */
export class ConnectionNumbers {
  private readonly clock: Clock;
  /** Of those that are not connected, in the order in which they left. */
  private readonly left = new Map<string, { number: number; atMs: number }>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** @param least what a persistent session knows of the connections before */
  begin(clientId: string, least: number): number {
    const before = this.left.get(clientId);
    this.left.delete(clientId);
    const isKnown = before !== undefined && before.atMs + numberKeptMs > this.clock.monotonicMs();
    return isKnown ? Math.max(before.number + 1, least) : least;
  }

  end(clientId: string, number: number): void {
    const atMs = this.clock.monotonicMs();
    this.left.delete(clientId);
    this.left.set(clientId, { number, atMs });
    for (const [other, { atMs: leftMs }] of this.left) {
      if (leftMs + numberKeptMs > atMs && this.left.size <= rememberedNumbersMax) return;
      this.left.delete(other);
    }
  }
}
