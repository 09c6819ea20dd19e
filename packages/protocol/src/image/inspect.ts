import { type ImageFacts, factsOf } from "./facts.js";
import { type ImageHeader, imageHeaderBytes, readHeader } from "./header.js";
import { type ImageRefusal, RefusedImage } from "./refusals.js";
import { type ImageSource, readRange } from "./source.js";
import type { Tlv } from "./tlv.js";
import { readTlvAreas } from "./tlv-area.js";

/** What can be read of an image, whole or damaged; nothing of it is proved. */
export interface ImageInspection {
  /** Undefined when the bytes begin with none. */
  readonly header: ImageHeader | undefined;
  /** None when the areas cannot be read. */
  readonly tlvs: readonly Tlv[];
  /** Undefined when the areas cannot be read. */
  readonly imageBytes: number | undefined;
  /** Undefined when the TLVs contradict themselves. */
  readonly facts: ImageFacts | undefined;
  /** Why there is no more to tell. */
  readonly refusal: ImageRefusal | undefined;
}

/** Reads header and TLVs and says what they hold, encrypted, compressed and not bootable images included. Nothing is hashed. */
export async function inspectImage(source: ImageSource, erasedByte = 0xff): Promise<ImageInspection> {
  let found: ImageInspection = {
    header: undefined,
    tlvs: [],
    imageBytes: undefined,
    facts: undefined,
    refusal: undefined,
  };
  try {
    const header = readHeader(await readRange(source, 0, imageHeaderBytes, "a header"), erasedByte);
    found = { ...found, header };
    const areas = await readTlvAreas(source, header);
    found = { ...found, tlvs: areas.tlvs, imageBytes: areas.endBytes };
    return { ...found, facts: factsOf(header, areas) };
  } catch (error) {
    if (error instanceof RefusedImage) return { ...found, refusal: error.refusal };
    throw error;
  }
}
