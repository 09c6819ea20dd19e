// Runs command lines of thingline, and other programs, that end by themselves, one after the other, and tells what each of them did: a process
// for each of a hundred would take longer than all else about them. Each begins as in a process of its own, and must leave nothing open that
// would keep such a process from ending. Started by cli-process.test.support.ts, with which it speaks by messages.
import { pathToFileURL } from "node:url";
import type { Finished, SharedRun } from "./cli-process.test.support.js";

const program = new URL("../../../apps/cli/dist/program.js", import.meta.url);
const { runProgram } = (await import(program.href)) as { runProgram: (words: readonly string[]) => Promise<number> };

/** A real process would wait for what is still open; nothing that a command opens takes longer to close. */
const endsWithinMs = 10_000;

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

/** In place, since programs that are not JavaScript look at the variables as well. */
function setEnvironment(env: Readonly<Record<string, string | undefined>>): void {
  for (const name of Object.keys(process.env)) if (env[name] === undefined) delete process.env[name];
  for (const [name, value] of Object.entries(env)) if (value !== undefined) process.env[name] = value;
}

/** What keeps this process from ending, as a sorted list of names. */
const openResources = (): string[] => process.getActiveResourcesInfo().sort();

/** @returns what is open that was not before, when it does not close by itself */
async function leftOpen(before: readonly string[]): Promise<string[]> {
  const endMs = performance.now() + endsWithinMs;
  for (;;) {
    const waiting = [...before];
    const left = openResources().filter((name) => {
      const at = waiting.indexOf(name);
      if (at !== -1) waiting.splice(at, 1);
      return at === -1;
    });
    if (left.length === 0 || performance.now() > endMs) return left;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const home = process.cwd();
const environment = { ...process.env };
const argv = process.argv.slice(0, 1);

/** A program is a module: it has done what it does when it is loaded, and fails when it cannot be. */
async function runModule(file: string): Promise<number> {
  try {
    await import(pathToFileURL(file).href);
    return 0;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    return 1;
  }
}

async function run({ script, words, isThingline, cwd = home, env = {} }: SharedRun): Promise<Finished> {
  const before = openResources();
  process.chdir(cwd);
  setEnvironment({ ...environment, ...env });
  process.argv = [...argv, script, ...words];
  const [stdout, stderr] = [capture(process.stdout), capture(process.stderr)];
  try {
    const code = await (isThingline ? runProgram(words) : runModule(script));
    const left = await leftOpen(before);
    if (left.length > 0) throw new Error(`${script} ${words.join(" ")} does not end: ${left.join(", ")} is open`);
    return { code, stdout: stdout.end(), stderr: stderr.end() };
  } finally {
    stdout.end();
    stderr.end();
    setEnvironment(environment);
    process.chdir(home);
  }
}

// Each command line leaves listeners behind, since its process ends with it.
for (const stream of [process.stdout, process.stderr]) stream.setMaxListeners(0);
process.on("message", (message: SharedRun) => {
  run(message).then(
    (finished) => process.send?.({ finished }),
    (error: unknown) => process.send?.({ error: String(error instanceof Error ? error.stack : error) }),
  );
});
