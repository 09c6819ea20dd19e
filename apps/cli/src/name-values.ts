import { UsageError } from "./failure.js";

/** `name=value` words of an option that may be repeated. A value may have further `=`, and may be empty. */
export function readNameValues(words: readonly string[], option: string): Record<string, string> {
  const found = new Map<string, string>();
  for (const word of words) {
    const at = word.indexOf("=");
    if (at <= 0) throw new UsageError(`${option} takes name=value, got "${word}"`);
    const name = word.slice(0, at);
    if (found.has(name)) throw new UsageError(`${option} names "${name}" twice`);
    found.set(name, word.slice(at + 1));
  }
  return Object.fromEntries(found);
}
