import { Argument, Option, type Command } from "commander";
import { optionValues } from "./option-values.js";
import { awsOption, dataDirOption, examples, type AddCommand } from "./program-parts.js";

// Commands about what is of the account as a whole: tags, policies, the log of its devices.

const loadTag = async () => import("./commands/tag.js");
const withPlaceOptions = (made: Command) => made.addOption(dataDirOption()).addOption(awsOption());
const resource = [
  "<resource>",
  "its ARN, or for the local cloud what stands behind the account: thinggroup/north",
] as const;

export function addTag(group: Command, command: AddCommand): void {
  const list = command(group, "list", "list the tags of a resource", async () => (await loadTag()).tagList).argument(
    ...resource,
  );
  examples(withPlaceOptions(list), "tag list thinggroup/north", "tag list job/update-1 --json");
  const add = command(group, "add", "give a resource tags, or other values", async () => (await loadTag()).tagAdd)
    .argument(...resource)
    .argument("<name=value...>", "tags");
  examples(withPlaceOptions(add), "tag add thinggroup/north team=water cost=42");
  const remove = command(group, "remove", "take tags from a resource", async () => (await loadTag()).tagRemove)
    .argument(...resource)
    .argument("<names...>", "names of tags");
  examples(withPlaceOptions(remove), "tag remove thinggroup/north cost");
}

export function addPolicy(group: Command, command: AddCommand): void {
  const test = command(
    group,
    "test",
    "ask whether a certificate may do something, and by which policies; exit code 1 when not",
    async () => (await import("./commands/policy-test.js")).policyTest,
  )
    .addArgument(new Argument("<action>", "what").choices(["connect", "publish", "subscribe", "receive"]))
    .argument("<name>", "a client id, a topic or a topic filter")
    .option("--cert <id>", "the certificate, by its id or ARN")
    .option("--client-id <id>", "of the connection (default for connect: the name)")
    .option("--add <policies...>", "as if these were attached as well")
    .option("--skip <policies...>", "as if these were not attached");
  examples(
    withPlaceOptions(test),
    "policy test connect pump-7 --cert ID",
    "policy test publish pump-7/up --cert ID --client-id pump-7",
    "policy test subscribe 'fleet/#' --add fleet-policy",
  );
}

export function addCloudLogs(cloud: Command, command: AddCommand): void {
  const logs = command(
    cloud,
    "logs",
    "show what devices do, as AWS IoT logs it; off until a level is set",
    async () => (await import("./commands/cloud-logs.js")).cloudLogs,
  )
    .addOption(dataDirOption())
    .addOption(
      new Option("--level <level>", "first set how much is logged of all devices").choices([
        ...["off", "error", "warn", "info", "debug"],
      ]),
    )
    .option("--lines <number>", "the last so many", optionValues.count, 100)
    .option("--client <id>", "only those of this client id")
    .option("--follow", "and what comes, until Ctrl-C");
  examples(logs, "cloud logs --level info --follow", "cloud logs --client pump-7 --lines 20", "cloud logs --json");
}
