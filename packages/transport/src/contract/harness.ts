import { concatBytes, type ThinglineError } from "@thingline/protocol";
import type { Connection } from "../connection.js";

/** What a contract needs of a test runner: `node:test` and `node:assert/strict` fit. */
export interface ContractHarness {
  test: (name: string, body: () => Promise<void>) => unknown;
  assert: ContractAssert;
}

export interface ContractAssert {
  equal: (actual: unknown, expected: unknown, message?: string) => void;
  deepEqual: (actual: unknown, expected: unknown, message?: string) => void;
  ok: (value: unknown, message?: string) => void;
}

/** The stable code of the error that a promise is rejected with, `"none"` when it is not. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "none";
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}

/** What one side of a connection saw. */
export interface Observed {
  readonly chunks: Uint8Array[];
  readonly receivedBytes: number;
  readonly drainedCount: number;
  readonly closedCount: number;
  /** Resolves with all bytes so far once there are `lengthBytes` of them. */
  received(lengthBytes: number): Promise<Uint8Array>;
  drained(): Promise<void>;
  readonly closed: Promise<ThinglineError | undefined>;
}

/** Starts a connection and keeps what it says. */
export function observe(connection: Connection): Observed {
  const chunks: Uint8Array[] = [];
  const waiting = new Set<() => void>();
  let [receivedBytes, drainedCount, closedCount] = [0, 0, 0];
  let outcome: { error: ThinglineError | undefined } | undefined;
  const check = (): void => waiting.forEach((resolve) => resolve());

  /** Looks again whenever something happened. */
  function until<T>(look: () => T | undefined): Promise<T> {
    return new Promise((resolve) => {
      const again = (): void => {
        const found = look();
        if (found === undefined) return;
        waiting.delete(again);
        resolve(found);
      };
      waiting.add(again);
      again();
    });
  }

  connection.start({
    data(bytes) {
      chunks.push(bytes);
      receivedBytes += bytes.length;
      check();
    },
    drained() {
      drainedCount += 1;
      check();
    },
    closed(error) {
      closedCount += 1;
      outcome = { error };
      check();
    },
  });
  return {
    chunks,
    get receivedBytes() {
      return receivedBytes;
    },
    get drainedCount() {
      return drainedCount;
    },
    get closedCount() {
      return closedCount;
    },
    received: (lengthBytes) => until(() => (receivedBytes >= lengthBytes ? concatBytes(chunks) : undefined)),
    drained: async () => void (await until(() => (drainedCount > 0 ? true : undefined))),
    closed: until(() => outcome).then(({ error }) => error),
  };
}
