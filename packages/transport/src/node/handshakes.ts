/** A peer that is no connection yet. */
export interface Handshake {
  /** It has to go, being the oldest of more than `limit`. It is counted no more. */
  makeRoom(limit: number): void;
}

/** Handshakes under way, of a listener or of all listeners of a network: over the bound the oldest makes room. */
export class Handshakes {
  readonly #max: number;
  readonly #underWay = new Set<Handshake>();

  constructor(max: number) {
    this.#max = max;
  }

  get count(): number {
    return this.#underWay.size;
  }

  begin(handshake: Handshake): void {
    this.#underWay.add(handshake);
    if (this.#underWay.size <= this.#max) return;
    const [oldest = handshake] = this.#underWay;
    this.#underWay.delete(oldest);
    oldest.makeRoom(this.#max);
  }

  end(handshake: Handshake): void {
    this.#underWay.delete(handshake);
  }
}
