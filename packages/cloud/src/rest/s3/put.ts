import { toHex } from "@thingline/protocol";
import {
  checksumHeaders,
  isChecksumHeader,
  objectBytesMax,
  objectMetadataBytesMax,
  verifyDocument,
  type ChecksumHeader,
  type ExpectedContent,
} from "../../services/objects/index.js";
import type { ServedResponse } from "../admission.js";
import { unsignedPayload } from "./authenticate.js";
import { decodeAwsChunked } from "./aws-chunked.js";
import { isListed } from "./conditions.js";
import { notBuilt, S3Fault } from "./fault.js";
import { checksumOf, type S3Handlers, type S3Turn } from "./get.js";

const trailerPayload = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

/** How the content of a PUT comes, and what is said of it. */
interface Upload {
  bytes: number;
  isChunked: boolean;
  checksumHeader: ChecksumHeader | undefined;
  expected: ExpectedContent;
  headers: Record<string, string>;
}

/** What can be told of a PUT by its head. @throws {S3Fault} */
export function readUpload({ request: { headers }, identity: { bodyHash } }: S3Turn): Upload {
  const isChunked = bodyHash === trailerPayload;
  if (bodyHash.startsWith("STREAMING-") && !isChunked) throw notBuilt(`signed chunks (${bodyHash})`);
  if (!isHash(bodyHash) && !isChunked && bodyHash !== unsignedPayload) {
    throw new S3Fault(
      "InvalidArgument",
      "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, a streaming word or a SHA-256",
    );
  }
  const length = headers[isChunked ? "x-amz-decoded-content-length" : "content-length"];
  if (length === undefined || !/^\d{1,15}$/.test(length)) {
    throw new S3Fault("MissingContentLength", "You must provide the Content-Length HTTP header.");
  }
  const bytes = Number(length);
  if (bytes > objectBytesMax) {
    throw new S3Fault("EntityTooLarge", "Your proposed upload exceeds the maximum allowed object size.", {
      elements: { ProposedSize: bytes, MaxSizeAllowed: objectBytesMax },
    });
  }
  const { checksumHeader, expected } = readExpected(headers, bodyHash);
  return {
    ...{ bytes, isChunked, checksumHeader, headers: storedHeaders(headers) },
    expected: { bytes, ...expected },
  };
}

/** What the head says of the content, but for its length. @throws {S3Fault} */
function readExpected(
  headers: Readonly<Record<string, string>>,
  bodyHash: string,
): Pick<Upload, "checksumHeader" | "expected"> {
  const md5 = headers["content-md5"];
  if (md5 !== undefined && !/^[A-Za-z0-9+/]{22}==$/.test(md5)) {
    throw new S3Fault("InvalidDigest", "The Content-MD5 you specified is not valid.");
  }
  const checksumHeader = checksumHeaderOf(headers);
  const value = checksumHeader === undefined ? undefined : headers[checksumHeader];
  return {
    checksumHeader,
    expected: {
      ...(md5 !== undefined && { md5 }),
      ...(isHash(bodyHash) && { sha256: bodyHash }),
      ...(checksumHeader !== undefined && value !== undefined && { checksum: { header: checksumHeader, value } }),
    },
  };
}

const isHash = (bodyHash: string) => /^[0-9a-f]{64}$/.test(bodyHash);

/** A document that came whole must be what its head says of it. @throws {S3Fault} or REQUEST_INVALID */
export function requireDocument({ keys }: S3Handlers, { request, identity }: S3Turn, document: Uint8Array): void {
  const { bodyHash } = identity;
  if (bodyHash.startsWith("STREAMING-")) throw notBuilt(`an XML document in chunks (${bodyHash.slice(0, 60)})`);
  const { checksumHeader, expected } = readExpected(request.headers, bodyHash);
  verifyDocument(document, toHex(keys.sha256(document)), { checksumHeader, expected });
}

