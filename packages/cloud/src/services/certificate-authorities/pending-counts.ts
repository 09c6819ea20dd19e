import { BoundedMap } from "@thingline/protocol";

/** How long a count is gone on from before it is taken anew: other processes register as well, and certificates are activated. */
export const pendingRecountMs = 10_000;
/** The same of a CA that has no room. */
export const fullRecountMs = 1_000;
/** CAs whose counts are remembered. */
export const pendingCountsRememberedMax = 1_000;

interface Known {
  count: number;
  countedAtMs: number;
}

/**
 * How many certificates of each CA wait for their activation, without reading them all for each one that comes: thousands of records, while
 * nothing else of the cloud goes on. What is known is never less than what this process has registered.
 */
export class PendingCounts {
  readonly #max: number;
  readonly #known = new BoundedMap<string, Known>(pendingCountsRememberedMax);

  constructor(max: number) {
    this.#max = max;
  }

  /** @param recount what the store has, up to the maximum @returns whether there is room for one more, which is counted then */
  async take(caCertificateId: string, nowMs: number, recount: () => Promise<number>): Promise<boolean> {
    const before = this.#known.get(caCertificateId);
    const isFull = before !== undefined && before.count >= this.#max;
    const ageMs = Math.abs(nowMs - (before?.countedAtMs ?? -Infinity));
    const isGood = before !== undefined && ageMs < (isFull ? fullRecountMs : pendingRecountMs);
    const known = isGood ? before : { count: await recount(), countedAtMs: nowMs };
    const hasRoom = known.count < this.#max;
    this.#known.set(caCertificateId, { ...known, count: known.count + (hasRoom ? 1 : 0) });
    return hasRoom;
  }
}
