import { ThinglineError } from "@thingline/protocol";
import { credentialTable } from "../at/credentials.js";
import type { CommandAnswer, CommandFormKey, CommandValues } from "../at/table.js";
import { formatCommand, parseAnswer } from "../at/table.js";
import type { CommandOptions, ModemSession, RunCommand } from "../session.js";

/** What a function that asks a modem one thing needs of its session. */
export type CommandSession = Pick<ModemSession, "command">;

/** What a function that asks a modem several things needs of its session. */
export type SequenceSession = Pick<ModemSession, "sequence">;

/**
 * Runs one command, of any that the references have, and gives its answer taken apart: `askModem(session, "+CFUN?")` is the functional
 * mode, `askModem(session, "+CEREG=", { level: 5 })` subscribes. The key is the command as it is written behind `AT`.
 *
 * @param values Of a set form, which ends with `=`; left out for any other.
 * @throws {ThinglineError} AT_MALFORMED for values that the command does not take, MODEM_RESPONSE_INVALID for an answer that is not as the
 * reference has it, and those of {@link ModemSession.command}.
 */
export function askModem<Key extends CommandFormKey>(
  session: CommandSession,
  key: Key,
  ...[values, options]: AskParameters<Key>
): Promise<CommandAnswer<Key>> {
  return ask((line, given) => session.command(line, given), key, values as CommandValues<Key>, options);
}

/** Values have to be there where the command takes some. */
export type AskParameters<Key extends CommandFormKey> =
  CommandValues<Key> extends undefined
    ? [values?: undefined, options?: CommandOptions]
    : [values: CommandValues<Key>, options?: CommandOptions];

/** As {@link askModem}, within a sequence. */
export async function ask<Key extends CommandFormKey>(
  run: RunCommand,
  key: Key,
  values: CommandValues<Key>,
  options?: CommandOptions,
): Promise<CommandAnswer<Key>> {
  const lines = await run(formatCommand(key, values), options);
  const answer = parseAnswer(key, lines);
  if (answer !== undefined) return answer.value;
  const message = `AT${key}: another answer was expected than ${shown(key, lines)}`;
  throw new ThinglineError("MODEM_RESPONSE_INVALID", message, { details: { command: `AT${key}` } });
}

const shownCharactersMax = 120;

function shown(key: string, [line]: readonly string[]): string {
  if (line === undefined) return "OK alone";
  // It may be a token.
  if (Object.hasOwn(credentialTable, key)) return "the one that came";
  return line.length > shownCharactersMax ? `${line.slice(0, shownCharactersMax)} ...` : line;
}

/** Several commands with nobody else's in between; an abort of the caller ends the one under way. */
export function sequenceOf<Result>(
  session: SequenceSession,
  { signal, timeoutMs }: CommandOptions,
  steps: (run: RunCommand) => Promise<Result>,
): Promise<Result> {
  const common: CommandOptions = {
    ...(signal === undefined ? {} : { signal }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
  return session.sequence((run) => steps((line, options) => run(line, { ...common, ...options })), common);
}
