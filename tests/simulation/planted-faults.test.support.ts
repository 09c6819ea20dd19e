// Faults that the simulation of several nodes has to find, put between a node and its store: nothing of them is in the product.
import type { Store, StoreKey, StoreOperation } from "@thingline/cloud";

const isSystem = (key: StoreKey, kind: string): boolean => key[0] === "" && key[1] === "" && key[2] === kind;

/** All nodes keep their outbox under one name, as before there were nodes: their records overwrite each other. */
export function sharedOutboxKeys(store: Store): Store {
  const shared = (key: StoreKey): StoreKey => {
    if (!isSystem(key, "outbox") || key.length < 4) return key;
    return [...key.slice(0, 3), "shared", ...key.slice(4)];
  };
  return {
    ...store,
    get: (key) => store.get(shared(key)),
    list: (prefix, options) =>
      store.list(shared(prefix), { ...options, ...(options.after && { after: shared(options.after) }) }),
    commit: async (operations) => {
      const byKey = new Map<string, StoreOperation>();
      for (const operation of operations) {
        const key = shared(operation.key);
        byKey.set(JSON.stringify(key), { ...operation, key });
      }
      const revisions = await store.commit([...byKey.values()]);
      const places = new Map([...byKey.keys()].map((name, at) => [name, revisions[at] ?? 0]));
      return operations.map(({ key }) => places.get(JSON.stringify(shared(key))) ?? 0);
    },
  };
}

/** Claims of wake-ups are never written: each node believes that the wake-up is its own. */
export function unclaimedWakeUps(store: Store): Store {
  const isClaim = (operation: StoreOperation): boolean =>
    isSystem(operation.key, "wake") && "value" in operation && operation.value !== null;
  return {
    ...store,
    commit: (operations) => {
      const [first] = operations;
      if (first === undefined || !isClaim(first)) return store.commit(operations);
      return Promise.resolve(operations.map(({ expectedRevision = 0 }) => expectedRevision));
    },
  };
}
