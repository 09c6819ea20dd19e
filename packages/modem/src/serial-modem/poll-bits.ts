/** Bits of `#XPOLL` and `#XAPOLL`. */
export const pollBits = { in: 1, out: 4, error: 8, hangUp: 16, invalid: 32 } as const;
