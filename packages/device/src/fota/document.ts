import { isRecord, isThinglineError, ThinglineError } from "@thingline/protocol";
import type { DownloadSource } from "./downloader.js";
import { parseHttpUrl, urlCharactersMax } from "./http/url.js";
import type { FotaReason } from "./status-details.js";

/** The operation of Nordic's job documents; the original does not look at it, and AWS's OTA has none. */
export const firmwareUpdateOperation = "app_fw_update";

/** What a job document asks for. */
export interface FirmwareOrder {
  /** Where the file may be had; the first that this device has a downloader for. */
  sources: readonly DownloadSource[];
  /** `fwversion` of Nordic's documents, as it was written. AWS's OTA documents have no version. */
  versionWanted: string | undefined;
  sizeBytes: number | undefined;
  /** What stays the same when the document is read again, while signatures in a URL do not. No secret. */
  documentId: string;
}

export type FirmwareDocument =
  | { order: FirmwareOrder }
  | { refused: { reason: FotaReason; message: string; isOurs: boolean } };

const versionCharactersMax = 64;
const sizeBytesMax = 2 ** 40;
const streamNameCharactersMax = 128;

/**
 * Reads the job documents of the original (`location` with `host` and `path`, or with one `url`) and those of AWS's OTA (`afr_ota`).
 *
 * `protocol` may have a colon or not, and be missing: then it is https. `path` may begin with a slash or not. A host may come with a scheme, as
 * the original takes it, and with a port.
 */
export function readFirmwareDocument(document: unknown): FirmwareDocument {
  if (!isRecord(document)) return invalid("the job document is no object");
  try {
    if (document["afr_ota"] !== undefined) return readOta(document["afr_ota"]);
    const { operation, location } = document;
    if (operation !== undefined && operation !== firmwareUpdateOperation) {
      const shown = typeof operation === "string" ? `"${operation.slice(0, 64)}"` : typeof operation;
      const message = `the operation is ${shown}, and this is the handler of "${firmwareUpdateOperation}"`;
      return { refused: { reason: "operationUnknown", message, isOurs: false } };
    }
    if (!isRecord(location)) throw bad("the job document has no location");
    const url = urlOf(location);
    const versionWanted = versionOf(document["fwversion"]);
    const sizeBytes = sizeOf(document["size"], "size");
    return { order: orderOf([{ type: "http", url }], versionWanted, sizeBytes) };
  } catch (error) {
    if (isThinglineError(error, "REQUEST_INVALID") || isThinglineError(error, "DOWNLOAD_INVALID")) {
      return invalid(error.message);
    }
    throw error;
  }
}

function urlOf({ url, protocol, host, path }: Record<string, unknown>): string {
  if (url !== undefined) {
    if (typeof url !== "string") throw bad("location.url is no text");
    return checkedUrl(url);
  }
  if (typeof host !== "string" || host === "") throw bad("location has neither a url nor a host");
  if (typeof path !== "string" || path === "") throw bad("location has no path");
  const given = /^(https?):\/\/(.*)$/iu.exec(host);
  const scheme = given?.[1] ?? protocolOf(protocol);
  const authority = (given?.[2] ?? host).replace(/\/+$/u, "");
  if (/[/?#@]/u.test(authority)) throw bad("location.host holds more than a host and a port");
  return checkedUrl(`${scheme}://${authority}/${path.replace(/^\//u, "")}`);
}

function protocolOf(protocol: unknown): string {
  if (protocol === undefined) return "https";
  const name = typeof protocol === "string" ? protocol.toLowerCase().replace(/:(?:\/\/)?$/u, "") : "";
  if (name === "http" || name === "https") return name;
  throw bad("location.protocol is neither http: nor https:");
}

function checkedUrl(url: string): string {
  // The cloud did not fill it in: the job has no role to sign with.
  if (url.includes("${aws:iot:")) throw bad("the URL is a placeholder that the cloud did not fill in");
  if (url.length > urlCharactersMax) throw bad(`the URL has more than ${urlCharactersMax} characters`);
  const bare = url.replace(/#.*$/su, "");
  parseHttpUrl(bare);
  return bare;
}

function versionOf(version: unknown): string | undefined {
  if (version === undefined || version === null || version === "") return undefined;
  if (typeof version !== "string" && typeof version !== "number") throw bad("fwversion is neither a text nor a number");
  const text = String(version);
  if (text.length > versionCharactersMax || !/^[ -~]+$/u.test(text)) {
    throw bad(`fwversion is no visible text of up to ${versionCharactersMax} characters`);
  }
  return text;
}

function sizeOf(size: unknown, member: string): number | undefined {
  if (size === undefined || size === null) return undefined;
  const number = typeof size === "string" && /^[0-9]{1,13}$/u.test(size) ? Number(size) : size;
  if (typeof number === "number" && Number.isInteger(number) && number >= 0 && number <= sizeBytesMax) return number;
  throw bad(`${member} is no number of bytes`);
}

/** AWS's OTA, as FreeRTOS reads it. The signatures in it are for other bootloaders: an MCUboot image carries its own. */
function readOta(ota: unknown): FirmwareDocument {
  if (!isRecord(ota)) throw bad("afr_ota is no object");
  const { files, protocols, streamname } = ota;
  if (!Array.isArray(files) || files.length !== 1) {
    throw bad(
      `afr_ota has ${Array.isArray(files) ? files.length : "no"} files, and this device takes one image at a time`,
    );
  }
  const file: unknown = files[0];
  if (!isRecord(file)) throw bad("afr_ota has a file that is no object");
  const names = Array.isArray(protocols) ? protocols : [];
  const sizeBytes = sizeOf(file["filesize"], "filesize");
  const url = file["update_data_url"];
  const sources: DownloadSource[] = [];
  // Some documents name no protocols: then what is there counts.
  if (url !== undefined && (names.length === 0 || names.includes("HTTP"))) {
    if (typeof url !== "string") throw bad("update_data_url is no text");
    sources.push({ type: "http", url: checkedUrl(url) });
  }
  if (streamname !== undefined && (names.length === 0 || names.includes("MQTT"))) {
    const fileId = file["fileid"] ?? 0;
    if (typeof streamname !== "string" || !isStreamName(streamname)) throw bad("streamname is no name of a stream");
    if (typeof fileId !== "number" || !Number.isInteger(fileId) || fileId < 0 || fileId > 255) {
      throw bad("fileid is no number of 0 to 255");
    }
    sources.push({ type: "stream", streamName: streamname, fileId, sizeBytes });
  }
  if (sources.length === 0) throw bad("afr_ota has neither an update_data_url nor a streamname for its protocols");
  return { order: orderOf(sources, undefined, sizeBytes) };
}

function isStreamName(name: string): boolean {
  return name.length <= streamNameCharactersMax && /^[a-zA-Z0-9_-]+$/u.test(name);
}

function orderOf(
  sources: readonly DownloadSource[],
  versionWanted: string | undefined,
  sizeBytes: number | undefined,
): FirmwareOrder {
  const places = sources.map((source) => {
    return source.type === "http" ? source.url.replace(/\?.*$/su, "") : `${source.streamName}/${source.fileId}`;
  });
  const documentId = [...places, versionWanted ?? "", sizeBytes ?? ""].join(" ");
  return { sources, versionWanted, sizeBytes, documentId };
}

function invalid(message: string): FirmwareDocument {
  return { refused: { reason: "documentInvalid", message, isOurs: true } };
}

function bad(message: string): ThinglineError {
  return new ThinglineError("REQUEST_INVALID", message);
}