/** PutObject. @throws {S3Fault} or what the operations throw */
export async function putObject(
  { run, objects }: S3Handlers,
  turn: S3Turn,
  body: AsyncIterable<Uint8Array>,
): Promise<ServedResponse> {
  const { request, identity, requestId } = turn;
  const { bucket, key, headers } = request;
  const { isChunked, checksumHeader, expected, headers: stored } = readUpload(turn);
  const { content, trailers } = isChunked ? decodeAwsChunked(body) : { content: body, trailers: undefined };
  const ifMatch = conditionOf(headers);
  const put = await run(identity.scope, objects.putObject, {
    ...{ bucket, key, chunks: content, headers: stored },
    ...(checksumHeader !== undefined && { checksumHeader }),
    ...(ifMatch !== undefined && { ifMatch }),
    expected() {
      const trailed = checksumHeader === undefined ? undefined : trailers?.get(checksumHeader);
      if (checksumHeader === undefined || trailed === undefined) return expected;
      return { ...expected, checksum: { header: checksumHeader, value: trailed } };
    },
  });
  return {
    status: 200,
    headers: {
      ...{ etag: put.etag, "x-amz-request-id": requestId },
      ...(put.isVersioned && { "x-amz-version-id": put.versionId }),
      ...checksumOf(put),
    },
    body: new Uint8Array(),
  };
}

/** Which checksum a PUT has, in a header or behind its content. @throws {S3Fault} */
function checksumHeaderOf(headers: Readonly<Record<string, string>>): ChecksumHeader | undefined {
  const named = Object.keys(headers).filter(isChecksumHeader);
  const trailed = (headers["x-amz-trailer"] ?? "").split(",").map((name) => name.trim().toLowerCase());
  for (const name of trailed) if (name !== "" && !isChecksumHeader(name)) throw notBuilt(`the trailer ${name}`);
  const [header, ...others] = [...new Set([...named, ...trailed.filter(isChecksumHeader)])];
  if (others.length > 0) {
    throw new S3Fault(
      "InvalidRequest",
      "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
    );
  }
  if (header !== undefined) return header;
  const asked = headers["x-amz-sdk-checksum-algorithm"]?.toLowerCase();
  if (asked === undefined) return undefined;
  const found = checksumHeaders.find((name) => name === `x-amz-checksum-${asked}`);
  if (found === undefined) throw notBuilt(`the checksum algorithm ${asked.toUpperCase().slice(0, 20)}`);
  return found;
}

const kept = ["cache-control", "content-disposition", "content-language", "content-type", "expires"];

/** What comes back with the content. @throws {S3Fault} */
export function storedHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const stored: Record<string, string> = { "content-type": "binary/octet-stream" };
  for (const name of kept) if (headers[name]) stored[name] = headers[name];
  const encodings = (headers["content-encoding"] ?? "").split(",").map((name) => name.trim());
  const encoding = encodings.filter((name) => name !== "" && name !== "aws-chunked").join(",");
  if (encoding !== "") stored["content-encoding"] = encoding;
  let metadataBytes = 0;
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith("x-amz-meta-")) continue;
    stored[name] = value;
    metadataBytes += name.length - "x-amz-meta-".length + value.length;
  }
  if (metadataBytes <= objectMetadataBytesMax) return stored;
  throw new S3Fault("MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size.", {
    elements: { Size: metadataBytes, MaxSizeAllowed: objectMetadataBytesMax },
  });
}

/** If-Match, and `If-None-Match: *`, the one that S3 takes. @throws {S3Fault} */
export function conditionOf(
  headers: Readonly<Record<string, string>>,
): ((etag: string | undefined) => boolean) | undefined {
  const { "if-match": ifMatch, "if-none-match": ifNoneMatch } = headers;
  if (ifNoneMatch !== undefined && ifNoneMatch.trim() !== "*") throw notBuilt("If-None-Match of a PUT with an ETag");
  if (ifMatch === undefined && ifNoneMatch === undefined) return undefined;
  return (etag) => {
    if (ifNoneMatch !== undefined && etag !== undefined) return false;
    return ifMatch === undefined || (etag !== undefined && isListed(ifMatch, etag));
  };
}
