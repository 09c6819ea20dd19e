import { decodeBase64 } from "@thingline/protocol/x509";
import { parseTimestamp } from "@thingline/protocol/restjson";
import { depthMax, elementsMax } from "./validate.js";
import type { Shape, StructureShape } from "./shapes.js";
import { isStructure } from "./structure.js";
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
      if (!Array.isArray(value) || value.length > elementsMax) return value;
      return value.map((item) => fromJson(shape.of, item, undefined, depth - 1));
    case "map":
      return isStructure(value) ? valuesFromJson(shape.of, value, depth - 1) : value;
    case "structure":
      return isStructure(value) ? membersFromJson(shape, value, depth) : value;
    default:
      return value;
  }
}

/** Those of a map with too many stay as they are: the check refuses it. */
function valuesFromJson(of: Shape, value: Readonly<Record<string, unknown>>, depth: number): unknown {
  const names = Object.keys(value);
  if (names.length > elementsMax) return value;
  return Object.fromEntries(names.map((name) => [name, fromJson(of, value[name], undefined, depth)]));
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
      return /^-?\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : text;
    case "float":
    case "double":
      return /^-?\d{1,15}(?:\.\d{1,15})?(?:[eE][+-]?\d{1,3})?$/.test(text) ? Number(text) : text;
    case "boolean":
      // AWS's own examples of queries have both ways of writing them.
      return text === "true" || text === "TRUE" ? true : text === "false" || text === "FALSE" ? false : text;
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
