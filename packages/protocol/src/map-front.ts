/**
 * The first entries of a Map that entries leave at its front, as the oldest leave a bounded cache. Whoever asks a large Map for its first
 * entry each time walks over the places of all that have left, thousands of them; this goes on from where it was.
 */
export class MapFront<Key, Value> {
  private readonly entries: ReadonlyMap<Key, Value>;
  private ahead: Iterator<[Key, Value]> | undefined;

  constructor(entries: ReadonlyMap<Key, Value>) {
    this.entries = entries;
  }

  /** The first entry. It has to leave the Map, or to be set anew at its end, before the next one is asked for. */
  next(): [Key, Value] | undefined {
    let next = this.ahead?.next();
    if (next === undefined || next.done === true) {
      this.ahead = this.entries.entries();
      next = this.ahead.next();
    }
    return next.done === true ? undefined : next.value;
  }
}
