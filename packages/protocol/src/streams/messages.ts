import { decodeBase64, encodeBase64 } from "../base64.js";
import { ThinglineError } from "../errors.js";
import { toHex } from "../bytes.js";
import { streamBlockBytesMax, streamBlocksMax, streamFileIdMax, streamVersionMax } from "./limits.js";
import type { StreamFormat } from "./topics.js";
import { readMembers, writeMembers, type Members } from "../cbor/members.js";

// What goes over the topics of a stream, as both ends see it. On the wire members have names of one letter.

/** `describe` */
export interface DescribeStreamRequest {
  /** Echoed in the answer. At most {@link streamClientTokenBytesMax} bytes. */
  clientToken?: string;
}

/** `description` */
export interface StreamDescription {
  clientToken?: string;
  streamVersion: number;
  description?: string;
  files: readonly StreamFile[];
}

export interface StreamFile {
  /** 0 to {@link streamFileIdMax}. */
  fileId: number;
  bytes: number;
}

/** `get` */
export interface GetStreamRequest {
  clientToken?: string;
  /** Blocks come only when this is the version of the stream. Default: whichever it is. */
  streamVersion?: number;
  fileId: number;
  /** {@link streamBlockBytesMin} to {@link streamBlockBytesMax}. */
  blockBytes: number;
  /** The number of the first block. Default 0. */
  firstBlock?: number;
  /** How many blocks; with a bitmap, at most how many. Default: as many as {@link streamAnswerBytesMax} has room for. */
  blockCount?: number;
  /** Which blocks, from `firstBlock` on; see `encodeBlockBitmap()`. Default: all of them. */
  bitmap?: Uint8Array;
}

/** `data`: one block of a file. */
export interface StreamBlock {
  clientToken?: string;
  fileId: number;
  /** Its number in the file, in blocks of the size that was asked for. */
  block: number;
  /** Shorter than was asked for at the end of the file. */
  payload: Uint8Array;
}

export const streamErrorCodes = [
  "InvalidTopic",
  "InvalidJson",
  "InvalidCbor",
  "InvalidRequest",
  "Unauthorized",
  "BlockSizeOutOfBounds",
  "OffsetOutOfBounds",
  "BlockCountLimitExceeded",
  "BlockBitmapLimitExceeded",
  "ResourceNotFound",
  "VersionMismatch",
  "ETagMismatch",
  "InternalError",
] as const;
export type StreamErrorCode = (typeof streamErrorCodes)[number];

/** `rejected`: either request. */
export interface StreamRejection {
  /** One of {@link streamErrorCodes}, or one that AWS has added. */
  code: string;
  message: string;
  clientToken?: string;
}

export function encodeDescribeStreamRequest({ clientToken }: DescribeStreamRequest, format: StreamFormat): Uint8Array {
  return writeMembers({ c: clientToken }, format);
}

export function encodeGetStreamRequest(request: GetStreamRequest, format: StreamFormat): Uint8Array {
  const { clientToken, streamVersion, fileId, blockBytes, firstBlock, blockCount, bitmap } = request;
  const wanted = bitmap !== undefined && format === "json" ? `0x${toHex(bitmap)}` : bitmap;
  return writeMembers(
    { c: clientToken, s: streamVersion, f: fileId, l: blockBytes, o: firstBlock, n: blockCount, b: wanted },
    format,
  );
}

export function encodeStreamDescription(message: StreamDescription, format: StreamFormat): Uint8Array {
  const { clientToken, streamVersion, description, files } = message;
  const r = files.map(({ fileId, bytes }) => ({ f: fileId, z: bytes }));
  return writeMembers({ c: clientToken, s: streamVersion, d: description, r }, format, { isAnswer: true });
}

export function encodeStreamBlock(
  { clientToken, fileId, block, payload }: StreamBlock,
  format: StreamFormat,
): Uint8Array {
  const p = format === "json" ? encodeBase64(payload) : payload;
  return writeMembers({ c: clientToken, f: fileId, l: payload.length, i: block, p }, format, { isAnswer: true });
}

