import type { StoreKey, StoreOperation } from "../../store/store.js";
import type { OperationContext } from "../operation.js";
import { invalid, readTags, tagsKey, tagsPerResourceMax, writeTags, type GivenTags, type TagsRecord } from "./model.js";

// What a service does that makes and deletes resources which may have tags. Each is of the record's key, and belongs into the commit that
// writes the record.

/**
 * The tags of a resource that the same commit makes: the `tags` member of its create operation.
 *
 * @param resource the key of its record, as its `TaggableKind` has it
 * @throws {ThinglineError} REQUEST_INVALID
 */
export function tagsOfNew(resource: StoreKey, tags: GivenTags | undefined): StoreOperation[] {
  if (tags === undefined) return [];
  const read = readTags(tags);
  if (read.size > tagsPerResourceMax) {
    throw invalid(`A resource has at most ${tagsPerResourceMax} tags, got ${read.size}`);
  }
  return read.size === 0 ? [] : [writeTags(resource, read)];
}

/** For the commit that deletes the record of a resource, whether it has tags or not. */
export function tagsGone(resource: StoreKey): StoreOperation {
  return { key: tagsKey(resource), delete: true };
}

/**
 * Whether a resource that is there already has the tags with which it is asked for again: what is the same for create operations that
 * may be repeated. Without tags in the request it has.
 */
export async function hasTags(
  { store }: Pick<OperationContext, "store">,
  resource: StoreKey,
  tags: GivenTags | undefined,
): Promise<boolean> {
  if (tags === undefined) return true;
  const wanted = readTags(tags);
  const stored = (await store.get<TagsRecord>(tagsKey(resource)))?.value ?? [];
  return stored.length === wanted.size && stored.every(({ key, value }) => wanted.get(key) === value);
}
