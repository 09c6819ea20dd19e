import { ThinglineError } from "@thingline/protocol";
import { encodeKey } from "./key-encoding.js";
import type { StoreOperation, StoreValue } from "./store.js";
import { normalizeValue } from "./value-encoding.js";

export interface PreparedOperation {
  operation: StoreOperation;
  /** Encoded. */
  key: string;
  /** Normalized; null for what writes no value. */
  value: StoreValue;
}

/**
 * What every store does with a commit before it touches anything: keys encoded, values checked and normalized.
 * @throws {ThinglineError} OPTION_INVALID, also for an empty key and one that occurs twice.
 */
export function prepareOperations(operations: readonly StoreOperation[]): PreparedOperation[] {
  const seen = new Set<string>();
  return operations.map((operation) => {
    const key = encodeKey(operation.key);
    // LMDB takes no empty key, and would only say so in the middle of a transaction.
    if (key === "") throw new ThinglineError("OPTION_INVALID", "store key: a record needs a key with parts");
    if (seen.has(key)) {
      throw new ThinglineError("OPTION_INVALID", `key ${JSON.stringify(operation.key)} occurs twice in one commit`);
    }
    seen.add(key);
    return { operation, key, value: "value" in operation ? normalizeValue(operation.value) : null };
  });
}

/** @throws {ThinglineError} STORE_CONFLICT unless the operation's expectation holds. */
export function requireRevision({ expectedRevision, key }: StoreOperation, currentRevision: number): void {
  if (expectedRevision === undefined || expectedRevision === currentRevision) return;
  throw new ThinglineError(
    "STORE_CONFLICT",
    `key ${JSON.stringify(key)} has revision ${currentRevision}, expected ${expectedRevision}`,
    { details: { currentRevision, expectedRevision } },
  );
}
