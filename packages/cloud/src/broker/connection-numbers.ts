import { MapFront } from "@thingline/protocol";
import type { Clock } from "@thingline/transport";

/** A client id that was not connected for so long begins at 0 again, if it has no persistent session. */
export const numberKeptMs = 3_600_000;
/** Client ids without connection whose number is remembered; the one that left first is forgotten first. */
export const rememberedNumbersMax = 100_000;

interface LeftNumber {
  readonly number: number;
  readonly atMs: number;
}

/**
 * Counts the connections of each client id: `versionNumber` of lifecycle events, by which a subscriber can tell in which order they
 * happened.
 */
export class ConnectionNumbers {
  private readonly clock: Clock;
  /** Of those that are not connected, in the order in which they left. */
  private readonly left = new Map<string, LeftNumber>();
  private readonly front = new MapFront(this.left);
  /** The one that left first, unless it has come back. */
  private first: [clientId: string, left: LeftNumber] | undefined;

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
    for (let first = this.firstLeft(); first !== undefined; first = this.firstLeft()) {
      if (first[1].atMs + numberKeptMs > atMs && this.left.size <= rememberedNumbersMax) return;
      this.left.delete(first[0]);
    }
  }

  private firstLeft(): [string, LeftNumber] | undefined {
    // Who came back and left again stands elsewhere, with another number.
    while (this.first === undefined || this.left.get(this.first[0]) !== this.first[1]) {
      this.first = this.front.next();
      if (this.first === undefined) return undefined;
    }
    return this.first;
  }
}
