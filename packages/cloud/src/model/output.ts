import { encodeBase64 } from "@thingline/protocol/x509";
import { isStructure } from "./structure.js";
import type { PlainShape, Shape, StructureShape } from "./shapes.js";
import type { TimestampFormat } from "./table.js";

/** What is wrong with an answer, and where the check is. */
export interface OutputCheck {
  /** Names of members and places in lists, from the outside. */
  trail: (string | number)[];
  faults: string[];
}

const faultsMax = 10;

/**
 * Holds a value against its shape, and more strictly than AWS needs it: a member that AWS does not have, or a wrong type, is a defect of the
 * service that made it. Undefined members are not there.
 */
export function checkOutput(shape: Shape, value: unknown, check: OutputCheck): void {
  switch (shape.type) {
    case "list":
      if (Array.isArray(value)) return checkItems(shape.of, value, check);
      break;
    case "map":
      if (isStructure(value)) return checkValues(shape.of, value, check);
      break;
    case "structure":
      if (isStructure(value)) return checkMembers(shape, value, check);
      break;
    default:
      if (isPlainValue(shape, value)) return;
  }
  addFault(check, `is to be a ${shape.type}, and is ${value === null ? "null" : typeof value}`);
}

function checkItems(of: Shape, values: readonly unknown[], check: OutputCheck): void {
  const { trail } = check;
  for (let at = 0; at < values.length; at++) {
    trail.push(at);
    checkOutput(of, values[at], check);
    trail.pop();
  }
}

function checkValues(of: Shape, values: Readonly<Record<string, unknown>>, check: OutputCheck): void {
  const { trail } = check;
  for (const key of Object.keys(values)) {
    trail.push(key);
    checkOutput(of, values[key], check);
    trail.pop();
  }
}

function checkMembers(
  { members, name: ofName }: StructureShape,
  value: Readonly<Record<string, unknown>>,
  check: OutputCheck,
): void {
  const { trail } = check;
  for (const name of Object.keys(value)) {
    const item = value[name];
    if (item === undefined) continue;
    const member = members.get(name);
    trail.push(name);
    if (member === undefined) addFault(check, `is not a member of ${ofName}`);
    else checkOutput(member.shape, item, check);
    trail.pop();
  }
}

function addFault({ trail, faults }: OutputCheck, text: string): void {
  const path = trail.map((name) => (typeof name === "number" ? `[${name}]` : `.${name}`)).join("");
  if (faults.length < faultsMax) faults.push(`${path.replace(/^\./, "")} ${text}`);
}

/** Must be cheap: an answer may have thousands. */
function isPlainValue({ type, values }: PlainShape, value: unknown): boolean {
  switch (type) {
    case "string":
      return typeof value === "string" && (values === undefined || values.includes(value));
    case "boolean":
      return typeof value === "boolean";
    case "integer":
    case "long":
      return Number.isSafeInteger(value);
    case "blob":
      return value instanceof Uint8Array;
    default:
      return Number.isFinite(value);
  }
}

/** A value that was checked, for a JSON body. */
export function toJson(shape: Shape, value: unknown, format?: TimestampFormat): unknown {
  if (shape.isAsIs && format === undefined) return value;
  switch (shape.type) {
    case "list":
      return (value as unknown[]).map((item) => toJson(shape.of, item));
    case "map":
      return Object.fromEntries(Object.entries(value as object).map(([key, item]) => [key, toJson(shape.of, item)]));
    case "structure":
      return membersToJson(shape, value as Readonly<Record<string, unknown>>);
    case "blob":
      return encodeBase64(value as Uint8Array);
    case "timestamp":
      return textOfTime(value as number, format ?? shape.format ?? "unixTimestamp");
    default:
      return value;
  }
}

/** The members that travel in a JSON body, by their names on the wire. */
export function membersToJson(shape: StructureShape, value: Readonly<Record<string, unknown>>): unknown {
  if (shape.isAsIs) return value;
  const found: [string, unknown][] = [];
  for (const { name, place, wireName, shape: of, format } of shape.members.values()) {
    if (place === undefined && value[name] !== undefined) found.push([wireName, toJson(of, value[name], format)]);
  }
  return Object.fromEntries(found);
}

/** A value that was checked, for a header. */
export function toText(shape: Shape, value: unknown): string {
  if (shape.type === "list") return (value as unknown[]).map((item) => toText(shape.of, item)).join(",");
  if (shape.type === "timestamp") return String(textOfTime(value as number, shape.format ?? "rfc822"));
  return String(toJson(shape, value));
}

function textOfTime(unixSeconds: number, format: TimestampFormat): string | number {
  if (format === "unixTimestamp") return unixSeconds;
  const date = new Date(unixSeconds * 1000);
  return format === "rfc822" ? date.toUTCString() : date.toISOString().replace(".000Z", "Z");
}
