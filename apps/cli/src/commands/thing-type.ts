import type { DescribeThingTypeCommandOutput, PropagatingAttribute, ThingTypeDefinition } from "@aws-sdk/client-iot";
import type { CommandContext } from "../command.js";
import { UsageError } from "../failure.js";
import { commandLine } from "../invocation.js";
import type { Output } from "../output.js";
import { describeRows, openIot, pageSize, type PlaceOptions, placeWords } from "./members.js";

interface CreateOptions extends PlaceOptions {
  description?: string;
  searchable?: string[];
  propagate?: string[];
}

interface ListOptions extends PlaceOptions {
  prefix?: string;
}

interface UpdateOptions extends PlaceOptions {
  /** commander: `--no-propagate` makes it false. */
  propagate?: string[] | false;
}

interface DeprecateOptions extends PlaceOptions {
  undo?: boolean;
}

/** By which `--propagate` tells what of the connection is meant; all else are attributes of the thing. */
const connectionAttributes: readonly string[] = ["iot:ClientId", "iot:Thing.ThingName"];

/** @throws {UsageError} */
function readPropagating(words: readonly string[]): PropagatingAttribute[] {
  return words.map((word) => {
    const at = word.indexOf("=");
    const [userPropertyKey, attribute] = at < 0 ? [word, word] : [word.slice(0, at), word.slice(at + 1)];
    if (userPropertyKey === "" || attribute === "") {
      throw new UsageError(`--propagate takes KEY=ATTRIBUTE, or the name of an attribute, got "${word}"`);
    }
    if (connectionAttributes.includes(attribute)) return { userPropertyKey, connectionAttribute: attribute };
    return { userPropertyKey, thingAttribute: attribute };
  });
}

/** `thingline thing-type create NAME` */
export async function thingTypeCreate(context: CommandContext, options: CreateOptions, name = ""): Promise<void> {
  const { output } = context;
  const propagatingAttributes = readPropagating(options.propagate ?? []);
  const { plane, client, sdk, send } = await openIot(context, options);
  const command = new sdk.CreateThingTypeCommand({
    thingTypeName: name,
    thingTypeProperties: {
      ...(options.description !== undefined && { thingTypeDescription: options.description }),
      ...(options.searchable !== undefined && { searchableAttributes: options.searchable }),
      ...(propagatingAttributes.length > 0 && { mqtt5Configuration: { propagatingAttributes } }),
    },
  });
  const { thingTypeArn, thingTypeId } = await client.send(command, send);
  output.event(
    { event: "thingTypeCreated", thingTypeName: name, thingTypeArn, thingTypeId },
    [
      `${output.paint.green("created")} thing type ${name} in the ${plane.description}`,
      "",
      "Next, make things of it:",
      `  ${commandLine(["thing", "create", "THING", "--type", name, ...placeWords(options)])}`,
    ].join("\n"),
  );
}

/** `thingline thing-type list` */
export async function thingTypeList(context: CommandContext, options: ListOptions): Promise<void> {
  const { output } = context;
  const { plane, client, sdk, send } = await openIot(context, options);
  const input = { ...(options.prefix !== undefined && { thingTypeName: options.prefix }) };
  let count = 0;
  for await (const page of sdk.paginateListThingTypes({ client, pageSize }, input, send)) {
    for (const type of page.thingTypes ?? []) {
      count++;
      const { thingTypeName = "" } = type;
      const note = type.thingTypeMetadata?.deprecated === true ? "  deprecated" : "";
      output.event({ event: "thingType", ...factsOf(type) }, `${thingTypeName}${output.paint.yellow(note)}`);
    }
    await output.drained();
  }
  if (count === 0) output.say(`no thing types in the ${plane.description}`);
}

