// Inputs that AWS would take, made from the model, and requests made of inputs: what a client does.
import { encodePercent } from "@thingline/protocol/restjson";
import { encodeBase64 } from "@thingline/protocol/x509";
import type { ModelOperation } from "./model.js";
import type { PlainShape, Shape, StructureShape } from "./shapes.js";

export interface EncodedRequest {
  method: string;
  rawPath: string;
  rawQuery: string;
  headers: Record<string, string>;
  body: Uint8Array;
}

/** Beginnings for what a pattern wants. */
const texts = [
  ...["a", "A", "1", "0", ",", "/", "LAST", "p99", "2015-10-08", "1.0", "x@y.z", "192.168.0.1/24", "a:b"],
  ...["arn:aws:iot:us-east-1:123456789012:thing/a", "https://host.example/"],
  "arn:aws:acm:us-east-1:123456789012:certificate/a1",
  "https://ingestion-a1.b1.sfdcnow.com/streams/s/t/event",
];

/** A text that its shape takes. */
export function sampleText({ min = 0, max = Infinity, pattern, values }: PlainShape): string {
  if (values !== undefined) return values[0] ?? "";
  for (const text of texts) {
    const long = text.length < min ? text + text.slice(-1).repeat(min - text.length) : text;
    if (long.length <= max && (pattern === undefined || pattern.test(long))) return long;
  }
  throw new Error(`no sample for the pattern ${pattern?.source}`);
}

/** A value that its shape takes. `isFull` gives members that need not be there too. */
export function sampleValue(shape: Shape, isFull: boolean): unknown {
  switch (shape.type) {
    case "structure":
      return sampleStructure(shape, isFull);
    case "list":
      return Array.from({ length: Math.max(1, shape.min ?? 0) }, () => sampleValue(shape.of, isFull));
    case "map": {
      const { key, of } = shape;
      return { [sampleText(key as PlainShape)]: sampleValue(of, isFull) };
    }
    case "string":
      return sampleText(shape);
    case "blob":
      return new Uint8Array(Math.max(1, shape.min ?? 0));
    case "boolean":
      return true;
    case "timestamp":
      return 1_785_000_000;
    default:
      return shape.min ?? Math.min(1, shape.max ?? 1);
  }
}

export function sampleStructure(shape: StructureShape, isFull: boolean): Record<string, unknown> {
  const members = [...shape.members.values()].filter(({ isRequired }) => isFull || isRequired);
  return Object.fromEntries(members.map((member) => [member.name, sampleValue(member.shape, isFull)]));
}

/** A request with an input, right or wrong: a value that does not fit its member is sent as it is. */
export function encodeRequest(operation: ModelOperation, input: Readonly<Record<string, unknown>>): EncodedRequest {
  const query: string[] = [];
  const headers: Record<string, string> = {};
  const inBody: Record<string, unknown> = {};
  let rawPath = operation.path;
  for (const { name, place, wireName, shape } of operation.input.members.values()) {
    const value = input[name];
    if (value === undefined || (value === null && place !== undefined)) continue;
    if (place === "label")
      rawPath = rawPath.replace(new RegExp(`\\{${wireName}\\+?\\}`), () => encodePercent(textOf(shape, value)));
    else if (place === "query") {
      const items = Array.isArray(value) && shape.type === "list" ? value : [value];
      for (const item of items) query.push(`${encodePercent(wireName)}=${encodePercent(textOf(shape, item))}`);
    } else if (place === "header") headers[wireName] = textOf(shape, value);
    else inBody[wireName] = toWire(shape, value);
  }
  const { payload } = operation.input;
  const raw = payload === undefined ? inBody : inBody[payload];
  const blob = payload === undefined ? undefined : input[payload];
  const hasBody = payload === undefined ? Object.keys(inBody).length > 0 : raw !== undefined;
  const body = blob instanceof Uint8Array ? blob : new TextEncoder().encode(hasBody ? JSON.stringify(raw) : "");
  return { method: operation.method, rawPath, rawQuery: query.join("&"), headers, body };
}

function textOf(shape: Shape, value: unknown): string {
  if (shape.type === "timestamp" && typeof value === "number") return new Date(value * 1000).toISOString();
  return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
}

function toWire(shape: Shape, value: unknown): unknown {
  if (value instanceof Uint8Array) return encodeBase64(value);
  if (Array.isArray(value))
    return value.map((item) => (shape.type === "list" ? toWire(shape.of, item) : item) as unknown);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => {
      const of =
        shape.type === "structure" ? shape.members.get(name)?.shape : shape.type === "map" ? shape.of : undefined;
      return [name, of === undefined ? (item as unknown) : toWire(of, item)];
    }),
  );
}
