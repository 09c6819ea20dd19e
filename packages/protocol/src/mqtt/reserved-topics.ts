import { utf8Length } from "./codec/utf8.js";

/** Bytes of the longest name or identifier that AWS puts into one level: things, groups, streams, client ids. */
const nameBytesMax = 128;

const documents = ["json", "cbor"] as const;
/** As a level of a pattern: a name or an identifier. */
const name = undefined;
type Level = string | readonly string[] | undefined;

/** Topics that AWS itself makes with more than 7 slashes, or with more than 256 bytes when the names in them are long. */
const longReservedTopics: readonly (readonly Level[])[] = [
  ["commands", ["things", "clients"], name, "executions", name, "request", name],
  ["commands", ["things", "clients"], name, "executions", name, "response", ["accepted", "rejected"]],
  // Eight slashes.
  ["commands", ["things", "clients"], name, "executions", name, "response", ["accepted", "rejected"], name],
  ["things", name, "streams", name, ["describe", "get", "description", "data", "rejected"], documents],
  ["events", "thingTypeAssociation", "thing", name, "thingType", name, ["added", "removed"]],
  ["events", "thingTypeAssociation", "thing", name, name, ["added", "removed"]],
  ["events", "thingGroupMembership", "thingGroup", name, "thing", name, ["added", "removed"]],
  ["events", "thingGroupHierarchy", "thingGroup", name, "childThingGroup", name, ["added", "removed"]],
];

/**
 * Whether a topic name or filter that is over the limits for topics has the shape of one that AWS itself makes that long, such
 * as `$aws/commands/things/<id>/executions/<id>/response/accepted/json`: the limits do not count for it. A filter may have `+`
 * in any place, and `#` at the end.
 *
 * @see AWS IoT developer guide, "Reserved topics"
 */
export function isLongReservedTopic(text: string): boolean {
  const [root, ...levels] = text.split("/", 10);
  return root === "$aws" && longReservedTopics.some((pattern) => fits(levels, pattern));
}

function fits(levels: readonly string[], pattern: readonly Level[]): boolean {
  const isOpen = levels.at(-1) === "#";
  const given = isOpen ? levels.slice(0, -1) : levels;
  if (isOpen ? given.length >= pattern.length : given.length !== pattern.length) return false;
  return given.every((level, index) => {
    const expected = pattern[index];
    if (level === "+") return true;
    if (expected === undefined) return level !== "" && utf8Length(level) <= nameBytesMax;
    return typeof expected === "string" ? level === expected : expected.includes(level);
  });
}
