import type { Readable } from "node:stream";
import { createNodeFiles } from "@thingline/transport/node";
import { readLines } from "../input-lines.js";

/** A behaviour of the most steps fits. */
export const controlLineBytesMax = 65_536;

/**
 * Hands on the lines of an input, without empty ones and comments. A failure of the input, and its end, are no reason to end the command.
 *
 * @param tooLong a line over {@link controlLineBytesMax}.
 */
export async function readControlLines(
  input: Readable,
  { signal, line, tooLong, failed }: ControlInputOptions,
): Promise<void> {
  try {
    for await (const each of readLines(input, { lineBytesMax: controlLineBytesMax, signal })) {
      if (each.type === "tooLong") tooLong(each.number);
      else {
        const text = new TextDecoder().decode(each.bytes).trim();
        if (text !== "" && !text.startsWith("#")) line(text);
      }
    }
  } catch (error) {
    if (!signal.aborted) failed(error);
  }
}

export interface ControlInputOptions {
  signal: AbortSignal;
  line: (text: string) => void;
  tooLong: (number: number) => void;
  failed: (error: unknown) => void;
}

/**
 * Whether standard input may be read. A shell stops a program in its background (`&`) that reads from the terminal, and a simulated modem is
 * often started so.
 */
export async function mayReadStandardInput(isTerminal: boolean): Promise<boolean> {
  if (!isTerminal || process.platform !== "linux") return true;
  try {
    // The name in parentheses may hold anything: fields are counted from behind it.
    const stat = await createNodeFiles().read("/proc/self/stat", { bytesMax: 4096, takesStreams: true });
    const fields = new TextDecoder("latin1").decode(stat).split(") ").at(-1)?.split(" ") ?? [];
    const [, , group, , , foreground] = fields;
    return group === foreground;
  } catch {
    return true;
  }
}
