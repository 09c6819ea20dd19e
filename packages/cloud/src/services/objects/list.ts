import type { StoreEntry, StoreReader } from "../../store/store.js";
import { encodeKey } from "../../store/key-encoding.js";
import { answer, type Operation, type Scope } from "../operation.js";
import { lastName } from "../page.js";
import { requireBucket } from "./buckets.js";
import { objectKeys, type ObjectRecord, type ObjectVersion } from "./model.js";
import { factsOf, type ObjectFacts } from "./read.js";

/** Of one page, as S3 has it. */
export const listedObjectsMax = 1_000;
/** Records that are looked at for one page: what is deleted is passed over, and the page is short then. */
export const listedRecordsMax = 10_000;

export interface ListObjectsInput {
  bucket: string;
  prefix?: string;
  /** Keys that have it behind the prefix are told by what comes before its end. */
  delimiter?: string;
  /** Keys behind this one, which need not exist. */
  after?: string;
  /** Default and at most `listedObjectsMax`. */
  limit?: number;
}

export interface ListObjectsResult {
  objects: ({ key: string } & ObjectFacts)[];
  commonPrefixes: string[];
  /** Where the next page goes on; undefined on the last. */
  next: string | undefined;
}

/** Behind every key that begins with what it is put behind. */
const lastCharacter = "\u{10FFFF}";

/** In the order of the keys' bytes. */
export const listObjects: Operation<ListObjectsInput, ListObjectsResult> = async (context, input) => {
  const { scope, store } = context;
  const { bucket, prefix = "", delimiter = "", limit = listedObjectsMax } = input;
  await requireBucket(context, bucket);
  const objects: ListObjectsResult["objects"] = [];
  const commonPrefixes: string[] = [];
  let after = input.after;
  let looked = 0;
  const isFull = () => objects.length + commonPrefixes.length >= limit;
  for (;;) {
    const entries = await pageOf(store, scope, { bucket, prefix, after, limit: Math.min(limit + 1, 500) });
    if (entries.length === 0) return answer({ objects, commonPrefixes, next: undefined });
    for (const entry of entries) {
      const key = lastName(entry.key);
      const common = commonPrefixOf(key, prefix, delimiter);
      const [newest] = entry.value.versions;
      const isThere = newest !== undefined && !("isDeleteMarker" in newest);
      if (isThere && isFull()) return answer({ objects, commonPrefixes, next: after });
      after = key;
      looked++;
      if (isThere && common === undefined) objects.push({ key, ...factsOf(newest) });
      if (!isThere || common === undefined) continue;
      commonPrefixes.push(common);
      after = common + lastCharacter;
      break;
    }
    if (looked >= listedRecordsMax) return answer({ objects, commonPrefixes, next: after });
  }
};

export interface ListVersionsResult {
  versions: { key: string; version: ObjectVersion; isLatest: boolean }[];
  next: string | undefined;
}

/** All versions of some objects: pages end between objects. */
export const listObjectVersions: Operation<Omit<ListObjectsInput, "delimiter">, ListVersionsResult> = async (
  context,
  { bucket, prefix = "", after, limit = listedObjectsMax },
) => {
  await requireBucket(context, bucket);
  const entries = await pageOf(context.store, context.scope, { bucket, prefix, after, limit });
  const versions: ListVersionsResult["versions"] = [];
  for (const [at, entry] of entries.entries()) {
    const key = lastName(entry.key);
    entry.value.versions.forEach((version, index) => versions.push({ key, version, isLatest: index === 0 }));
    const isMore = at + 1 < entries.length || entries.length === limit;
    if (versions.length >= limit && isMore) return answer({ versions, next: key });
  }
  return answer({ versions, next: entries.length === limit ? lastName(entries.at(-1)?.key ?? []) : undefined });
};

/** Records of keys with the prefix, behind a key. */
async function pageOf(
  store: StoreReader,
  scope: Scope,
  { bucket, prefix, after, limit }: { bucket: string; prefix: string; after: string | undefined; limit: number },
): Promise<StoreEntry<ObjectRecord>[]> {
  const isAtStart = prefix !== "" && (after === undefined || encodeKey([after]) < encodeKey([prefix]));
  const own = isAtStart ? await store.get<ObjectRecord>(objectKeys.object(scope, { bucket, key: prefix })) : undefined;
  if (own !== undefined && limit === 1) return [own];
  const from = isAtStart ? prefix : after;
  const entries = await store.list<ObjectRecord>(objectKeys.objects(scope, bucket), {
    limit: own === undefined ? limit : limit - 1,
    ...(from !== undefined && { after: objectKeys.object(scope, { bucket, key: from }) }),
  });
  const found = entries.filter(({ key }) => lastName(key).startsWith(prefix));
  return own === undefined ? found : [own, ...found];
}

function commonPrefixOf(key: string, prefix: string, delimiter: string): string | undefined {
  const at = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
  return at < 0 ? undefined : key.slice(0, at + delimiter.length);
}
