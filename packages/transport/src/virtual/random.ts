import { kindOf, optionInvalid, ThinglineError, toHex } from "@thingline/protocol";
import type { Random } from "../random.js";

export interface VirtualRandom extends Random {
  /** A stream of its own, set by this one's seed and the label: drawing from it moves nobody else's luck. */
  fork(label: string): VirtualRandom;
}

/** Chance from a seed (xoshiro128**): the same seed, the same draws. Never for anything that must stay secret. */
export function createVirtualRandom(seed: number | string): VirtualRandom {
  if (typeof seed !== "number" && typeof seed !== "string") {
    throw optionInvalid("seed", "a number or a string", kindOf(seed));
  }
  const state = stateOf(String(seed));

  function next(): number {
    let [a, b, c, d] = state;
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotate(d, 11);
    state[0] = a;
    state[1] = b;
    state[2] = c;
    state[3] = d;
    return result;
  }

  const random: VirtualRandom = {
    bytes(length) {
      const bytes = new Uint8Array(length);
      for (let index = 0; index < length; index++) bytes[index] = next() >>> 24;
      return bytes;
    },
    fraction: () => ((next() >>> 5) * 2 ** 26 + (next() >>> 6)) / 2 ** 53,
    integer(below) {
      if (!Number.isInteger(below) || below < 1 || below > 2 ** 32) {
        const message = `"below" must be a whole number from 1 to 4294967296, got ${below}`;
        throw new ThinglineError("OPTION_INVALID", message, { details: { below } });
      }
      // What is over the last whole multiple would favour small numbers.
      const limit = 2 ** 32 - (2 ** 32 % below);
      for (;;) {
        const drawn = next();
        if (drawn < limit) return drawn % below;
      }
    },
    uuid() {
      const bytes = random.bytes(16);
      bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
      bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
      return toHex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
    },
    fork: (label) => createVirtualRandom(`${seed}/${label}`),
  };
  return random;
}

function rotate(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}

/** FNV-1a over the text, spread by the finalizer of MurmurHash3; never all zero. */
function stateOf(text: string): [number, number, number, number] {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  const word = (): number => {
    hash = (hash + 0x9e3779b9) | 0;
    let mixed = hash;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return mixed ^ (mixed >>> 16);
  };
  return [word(), word(), word(), word() | 1];
}
