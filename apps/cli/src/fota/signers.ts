import { bytesEqual } from "@thingline/protocol";
import { hashBytes, tlvTypes, type ImageCrypto, type ImageFacts, type ImagePublicKey } from "@thingline/protocol/image";

/** Whether an image names a key as one that signed it. Undefined: it names none. */
export function namesKey(
  { tlvs, hash }: Pick<ImageFacts, "tlvs" | "hash">,
  key: ImagePublicKey,
  crypto: ImageCrypto,
): boolean | undefined {
  const named = tlvs.filter(isKeyName);
  if (named.length === 0) return undefined;
  return named.some(({ type, value }) => {
    if (type === tlvTypes.PUBKEY) return bytesEqual(value, key.der);
    const byLength = (["sha256", "sha384", "sha512"] as const).find((one) => hashBytes[one] === value.length);
    const hasher = crypto.createHash(hash?.algorithm ?? byLength ?? "sha256");
    hasher.update(key.der);
    return bytesEqual(hasher.digest(), value);
  });
}

/** What is to be said of an image whose signature nobody looked at. */
export function unsignedMessage({ tlvs }: Pick<ImageFacts, "tlvs">): string {
  return tlvs.some(isKeyName)
    ? "nobody's signature was checked: --key FILE says whose it should be"
    : "the image is not signed: only a bootloader without a key takes it; `firmware sign --key FILE` signs";
}

function isKeyName({ type }: { type: number }): boolean {
  return type === tlvTypes.KEYHASH || type === tlvTypes.PUBKEY;
}
