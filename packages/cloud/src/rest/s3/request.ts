import { decodePercent } from "@thingline/protocol/restjson";
import { bucketOfHost } from "../../services/objects/index.js";
import type { RequestHead } from "../admission.js";
import { notBuilt, S3Fault } from "./fault.js";

/** A request as S3 sees it. */
export interface S3Request {
  method: string;
  host: string;
  /** As it came, percent-encoding and all. */
  rawPath: string;
  rawQuery: string;
  /** Lower-case names. */
  headers: Readonly<Record<string, string>>;
  /** Empty for the service itself. */
  bucket: string;
  /** Empty for a bucket. */
  key: string;
  /** Parameters, decoded; those without a value are empty. The signature's own are among them. */
  query: ReadonlyMap<string, string>;
}

/** Of a query: more is no request of any client. */
export const s3ParametersMax = 50;

/**
 * @param ownNames host names of this cloud, below which buckets may be named as below `s3.localhost`
 * @throws {S3Fault}
 */
export function readRequest({ method, url, headers }: RequestHead, ownNames: readonly string[]): S3Request {
  // A URL object would resolve dot segments and change escapes, and the signature is over the path as it was sent.
  const [, authority = "", target = "/"] = /^https?:\/\/([^/?#]*)([^#]*)/i.exec(url) ?? [];
  const question = target.indexOf("?");
  const rawPath = (question < 0 ? target : target.slice(0, question)) || "/";
  const rawQuery = question < 0 ? "" : target.slice(question + 1);
  const host = headers["host"] ?? authority;
  const path = decodePercent(rawPath);
  if (path === undefined || !path.startsWith("/")) throw new S3Fault("InvalidURI", "Couldn't parse the specified URI.");
  const named = bucketInHost(host, ownNames);
  const slash = path.indexOf("/", 1);
  const [bucket, key] =
    named !== undefined
      ? [named, path.slice(1)]
      : slash < 0
        ? [path.slice(1), ""]
        : [path.slice(1, slash), path.slice(slash + 1)];
  if (bucket === "" && key !== "") throw new S3Fault("InvalidURI", "Couldn't parse the specified URI.");
  return { method, host, rawPath, rawQuery, headers: { host, ...headers }, bucket, key, query: readQuery(rawQuery) };
}

/** `fw` of `fw.s3.localhost`, of `fw.localhost`, which SDKs make of an endpoint at localhost, and of `fw.<own name>`. */
function bucketInHost(host: string, ownNames: readonly string[]): string | undefined {
  const known = bucketOfHost(host);
  if (known !== undefined) return known.bucket;
  const name = host.toLowerCase().replace(/:\d+$/, "").replace(/\.$/, "");
  // A name of its own that lies below another is no bucket.
  if (ownNames.some((own) => own.toLowerCase() === name)) return undefined;
  const above = ["localhost", ...ownNames].find((own) => name.endsWith(`.${own.toLowerCase()}`));
  return above === undefined ? undefined : name.slice(0, -above.length - 1);
}

function readQuery(rawQuery: string): ReadonlyMap<string, string> {
  const query = new Map<string, string>();
  const parts = rawQuery.split("&").filter((part) => part !== "");
  if (parts.length > s3ParametersMax) throw new S3Fault("InvalidURI", "The request has too many parameters.");
  for (const part of parts) {
    const equals = part.indexOf("=");
    const [name, value] = equals < 0 ? [part, ""] : [part.slice(0, equals), part.slice(equals + 1)];
    // A space may be a plus sign in a query.
    const text = (each: string) => decodePercent(each.replaceAll("+", " "));
    const [decodedName, decodedValue] = [text(name), text(value)];
    if (decodedName === undefined || decodedValue === undefined)
      throw new S3Fault("InvalidURI", "Couldn't parse the specified URI.");
    query.set(decodedName, decodedValue);
  }
  return query;
}

/** Parts of S3 that are told by a parameter. Others that S3 does not know either are passed over, as S3 does. */
const unbuiltParameters: Readonly<Record<string, string>> = {
  ...{ accelerate: "transfer acceleration", acl: "access control lists", analytics: "analytics", append: "appending" },
  ...{ attributes: "GetObjectAttributes", cors: "CORS configurations", encryption: "encryption configurations" },
  ...{ inventory: "inventories", "legal-hold": "legal holds", lifecycle: "lifecycle rules", logging: "logging" },
  ...{ "intelligent-tiering": "tiering", metadataConfiguration: "metadata tables", metrics: "metrics" },
  ...{ notification: "notifications", "object-lock": "object lock", ownershipControls: "ownership controls" },
  ...{ policy: "bucket policies", policyStatus: "bucket policies", publicAccessBlock: "public access blocks" },
  ...{ renameObject: "RenameObject", replication: "replication", requestPayment: "request payment" },
  ...{ restore: "restoring", retention: "retention", select: "SelectObjectContent", session: "sessions" },
  ...{ tagging: "tags", torrent: "torrents", website: "websites" },
};
const multipartParameters = ["uploads", "uploadId", "partNumber"];
const multipartAdvice =
  ": send the object in one PUT (AWS CLI: aws configure set default.s3.multipart_threshold 256MB)";

/** Headers that change what a request does, and that are not acted on unless they have one of these values. */
const unbuiltHeaders: readonly [RegExp, readonly string[]][] = [
  [/^x-amz-acl$/, ["private", "bucket-owner-full-control"]],
  [/^x-amz-storage-class$/, ["STANDARD"]],
  [/^x-amz-server-side-encryption$/, ["AES256"]],
  [/^x-amz-checksum-type$/, ["FULL_OBJECT"]],
  [/^x-amz-bucket-object-lock-enabled$/, ["false"]],
  [/^x-amz-object-ownership$/, ["BucketOwnerEnforced"]],
  [/^x-amz-(metadata|tagging)-directive$/, ["COPY", "REPLACE"]],
  [/^x-amz-(copy-source-.*|grant-.*|object-lock-.*|server-side-encryption-.*|tagging|website-redirect-location)$/, []],
  [/^x-amz-(write-offset-bytes|mfa|bypass-governance-retention|rename-source.*|optional-object-attributes)$/, []],
  // Checksums of every other kind, by the name that they come under.
  [/^x-amz-checksum-(?!(?:crc32|crc32c|crc64nvme|sha256|type|algorithm|mode)$)/, []],
];

/** @throws {S3Fault} NotImplemented, by the name of what is not built */
export function refuseUnbuilt({ query, headers }: S3Request): void {
  for (const name of query.keys()) {
    if (multipartParameters.includes(name)) throw notBuilt("multipart uploads", multipartAdvice);
    const what = Object.hasOwn(unbuiltParameters, name) ? unbuiltParameters[name] : undefined;
    if (what !== undefined) throw notBuilt(`${what} (?${name})`);
  }
  for (const [name, value] of Object.entries(headers)) {
    const known = name.startsWith("x-amz-") ? unbuiltHeaders.find(([pattern]) => pattern.test(name)) : undefined;
    if (known !== undefined && !known[1].includes(value)) throw notBuilt(`the header ${name} with this value`);
  }
}
