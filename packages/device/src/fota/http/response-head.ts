import { ThinglineError } from "@thingline/protocol";

/** Of status line and header fields together. The original has 2,048 for them and the fragment; S3 sends some 600. */
export const responseHeadBytesMax = 8_192;
export const responseFieldsMax = 100;

export interface ResponseHead {
  status: number;
  /** HTTP/1.0, or `Connection: close`: no further request on this connection. */
  isLast: boolean;
  /** Lower-case names; fields of one name are joined by `, `. */
  fields: ReadonlyMap<string, string>;
  /** Bytes of the head on the wire. */
  lengthBytes: number;
}

const statusLine = /^HTTP\/1\.([01]) ([1-5][0-9]{2})(?: [\t -~\u0080-\u00ff]*)?$/u;
const fieldLine =
  /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?:[!-~\u0080-\u00ff](?:[\t -~\u0080-\u00ff]*[!-~\u0080-\u00ff])?)?)[ \t]*$/u;

/**
 * Reads heads of HTTP/1.1 responses, however they are cut. Strict: what RFC 9112 does not allow is refused and never guessed at, because on a
 * connection with several responses one that is read wrongly shifts all that follow.
 */
export class ResponseHeadReader {
  #held: Uint8Array = new Uint8Array(0);

  /** Whether a head has begun. */
  get isBegun(): boolean {
    return this.#held.length > 0;
  }

  /**
   * @returns the head and where in `bytes` the body begins; undefined: all of `bytes` was taken and the head goes on
   * @throws {ThinglineError} DOWNLOAD_INVALID
   */
  push(bytes: Uint8Array): { head: ResponseHead; bodyAt: number } | undefined {
    const before = this.#held.length;
    const room = responseHeadBytesMax - before;
    const taken = bytes.length > room ? bytes.subarray(0, room) : bytes;
    const joined = new Uint8Array(before + taken.length);
    joined.set(this.#held);
    joined.set(taken, before);
    const end = endOfHead(joined, Math.max(0, before - 3));
    if (end === undefined) {
      if (joined.length >= responseHeadBytesMax) {
        throw invalid(`the head of a response has more than ${responseHeadBytesMax} bytes`);
      }
      this.#held = joined;
      return undefined;
    }
    this.#held = new Uint8Array(0);
    return { head: parseResponseHead(joined.subarray(0, end)), bodyAt: end - before };
  }
}

function endOfHead(bytes: Uint8Array, from: number): number | undefined {
  for (let at = bytes.indexOf(13, from); at !== -1; at = bytes.indexOf(13, at + 1)) {
    if (bytes[at + 1] === 10 && bytes[at + 2] === 13 && bytes[at + 3] === 10) return at + 4;
  }
  return undefined;
}

/** @param bytes a whole head, the empty line included @throws {ThinglineError} DOWNLOAD_INVALID */
export function parseResponseHead(bytes: Uint8Array): ResponseHead {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  const [first = "", ...lines] = text.slice(0, -4).split("\r\n");
  const match = statusLine.exec(first);
  if (!match) throw invalid("a response does not begin with a status line of HTTP/1.1");
  if (lines.length > responseFieldsMax) throw invalid(`a response has more than ${responseFieldsMax} header fields`);
  const fields = new Map<string, string>();
  for (const line of lines) {
    const field = fieldLine.exec(line);
    if (!field) throw invalid("a header field of a response is malformed");
    const name = (field[1] as string).toLowerCase();
    const value = field[2] as string;
    const other = fields.get(name);
    fields.set(name, other === undefined ? value : `${other}, ${value}`);
  }
  const options = (fields.get("connection") ?? "").toLowerCase().split(/[ \t]*,[ \t]*/u);
  const isLast = options.includes("close") || (match[1] === "0" && !options.includes("keep-alive"));
  return { status: Number(match[2]), isLast, fields, lengthBytes: bytes.length };
}

/**
 * How long the body is. Undefined: to the end of the connection.
 *
 * @throws {ThinglineError} DOWNLOAD_INVALID also for every Transfer-Encoding: a body in chunks does not say how long the file is.
 */
export function bodyLengthOf({ status, fields }: ResponseHead): number | undefined {
  if (status < 200 || status === 204 || status === 304) return 0;
  const encoding = fields.get("transfer-encoding");
  if (encoding !== undefined) {
    throw invalid(`the server sends with Transfer-Encoding ${short(encoding)}, which no download is made of`);
  }
  const text = fields.get("content-length");
  if (text === undefined) return undefined;
  // Two fields of one value are one, says RFC 9110; this server should send one.
  const length = wholeNumber(text);
  if (length === undefined) throw invalid(`a response has Content-Length ${short(text)}`);
  return length;
}

/** `bytes 0-1023/181124`; of a 416 `bytes *` with the size. Undefined: there is none. @throws {ThinglineError} DOWNLOAD_INVALID */
export function contentRangeOf({
  fields,
}: ResponseHead):
  | { first: number; last: number; sizeBytes: number }
  | { first: undefined; sizeBytes: number }
  | undefined {
  const text = fields.get("content-range");
  if (text === undefined) return undefined;
  const match = /^bytes (?:([0-9]{1,15})-([0-9]{1,15})|\*)\/([0-9]{1,15})$/u.exec(text);
  if (!match) throw invalid(`a response has Content-Range ${short(text)}`);
  const sizeBytes = Number(match[3]);
  if (match[1] === undefined) return { first: undefined, sizeBytes };
  const first = Number(match[1]);
  const last = Number(match[2]);
  if (first > last || last >= sizeBytes) throw invalid(`a response has Content-Range ${short(text)}`);
  return { first, last, sizeBytes };
}

/** Milliseconds from now, by seconds or by a date. Undefined: the server does not say, or nothing that is a time. */
export function retryAfterMsOf({ fields }: ResponseHead, unixMs: number): number | undefined {
  const text = fields.get("retry-after");
  if (text === undefined) return undefined;
  const seconds = wholeNumber(text);
  if (seconds !== undefined) return seconds * 1000;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - unixMs);
}

function wholeNumber(text: string): number | undefined {
  return /^[0-9]{1,15}$/u.test(text) ? Number(text) : undefined;
}

function short(text: string): string {
  return `"${text.length > 60 ? `${text.slice(0, 60)}...` : text}"`;
}

function invalid(message: string): ThinglineError {
  return new ThinglineError("DOWNLOAD_INVALID", message);
}
