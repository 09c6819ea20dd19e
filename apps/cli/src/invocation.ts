import { basename, isAbsolute, relative, sep } from "node:path";

/** What tells how this program was called. */
export interface Invocation {
  env?: NodeJS.ProcessEnv;
  /** The file that Node.js runs, as it was named: a link of npm's is not followed. */
  script?: string | undefined;
  cwd?: string;
}

/**
 * A command that can be typed as it stands, called as this program was: npm sets `npm_command` for `npx` and `npm start`, and who runs
 * the file itself with `node` may have no `thingline` on the path. Words of a list are quoted where a shell needs it.
 */
export function commandLine(words: string | readonly string[], invocation: Invocation = {}): string {
  const text = typeof words === "string" ? words : words.map(shellWord).join(" ");
  return `${programWords(invocation)} ${text}`;
}

function programWords({ env = process.env, script = process.argv[1], cwd }: Invocation): string {
  if (env["npm_command"] !== undefined) return "npx thingline";
  // Package managers make a `thingline` that leads to an installed file; some of them by its whole path.
  const isRunByPath = script !== undefined && basename(script) === "thingline.js";
  if (!isRunByPath || script.split(sep).includes("node_modules")) return "thingline";
  const near = relative(cwd ?? process.cwd(), script);
  return `node ${shellWord(near.startsWith("..") || isAbsolute(near) ? script : near)}`;
}

/** One word of a command line for a POSIX shell, quoted only where it has to be. */
export function shellWord(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** The words that name a folder to a command to come; none for the folder that it takes by itself. */
export function unlessDefault(option: string, value: string | undefined, defaultValue: string): string[] {
  return value === undefined || value === defaultValue ? [] : [option, value];
}
