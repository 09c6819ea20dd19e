// The file is part of the program.
// oxlint-disable-next-line no-restricted-imports
import { readFileSync } from "node:fs";

/** The version in the program's own package.json. */
export function programVersion(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
