import { decodePercent } from "@thingline/protocol/restjson";
import type { ObjectAddress } from "../../services/objects/index.js";
import type { ServedResponse } from "../admission.js";
import { S3Fault } from "./fault.js";
import type { S3Handlers, S3Turn } from "./get.js";
import { conditionOf, storedHeaders } from "./put.js";
import { writeXml } from "./xml.js";

const copySource = "x-amz-copy-source";

export const isCopy = ({ request }: Pick<S3Turn, "request">) => request.headers[copySource] !== undefined;

/** `/bucket/key`, with or without the slash before, and the version behind. @throws {S3Fault} */
export function readCopySource({ request: { headers, bucket, key } }: Pick<S3Turn, "request">): ObjectAddress {
  const [, rawBucket, rawKey, rawVersion] =
    /^\/?([^/?]+)\/([^?]+)(?:\?versionId=([^&]+))?$/.exec(headers[copySource] ?? "") ?? [];
  const [fromBucket, fromKey] = [decodePercent(rawBucket ?? ""), decodePercent(rawKey ?? "")];
  const versionId = rawVersion === undefined ? undefined : decodePercent(rawVersion);
  if (!fromBucket || !fromKey) {
    throw new S3Fault("InvalidArgument", "Copy Source must mention the source bucket and key: sourcebucket/sourcekey");
  }
  const isSame = fromBucket === bucket && fromKey === key && versionId === undefined;
  if (isSame && headers["x-amz-metadata-directive"] !== "REPLACE") {
    const message =
      "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata.";
    throw new S3Fault("InvalidRequest", message);
  }
  return { bucket: fromBucket, key: fromKey, ...(versionId !== undefined && { versionId }) };
}

/** CopyObject: read and put, piece by piece, within this cloud. @throws {S3Fault} or what the operations throw */
export async function copyObject({ run, objects }: S3Handlers, turn: S3Turn): Promise<ServedResponse> {
  const { request, identity, requestId } = turn;
  const { scope } = identity;
  const { chunks, headers, checksum, versionId } = await run(scope, objects.readObject, readCopySource(turn));
  const isReplaced = request.headers["x-amz-metadata-directive"] === "REPLACE";
  const ifMatch = conditionOf(request.headers);
  const put = await run(scope, objects.putObject, {
    ...{ bucket: request.bucket, key: request.key, chunks },
    headers: isReplaced ? storedHeaders(request.headers) : headers,
    ...(checksum !== undefined && { checksumHeader: checksum.header }),
    ...(ifMatch !== undefined && { ifMatch }),
  });
  return {
    status: 200,
    headers: {
      ...{ "content-type": "application/xml", "x-amz-request-id": requestId },
      ...(put.isVersioned && { "x-amz-version-id": put.versionId }),
      ...(versionId !== "null" && { "x-amz-copy-source-version-id": versionId }),
    },
    body: writeXml("CopyObjectResult", { LastModified: new Date(put.modifiedAtMs).toISOString(), ETag: put.etag }),
  };
}
