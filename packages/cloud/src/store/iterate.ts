import type { StoreEntry, StoreKey, StoreReader, StoreValue } from "./store.js";

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
