import { hashRegionBytes, type ImageHeader } from "./header.js";
import { imageReadBytes, type ImageSource, readRange } from "./source.js";

/** A hasher, a verifier or a signer. */
export interface RegionReader {
  update(bytes: Uint8Array): void;
}

/**
 * Reads header, payload and protected TLVs once, in pieces of {@link imageReadBytes}, for everybody who wants them.
 *
 * @throws {RefusedImage} IMAGE_TRUNCATED
 */
export async function readHashRegion(
  source: ImageSource,
  header: ImageHeader,
  readers: readonly RegionReader[],
): Promise<void> {
  const size = hashRegionBytes(header);
  for (let at = 0; at < size; at += imageReadBytes) {
    const bytes = await readRange(source, at, Math.min(imageReadBytes, size - at), "the image");
    for (const reader of readers) reader.update(bytes);
  }
}
