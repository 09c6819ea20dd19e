/** Faults of one request that are told together; the rest is only counted. */
export const faultsToldMax = 10;
const valueCharactersMax = 100;
/** What is nested deeper is not shown: a body can hold hundreds of thousands of levels. */
const valueLevelsMax = 8;
/** A key of a map is part of a path. */
const pathCharactersMax = 400;

/** What is wrong with one member, in the words of AWS. */
export interface Fault {
  /** `attributePayload.attributes`, `tags.1.member.Key`: elements of a list are counted from 1. */
  path: string;
  value: unknown;
  /** `Member must not be null` */
  constraint: string;
  /** The value is not shown. */
  isSensitive?: boolean;
}

/** All faults of a request as AWS tells them: `1 validation error detected: Value 'a b' at 'thingName' failed to satisfy constraint: …` */
export function tellFaults(faults: readonly Fault[]): string {
  const count = `${faults.length} validation error${faults.length === 1 ? "" : "s"} detected`;
  return `${count}: ${faults.slice(0, faultsToldMax).map(tellFault).join("; ")}`;
}

function tellFault({ path, value, constraint, isSensitive }: Fault): string {
  return `Value ${isSensitive === true ? "'***'" : quoted(value)} at '${cut(path, pathCharactersMax)}' failed to satisfy constraint: ${constraint}`;
}

function quoted(value: unknown): string {
  if (value === undefined || value === null) return "null";
  return `'${cut(shown(value, valueCharactersMax, valueLevelsMax), valueCharactersMax)}'`;
}

/** Half a character, of the text itself or because the cut goes through it, is no Unicode text: many readers of JSON refuse all of it. */
const cut = (text: string, charactersMax: number): string =>
  text.slice(0, charactersMax).replace(/\p{Surrogate}/gu, "\ufffd");

/** Lists and maps look as Java writes them. Never much longer than what may be shown. */
function shown(value: unknown, room: number, levels: number): string {
  if (typeof value === "string") return value.slice(0, room);
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (typeof value !== "object" || value === null) return String(value);
  if (levels === 0) return "...";
  const isList = Array.isArray(value);
  const parts: string[] = [];
  let length = 0;
  const names = isList ? undefined : Object.keys(value);
  const count = names?.length ?? (value as unknown[]).length;
  for (let at = 0; at < count && length <= room; at++) {
    const name = names?.[at];
    const text = shown((value as Record<string, unknown>)[name ?? at], room - length, levels - 1);
    parts.push(name === undefined ? text : `${name.slice(0, room)}=${text}`);
    length += (parts.at(-1) ?? "").length + 2;
  }
  return isList ? `[${parts.join(", ")}]` : `{${parts.join(", ")}}`;
}
