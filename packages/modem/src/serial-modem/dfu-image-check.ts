import { concatBytes } from "@thingline/protocol";
import { type ImageCrypto, type ImageHeader, parseImageHeader, sourceOf, verifyImage } from "@thingline/protocol/image";
import type { Keys } from "@thingline/transport";

/**
 * What a bootloader that knows SHA-256 says of an image: that it is whole and fits. Who signed it is not asked.
 *
 * @returns undefined: refused
 */
export async function checkImage(
  image: Uint8Array,
  { keys, slotBytes }: { keys: Keys; slotBytes: number },
): Promise<ImageHeader | undefined> {
  const verdict = await verifyImage(sourceOf(image), { crypto: hashesOnly(keys), imageBytesMax: slotBytes });
  return verdict.isAccepted ? verdict.image.header : undefined;
}

/** The header of what lies in a slot, whole or not. */
export function headerOf(image: Uint8Array): ImageHeader | undefined {
  const result = parseImageHeader(image);
  return "header" in result ? result.header : undefined;
}

function hashesOnly(keys: Keys): ImageCrypto {
  const unused = (): never => {
    throw new Error("only hashes are asked for");
  };
  return {
    createHash: (algorithm) => {
      const pieces: Uint8Array[] = [];
      return {
        update: (bytes) => void pieces.push(bytes.slice()),
        // Another hash than the bootloader's is never the right one.
        digest: () => (algorithm === "sha256" ? keys.sha256(concatBytes(pieces)) : new Uint8Array(0)),
      };
    },
    createVerifier: unused,
    createSigner: unused,
    publicKeyOf: unused,
    generateKey: unused,
  };
}
