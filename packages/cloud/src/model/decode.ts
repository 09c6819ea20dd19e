import { parseQuery, queryParametersMax, type Labels } from "@thingline/protocol/restjson";
import { fromJson, fromText, membersFromJson } from "./convert.js";
import { isStructure } from "./structure.js";
import type { ModelOperation } from "./model.js";
import type { Member, Shape, StructureShape } from "./shapes.js";
import type { TimestampFormat } from "./table.js";

/** A request whose operation is known. */
export interface EncodedInput {
  labels: Labels;
  /** Without the parameters of a signature. */
  rawQuery: string;
  /** Lower-case names. */
  headers: Readonly<Record<string, string>>;
  body: Uint8Array;
}

/** A request that no operation can be given, in the words of AWS. */
export interface DecodeFault {
  code: "InvalidRequestException" | "SerializationException";
  message: string;
}

export type Decoded = { input: Record<string, unknown> } | DecodeFault;

/**
 * The input of an operation, by the names of AWS. Not checked: what does not fit its type stays as it came, so that the check says what
 * was expected in the same words wherever a member travels. Members that AWS does not have are not there, and a member that is bound
 * elsewhere is not taken from the body.
 */
export function decodeInput({ input: shape }: ModelOperation, request: EncodedInput): Decoded {
  const query = parseQuery(request.rawQuery);
  if (query === undefined) {
    const message = `The query string is not well encoded, or has more than ${queryParametersMax} parameters`;
    return { code: "InvalidRequestException", message };
  }
  const payload = shape.payload === undefined ? undefined : shape.members.get(shape.payload);
  const body = payload === undefined ? jsonMembers(request.body) : payloadOf(payload, request.body);
  if (body === undefined) return { code: "SerializationException", message: "The body is not a JSON object" };
  const members = payload === undefined ? membersFromJson(shape, body) : body;
  const input: [string, unknown][] = Object.entries(members);
  for (const member of shape.members.values()) {
    const value = member.place === undefined ? undefined : boundValue(member, shape, request, query);
    if (value !== undefined) input.push([member.name, value]);
  }
  return { input: Object.fromEntries(input) };
}

function boundValue(
  { name, place, wireName, shape, format }: Member,
  input: StructureShape,
  { labels, headers }: EncodedInput,
  query: readonly (readonly [string, string])[],
): unknown {
  switch (place) {
    case "label":
      return labels[wireName] === undefined ? undefined : fromText(shape, labels[wireName], format ?? "iso8601");
    case "query":
      return shape.type === "map" ? queryMap(shape.of, query, input) : queryValue(shape, query, wireName, format);
    case "header":
      return headers[wireName] === undefined ? undefined : headerValue(shape, headers[wireName], format);
    case "prefix":
      return prefixMap(headers, wireName === name ? "" : wireName);
    default:
      return undefined;
  }
}

function queryValue(
  shape: Shape,
  query: readonly (readonly [string, string])[],
  wireName: string,
  format: TimestampFormat = "iso8601",
): unknown {
  const texts = query.filter(([found]) => found === wireName).map(([, text]) => text);
  if (texts[0] === undefined) return undefined;
  return shape.type === "list"
    ? texts.map((text) => fromText(shape.of, text, format))
    : fromText(shape, texts[0], format);
}

/** Every parameter that no other member has taken. */
function queryMap(of: Shape, query: readonly (readonly [string, string])[], { members }: StructureShape): unknown {
  const isQueryText = ({ place, shape }: Member) => place === "query" && shape.type !== "map";
  const bound = new Set([...members.values()].filter(isQueryText).map(({ wireName }) => wireName));
  const names = [...new Set(query.map(([name]) => name))].filter((name) => !bound.has(name));
  return names.length === 0 ? undefined : Object.fromEntries(names.map((name) => [name, queryValue(of, query, name)]));
}

function headerValue(shape: Shape, text: string, format: TimestampFormat = "rfc822"): unknown {
  if (shape.type !== "list") return fromText(shape, text, format);
  return text.split(",").map((part) => fromText(shape.of, part.trim(), format));
}

function prefixMap(headers: Readonly<Record<string, string>>, prefix: string): unknown {
  const found = Object.entries(headers).filter(([name]) => name.startsWith(prefix));
  return found.length === 0
    ? undefined
    : Object.fromEntries(found.map(([name, text]) => [name.slice(prefix.length), text]));
}

/** @returns undefined for a body that is no JSON object; an empty body has no members. */
function jsonMembers(body: Uint8Array): Record<string, unknown> | undefined {
  if (body.length === 0) return {};
  const value = parseJson(body);
  return isStructure(value) ? value : undefined;
}

/** The member that is the whole body. */
function payloadOf({ name, shape }: Member, body: Uint8Array): Record<string, unknown> | undefined {
  if (shape.type === "blob") return { [name]: body };
  if (body.length === 0) return {};
  if (shape.type === "string") {
    const text = decodeText(body);
    return text === undefined ? undefined : { [name]: text };
  }
  const value = parseJson(body);
  return value === undefined ? undefined : { [name]: fromJson(shape, value) };
}

function parseJson(body: Uint8Array): unknown {
  const text = decodeText(body);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
