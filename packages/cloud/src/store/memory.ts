import { ThinglineError } from "@thingline/protocol";
import { afterPrefix, encodeKey } from "./key-encoding.js";
import { prepareOperations, requireRevision } from "./operations.js";
import { SortedMap } from "./sorted-map.js";
import type { ListOptions, Store, StoreEntry, StoreKey, StoreOperation, StoreValue } from "./store.js";

/** A store that is gone with its process: for tests, `--memory` and simulated worlds. */
export function createMemoryStore(): Store {
  const entries = new SortedMap<StoreEntry>();
  let lastRevision = 0;
  let isClosed = false;

  const requireOpen = () => {
    if (isClosed) throw new ThinglineError("CLOSED", "the store was used after close()");
  };

  const peek = <T extends StoreValue>(key: StoreKey) => {
    requireOpen();
    return entries.get(encodeKey(key)) as StoreEntry<T> | undefined;
  };

  return {
    peek,

    async get<T extends StoreValue>(key: StoreKey) {
      return peek<T>(key);
    },

    async list<T extends StoreValue>(prefix: StoreKey, { after, limit, order = "ascending" }: ListOptions) {
      requireOpen();
      const start = encodeKey(prefix);
      const range = { above: start, below: afterPrefix(start) };
      if (after !== undefined) {
        const edge = encodeKey(after);
        if (order === "ascending" && edge > range.above) range.above = edge;
        if (order === "descending" && edge < range.below) range.below = edge;
      }
      return entries.range({ ...range, order, limit }) as StoreEntry<T>[];
    },

    async commit(operations: readonly StoreOperation[]) {
      requireOpen();
      const prepared = prepareOperations(operations);
      for (const { operation, key } of prepared) requireRevision(operation, entries.get(key)?.revision ?? 0);
      const revision = ++lastRevision;
      return prepared.map(({ operation, key, value }) => {
        if ("value" in operation) {
          entries.set(key, { key: [...operation.key], value, revision });
          return revision;
        }
        if ("delete" in operation) {
          entries.delete(key);
          return 0;
        }
        return operation.expectedRevision;
      });
    },

    async close() {
      isClosed = true;
    },
  };
}
