import { createHash } from "node:crypto";
import { concatBytes, isThinglineError } from "@thingline/protocol";
import { encodeImageHeader, type SwapMode } from "@thingline/protocol/image";
import { createNodeImageCrypto } from "@thingline/transport/node/firmware";
import { createVirtualFlash, createVirtualRandom, type VirtualFlash } from "@thingline/transport/virtual";
import { flagWrite, magicWrite, trailerLayout } from "@thingline/protocol/image";
import { flashArea, type Random } from "@thingline/transport";
import { type Bootloader, type BootloaderOptions, createBootloader } from "./bootloader.js";
import type { SlotLayout } from "./slots.js";

export const crypto = createNodeImageCrypto();

/** Header and TLVs of {@link unsignedImage} without a security counter. */
export const imageOverheadBytes = 64 + 4 + 4 + 32;

/** An image that nobody signed: header, payload, a TLV with its hash, and perhaps a security counter. */
export function unsignedImage(options: {
  major: number;
  payloadBytes: number;
  flags?: number;
  securityCounter?: number;
}): Uint8Array {
  const { major, payloadBytes, flags = 0, securityCounter } = options;
  const sealed =
    securityCounter === undefined ? [] : [0x08, 0x69, 12, 0, 0x50, 0, 4, 0, securityCounter & 0xff, 0, 0, 0];
  const payload = createVirtualRandom(`payload of ${major}`).bytes(payloadBytes);
  const version = { major, minor: 0, revision: 0, build: 0 };
  const protectedTlvBytes = sealed.length;
  const header = encodeImageHeader({
    loadAddress: 0,
    headerBytes: 64,
    protectedTlvBytes,
    payloadBytes,
    flags,
    version,
  });
  const region = concatBytes([header, new Uint8Array(64 - header.length), payload, Uint8Array.from(sealed)]);
  const digest = createHash("sha256").update(region).digest();
  return concatBytes([region, Uint8Array.of(0x07, 0x69, 40, 0, 0x10, 0, 32, 0), new Uint8Array(digest)]);
}

export interface Geometry {
  mode: SwapMode;
  pageBytes: number;
  writeBytes: number;
  /** Sectors of the primary slot. */
  sectors: number;
  sectorsMax: number;
  scratchSectors: number;
}

export const smallGeometry = (mode: SwapMode): Geometry => ({
  mode,
  pageBytes: 512,
  writeBytes: 4,
  sectors: 6,
  sectorsMax: 8,
  scratchSectors: 1,
});

/** The slots one after the other, the secondary with a sector more where its mode likes that. */
export function layoutOf({
  mode,
  pageBytes,
  sectors,
  scratchSectors,
}: Geometry): Required<SlotLayout> & { sizeBytes: number } {
  const primary = { offsetBytes: 0, sizeBytes: (sectors + (mode === "move" ? 1 : 0)) * pageBytes };
  const secondary = { offsetBytes: primary.sizeBytes, sizeBytes: (sectors + (mode === "offset" ? 1 : 0)) * pageBytes };
  const scratch = { offsetBytes: secondary.offsetBytes + secondary.sizeBytes, sizeBytes: scratchSectors * pageBytes };
  return { primary, secondary, scratch, sizeBytes: scratch.offsetBytes + scratch.sizeBytes };
}

export function bootloaderOf(
  flash: VirtualFlash,
  geometry: Geometry,
  more: Partial<BootloaderOptions> = {},
): Bootloader {
  const { sizeBytes: _, ...layout } = layoutOf(geometry);
  const { mode, sectorsMax } = geometry;
  return createBootloader({ flash, layout, mode, sectorsMax, crypto, ...more });
}

/** A flash with an image in the primary slot, as it was programmed at first. */
export async function flashWith(geometry: Geometry, image: Uint8Array, random?: Random): Promise<VirtualFlash> {
  const { pageBytes, writeBytes } = geometry;
  const { sizeBytes } = layoutOf(geometry);
  const flash = createVirtualFlash({ sizeBytes, pageBytes, writeBytes, ...(random !== undefined && { random }) });
  await flash.write(0, padded(image, writeBytes));
  return flash;
}

/** What an application does with an update: writes it into the erased secondary slot, and asks for it. */
export async function requestUpdate(
  flash: VirtualFlash,
  geometry: Geometry,
  image: Uint8Array,
  { isPermanent = false, offset = geometry.mode === "offset" ? geometry.pageBytes : 0 } = {},
): Promise<void> {
  const { secondary } = layoutOf(geometry);
  const area = flashArea(flash, secondary);
  await area.erase(0, area.sizeBytes);
  await area.write(offset, padded(image, geometry.writeBytes));
  const layout = trailerOf(geometry, "secondary");
  const writes = [magicWrite(layout), ...(isPermanent ? [flagWrite(layout, "imageOk")] : [])];
  for (const { offset: at, bytes } of writes) await area.write(at, bytes);
}

/** What a new image does when it is content with itself. */
export async function confirm(flash: VirtualFlash, geometry: Geometry): Promise<void> {
  const { offset, bytes } = flagWrite(trailerOf(geometry, "primary"), "imageOk");
  await flash.write(layoutOf(geometry).primary.offsetBytes + offset, bytes);
}

export function trailerOf(geometry: Geometry, name: "primary" | "secondary"): ReturnType<typeof trailerLayout> {
  const { mode, writeBytes, sectorsMax } = geometry;
  return trailerLayout({ areaBytes: layoutOf(geometry)[name].sizeBytes, mode, writeBytes, sectorsMax });
}

export function padded(bytes: Uint8Array, unit: number): Uint8Array {
  const whole = new Uint8Array(Math.ceil(bytes.length / unit) * unit).fill(0xff);
  whole.set(bytes);
  return whole;
}

/** The largest image that can be swapped. */
export function roomOf(geometry: Geometry): number {
  const { sizeBytes } = layoutOf(geometry);
  const { pageBytes, writeBytes } = geometry;
  try {
    return bootloaderOf(createVirtualFlash({ sizeBytes, pageBytes, writeBytes }), geometry).imageBytesMax;
  } catch (error) {
    if (isThinglineError(error, "OPTION_INVALID")) return 0;
    throw error;
  }
}
