import { isThinglineError } from "@thingline/protocol";
import { type AtCommand, parseAtCommand } from "@thingline/protocol/at";
import { areAllowed } from "../simulator/commands/parameter-rules.js";
import type { SerialModemCommand, SerialModemForms, SerialModemReply } from "./command.js";
import { failed } from "./command.js";
import type { SerialModemDialect } from "./dialect.js";

/** The commands of one dialect by name. */
export type CommandForms = ReadonlyMap<string, SerialModemForms>;

export function commandsOf(commands: Iterable<SerialModemCommand>, dialect: SerialModemDialect): CommandForms {
  const table = new Map<string, SerialModemForms>();
  for (const { name, dialects, forms } of commands) {
    if (dialects?.includes(dialect) !== false) table.set(name, forms);
  }
  return table;
}

/** Undefined: parameters that nothing can be made of. */
export function parseCommand(text: string): AtCommand | undefined {
  try {
    return parseAtCommand(text);
  } catch (error) {
    if (isThinglineError(error, "AT_MALFORMED")) return undefined;
    throw error;
  }
}

export function perform(
  forms: SerialModemForms,
  { form, parameters }: AtCommand,
): SerialModemReply | Promise<SerialModemReply> {
  if (form !== "set") return forms[form]?.(parameters) ?? failed();
  const { set = [] } = forms;
  const choices = "rules" in set ? [set] : set;
  const found = choices.find(({ rules }) => rules === "any" || areAllowed(parameters, rules));
  return found?.handle(parameters) ?? failed();
}
