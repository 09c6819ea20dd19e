import { encodePercent } from "@thingline/protocol/restjson";
import { listedObjectsMax, type ObjectFacts } from "../../services/objects/index.js";
import type { ServedResponse } from "../admission.js";
import { faultOf, internalFault, notBuilt, S3Fault } from "./fault.js";
import type { S3Handlers, S3Turn } from "./get.js";
import { readXmlTexts, writeXml, type XmlContent } from "./xml.js";

/** Of an XML document that is sent here. */
export const xmlBodyBytesMax = 256 * 1024;
/** Of one DeleteObjects, as S3 has it. */
export const deletedObjectsMax = 1_000;

const empty = new Uint8Array();
const isoDate = (ms: number) => new Date(ms).toISOString();
const owner = ({ identity }: S3Turn) => ({ ID: identity.scope.account, DisplayName: "thingline" });

function answerXml({ requestId }: S3Turn, root: string, content: XmlContent): ServedResponse {
  const headers = { "content-type": "application/xml", "x-amz-request-id": requestId };
  return { status: 200, headers, body: writeXml(root, content) };
}

function answerEmpty({ requestId }: S3Turn, status: number, headers: Record<string, string> = {}): ServedResponse {
  return { status, headers: { "x-amz-request-id": requestId, ...headers }, body: empty };
}

/** The whole service. @throws {S3Fault} or what the operations throw */
export async function serveService({ run, objects }: S3Handlers, turn: S3Turn): Promise<ServedResponse> {
  const { request, identity } = turn;
  if (request.method !== "GET") throw methodNotAllowed(request.method);
  const all = await run(identity.scope, objects.listBuckets, {});
  const prefix = request.query.get("prefix") ?? "";
  const buckets = all.filter(({ bucket }) => bucket.startsWith(prefix));
  return answerXml(turn, "ListAllMyBucketsResult", {
    Owner: owner(turn),
    Buckets: {
      Bucket: buckets.map(({ bucket, createdAtMs }) => ({ Name: bucket, CreationDate: isoDate(createdAtMs) })),
    },
  });
}

/** One bucket. @throws {S3Fault} or what the operations throw */
export async function serveBucket(handlers: S3Handlers, turn: S3Turn, body: Uint8Array): Promise<ServedResponse> {
  const { request, identity } = turn;
  const { run, objects } = handlers;
  const { method, bucket, query } = request;
  const { scope } = identity;
  if (query.has("versioning")) return serveVersioning(handlers, turn, body);
  if (method === "POST" && query.has("delete")) return deleteObjects(handlers, turn, body);
  switch (method) {
    case "PUT":
      requireLocation(body, scope.region);
      await run(scope, objects.createBucket, { bucket });
      return answerEmpty(turn, 200, { location: `/${bucket}` });
    case "HEAD":
      await run(scope, objects.headBucket, { bucket });
      return answerEmpty(turn, 200, { "x-amz-bucket-region": scope.region });
    case "DELETE":
      await run(scope, objects.deleteBucket, { bucket });
      return answerEmpty(turn, 204);
    case "GET":
      break;
    default:
      throw method === "POST" ? notBuilt("uploads by forms (POST)") : methodNotAllowed(method);
  }
  if (query.has("location")) {
    await run(scope, objects.headBucket, { bucket });
    // The first region has no name here.
    return answerXml(turn, "LocationConstraint", scope.region === "us-east-1" ? "" : scope.region);
  }
  return query.has("versions") ? listVersions(handlers, turn) : listObjects(handlers, turn);
}

/** A bucket is made in the region that the request is for, and nowhere else. @throws {S3Fault} */
function requireLocation(body: Uint8Array, region: string): void {
  if (body.length === 0) return;
  const document = new TextDecoder().decode(body);
  const locations = readXmlTexts(document, "LocationConstraint");
  if (locations === undefined) throw malformedXml();
  if (/<(?:Location|Bucket|Tags)[\s>]/u.test(document))
    throw notBuilt("a bucket configuration with more than a region");
  const [location = ""] = locations;
  if (location === "" || location === region) return;
  const message = `The ${location.slice(0, 40)} location constraint is incompatible for the region specific endpoint this request was sent to.`;
  throw new S3Fault("IllegalLocationConstraintException", message);
}

