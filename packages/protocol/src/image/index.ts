export { softwareTypeCharactersMax } from "./boot-record.js";
export { canSignOver, hashBytes, hashesOfKey, imageKeyTypes, pureRegionBytesMax } from "./crypto.js";
export type {
  HashAlgorithm,
  Hasher,
  ImageCrypto,
  ImageKeyPair,
  ImageKeyType,
  ImagePublicKey,
  SignatureSigner,
  SignatureVerifier,
  SignedOver,
} from "./crypto.js";
export type { ImageDependency, ImageFacts } from "./facts.js";
export {
  encodeImageHeader,
  flagNames,
  hashRegionBytes,
  imageFlags,
  imageHeaderBytes,
  imageMagic,
  isCompressed,
  isEncrypted,
  parseImageHeader,
  payloadEnd,
} from "./header.js";
export type { HeaderResult, ImageFlag, ImageHeader } from "./header.js";
export { identifiedBytes, identifyFirmware } from "./identify.js";
export type { FirmwareKind } from "./identify.js";
export { imageIdOf } from "./image-id.js";
export { inspectImage } from "./inspect.js";
export type { ImageInspection } from "./inspect.js";
export { mcubootVerdict } from "./mcuboot.js";
export type { McubootBuild, McubootVerdict, McubootVerdictOptions } from "./mcuboot.js";
export { readDependencies, readSecurityCounter } from "./mcuboot-tlvs.js";
export { downgradeRefusal, policyRefusal } from "./policy.js";
export type { DowngradeRule, Generation, ImagePolicy, JudgedImage } from "./policy.js";
export { imageInvalid, imageRefusals } from "./refusals.js";
export type { ImageRefusal, ImageRefusalCode } from "./refusals.js";
export { slotImageBytesMax } from "./room.js";
export type { SlotShape } from "./room.js";
export { signAgain } from "./sign-again.js";
export type { SignAgainOptions } from "./sign-again.js";
export { signImage } from "./sign.js";
export type { SignImageOptions } from "./sign.js";
export { imageSignaturesMax } from "./signatures.js";
export { imageReadBytes, partOf, sourceOf } from "./source.js";
export type { ImageSource } from "./source.js";
export { tlvName, tlvTypes, vendorTlvMax, vendorTlvMin } from "./tlv.js";
export type { Tlv, TlvName } from "./tlv.js";
export {
  alignBytesAllowed,
  decodeSwapInfo,
  defaultAlignBytes,
  defaultSectorsMax,
  flagMark,
  flagSet,
  flagWrite,
  magicMark,
  magicWrite,
  readTrailer,
  swapInfoWrite,
  swapSizeWrite,
  swapTypes,
  trailerLayout,
  trailerMagic,
  trailerMagicBytes,
  unprotectedTlvSizesWrite,
  writeBytesAllowed,
} from "./trailer.js";
export type {
  SwapMode,
  SwapType,
  TrailerLayout,
  TrailerMark,
  TrailerShape,
  TrailerState,
  TrailerWrite,
} from "./trailer.js";
export { verifyImage } from "./verify.js";
export type { ImageVerdict, VerifyImageOptions } from "./verify.js";
export { compareVersions, formatVersion, parseVersion, securityCounterOf, versionMax } from "./version.js";
export type { ImageVersion } from "./version.js";
