/**
 * How this program was called, so that a command we print can be typed as it stands: npm sets `npm_command` for `npx` and
 * `npm start`, and then there may be no `thingline` on the path.
 */
export function commandLine(words: string, env: NodeJS.ProcessEnv = process.env): string {
  return env["npm_command"] === undefined ? `thingline ${words}` : `npx thingline ${words}`;
}