export const methodNotAllowed = (method: string) =>
  new S3Fault("MethodNotAllowed", "The specified method is not allowed against this resource.", {
    elements: { Method: method },
  });

async function serveVersioning({ run, objects }: S3Handlers, turn: S3Turn, body: Uint8Array): Promise<ServedResponse> {
  const { request, identity } = turn;
  const { bucket, method } = request;
  if (method === "GET") {
    const { versioning } = await run(identity.scope, objects.headBucket, { bucket });
    return answerXml(turn, "VersioningConfiguration", { Status: versioning });
  }
  if (method !== "PUT") throw methodNotAllowed(method);
  const document = new TextDecoder().decode(body);
  const [status] = readXmlTexts(document, "Status") ?? [];
  if (status !== "Enabled" && status !== "Suspended") throw malformedXml();
  if (document.includes("<MfaDelete>Enabled")) throw notBuilt("MFA delete");
  await run(identity.scope, objects.putBucketVersioning, { bucket, versioning: status });
  return answerEmpty(turn, 200);
}

async function listObjects({ run, objects }: S3Handlers, turn: S3Turn): Promise<ServedResponse> {
  const { request, identity } = turn;
  const { bucket, query } = request;
  const isV2 = query.get("list-type") === "2";
  const asked = readList(query);
  const { token, prefix, delimiter, limit, encode } = asked;
  const startAfter = query.get(isV2 ? "start-after" : "marker");
  const after = isV2 && token !== undefined ? decodeToken(token) : startAfter;
  const {
    objects: found,
    commonPrefixes,
    next,
  } = await run(identity.scope, objects.listObjects, {
    ...{ bucket, prefix, delimiter, limit },
    ...(after !== undefined && after !== "" && { after }),
  });
  const isTruncated = next !== undefined;
  const withOwner = !isV2 || query.get("fetch-owner") === "true";
  const place = isV2
    ? {
        KeyCount: found.length + commonPrefixes.length,
        ContinuationToken: token,
        NextContinuationToken: next === undefined ? undefined : encodeToken(next),
        StartAfter: startAfter === undefined ? undefined : encode(startAfter),
      }
    : { Marker: encode(startAfter ?? ""), NextMarker: next === undefined ? undefined : encode(next) };
  return answerXml(turn, "ListBucketResult", {
    ...{ Name: bucket, Prefix: encode(prefix), ...place, MaxKeys: limit, IsTruncated: isTruncated },
    ...(delimiter !== "" && { Delimiter: encode(delimiter) }),
    EncodingType: query.get("encoding-type"),
    Contents: found.map((object) => ({
      ...{ Key: encode(object.key), ...describe(object) },
      ...(withOwner && { Owner: owner(turn) }),
      StorageClass: "STANDARD",
    })),
    CommonPrefixes: commonPrefixes.map((common) => ({ Prefix: encode(common) })),
  });
}

function describe({ modifiedAtMs, etag, bytes, checksum }: ObjectFacts) {
  const algorithm = checksum?.header.replace("x-amz-checksum-", "").toUpperCase();
  return {
    LastModified: isoDate(modifiedAtMs),
    ETag: etag,
    ChecksumAlgorithm: algorithm,
    ChecksumType: algorithm === undefined ? undefined : "FULL_OBJECT",
    Size: bytes,
  };
}

async function listVersions({ run, objects }: S3Handlers, turn: S3Turn): Promise<ServedResponse> {
  const { request, identity } = turn;
  const { bucket, query } = request;
  const { prefix, delimiter, limit, encode } = readList(query);
  if (delimiter !== "") throw notBuilt("the delimiter of ListObjectVersions");
  if (query.get("version-id-marker")) throw notBuilt("the version-id-marker of ListObjectVersions");
  const after = query.get("key-marker") ?? "";
  const { versions, next } = await run(identity.scope, objects.listObjectVersions, {
    ...{ bucket, prefix, limit },
    ...(after !== "" && { after }),
  });
  const listed = versions.map(({ key, version, isLatest }) => ({
    isMarker: "isDeleteMarker" in version,
    element: {
      ...{ Key: encode(key), VersionId: version.versionId, IsLatest: isLatest },
      ...("isDeleteMarker" in version
        ? { LastModified: isoDate(version.modifiedAtMs) }
        : {
            ...describe({ ...version, etag: `"${version.md5}"`, checksum: version.checksum }),
            StorageClass: "STANDARD",
          }),
      Owner: owner(turn),
    },
  }));
  return answerXml(turn, "ListVersionsResult", {
    ...{ Name: bucket, Prefix: encode(prefix), KeyMarker: encode(after), VersionIdMarker: "", MaxKeys: limit },
    ...{ IsTruncated: next !== undefined, NextKeyMarker: next === undefined ? undefined : encode(next) },
    EncodingType: query.get("encoding-type"),
    Version: listed.filter(({ isMarker }) => !isMarker).map(({ element }) => element),
    DeleteMarker: listed.filter(({ isMarker }) => isMarker).map(({ element }) => element),
  });
}

