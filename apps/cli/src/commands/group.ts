import type { IoTClient, ListAttachedPoliciesCommandInput, ListThingGroupsCommandInput } from "@aws-sdk/client-iot";
import { iotSdk } from "../aws-sdk.js";
import type { CommandContext } from "../command.js";
import { UsageError } from "../failure.js";
import { commandLine } from "../invocation.js";
import { readNameValues } from "../name-values.js";
import type { Output } from "../output.js";
import {
  describeRows,
  membersCommand,
  openIot,
  pageSize,
  type GroupKind,
  type MembersChange,
  type OpenedIot,
  type PlaceOptions,
  placeWords,
} from "./members.js";

interface CreateOptions extends PlaceOptions {
  parent?: string;
  /** Of a dynamic group. */
  query?: string;
  description?: string;
  attribute?: string[];
}

interface ListOptions extends PlaceOptions {
  parent?: string;
  recursive?: boolean;
  prefix?: string;
}

interface RecursiveOptions extends PlaceOptions {
  recursive?: boolean;
}

/** `thingline group create NAME` */
export async function groupCreate(context: CommandContext, options: CreateOptions, name = ""): Promise<void> {
  const { output } = context;
  const attributes = readNameValues(options.attribute ?? [], "--attribute");
  const { plane, client, sdk, send } = await openIot(context, options);
  const hasAttributes = Object.keys(attributes).length > 0;
  const { parent: parentGroupName, query: queryString } = options;
  if (queryString !== undefined && parentGroupName !== undefined) {
    throw new UsageError("a dynamic group stands below no other: --query or --parent");
  }
  const made = {
    thingGroupName: name,
    thingGroupProperties: {
      ...(options.description !== undefined && { thingGroupDescription: options.description }),
      ...(hasAttributes && { attributePayload: { attributes } }),
    },
  };
  const { thingGroupArn, thingGroupId } =
    queryString === undefined
      ? await client.send(new sdk.CreateThingGroupCommand({ ...made, parentGroupName }), send)
      : await client.send(new sdk.CreateDynamicThingGroupCommand({ ...made, queryString }), send);
  const below = options.parent === undefined ? "" : ` below ${options.parent}`;
  output.event(
    {
      event: "groupCreated",
      thingGroupName: name,
      thingGroupArn,
      thingGroupId,
      parentGroupName: options.parent ?? null,
      ...(queryString !== undefined && { queryString }),
    },
    [
      `${output.paint.green("created")} thing group ${name}${below} in the ${plane.description}`,
      "",
      ...(queryString === undefined
        ? ["Next, put things into it:", `  ${commandLine(["group", "add", name, "THING", ...placeWords(options)])}`]
        : [
            "It has the things that its query finds:",
            `  ${commandLine(["group", "show", name, ...placeWords(options)])}`,
          ]),
    ].join("\n"),
  );
}

/** `thingline group list` */
export async function groupList(context: CommandContext, options: ListOptions): Promise<void> {
  const { output } = context;
  if (options.recursive === true && options.parent === undefined) {
    throw new UsageError("--recursive needs --parent: without it all groups are listed");
  }
  const { plane, client, sdk, send } = await openIot(context, options);
  const input: ListThingGroupsCommandInput = {
    ...(options.parent !== undefined && { parentGroup: options.parent, recursive: options.recursive === true }),
    ...(options.prefix !== undefined && { namePrefixFilter: options.prefix }),
  };
  let count = 0;
  for await (const page of sdk.paginateListThingGroups({ client, pageSize }, input, send)) {
    for (const { groupName, groupArn } of page.thingGroups ?? []) {
      count++;
      output.event({ event: "group", thingGroupName: groupName, thingGroupArn: groupArn }, groupName);
    }
    await output.drained();
  }
  if (count === 0) output.say(`no thing groups in the ${plane.description}`);
}

/** `thingline group show NAME` */
export async function groupShow(context: CommandContext, options: RecursiveOptions, name = ""): Promise<void> {
  const { output } = context;
  const { client, sdk, send } = await openIot(context, options);
  const group = await client.send(new sdk.DescribeThingGroupCommand({ thingGroupName: name }), send);
  const { thingGroupArn = "", thingGroupId, version, thingGroupProperties, thingGroupMetadata } = group;
  const { queryString, status } = group;
  const own = await policyNames(client, { target: thingGroupArn }, send);
  const all = await policyNames(client, { target: thingGroupArn, recursive: true }, send);
  const attributes = thingGroupProperties?.attributePayload?.attributes ?? {};
  const path = (thingGroupMetadata?.rootToParentThingGroups ?? []).map(({ groupName = "" }) => groupName);
  const description = thingGroupProperties?.thingGroupDescription;
  const inherited = all.filter((policy) => !own.includes(policy));
  output.event(
    {
      event: "group",
      ...{ thingGroupName: name, thingGroupArn, thingGroupId, version, description: description ?? null },
      ...{ ancestors: path, attributes, policies: own, inheritedPolicies: inherited },
      ...(queryString !== undefined && { queryString, status }),
    },
    describeGroup(output, {
      ...{ name, path, description, attributes, own, inherited },
      query: queryString === undefined ? "" : `${queryString} (${status})`,
    }),
  );
  const input = { thingGroupName: name, recursive: options.recursive === true };
  let count = 0;
  for await (const page of sdk.paginateListThingsInThingGroup({ client, pageSize }, input, send)) {
    for (const thingName of page.things ?? []) {
      if (count++ === 0) output.say("things");
      output.event({ event: "groupThing", thingGroupName: name, thingName }, `  ${thingName}`);
    }
    await output.drained();
  }
  if (count === 0)
    output.say(
      options.recursive === true
        ? "no things, in no group below it"
        : "no things of its own; --recursive lists those of the groups below",
    );
}

