import { isThinglineError } from "@thingline/protocol";
import type { ListOptions, StoreEntry, StoreKey, StoreReader, StoreValue } from "./store.js";

const pageEntries = 500;

/** Every entry under a prefix, page by page. What is written meanwhile may or may not be seen. */
export async function* iterate<T extends StoreValue = StoreValue>(
  store: StoreReader,
  prefix: StoreKey,
): AsyncGenerator<StoreEntry<T>, void, undefined> {
  let after: StoreKey | undefined;
  for (;;) {
    const page: StoreEntry<T>[] = await store.list<T>(prefix, { limit: pageEntries, ...(after && { after }) });
    yield* page;
    after = page.at(-1)?.key;
    if (page.length < pageEntries || after === undefined) return;
  }
}

/**
 * The same without records that are damaged: the store itself logs and counts each. For what is read at a start, where one damaged
 * message must not keep back all others. Whoever asks for that record by its key is told.
 */
export async function* iterateSound<T extends StoreValue = StoreValue>(
  store: StoreReader,
  prefix: StoreKey,
): AsyncGenerator<StoreEntry<T>, void, undefined> {
  let after: StoreKey | undefined;
  for (;;) {
    const options = { limit: pageEntries, ...(after && { after }) };
    const page = await listSound<T>(store, prefix, options);
    yield* page.entries;
    after = page.last;
    if (page.count < pageEntries) return;
  }
}

async function listSound<T extends StoreValue>(store: StoreReader, prefix: StoreKey, options: ListOptions) {
  try {
    const entries = await store.list<T>(prefix, options);
    return { entries, count: entries.length, last: entries.at(-1)?.key };
  } catch (error) {
    if (!isThinglineError(error, "STORE_CORRUPT") || store.listKeys === undefined) throw error;
  }
  const keys = await store.listKeys(prefix, options);
  const entries: StoreEntry<T>[] = [];
  for (const key of keys) {
    const entry = await readSound<T>(store, key);
    if (entry !== undefined) entries.push(entry);
  }
  return { entries, count: keys.length, last: keys.at(-1) };
}

async function readSound<T extends StoreValue>(store: StoreReader, key: StoreKey): Promise<StoreEntry<T> | undefined> {
  try {
    return await store.get<T>(key);
  } catch (error) {
    if (isThinglineError(error, "STORE_CORRUPT")) return undefined;
    throw error;
  }
}
