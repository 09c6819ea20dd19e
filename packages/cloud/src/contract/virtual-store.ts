import { ThinglineError } from "@thingline/protocol";
import type { Clock, Random } from "@thingline/transport";
import { createMemoryStore } from "../store/memory.js";
import { prepareOperations } from "../store/operations.js";
import type { Store, StoreOperation } from "../store/store.js";

export interface VirtualStoreOptions {
  clock: Clock;
  random: Random;
  /** A commit is made up to so long after it was asked for, and told up to so long after that. Default 0. */
  delayMsMax?: number;
}

/** One node's way to the store. */
export interface NodeStore extends Store {
  /** The process is dead. @param isLost what it has asked for and is not made yet never will be; otherwise it was on its way. */
  kill(isLost: boolean): void;
}

/** A store that several nodes share, somewhere else: what they ask for takes its time, and arrives in the order of each. */
export interface VirtualStore {
  /** @param ownClock the clock of the node: one that stands still holds the answers back. */
  open(ownClock: Clock): NodeStore;
  /** Without a way in between. */
  readonly content: Store;
}

export function createVirtualStore({ clock, random, delayMsMax = 0 }: VirtualStoreOptions): VirtualStore {
  const content = createMemoryStore();

  function open(ownClock: Clock): NodeStore {
    let isLost = false;
    let isClosed = false;
    const pending = new Set<Promise<unknown>>();
    const delay = (): number => (delayMsMax === 0 ? 0 : random.integer(delayMsMax + 1));
    const requireOpen = (): void => {
      if (isClosed) throw new ThinglineError("CLOSED", "the store was used after close()");
    };
    /** Whatever timer comes first, does what was asked for first. */
    const inOrder = (timers: Clock) => {
      const waiting: (() => void)[] = [];
      return (work: () => void): void => {
        waiting.push(work);
        timers.setTimer(delay(), () => waiting.shift()?.());
      };
    };
    const make = inOrder(clock);
    const answer = inOrder(ownClock);
    const commit = (operations: readonly StoreOperation[]): Promise<readonly number[]> =>
      new Promise((resolve, reject) => {
        requireOpen();
        // What cannot be stored is refused here, and views are copied before their buffer may change.
        const copies = prepareOperations(operations).map(({ operation, value }) =>
          "value" in operation ? { ...operation, value } : operation,
        );
        make(() => {
          if (isLost) return;
          content.commit(copies).then(
            (revisions) => answer(() => resolve(revisions)),
            (error: Error) => answer(() => reject(error)),
          );
        });
      });

    return {
      async get(key) {
        requireOpen();
        return content.get(key);
      },
      async list(prefix, options) {
        requireOpen();
        return content.list(prefix, options);
      },
      commit(operations) {
        const work = commit(operations);
        const settled = work.then(
          () => undefined,
          () => undefined,
        );
        pending.add(settled);
        void settled.then(() => pending.delete(settled));
        return work;
      },
      async close() {
        isClosed = true;
        await Promise.all(pending);
      },
      kill: (isGone) => void (isLost = isGone),
    };
  }

  return { open, content };
}
