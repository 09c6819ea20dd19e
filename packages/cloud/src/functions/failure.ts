import { ThinglineError } from "@thingline/protocol";

/** Characters of what a function says of its own failure. */
const reasonCharactersMax = 300;

/** @param why a sentence without its end, about "it" */
export function functionFailed(name: string, why: string, cause?: unknown): ThinglineError {
  return new ThinglineError("FUNCTION_FAILED", `function "${name}" failed: ${why}`, {
    details: { name },
    ...(cause !== undefined && { cause }),
  });
}

/** For people: one line, not without end. */
export function textOf(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.replace(/\p{Cc}+/gu, " ").slice(0, reasonCharactersMax);
}
