import { ThinglineError } from "@thingline/protocol";
import type { FileIdentity } from "../downloader.js";
import type { ByteRange } from "./assembly.js";
import { bodyLengthOf, contentRangeOf, type ResponseHead, retryAfterMsOf } from "./response-head.js";

/** The file that answers come from, as its answers tell it. */
export interface RemoteFile extends FileIdentity {
  /** What must not change between two answers: the ETag, also a weak one, or Last-Modified; empty when there is neither. */
  validator: string;
}

export interface Question {
  range: ByteRange;
  /** What an earlier answer, or an earlier process, knows of the file. */
  expected: FileIdentity | undefined;
  /** Of an earlier answer to this download. */
  file: RemoteFile | undefined;
}

export type Judgement =
  /** The body is the range, or its beginning up to the end of the file. */
  | { type: "part"; file: RemoteFile; bodyBytes: number }
  /** The body is the whole file. */
  | { type: "whole"; file: RemoteFile }
  /** The file has no bytes; what the body holds is about that. */
  | { type: "empty"; file: RemoteFile }
  | { type: "redirect"; location: string }
  /** An error, once what its body says is known. */
  | { type: "refused"; error: ThinglineError };

const etagCharactersMax = 1_024;

/** What the head of an answer to a range request means. Pure. @throws {ThinglineError} DOWNLOAD_INVALID, DOWNLOAD_CHANGED */
export function judgeResponse(head: ResponseHead, question: Question, unixMs: number): Judgement {
  const { status } = head;
  if (status === 206) return judgePart(head, question);
  if (status === 200) return judgeWhole(head, question);
  if (status === 416) return judgeUnsatisfiable(head, question);
  if (status === 412) throw changed("the server says that the file is another one (412)");
  if ([301, 302, 303, 307, 308].includes(status)) {
    const location = head.fields.get("location");
    if (location === undefined) throw invalid(`the server answered ${status} without a Location`, status);
    return { type: "redirect", location };
  }
  return { type: "refused", error: refusal(head, unixMs) };
}

function judgePart(head: ResponseHead, { range, expected, file }: Question): Judgement {
  const content = contentRangeOf(head);
  if (content?.first === undefined) throw invalid("the server answered 206 without a Content-Range", 206);
  const bodyBytes = content.last - content.first + 1;
  const length = bodyLengthOf(head);
  checkEncoding(head);
  if (length !== bodyBytes) {
    const got = length === undefined ? "no Content-Length" : `Content-Length ${length}`;
    throw invalid(`the server answered 206 with ${got} for ${bodyBytes} bytes`, 206);
  }
  const found = fileOf(head, content.sizeBytes);
  checkSame(found, expected, file);
  const last = Math.min(range.last, found.sizeBytes - 1);
  if (content.first !== range.first || content.last !== last) {
    const asked = `${range.first}-${range.last}`;
    throw invalid(`asked for bytes ${asked}, the server sends ${content.first}-${content.last}`, 206);
  }
  return { type: "part", file: found, bodyBytes };
}

function judgeWhole(head: ResponseHead, { expected, file }: Question): Judgement {
  const length = bodyLengthOf(head);
  checkEncoding(head);
  if (length === undefined) throw invalid("the server answered 200 without a Content-Length", 200);
  const found = fileOf(head, length);
  checkSame(found, expected, file);
  return { type: "whole", file: found };
}

/** Beyond the end of the file: it is shorter than expected, or empty. */
function judgeUnsatisfiable(head: ResponseHead, { expected, file }: Question): Judgement {
  const content = contentRangeOf(head);
  const sizeBytes = content?.sizeBytes;
  const known = file ?? expected;
  if (known && sizeBytes !== known.sizeBytes) {
    throw changed(`the file had ${known.sizeBytes} bytes, and has ${sizeBytes ?? "less"} now (416)`);
  }
  if (sizeBytes === 0 && !known) return { type: "empty", file: fileOf(head, 0) };
  // Where several servers share a name, one may not have the whole file yet.
  const message = "the server refuses a range that lies within the file (416)";
  throw new ThinglineError("DOWNLOAD_UNAVAILABLE", message, { details: { status: 416 } });
}

