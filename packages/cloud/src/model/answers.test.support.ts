// Every answer that a test gets, held against AWS's model on its own: what the encoder lets through is looked at a second time.
import { isStructure } from "./structure.js";
import { decodeBase64 } from "@thingline/protocol/x509";
import type { HttpResponse } from "@thingline/transport";
import type { ModelOperation } from "./model.js";
import type { Shape, StructureShape } from "./shapes.js";

/** Errors that any operation may answer, whatever its own list says: AWS's common ones, and that something is not built. */
const commonErrors: Readonly<Record<string, number>> = {
  AccessDeniedException: 403,
  ForbiddenException: 403,
  IncompleteSignatureException: 403,
  InternalFailureException: 500,
  InvalidRequestException: 400,
  InvalidSignatureException: 403,
  MissingAuthenticationTokenException: 403,
  NotImplementedException: 501,
  RequestEntityTooLargeException: 413,
  SerializationException: 400,
  ServiceUnavailableException: 503,
  UnrecognizedClientException: 403,
};

/** What AWS would not answer, each with its place; nothing for a good answer. */
export function answerFaults(operation: ModelOperation, { status, headers, body }: HttpResponse): string[] {
  const text = new TextDecoder().decode(body);
  const value = text === "" ? {} : (JSON.parse(text) as unknown);
  const faults = status < 300 ? outputFaults(operation, status, value) : errorFaults(operation, status, headers, value);
  return faults.map((fault) => `${operation.name} ${status}: ${fault}`);
}

function outputFaults({ output, status }: ModelOperation, found: number, value: unknown): string[] {
  const isOwnStatus = [...output.members.values()].some(({ place }) => place === "status");
  if (found !== status && !isOwnStatus) return [`the status is to be ${status}`];
  // What is in a payload of bytes is not for the model to say.
  return output.payload === undefined ? [...structureFaults(output, value, "")] : [];
}

function errorFaults(
  { errors }: ModelOperation,
  status: number,
  headers: HttpResponse["headers"],
  value: unknown,
): string[] {
  const code = headers["x-amzn-errortype"] ?? "";
  const wanted = errors.get(code) ?? commonErrors[code];
  const message = (value as { message?: unknown }).message;
  return [
    ...(wanted === undefined ? [`${code} is not an error of it`] : wanted === status ? [] : [`${code} is ${wanted}`]),
    ...(typeof message === "string" ? [] : ["there is no message"]),
  ];
}

function* structureFaults(shape: StructureShape, value: unknown, path: string): Generator<string, void> {
  if (!isStructure(value)) {
    yield `${path} is not an object`;
    return;
  }
  const byWireName = new Map([...shape.members.values()].map((member) => [member.wireName, member]));
  for (const [name, item] of Object.entries(value)) {
    const member = byWireName.get(name);
    if (member === undefined) yield `there is no member ${path}.${name}`;
    else yield* valueFaults(member.shape, item, `${path}.${name}`);
  }
}

function* valueFaults(shape: Shape, value: unknown, path: string): Generator<string, void> {
  switch (shape.type) {
    case "structure":
      yield* structureFaults(shape, value, path);
      return;
    case "list":
      if (!Array.isArray(value)) yield `${path} is not a list`;
      else for (const item of value) yield* valueFaults(shape.of, item, `${path}[]`);
      return;
    case "map":
      if (!isStructure(value)) yield `${path} is not a map`;
      else for (const item of Object.values(value)) yield* valueFaults(shape.of, item, `${path}{}`);
      return;
    case "string":
      if (typeof value !== "string") yield `${path} is not a text`;
      else if (shape.values !== undefined && !shape.values.includes(value))
        yield `${path} is not of ${shape.values.join()}`;
      return;
    case "blob":
      if (typeof value !== "string" || decodeBase64(value) === undefined) yield `${path} is not base64`;
      return;
    case "boolean":
      if (typeof value !== "boolean") yield `${path} is not a boolean`;
      return;
    case "integer":
    case "long":
      if (!Number.isInteger(value)) yield `${path} is not an integer`;
      return;
    default:
      if (typeof value !== "number") yield `${path} is not a number`;
  }
}
