import { ThinglineError } from "./errors.js";
import { MapFront } from "./map-front.js";

/** Entries that leave in the order in which they came. */
class Line<Key, Value> {
  readonly entries = new Map<Key, Value>();
  private readonly front = new MapFront(this.entries);

  takeFirst(): [Key, Value] | undefined {
    const first = this.front.next();
    if (first !== undefined) this.entries.delete(first[0]);
    return first;
  }
}

/** What is kept before the first hit: nothing, in a map that all share and none writes to. */
const nothing: ReadonlyMap<never, never> = new Map<never, never>();

/**
 * A cache of a stated size. When it is full, each new entry takes the place of one other, which nobody has asked for in a long time.
 *
 * A new entry stands in a line and leaves at its end, unless it is asked for meanwhile: then it is kept, and a hit among what is kept costs
 * what `Map.get` costs and moves nothing. When there is little in the line, those that were kept first stand in it again: what is still
 * in use is asked for before its turn comes.
 */
export class BoundedMap<Key, Value extends NonNullable<unknown>> {
  private readonly entriesMax: number;
  private keptLine: Line<Key, Value> | undefined;
  private readonly waitingLine = new Line<Key, Value>();
  private kept: ReadonlyMap<Key, Value> = nothing;
  private readonly waiting = this.waitingLine.entries;

  /** @param entriesMax A whole number of 1 or more, or Infinity. */
  constructor(entriesMax: number) {
    if (!(entriesMax >= 1) || (entriesMax !== Infinity && !Number.isInteger(entriesMax))) {
      const message = `entriesMax is ${entriesMax}, not a whole number of 1 or more`;
      throw new ThinglineError("OPTION_INVALID", message, { details: { option: "entriesMax" } });
    }
    this.entriesMax = entriesMax;
  }

  /** At most `entriesMax`. */
  get size(): number {
    return this.kept.size + this.waiting.size;
  }

  get(key: Key): Value | undefined {
    const value = this.kept.get(key);
    return value === undefined ? this.getWaiting(key) : value;
  }

  set(key: Key, value: Value): void {
    if (this.kept.has(key)) {
      this.keep(key, value);
      return;
    }
    if (this.size >= this.entriesMax && !this.waiting.has(key)) this.makeRoom();
    this.waiting.set(key, value);
  }

  delete(key: Key): void {
    this.keptLine?.entries.delete(key);
    this.waiting.delete(key);
  }

  clear(): void {
    this.keptLine = undefined;
    this.kept = nothing;
    this.waiting.clear();
  }

  private getWaiting(key: Key): Value | undefined {
    const value = this.waiting.get(key);
    if (value === undefined) return undefined;
    this.waiting.delete(key);
    this.keep(key, value);
    return value;
  }

  private keep(key: Key, value: Value): void {
    this.keptLine ??= new Line();
    this.kept = this.keptLine.entries;
    this.keptLine.entries.set(key, value);
  }

  private makeRoom(): void {
    // Two for each that leaves: the line grows to a quarter of all, and whoever stands in it has that long to be asked for.
    for (let count = 0; count < 2 && this.waiting.size * 4 < this.entriesMax; count++) {
      const first = this.keptLine?.takeFirst();
      if (first !== undefined) this.waiting.set(first[0], first[1]);
    }
    this.waitingLine.takeFirst();
  }
}
