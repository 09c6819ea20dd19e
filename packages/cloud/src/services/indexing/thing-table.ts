import type { IndexedThing } from "../../fleet-query/documents.js";
import type { Log } from "../../log.js";

/** Things in the index of one account and region; with more it answers that it is not ready. */
export const indexedThingsMax = 100_000;
/** Characters of all that is indexed of them. */
export const indexedCharactersMax = 256 * 1024 * 1024;

/** The things of an index, in the order of their names. */
export class ThingTable {
  readonly #log: Log;
  readonly #things = new Map<string, { thing: IndexedThing; characters: number }>();
  #characters = 0;
  #isFull = false;
  /** Undefined when a name has come or gone since. */
  #sorted: string[] | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  get size(): number {
    return this.#things.size;
  }

  /** Something had no room, so that no answer would be whole. */
  get isFull(): boolean {
    return this.#isFull;
  }

  get(thingName: string): IndexedThing | undefined {
    return this.#things.get(thingName)?.thing;
  }

  set(thing: IndexedThing): void {
    const { thingName } = thing;
    const before = this.#things.get(thingName);
    const characters = charactersOf(thing);
    const isTooMuch = this.#characters - (before?.characters ?? 0) + characters > indexedCharactersMax;
    if (isTooMuch || (before === undefined && this.#things.size >= indexedThingsMax)) return this.#fill(isTooMuch);
    this.#characters += characters - (before?.characters ?? 0);
    this.#things.set(thingName, { thing, characters });
    if (before === undefined) this.#sorted = undefined;
  }

  #fill(isTooMuch: boolean): void {
    if (!this.#isFull) {
      this.#log.warn("limitHit", { limit: isTooMuch ? "indexedCharactersMax" : "indexedThingsMax", things: this.size });
    }
    this.#isFull = true;
  }

  /** @returns whether there is room again for what had none: all has to be read again then */
  delete(thingName: string): boolean {
    const before = this.#things.get(thingName);
    if (before === undefined) return false;
    this.#things.delete(thingName);
    this.#characters -= before.characters;
    this.#sorted = undefined;
    return this.#isFull;
  }

  clear(): void {
    this.#things.clear();
    this.#characters = 0;
    this.#isFull = false;
    this.#sorted = undefined;
  }

  names(): readonly string[] {
    return (this.#sorted ??= [...this.#things.keys()].sort((left, right) => (left < right ? -1 : 1)));
  }
}

/** Of every text and name in it, and eight for whatever else. */
function charactersOf(value: unknown): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null) return 8;
  if (Array.isArray(value)) return value.reduce((sum: number, one) => sum + charactersOf(one), 8);
  let characters = 8;
  for (const [name, member] of Object.entries(value)) characters += name.length + charactersOf(member);
  return characters;
}
