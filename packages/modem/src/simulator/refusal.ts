import type { CmeErrorCode } from "@thingline/protocol/at";

/** A `+CME ERROR` code, or a plain ERROR whatever `+CMEE` says. */
export type Refusal = CmeErrorCode | "error";

/** A write that the memory did not take: the command under way is answered with the refusal. */
export class RefusedWrite extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(`the simulated modem's memory did not take a write (${refusal})`);
    this.refusal = refusal;
  }
}
