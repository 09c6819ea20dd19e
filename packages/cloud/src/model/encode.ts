import { membersToJson, toJson, toText, type OutputFault } from "./convert.js";
import type { ModelOperation } from "./model.js";

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
  const faults: OutputFault[] = [];
  const headers: Record<string, string> = {};
  let { status } = operation;
  for (const { name: member, place, wireName, shape: of } of shape.members.values()) {
    const value = values[member];
    if (value === undefined || place === undefined) continue;
    if (place === "status") status = Number(value);
    else if (place === "header") headers[wireName] = toText(of, value, member, faults);
    else if (place === "prefix") Object.assign(headers, prefixed(wireName === member ? "" : wireName, value));
  }
  const body = bodyOf(operation, values, faults);
  if (faults.length > 0) throw new Error(`${name} answers what AWS does not: ${faults.join("; ")}`);
  return { status, headers, body };
}

const prefixed = (prefix: string, value: unknown) =>
  Object.fromEntries(
    Object.entries(value as object).map(([name, text]) => [`${prefix}${name}`.toLowerCase(), String(text)]),
  );

function bodyOf(
  { output: shape }: ModelOperation,
  values: Readonly<Record<string, unknown>>,
  faults: OutputFault[],
): Uint8Array {
  const json = membersToJson(shape, values, "", faults);
  const payload = shape.payload === undefined ? undefined : shape.members.get(shape.payload);
  if (payload === undefined) return encoder.encode(JSON.stringify(json));
  const value = values[payload.name];
  if (value instanceof Uint8Array && payload.shape.type === "blob") return value;
  if (value === undefined) return new Uint8Array();
  if (typeof value === "string" && payload.shape.type === "string") return encoder.encode(value);
  return encoder.encode(JSON.stringify(toJson(payload.shape, value, payload.name, faults)));
}
