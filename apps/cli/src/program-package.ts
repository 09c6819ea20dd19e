import type { Command } from "commander";
import { optionValues } from "./option-values.js";
import { awsOption, dataDirOption, examples, type AddCommand } from "./program-parts.js";

const load = async () => import("./commands/package.js");
const withPlaceOptions = (made: Command) => made.addOption(dataDirOption()).addOption(awsOption());
const versionArgument = ["<name:version>", "a version of a package"] as const;

/** The software package catalog. */
export function addPackage(parent: Command, command: AddCommand): void {
  const create = command(
    parent,
    "create",
    "make a package, or a version of one, with the file that it installs",
    async () => (await load()).packageCreate,
  )
    .argument("<name[:version]>", "the package; with a version, that version, and the package where there is none")
    .option("--from <file>", "the version's artifact is this file: put into a bucket", optionValues.path)
    .option("--bucket <name>", "where to put it (default: the local cloud's; needed with --aws)")
    .option("--attribute <name=value>", "of the version, for job documents; may be repeated", optionValues.list)
    .option("--description <text>", "what it is for")
    .option("--publish", "the version can be deployed at once, and stays as it is")
    .option("--default", "the same, and it is the package's default version");
  examples(
    withPlaceOptions(create),
    "package create app",
    "package create app:1.2.0 --from app.bin --attribute size=181124 --publish",
  );
  const list = command(
    parent,
    "list",
    "list packages, or the versions of one",
    async () => (await load()).packageList,
  ).argument("[name]", "the package whose versions are listed");
  examples(withPlaceOptions(list), "package list", "package list app");
  const show = command(parent, "show", "show a version", async () => (await load()).packageShow).argument(
    ...versionArgument,
  );
  examples(withPlaceOptions(show), "package show app:1.2.0");
  const publish = command(
    parent,
    "publish",
    "let jobs deploy a version; from then on its attributes and its artifact stay",
    async () => (await load()).packagePublish,
  ).argument(...versionArgument);
  examples(withPlaceOptions(publish), "package publish app:1.2.0");
  const deprecate = command(
    parent,
    "deprecate",
    "mark a published version as one not to be used any more",
    async () => (await load()).packageDeprecate,
  ).argument(...versionArgument);
  examples(withPlaceOptions(deprecate), "package deprecate app:1.1.0");
  const remove = command(
    parent,
    "delete",
    "delete a version, or a package with all of its versions",
    async () => (await load()).packageDelete,
  ).argument("<name[:version]>", "what is deleted");
  examples(withPlaceOptions(remove), "package delete app:1.0.0", "package delete app");
}
