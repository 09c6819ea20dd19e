import type { CommandContext } from "../command.js";
import { commandLine } from "../invocation.js";
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
  description?: string;
}

interface ListOptions extends PlaceOptions {
  prefix?: string;
}

/** `thingline billing-group create NAME` */
export async function billingGroupCreate(context: CommandContext, options: CreateOptions, name = ""): Promise<void> {
  const { output } = context;
  const { plane, client, sdk, send } = await openIot(context, options);
  const { description } = options;
  const command = new sdk.CreateBillingGroupCommand({
    billingGroupName: name,
    ...(description !== undefined && { billingGroupProperties: { billingGroupDescription: description } }),
  });
  const { billingGroupArn, billingGroupId } = await client.send(command, send);
  output.event(
    { event: "billingGroupCreated", billingGroupName: name, billingGroupArn, billingGroupId },
    [
      `${output.paint.green("created")} billing group ${name} in the ${plane.description}`,
      "",
      "Next, put things into it:",
      `  ${commandLine(["billing-group", "add", name, "THING", ...placeWords(options)])}`,
    ].join("\n"),
  );
}

/** `thingline billing-group list` */
export async function billingGroupList(context: CommandContext, options: ListOptions): Promise<void> {
  const { output } = context;
  const { plane, client, sdk, send } = await openIot(context, options);
  const input = { ...(options.prefix !== undefined && { namePrefixFilter: options.prefix }) };
  let count = 0;
  for await (const page of sdk.paginateListBillingGroups({ client, pageSize }, input, send)) {
    for (const { groupName, groupArn } of page.billingGroups ?? []) {
      count++;
      output.event({ event: "billingGroup", billingGroupName: groupName, billingGroupArn: groupArn }, groupName);
    }
    await output.drained();
  }
  if (count === 0) output.say(`no billing groups in the ${plane.description}`);
}

/** `thingline billing-group show NAME` */
export async function billingGroupShow(context: CommandContext, options: PlaceOptions, name = ""): Promise<void> {
  const { output } = context;
  const where = await openIot(context, options);
  const { client, sdk, send } = where;
  const { billingGroupArn, billingGroupId, version, billingGroupProperties } = await findGroup(where, name);
  const description = billingGroupProperties?.billingGroupDescription;
  output.event(
    {
      event: "billingGroup",
      ...{ billingGroupName: name, billingGroupArn, billingGroupId, version, description: description ?? null },
    },
    [output.paint.bold(name), ...describeRows(output, [["description", description ?? ""]])].join("\n"),
  );
  let count = 0;
  const input = { billingGroupName: name };
  for await (const page of sdk.paginateListThingsInBillingGroup({ client, pageSize }, input, send)) {
    for (const thingName of page.things ?? []) {
      if (count++ === 0) output.say("things");
      output.event({ event: "billingGroupThing", billingGroupName: name, thingName }, `  ${thingName}`);
    }
    await output.drained();
  }
  if (count === 0) output.say("no things");
}

const eventsOf = (billingGroupName: string): MembersChange["events"] => ({
  changed: (facts) => ({ event: "billingGroupChanged", billingGroupName, ...facts }),
  refused: (facts) => ({ event: "billingGroupRefused", billingGroupName, ...facts }),
});

const findGroup = ({ client, sdk, send }: OpenedIot, billingGroupName: string) =>
  client.send(new sdk.DescribeBillingGroupCommand({ billingGroupName }), send);

const kind: GroupKind = { eventsOf, find: findGroup };

/** `thingline billing-group add NAME THING...` */
export const billingGroupAdd = membersCommand(kind, "add", ({ client, sdk, send }, thingName, billingGroupName) =>
  client.send(new sdk.AddThingToBillingGroupCommand({ thingName, billingGroupName }), send),
);

/** `thingline billing-group remove NAME THING...` */
export const billingGroupRemove = membersCommand(kind, "remove", ({ client, sdk, send }, thingName, billingGroupName) =>
  client.send(new sdk.RemoveThingFromBillingGroupCommand({ thingName, billingGroupName }), send),
);

/** `thingline billing-group delete NAME` */
export async function billingGroupDelete(context: CommandContext, options: PlaceOptions, name = ""): Promise<void> {
  const { output } = context;
  const { plane, client, sdk, send } = await openIot(context, options);
  await client.send(new sdk.DeleteBillingGroupCommand({ billingGroupName: name }), send);
  output.event(
    { event: "billingGroupDeleted", billingGroupName: name },
    `${output.paint.green("deleted")} billing group ${name} in the ${plane.description}`,
  );
}
