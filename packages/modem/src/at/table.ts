import { ThinglineError } from "@thingline/protocol";
import { parseAtCommand } from "@thingline/protocol/at";
import type { AnswerCodec } from "./answers.js";
import { credentialTable } from "./credentials.js";
import type { CommandEntry } from "./entry.js";
import { functionalModeTable } from "./functional-mode.js";
import { identityTable } from "./identity.js";
import type { LineCodec } from "./lines.js";
import { networkTable } from "./network.js";
import { operatorTable } from "./operator.js";
import { packetDataTable } from "./packet-data.js";
import { powerSavingTable } from "./power-saving.js";
import { simTable } from "./sim.js";
import { systemTable } from "./system.js";

/**
 * What every command of an nRF91 takes and answers, by the command as it is written behind `AT`: `+CFUN?` reads, `+CFUN=` sets, `+CFUN=?`
 * tests, `+CGMI` executes. The host goes by it; the simulated modem has rules of its own, which tests hold against it.
 *
 * @see nRF9160 and nRF91x1 AT Commands reference guides
 */
export const commandForms = {
  ...identityTable,
  ...functionalModeTable,
  ...networkTable,
  ...operatorTable,
  ...packetDataTable,
  ...powerSavingTable,
  ...simTable,
  ...systemTable,
  ...credentialTable,
};

export type CommandFormKey = keyof typeof commandForms;

type Entry<Key extends CommandFormKey> = (typeof commandForms)[Key];
/** What a set form is given; undefined for any other. */
export type CommandValues<Key extends CommandFormKey> =
  Entry<Key> extends { values: LineCodec<infer Values> } ? Values : undefined;
/** What stands in the answer. */
export type CommandAnswer<Key extends CommandFormKey> =
  Entry<Key> extends { answer: AnswerCodec<infer Answer> } ? Answer : never;

/** The key of a command line: `AT+CFUN=4` has `+CFUN=`. */
export function keyOf(name: string, form: "execute" | "set" | "read" | "test"): string {
  return name + { execute: "", set: "=", read: "?", test: "=?" }[form];
}

function entryOf(key: CommandFormKey): CommandEntry<unknown, unknown> {
  return commandForms[key];
}

/**
 * `AT+CFUN=4`
 *
 * @throws {ThinglineError} `AT_MALFORMED` for values that the command does not take. The message never repeats them: they may be a private key.
 */
export function formatCommand<Key extends CommandFormKey>(key: Key, values: CommandValues<Key>): string {
  const codec = entryOf(key).values;
  if (codec === undefined) return `AT${key}`;
  const text = codec.format(values);
  if (codec.parse(text, false) !== undefined) return `AT${key}${text}`;
  throw new ThinglineError("AT_MALFORMED", `AT${key}: the command does not take such values`);
}

/** @returns undefined for a command that is not in the table, or whose values are not as they should be. */
export function parseCommand(line: string): { key: CommandFormKey; values: unknown } | undefined {
  const { name, form } = parseAtCommand(line);
  const key = keyOf(name, form);
  if (!Object.hasOwn(commandForms, key)) return undefined;
  const { values } = entryOf(key as CommandFormKey);
  if (values === undefined) return { key: key as CommandFormKey, values: undefined };
  const parsed = values.parse(line.slice(line.indexOf("=") + 1), false);
  return parsed === undefined ? undefined : { key: key as CommandFormKey, values: parsed };
}

/** The values of a command, as a set form is given them. @returns undefined when they are not as they should be. */
export function parseValues<Key extends CommandFormKey>(key: Key, line: string): CommandValues<Key> | undefined {
  const command = parseCommand(line);
  return command?.key === key ? (command.values as CommandValues<Key>) : undefined;
}

/** The information lines of an answer, without the final result. */
export function formatAnswer<Key extends CommandFormKey>(key: Key, value: CommandAnswer<Key>): string[] {
  return entryOf(key).answer.format(nameOf(key), value);
}

/** @returns undefined when the answer is not as the table has it. */
export function parseAnswer<Key extends CommandFormKey>(
  key: Key,
  lines: readonly string[],
): { value: CommandAnswer<Key> } | undefined {
  return entryOf(key).answer.parse(nameOf(key), lines) as { value: CommandAnswer<Key> } | undefined;
}

function nameOf(key: string): string {
  return key.replace(/=\?$|[=?]$/, "");
}
