import type { Keys } from "@thingline/transport";
import type { Log } from "../../log.js";
import {
  objectPartBytesMax,
  type ObjectFacts,
  type ObjectReading,
  type Objects,
} from "../../services/objects/index.js";
import type { OperationRunner } from "../../services/operation.js";
import type { ServedResponse } from "../admission.js";
import type { S3Identity } from "./authenticate.js";
import { failedCondition, httpDate, rangeOf } from "./conditions.js";
import { S3Fault } from "./fault.js";
import type { S3Request } from "./request.js";

export interface S3Turn {
  request: S3Request;
  identity: S3Identity;
  requestId: string;
}
export interface S3Handlers {
  run: OperationRunner["run"];
  objects: Objects;
  keys: Keys;
  log: Log;
}

/** GetObject and HeadObject. @throws {S3Fault} or what the operations throw */
export async function getObject({ run, objects }: S3Handlers, turn: S3Turn): Promise<ServedResponse> {
  const { request, identity, requestId } = turn;
  const { bucket, key, method, headers, query } = request;
  const versionId = query.get("versionId");
  const address = { bucket, key, ...(versionId !== undefined && { versionId }) };
  const { scope } = identity;
  const facts = await run(scope, objects.headObject, address);
  const failed = failedCondition(headers, facts);
  if (failed === 412) {
    throw new S3Fault("PreconditionFailed", "At least one of the pre-conditions you specified did not hold");
  }
  const common = { "x-amz-request-id": requestId, ...validatorsOf(facts), ...facts.headers, ...overridden(turn) };
  if (failed === 304) return { status: 304, headers: common, body: new Uint8Array() };
  const range = rangeOf(headers, facts.bytes, facts);
  if (range === "unsatisfiable") {
    throw new S3Fault("InvalidRange", "The requested range is not satisfiable", {
      elements: { RangeRequested: headers["range"] ?? "", ActualObjectSize: facts.bytes },
      headers: { "content-range": `bytes */${facts.bytes}` },
    });
  }
  const { start, end } = range === "all" ? { start: 0, end: facts.bytes } : range;
  const isWhole = range === "all";
  const isChecked = isWhole && headers["x-amz-checksum-mode"] === "ENABLED";
  const answer = {
    status: isWhole ? 200 : 206,
    headers: {
      ...{ "accept-ranges": "bytes", ...common, "content-length": String(end - start) },
      ...(!isWhole && { "content-range": `bytes ${start}-${end - 1}/${facts.bytes}` }),
      ...(isChecked && checksumOf(facts)),
    },
  };
  if (method === "HEAD") return { ...answer, body: new Uint8Array() };
  // The version that the head told of, whatever comes in between; one without an id of its own may be another one by now.
  const sameVersion = { ...address, versionId: facts.versionId };
  if (end - start <= objectPartBytesMax) {
    const part = await run(scope, objects.readObjectPart, { ...sameVersion, range: { start, end } });
    requireSame(part, facts);
    return { ...answer, body: part.content };
  }
  const reading: ObjectReading = await run(scope, objects.readObject, { ...sameVersion, range: { start, end } });
  requireSame(reading, facts);
  return { ...answer, body: await begun(reading.chunks) };
}

/** With its first chunk read, so that what fails at once is answered as such and not in the middle of an answer. */
async function begun(chunks: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array>> {
  const rest = chunks[Symbol.asyncIterator]();
  let first: IteratorResult<Uint8Array> | undefined = await rest.next();
  const iterator: AsyncIterator<Uint8Array> = {
    async next() {
      const step = first ?? (await rest.next());
      first = undefined;
      return step;
    },
    // Also when nobody has begun to read it.
    return: async () => (await rest.return?.()) ?? { done: true, value: undefined },
  };
  return { [Symbol.asyncIterator]: () => iterator };
}

/** @throws {S3Fault} for an object that was replaced between its head and its content */
function requireSame(read: ObjectFacts, { sha256, modifiedAtMs }: ObjectFacts): void {
  if (read.sha256 === sha256 && read.modifiedAtMs === modifiedAtMs) return;
  throw new S3Fault("OperationAborted", "The object was replaced while it was asked for. Please try again.");
}

function validatorsOf({ etag, modifiedAtMs, versionId }: ObjectFacts): Record<string, string> {
  return {
    etag,
    "last-modified": httpDate(modifiedAtMs),
    ...(versionId !== "null" && { "x-amz-version-id": versionId }),
  };
}

export function checksumOf({ checksum }: Pick<ObjectFacts, "checksum">): Record<string, string> {
  return checksum === undefined ? {} : { [checksum.header]: checksum.value, "x-amz-checksum-type": "FULL_OBJECT" };
}

const overrides: Readonly<Record<string, string>> = {
  "response-cache-control": "cache-control",
  "response-content-disposition": "content-disposition",
  "response-content-encoding": "content-encoding",
  "response-content-language": "content-language",
  "response-content-type": "content-type",
  "response-expires": "expires",
};

/** Headers that a signed request asks for. @throws {S3Fault} */
function overridden({ request: { query }, identity }: S3Turn): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [parameter, header] of Object.entries(overrides)) {
    const value = query.get(parameter);
    if (value === undefined) continue;
    if (!identity.isSigned) {
      const message = "Request specific response headers cannot be used for anonymous GET requests.";
      throw new S3Fault("InvalidRequest", message);
    }
    if (!/^[\x20-\x7e]*$/.test(value)) throw new S3Fault("InvalidArgument", `${parameter} cannot be a header`);
    found[header] = value;
  }
  return found;
}
