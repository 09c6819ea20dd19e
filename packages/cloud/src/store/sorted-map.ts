/** Longest run of keys before it is split in two. */
const runKeysMax = 512;

/**
 * A map that lists its keys in code unit order: sorted runs of bounded length, so that an insertion moves a few
 * hundred references at most, however many keys there are.
 */
export class SortedMap<Value> {
  readonly #values = new Map<string, Value>();
  /** Never an empty run, but for the only one of an empty map. */
  readonly #runs: string[][] = [[]];

  get size(): number {
    return this.#values.size;
  }

  get(key: string): Value | undefined {
    return this.#values.get(key);
  }

  set(key: string, value: Value): void {
    if (!this.#values.has(key)) this.#insert(key);
    this.#values.set(key, value);
  }

  delete(key: string): void {
    if (!this.#values.delete(key)) return;
    const { run, index } = this.#position(key);
    const keys = this.#runs[run] ?? [];
    keys.splice(index, 1);
    if (keys.length === 0 && this.#runs.length > 1) this.#runs.splice(run, 1);
  }

  /** Values of the keys between both ends, which do not belong to the range. */
  range(options: { above: string; below: string; limit: number; order: "ascending" | "descending" }): Value[] {
    return options.order === "ascending" ? this.#ascending(options) : this.#descending(options);
  }

  #ascending({ above, below, limit }: { above: string; below: string; limit: number }): Value[] {
    const found: Value[] = [];
    let { run, index } = this.#position(above);
    for (; run < this.#runs.length; run++, index = 0) {
      const keys = this.#runs[run] ?? [];
      for (; index < keys.length; index++) {
        const key = keys[index] ?? "";
        if (key >= below || found.length >= limit) return found;
        if (key > above) found.push(this.#values.get(key) as Value);
      }
    }
    return found;
  }

  #descending({ above, below, limit }: { above: string; below: string; limit: number }): Value[] {
    const found: Value[] = [];
    let { run, index } = this.#position(below);
    for (index--; run >= 0; run--, index = (this.#runs[run]?.length ?? 0) - 1) {
      const keys = this.#runs[run] ?? [];
      for (; index >= 0; index--) {
        const key = keys[index] ?? "";
        if (key <= above || found.length >= limit) return found;
        found.push(this.#values.get(key) as Value);
      }
    }
    return found;
  }

  #insert(key: string): void {
    const { run, index } = this.#position(key);
    const keys = this.#runs[run] ?? [];
    keys.splice(index, 0, key);
    if (keys.length > runKeysMax) this.#runs.splice(run + 1, 0, keys.splice(runKeysMax / 2));
  }

  /** Where `key` is, or would be put: the first key that is not less, in the last run that does not begin after it. */
  #position(key: string): { run: number; index: number } {
    const run = Math.max(0, firstIndex(this.#runs.length, (at) => (this.#runs[at]?.[0] ?? "") > key) - 1);
    const keys = this.#runs[run] ?? [];
    return { run, index: firstIndex(keys.length, (at) => (keys[at] ?? "") >= key) };
  }
}

/** The first index for which `holds` is true, or `length`; false never follows true. */
function firstIndex(length: number, holds: (index: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