/** Both spellings of each member, in the order of the live service. */
export function encodeStreamRejection(
  { code, message, clientToken }: StreamRejection,
  format: StreamFormat,
): Uint8Array {
  const token = { c: clientToken, clientToken };
  return writeMembers({ code, o: code, message, m: message, ...token }, format, { isAnswer: true });
}

/** @throws {ThinglineError} STREAM_MESSAGE_INVALID */
export function decodeStreamDescription(payload: Uint8Array, format: StreamFormat): StreamDescription {
  const members = requireMembers(payload, format, "description");
  const list = members.get("r");
  if (!Array.isArray(list)) throw invalid("description", "has no list of files");
  const files = list.map((item: unknown): StreamFile => {
    const file = asMembers(item);
    const fileId = file === undefined ? undefined : integer(file, "f", streamFileIdMax);
    const bytes = file === undefined ? undefined : integer(file, "z", Number.MAX_SAFE_INTEGER);
    if (fileId === undefined || bytes === undefined) throw invalid("description", "has a file without id or size");
    return { fileId, bytes };
  });
  const streamVersion = integer(members, "s", streamVersionMax);
  if (streamVersion === undefined) throw invalid("description", "has no version");
  const description = text(members, "d");
  return { ...tokenOf(members), streamVersion, ...(description !== undefined && { description }), files };
}

/**
 * A payload in CBOR is a view of the message.
 *
 * @throws {ThinglineError} STREAM_MESSAGE_INVALID
 */
export function decodeStreamBlock(message: Uint8Array, format: StreamFormat): StreamBlock {
  const members = requireMembers(message, format, "block");
  const fileId = integer(members, "f", streamFileIdMax);
  const block = integer(members, "i", streamBlocksMax * 2);
  const length = integer(members, "l", streamBlockBytesMax);
  const p = members.get("p");
  const payload = typeof p === "string" && format === "json" ? decodeBase64(p) : p;
  if (fileId === undefined || block === undefined || length === undefined || !(payload instanceof Uint8Array))
    throw invalid("block", "lacks file, number, length or payload");
  if (payload.length !== length) throw invalid("block", `says ${length} bytes and has ${payload.length}`);
  return { ...tokenOf(members), fileId, block, payload };
}

/** @throws {ThinglineError} STREAM_MESSAGE_INVALID */
export function decodeStreamRejection(payload: Uint8Array, format: StreamFormat): StreamRejection {
  const members = requireMembers(payload, format, "rejection");
  const code = text(members, "code") ?? text(members, "o");
  if (code === undefined) throw invalid("rejection", "has no code");
  return { code, message: text(members, "message") ?? text(members, "m") ?? "", ...tokenOf(members) };
}

/** @throws {ThinglineError} STREAM_MESSAGE_INVALID */
function requireMembers(payload: Uint8Array, format: StreamFormat, what: string): Members {
  const members = readMembers(payload, format);
  if (members === undefined) throw invalid(what, `is no map in ${format.toUpperCase()}`);
  return members;
}

function asMembers(value: unknown): Members | undefined {
  if (value instanceof Map) return value as Members;
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? new Map(Object.entries(value)) : undefined;
}

function tokenOf(members: Members): { clientToken?: string } {
  const clientToken = text(members, "c") ?? text(members, "clientToken");
  return clientToken === undefined ? {} : { clientToken };
}

function text(members: Members, name: string): string | undefined {
  const value = members.get(name);
  return typeof value === "string" ? value : undefined;
}

function integer(members: Members, name: string, max: number): number | undefined {
  const value = members.get(name);
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= max
    ? (value as number)
    : undefined;
}

const invalid = (what: string, why: string) =>
  new ThinglineError("STREAM_MESSAGE_INVALID", `a ${what} of a stream ${why}`, { details: { what } });
