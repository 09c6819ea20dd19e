import { fromHex } from "../bytes.js";
import {
  streamBitmapBytesMax,
  streamBlockBytesMax,
  streamBlockBytesMin,
  streamBlocksMax,
  streamClientTokenBytesMax,
  streamFileIdMax,
  streamVersionMax,
} from "./limits.js";
import type { DescribeStreamRequest, GetStreamRequest, StreamErrorCode, StreamRejection } from "./messages.js";
import type { StreamFormat } from "./topics.js";
import { readMembers, type Members } from "../cbor/members.js";

/** What a server makes of a request: what it asks for, or how it is refused. */
export type ReadStreamRequest<Request> =
  | { request: Request }
  | { rejection: StreamRejection & { code: StreamErrorCode } };

/** `describe`. An empty message asks without a token. */
export function decodeDescribeStreamRequest(
  payload: Uint8Array,
  format: StreamFormat,
): ReadStreamRequest<DescribeStreamRequest> {
  if (payload.length === 0) return { request: {} };
  return decode(payload, format, (members) => tokenOf(members));
}

/** `get` */
export function decodeGetStreamRequest(payload: Uint8Array, format: StreamFormat): ReadStreamRequest<GetStreamRequest> {
  return decode(payload, format, (members) => {
    const fileId = required(members, "f", 0, streamFileIdMax, "InvalidRequest", "The file ID");
    const blockBytes = required(
      ...([members, "l", streamBlockBytesMin, streamBlockBytesMax] as const),
      ...(["BlockSizeOutOfBounds", "The block size"] as const),
    );
    const streamVersion = integer(members, "s", 0, streamVersionMax, "InvalidRequest", "The stream version");
    const firstBlock = integer(members, "o", 0, streamBlocksMax, "OffsetOutOfBounds", "The block offset");
    const blockCount = integer(members, "n", 0, streamBlocksMax, "BlockCountLimitExceeded", "The number of blocks");
    const bitmap = bitmapOf(members, format);
    return {
      ...tokenOf(members),
      ...(streamVersion !== undefined && { streamVersion }),
      ...{ fileId, blockBytes },
      ...(firstBlock !== undefined && { firstBlock }),
      ...(blockCount !== undefined && { blockCount }),
      ...(bitmap !== undefined && { bitmap }),
    };
  });
}

/** Thrown within this file only. */
class Refusal extends Error {
  readonly code: StreamErrorCode;
  constructor(code: StreamErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

function decode<Request>(
  payload: Uint8Array,
  format: StreamFormat,
  read: (members: Members) => Request,
): ReadStreamRequest<Request> {
  const members = readMembers(payload, format);
  if (members === undefined) return { rejection: notOfFormat(format) };
  try {
    return { request: read(members) };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const token = readToken(members);
    const clientToken = typeof token === "string" ? { clientToken: token } : {};
    return { rejection: { code: error.code, message: error.message, ...clientToken } };
  }
}

const notOfFormat = (format: StreamFormat) =>
  format === "json"
    ? ({ code: "InvalidJson", message: "Invalid JSON message" } as const)
    : ({ code: "InvalidCbor", message: "Invalid CBOR message" } as const);

/** @returns false for what is no token that can be echoed */
function readToken(members: Members): string | undefined | false {
  const token = members.get("c");
  if (token === undefined) return undefined;
  if (typeof token !== "string" || new TextEncoder().encode(token).length > streamClientTokenBytesMax) return false;
  return token;
}

/** @throws {Refusal} */
function tokenOf(members: Members): { clientToken?: string } {
  const clientToken = readToken(members);
  if (clientToken === false)
    throw new Refusal(
      "InvalidRequest",
      `The client token must be a text of at most ${streamClientTokenBytesMax} bytes`,
    );
  return clientToken === undefined ? {} : { clientToken };
}

/** @throws {Refusal} `code` for a number outside of the bounds, InvalidRequest for what is no whole number */
function integer(
  members: Members,
  name: string,
  min: number,
  max: number,
  code: StreamErrorCode,
  what: string,
): number | undefined {
  const value = members.get(name);
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !Number.isInteger(value))
    throw new Refusal("InvalidRequest", `${what} must be a whole number`);
  if (value < min || value > max) throw new Refusal(code, `${what} is out of bounds, it must be ${min} to ${max}`);
  return value;
}

/** @throws {Refusal} */
function required(...[members, name, min, max, code, what]: Parameters<typeof integer>): number {
  const value = integer(members, name, min, max, code, what);
  if (value === undefined) throw new Refusal("InvalidRequest", `${what} is missing`);
  return value;
}

/** In JSON hexadecimal digits, with or without `0x`; in CBOR a byte string. @throws {Refusal} */
function bitmapOf(members: Members, format: StreamFormat): Uint8Array | undefined {
  const value = members.get("b");
  if (value === undefined) return undefined;
  let bitmap: Uint8Array | undefined;
  if (format === "cbor") {
    // The live service answers a text string so.
    if (!(value instanceof Uint8Array)) throw new Refusal("InvalidCbor", "Invalid CBOR message");
    bitmap = value;
  } else {
    bitmap = typeof value === "string" ? fromHex(value.replace(/^0x/i, "")) : undefined;
    if (bitmap === undefined) throw new Refusal("InvalidRequest", "The bitmap must be hexadecimal digits");
  }
  if (bitmap.length > streamBitmapBytesMax)
    throw new Refusal("BlockBitmapLimitExceeded", `The bitmap has at most ${streamBitmapBytesMax} bytes`);
  return bitmap;
}
