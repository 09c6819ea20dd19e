import type { ErrorCode } from "@thingline/protocol";

/** More are counted, not told. */
export const damagesMax = 1_000;

/** One thing that is wrong with a data directory. */
export interface Damage {
  /** Path of the file. */
  file: string;
  code: ErrorCode;
  what: string;
}

/** What a look at a whole data directory found. */
export interface CheckResult {
  /** Records in the store that could be reached. */
  records: number;
  /** Blobs beside the store. */
  blobs: number;
  /** Format of the store; undefined when it cannot be told. */
  storeVersion: number | undefined;
  damages: readonly Damage[];
  /** All of them; more than `damages` has when there are more than {@link damagesMax}. */
  damageCount: number;
}
