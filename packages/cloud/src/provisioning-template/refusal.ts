import { ThinglineError } from "@thingline/protocol";

/**
 * What is wrong with a template or with what it is to be resolved with.
 *
 * @param path where: `Resources.thing.Properties.ThingName`; `template` is the whole
 */
export function refusal(path: string, reason: string): ThinglineError {
  return new ThinglineError("PROVISIONING_TEMPLATE_INVALID", `${path}: ${reason}`, { details: { path, reason } });
}

/** @throws {ThinglineError} PROVISIONING_TEMPLATE_INVALID */
export function objectAt(path: string, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw refusal(path, `must be an object, got ${show(value)}`);
  }
  return value as Readonly<Record<string, unknown>>;
}

/** @throws {ThinglineError} PROVISIONING_TEMPLATE_INVALID */
export function stringAt(path: string, value: unknown): string {
  if (typeof value !== "string") throw refusal(path, `must be a string, got ${show(value)}`);
  return value;
}

/** Refuses a member that the grammar does not have. @throws {ThinglineError} PROVISIONING_TEMPLATE_INVALID */
export function checkMembers(
  path: string,
  object: Readonly<Record<string, unknown>>,
  known: readonly string[],
  why = "is not a member here",
): void {
  for (const name of Object.keys(object)) {
    if (known.includes(name)) continue;
    throw refusal(memberPath(path, name), `${why}; there ${known.length === 1 ? "is" : "are"} ${known.join(", ")}`);
  }
}

/** Names of members are shown in full up to this: a path is to be read by people. */
const shownNameCharactersMax = 128;

export function memberPath(path: string, name: string): string {
  const shown = name.length > shownNameCharactersMax ? `${name.slice(0, shownNameCharactersMax)}...` : name;
  if (!/^[\w:$-]+(?:\.\.\.)?$/.test(shown)) return `${path}[${JSON.stringify(shown)}]`;
  return path === "" ? shown : `${path}.${shown}`;
}

/** A value within a message, cut to a readable length. */
export function show(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object" && value !== null) return "an object";
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
