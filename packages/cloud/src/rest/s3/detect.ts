import { isS3Host } from "../../services/objects/index.js";
import type { RequestHead } from "../admission.js";

/**
 * Whether a request that came where all of AWS's APIs are is one of S3: signed for it, in a header or in its URL, or for a host that is
 * S3's. Nothing of it is verified.
 */
export function isS3Request({ url, headers }: RequestHead): boolean {
  const { authorization, host } = headers;
  // Signature Version 2 in a header is S3's own; it is S3 that has to refuse it.
  if (authorization?.startsWith("AWS ")) return true;
  if (authorization !== undefined) return /^AWS4-HMAC-SHA256 .*\/s3\/aws4_request/.test(authorization);
  const question = url.indexOf("?");
  const isPresigned =
    question >= 0 && /[?&]X-Amz-Credential=[^&]*(?:%2F|\/)s3(?:%2F|\/)aws4_request/i.test(url.slice(question));
  return (
    isPresigned ||
    (question >= 0 && isOldPresigned(url.slice(question))) ||
    isS3Host(host ?? /^https?:\/\/([^/?#]*)/i.exec(url)?.[1] ?? "")
  );
}

/** A URL of S3's Signature Version 2; those of other services of that time say their version. */
const isOldPresigned = (query: string) =>
  /[?&]AWSAccessKeyId=/.test(query) && /[?&]Signature=/.test(query) && !/[?&]SignatureVersion=/.test(query);
