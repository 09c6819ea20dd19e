/** Chance with a seed, for what a behaviour makes up: xorshift, the same on every machine. */
export class SeededChance {
  #state: number;

  constructor(seed: number) {
    // A state of zero would stay zero; neighbouring seeds shall not look alike.
    this.#state = (Math.imul(seed ^ 0x9e37_79b9, 0x85eb_ca6b) ^ (seed >>> 3)) >>> 0 || 0x1234_5678;
    for (let round = 0; round < 4; round++) this.fraction();
  }

  /** 0 <= n < 1. */
  fraction(): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state >>> 0;
    return this.#state / 0x1_0000_0000;
  }

  below(limit: number): number {
    return Math.floor(this.fraction() * limit);
  }

  /** A piece of the text is lost, and two of its bytes are others; an empty text becomes noise. @returns a character for each byte */
  damage(text: string): string {
    const bytes = Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");
    const from = this.below(bytes.length);
    let damaged = bytes.slice(0, from) + bytes.slice(from + 1 + this.below(4));
    for (let hit = 0; hit < 2; hit++) {
      const at = this.below(Math.max(1, damaged.length));
      damaged = damaged.slice(0, at) + this.character() + damaged.slice(at + 1);
    }
    return damaged;
  }

  /** Anything that a disturbed line gives: printable or not, line ends among them. */
  character(): string {
    return String.fromCharCode(this.below(256));
  }
}

/** Most characters of noise at a time. */
export const noiseCharactersMax = 64;

export function makeNoise(chance: SeededChance): string {
  return Array.from({ length: 1 + chance.below(noiseCharactersMax) }, () => chance.character()).join("");
}
