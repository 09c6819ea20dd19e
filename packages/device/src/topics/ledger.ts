import type { ThinglineError } from "@thingline/protocol";
import type { Subscription } from "@thingline/protocol/mqtt/client";

/**
 * What the server's session is known to hold: filters whose SUBACK came, and filters of which it is not known, because the
 * connection ended before the answer.
 */
export class SubscriptionLedger {
  /** Undefined: none, as with most devices. */
  #held: Set<string> | undefined;
  #unsure: Set<string> | undefined;
  /** CONNECT packets so far. */
  #connectCount = 0;
  #isFresh = true;

  /** A SUBSCRIBE or UNSUBSCRIBE leaves. */
  asked(filters: readonly string[]): void {
    this.#unsure ??= new Set();
    for (const filter of filters) this.#unsure.add(filter);
  }

  subscribed(filters: readonly string[], outcome: ThinglineError | readonly number[] | undefined): void {
    if (!Array.isArray(outcome)) return;
    const codes: readonly number[] = outcome;
    filters.forEach((filter, index) => {
      this.#unsure?.delete(filter);
      if ((codes[index] ?? 0x80) < 0x80) this.#hold(filter);
      else this.#held?.delete(filter);
    });
  }

  unsubscribed(filters: readonly string[], outcome: ThinglineError | readonly number[] | undefined): void {
    if (!Array.isArray(outcome)) return;
    const codes: readonly number[] = outcome;
    // UNSUBACK of 3.1.1 has no codes: all is well.
    filters.forEach((filter, index) => {
      if ((codes[index] ?? 0) >= 0x80) return;
      this.#unsure?.delete(filter);
      this.#held?.delete(filter);
    });
  }

  #hold(filter: string): void {
    this.#held ??= new Set();
    this.#held.add(filter);
  }

  /** CONNECT was sent. */
  connecting(): void {
    this.#connectCount += 1;
  }

  /**
   * CONNACK came.
   *
   * @param assumed what a session that an earlier life of this device left behind is taken to hold, since it says nothing
   * about that itself
   */
  connected(isSessionPresent: boolean, assumed: Iterable<string>): void {
    // After a CONNECT whose CONNACK was lost the session may be that one's own, and hold nothing.
    const isFromBefore = this.#isFresh && this.#connectCount === 1;
    if (!isSessionPresent) {
      this.#held = this.#unsure = undefined;
    } else if (isFromBefore) {
      for (const filter of assumed) this.#hold(filter);
    }
    this.#isFresh = false;
  }

  /** Those of `wanted` that have to be subscribed. */
  missing(wanted: readonly Subscription[]): Subscription[] {
    return wanted.filter(({ filter }) => this.#held?.has(filter) !== true || this.#unsure?.has(filter) === true);
  }

  /** What the server holds, or may hold, and nobody wants any more. */
  surplus(wanted: ReadonlySet<string>): string[] {
    return [...new Set([...(this.#held ?? []), ...(this.#unsure ?? [])])].filter((filter) => !wanted.has(filter));
  }
}
