/**
 * How this program was called, so that a command we print can be typed as it stands: npm sets `npm_command` for `npx` and
 * `npm start`, and then there may be no `thingline` on the path. Words of a list are quoted where a shell needs it.
 */
export function commandLine(words: string | readonly string[], env: NodeJS.ProcessEnv = process.env): string {
  const text = typeof words === "string" ? words : words.map(shellWord).join(" ");
  return env["npm_command"] === undefined ? `thingline ${text}` : `npx thingline ${text}`;
}

/** One word of a command line for a POSIX shell, quoted only where it has to be. */
export function shellWord(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** The words that name a folder to a command to come; none for the folder that it takes by itself. */
export function unlessDefault(option: string, value: string | undefined, defaultValue: string): string[] {
  return value === undefined || value === defaultValue ? [] : [option, value];
}
