import { Option, type Command } from "commander";
import { optionValues } from "./option-values.js";
import { awsOption, dataDirOption, examples, type AddCommand } from "./program-parts.js";

const load = async () => import("./commands/command.js");

const withPlaceOptions = (made: Command) => made.addOption(dataDirOption()).addOption(awsOption());

const withTarget = (made: Command) =>
  made
    .addOption(new Option("--thing <name>", "the thing that it is for").conflicts("client"))
    .addOption(new Option("--client <id>", "the client id that it is for, without a thing"));

/** @see AWS IoT developer guide, "Create and manage commands" */
export function addCommands(group: Command, command: AddCommand): void {
  const { list, path, seconds } = optionValues;
  const create = command(group, "create", "make a command", async () => (await load()).commandCreate)
    .argument("<id>", "id of the command")
    .argument("[payload]", "what devices are sent (text)")
    .option("--from <file>", "what devices are sent is this file", path)
    .option("--template", "the payload is JSON with placeholders, each text {name} in it a parameter's")
    .option(
      "--parameter <name[:type][=default]>",
      "with --template: of type STRING when it does not say; may be repeated",
      list,
    )
    .option("--cbor", "with --template: devices are sent CBOR")
    .option("--content-type <type>", "of the payload (default: application/json when it is JSON)")
    .option("--display-name <text>", "for people")
    .option("--description <text>", "what it is for");
  examples(
    withPlaceOptions(create),
    'command create Beep \'{"operation":"beep"}\'',
    'command create Light \'{"operation":"light","level":"{level}"}\' --template --parameter level:INTEGER=5',
    "command create Image --from image.bin --content-type application/octet-stream",
  );
  const all = command(group, "list", "list commands, the newest first", async () => (await load()).commandList);
  examples(withPlaceOptions(all), "command list", "command list --aws --json");
  const start = command(
    group,
    "start",
    "start a command on a device, and show what becomes of it until it has ended",
    async () => (await load()).commandStart,
  )
    .argument("<id>", "id of the command")
    .option("--parameter <name=value>", "a value for the template; may be repeated", list)
    .option("--timeout <seconds>", "how long the device has (default: 10)", seconds)
    .option("--detach", "do not wait for its end");
  examples(
    withPlaceOptions(withTarget(start)),
    "command start Beep --thing pump-7",
    "command start Light --thing pump-7 --parameter level=9 --timeout 60",
    "command start Beep --client gateway-1 --detach --json",
  );
  const status = command(
    group,
    "status",
    "show an execution, or the newest ones of a device or a command",
    async () => (await load()).commandStatus,
  )
    .argument("[execution]", "id of the execution")
    .option("--command <id>", "executions of this command")
    .option("--watch", "with an execution: until it has ended");
  examples(
    withPlaceOptions(withTarget(status)),
    "command status EXECUTION --thing pump-7 --watch",
    "command status --thing pump-7",
    "command status --command Beep --json",
  );
  const gone = command(
    group,
    "delete",
    "delete a command; AWS keeps it for 12 hours",
    async () => (await load()).commandDelete,
  ).argument("<id>", "id of the command");
  examples(withPlaceOptions(gone), "command delete Beep");
}
