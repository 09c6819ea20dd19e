import { ThinglineError } from "@thingline/protocol";
import { createNodeFiles } from "@thingline/transport/node";
import { UsageError } from "./failure.js";
import { readLines } from "./input-lines.js";
import { optionValues } from "./option-values.js";
import { readTextFile } from "./text-file.js";

/** A line of standard input longer than this is no name, whatever stands in it. */
export const nameLineBytesMax = 1_024;
/** A file of names: a hundred thousand of the longest, and more. */
export const namesFileBytesMax = 16 * 1024 * 1024;

/**
 * The names of things that a command is given: as words, and as lines of a file or of standard input. Empty lines and lines that begin
 * with `#` are left out.
 *
 * @throws {UsageError} for what is no name; {ThinglineError} FILE_NOT_FOUND, FILE_UNREADABLE, FILE_TOO_LARGE.
 */
export async function* readThingNames(
  words: readonly string[],
  { from, signal }: { from: string | undefined; signal: AbortSignal },
): AsyncGenerator<string> {
  for (const word of words) yield requireName(word, word);
  if (from === undefined) return;
  const lines = from === "-" ? linesOfInput(signal) : linesOfFile(from);
  const name = from === "-" ? "standard input" : from;
  let number = 0;
  for await (const line of lines) {
    number++;
    const text = line.trim();
    if (text !== "" && !text.startsWith("#")) yield requireName(text, `line ${number} of ${name}`);
  }
  if (signal.aborted) throw new ThinglineError("ABORTED", "stopped while reading names");
}

async function* linesOfFile(path: string): AsyncGenerator<string> {
  const text = await readTextFile(createNodeFiles(), path, { bytesMax: namesFileBytesMax });
  yield* text.split("\n");
}

async function* linesOfInput(signal: AbortSignal): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  for await (const line of readLines(process.stdin, { lineBytesMax: nameLineBytesMax, signal })) {
    if (line.type === "line") yield decoder.decode(line.bytes);
    else throw notAName(`line ${line.number} of standard input`, `more than ${nameLineBytesMax} bytes`);
  }
}

function requireName(text: string, where: string): string {
  try {
    return optionValues.name(text);
  } catch {
    throw notAName(where, text);
  }
}

function notAName(where: string, what: string): UsageError {
  const shown = where === what ? `"${what}"` : `${where} ("${what.slice(0, 200)}")`;
  return new UsageError(`${shown} is not the name of a thing: 1 to 128 of the characters A-Z a-z 0-9 : _ -`);
}