async function deleteObjects(
  { run, objects, log }: S3Handlers,
  turn: S3Turn,
  body: Uint8Array,
): Promise<ServedResponse> {
  const { request, identity, requestId } = turn;
  const { bucket, method, rawPath } = request;
  const failedDelete = { method, url: rawPath.slice(0, 2_000) };
  await run(identity.scope, objects.headBucket, { bucket });
  const document = new TextDecoder().decode(body);
  const parts = document.split(/<Object>/u).slice(1);
  if (parts.length === 0 || parts.length > deletedObjectsMax) throw malformedXml();
  const asked = parts.map((part) => {
    const [inside = ""] = part.split("</Object>");
    const [key] = readXmlTexts(`<Object>${inside}`, "Key") ?? [];
    const [versionId] = readXmlTexts(`<Object>${inside}`, "VersionId") ?? [];
    if (key === undefined) throw malformedXml();
    if (/<(?:ETag|Size|LastModifiedTime)[\s/>]/u.test(inside)) throw notBuilt("conditions of DeleteObjects");
    return { bucket, key, ...(versionId !== undefined && { versionId }) };
  });
  const isQuiet = readXmlTexts(document, "Quiet")?.[0] === "true";
  const deleted: XmlContent[] = [];
  const failed: XmlContent[] = [];
  for (const address of asked) {
    const told = { Key: address.key, VersionId: address.versionId };
    try {
      const { versionId, isDeleteMarker } = await run(identity.scope, objects.deleteObject, address);
      const marker = isDeleteMarker === true && { DeleteMarker: true, DeleteMarkerVersionId: versionId };
      deleted.push({ ...told, ...marker });
    } catch (error) {
      const known = faultOf(error);
      // The others are deleted all the same, and the client has to know which.
      if (known === undefined) log.error("objectRequestFailed", { ...failedDelete, requestId, error: String(error) });
      const fault = known ?? internalFault();
      failed.push({ ...told, Code: fault.code, Message: fault.message });
    }
  }
  return answerXml(turn, "DeleteResult", { Deleted: isQuiet ? [] : deleted, Error: failed });
}

const malformedXml = () =>
  new S3Fault(
    "MalformedXML",
    "The XML you provided was not well-formed or did not validate against our published schema",
  );

interface AskedList {
  prefix: string;
  delimiter: string;
  token: string | undefined;
  limit: number;
  /** As the client wants keys. */
  encode: (text: string) => string;
}

/** @throws {S3Fault} */
function readList(query: ReadonlyMap<string, string>): AskedList {
  const asked = query.get("max-keys") ?? String(listedObjectsMax);
  if (!/^\d{1,9}$/.test(asked))
    throw new S3Fault("InvalidArgument", "Provided max-keys not an integer or within integer range");
  const encoding = query.get("encoding-type");
  if (encoding !== undefined && encoding !== "url") {
    throw new S3Fault("InvalidArgument", "Invalid Encoding Method specified in Request");
  }
  return {
    prefix: query.get("prefix") ?? "",
    delimiter: query.get("delimiter") ?? "",
    token: query.get("continuation-token"),
    limit: Math.min(Number(asked), listedObjectsMax),
    encode: (text) => (encoding === "url" ? text.split("/").map(encodePercent).join("/") : text),
  };
}

const encodeToken = (key: string) => btoa(encodePercent(key));

/** @throws {S3Fault} */
function decodeToken(token: string): string {
  try {
    return decodeURIComponent(atob(token));
  } catch {
    throw new S3Fault("InvalidArgument", "The continuation token provided is incorrect");
  }
}
