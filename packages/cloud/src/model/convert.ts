import { decodeBase64, encodeBase64 } from "@thingline/protocol/x509";
import { parseTimestamp } from "@thingline/protocol/restjson";
import { depthMax } from "./validate.js";
import type { PlainShape, Shape, StructureShape } from "./shapes.js";
import type { TimestampFormat } from "./table.js";

// Inside of the cloud a time is Unix seconds and a blob bytes; on the wire both have other forms.

/** A value of a JSON body. What does not fit its type stays as it is: the check then says what was expected. */
export function fromJson(shape: Shape, value: unknown, format?: TimestampFormat, depth = depthMax): unknown {
  if (value === null || value === undefined || depth <= 0) return value;
  switch (shape.type) {
    case "blob":
      return typeof value === "string" ? (decodeBase64(value) ?? value) : value;
    case "timestamp":
      return typeof value === "string" ? (timeOf(value, format ?? shape.format ?? "iso8601") ?? value) : value;
    case "list":
      return Array.isArray(value) ? value.map((item) => fromJson(shape.of, item, undefined, depth - 1)) : value;
    case "map":
      return isRecord(value)
        ? Object.fromEntries(
            Object.entries(value).map(([key, item]) => [key, fromJson(shape.of, item, undefined, depth - 1)]),
          )
        : value;
    case "structure":
      return isRecord(value) ? membersFromJson(shape, value, depth) : value;
    default:
      return value;
  }
}

/** The members of a structure that travel in a JSON body, by their own names. */
export function membersFromJson(
  shape: StructureShape,
  value: Readonly<Record<string, unknown>>,
  depth = depthMax,
): Record<string, unknown> {
  const found: [string, unknown][] = [];
  for (const [name, { shape: of, wireName, place, format }] of shape.members) {
    if (place !== undefined || !Object.hasOwn(value, wireName)) continue;
    found.push([name, fromJson(of, value[wireName], format, depth - 1)]);
  }
  return Object.fromEntries(found);
}

/** A value of a label, of the query or of a header. */
export function fromText(shape: Shape, text: string, format: TimestampFormat): unknown {
  switch (shape.type) {
    case "integer":
    case "long":
      return /^-?\d{1,15}$/.test(text) ? Number(text) : text;
    case "float":
    case "double":
      return /^-?\d{1,15}(?:\.\d{1,15})?(?:[eE][+-]?\d{1,3})?$/.test(text) ? Number(text) : text;
    case "boolean":
      return text === "true" ? true : text === "false" ? false : text;
    case "timestamp":
      return timeOf(text, shape.format ?? format) ?? text;
    case "blob":
      return decodeBase64(text) ?? text;
    default:
      return text;
  }
}

/** @returns Unix time in seconds, or undefined for a text that is none. */
function timeOf(text: string, format: TimestampFormat): number | undefined {
  switch (format) {
    case "iso8601":
      return parseTimestamp(text);
    case "rfc822": {
      const isDate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(text);
      const unixMs = isDate ? Date.parse(text) : NaN;
      return Number.isNaN(unixMs) ? undefined : unixMs / 1000;
    }
    case "unixTimestamp":
      return /^-?\d{1,15}(?:\.\d{1,9})?$/.test(text) ? Number(text) : undefined;
  }
}

function textOfTime(unixSeconds: number, format: TimestampFormat): string {
  if (format === "unixTimestamp") return String(unixSeconds);
  const date = new Date(unixSeconds * 1000);
  return format === "rfc822" ? date.toUTCString() : date.toISOString().replace(".000Z", "Z");
}

/** What is wrong with an answer, each with the path of its member. */
export type OutputFault = string;

/**
 * A value for a JSON body. Held against its shape, and more strictly than AWS needs it: a member that AWS does not have, or a wrong
 * type, is a defect of the service that made it.
 */
export function toJson(
  shape: Shape,
  value: unknown,
  path: string,
  faults: OutputFault[],
  format?: TimestampFormat,
): unknown {
  switch (shape.type) {
    case "list":
      if (Array.isArray(value)) return value.map((item, at) => toJson(shape.of, item, `${path}[${at}]`, faults));
      break;
    case "map":
      if (!isRecord(value)) break;
      return Object.fromEntries(
        Object.entries(value).map(([key, item]) => [key, toJson(shape.of, item, `${path}.${key}`, faults)]),
      );
    case "structure":
      if (isRecord(value)) return membersToJson(shape, value, path, faults);
      break;
    case "blob":
      if (value instanceof Uint8Array) return encodeBase64(value);
      break;
    case "timestamp": {
      if (typeof value !== "number" || !Number.isFinite(value)) break;
      const wanted = format ?? shape.format ?? "unixTimestamp";
      return wanted === "unixTimestamp" ? value : textOfTime(value, wanted);
    }
    default:
      if (isPlainValue(shape, value)) return value;
  }
  faults.push(`${path} is to be a ${shape.type}, and is ${value === null ? "null" : typeof value}`);
  return undefined;
}

/** The members that travel in a JSON body, by their names on the wire. */
export function membersToJson(
  shape: StructureShape,
  value: Readonly<Record<string, unknown>>,
  path: string,
  faults: OutputFault[],
): Record<string, unknown> {
  const found: [string, unknown][] = [];
  for (const [name, item] of Object.entries(value)) {
    if (item === undefined) continue;
    const member = shape.members.get(name);
    const at = path === "" ? name : `${path}.${name}`;
    if (member === undefined) faults.push(`AWS has no member ${at} of ${shape.name}`);
    else if (member.place === undefined) {
      found.push([member.wireName, toJson(member.shape, item, at, faults, member.format)]);
    }
  }
  return Object.fromEntries(found);
}

/** A value for a header. */
export function toText(shape: Shape, value: unknown, path: string, faults: OutputFault[]): string {
  if (shape.type === "list" && Array.isArray(value))
    return value.map((item) => toText(shape.of, item, path, faults)).join(",");
  if (shape.type === "timestamp" && typeof value === "number") return textOfTime(value, shape.format ?? "rfc822");
  const json = toJson(shape, value, path, faults);
  return typeof json === "string" || typeof json === "number" || typeof json === "boolean" ? String(json) : "";
}

function isPlainValue({ type, values }: PlainShape, value: unknown): boolean {
  switch (type) {
    case "string":
      return typeof value === "string" && (values === undefined || values.includes(value));
    case "boolean":
      return typeof value === "boolean";
    case "integer":
    case "long":
      return Number.isSafeInteger(value);
    default:
      return Number.isFinite(value);
  }
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