function checkEncoding({ fields }: ResponseHead): void {
  const encoding = fields.get("content-encoding")?.toLowerCase();
  // Objects that an SDK of AWS sent up in chunks keep that word at some stores, and nothing of the chunks.
  if (encoding === undefined || ["", "identity", "aws-chunked"].includes(encoding)) return;
  throw invalid("the server sends the file with a Content-Encoding, so it is not what lies on flash in the end");
}

function checkSame(found: RemoteFile, expected: FileIdentity | undefined, file: RemoteFile | undefined): void {
  if (file) {
    if (file.sizeBytes === found.sizeBytes && file.validator === found.validator) return;
    throw changed("the file was replaced while it was fetched");
  }
  if (!expected) return;
  if (expected.sizeBytes === found.sizeBytes && expected.version !== undefined && expected.version === found.version) {
    return;
  }
  throw changed("another file lies there than the one whose first part was fetched");
}

function fileOf({ fields }: ResponseHead, sizeBytes: number): RemoteFile {
  const etag = fields.get("etag") ?? "";
  const isStrong = /^"[!\u0023-~\u0080-\u00ff]*"$/u.test(etag) && etag.length <= etagCharactersMax && etag.length > 2;
  const validator = etag === "" ? (fields.get("last-modified") ?? "") : etag;
  return { sizeBytes, version: isStrong ? etag : undefined, validator: validator.slice(0, etagCharactersMax) };
}

function refusal(head: ResponseHead, unixMs: number): ThinglineError {
  const { status } = head;
  const details = { status };
  const message = `the server answered ${status}`;
  if ([401, 403, 404, 410].includes(status)) return new ThinglineError("DOWNLOAD_GONE", message, { details });
  const isLater = status === 408 || status === 425 || status === 429 || (status >= 500 && ![501, 505].includes(status));
  if (!isLater) return invalid(message, status);
  const retryAfterMs = retryAfterMsOf(head, unixMs);
  return new ThinglineError("DOWNLOAD_UNAVAILABLE", message, {
    details: { ...details, ...(retryAfterMs !== undefined && { retryAfterMs }) },
  });
}

/**
 * What S3 says with 400, and does not mean of the request as such. The credentials that a URL was signed with may be over before the URL is.
 *
 * @see Amazon S3 API reference, "Error responses"
 */
const passingRequests: ReadonlyMap<string, "DOWNLOAD_GONE" | "DOWNLOAD_UNAVAILABLE"> = new Map([
  ["ExpiredToken", "DOWNLOAD_GONE"],
  ["RequestTimeout", "DOWNLOAD_UNAVAILABLE"],
]);

/** S3 says in XML what is wrong: its code is for people. Nothing else of the body is: it may repeat what was signed. */
export function withErrorCode(error: ThinglineError, body: Uint8Array): ThinglineError {
  let text = "";
  for (const byte of body) text += String.fromCharCode(byte);
  const code = /<Code>([A-Za-z]{1,64})<\/Code>/u.exec(text)?.[1];
  const isExpired = /<Message>Request has expired<\/Message>/u.test(text);
  if (code === undefined) return error;
  const message = `${error.message}: ${code}${isExpired ? ", the presigned URL has expired" : ""}`;
  const meant = error.details["status"] === 400 ? passingRequests.get(code) : undefined;
  return new ThinglineError(meant ?? error.code, message, { details: { ...error.details, serverCode: code } });
}

function changed(message: string): ThinglineError {
  return new ThinglineError("DOWNLOAD_CHANGED", message);
}

function invalid(message: string, status?: number): ThinglineError {
  return new ThinglineError("DOWNLOAD_INVALID", message, { details: status === undefined ? {} : { status } });
}