/** `thingline thing-type show NAME` */
export async function thingTypeShow(context: CommandContext, options: PlaceOptions, name = ""): Promise<void> {
  const { output } = context;
  const { client, sdk, send } = await openIot(context, options);
  const type = await client.send(new sdk.DescribeThingTypeCommand({ thingTypeName: name }), send);
  const { thingTypeId } = type;
  output.event({ event: "thingType", ...factsOf(type), thingTypeId }, describeType(output, type));
  let count = 0;
  for await (const page of sdk.paginateListThings({ client, pageSize }, { thingTypeName: name }, send)) {
    for (const { thingName = "" } of page.things ?? []) {
      if (count++ === 0) output.say("things");
      output.event({ event: "thingTypeThing", thingTypeName: name, thingName }, `  ${thingName}`);
    }
    await output.drained();
  }
  if (count === 0) output.say("no things of it");
}

function factsOf(type: ThingTypeDefinition) {
  const { thingTypeName, thingTypeArn, thingTypeProperties, thingTypeMetadata } = type;
  return {
    ...{ thingTypeName, thingTypeArn, description: thingTypeProperties?.thingTypeDescription ?? null },
    searchableAttributes: thingTypeProperties?.searchableAttributes ?? [],
    propagatingAttributes: thingTypeProperties?.mqtt5Configuration?.propagatingAttributes ?? [],
    deprecated: thingTypeMetadata?.deprecated === true,
  };
}

function describeType(output: Output, type: DescribeThingTypeCommandOutput): string {
  const { description, searchableAttributes, propagatingAttributes } = factsOf(type);
  const propagated = propagatingAttributes.map(
    ({ userPropertyKey, thingAttribute, connectionAttribute }) =>
      `${userPropertyKey}=${thingAttribute ?? connectionAttribute}`,
  );
  const since = type.thingTypeMetadata?.deprecationDate?.toISOString() ?? "";
  return [
    output.paint.bold(type.thingTypeName ?? ""),
    ...describeRows(output, [
      ["description", description ?? ""],
      ["searchable", searchableAttributes.join(", ")],
      ["propagates", propagated.join(", ")],
      ["deprecated", since],
    ]),
  ].join("\n");
}

/** `thingline thing-type update NAME`: what alone can change of one. */
export async function thingTypeUpdate(context: CommandContext, options: UpdateOptions, name = ""): Promise<void> {
  const { output } = context;
  const { propagate } = options;
  if (propagate === undefined) throw new UsageError("say what it propagates with --propagate, or --no-propagate");
  const propagatingAttributes = propagate === false ? [] : readPropagating(propagate);
  const { plane, client, sdk, send } = await openIot(context, options);
  const thingTypeProperties = { mqtt5Configuration: { propagatingAttributes } };
  await client.send(new sdk.UpdateThingTypeCommand({ thingTypeName: name, thingTypeProperties }), send);
  output.event(
    { event: "thingTypeUpdated", thingTypeName: name, propagatingAttributes },
    `${output.paint.green("updated")} thing type ${name} in the ${plane.description}`,
  );
}

/** `thingline thing-type deprecate NAME` */
export async function thingTypeDeprecate(context: CommandContext, options: DeprecateOptions, name = ""): Promise<void> {
  const { output } = context;
  const undoDeprecate = options.undo === true;
  const { plane, client, sdk, send } = await openIot(context, options);
  await client.send(new sdk.DeprecateThingTypeCommand({ thingTypeName: name, undoDeprecate }), send);
  const next = [
    "",
    "No thing gets it any more. It can be deleted in five minutes, when no thing has it:",
    `  ${commandLine(["thing-type", "delete", name, ...placeWords(options)])}`,
  ];
  output.event(
    { event: "thingTypeDeprecated", thingTypeName: name, deprecated: !undoDeprecate },
    [
      `${output.paint.green(undoDeprecate ? "valid again:" : "deprecated")} thing type ${name} in the ${plane.description}`,
      ...(undoDeprecate ? [] : next),
    ].join("\n"),
  );
}

/** `thingline thing-type delete NAME` */
export async function thingTypeDelete(context: CommandContext, options: PlaceOptions, name = ""): Promise<void> {
  const { output } = context;
  const { plane, client, sdk, send } = await openIot(context, options);
  await client.send(new sdk.DeleteThingTypeCommand({ thingTypeName: name }), send);
  output.event(
    { event: "thingTypeDeleted", thingTypeName: name },
    `${output.paint.green("deleted")} thing type ${name} in the ${plane.description}`,
  );
}
