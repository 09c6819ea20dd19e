import { hashRegionBytes, type ImageHeader, parseImageHeader, payloadEnd } from "@thingline/protocol/image";
import type { ImageSource } from "@thingline/protocol/image";

/** How far an image reaches, by its header and the headers of its TLV areas. */
export interface ImageExtent {
  header: ImageHeader;
  imageBytes: number;
  unprotectedTlvBytes: number;
}

const headerBytes = 32;
const infoBytes = 4;
const [tlvInfo, protectedTlvInfo] = [0x6907, 0x6908];

/** The header alone; undefined when there is none. */
export async function readHeaderAt(source: ImageSource, erasedByte: number): Promise<ImageHeader | undefined> {
  const result = parseImageHeader(await source.read(0, headerBytes), erasedByte);
  return "header" in result ? result.header : undefined;
}

/** Whether there are only erased bytes where a header's magic would be. */
export async function isHeaderErased(source: ImageSource, erasedByte: number): Promise<boolean> {
  return (await source.read(0, 4)).every((byte) => byte === erasedByte);
}

/**
 * @returns undefined when the TLV areas are not where the header says.
 * @see MCUboot, boot_read_image_size() of bootutil_misc.c
 */
export async function readExtent(source: ImageSource, header: ImageHeader): Promise<ImageExtent | undefined> {
  let info = await readInfo(source, payloadEnd(header));
  if (info?.magic === protectedTlvInfo) {
    if (info.bytes !== header.protectedTlvBytes) return undefined;
    info = await readInfo(source, hashRegionBytes(header));
  } else if (header.protectedTlvBytes !== 0) {
    return undefined;
  }
  if (info?.magic !== tlvInfo) return undefined;
  return { header, imageBytes: hashRegionBytes(header) + info.bytes, unprotectedTlvBytes: info.bytes };
}

async function readInfo(source: ImageSource, offset: number): Promise<{ magic: number; bytes: number } | undefined> {
  if (offset + infoBytes > source.sizeBytes) return undefined;
  const bytes = await source.read(offset, infoBytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return { magic: view.getUint16(0, true), bytes: view.getUint16(2, true) };
}
