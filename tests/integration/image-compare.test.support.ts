import { sourceOf, tlvTypes } from "@thingline/protocol/image";
import { inspectImage } from "@thingline/protocol/image";

const random: ReadonlySet<number> = new Set([tlvTypes.RSA2048, tlvTypes.RSA3072, tlvTypes.ECDSASIG]);

/**
 * An image as what must be the same in two that were made of the same binary: all of its bytes but for the value of a signature with random
 * numbers in it, and what depends on that value's length, which is none but ECDSA's.
 */
export async function withoutSignature(image: Uint8Array, isPadded: boolean): Promise<object> {
  const { tlvs, imageBytes } = await inspectImage(sourceOf(image));
  const last = tlvs.at(-1);
  if (imageBytes === undefined || last === undefined) throw new Error("no image");
  if (!random.has(last.type)) return { bytes: Buffer.from(image).toString("hex") };
  const area = last.offset + 4 + last.value.length;
  const info =
    imageBytes - tlvs.filter((tlv) => !tlv.isProtected).reduce((sum, { value }) => sum + 4 + value.length, 4);
  return {
    region: hex(image.subarray(0, info)),
    magic: hex(image.subarray(info, info + 2)),
    tlvs: hex(image.subarray(info + 4, last.offset + 2)),
    lengthsFit: area === imageBytes && (isPadded || imageBytes === image.length),
    fixedLength: last.type === tlvTypes.ECDSASIG ? undefined : last.value.length,
    padding: isPadded ? hex(image.subarray(imageBytes)).replace(/^(?:ff)*/, "") : "",
    bytes: isPadded ? image.length : undefined,
  };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
