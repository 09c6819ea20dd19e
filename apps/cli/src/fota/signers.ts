import { bytesEqual } from "@thingline/protocol";
import { hashBytes, tlvTypes, type ImageCrypto, type ImageFacts, type ImagePublicKey } from "@thingline/protocol/image";

/** Whether an image names a key as one that signed it. Undefined: it names none. */
export function namesKey(
  { tlvs, hash }: Pick<ImageFacts, "tlvs" | "hash">,
  key: ImagePublicKey,
  crypto: ImageCrypto,
): boolean | undefined {
  const named = tlvs.filter(({ type }) => type === tlvTypes.KEYHASH || type === tlvTypes.PUBKEY);
  if (named.length === 0) return undefined;
  return named.some(({ type, value }) => {
    if (type === tlvTypes.PUBKEY) return bytesEqual(value, key.der);
    const byLength = (["sha256", "sha384", "sha512"] as const).find((one) => hashBytes[one] === value.length);
    const hasher = crypto.createHash(hash?.algorithm ?? byLength ?? "sha256");
    hasher.update(key.der);
    return bytesEqual(hasher.digest(), value);
  });
}
