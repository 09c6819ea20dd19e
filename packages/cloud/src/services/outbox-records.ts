import { soleNodeId, type Estate } from "../nodes/node.js";
import { iterateSound } from "../store/iterate.js";
import type { Store, StoreEntry, StoreKey, StoreOperation, StoreReader } from "../store/store.js";
import { systemKey } from "../store/system-keys.js";
import type { Effect } from "./operation.js";

/** What the performer does; a wake-up is the runner's own. */
export type PerformedEffect = Exclude<Effect, { type: "wakeAt" }>;
/** A message as it is stored and handed over: with its payload. */
export type PublishEffect = Omit<Extract<Effect, { type: "publish" }>, "payload"> & { payload: Uint8Array };
export type StoredEffect = Exclude<PerformedEffect, { type: "publish" }> | PublishEffect;

/** Names an effect for good, whoever performs it: the node that committed it, and its place among that node's effects. */
export type EffectId = {
  readonly node: string;
  readonly sequence: number;
};

export type OutboxRecord = {
  account: string;
  region: string;
  effect: StoredEffect;
  /** Where another node took it over; otherwise its key says who committed it. */
  origin?: EffectId;
};

/** Records that one commit moves from a node that is over to its heir. */
export const movedEffectsMax = 100;

export const outboxKey = (node: string, sequence: number): StoreKey => systemKey("outbox", node, sequence);

/** Who committed the effect. A release without nodes has no node in its keys. */
export function originOf(key: StoreKey, { origin }: OutboxRecord): EffectId {
  if (origin !== undefined) return origin;
  const node = key.length > 4 ? String(key[3]) : soleNodeId;
  return { node, sequence: Number(key.at(-1)) };
}

/** Everything that any node left, in the order of each: for the one that has the store for itself. */
export function leftOver(store: StoreReader): AsyncGenerator<StoreEntry<OutboxRecord>, void, undefined> {
  return iterateSound<OutboxRecord>(store, systemKey("outbox"));
}

/** What one node left. Under the name of the sole node also what a release without nodes did: it is older. */
async function* leftBy(store: StoreReader, node: string): AsyncGenerator<StoreEntry<OutboxRecord>, void, undefined> {
  if (node === soleNodeId) {
    for await (const entry of leftOver(store)) {
      // Numbers come first.
      if (typeof entry.key[3] !== "number") break;
      yield entry;
    }
  }
  yield* iterateSound<OutboxRecord>(store, systemKey("outbox", node));
}

export interface MovedEffect {
  key: StoreKey;
  record: OutboxRecord;
}

/**
 * Makes what an estate has in its outbox the heir's own, in order. What is moved keeps its {@link EffectId}, so that a receiver
 * which had it from the node that is over drops it.
 *
 * @param nextKey of the heir's outbox. @param onMoved called with the effects of each commit, as soon as it is made.
 */
export async function adoptOutbox(
  store: Store,
  { id, guards }: Estate,
  nextKey: () => StoreKey,
  onMoved: (effects: readonly MovedEffect[]) => void,
): Promise<void> {
  let effects: MovedEffect[] = [];
  let operations: StoreOperation[] = [...guards];
  const move = async (): Promise<void> => {
    if (effects.length === 0) return;
    await store.commit(operations);
    onMoved(effects);
    effects = [];
    operations = [...guards];
  };
  for await (const { key, value } of leftBy(store, id)) {
    const record: OutboxRecord = { ...value, origin: originOf(key, value) };
    const taken = { key: nextKey(), record };
    operations.push({ key, delete: true }, { key: taken.key, value: record });
    if (effects.push(taken) >= movedEffectsMax) await move();
  }
  await move();
}
