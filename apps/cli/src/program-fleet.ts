import type { Command } from "commander";
import { optionValues } from "./option-values.js";
import { awsOption, dataDirOption, examples, type AddCommand } from "./program-parts.js";

// Commands for many things at once.

const load = async () => import("./commands/group.js");

const withPlaceOptions = (made: Command) => made.addOption(dataDirOption()).addOption(awsOption());

export function addGroup(group: Command, command: AddCommand): void {
  const { name, list, path } = optionValues;
  const create = command(group, "create", "make a thing group", async () => (await load()).groupCreate)
    .argument("<name>", "name of the group", name)
    .option("--parent <group>", "the group that it stands below, for life", name)
    .option("--description <text>", "what it is for")
    .option("--attribute <name=value>", "an attribute; may be repeated", list);
  examples(
    withPlaceOptions(create),
    "group create fleet",
    "group create north --parent fleet --attribute site=oslo",
    "group create fleet --aws",
  );
  const made = command(group, "list", "list thing groups", async () => (await load()).groupList)
    .option("--parent <group>", "only those directly below this one", name)
    .option("--recursive", "with --parent: all below it")
    .option("--prefix <text>", "only those whose names begin so", name);
  examples(withPlaceOptions(made), "group list", "group list --parent fleet --recursive --json");
  const show = command(
    group,
    "show",
    "show a group: its place, its attributes, its policies, its things",
    async () => (await load()).groupShow,
  )
    .argument("<name>", "name of the group", name)
    .option("--recursive", "with the things of all groups below it");
  examples(withPlaceOptions(show), "group show north", "group show fleet --recursive");
  const from = ["--from <file>", "names of things, one a line; - reads standard input"] as const;
  const add = command(group, "add", "put things into a group", async () => (await load()).groupAdd)
    .argument("<name>", "name of the group", name)
    .argument("[things...]", "names of things")
    .option(...from, path);
  examples(withPlaceOptions(add), "group add north pump-7 pump-8", "group add north --from pumps.txt");
  const remove = command(group, "remove", "take things out of a group", async () => (await load()).groupRemove)
    .argument("<name>", "name of the group", name)
    .argument("[things...]", "names of things")
    .option(...from, path);
  examples(withPlaceOptions(remove), "group remove north pump-7", "group remove north --from -");
  const gone = command(group, "delete", "delete a group; its things stay", async () => (await load()).groupDelete)
    .argument("<name>", "name of the group", name)
    .option("--recursive", "with all groups below it");
  examples(withPlaceOptions(gone), "group delete north", "group delete fleet --recursive");
}
