import type { CommandContext } from "../command.js";
import { commandLine } from "../invocation.js";
import { describeRows, openIot, pageSize, placeWords, type PlaceOptions } from "./members.js";

interface RoleOptions extends PlaceOptions {
  roleArn?: string;
  /** Seconds. */
  duration?: number;
}

/** `thingline role-alias create NAME` */
export async function roleAliasCreate(
  context: CommandContext,
  options: RoleOptions & { roleArn: string },
  name = "",
): Promise<void> {
  const { output } = context;
  const { plane, client, sdk, send } = await openIot(context, options);
  const { roleArn, duration } = options;
  const input = {
    roleAlias: name,
    roleArn,
    ...(duration !== undefined && { credentialDurationSeconds: duration }),
  };
  const { roleAliasArn = "" } = await client.send(new sdk.CreateRoleAliasCommand(input), send);
  output.event(
    { event: "roleAliasCreated", roleAlias: name, roleAliasArn, roleArn },
    [
      `${output.paint.green("created")} role alias ${name} for ${roleArn} in the ${plane.description}`,
      "",
      "A device may assume the role when a policy of its certificate allows this:",
      `  {"Effect":"Allow","Action":"iot:AssumeRoleWithCertificate","Resource":"${roleAliasArn}"}`,
      "Then, with its credentials in FOLDER:",
      `  ${commandLine(["device", "credentials", "--from", "FOLDER", "--role-alias", name, ...placeWords(options)])}`,
    ].join("\n"),
  );
}

/** `thingline role-alias list` */
export async function roleAliasList(context: CommandContext, options: PlaceOptions): Promise<void> {
  const { output } = context;
  const { plane, client, sdk, send } = await openIot(context, options);
  let count = 0;
  const pages = sdk.paginateListRoleAliases({ client, pageSize }, { ascendingOrder: true }, send);
  for await (const { roleAliases = [] } of pages) {
    for (const roleAlias of roleAliases) {
      count++;
      output.event({ event: "roleAlias", roleAlias }, roleAlias);
    }
  }
  if (count === 0) output.say(`no role aliases in the ${plane.description}`);
}

/** `thingline role-alias show NAME` */
export async function roleAliasShow(context: CommandContext, options: PlaceOptions, name = ""): Promise<void> {
  const { output } = context;
  const { client, sdk, send } = await openIot(context, options);
  const { roleAliasDescription = {} } = await client.send(new sdk.DescribeRoleAliasCommand({ roleAlias: name }), send);
  const { roleAliasArn, roleArn, credentialDurationSeconds, creationDate } = roleAliasDescription;
  const createdAt = creationDate?.toISOString();
  output.event(
    { event: "roleAlias", roleAlias: name, roleAliasArn, roleArn, credentialDurationSeconds, createdAt },
    [
      output.paint.bold(name),
      ...describeRows(output, [
        ["ARN", roleAliasArn ?? ""],
        ["role", roleArn ?? ""],
        ["credentials", `for ${credentialDurationSeconds} s`],
        ["created", createdAt ?? ""],
      ]),
    ].join("\n"),
  );
}

/** `thingline role-alias update NAME` */
export async function roleAliasUpdate(context: CommandContext, options: RoleOptions, name = ""): Promise<void> {
  const { output } = context;
  const { plane, client, sdk, send } = await openIot(context, options);
  const { roleArn, duration } = options;
  const input = {
    roleAlias: name,
    ...(roleArn !== undefined && { roleArn }),
    ...(duration !== undefined && { credentialDurationSeconds: duration }),
  };
  await client.send(new sdk.UpdateRoleAliasCommand(input), send);
  output.event(
    { event: "roleAliasUpdated", roleAlias: name },
    `${output.paint.green("updated")} role alias ${name} in the ${plane.description}; credentials that were issued stay as they are`,
  );
}

/** `thingline role-alias delete NAME` */
export async function roleAliasDelete(context: CommandContext, options: PlaceOptions, name = ""): Promise<void> {
  const { output } = context;
  const { plane, client, sdk, send } = await openIot(context, options);
  await client.send(new sdk.DeleteRoleAliasCommand({ roleAlias: name }), send);
  output.event(
    { event: "roleAliasDeleted", roleAlias: name },
    `${output.paint.green("deleted")} role alias ${name} from the ${plane.description}`,
  );
}
