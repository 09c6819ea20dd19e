import { ThinglineError } from "@thingline/protocol";
import type { StoreEntry, StoreOperation } from "../../store/store.js";
import { awsOperation } from "../aws-operation.js";
import { answer, type OperationContext } from "../operation.js";
import type { TaggableKind } from "../taggable.js";
import { invalid, readTags, requireOwnKey, tagsKey, tagsPerResourceMax, writeTags, type TagsRecord } from "./model.js";

/** Operations of tags, by AWS's names. */
export type Tags = ReturnType<typeof createTags>;

type Context = Pick<OperationContext, "store" | "scope">;

/** @param kinds of all services */
export function createTags(kinds: readonly TaggableKind[]) {
  /** @throws {ThinglineError} REQUEST_INVALID for what is no ARN of a kind, RESOURCE_NOT_FOUND for one of nothing */
  const requireResource = async ({ store, scope }: Context, arn: string): Promise<StoreEntry> => {
    const resource = resourceOf(scope, arn);
    for (const { resource: pattern, keyOf, isOf } of kinds) {
      const [, ...names] = pattern.exec(resource) ?? [];
      if (names.length === 0) continue;
      const entry = await store.get(keyOf(scope, ...names));
      if (entry !== undefined && (isOf?.(entry.value as never, ...names) ?? true)) return entry;
      throw new ThinglineError("RESOURCE_NOT_FOUND", `The resource ${arn} does not exist`);
    }
    throw invalid(`${shown(arn)} is not the ARN of a resource that can have tags`);
  };

  return {
    tagResource: awsOperation(
      "iot",
      "TagResource",
      ["resourceArn", "tags.Key", "tags.Value"],
      async (context, input) => {
        const resource = await requireResource(context, input.resourceArn);
        const given = readTags(input.tags);
        const { tags, expected } = await storedTags(context, resource);
        for (const [key, value] of given) tags.set(key, value);
        if (tags.size > tagsPerResourceMax) {
          const message = `A resource has at most ${tagsPerResourceMax} tags, this one would have ${tags.size}`;
          throw new ThinglineError("QUOTA_EXCEEDED", message, { details: { tagsPerResourceMax } });
        }
        return { result: {}, operations: changed(resource, tags, expected), effects: [] };
      },
    ),

    untagResource: awsOperation("iot", "UntagResource", ["resourceArn", "tagKeys"], async (context, input) => {
      const resource = await requireResource(context, input.resourceArn);
      input.tagKeys.forEach(requireOwnKey);
      const { tags, expected } = await storedTags(context, resource);
      for (const key of input.tagKeys) tags.delete(key);
      return { result: {}, operations: changed(resource, tags, expected), effects: [] };
    }),

    /** All of them in one answer: there are few. */
    listTagsForResource: awsOperation(
      "iot",
      "ListTagsForResource",
      ["resourceArn", "nextToken"],
      async (context, { resourceArn, nextToken }) => {
        const resource = await requireResource(context, resourceArn);
        if (nextToken !== undefined) throw invalid("The nextToken is not one that an earlier answer gave");
        const { tags } = await storedTags(context, resource);
        return answer({ tags: [...tags].map(([Key, Value]) => ({ Key, Value })) });
      },
    ),
  };
}

async function storedTags({ store }: Context, { key }: StoreEntry) {
  const entry = await store.get<TagsRecord>(tagsKey(key));
  const tags = new Map((entry?.value ?? []).map(({ key: tag, value }) => [tag, value]));
  return { tags, expected: { expectedRevision: entry?.revision ?? 0 } };
}

/** Who deletes the resource meanwhile is not left with tags of nothing. */
function changed(
  { key, revision }: StoreEntry,
  tags: ReadonlyMap<string, string>,
  expected: { expectedRevision: number },
): StoreOperation[] {
  const write = writeTags(key, tags, expected);
  return [
    ...("delete" in write && expected.expectedRevision === 0 ? [] : [write]),
    { key, expectedRevision: revision, check: true },
  ];
}

/** What stands after the account in an ARN of this account and region. @throws {ThinglineError} REQUEST_INVALID */
function resourceOf({ account, region }: Context["scope"], arn: string): string {
  const [, arnRegion, arnAccount, resource] = /^arn:aws[a-z-]*:iot:([^:]*):([^:]*):(.{1,300})$/u.exec(arn) ?? [];
  if (resource === undefined) throw invalid(`${shown(arn)} is not an ARN of AWS IoT`);
  if (arnAccount === account && arnRegion === region) return resource;
  throw invalid(`${shown(arn)} is not an ARN of account ${account} in ${region}`);
}

const shown = (arn: string) => `'${arn.slice(0, 300)}'`;
