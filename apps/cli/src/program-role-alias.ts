import { Option, type Command } from "commander";
import { optionValues } from "./option-values.js";
import { awsOption, dataDirOption, examples, type AddCommand } from "./program-parts.js";

const load = async () => import("./commands/role-alias.js");
const withPlaceOptions = (made: Command) => made.addOption(dataDirOption()).addOption(awsOption());
const aliasArgument = ["<name>", "name of the role alias"] as const;
const roleText = "the IAM role that devices assume";
const durationText = "how long credentials are good, 900 to 43200 (default: 3600)";

/** Names by which devices assume roles. */
export function addRoleAlias(parent: Command, command: AddCommand): void {
  const create = command(
    parent,
    "create",
    "make a name by which devices assume a role",
    async () => (await load()).roleAliasCreate,
  )
    .argument(...aliasArgument)
    .addOption(new Option("--role-arn <arn>", roleText).makeOptionMandatory())
    .option("--duration <seconds>", durationText, optionValues.seconds);
  examples(withPlaceOptions(create), "role-alias create logs --role-arn arn:aws:iam::123456789012:role/logs");
  const list = command(parent, "list", "list role aliases", async () => (await load()).roleAliasList);
  examples(withPlaceOptions(list), "role-alias list");
  const show = command(parent, "show", "show the role behind a name", async () => (await load()).roleAliasShow);
  examples(withPlaceOptions(show.argument(...aliasArgument)), "role-alias show logs");
  const update = command(
    parent,
    "update",
    "put another role behind a name, or another duration",
    async () => (await load()).roleAliasUpdate,
  )
    .argument(...aliasArgument)
    .option("--role-arn <arn>", roleText)
    .option("--duration <seconds>", "how long credentials are good, 900 to 43200", optionValues.seconds);
  examples(withPlaceOptions(update), "role-alias update logs --duration 900");
  const remove = command(parent, "delete", "delete a role alias", async () => (await load()).roleAliasDelete);
  examples(withPlaceOptions(remove.argument(...aliasArgument)), "role-alias delete logs");
}

/** `device credentials` */
export function addDeviceCredentials(device: Command, command: AddCommand): void {
  const made = command(
    device,
    "credentials",
    "get credentials for the role behind an alias by a device's certificate, as the AWS CLI's credential_process wants them",
    async () => (await import("./commands/device-credentials.js")).deviceCredentials,
  )
    .addOption(
      new Option("--from <folder>", "certificate and key, as `thing create` writes them")
        .argParser(optionValues.path)
        .makeOptionMandatory(),
    )
    .addOption(new Option("--role-alias <name>", "the role alias").makeOptionMandatory())
    .option("--thing <name>", "the device's thing, for variables of policies")
    .option("--endpoint <host:port>", "of the credentials provider (default: the one that the cloud tells)");
  examples(withPlaceOptions(made), "device credentials --from my-thing --role-alias logs --thing my-thing");
}
