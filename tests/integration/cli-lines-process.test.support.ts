// Runs many command lines of thingline in one process, one after the other, and prints what each of them did. For command lines that start
// nothing, as help and wrong usage: a process for each of fifty would take longer than all else about them.
// Argument: a JSON list of `{ words, env }`. Prints a list of what cli-process.test.support.ts calls Finished.
import type { CommandLine, Finished } from "./cli-process.test.support.js";

const program = new URL("../../../apps/cli/dist/program.js", import.meta.url);
const { runProgram } = (await import(program.href)) as { runProgram: (words: readonly string[]) => Promise<number> };

/** What is written to a stream until `end`, instead of writing it. */
function capture(stream: NodeJS.WriteStream): { end(): string } {
  const write = stream.write.bind(stream);
  let text = "";
  stream.write = (chunk: string | Uint8Array, ...rest: unknown[]) => {
    text += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString();
    const done = rest.find((value) => typeof value === "function") as (() => void) | undefined;
    done?.();
    return true;
  };
  return {
    end() {
      stream.write = write;
      return text;
    },
  };
}

async function runLine({ words, env = {} }: CommandLine): Promise<Finished> {
  const before = { ...process.env };
  Object.assign(process.env, env);
  const [stdout, stderr] = [capture(process.stdout), capture(process.stderr)];
  try {
    const code = await runProgram(words);
    return { code, stdout: stdout.end(), stderr: stderr.end() };
  } finally {
    stdout.end();
    stderr.end();
    process.env = before;
  }
}

// Each command line leaves listeners behind, since its process ends with it.
for (const stream of [process.stdout, process.stderr]) stream.setMaxListeners(0);
const finished: Finished[] = [];
for (const line of JSON.parse(process.argv[2] ?? "[]") as CommandLine[]) finished.push(await runLine(line));
process.stdout.write(JSON.stringify(finished));
