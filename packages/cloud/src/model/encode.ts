import type { ModelOperation } from "./model.js";
import { checkOutput, membersToJson, toJson, toText, type OutputCheck } from "./output.js";

/** An answer of an operation, before what every answer has. */
export interface EncodedOutput {
  status: number;
  /** Lower-case names. */
  headers: Record<string, string>;
  body: Uint8Array;
}

const encoder = new TextEncoder();

/**
 * An answer in AWS's shape.
 *
 * @throws {Error} when the result is not what AWS has: a member too many, or of another type. That is a defect of the service, and no
 * client is told half of an answer.
 */
export function encodeOutput(operation: ModelOperation, result: object): EncodedOutput {
  const { output: shape, name } = operation;
  const values = result as Readonly<Record<string, unknown>>;
  const check: OutputCheck = { trail: [], faults: [] };
  checkOutput(shape, values, check);
  if (check.faults.length > 0) throw new Error(`${name} answers what AWS does not: ${check.faults.join("; ")}`);
  const headers: Record<string, string> = {};
  let { status } = operation;
  if (shape.isAsIs) return { status, headers, body: encoder.encode(JSON.stringify(values)) };
  for (const { name: member, place, wireName, shape: of } of shape.members.values()) {
    const value = values[member];
    if (value === undefined || place === undefined) continue;
    if (place === "status") status = value as number;
    else if (place === "header") headers[wireName] = toText(of, value);
    else if (place === "prefix") Object.assign(headers, prefixed(wireName === member ? "" : wireName, value));
  }
  return { status, headers, body: bodyOf(operation, values) };
}

const prefixed = (prefix: string, value: unknown) =>
  Object.fromEntries(
    Object.entries(value as object).map(([name, text]) => [`${prefix}${name}`.toLowerCase(), String(text)]),
  );

function bodyOf({ output: shape }: ModelOperation, values: Readonly<Record<string, unknown>>): Uint8Array {
  const payload = shape.payload === undefined ? undefined : shape.members.get(shape.payload);
  if (payload === undefined) return encoder.encode(JSON.stringify(membersToJson(shape, values)));
  const value = values[payload.name];
  if (value === undefined) return new Uint8Array();
  if (value instanceof Uint8Array) return value;
  return encoder.encode(typeof value === "string" ? value : JSON.stringify(toJson(payload.shape, value)));
}
