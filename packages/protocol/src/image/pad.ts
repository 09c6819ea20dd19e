import { concatBytes } from "../bytes.js";
import { refused, type RefusedImage } from "./refusals.js";
import { alignUp, defaultSectorsMax, trailerMagic, trailerMagicBytes } from "./trailer.js";

/** Of a slot, as MCUboot's tool is told of it. */
export interface PadShape {
  readonly slotBytes: number;
  readonly writeBytes: number;
  readonly alignBytes: number;
  readonly sectorsMax?: number | undefined;
  readonly isOverwriteOnly: boolean;
  readonly erasedByte: number;
}

/**
 * What MCUboot's tool reserves for the trailer, whichever way of swapping the bootloader has: three steps for each sector and four fields,
 * which is more than mode `offset` needs; two fields with `--overwrite-only`.
 */
export function reservedTrailerBytes({ writeBytes, alignBytes, sectorsMax, isOverwriteOnly }: PadShape): number {
  const magicBytes = alignUp(trailerMagicBytes, alignBytes);
  if (isOverwriteOnly) return alignBytes * 2 + magicBytes;
  return (sectorsMax ?? defaultSectorsMax) * 3 * writeBytes + alignBytes * 4 + magicBytes;
}

/** Undefined when image and trailer fit into the slot. */
export function roomRefusal(imageBytes: number, shape: PadShape): RefusedImage | undefined {
  const trailerBytes = reservedTrailerBytes(shape);
  if (imageBytes + trailerBytes <= shape.slotBytes) return undefined;
  const { slotBytes } = shape;
  const message = `the image has ${imageBytes} bytes and its trailer ${trailerBytes}, more than the ${slotBytes} of the slot`;
  return refused("IMAGE_TOO_LARGE", message, { bytes: imageBytes, trailerBytes, slotBytes });
}

/** The whole slot: the image, erased bytes, the magic that asks for a swap, and image_ok when it is confirmed. */
export function padToSlot(image: Uint8Array, shape: PadShape, { isConfirmed }: { isConfirmed: boolean }): Uint8Array {
  const padding = new Uint8Array(shape.slotBytes - image.length).fill(shape.erasedByte);
  padding.set(trailerMagic(shape.alignBytes), padding.length - trailerMagicBytes);
  if (isConfirmed && !shape.isOverwriteOnly) {
    padding[padding.length - alignUp(trailerMagicBytes, shape.alignBytes) - shape.alignBytes] = 1;
  }
  return concatBytes([image, padding]);
}
