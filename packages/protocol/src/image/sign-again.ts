import { readSoftwareType } from "./boot-record.js";
import { canSignOver, hashesOfKey, type ImageCrypto, type ImageKeyType } from "./crypto.js";
import type { ImageFacts } from "./facts.js";
import { imageHeaderBytes, payloadEnd } from "./header.js";
import { imageInvalid } from "./refusals.js";
import { encodeUint32, type NewTlv, sealImage, type Sealing, type Unsealed } from "./seal.js";
import { requireInteger, requireVersion } from "./sign.js";
import { sourceOf } from "./source.js";
import { tlvTypes } from "./tlv.js";
import { verifyImage } from "./verify.js";
import { type ImageVersion, securityCounterOf } from "./version.js";

export interface SignAgainOptions {
  readonly crypto: ImageCrypto;
  readonly privateKeyPem: string;
  readonly version: ImageVersion;
  /** Instead of the image's own, or where it has none. `auto` takes it from the version. Default: what the image has. */
  readonly securityCounter?: number | "auto" | undefined;
}

/**
 * The same firmware under another version, for devices that do not go back: header size, flags, payload and protected TLVs stay, version and security
 * counter are new, and so are hash and signature. What the firmware itself says of its version is in the payload, and stays as it was.
 *
 * @param image padded or not; what is made is not.
 * @throws {ThinglineError} IMAGE_INVALID with `details.reason` when it is damaged, or not an image that this library takes: only whole ones are signed.
 * OPTION_INVALID, KEY_INVALID.
 */
export async function signAgain(image: Uint8Array, options: SignAgainOptions): Promise<Uint8Array> {
  const { crypto, privateKeyPem, version, securityCounter } = options;
  requireVersion("version", version);
  if (typeof securityCounter === "number") requireInteger("securityCounter", securityCounter, 0, 0xffff_ffff);
  const verdict = await verifyImage(sourceOf(image), { crypto });
  if (!verdict.isAccepted) throw imageInvalid(verdict.refusal);
  const { header } = verdict.image;
  const unsealed: Unsealed = {
    header: { ...header, version },
    padding: image.subarray(imageHeaderBytes, header.headerBytes),
    payload: image.subarray(header.headerBytes, payloadEnd(header)),
    sealed: sealedAgain(verdict.image, securityCounter === "auto" ? securityCounterOf(version) : securityCounter),
  };
  return sealImage(unsealed, sealingOf(verdict.image, crypto.publicKeyOf(privateKeyPem).type, options));
}

/** As it was sealed before, as far as the key can. */
function sealingOf({ hash, isPure, tlvs }: ImageFacts, keyType: ImageKeyType, options: SignAgainOptions): Sealing {
  const { crypto, privateKeyPem } = options;
  const publicKeyFormat = tlvs.some(({ type }) => type === tlvTypes.PUBKEY) ? "full" : "hash";
  if (isPure && canSignOver(keyType, "pure")) return { crypto, privateKeyPem, publicKeyFormat, isPure };
  const isSame = hash !== undefined && !isPure && hashesOfKey[keyType].includes(hash.algorithm);
  return { crypto, privateKeyPem, publicKeyFormat, hash: isSame ? hash.algorithm : undefined };
}

function sealedAgain({ tlvs }: ImageFacts, counter: number | undefined): Unsealed["sealed"] {
  const own = tlvs.filter(({ isProtected }) => isProtected);
  const counterTlv: NewTlv | undefined =
    counter === undefined ? undefined : { type: tlvTypes.SEC_CNT, value: encodeUint32(counter) };
  const kept = own
    .filter(({ type }) => counterTlv === undefined || type !== tlvTypes.SEC_CNT)
    .map(({ type, value }) => {
      const bootRecord = type === tlvTypes.BOOT_RECORD ? readSoftwareType(value) : undefined;
      return bootRecord === undefined ? { type, value } : { bootRecord };
    });
  return counterTlv === undefined ? kept : [counterTlv, ...kept];
}
