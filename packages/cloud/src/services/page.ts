import { ThinglineError } from "@thingline/protocol";
import type { ListOptions, StoreEntry, StoreKey, StoreReader, StoreValue } from "../store/store.js";
import { decodeKey, encodeKey } from "../store/key-encoding.js";

export const pageSizeDefault = 25;
/** Entries looked at for one page of a filtered list; the page is short then, and has a token. */
export const filteredEntriesMax = 10_000;

export interface PageRequest<T extends StoreValue> {
  prefix: StoreKey;
  /** As the client sent it. */
  token: string | undefined;
  /** The member that it came in. Default `nextToken`. */
  tokenName?: "nextToken" | "marker";
  size: number | undefined;
  order?: ListOptions["order"];
  matches?: (entry: StoreEntry<T>) => boolean;
  /** Of the last part of the keys, in ASCII: entries outside of it are not looked at. Only for lists in ascending order. */
  namePrefix?: string | undefined;
}

/**
 * One page of entries and the token of the next, undefined on the last one. Tokens are base64 (markers must look like it)
 * of the last key, encoded as in the store, so that every key has one: they stay good when that entry is deleted. The whole key, as
 * its beginning tells one list from another: a token of ListThings would let ListPolicies begin in the middle.
 * @throws {ThinglineError} REQUEST_INVALID for a token of something else.
 */
export async function readPage<T extends StoreValue>(
  store: StoreReader,
  {
    prefix,
    token,
    tokenName = "nextToken",
    size = pageSizeDefault,
    order = "ascending",
    matches = () => true,
    namePrefix = "",
  }: PageRequest<T>,
): Promise<{ entries: StoreEntry<T>[]; nextToken: string | undefined }> {
  const found: StoreEntry<T>[] = [];
  let after = token === undefined ? beforeNames(prefix, namePrefix) : decodeToken(prefix, token, tokenName);
  for (let looked = 0; looked < filteredEntriesMax;) {
    // One more than asked for tells whether there is a next page.
    const page = await store.list<T>(prefix, { limit: size + 1, order, ...(after && { after }) });
    // Keys of one list have as many parts.
    const isForged =
      looked === 0 &&
      token !== undefined &&
      after !== undefined &&
      page[0] !== undefined &&
      page[0].key.length !== after.length;
    if (isForged) throw badToken(tokenName);
    for (const entry of page) {
      if (!lastName(entry.key).startsWith(namePrefix)) return { entries: found, nextToken: undefined };
      if (!matches(entry)) continue;
      if (found.length === size) return { entries: found, nextToken: tokenAfter(found.at(-1)?.key ?? []) };
      found.push(entry);
    }
    if (page.length <= size) return { entries: found, nextToken: undefined };
    looked += page.length;
    after = page.at(-1)?.key ?? [];
  }
  return { entries: found, nextToken: tokenAfter(after ?? []) };
}

/** The same for a list that is made of several, all of it at once: the keys in the order of the store. */
export function pageOf(
  keys: readonly StoreKey[],
  {
    prefix,
    token,
    tokenName = "nextToken",
    size = pageSizeDefault,
  }: Omit<PageRequest<StoreValue>, "matches" | "order">,
): { keys: StoreKey[]; nextToken: string | undefined } {
  const after = token === undefined ? undefined : encodeKey(decodeToken(prefix, token, tokenName));
  const left = after === undefined ? keys : keys.filter((key) => encodeKey(key) > after);
  const page = left.slice(0, size);
  return { keys: page, nextToken: left.length > size ? tokenAfter(page.at(-1) ?? []) : undefined };
}

/** A key below every name with the prefix, and above all names that are less. */
function beforeNames(prefix: StoreKey, namePrefix: string): StoreKey | undefined {
  const last = namePrefix.charCodeAt(namePrefix.length - 1);
  if (namePrefix === "" || last === 0) return undefined;
  return [...prefix, `${namePrefix.slice(0, -1)}${String.fromCharCode(last - 1)}\u{10ffff}`];
}

/** The last part of a record's key: mostly the name of what it is about. */
export function lastName(key: StoreKey): string {
  return String(key.at(-1));
}

const tokenAfter = (key: StoreKey) => btoa(encodeKey(key));

function decodeToken(prefix: StoreKey, text: string, name: string): StoreKey {
  try {
    const after = decodeKey(Uint8Array.from(atob(text), (unit) => unit.charCodeAt(0)));
    const isOfThisList = after.length > prefix.length && prefix.every((part, at) => part === after[at]);
    // Base64 and keys can be spelled in ways in which no answer spells them.
    if (isOfThisList && tokenAfter(after) === text) return after;
  } catch {
    // No base64, no key, no key that a store can have: the same error.
  }
  throw badToken(name);
}

const badToken = (name: string) =>
  new ThinglineError("REQUEST_INVALID", `The ${name} is not one that an earlier answer gave`);
