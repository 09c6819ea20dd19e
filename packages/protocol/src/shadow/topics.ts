import { ThinglineError } from "../errors.js";
import { kindOf, optionInvalid } from "../options.js";

/** Which shadow: the classic one of a thing, or a named one. */
export interface ShadowId {
  thingName: string;
  /** undefined: the classic shadow. */
  shadowName?: string | undefined;
}

export const thingNamePattern = /[a-zA-Z0-9:_-]+/;
export const thingNameCharactersMax = 128;
export const shadowNamePattern = /[$a-zA-Z0-9:_-]+/;
export const shadowNameCharactersMax = 64;

/** The last levels of every topic of a shadow. */
export const shadowTopicTails = [
  "get",
  "get/accepted",
  "get/rejected",
  "update",
  "update/accepted",
  "update/rejected",
  "update/delta",
  "update/documents",
  "delete",
  "delete/accepted",
  "delete/rejected",
] as const;

export type ShadowTopicTail = (typeof shadowTopicTails)[number];
export type ShadowRequestType = "get" | "update" | "delete";

export const shadowRequestTypes: readonly ShadowRequestType[] = ["get", "update", "delete"];

/** Topic filters of all requests to all shadows. */
export const shadowRequestFilters: readonly string[] = shadowRequestTypes.flatMap((type) => [
  `$aws/things/+/shadow/${type}`,
  `$aws/things/+/shadow/name/+/${type}`,
]);

/** The names are not checked; see {@link checkShadowId}. */
export function shadowTopic({ thingName, shadowName }: ShadowId, tail: ShadowTopicTail): string {
  const name = shadowName === undefined ? "" : `name/${shadowName}/`;
  return `$aws/things/${thingName}/shadow/${name}${tail}`;
}

const shadowTopicPattern = /^\$aws\/things\/([^/]+)\/shadow\/(?:name\/([^/]+)\/)?([a-z/]+)$/u;

/** @returns undefined for what is no topic of a shadow. The names are not checked. */
export function parseShadowTopic(topic: string): { id: ShadowId; tail: ShadowTopicTail } | undefined {
  const [, thingName, shadowName, tail] = shadowTopicPattern.exec(topic) ?? [];
  if (thingName === undefined || !(shadowTopicTails as readonly (string | undefined)[]).includes(tail))
    return undefined;
  return { id: { thingName, ...(shadowName !== undefined && { shadowName }) }, tail: tail as ShadowTopicTail };
}

/** @throws {ThinglineError} OPTION_INVALID for names that AWS IoT does not take. */
export function checkShadowId({ thingName, shadowName }: ShadowId): void {
  requireName(thingName, "thingName", thingNamePattern, thingNameCharactersMax);
  if (shadowName !== undefined) requireName(shadowName, "shadowName", shadowNamePattern, shadowNameCharactersMax);
}

function requireName(name: string, option: string, pattern: RegExp, charactersMax: number): void {
  if (typeof name !== "string") throw optionInvalid(option, "a string", kindOf(name));
  if (name.length <= charactersMax && new RegExp(`^(?:${pattern.source})$`, "u").test(name)) return;
  const message = `${option} has 1 to ${charactersMax} characters of ${pattern.source}, got "${name.slice(0, 200)}"`;
  throw new ThinglineError("OPTION_INVALID", message, { details: { option } });
}
