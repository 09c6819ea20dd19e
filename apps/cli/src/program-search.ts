import type { Command } from "commander";
import { optionValues } from "./option-values.js";
import { awsOption, dataDirOption, examples, type AddCommand } from "./program-parts.js";

const load = async () => import("./commands/search.js");

const withPlaceOptions = (made: Command) => made.addOption(dataDirOption()).addOption(awsOption());

/** Things by whatever is known of them. */
export function addSearch(program: Command, command: AddCommand): void {
  const made = command(
    program,
    "search",
    "find things by attributes, shadows, groups and connections",
    async () => (await load()).search,
  )
    .argument("<query>", "in AWS's query language, quoted for the shell")
    .option("--groups", "find thing groups instead");
  examples(
    withPlaceOptions(made),
    "search 'attributes.site:oslo AND connectivity.connected:false'",
    "search 'shadow.reported.battery<20' --json",
    "search 'parentGroupNames:fleet' --groups",
  );
}

/** What is searched. */
export function addIndex(group: Command, command: AddCommand): void {
  const on = command(group, "on", "index things, so that they are searched", async () => (await load()).indexOn)
    .option("--shadows", "their classic shadows too")
    .option("--named-shadow <name>", "a named shadow of each; may be repeated", optionValues.list)
    .option("--connectivity", "whether they are connected")
    .option("--groups", "thing groups as well");
  examples(withPlaceOptions(on), "index on --shadows --connectivity", "index on --named-shadow gps");
  const off = command(group, "off", "index nothing any more", async () => (await load()).indexOff);
  examples(withPlaceOptions(off), "index off");
}