function describeGroup(
  output: Output,
  group: {
    name: string;
    path: readonly string[];
    description: string | undefined;
    attributes: Readonly<Record<string, string>>;
    own: readonly string[];
    inherited: readonly string[];
    query: string;
  },
): string {
  const { name, path, description, attributes, own, inherited } = group;
  const policies = [...own, ...inherited.map((policy) => `${policy} (from above)`)];
  const rows: [string, string][] = [
    ["description", description ?? ""],
    ["query", group.query],
    [
      "attributes",
      Object.entries(attributes)
        .map((pair) => pair.join("="))
        .join(", "),
    ],
    ["policies", policies.join(", ")],
  ];
  return [[...path, output.paint.bold(name)].join(" / "), ...describeRows(output, rows)].join("\n");
}

async function policyNames(
  client: IoTClient,
  input: ListAttachedPoliciesCommandInput,
  send: { abortSignal: AbortSignal },
): Promise<string[]> {
  const { paginateListAttachedPolicies } = iotSdk();
  const names: string[] = [];
  for await (const page of paginateListAttachedPolicies({ client, pageSize }, input, send)) {
    names.push(...(page.policies ?? []).map(({ policyName = "" }) => policyName));
  }
  return names;
}

const eventsOf = (thingGroupName: string): MembersChange["events"] => ({
  changed: (facts) => ({ event: "groupChanged", thingGroupName, ...facts }),
  refused: (facts) => ({ event: "groupRefused", thingGroupName, ...facts }),
});

const findGroup = ({ client, sdk, send }: OpenedIot, thingGroupName: string) =>
  client.send(new sdk.DescribeThingGroupCommand({ thingGroupName }), send);

const kind: GroupKind = { eventsOf, find: findGroup };

/** `thingline group add NAME THING...` */
export const groupAdd = membersCommand(kind, "add", ({ client, sdk, send }, thingName, thingGroupName) =>
  client.send(new sdk.AddThingToThingGroupCommand({ thingName, thingGroupName }), send),
);

/** `thingline group remove NAME THING...` */
export const groupRemove = membersCommand(kind, "remove", ({ client, sdk, send }, thingName, thingGroupName) =>
  client.send(new sdk.RemoveThingFromThingGroupCommand({ thingName, thingGroupName }), send),
);

/** `thingline group delete NAME` */
export async function groupDelete(context: CommandContext, options: RecursiveOptions, name = ""): Promise<void> {
  const { output } = context;
  const { plane, client, sdk, send } = await openIot(context, options);
  const names = options.recursive === true ? await namesBelow(client, name, send) : [];
  // A group goes before the one above it; the deepest are known by the groups above them.
  for (const thingGroupName of [...names, name]) {
    const input = { thingGroupName };
    await client.send(
      (await isDynamic({ client, sdk, send }, thingGroupName))
        ? new sdk.DeleteDynamicThingGroupCommand(input)
        : new sdk.DeleteThingGroupCommand(input),
      send,
    );
    output.event(
      { event: "groupDeleted", thingGroupName },
      `${output.paint.green("deleted")} thing group ${thingGroupName} in the ${plane.description}`,
    );
  }
}

/** AWS has another operation for one; a group that there is not is deleted as any. */
async function isDynamic(where: Pick<OpenedIot, "client" | "sdk" | "send">, name: string): Promise<boolean> {
  const { client, sdk, send } = where;
  try {
    const { queryString } = await client.send(new sdk.DescribeThingGroupCommand({ thingGroupName: name }), send);
    return queryString !== undefined;
  } catch (error) {
    if (error instanceof sdk.ResourceNotFoundException) return false;
    throw error;
  }
}

/** Every group below one, children before their parents. */
async function namesBelow(client: IoTClient, name: string, send: { abortSignal: AbortSignal }): Promise<string[]> {
  const { paginateListThingGroups } = iotSdk();
  const names: string[] = [];
  for await (const page of paginateListThingGroups({ client, pageSize }, { parentGroup: name }, send)) {
    for (const { groupName = "" } of page.thingGroups ?? []) {
      names.push(...(await namesBelow(client, groupName, send)), groupName);
    }
  }
  return names;
}
