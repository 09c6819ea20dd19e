import { createHash } from "node:crypto";
import { basename } from "node:path";
import { ThinglineError, toHex } from "@thingline/protocol";
import {
  formatVersion,
  identifyFirmware,
  imageInvalid,
  sourceOf,
  verifyImage,
  type ImageFacts,
  type ImagePublicKey,
} from "@thingline/protocol/image";
import { createNodeFiles } from "@thingline/transport/node";
import { createNodeImageCrypto } from "@thingline/transport/node/firmware";
import { UsageError } from "../failure.js";
import { readKeyFile } from "../firmware-file.js";

/** An image is read and sent as a whole: no nRF91 has a larger flash, and gateways' images rarely. */
export const firmwareBytesMax = 256 * 1024 * 1024;

/** What is to be put on devices. */
export interface Firmware {
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly sha256: string;
  /** As devices will tell it. */
  readonly version: string;
  /** Of an MCUboot image that was verified. */
  readonly image: ImageFacts | undefined;
  /** The key files that signed it. */
  readonly signedBy: readonly string[];
}

export interface FirmwareOptions {
  /** Key files of which one must have signed. */
  key?: string[];
  fwVersion?: string;
  /** Take what is no MCUboot image as it is. */
  unchecked?: boolean;
}

/**
 * @throws {ThinglineError} IMAGE_INVALID with the reason, when a device would refuse it; FILE_NOT_FOUND, FILE_TOO_LARGE, FILE_UNREADABLE
 * @throws {UsageError} when the version is not known
 */
export async function readFirmware(path: string, options: FirmwareOptions, signal: AbortSignal): Promise<Firmware> {
  const files = createNodeFiles();
  const bytes = await files.read(path, { bytesMax: firmwareBytesMax, takesStreams: true, signal });
  const crypto = createNodeImageCrypto();
  const names = options.key ?? [];
  const keys: ImagePublicKey[] = [];
  for (const name of names) {
    keys.push(crypto.publicKeyOf(await readKeyFile(files, name, signal)));
  }
  const common = { file: basename(path), bytes, sha256: createHash("sha256").update(bytes).digest("hex") };
  const kind = identifyFirmware(bytes);
  if (kind !== "application") return { ...common, ...unverified(path, kind, options) };
  const { image, signedBy } = await judge(bytes, keys);
  return {
    ...common,
    version: options.fwVersion ?? formatVersion(image.header.version),
    image,
    signedBy: signedBy.map((at) => names[at] ?? ""),
  };
}

/** A modem firmware, or what we know nothing of. */
function unverified(path: string, kind: string, { fwVersion, unchecked }: FirmwareOptions) {
  if (kind !== "modemDelta" && unchecked !== true) {
    const message = `"${path}" is no MCUboot image and no modem delta image; --unchecked deploys it as it is`;
    throw new ThinglineError("IMAGE_INVALID", message, { details: { reason: "MAGIC_INVALID", kind } });
  }
  if (fwVersion === undefined) throw new UsageError(`"${path}" does not say its version: give it with --fw-version`);
  return { version: fwVersion, image: undefined, signedBy: [] };
}

/** @throws {ThinglineError} IMAGE_INVALID */
export async function judge(bytes: Uint8Array, keys: readonly ImagePublicKey[] = []) {
  const verdict = await verifyImage(sourceOf(bytes), {
    crypto: createNodeImageCrypto(),
    ...(keys.length > 0 && { keys }),
  });
  if (!verdict.isAccepted) throw imageInvalid(verdict.refusal);
  return verdict;
}

/** The key of its object names its bytes, so that what a job points to never changes. */
export function objectKeyOf({ file, sha256 }: Pick<Firmware, "file" | "sha256">): string {
  const name = file.replace(/[^A-Za-z0-9._-]+/g, "-").slice(-100);
  return `firmware/${sha256.slice(0, 32)}/${name === "" ? "image" : name}`;
}

/** `sha256 9f3a…` of an image's own hash, for people. */
export function hashOf({ image, sha256 }: Firmware): string {
  return image?.hash === undefined ? `sha256 ${sha256}` : `${image.hash.algorithm} ${toHex(image.hash.digest)}`;
}
