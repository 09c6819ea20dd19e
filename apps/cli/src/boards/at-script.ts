import type { Readable } from "node:stream";
import { atCommandBytesMax } from "@thingline/protocol/at";
import { UsageError } from "../failure.js";
import { readLines } from "../input-lines.js";

/** Commands of a script: a line each, but where a quote is open; empty lines and those that begin with # are passed over. */
export async function* scriptCommands(input: Readable, signal: AbortSignal): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let held: string | undefined;
  for await (const line of readLines(input, { lineBytesMax: atCommandBytesMax, signal })) {
    if (line.type === "tooLong") {
      throw new UsageError(
        `line ${line.number} of standard input is longer than ${atCommandBytesMax} bytes, which is all that a modem takes`,
      );
    }
    const text = decoder.decode(line.bytes);
    if (held === undefined && (text.trim() === "" || text.trimStart().startsWith("#"))) continue;
    held = held === undefined ? text : `${held}\n${text}`;
    if (held.length > atCommandBytesMax)
      throw new UsageError("a quote is not closed within what a modem takes as one command");
    if (isQuoteOpen(held)) continue;
    yield held;
    held = undefined;
  }
  if (held !== undefined) throw new UsageError("the last command on standard input has a quote that is not closed");
}

const isQuoteOpen = (text: string): boolean => (text.split('"').length - 1) % 2 === 1;
