import { Option, type Command } from "commander";
import type { CommandContext } from "./command.js";
import { commandLine } from "./invocation.js";
import { defaultDataDir, defaultModemDir, optionValues } from "./option-values.js";

// What the descriptions of commands are made of.

export type Action<Options> = (context: CommandContext, options: Options, ...words: string[]) => Promise<number | void>;

export type AddCommand = <Options>(
  parent: Command,
  usage: string,
  description: string,
  load: () => Promise<Action<Options>>,
) => Command;

export const dataDirOption = () =>
  new Option("--data-dir <dir>", "the local cloud's data directory")
    .default(defaultDataDir)
    .argParser(optionValues.path)
    .env("THINGLINE_DATA_DIR");

export const modemDirOption = () =>
  new Option("--modem-dir <dir>", "the simulated modem's folder")
    .default(defaultModemDir)
    .argParser(optionValues.path)
    .env("THINGLINE_MODEM_DIR");

/** Where a board is. Without one of them a command goes to the simulated modem of a folder. */
export const withDoorOptions = (command: Command): Command =>
  command
    .addOption(new Option("--port <path>", "the board's serial port, as of `modem ports`").conflicts("tcp"))
    .option("--tcp <host:port>", "a modem behind a TCP port")
    .option("--baud-rate <rate>", "of the serial port (default: 115200)", optionValues.baudRate)
    .option("--no-flow-control", "for adapters without the wires RTS and CTS");

/** For commands that work on a board behind a door, or else on the simulated modem of a folder: of no use to them is a folder beside a door. */
export const withModemOptions = (command: Command): Command =>
  withDoorOptions(command.addOption(modemDirOption())).hook("preAction", (made) => refuseBesideDoor(made));

/** The option has a default and a variable of the environment, which hold for all commands: only one that was typed is refused. */
function refuseBesideDoor(command: Command): void {
  const isTyped = (name: string) => command.getOptionValueSource(name) === "cli";
  const door = ["port", "tcp", "ports"].find(isTyped);
  if (door === undefined || !isTyped("modemDir")) return;
  command.error(
    `error: option '${flagsOf(command, "modemDir")}' cannot be used with option '${flagsOf(command, door)}'`,
  );
}

/** An option in front of the name of a command below belongs to the one above, which does not run: nobody would heed it. */
export function refuseInFront(command: Command): void {
  for (let above = command.parent; above !== null; above = above.parent) {
    const { options } = above;
    const typed = options.find((option) => above?.getOptionValueSource(option.attributeName()) === "cli");
    if (typed === undefined) continue;
    command.error(`error: option '${typed.flags}' has to stand behind '${command.name()}'`);
  }
}

const flagsOf = (command: Command, name: string): string =>
  command.options.find((option) => option.attributeName() === name)?.flags ?? name;

export const awsOption = () =>
  new Option("--aws", "a real AWS account instead of the local cloud (standard AWS environment, profile and region)");

export const verboseText = "list the configuration: which file won, what is kept without a meaning here";

/** Examples name the program as its usage does, whatever path it was run by. */
const asInstalled = { script: "thingline" };

/** Command lines to copy, below a command's help. */
export function examples(command: Command, ...lines: string[]): Command {
  const noun = lines.length === 1 ? "Example" : "Examples";
  return command.addHelpText(
    "after",
    `\n${noun}:\n${lines.map((line) => `  ${commandLine(line, asInstalled)}`).join("\n")}`,
  );
}
