import { type RefusedImage, refused } from "./refusals.js";

/**
 * Where an image lies: a file, a slot of flash, bytes in memory. What is judged is what is read from here, in ranges, so that it is what
 * lies there. A `Flash` of `@thingline/transport` is one.
 */
export interface ImageSource {
  readonly sizeBytes: number;
  /** Exactly `length` bytes, which must lie within. The caller does not keep them beyond its next read. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** Bytes of one read while an image is hashed. */
export const imageReadBytes = 64 * 1024;

/** An image in memory. */
export function sourceOf(bytes: Uint8Array): ImageSource {
  return { sizeBytes: bytes.length, read: async (offset, length) => bytes.subarray(offset, offset + length) };
}

/**
 * A part of a source: a slot of a flash, or what lies behind the first sector of one, as with swap using offset. What reaches beyond the
 * source is cut off.
 */
export function partOf(source: ImageSource, offset: number, sizeBytes = source.sizeBytes - offset): ImageSource {
  const size = Math.max(0, Math.min(sizeBytes, source.sizeBytes - offset));
  return { sizeBytes: size, read: (at, length) => source.read(offset + at, length) };
}

/**
 * The only way in which this folder reads: never beyond the source, and never less than was asked for.
 *
 * @param what is named in the refusal: "the image".
 * @throws {RefusedImage} IMAGE_TRUNCATED
 */
export async function readRange(
  source: ImageSource,
  offset: number,
  length: number,
  what: string,
): Promise<Uint8Array> {
  if (offset + length > source.sizeBytes) throw truncated(offset + length, source.sizeBytes, what);
  const bytes = await source.read(offset, length);
  if (bytes.length !== length) throw truncated(offset + length, offset + bytes.length, what);
  return bytes;
}

function truncated(expectedBytes: number, bytes: number, what: string): RefusedImage {
  const message = `${what} would end at ${expectedBytes}, and there are ${bytes} bytes`;
  return refused("IMAGE_TRUNCATED", message, { expectedBytes, bytes });
}
