import { ThinglineError } from "@thingline/protocol";
import type { StoreKey, StoreOperation } from "../../store/store.js";

/** Of one resource. @see AWS IoT API reference, TagResource; AWS General Reference, "AWS IoT Core endpoints and quotas" */
export const tagsPerResourceMax = 50;

/** A list as most operations have it, or the map of the package catalog. */
export type GivenTags = readonly { Key: string; Value?: string | undefined }[] | Readonly<Record<string, string>>;

/** The tags of one resource, in the order of their keys. */
export type TagsRecord = readonly { key: string; value: string }[];

const kind = "tags";

/** Where the tags of a resource stand: beside its record, by the key of that. */
export function tagsKey([account = "", region = "", ...rest]: StoreKey): StoreKey {
  return [account, region, kind, ...rest];
}

/** The record of the resource that the tags at this key belong to; undefined for the key of something else. */
export function resourceOfTags([account = "", region = "", first, ...rest]: StoreKey): StoreKey | undefined {
  return first === kind && rest.length > 0 ? [account, region, ...rest] : undefined;
}

/** As `cloud check` and every reader finds them. */
export function writeTags(
  resource: StoreKey,
  tags: ReadonlyMap<string, string>,
  expected: { expectedRevision?: number } = {},
): StoreOperation {
  const key = tagsKey(resource);
  if (tags.size === 0) return { key, ...expected, delete: true };
  const value: TagsRecord = [...tags]
    .map(([tag, text]) => ({ key: tag, value: text }))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
  return { key, ...expected, value };
}

/** Of a key and of a value. AWS's model says so of keys and lengths, where tags are a list or a map; those of a header it leaves unsaid. */
const textPattern = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;
const keyCharactersMax = 128;
const valueCharactersMax = 256;
const characters = "letters, digits, white space and _.:/=+-@";

/**
 * A request's tags, by their keys.
 *
 * @throws {ThinglineError} REQUEST_INVALID for a key that is given twice or is AWS's own, and for a key or a value that is too long or of other
 * characters
 * @see AWS IoT developer guide, "Tag restrictions and limitations"
 */
export function readTags(given: GivenTags): Map<string, string> {
  const pairs = Array.isArray(given)
    ? (given as readonly { Key: string; Value?: string }[]).map(({ Key, Value = "" }) => [Key, Value] as const)
    : Object.entries(given as Readonly<Record<string, string>>);
  const tags = new Map<string, string>();
  for (const [tag, value] of pairs) {
    requireOwnKey(tag);
    if (tag === "" || tag.length > keyCharactersMax || !textPattern.test(tag)) {
      throw invalid(`A tag key has 1 to ${keyCharactersMax} ${characters}, got '${tag.slice(0, keyCharactersMax)}'`);
    }
    if (tags.has(tag)) throw invalid(`The tag key '${tag}' is given twice`);
    if (value.length > valueCharactersMax || !textPattern.test(value)) {
      throw invalid(`The value of the tag '${tag}' may have up to ${valueCharactersMax} ${characters}`);
    }
    tags.set(tag, value);
  }
  return tags;
}

/** @throws {ThinglineError} REQUEST_INVALID */
export function requireOwnKey(tag: string): void {
  if (/^aws:/i.test(tag)) throw invalid(`The tag key '${tag}' begins with aws:, which is reserved`);
}

export const invalid = (message: string) => new ThinglineError("REQUEST_INVALID", message);
