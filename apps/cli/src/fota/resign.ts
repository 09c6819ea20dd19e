import { concatBytes, ThinglineError } from "@thingline/protocol";
import {
  imageFlags,
  signImage,
  vendorTlvMax,
  vendorTlvMin,
  type Generation,
  type ImageFacts,
} from "@thingline/protocol/image";
import { createNodeImageCrypto } from "@thingline/transport/node";

/**
 * The same payload under another version and counter, signed anew. All else that the image says is kept.
 *
 * @throws {ThinglineError} KEY_INVALID; IMAGE_INVALID for an image with a boot record, which tells the version as well and is not made anew
 */
export async function signAgain(
  bytes: Uint8Array,
  image: ImageFacts,
  { version, securityCounter }: Generation,
  privateKeyPem: string,
): Promise<Uint8Array> {
  const { headerBytes, payloadBytes, flags, loadAddress } = image.header;
  const payload = bytes.subarray(headerBytes, headerBytes + payloadBytes);
  const sealed = image.tlvs.filter(({ isProtected }) => isProtected);
  const custom = sealed.filter(({ type }) => type >= vendorTlvMin && type <= vendorTlvMax);
  const known = sealed.length - custom.length - image.dependencies.length;
  const kept = [image.securityCounter, image.vendorId, image.classId].filter((one) => one !== undefined).length;
  if (known > kept) {
    const message =
      "the old image has protected TLVs that would be lost: sign it with `firmware sign`, and deploy it with --to";
    throw new ThinglineError("IMAGE_INVALID", message, { details: { reason: "TLV_UNKNOWN" } });
  }
  return signImage(concatBytes([new Uint8Array(headerBytes), payload]), {
    ...{ crypto: createNodeImageCrypto(), privateKeyPem, version, headerBytes, securityCounter },
    ...{ dependencies: image.dependencies, vendorId: image.vendorId, classId: image.classId, isPure: image.isPure },
    ...(custom.length > 0 && { customTlvs: custom.map(({ type, value }) => ({ type, value })) }),
    ...((flags & imageFlags.RAM_LOAD) !== 0 && { loadAddress }),
    ...((flags & imageFlags.ROM_FIXED) !== 0 && { fixedAddress: loadAddress }),
    ...(image.hash !== undefined && { hash: image.hash.algorithm }),
  });
}
