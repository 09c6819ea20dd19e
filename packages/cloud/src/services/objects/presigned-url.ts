import { encodePercent } from "@thingline/protocol/restjson";
import type { Keys } from "@thingline/transport";
import { algorithm, basicDate, canonicalRequest, signatureOf } from "../../signature.js";
import type { Scope } from "../operation.js";
import type { ObjectAddress } from "./s3-url.js";

/** Where devices fetch objects. */
export interface ObjectsEndpoint {
  scheme: "http" | "https";
  host: string;
  port: number;
}

/** A key that the cloud's own HTTP face verifies. */
export interface SigningKey {
  accessKeyId: string;
  secretAccessKey: string;
}

export interface PresignedUrlRequest extends ObjectAddress {
  /** 1 to 604,800. */
  expiresInSeconds: number;
  /** Unix time; the URL is good from then on. */
  nowMs: number;
}

export interface PresignedUrlDependencies {
  keys: Pick<Keys, "sha256" | "hmacSha256">;
  endpoint: () => ObjectsEndpoint;
  /** Who speaks for an account. @throws {ThinglineError} REQUEST_INVALID when nobody does. */
  signingKey: (account: string) => SigningKey;
}

/** A URL by which whoever has it may GET the object until it expires. Whether there is such an object is not asked. */
export function presignUrl(
  { keys, endpoint, signingKey }: PresignedUrlDependencies,
  { account, region }: Scope,
  { bucket, key, versionId, expiresInSeconds, nowMs }: PresignedUrlRequest,
): string {
  const { accessKeyId, secretAccessKey } = signingKey(account);
  const { scheme, host: name, port } = endpoint();
  const date = basicDate(nowMs);
  const day = date.slice(0, 8);
  const isUsualPort = port === (scheme === "https" ? 443 : 80);
  const address = name.includes(":") ? `[${name}]` : name;
  const host = isUsualPort ? address : `${address}:${port}`;
  const rawPath = `/${[bucket, ...key.split("/")].map(encodePercent).join("/")}`;
  const rawQuery = [
    ["X-Amz-Algorithm", algorithm],
    ["X-Amz-Credential", `${accessKeyId}/${day}/${region}/s3/aws4_request`],
    ["X-Amz-Date", date],
    ["X-Amz-Expires", String(expiresInSeconds)],
    ["X-Amz-SignedHeaders", "host"],
    ...(versionId === undefined ? [] : [["versionId", versionId]]),
  ]
    .map(([parameter = "", value = ""]) => `${parameter}=${encodePercent(value)}`)
    .join("&");
  const canonical = canonicalRequest({
    ...{ method: "GET", rawPath, rawQuery, headers: { host }, signedHeaders: ["host"] },
    bodyHash: "UNSIGNED-PAYLOAD",
    pathStyle: "encodedOnce",
  });
  const signature = signatureOf(canonical, { day, region, service: "s3", date, secretAccessKey }, keys);
  return `${scheme}://${host}${rawPath}?${rawQuery}&X-Amz-Signature=${signature}`;
}
