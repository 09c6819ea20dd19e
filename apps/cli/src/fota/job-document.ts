import { isRecord } from "@thingline/protocol";
import type { ObjectId, ObjectPlace } from "./object-place.js";

/** What the original's devices, and ours, look at. */
export const firmwareOperation = "app_fw_update";

/** A firmware update as a job document says it. */
export interface FirmwareDocument {
  version: string | undefined;
  sizeBytes: number | undefined;
  /** Hex; of documents that `fota deploy` wrote. */
  sha256: string | undefined;
  /** Undefined for a file that is somewhere else. */
  object: ObjectId | undefined;
}

/**
 * The document of the original. Devices of its older versions read protocol, host and path, and can fetch only what anybody may; newer ones
 * take `url`, which the cloud signs for each device. So both are there.
 *
 * @param isSigned whether the job can have URLs signed.
 */
export function writeFirmwareDocument(firmware: {
  version: string;
  sizeBytes: number;
  sha256: string;
  place: ObjectPlace;
  isSigned: boolean;
}): string {
  const { version, sizeBytes, sha256, place, isSigned } = firmware;
  const { protocol, host, path, s3Url } = place;
  const url = `\${aws:iot:s3-presigned-url:${s3Url}}`;
  const location = { protocol, host, path, ...(isSigned && { url }) };
  return JSON.stringify({ operation: firmwareOperation, fwversion: version, size: sizeBytes, sha256, location });
}

/** @returns undefined for a job document of something else. */
export function readFirmwareDocument(text: string): FirmwareDocument | undefined {
  const document = parseJson(text);
  if (!isRecord(document)) return undefined;
  const { operation, fwversion, size, sha256, location } = document;
  if (!isRecord(location) || (operation !== undefined && operation !== firmwareOperation)) return undefined;
  return {
    version: typeof fwversion === "string" || typeof fwversion === "number" ? String(fwversion) : undefined,
    sizeBytes: typeof size === "number" ? size : undefined,
    sha256: typeof sha256 === "string" ? sha256 : undefined,
    object: objectOf(location),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const s3Host = /^(?:([a-z0-9.-]+)\.)?s3[.-]([a-z0-9-]+)\.amazonaws\.com$/;

function objectOf({ url, host, path }: Record<string, unknown>): ObjectId | undefined {
  const given = typeof url === "string" ? url : `https://${String(host)}/${String(path).replace(/^\//, "")}`;
  const placed = /^\$\{aws:iot:s3-presigned-url(?:-v2)?:(.+)\}$/.exec(given)?.[1] ?? given;
  const { hostname, pathname } = URL.canParse(placed) ? new URL(placed) : { hostname: "", pathname: "" };
  const [, virtual] = s3Host.exec(hostname) ?? [];
  const isS3 = s3Host.test(hostname);
  const [first = "", ...rest] = decodePath(pathname.slice(1)).split("/");
  if (isS3 && virtual !== undefined) return { bucket: virtual, key: [first, ...rest].join("/") };
  if (isS3 && rest.length > 0) return { bucket: first, key: rest.join("/") };
  return undefined;
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
