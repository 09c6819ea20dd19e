import type { CommandContext } from "../command.js";
import { UsageError } from "../failure.js";
import { readNameValues } from "../name-values.js";
import { openIot, type OpenedIot, type PlaceOptions } from "./members.js";

/** `thingline tag list RESOURCE` */
export async function tagList(context: CommandContext, options: PlaceOptions, resource = ""): Promise<void> {
  const { output } = context;
  const where = await openIot(context, options);
  const resourceArn = arnOf(where, resource);
  const tags = await readTags(where, resourceArn);
  output.event(
    { event: "tags", resourceArn, tags: Object.fromEntries(tags) },
    tags.length === 0 ? undefined : tags.map(([name, value]) => `${name}=${output.wrap(value, 2)}`).join("\n"),
  );
  if (tags.length === 0) output.say(`no tags on ${resourceArn}`);
}

/** `thingline tag add RESOURCE NAME=VALUE...` */
export async function tagAdd(
  context: CommandContext,
  options: PlaceOptions,
  resource = "",
  ...words: string[]
): Promise<void> {
  const tags = readNameValues(words, "a tag");
  const where = await openIot(context, options);
  const { client, sdk, send } = where;
  const resourceArn = arnOf(where, resource);
  const given = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
  await client.send(new sdk.TagResourceCommand({ resourceArn, tags: given }), send);
  tellChanged(context, where, { resourceArn, what: "added", tags: Object.keys(tags) });
}

/** `thingline tag remove RESOURCE NAME...` */
export async function tagRemove(
  context: CommandContext,
  options: PlaceOptions,
  resource = "",
  ...tagKeys: string[]
): Promise<void> {
  const where = await openIot(context, options);
  const { client, sdk, send } = where;
  const resourceArn = arnOf(where, resource);
  await client.send(new sdk.UntagResourceCommand({ resourceArn, tagKeys }), send);
  tellChanged(context, where, { resourceArn, what: "removed", tags: tagKeys });
}

function tellChanged(
  { output }: CommandContext,
  { plane }: OpenedIot,
  facts: { resourceArn: string; what: "added" | "removed"; tags: readonly string[] },
): void {
  const { resourceArn, what, tags } = facts;
  const side = what === "added" ? "to" : "from";
  output.event(
    { event: "tagsChanged", ...facts },
    `${output.paint.green(what)} ${tags.join(", ")} ${side} ${resourceArn} in the ${plane.description}`,
  );
}

async function readTags({ client, sdk, send }: OpenedIot, resourceArn: string): Promise<[string, string][]> {
  const tags: [string, string][] = [];
  for await (const page of sdk.paginateListTagsForResource({ client }, { resourceArn }, send)) {
    for (const { Key = "", Value = "" } of page.tags ?? []) tags.push([Key, Value]);
  }
  return tags;
}

/** An ARN, or what stands in it after the account: `thinggroup/north`. */
function arnOf({ plane }: OpenedIot, resource: string): string {
  if (resource.startsWith("arn:")) return resource;
  if (plane.account === undefined) throw new UsageError("with --aws a resource is named by its whole ARN");
  return `arn:aws:iot:${plane.region}:${plane.account}:${resource}`;
}
