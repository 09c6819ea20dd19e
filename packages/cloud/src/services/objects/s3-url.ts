import { decodePercent } from "@thingline/protocol/restjson";

/** Which object of which bucket. */
export interface ObjectAddress {
  bucket: string;
  key: string;
  /** Default: the newest. */
  versionId?: string;
}

/** Hosts of S3 that have the bucket in the path, and what stands before the same host when they have it in the name. */
const awsHost =
  /^(?:(?<bucket>[a-z0-9][a-z0-9.-]*)\.)?s3(?:-fips|-accelerate)?(?:[.-](?:dualstack\.)?[a-z]{2}(?:-[a-z]+)+-\d+|\.dualstack|-external-1)?\.amazonaws\.com(?:\.cn)?$/;
/** This cloud's own: by an address, by `localhost`, `s3.localhost` or a name below that. */
const localHost =
  /^(?:(?:(?<bucket>[a-z0-9][a-z0-9.-]*)\.)?s3(?:\.[a-z]{2}(?:-[a-z]+)+-\d+)?\.localhost|localhost|\d+\.\d+\.\d+\.\d+|\[[0-9a-f:.]+\])$/;

/**
 * The object that a URL names, in all forms in which AWS writes them: `https://s3.<region>.amazonaws.com/<bucket>/<key>`,
 * `https://<bucket>.s3.<region>.amazonaws.com/<key>`, the same without region, with a dash, with `dualstack`; `s3://<bucket>/<key>`;
 * `arn:aws:s3:::<bucket>/<key>`; and the URLs of a cloud on this machine. A region in it says nothing here: a bucket is looked for where it
 * is asked for.
 *
 * @returns undefined for what names no object of S3.
 */
export function parseS3Url(text: string): ObjectAddress | undefined {
  const plain = /^(?:s3:\/\/|arn:aws(?:-[a-z-]+)?:s3:::)(?<bucket>[^/?#]+)\/(?<key>.+)$/su.exec(text)?.groups;
  if (plain?.["bucket"] !== undefined && plain["key"] !== undefined)
    return { bucket: plain["bucket"], key: plain["key"] };
  const [, authority, rawPath = "", rawQuery = ""] = /^https?:\/\/([^/?#]+)\/([^?#]*)(?:\?([^#]*))?/iu.exec(text) ?? [];
  if (authority === undefined) return undefined;
  const host = bucketOfHost(authority);
  if (host === undefined) return undefined;
  const slash = rawPath.indexOf("/");
  const [bucket, rawKey] =
    host.bucket !== undefined
      ? [host.bucket, rawPath]
      : [decode(rawPath.slice(0, Math.max(0, slash))), rawPath.slice(slash + 1)];
  if (bucket === "" || rawKey === "") return undefined;
  const versionId = versionOf(rawQuery);
  return { bucket, key: decode(rawKey), ...(versionId !== undefined && { versionId }) };
}

/**
 * Whether a host is S3's, and which bucket it names.
 *
 * @param authority as in a Host header, with or without a port
 * @returns undefined for a host that is not known as one of S3.
 */
export function bucketOfHost(authority: string): { bucket: string | undefined } | undefined {
  const host = authority.toLowerCase().replace(/:\d+$/u, "");
  const match = awsHost.exec(host) ?? localHost.exec(host);
  return match === null ? undefined : { bucket: match.groups?.["bucket"] };
}

/** Whether a host is S3's by its name alone: on this machine `s3.localhost` and what is below it. */
export function isS3Host(authority: string): boolean {
  const host = authority.toLowerCase().replace(/:\d+$/u, "");
  return awsHost.test(host) || /(?:^|\.)s3(?:\.[a-z]{2}(?:-[a-z]+)+-\d+)?\.localhost$/u.test(host);
}

function versionOf(rawQuery: string): string | undefined {
  const part = rawQuery.split("&").find((each) => each.startsWith("versionId="));
  return part === undefined ? undefined : decode(part.slice("versionId=".length));
}

/** People write keys into documents by hand: what is not well encoded is meant as it stands. */
const decode = (text: string) => decodePercent(text) ?? text;
