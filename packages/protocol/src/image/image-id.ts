import { toHex } from "../bytes.js";
import type { ImageCrypto } from "./crypto.js";
import type { ImageHeader } from "./header.js";
import { readHashRegion } from "./region.js";
import type { ImageSource } from "./source.js";

/**
 * Tells images of one version apart: SHA-256 of header, payload and protected TLVs as they lie there, in lower-case hex. Of an image whose
 * hash TLV is SHA-256 it is that hash.
 *
 * @throws {Error} when the image reaches beyond the source: only of one that was accepted.
 */
export async function imageIdOf(source: ImageSource, header: ImageHeader, crypto: ImageCrypto): Promise<string> {
  const hasher = crypto.createHash("sha256");
  await readHashRegion(source, header, [hasher]);
  return toHex(hasher.digest());
}
