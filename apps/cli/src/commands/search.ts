import type { SearchIndexCommandOutput, ThingConnectivity } from "@aws-sdk/client-iot";
import type { CommandContext } from "../command.js";
import type { Output } from "../output.js";
import { openIot, type PlaceOptions } from "./members.js";

interface SearchOptions extends PlaceOptions {
  groups?: boolean;
}

interface IndexOnOptions extends PlaceOptions {
  shadows?: boolean;
  connectivity?: boolean;
  namedShadow?: string[];
  groups?: boolean;
}

type Found = SearchIndexCommandOutput;

/** `thingline search QUERY` */
export async function search(context: CommandContext, options: SearchOptions, queryString = ""): Promise<void> {
  const { output } = context;
  const { client, sdk, send } = await openIot(context, options);
  const indexName = options.groups === true ? "AWS_ThingGroups" : "AWS_Things";
  let count = 0;
  let nextToken: string | undefined;
  do {
    const command = new sdk.SearchIndexCommand({ indexName, queryString, nextToken });
    const page: Found = await client.send(command, send);
    for (const thing of page.things ?? []) {
      const { shadow, ...facts } = thing;
      const shadows = shadow === undefined ? {} : { shadow: JSON.parse(shadow) as unknown };
      output.event({ event: "thingFound", ...facts, ...shadows }, describeThing(output, thing));
      count++;
    }
    for (const group of page.thingGroups ?? []) {
      output.event({ event: "groupFound", ...group }, describeGroup(group));
      count++;
    }
    await output.drained();
    ({ nextToken } = page);
  } while (nextToken !== undefined);
  if (count > 0) return;
  const { schema = "" } = await client.send(new sdk.DescribeIndexCommand({ indexName }), send);
  output.say(`nothing is found; indexed: ${schema}`);
}

type FoundThing = NonNullable<Found["things"]>[number];

function describeThing({ paint }: Output, thing: FoundThing): string {
  const { thingName = "", thingTypeName, thingGroupNames = [], attributes = {}, connectivity } = thing;
  const facts = [
    ...(connectivity === undefined ? [] : [describeConnectivity(connectivity)]),
    ...(thingTypeName === undefined ? [] : [`type ${thingTypeName}`]),
    ...(thingGroupNames.length === 0 ? [] : [`in ${thingGroupNames.join(", ")}`]),
    ...Object.entries(attributes).map((pair) => pair.join("=")),
  ];
  return `${thingName.padEnd(24)}  ${paint.dim(facts.join("  "))}`.trimEnd();
}

function describeConnectivity({ connected, disconnectReason }: ThingConnectivity): string {
  return connected === true ? "connected" : `away${disconnectReason === undefined ? "" : ` (${disconnectReason})`}`;
}

function describeGroup({ thingGroupName = "", parentGroupNames = [] }: NonNullable<Found["thingGroups"]>[number]) {
  return [...parentGroupNames, thingGroupName].join(" / ");
}

/** `thingline index on` */
export async function indexOn(context: CommandContext, options: IndexOnOptions): Promise<void> {
  const { output } = context;
  const { namedShadow: namedShadowNames = [] } = options;
  const { plane, client, sdk, send } = await openIot(context, options);
  const hasNamed = namedShadowNames.length > 0;
  const command = new sdk.UpdateIndexingConfigurationCommand({
    thingIndexingConfiguration: {
      thingIndexingMode: options.shadows === true ? "REGISTRY_AND_SHADOW" : "REGISTRY",
      thingConnectivityIndexingMode: options.connectivity === true ? "STATUS" : "OFF",
      namedShadowIndexingMode: hasNamed ? "ON" : "OFF",
      ...(hasNamed && { filter: { namedShadowNames } }),
    },
    ...(options.groups === true && { thingGroupIndexingConfiguration: { thingGroupIndexingMode: "ON" as const } }),
  });
  await client.send(command, send);
  const { indexStatus, schema } = await client.send(new sdk.DescribeIndexCommand({ indexName: "AWS_Things" }), send);
  output.event(
    { event: "indexed", indexName: "AWS_Things", indexStatus, schema },
    `${output.paint.green("indexed")} things of the ${plane.description}: ${schema}, ${indexStatus}`,
  );
}

/** `thingline index off` */
export async function indexOff(context: CommandContext, options: PlaceOptions): Promise<void> {
  const { output } = context;
  const { plane, client, sdk, send } = await openIot(context, options);
  const command = new sdk.UpdateIndexingConfigurationCommand({
    thingIndexingConfiguration: { thingIndexingMode: "OFF" },
    thingGroupIndexingConfiguration: { thingGroupIndexingMode: "OFF" },
  });
  await client.send(command, send);
  output.event(
    { event: "indexOff" },
    `${output.paint.green("switched off")}: nothing is indexed any more in the ${plane.description}`,
  );
}
