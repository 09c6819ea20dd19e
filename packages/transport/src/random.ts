/** Chance: jitter, identifiers, nonces. Node's is cryptographic, the virtual one is seeded. */
export interface Random {
  bytes(length: number): Uint8Array;
  /** 0 <= n < 1. */
  fraction(): number;
  /** 0 <= n < `below`; `below` at most 2^32. */
  integer(below: number): number;
  /** Version 4, lower case. */
  uuid(): string;
}
