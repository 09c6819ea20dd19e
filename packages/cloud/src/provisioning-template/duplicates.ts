import { memberPath } from "./refusal.js";

/** An object or array that is open, with where it is. */
interface Open {
  readonly path: string;
  /** Undefined for an array. */
  readonly names: Set<string> | undefined;
  /** Elements of an array that are done. */
  count: number;
  /** The member whose value comes next. */
  name: string | undefined;
}

const stringPattern = /"(?:[^"\\]|\\.)*"/y;

/**
 * The path of a member that stands twice in its object: JSON.parse() takes the last one, and the other is lost.
 *
 * @param text JSON
 */
export function findDuplicate(text: string): string | undefined {
  const open: Open[] = [];
  for (let at = 0; at < text.length; at++) {
    const top = open.at(-1);
    const character = text[at];
    if (character === "{" || character === "[") {
      const names = character === "{" ? new Set<string>() : undefined;
      open.push({ path: pathWithin(top), names, count: 0, name: undefined });
    } else if (character === "}" || character === "]") {
      open.pop();
    } else if (character === "," && top !== undefined) {
      top.count++;
      top.name = undefined;
    } else if (character === '"') {
      stringPattern.lastIndex = at;
      const [string = '""'] = stringPattern.exec(text) ?? [];
      at += string.length - 1;
      if (top?.names === undefined || top.name !== undefined) continue;
      top.name = JSON.parse(string) as string;
      if (top.names.has(top.name)) return memberPath(top.path, top.name);
      top.names.add(top.name);
    }
  }
  return undefined;
}

function pathWithin(top: Open | undefined): string {
  if (top === undefined) return "";
  return top.names === undefined ? `${top.path}[${top.count}]` : memberPath(top.path, top.name ?? "");
}
