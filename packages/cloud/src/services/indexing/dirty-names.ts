/** Names of what changed, each once, taken in parts. There are never more than there are things. */
export class DirtyNames {
  readonly #names = new Set<string>();

  get size(): number {
    return this.#names.size;
  }

  add(name: string): void {
    this.#names.add(name);
  }

  /** The first ones, or all; they are marked no more. */
  take(limit = Infinity): string[] {
    const taken: string[] = [];
    for (const name of this.#names) {
      if (taken.length >= limit) break;
      taken.push(name);
    }
    for (const name of taken) this.#names.delete(name);
    return taken;
  }
}
